"""Alarms: what an operator must hear of. Each is logged once when it rises and once when it ends."""

from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger(__name__)

SAMPLE_LEAST = 20
"""Fewer receipts say nothing about a share."""


class Alarms:
    """Those that stand now, by name; shown by the metrics as ``homing_alarm``."""

    def __init__(self) -> None:
        self._standing: dict[str, str] = {}

    @property
    def standing(self) -> Mapping[str, str]:
        return self._standing

    def set(self, name: str, why: str | None) -> None:
        """Raise an alarm, or end it with None."""
        if why is None:
            if self._standing.pop(name, None) is not None:
                log.warning("alarm_ended", alarm=name)
        else:
            if name not in self._standing:
                log.error("alarm", alarm=name, why=why)
            self._standing[name] = why


class UnmatchedWatch:
    """Looks at how many receipts of one period stayed unmatched, and raises an alarm above a share."""

    def __init__(self, alarms: Alarms, share: float, counts: Callable[[], tuple[int, int]]) -> None:
        """``counts`` gives all receipts and all that are still parked, since the node started."""
        self._alarms = alarms
        self._share = share
        self._counts = counts
        self._before = (0, 0)

    def look(self) -> None:
        receipts, unmatched = self._counts()
        came = receipts - self._before[0]
        stayed = max(0, unmatched - self._before[1])
        if came < SAMPLE_LEAST:
            return  # they count in the next period
        self._before = (receipts, unmatched)
        is_much = stayed / came > self._share
        self._alarms.set(
            "unmatched_receipts", f"{stayed} of {came} receipts match no submission" if is_much else None
        )
