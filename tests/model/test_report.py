from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.report import (
    FINAL,
    STATES,
    WORDS,
    Report,
    Status,
    fold,
    is_final,
    is_wanted,
    may_follow,
    read_state,
    read_word,
)

A, S, B, D, F, R, U = (
    Status.ACCEPTED,
    Status.SENT,
    Status.BUFFERED,
    Status.DELIVERED,
    Status.FAILED,
    Status.REJECTED,
    Status.UNKNOWN,
)
statuses = st.sampled_from(Status)

PROMISED_WORDS = {
    D: "DELIVRD DELIVERED",
    F: "EXPIRED DELETED UNDELIV UNDELIVRD FAILED BARRED ZEROBAL",
    R: "REJECTD REJECTED DND_REJECTED",
    B: "ENROUTE ACCEPTD ACCEPTED ACKED SCHEDULED BUFFERED",
    U: "UNKNOWN",
}
PROMISED_STATES = {D: (2,), F: (3, 4, 5, 9), R: (8,), B: (0, 1, 6), U: (7,)}


@pytest.mark.parametrize(
    ("word", "status"), [(word, status) for status, words in PROMISED_WORDS.items() for word in words.split()]
)
def test_every_promised_word_in_any_case(word: str, status: Status) -> None:
    for spelled in (word, word.lower(), word.title(), f" {word} "):
        assert read_word(spelled)[0] is status


@pytest.mark.parametrize(
    ("number", "status"),
    [(number, status) for status, numbers in PROMISED_STATES.items() for number in numbers],
)
def test_every_promised_state(number: int, status: Status) -> None:
    assert read_state(number)[0] is status


def test_no_word_and_no_state_beyond_the_promised() -> None:
    assert set(WORDS) == {word for words in PROMISED_WORDS.values() for word in words.split()}
    assert (
        set(STATES)
        == {number for numbers in PROMISED_STATES.values() for number in numbers}
        == set(range(10))
    )


def test_reasons_are_machine_words() -> None:
    assert {reason for _, reason in WORDS.values()} == {
        "delivered",
        "expired",
        "deleted",
        "undeliverable",
        "failed",
        "barred",
        "no_balance",
        "rejected",
        "dnd",
        "enroute",
        "accepted",
        "acknowledged",
        "scheduled",
        "buffered",
        "unknown",
    }
    assert read_state(9) == (F, "skipped")
    assert read_state(0) == (B, "scheduled")


@pytest.mark.parametrize(
    "word", ["", "0", "2", "000", "NULL", "DELIVRDX", "DELIV", "SUCCESS", "ошибка", "\0"]
)
def test_digits_and_any_other_word_are_unknown(word: str) -> None:
    assert read_word(word) == (U, "unreadable")


@pytest.mark.parametrize("number", [-1, 10, 50, 255, 2**32])
def test_any_other_state_is_unknown(number: int) -> None:
    assert read_state(number) == (U, "unreadable")


def test_overrides_win_in_any_case() -> None:
    overrides = {"0": D, "acceptd": D, "Unknown": F, "5": R, "EXPIRED": F}
    assert read_word("0", overrides) == (D, "delivered")
    assert read_word("ACCEPTD", overrides) == (D, "delivered")
    assert read_word("unknown", overrides) == (F, "failed")
    assert read_word("UNDELIV", overrides) == (F, "undeliverable"), "a number is no word"
    assert read_word("expired", overrides) == (F, "expired"), "the same status keeps the table's reason"
    assert read_word("SOMETHING", overrides) == (U, "unreadable")
    assert read_state(0, overrides) == (D, "delivered")
    assert read_state(5, overrides) == (R, "rejected")
    assert read_state(6, overrides) == (D, "delivered"), "the operator named the word of this state"
    assert read_state(7, overrides) == (F, "failed")
    assert read_state(2, overrides) == (D, "delivered")
    assert read_state(77, {"77": D}) == (D, "delivered")
    assert read_state(6, {"6": F, "ACCEPTED": D}) == (F, "failed"), "the number is nearer than the word"


