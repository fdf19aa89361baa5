"""A content store on disk that tells what is read of it, and whether all of it was closed."""

import threading
from collections.abc import Callable

from homing.engine.contents import ContentReader
from homing.store.blobs import LocalBlobs


class WatchedReader:
    def __init__(self, reader: ContentReader, told: Callable[[int, int], None]) -> None:
        self._reader = reader
        self._told = told

    def read(self, offset: int, size: int) -> bytes:
        octets = self._reader.read(offset, size)
        self._told(0, len(octets))
        return octets

    def close(self) -> None:
        self._reader.close()
        self._told(-1, 0)


class WatchedBlobs(LocalBlobs):
    """``are_open`` and ``octets`` that were read, in any thread."""

    are_open = 0
    octets = 0
    opened = 0

    def open(self, sha256: str) -> WatchedReader:  # type: ignore[override]
        reader = super().open(sha256)
        self._told(1, 0)
        self.opened += 1
        return WatchedReader(reader, self._told)

    def _told(self, opened: int, octets: int) -> None:
        with self.changed:
            self.are_open += opened
            self.octets += octets
            self.changed.notify_all()

    def wait_until(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so, for 30 s."""
        with self.changed:
            return self.changed.wait_for(is_so, 30)

    def wait_until_it_rests(self) -> int:
        """Wait until nothing is read for a while; how much was."""
        with self.changed:
            while self.changed.wait(0.5):
                pass
            return self.octets

    @property
    def changed(self) -> threading.Condition:
        return self.__dict__.setdefault("_changed", threading.Condition())  # type: ignore[no-any-return]
