"""Content zips as the standard library reads them, the same for the same parts."""

import io
import zipfile
from binascii import crc32
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.mms_manifest import Entry, file_names, read_manifest
from homing.wire.mms_zip import File, lay_out

PARTS = [
    ("show.smil", "application/smil", b"<smil/>"), ("pic.jpg", "image/jpeg", bytes(range(256)) * 40),
    ("words.txt", "text/plain", "Grüße".encode()), ("empty.txt", "text/plain", b""),
]  # fmt: skip
CONTENTS = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=200)), max_size=8)


def written(parts: Sequence[tuple[str, str, bytes]]) -> bytes:
    layout = lay_out([File(name, kind, len(octets), crc32(octets)) for name, kind, octets in parts])
    whole = b"".join(header + octets for header, (_, _, octets) in zip(layout.headers, parts, strict=True))
    whole += layout.trailer
    assert len(whole) == layout.size
    for offset, (_, _, octets) in zip(layout.offsets, parts, strict=True):
        assert whole[offset : offset + len(octets)] == octets
    return whole


def test_a_zip_is_read_by_the_standard_library() -> None:
    with zipfile.ZipFile(io.BytesIO(written(PARTS))) as made:
        assert made.testzip() is None
        assert made.namelist() == ["manifest", *(name for name, _, _ in PARTS)]
        assert all(made.read(name) == octets for name, _, octets in PARTS)
        assert read_manifest(made.read("manifest")) == [Entry(name, kind) for name, kind, _ in PARTS]
        assert {info.compress_type for info in made.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in made.infolist()} == {0o100644}


def test_the_same_parts_are_the_same_zip() -> None:
    assert written(PARTS) == written(PARTS)
    assert written(PARTS) != written(PARTS[::-1])


@given(contents=CONTENTS)
def test_any_parts_come_out_as_they_went_in(contents: list[tuple[str, bytes]]) -> None:
    names = file_names([(name, "image/gif") for name, _ in contents])
    parts = [(name, "image/gif", octets) for name, (_, octets) in zip(names, contents, strict=True)]
    with zipfile.ZipFile(io.BytesIO(written(parts))) as made:
        assert made.testzip() is None
        assert {name: made.read(name) for name in names} == {name: octets for name, _, octets in parts}


def test_what_is_too_large_for_the_format() -> None:
    with pytest.raises(ValueError, match="too large"):
        lay_out([File("a.bin", "x/y", 0xFFFF_FFF0, 0)])
