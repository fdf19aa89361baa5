"""Contents of MMS on disk: written once, under the hash of what is in them, and never changed.

A message that comes in is spooled into a file of its own, part by part. ``keep`` makes the content zip of it
and returns when that survives a loss of power: the octets and the names on the way to them are on the disk.
The same content is one file, however many messages have it. ``old_names``, ``remove`` and ``clear_leftovers``
take away what no row of the store speaks of, and what was on its way when a node died.

Everything here blocks and is called in threads. What goes wrong with the disk is ``StoreUnavailable``.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from homing.engine.contents import CHUNK, Chosen, Piece, Spool
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content, Part
from homing.wire.mms_zip import File, lay_out

ORPHAN_S: Final = 3_600.0
"""A file that nobody speaks of stays this long: its row may be on its way."""
_HEX: Final = frozenset("0123456789abcdef")


class DiskSpool:
    """One message on its way in, in a file of its own. Adapter of ``engine.contents.Spool``."""

    def __init__(self, directory: Path) -> None:
        with _disk():
            self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115  (closed by ``close``)
                dir=directory, prefix="in-", delete=False
            )
        self._path = Path(self._file.name)
        self.size = 0
        """Octets so far."""
        self._began = 0
        self._crc = 0
        self._hash = hashlib.sha256()

    def write(self, octets: bytes) -> None:
        """More of the part."""
        with _disk():
            self._file.write(octets)
        self.size += len(octets)
        self._crc = crc32(octets, self._crc)
        self._hash.update(octets)

    def end_part(self) -> Piece:
        """The part is whole; the next one begins."""
        piece = Piece(
            offset=self._began, size=self.size - self._began, crc=self._crc, sha256=self._hash.hexdigest()
        )
        self._began, self._crc, self._hash = self.size, 0, hashlib.sha256()
        return piece

    def read(self, piece: Piece) -> bytes:
        """The octets of a part."""
        return self.read_at(piece.offset, piece.size)

    def read_at(self, offset: int, size: int) -> bytes:
        """So many octets from there on; fewer at the end of what was written."""
        with _disk():
            self._file.flush()
            return os.pread(self._file.fileno(), size, offset)

    def copy(self, piece: Piece) -> Iterator[bytes]:
        """The octets of a part, in chunks."""
        with _disk():
            self._file.flush()
            at, end = piece.offset, piece.offset + piece.size
            while at < end:
                octets = os.pread(self._file.fileno(), min(CHUNK, end - at), at)
                if not octets:
                    raise OSError("the spool is shorter than it was")
                at += len(octets)
                yield octets

    def close(self) -> None:
        """Throw it away; what was kept of it stays."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink()


class LocalBlobs:
    """Contents in a directory: ``ab/abcd….zip``, and ``incoming`` for what is on its way.

    Adapter of ``engine.contents.Contents``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"
        self._durable: set[Path] = set()
        """Directories whose names are on the disk for sure: made or synced in this life."""
        with _disk():
            self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync(directory.parent)

    def spool(self) -> DiskSpool:
        """A place for a message that begins to come in."""
        return DiskSpool(self._incoming)

    def keep(self, spool: Spool, chosen: Sequence[Chosen]) -> Content:
        """Make the content of some parts of a spool, durably."""
        layout = lay_out([File(c.name, c.content_type, c.piece.size, c.piece.crc) for c in chosen])
        digest = hashlib.sha256()

        def octets() -> Iterator[bytes]:
            for header, part in zip(layout.headers, chosen, strict=True):
                yield header
                yield from spool.copy(part.piece)
            yield layout.trailer

        with _disk():
            file = tempfile.NamedTemporaryFile(dir=self._incoming, prefix="zip-", delete=False)  # noqa: SIM115
            try:
                with file:
                    for each in octets():
                        file.write(each)
                        digest.update(each)
                    file.flush()
                    os.fsync(file.fileno())
                self._name(Path(file.name), digest.hexdigest())
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
        parts = tuple(
            Part(
                name=each.name, content_type=each.content_type, size=each.piece.size, offset=offset,
                sha256=each.piece.sha256,
            )
            for each, offset in zip(chosen, layout.offsets, strict=True)
        )  # fmt: skip
        return Content(sha256=digest.hexdigest(), size=layout.size, parts=parts)

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
            raise _unavailable(error) from error

    def remove(self, sha256: str, now_s: float) -> bool:
        """Take a content away that no row speaks of; one that was just written stays. Whether it is gone."""
        path = self._path(sha256)
        going = path.with_suffix(".going")
        with _disk():
            try:
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
        with _disk():
            for directory in sorted(self._directory.iterdir()):
                if len(directory.name) != 2 or not set(directory.name) <= _HEX:
                    continue
                for entry in sorted(os.scandir(directory), key=lambda each: each.name):
                    if entry.name.endswith(".zip") and entry.stat().st_mtime <= now_s - ORPHAN_S:
                        yield entry.name.removesuffix(".zip")

    def clear_leftovers(self, now_s: float) -> int:
        """Take away what was on its way when a node died, put back what was about to go. How many went."""
        gone = 0
        with _disk():
            for going in self._directory.glob("??/*.going"):
                _put_back(going)
            for path in self._incoming.iterdir():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= now_s - ORPHAN_S:
                        path.unlink()
                        gone += 1
        return gone

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= _HEX:
            raise ValueError("not the name of a content")
        return self._directory / sha256[:2] / f"{sha256}.zip"


class DiskReader:
    """One content, open for reading."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """So many octets from there on; fewer at the end of the content."""
        with _disk():
            return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        os.close(self._descriptor)


def _put_back(going: Path) -> None:
    """Give a content its name again, unless it was written anew meanwhile."""
    with suppress(FileExistsError):
        os.link(going, going.with_suffix(".zip"))
    going.unlink()


def _sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the content store: {error.strerror or error}")
