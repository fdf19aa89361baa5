"""A destination: what a node holds in memory for one endpoint. ``engine/dispatch.py`` moves it."""

from collections import deque

from homing.engine.window import Window
from homing.model.account import Endpoint
from homing.model.delivery import Delivery
from homing.wire.push import PushFormat

DIGEST_LIMIT = 10_000
"""Events on their way to one digest; a window that has hardly begun must not cut it short."""


def _ceiling(endpoint: Endpoint) -> int:
    return endpoint.concurrency if endpoint.digest_min is None else DIGEST_LIMIT


class Destination:
    """What this node holds for one endpoint."""

    __slots__ = (
        "endpoint",
        "format",
        "hold_until_s",
        "in_store",
        "is_parked",
        "is_used",
        "next_due_ms",
        "queue",
        "reading",
        "settling",
        "window",
    )

    def __init__(self, endpoint: Endpoint, format_: PushFormat) -> None:
        self.endpoint = endpoint
        self.format = format_
        self.window = Window(_ceiling(endpoint), endpoint.rate_per_s)
        if endpoint.digest_min is not None:
            self.window.size = float(DIGEST_LIMIT)
        self.queue: deque[Delivery] = deque()
        self.in_store = False
        """Something due for it may wait in the store."""
        self.next_due_ms: int | None = None
        """When the next retry of ours falls due there."""
        self.hold_until_s = 0.0
        """Nothing is sent until then, by the clock that never goes back: an ordered destination waits for its
        oldest event, one that is gone for its pause."""
        self.reading = False
        self.settling = 0
        """Records on their way that give back what an ordered destination held: before, nothing is read."""
        self.is_parked = False
        """Its endpoint was paused or removed while attempts were under way: nothing more is sent."""
        self.is_used = True
        """Since the idle ones were last looked for."""

    @property
    def is_ordered(self) -> bool:
        return self.endpoint.concurrency == 1 and self.endpoint.digest_min is None

    def take_over(self, endpoint: Endpoint) -> None:
        """The endpoint has other limits now."""
        self.endpoint = endpoint
        self.window.limit(_ceiling(endpoint), endpoint.rate_per_s)

    def wait_for_digest(self, now_ms: int, now_s: float) -> None:
        """Nothing goes out before the next full period of the clock; it all waits in the store until then.

        Periods are those of the wall clock, so that a node that starts again sends no second mail in one.
        """
        if self.endpoint.digest_min is not None:
            period_ms = self.endpoint.digest_min * 60_000
            self.hold_until_s = now_s + (period_ms - now_ms % period_ms) / 1000

    @property
    def is_idle(self) -> bool:
        """Whether nothing is known that this destination still has to do or to remember."""
        return not (
            self.queue
            or self.window.in_flight
            or self.window.is_dead
            or self.in_store
            or self.reading
            or self.hold_until_s
            or self.next_due_ms is not None
        )
