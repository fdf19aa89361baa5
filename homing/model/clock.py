"""Time and identity.

Times inside Homing are integer milliseconds since the epoch, UTC, named ``…_ms``; faces turn them
into text. Ids are positive 63-bit integers that grow with time: 41 bits of milliseconds since
``EPOCH_MS``, 10 bits of node, 12 bits of count. No round trip is needed to make one, two nodes
never make the same one, and a range of time is a range of ids.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence

EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
LARGEST_ID = (1 << 63) - 1
_NODE_BITS = 10
_COUNT_BITS = 12
BORN_SHIFT = _NODE_BITS + _COUNT_BITS
"""The bits of an id below those that say when it was made."""
_COUNT_MASK = (1 << _COUNT_BITS) - 1


def now_ms() -> int:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Ids:
    """Makes ids, for any thread. Never goes back, even when the wall clock does."""

    def __init__(self, node: int, clock: Callable[[], int] = now_ms, *, after: int = 0) -> None:
        """``after`` is the largest id that is known: a clock that was put back must not make one twice."""
        if not 0 <= node < 1 << _NODE_BITS:
            raise ValueError(f"node id {node} is not within 0..{(1 << _NODE_BITS) - 1}")
        self._node = node << _COUNT_BITS
        self._clock = clock
        self._last = (after >> BORN_SHIFT) + 1 << BORN_SHIFT | self._node if after else 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """The next id; borrows from the future when one millisecond's 4096 are used up."""
        with self._lock:
            self._last = made = self._after(self._last)
            return made

    def take(self, count: int) -> Sequence[int]:
        """The next ids, as many as asked for: at once."""
        if count <= 0:
            return ()
        with self._lock:
            first = self._after(self._last)
            room = _COUNT_MASK + 1 - (first & _COUNT_MASK)  # in the millisecond of the first
            made = range(first, first + min(count, room))
            self._last = made[-1]
        return made if count <= room else [*made, *self.take(count - room)]

    def _after(self, last: int) -> int:
        first = (self._clock() - EPOCH_MS) << BORN_SHIFT | self._node
        if first > last:
            return first
        if last & _COUNT_MASK == _COUNT_MASK:
            return (last >> BORN_SHIFT) + 1 << BORN_SHIFT | self._node
        return last + 1


def id_beside(node: int, at_ms: int) -> int:
    """An id for a command that works beside a running node of the same number.

    A node counts from 0 within each millisecond and hardly reaches the last quarter, where this one is drawn.
    """
    count = _COUNT_MASK - secrets.randbelow(1 << _COUNT_BITS - 2)
    return id_at(at_ms) | node << _COUNT_BITS | count


def id_at(at_ms: int) -> int:
    """The smallest id that could have been made at this time: bounds a range of ids by time."""
    return min(max(0, at_ms - EPOCH_MS) << BORN_SHIFT, LARGEST_ID)


def made_at_ms(id_: int) -> int:
    """When an id was made, in milliseconds since the epoch."""
    return (id_ >> BORN_SHIFT) + EPOCH_MS
