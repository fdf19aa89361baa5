"""What is on its way into a content store: messages part by part, and the zips that are made of them.

All of it is in files of one directory of the node, so that nothing large is held in memory. What is done with
goes at once; what was on its way when a node died goes by ``clear_leftovers``, when it is old enough.

Everything here blocks and is called in threads. What goes wrong with the disk is ``StoreUnavailable``.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from zlib import crc32

from homing.engine.contents import CHUNK, ORPHAN_S, Chosen, Piece, Spool
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content, Part
from homing.wire.mms_zip import File, Layout, lay_out


class DiskSpool:
    """One message on its way in, in a file of its own. Adapter of ``engine.contents.Spool``."""

    def __init__(self, directory: Path) -> None:
        with disk_errors():
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
        with disk_errors():
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
        with disk_errors():
            self._file.flush()
            return os.pread(self._file.fileno(), piece.size, piece.offset)

    def copy(self, piece: Piece) -> Iterator[bytes]:
        """The octets of a part, in chunks."""
        with disk_errors():
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


class MadeZip(NamedTuple):
    """A content zip in a file of its own, that is not kept yet."""

    file: IO[bytes]
    path: Path
    content: Content


class Incoming:
    """The directory of what is on its way."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with disk_errors():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def spool(self) -> DiskSpool:
        """A place for a message that begins to come in."""
        return DiskSpool(self.directory)

    @contextmanager
    def zip_of(self, spool: Spool, chosen: Sequence[Chosen]) -> Iterator[MadeZip]:
        """The content of some parts of a spool; afterwards its file is gone, unless it was moved away."""
        layout = lay_out([File(c.name, c.content_type, c.piece.size, c.piece.crc) for c in chosen])
        digest = hashlib.sha256()
        with disk_errors():
            file = tempfile.NamedTemporaryFile(dir=self.directory, prefix="zip-", delete=False)  # noqa: SIM115
        try:
            with file:
                with disk_errors():
                    for each in _octets(layout, spool, chosen):
                        file.write(each)
                        digest.update(each)
                    file.flush()
                yield MadeZip(file.file, Path(file.name), _content(digest.hexdigest(), layout, chosen))
        finally:
            with suppress(OSError):
                os.unlink(file.name)

    def clear_leftovers(self, now_s: float) -> int:
        """Take away what was on its way when a node died. How many went."""
        gone = 0
        with disk_errors():
            for path in self.directory.iterdir():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= now_s - ORPHAN_S:
                        path.unlink()
                        gone += 1
        return gone


def _octets(layout: Layout, spool: Spool, chosen: Sequence[Chosen]) -> Iterator[bytes]:
    for header, part in zip(layout.headers, chosen, strict=True):
        yield header
        yield from spool.copy(part.piece)
    yield layout.trailer


def _content(sha256: str, layout: Layout, chosen: Sequence[Chosen]) -> Content:
    parts = tuple(
        Part(
            name=each.name, content_type=each.content_type, size=each.piece.size, offset=offset,
            sha256=each.piece.sha256,
        )
        for each, offset in zip(chosen, layout.offsets, strict=True)
    )  # fmt: skip
    return Content(sha256=sha256, size=layout.size, parts=parts)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Map what goes wrong with the disk to :class:`StoreUnavailable`."""
    try:
        yield
    except OSError as error:
        raise disk_trouble(error) from error


def disk_trouble(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the content store: {error.strerror or error}")
