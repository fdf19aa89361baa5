"""Contents of MMS on disk: written once, under the hash of what is in them, and never changed.

A message that comes in is spooled into a file of its own, part by part. ``keep`` makes the content zip of it
and returns when that survives a loss of power: the octets and the names on the way to them are on the disk.
The same content is one file, however many messages have it. ``old_names``, ``remove`` and ``clear_leftovers``
take away what no row of the store speaks of, and what was on its way when a node died; several nodes may
do so in one directory.

Everything here blocks and is called in threads. What goes wrong with the disk is ``StoreUnavailable``.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from homing.engine.contents import ORPHAN_S, Chosen, Spool, check_name
from homing.model.mms import Content
from homing.store.spool import DiskSpool, Incoming, disk_errors, disk_trouble

_HEX: Final = frozenset("0123456789abcdef")


class LocalBlobs:
    """Contents in a directory: ``ab/abcd….zip``, and ``incoming`` for what is on its way.

    Adapter of ``engine.contents.Contents``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._durable: set[Path] = set()
        """Directories whose names are on the disk for sure: made or synced in this life."""
        self._incoming = Incoming(directory / "incoming")
        with disk_errors():
            _sync(directory.parent)

    def spool(self) -> DiskSpool:
        """A place for a message that begins to come in."""
        return self._incoming.spool()

    def keep(self, spool: Spool, chosen: Sequence[Chosen]) -> Content:
        """Make the content of some parts of a spool, durably."""
        with self._incoming.zip_of(spool, chosen) as made, disk_errors():
            os.fsync(made.file.fileno())
            self._name(made.path, made.content.sha256)
        return made.content

    def _name(self, made: Path, sha256: str) -> None:
        """Put a file under its name; over the same content, so that it counts as new."""
        target = self._path(sha256)
        if target.parent not in self._durable:  # a life before this one may have made it, and not synced
            target.parent.mkdir(exist_ok=True, mode=0o700)
            _sync(self._directory)
            self._durable.add(target.parent)
        made.replace(target)
        _sync(target.parent)

    def open(self, sha256: str) -> "DiskReader":
        """A content; ``FileNotFoundError`` when it is gone."""
        try:
            return DiskReader(os.open(self._path(sha256), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise disk_trouble(error) from error

    def remove(self, sha256: str, now_s: float) -> bool:
        """Take a content away that no row speaks of; one that was just written stays. Whether it is gone."""
        path = self._path(sha256)
        going = path.with_suffix(".going")
        with disk_errors():
            try:
                if path.stat().st_mtime > now_s - ORPHAN_S:
                    return False
                path.replace(going)
                if going.stat().st_mtime > now_s - ORPHAN_S:
                    _put_back(going)  # somebody has written it again, and nobody has missed it yet
                    return False
                going.unlink()
            except FileNotFoundError:
                return False
        return True

    def old_names(self, now_s: float) -> Iterator[str]:
        """Contents that are old enough to be orphans, in the order of their names."""
        with disk_errors():
            for directory in sorted(self._directory.iterdir()):
                if len(directory.name) != 2 or not set(directory.name) <= _HEX:
                    continue
                for entry in sorted(os.scandir(directory), key=lambda each: each.name):
                    with suppress(FileNotFoundError):  # another node was quicker
                        if entry.name.endswith(".zip") and entry.stat().st_mtime <= now_s - ORPHAN_S:
                            yield entry.name.removesuffix(".zip")

    def clear_leftovers(self, now_s: float) -> int:
        """Take away what was on its way when a node died, put back what was about to go. How many went."""
        with disk_errors():
            for going in self._directory.glob("??/*.going"):
                _put_back(going)
        return self._incoming.clear_leftovers(now_s)

    def _path(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / f"{check_name(sha256)}.zip"


class DiskReader:
    """One content, open for reading."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """So many octets from there on; fewer at the end of the content."""
        with disk_errors():
            return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        os.close(self._descriptor)


def _put_back(going: Path) -> None:
    """Give a content its name again, unless it was written anew meanwhile, or went."""
    with suppress(FileExistsError, FileNotFoundError):
        os.link(going, going.with_suffix(".zip"))
    going.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
