"""How long a bind waits before it connects again."""

from homing.links.smpp_bind import WaitBetween


def test_waits_double_up_to_the_longest_and_are_only_shortened() -> None:
    wait = WaitBetween(0.5, 3.0)
    waits = [wait.after(None, 0) for _ in range(6)]
    for waited, most in zip(waits, [0.5, 1.0, 2.0, 3.0, 3.0, 3.0], strict=True):
        assert most * 0.6 <= waited <= most * 0.9


def test_a_line_that_was_bound_is_opened_again_within_the_shortest_wait() -> None:
    wait = WaitBetween(0.5, 30.0)
    assert [wait.after(None, 0) for _ in range(5)][-1] > 0.5
    assert wait.after(3600.0, 0) <= 0.5
    assert [wait.after(None, 0) for _ in range(5)][-1] > 0.5
    assert wait.after(0.01, 1) <= 0.5  # short, but of use
    assert wait.after(0.5, 0) <= 0.5


def test_a_bind_that_is_granted_and_dropped_at_once_is_waited_for() -> None:
    wait = WaitBetween(0.5, 30.0)
    assert wait.after(0.01, 0) <= 0.5
    assert [wait.after(0.01, 0) for _ in range(4)][-1] > 2.0


def test_jitter_tells_binds_apart() -> None:
    assert len({WaitBetween(0.5, 30.0).after(None, 0) for _ in range(10)}) > 1


def test_a_longest_wait_below_the_shortest_does_not_count() -> None:
    wait = WaitBetween(2.0, 1.0)
    assert all(1.2 <= wait.after(None, 0) <= 1.8 for _ in range(4))
