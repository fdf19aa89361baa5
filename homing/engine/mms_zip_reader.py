"""The content zip of a customer, unpacked: from an upload that lies in a spool to the parts of an MMS. mx §11

Everything that a zip says of itself is a claim: sizes are counted while reading, the directory is bounded
before it is read, sums are checked at the end of each part. What is inside goes into the spool, under names
that are safe everywhere, and nowhere else. A zip that is not what its manifest says is refused, with a text
for the customer: nothing is guessed, renamed or left out in silence. Directories, and what macOS and Windows
leave beside files, are no content and are passed over.

Blocks; called in threads. What goes wrong is a ``Refusal``; trouble with the disk is ``StoreUnavailable``.
"""

import codecs
import errno
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final, cast

from homing.engine.contents import Chosen, Piece, Spool
from homing.engine.mms_content import Limits
from homing.model.errors import Refusal
from homing.wire.mms_manifest import (
    LONGEST_NAME,
    MANIFEST,
    Entry,
    ManifestProblem,
    is_safe_name,
    read_manifest,
)

OVERHEAD: Final = 1_048_576
"""Octets that a zip may have above those of its parts."""
PARTS: Final = 100
MANIFEST_OCTETS: Final = 65_536
_READ_AT_ONCE: Final = 65_536
_MOST_AT_ONCE: Final = 131_072
"""What ``zipfile`` asks for above this is a directory of thousands of files; a hundred take a tenth of it."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # APPNOTE.TXT 4.4.4
_LEFTOVERS: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip
"""What ``zipfile`` says of octets that are no zip, or one of a kind that it does not read."""


def unpack(spool: Spool, piece: Piece, limits: Limits) -> list[Chosen]:
    """The parts of the zip that is this piece of a spool, in the order of its manifest."""
    try:
        with zipfile.ZipFile(cast("io.BufferedIOBase", _PieceFile(spool, piece))) as packed:
            files = _files(packed)
            entries = _entries(packed, files)
            _check_sizes(piece, [files[entry.name] for entry in entries])
            return _unpacked(packed, files, entries, spool, limits)
    except _DAMAGED:
        raise Refusal("invalid", "the content is no zip, or a damaged one") from None


class _PieceFile(io.RawIOBase):
    """A piece of a spool as a file that can be read and sought, a bounded number of octets at once."""

    def __init__(self, spool: Spool, piece: Piece) -> None:
        super().__init__()
        self._spool = spool
        self._piece = piece
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._piece.size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._piece.size - self._at)
        count = left if size is None or size < 0 else min(size, left)
        if count > _MOST_AT_ONCE:
            raise Refusal("invalid", "the directory of the zip is too large")
        octets = self._spool.read_at(self._piece.offset + self._at, count)
        self._at += len(octets)
        return octets


def _files(packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """What is in a zip, by the names as they are written there."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in packed.infolist():
        name = info.orig_filename
        if name in found:
            raise Refusal("invalid", f"the zip holds {_shown(name)} twice")
        found[name] = info
    return found


def _entries(packed: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo]) -> list[Entry]:
    """What the manifest names; it is what is in the zip."""
    info = files.get(MANIFEST)
    if info is None:
        raise Refusal("invalid", "the zip holds no file that is called manifest")
    manifest = b"".join(_read(packed, info, MANIFEST_OCTETS, f"is longer than {MANIFEST_OCTETS} octets"))
    try:
        entries = read_manifest(manifest)
    except ManifestProblem as problem:
        raise Refusal("invalid", str(problem)) from None
    if not entries:
        raise Refusal("invalid", "the manifest names no part")
    if len(entries) > PARTS:
        raise Refusal("invalid", f"the manifest names {len(entries)} parts, at most {PARTS} are taken")
    _check_names([entry.name for entry in entries], files)
    return entries


def _check_names(names: list[str], files: dict[str, zipfile.ZipInfo]) -> None:
    folded: set[str] = set()
    for name in names:
        if not is_safe_name(name):  # the SMIL part calls it by its name, so it cannot be given another
            raise Refusal(
                "invalid",
                f"the manifest names {_shown(name)}: a name is of at most {LONGEST_NAME} letters, digits and "
                "._- without a directory",
            )
        if name not in files:
            raise Refusal("invalid", f"the manifest names {_shown(name)}, which is not in the zip")
        if name.lower() in folded:
            raise Refusal("invalid", f"the zip holds {_shown(name)} twice, in another case")
        folded.add(name.lower())
    for name in files.keys() - {MANIFEST, *names}:
        if not _is_leftover(name):
            raise Refusal("invalid", f"the zip holds {_shown(name)}, which its manifest does not name")


def _is_leftover(name: str) -> bool:
    return name.endswith("/") or name.startswith("__MACOSX/") or name.rpartition("/")[2] in _LEFTOVERS


def _check_sizes(piece: Piece, chosen: list[zipfile.ZipInfo]) -> None:
    """No octets of the zip are parts of two files: what is to be unpacked is no more than what was sent."""
    if sum(info.compress_size for info in chosen) > piece.size:
        raise zipfile.BadZipFile


def _unpacked(
    packed: zipfile.ZipFile,
    files: dict[str, zipfile.ZipInfo],
    entries: list[Entry],
    spool: Spool,
    limits: Limits,
) -> list[Chosen]:
    chosen: list[Chosen] = []
    left = limits.message
    for entry in entries:
        most, too_long = limits.part, f"is longer than {limits.part} octets"
        if left < most:
            most, too_long = left, f"makes the parts longer than {limits.message} octets together"
        is_text = entry.content_type.startswith("text/")
        decoder = codecs.getincrementaldecoder("utf-8")() if is_text else None
        try:
            for octets in _read(packed, files[entry.name], most, too_long):
                if decoder is not None:
                    decoder.decode(octets)
                spool.write(octets)
            if decoder is not None:
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise Refusal("invalid", f"{_shown(entry.name)} is {entry.content_type}, but not UTF-8") from None
        part = spool.end_part()
        left -= part.size
        chosen.append(Chosen(name=entry.name, content_type=entry.content_type, piece=part))
    return chosen


def _read(packed: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, too_long: str) -> Iterator[bytes]:
    """The octets of a file of the zip, in pieces; when there are more than may be, it is ``too_long``."""
    name = _shown(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        raise Refusal("invalid", f"{name} is encrypted")
    if info.compress_type not in _METHODS:
        raise Refusal("invalid", f"{name} is packed by another method than deflate")
    size = 0
    with packed.open(info) as file:
        while octets := file.read(_READ_AT_ONCE):
            size += len(octets)
            if size > most:
                raise Refusal("too_long", f"{name} {too_long}")
            yield octets
    if size != info.file_size:
        raise zipfile.BadZipFile


def _shown(name: str) -> str:
    return repr(name[:60])