@given(st.text(), st.dictionaries(st.text(), statuses), st.integers())
def test_reading_is_total(word: str, overrides: dict[str, Status], number: int) -> None:
    for status, reason in (read_word(word, overrides), read_state(number, overrides)):
        assert status in Status
        assert reason == reason.lower() != ""


# --- may_follow ---


def test_what_may_follow() -> None:
    allowed = {(old, new) for old, new in product(Status, Status) if may_follow(new, old)}
    assert allowed == {
        *((A, new) for new in (S, B, D, F, R, U)),
        *((S, new) for new in (B, D, F, R, U)),
        *((B, new) for new in (D, F, R, U)),
        *((U, new) for new in (D, F, R)),
    }


@given(st.lists(statuses))
def test_a_final_status_stays_but_for_unknown(arriving: list[Status]) -> None:
    current = A
    finals = []
    for status in arriving:
        if may_follow(status, current):
            current = status
            if is_final(status):
                finals.append(status)
    assert len(finals) <= 2
    if len(finals) == 2:
        assert finals[0] is U
        assert finals[1] is not U


# --- fold ---


@pytest.mark.parametrize(
    ("segments", "status"),
    [
        ([], A),
        *(([status], status) for status in Status),
        ([D, D], D),
        ([D, S], B),
        ([B, A], B),
        ([S, A], A),
        ([S, S], S),
        ([F, S], F),
        ([R, S], R),
        ([R, R], R),
        ([R, F], F),
        ([D, R], R),
        ([D, U], U),
        ([U, U], U),
        ([U, F], F),
        ([U, S], B),
    ],
)
def test_fold(segments: list[Status], status: Status) -> None:
    assert fold(segments) is status


@given(st.lists(statuses).flatmap(lambda segments: st.tuples(st.just(segments), st.permutations(segments))))
def test_fold_does_not_depend_on_order(two: tuple[list[Status], list[Status]]) -> None:
    assert fold(two[0]) is fold(two[1]) is fold(iter(two[0]))


@given(st.lists(statuses, min_size=1))
def test_fold_is_idempotent(segments: list[Status]) -> None:
    assert fold([fold(segments)]) is fold(segments)
    assert fold(segments + segments) is fold(segments)


@given(st.lists(statuses, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 3), statuses)))
def test_a_submission_ends_when_its_segments_have(
    segments: list[Status], arriving: list[tuple[int, Status]]
) -> None:
    """However receipts arrive, what has been told stays true, and all final means told final."""
    segments = [A for _ in segments]
    told = A
    for at, status in arriving:
        at %= len(segments)
        if may_follow(status, segments[at]):
            segments[at] = status
        folded = fold(segments)
        if may_follow(folded, told):
            assert told not in FINAL - {U}
            told = folded
        if all(map(is_final, segments)):
            assert is_final(told)


@pytest.mark.parametrize(
    ("bits", "wanted"),
    [(0, set()), (1, {B, U}), (2, {D, U}), (4, {F, R, U}), (6, {D, F, R, U}), (7, {B, D, F, R, U})],
)
def test_report_bits(bits: int, wanted: set[Status]) -> None:
    report = Report(
        id=1, at_ms=0, account="acme", submission=2, sender="60999", recipient="447700900001", status=B,
        reason="buffered", sequence=1, report_bits=bits,
    )  # fmt: skip
    found = {status for status in Status if is_wanted(msgspec.structs.replace(report, status=status))}
    assert found == wanted


@pytest.mark.parametrize(("bits", "is_one"), [(0, False), (7, False), (8, True), (15, True)])
def test_a_read_report_has_a_bit_of_its_own(bits: int, is_one: bool) -> None:
    report = Report(
        id=1, at_ms=0, account="acme", submission=2, sender="60999", recipient="447700900001", status=D,
        reason="read", sequence=1, report_bits=bits, is_mms=True,
    )  # fmt: skip
    assert is_wanted(report) is is_one
