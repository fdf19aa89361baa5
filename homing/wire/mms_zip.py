"""The content zip of an MMS: its parts as they are, uncompressed, after a ``manifest`` of them. mx §11

Made the same, octet by octet, of the same parts: no time, no compression, entries in the order of the
message. What is inside can therefore be found by offset and length. Pictures and sounds are compressed
already.
"""

import struct
from binascii import crc32
from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.wire.mms_manifest import MANIFEST, Entry, write_manifest

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_VERSION: Final = 20
_UNIX: Final = 3 << 8
_FIRST_OF_1980: Final = (0, 0x0021)
"""MS-DOS time and date: the format has no way to say none."""
_MODE: Final = 0o100644 << 16
LARGEST: Final = 0xFFF0_0000
"""Octets of all parts, so that the 64-bit form of a zip is not needed."""


class File(NamedTuple):
    """A file to put in: ``name`` is safe, ``size`` and ``crc`` are those of its octets."""

    name: str
    content_type: str
    size: int
    crc: int


class Layout(NamedTuple):
    """A zip before the octets of its parts are in it."""

    headers: Sequence[bytes]
    """What stands before the octets of each part; before the first one the manifest as well."""
    trailer: bytes
    """What stands after the last one."""
    offsets: Sequence[int]
    """Where the octets of each part begin."""
    size: int
    """Octets of the whole zip."""


def lay_out(files: Sequence[File]) -> Layout:
    """How the zip of these files is written: header, octets, header, octets, …, trailer."""
    if sum(file.size for file in files) > LARGEST:
        raise ValueError("the parts are too large for a zip")
    manifest = write_manifest([Entry(each.name, each.content_type) for each in files])
    first = File(MANIFEST, "", len(manifest), crc32(manifest))
    headers: list[bytes] = []
    offsets: list[int] = []
    central = [_central(first, 0)]
    before = _local(first) + manifest
    at = 0
    for file in files:
        central.append(_central(file, at + len(before)))
        before += _local(file)
        headers.append(before)
        at += len(before)
        offsets.append(at)
        at += file.size
        before = b""
    at += len(before)
    directory = b"".join(central)
    end = _END.pack(b"PK\5\6", 0, 0, len(central), len(central), len(directory), at, 0)
    trailer = before + directory + end
    return Layout(headers, trailer, offsets, at + len(directory) + len(end))


def _local(file: File) -> bytes:
    """APPNOTE.TXT 4.3.7"""
    name = file.name.encode("ascii")
    return (
        _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, *_FIRST_OF_1980, file.crc, file.size, file.size, len(name), 0)
        + name
    )


def _central(file: File, offset: int) -> bytes:
    """APPNOTE.TXT 4.3.12"""
    name = file.name.encode("ascii")
    return (
        _CENTRAL.pack(
            b"PK\1\2", _UNIX | _VERSION, _VERSION, 0, 0, *_FIRST_OF_1980, file.crc, file.size, file.size,
            len(name), 0, 0, 0, 0, _MODE, offset,
        )
        + name
    )  # fmt: skip
