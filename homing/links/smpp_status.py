"""What a link says about itself: counters, rates over the last seconds, times as text."""

from collections import deque
from datetime import UTC, datetime
from typing import Final

RATE_WINDOW_S: Final = 10
"""Rates are means over this long."""


class Counters:
    """Plain integers since the link was made."""

    __slots__ = (
        "alerts",
        "lost",
        "outbinds",
        "peer_errors",
        "receipts",
        "received",
        "refused",
        "sent",
        "throttled",
        "unmatched_answers",
        "unwritable",
    )

    def __init__(self) -> None:
        self.sent = 0
        """Segments sent."""
        self.received = 0
        """Messages from phones, repetitions included."""
        self.receipts = 0
        self.throttled = 0
        """Answers that said: too fast, or queue full."""
        self.lost = 0
        """Segments sent whose answer never came."""
        self.unwritable = 0
        """Segments that fit in no PDU."""
        self.refused = 0
        """Messages and receipts that could not be stored, and were answered so."""
        self.peer_errors = 0
        """PDUs that could not be taken."""
        self.unmatched_answers = 0
        """Answers to nothing that was waited for."""
        self.alerts = 0
        self.outbinds = 0


class Rates:
    """Means of two counters, from a sample a second."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=RATE_WINDOW_S + 1)

    def sample(self, at_s: float, sent: int, received: int) -> None:
        self._samples.append((at_s, sent, received))

    def per_s(self, at_s: float, sent: int, received: int) -> tuple[float, float]:
        """Of what was counted since the oldest sample."""
        if not self._samples:
            return 0.0, 0.0
        since_s, sent_before, received_before = self._samples[0]
        passed_s = max(1.0, at_s - since_s)
        return round((sent - sent_before) / passed_s, 1), round((received - received_before) / passed_s, 1)


def time_text(at_ms: int) -> str:
    """A time in UTC with milliseconds. RFC 3339 §5.6"""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
