"""The throughput limit of a link: how many submissions may leave now, and a call when more may again."""

import asyncio
from collections.abc import Callable
from typing import Final

from homing.engine.window import Bucket

WAKE_MS: Final = 10
"""A limit lets go what has come together in at least so long, not each segment by itself."""


class Throughput:
    """At most ``per_s``; 0 = no limit. ``wake`` is called when what was taken has dripped in again."""

    def __init__(self, per_s: float, wake: Callable[[], None]) -> None:
        self._bucket = Bucket(per_s) if per_s > 0 else None
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    def room(self, wanted: int) -> int:
        """How many of so many may leave now."""
        if self._bucket is None or not wanted:
            return wanted
        return min(wanted, self._bucket.tokens(_now_ms()))

    def take(self, count: int) -> None:
        """So many leave."""
        if self._bucket is not None and count:
            self._bucket.take(count)
            self._wake_when_due(self._bucket)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wake_when_due(self, bucket: Bucket) -> None:
        """See to it that the next token is used: nobody but time will say that there is room again."""
        if self._timer is None:
            at_ms = _now_ms()
            wait_ms = max(WAKE_MS, bucket.next_token_ms(at_ms) - at_ms)
            self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._tick, bucket)

    def _tick(self, bucket: Bucket) -> None:
        self._timer = None
        if bucket.has_token(_now_ms()):
            self._wake()
        else:  # the timer was a little early, or somebody took it
            self._wake_when_due(bucket)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
