"""Ids carry time, grow, and are never made twice, whatever the clock does."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from homing.model.clock import EPOCH_MS, LARGEST_ID, Ids, id_at, made_at_ms

NOW = EPOCH_MS + 1_000_000


class Clock:
    def __init__(self, *moments: int) -> None:
        self._moments = list(moments)

    def __call__(self) -> int:
        return self._moments.pop(0) if len(self._moments) > 1 else self._moments[0]


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_ids_grow_whatever_the_clock_does(steps: list[int]) -> None:
    ids = Ids(7, Clock(*(NOW + step for step in steps)))
    made = [ids.next() for _ in range(100)]
    assert made == sorted(set(made))


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 9000)), max_size=8), st.integers(0, 1023))
def test_ids_taken_together_are_those_taken_one_by_one(steps: list[tuple[int, int]], node: int) -> None:
    moment = [NOW]
    together, single = (Ids(node, lambda: moment[0]) for _ in range(2))
    made = []
    for step, count in steps:
        moment[0] += step
        ids = list(together.take(count))
        assert ids == [single.next() for _ in range(count)]
        made += ids
    assert made == sorted(set(made))
    assert all(0 < id_ <= LARGEST_ID and id_ >> 12 & 1023 == node for id_ in made)


def test_threads_that_take_together_get_none_twice() -> None:
    ids, made = Ids(5), []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait()
        made.extend([id_ for count in range(60) for id_ in ids.take(count)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 4 * sum(range(60))


def test_a_millisecond_has_4096_ids_and_then_borrows() -> None:
    ids = Ids(1, Clock(NOW))
    made = [ids.next() for _ in range(4097)]
    assert made_at_ms(made[4095]) == NOW
    assert made_at_ms(made[4096]) == NOW + 1


def test_a_clock_that_was_put_back_before_a_restart_repeats_nothing() -> None:
    former = Ids(1, Clock(NOW))
    last = [former.next() for _ in range(10)][-1]
    again = Ids(1, Clock(NOW - 60_000), after=last)
    assert again.next() > last


def test_a_range_of_time_is_a_range_of_ids() -> None:
    id_ = Ids(1023, Clock(NOW)).next()
    assert id_at(NOW) <= id_ < id_at(NOW + 1)
