"""The polling rule: how often a customer may look for news that pushes would have brought him.

One clock for each mailbox and for each tracking id, over all faces (upside.md §4.4). A poll that brings as
much as it may does not start the clock: whoever empties a full mailbox need not wait between its pages.
"""

import time
from collections.abc import Callable

_MOST_KEPT = 100_000
"""Clocks kept; a customer with more tracking ids than that has waited long enough for the first."""


class PollingRule:
    """Clocks by name, for the loop's thread. An interval of 0 switches the rule off."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval_s = interval_s
        self._clock = clock
        self._polled_at: dict[str, float] = {}

    def poll(self, name: str) -> float:
        """0 = a poll may be made now, and its clock has been started; else the seconds still to wait."""
        if self.interval_s <= 0:
            return 0.0
        now_s = self._clock()
        polled_at = self._polled_at.get(name)
        if polled_at is not None and now_s < polled_at + self.interval_s:
            return polled_at + self.interval_s - now_s
        self._polled_at.pop(name, None)  # the oldest stand first
        if len(self._polled_at) >= _MOST_KEPT:
            del self._polled_at[next(iter(self._polled_at))]
        self._polled_at[name] = now_s
        return 0.0

    def forgive(self, name: str) -> None:
        """The last poll was none: it brought a full page, or what it brought has been dealt with."""
        self._polled_at.pop(name, None)
