"""How many pushes one destination gets at once: Postfix's arithmetic. Pure; time comes in as an argument.

A window starts at 5, grows by 1/N on success and shrinks by 1/N on congestion, never below 1 nor above
its ceiling. After a cohort of congested answers in a row the destination is dead: one probe at a time is
let through, after pauses of 1, 2, 4, … 300 s, and what waits behind it spends no attempt. One answer
revives it, with a slow start. A clean refusal (4xx, 500) is an answer, not congestion: it revives but does
not grow. What goes wrong: nothing here; the caller reports every push that it sent exactly once.
"""

START = 5.0
FIRST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 300_000
BURST_S = 0.1
"""So much of ``rate_per_s`` may be caught up with at once after a lull, but at least one push."""


class Bucket:
    """A rate as tokens that drip in evenly: at most ``rate_per_s`` pushes, with a small burst."""

    __slots__ = ("_at_ms", "_burst", "_per_ms", "_tokens")

    def __init__(self, rate_per_s: float) -> None:
        if not rate_per_s > 0:
            raise ValueError("rate_per_s must be above 0")
        self._per_ms = rate_per_s / 1000
        self._burst = max(1.0, rate_per_s * BURST_S)
        self._tokens = self._burst
        self._at_ms = 0

    def has_token(self, now_ms: int) -> bool:
        passed_ms = now_ms - self._at_ms
        if passed_ms > 0:
            self._tokens = min(self._burst, self._tokens + passed_ms * self._per_ms)
            self._at_ms = now_ms
        elif passed_ms < 0:  # the wall clock went back: count on from there
            self._at_ms = now_ms
        return self._tokens >= 1.0

    def tokens(self, now_ms: int) -> int:
        """How many are there."""
        return int(self._tokens) if self.has_token(now_ms) else 0

    def take(self, count: int = 1) -> None:
        self._tokens -= count

    def next_token_ms(self, now_ms: int) -> int:
        """The first moment that has a token."""
        if self.has_token(now_ms):
            return now_ms
        return now_ms + int((1.0 - self._tokens) / self._per_ms) + 1


class Window:
    """The window of one destination. ``ceiling`` is the endpoint's concurrency."""

    __slots__ = (
        "_bucket",
        "_ceiling",
        "_failed_cohorts",
        "_pause_ms",
        "_rate_per_s",
        "_stale",
        "in_flight",
        "is_dead",
        "next_probe_ms",
        "size",
    )

    def __init__(self, ceiling: int, rate_per_s: float | None = None) -> None:
        self.size = START
        self.in_flight = 0
        self.is_dead = False
        self.next_probe_ms = 0
        """When dead: the earliest time of the next probe."""
        self._failed_cohorts = 0.0
        self._pause_ms = FIRST_PAUSE_MS
        self._stale = 0  # sent before it was declared dead and not answered yet: no probes
        self._rate_per_s: float | None = None
        self._bucket: Bucket | None = None
        self.limit(ceiling, rate_per_s)

    def limit(self, ceiling: int, rate_per_s: float | None) -> None:
        """Sets the limits, also of a window in use."""
        if ceiling < 1:
            raise ValueError("the ceiling of a window must be at least 1")
        self._ceiling = float(ceiling)
        self.size = min(self.size, self._ceiling)
        if rate_per_s != self._rate_per_s:
            self._rate_per_s = rate_per_s
            self._bucket = None if rate_per_s is None else Bucket(rate_per_s)

    def room(self, now_ms: int) -> int:
        """How many more pushes may go out now."""
        if self.is_dead:
            room = 0 if self.in_flight > self._stale or self._is_pausing(now_ms) else 1
        else:
            room = int(self.size) - self.in_flight  # may be below 0: the window has shrunk meanwhile
        if self._bucket is None or room <= 0:
            return room
        return min(room, self._bucket.tokens(now_ms))

    def can_send(self, now_ms: int) -> bool:
        """Whether one more push may go out now."""
        return self.room(now_ms) > 0

    def wait_until_ms(self, now_ms: int) -> int | None:
        """When ``can_send`` may become true by the passing of time; None = only by an answer."""
        at_ms = now_ms
        if self.is_dead:
            if self.in_flight > self._stale:
                return None
            if self._is_pausing(now_ms):
                at_ms = self.next_probe_ms
        elif self.in_flight + 1 > self.size:
            return None
        return at_ms if self._bucket is None else max(at_ms, self._bucket.next_token_ms(now_ms))

    def sent(self) -> None:
        """One push goes out."""
        self.in_flight += 1
        if self._bucket is not None:
            self._bucket.take()

    def succeeded(self, now_ms: int) -> None:
        """One push was answered as it should be."""
        in_flight = self.in_flight
        self.in_flight = in_flight - 1
        self._failed_cohorts = 0.0
        size = self.size
        if self.is_dead:
            self._revive()
        elif size < self._ceiling and size < in_flight + START:
            # Below the start value a revived window doubles with each round; above it grows by one.
            self.size = min(self._ceiling, size + (1.0 if size < START else 1.0 / size))

    def failed(self, now_ms: int, congested: bool) -> None:
        """One push failed: ``congested`` when the destination was not reached, busy, or too slow."""
        self.in_flight -= 1
        if not congested:
            self._failed_cohorts = 0.0
            if self.is_dead:
                self._revive()
            return
        if self.is_dead:
            if self._stale:
                self._stale -= 1
            else:
                self._pause_ms = min(LONGEST_PAUSE_MS, self._pause_ms * 2)
                self.next_probe_ms = now_ms + self._pause_ms
            return
        self._failed_cohorts += 1.0 / self.size
        self.size = max(1.0, self.size - 1.0 / self.size)
        if self._failed_cohorts >= 1.0:
            self.is_dead = True
            self._stale = self.in_flight
            self._pause_ms = FIRST_PAUSE_MS
            self.next_probe_ms = now_ms + FIRST_PAUSE_MS

    def _is_pausing(self, now_ms: int) -> bool:
        # A wall clock that went back must not make a pause longer than it was meant.
        return self.next_probe_ms - self._pause_ms <= now_ms < self.next_probe_ms

    def _revive(self) -> None:
        self.is_dead = False
        self._stale = 0
        self.size = 1.0
