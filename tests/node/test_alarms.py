"""Alarms rise once, end once, and watch the share of receipts that match nothing."""

from structlog.testing import capture_logs

from homing.node.alarms import SAMPLE_LEAST, Alarms, UnmatchedWatch


def test_an_alarm_is_said_once_and_ended_once() -> None:
    alarms = Alarms()
    with capture_logs() as logs:
        alarms.set("store_unavailable", "disk full")
        alarms.set("store_unavailable", "still full")
        assert alarms.standing == {"store_unavailable": "still full"}
        alarms.set("store_unavailable", None)
        alarms.set("store_unavailable", None)
    assert [log["event"] for log in logs] == ["alarm", "alarm_ended"]
    assert not alarms.standing


class Counts:
    """All receipts, and those that have found no submission yet."""

    def __init__(self) -> None:
        self.now = (0, 0)

    def __call__(self) -> tuple[int, int]:
        return self.now


def test_the_share_of_one_period_counts() -> None:
    alarms, counts = Alarms(), Counts()
    watch = UnmatchedWatch(alarms, 0.05, counts)
    counts.now = (1000, 10)
    watch.look()
    assert not alarms.standing  # 1 %
    counts.now = (1100, 20)
    watch.look()
    assert alarms.standing == {"unmatched_receipts": "10 of 100 receipts match no submission"}
    counts.now = (1200, 20)
    watch.look()
    assert not alarms.standing


def test_receipts_that_only_came_early_raise_nothing() -> None:
    alarms, counts = Alarms(), Counts()
    watch = UnmatchedWatch(alarms, 0.05, counts)
    counts.now = (100, 40)
    watch.look()
    assert alarms.standing
    counts.now = (200, 0)  # the parked ones were matched meanwhile
    watch.look()
    assert not alarms.standing


def test_a_few_receipts_say_nothing() -> None:
    alarms, counts = Alarms(), Counts()
    watch = UnmatchedWatch(alarms, 0.05, counts)
    counts.now = (SAMPLE_LEAST - 1, SAMPLE_LEAST - 1)
    watch.look()
    assert not alarms.standing
    counts.now = (SAMPLE_LEAST, SAMPLE_LEAST)  # with the few before them they would be enough
    watch.look()
    assert alarms.standing == {
        "unmatched_receipts": f"{SAMPLE_LEAST} of {SAMPLE_LEAST} receipts match no submission"
    }
