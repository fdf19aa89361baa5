"""How attempts come out: the retry lists, the hints, and what holds for every answer."""

import itertools
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.engine.schedule import JITTER, RETRY_S, decide, read_retry_after
from homing.model.delivery import Answer, Delivered, Refused, Retry

NOW_MS = 1_700_000_000_000


def make_answer(status: int | None = 500, **changes: object) -> Answer:
    fields: dict[str, object] = {"status": status, "body": b"no", "length": 2, "took_ms": 3}
    return Answer(**(fields | changes))  # type: ignore[arg-type]


def no_jitter() -> float:
    return 0.0


def test_the_lists_are_the_documented_ones() -> None:
    mx, json = RETRY_S["mx"], RETRY_S["json"]
    assert len(mx) + 1 == 10
    assert sum(mx) == 15_330
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(mx))
    assert json == (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)


def test_every_attempt_follows_the_list_and_the_last_is_the_last() -> None:
    for attempt, wait_s in enumerate(RETRY_S["mx"], start=1):
        outcome = decide("mx", attempt, make_answer(), NOW_MS, RETRY_S["mx"], no_jitter)
        assert outcome == Retry(at_ms=NOW_MS + wait_s * 1000, why="status 500")
    assert decide("mx", 10, make_answer(), NOW_MS, RETRY_S["mx"], no_jitter) == Refused(
        why="status 500; attempt 10 was the last"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (make_answer(200, body=b"", length=0), "status 200 without a body"),
        (make_answer(204, body=b"", length=0), "status 204 without a body"),
        (make_answer(302), "status 302"),
        (make_answer(410), "status 410"),
        (make_answer(None, error="timeout"), "timeout"),
        (make_answer(None), "no answer"),
    ],
)
def test_what_mx_tries_again(answer: Answer, why: str) -> None:
    assert decide("mx", 1, answer, NOW_MS, (30,), no_jitter) == Retry(at_ms=NOW_MS + 30_000, why=why)


def test_success() -> None:
    assert decide("mx", 1, make_answer(200), NOW_MS, (30,), no_jitter) == Delivered()
    assert decide("json", 10, make_answer(204), NOW_MS, (5,), no_jitter) == Delivered()


def test_gone_is_understood_for_json() -> None:
    outcome = decide("json", 1, make_answer(410), NOW_MS, (5,), no_jitter)
    assert outcome == Refused(why="status 410", endpoint_gone=True)


@pytest.mark.parametrize(
    ("status", "hint", "wait_s"),
    [
        (429, "60", 60),
        (503, " 60 ", 60),
        (500, "60", 5),
        (429, "1", 5),
        (429, "999999999", 300),
        (429, "9" * 400, 300),
        (429, formatdate(NOW_MS / 1000 + 90, usegmt=True), 90),
        (503, formatdate(NOW_MS / 1000 - 90, usegmt=True), 5),
        (503, formatdate(NOW_MS / 1000 + 10_000, usegmt=True), 300),
        (503, "soon", 5),
        (503, "-7", 5),
        (503, "", 5),
    ],
)
def test_retry_after_for_json(status: int, hint: str, wait_s: int) -> None:
    answer = make_answer(status, retry_after=hint)
    outcome = decide("json", 1, answer, NOW_MS, (5, 300, 60), no_jitter)
    assert outcome == Retry(at_ms=NOW_MS + wait_s * 1000, why=f"status {status}")
    assert decide("mx", 1, answer, NOW_MS, (5, 300, 60), no_jitter).at_ms == NOW_MS + 5000  # type: ignore[union-attr]


@given(
    format_=st.sampled_from(["mx", "json"]),
    attempt=st.integers(1, 15),
    status=st.none() | st.integers(100, 599),
    length=st.integers(0, 3),
    hint=st.none() | st.text(max_size=20) | st.integers(0, 10**6).map(str),
    waits=st.lists(st.integers(1, 90_000), max_size=10),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_what_holds_for_every_answer(
    format_: str,
    attempt: int,
    status: int | None,
    length: int,
    hint: str | None,
    waits: list[int],
    chance: float,
) -> None:
    answer = make_answer(status, length=length, retry_after=hint)
    outcome = decide(format_, attempt, answer, NOW_MS, waits, lambda: chance)  # type: ignore[arg-type]
    if status is None or not 200 <= status < 300:
        assert not isinstance(outcome, Delivered)
    if isinstance(outcome, Retry):
        assert attempt <= len(waits)
        wait_ms = outcome.at_ms - NOW_MS
        assert waits[attempt - 1] * 1000 <= wait_ms <= max(waits) * 1000 * (1 + JITTER)
        if hint is None:
            assert wait_ms <= waits[attempt - 1] * 1000 * (1 + JITTER)
    if isinstance(outcome, Refused) and not outcome.endpoint_gone:
        assert attempt > len(waits)


@given(st.text(max_size=40))
def test_no_hint_breaks_the_reader(text: str) -> None:
    seconds = read_retry_after(text, NOW_MS)
    assert seconds is None or seconds >= 0
