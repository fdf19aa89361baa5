"""The window of a destination: growth, shrinking, death, probes, slow start; and the rate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.engine.window import START, Bucket, Window


def fill(window: Window, now_ms: int = 0) -> int:
    """Sends as much as the window allows."""
    count = 0
    while window.can_send(now_ms):
        window.sent()
        count += 1
    return count


def kill(window: Window, now_ms: int = 0) -> None:
    for _ in range(100):
        fill(window, now_ms)
        while window.in_flight:
            window.failed(now_ms, True)
        if window.is_dead:
            return
    raise AssertionError("never declared dead")


@given(
    st.lists(st.sampled_from(["send", "good", "slow", "no", "wait"]), max_size=60),
    st.sampled_from([None, 7.0]),
)
def test_its_room_is_how_many_may_go_out_one_after_the_other(steps: list[str], rate: float | None) -> None:
    window, now_ms = Window(16, rate), 1000
    for step in steps:
        if step == "wait":
            now_ms += 700
        elif step == "send":
            room = max(0, window.room(now_ms))
            assert fill(window, now_ms) == room
            assert window.room(now_ms) <= 0
        elif window.in_flight and step == "good":
            window.succeeded(now_ms)
        elif window.in_flight:
            window.failed(now_ms, step == "slow")


def test_it_starts_at_five_or_at_a_lower_ceiling() -> None:
    assert fill(Window(16)) == 5
    assert fill(Window(2)) == 2


def test_it_grows_by_one_for_each_window_full_up_to_the_ceiling() -> None:
    window = Window(8)
    rounds = []
    for _ in range(6):
        rounds.append(fill(window))
        for _ in range(rounds[-1]):
            window.succeeded(0)
    assert rounds == [5, 5, 6, 7, 7, 8]
    assert fill(window) == 8


def test_it_does_not_grow_when_it_is_not_used() -> None:
    window = Window(100)
    for _ in range(1000):
        window.sent()
        window.succeeded(0)
    assert window.size < START + 2


def test_congestion_shrinks_it_never_below_one() -> None:
    window = Window(16)
    window.sent()
    window.failed(0, True)
    assert window.size == pytest.approx(4.8)
    for _ in range(200):
        window.sent()
        window.failed(0, True)
        window.sent()
        window.succeeded(0)
        assert window.size >= 1


def test_a_clean_refusal_is_an_answer() -> None:
    window = Window(16)
    for _ in range(100):
        window.sent()
        window.failed(0, False)
    assert not window.is_dead
    assert window.size == START


def test_a_cohort_of_congestion_makes_it_dead_and_a_probe_follows_in_growing_pauses() -> None:
    window = Window(16)
    assert fill(window) == 5
    for _ in range(5):
        assert not window.is_dead or window.in_flight
        window.failed(1000, True)
    assert window.is_dead
    now_ms = 1000
    pauses = []
    for _ in range(11):
        assert not window.can_send(now_ms)
        due_ms = window.wait_until_ms(now_ms)
        assert due_ms == window.next_probe_ms
        pauses.append((due_ms - now_ms) // 1000)
        now_ms = due_ms
        assert not window.can_send(now_ms - 1)
        assert fill(window, now_ms) == 1, "one probe at a time"
        assert window.wait_until_ms(now_ms) is None
        window.failed(now_ms, True)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_one_answer_revives_it_with_a_slow_start() -> None:
    for answered in (True, False):
        window = Window(16)
        kill(window)
        now_ms = window.next_probe_ms
        window.sent()
        if answered:
            window.succeeded(now_ms)
        else:
            window.failed(now_ms, False)
        assert not window.is_dead
        rounds = []
        for _ in range(5):
            rounds.append(fill(window, now_ms))
            for _ in range(rounds[-1]):
                window.succeeded(now_ms)
        assert rounds == [1, 2, 4, 5, 6]


def test_what_was_under_way_at_death_is_no_probe() -> None:
    window = Window(1)
    window.sent()
    window.limit(16, None)
    window.in_flight = 4  # three more from a time when the window was wider
    window.failed(0, True)
    assert window.is_dead
    due_ms = window.next_probe_ms
    assert window.can_send(due_ms), "the probe does not wait for those that hang"
    window.sent()
    assert not window.can_send(due_ms)
    for _ in range(4):
        window.failed(due_ms, True)
    assert window.in_flight == 0
    assert window.next_probe_ms - due_ms == 2000
    window.sent()
    window.succeeded(due_ms)
    assert not window.is_dead


def test_a_clock_that_went_back_does_not_prolong_a_pause() -> None:
    window = Window(16)
    kill(window, 10_000_000)
    assert window.can_send(1_000_000)
    assert window.wait_until_ms(1_000_000) == 1_000_000


def test_a_success_in_between_keeps_it_alive() -> None:
    window = Window(16)
    for _ in range(50):
        for _ in range(3):
            window.sent()
            window.failed(0, True)
            window.sent()
            window.succeeded(0)
    assert not window.is_dead


def test_limits_change_in_use() -> None:
    window = Window(16)
    fill(window)
    window.limit(2, 10.0)
    assert not window.can_send(0)
    for _ in range(4):
        window.succeeded(0)
    assert window.can_send(0)
    window.limit(2, None)
    assert window.wait_until_ms(0) == 0


@pytest.mark.parametrize("wrong", [0, -1])
def test_senseless_limits_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Window(wrong)
    with pytest.raises(ValueError, match="above 0"):
        Window(1, float(wrong))


@settings(max_examples=100, deadline=None)
@given(
    ceiling=st.integers(1, 30),
    steps=st.lists(st.sampled_from(["send", "good", "bad", "congested", "wait"]), max_size=300),
)
def test_what_always_holds(ceiling: int, steps: list[str]) -> None:
    window = Window(ceiling)
    now_ms = 0
    for step in steps:
        if step == "wait":
            now_ms += 700
        elif step == "send":
            if window.can_send(now_ms):
                assert window.wait_until_ms(now_ms) == now_ms
                window.sent()
            else:
                due_ms = window.wait_until_ms(now_ms)
                assert due_ms is not None or window.in_flight
                assert due_ms is None or due_ms > now_ms
        elif window.in_flight:
            if step == "good":
                window.succeeded(now_ms)
            else:
                window.failed(now_ms, step == "congested")
        assert 1 <= window.size <= max(ceiling, 1)
        assert 0 <= window.in_flight <= ceiling


@settings(max_examples=100, deadline=None)
@given(rate=st.floats(0.1, 2000), ticks=st.lists(st.integers(-50, 300), min_size=1, max_size=100))
def test_a_rate_is_never_exceeded(rate: float, ticks: list[int]) -> None:
    bucket = Bucket(rate)
    now_ms, forward_ms, taken = 1_000_000, 0, 0
    for tick in ticks:
        now_ms += tick
        forward_ms += max(tick, 0)
        while bucket.has_token(now_ms):
            bucket.take()
            taken += 1
        due_ms = bucket.next_token_ms(now_ms)
        assert due_ms > now_ms
    assert taken <= max(1.0, rate * 0.1) + forward_ms * rate / 1000 + 0.001


def test_the_next_token_comes_when_it_is_said() -> None:
    window = Window(16, 2.0)
    assert window.can_send(5000)
    window.sent()
    assert not window.can_send(5000)
    due_ms = window.wait_until_ms(5000)
    assert due_ms is not None
    assert 5500 <= due_ms <= 5501
    assert not window.can_send(due_ms - 2)
    assert window.can_send(due_ms)


def test_tokens_can_be_counted_and_taken_together() -> None:
    bucket = Bucket(100)
    assert bucket.tokens(1_000) == 10  # a tenth of a second's worth
    bucket.take(12)
    assert (bucket.tokens(1_000), bucket.tokens(1_025), bucket.next_token_ms(1_025)) == (0, 0, 1_031)
    assert bucket.tokens(1_050) == 3
