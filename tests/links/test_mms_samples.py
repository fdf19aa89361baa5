"""The samples are files that can be shown and played: read here by the rules of their formats."""

import struct
import zlib
from binascii import crc32

import pytest
from lxml import etree

from homing.links.mms_phone import media_type_of
from homing.links.mms_samples import JPEG, SIDE, TEXT, amr, film, gif, png, samples, smil


def test_there_is_one_of_each_kind_and_it_is_small() -> None:
    for name, media_type, octets in samples():
        assert media_type_of(name) == media_type
        assert 0 < len(octets) < 4_096
    assert samples() == samples()
    assert TEXT.encode("latin-1") != TEXT.encode(), "so that its charset can be mistaken"


def test_the_jpeg_is_baseline_from_start_to_end() -> None:
    assert (JPEG[:2], JPEG[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    at, markers = 2, []
    while JPEG[at + 1] != 0xDA:  # segments up to the scan
        marker, size = struct.unpack_from(">HH", JPEG, at)
        markers.append(marker)
        if marker == 0xFFC0:
            depth, height, width, components = struct.unpack_from(">BHHB", JPEG, at + 4)
            assert (depth, height, width, components) == (8, SIDE, SIDE, 1)
        at += 2 + size
    assert {0xFFE0, 0xFFDB, 0xFFC0, 0xFFC4} <= set(markers)
    scan = JPEG[at + 2 : -2]
    assert all(scan[n + 1] == 0 for n in range(len(scan) - 1) if scan[n] == 0xFF), "stuffed"


def test_the_png_holds_every_pixel() -> None:
    octets, at, found = png(), 8, {}
    assert octets[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(octets):
        (size,) = struct.unpack_from(">I", octets, at)
        name, data = octets[at + 4 : at + 8], octets[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", octets, at + 8 + size) == (crc32(name + data),)
        found[name] = data
        at += 12 + size
    assert list(found) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = zlib.decompress(found[b"IDAT"])
    assert len(rows) == SIDE * (1 + 3 * SIDE)
    assert set(rows[:: 1 + 3 * SIDE]) == {0}
    assert tuple(rows[1:4]) == (0, 0, 255)


def test_the_gif_holds_every_pixel() -> None:
    octets = gif()
    assert octets[:6] == b"GIF89a"
    width, height, packed, _, _ = struct.unpack_from("<HHBBB", octets, 6)
    colours = 2 << (packed & 7)
    at = 13 + 3 * colours
    assert (width, height, colours, octets[at : at + 1]) == (SIDE, SIDE, 4, b",")
    assert struct.unpack_from("<HHHHB", octets, at + 1) == (0, 0, SIDE, SIDE, 0)
    least, at, data = octets[at + 10], at + 11, b""
    while octets[at]:
        data += octets[at + 1 : at + 1 + octets[at]]
        at += 1 + octets[at]
    assert octets[at:] == b"\0;"
    assert unpacked(data, least) == bytes((x // 8) % 4 for _ in range(SIDE) for x in range(SIDE))


def unpacked(data: bytes, least: int) -> bytes:
    """LZW as GIF has it."""
    clear, end = 1 << least, (1 << least) + 1
    stream, at, width, found = int.from_bytes(data, "little"), 0, least + 1, b""
    table: list[bytes] = []
    before = b""
    while True:
        code = stream >> at & ((1 << width) - 1)
        at += width
        if code == end:
            return found
        if code == clear:
            table, before = [bytes([n]) for n in range(clear)] + [b"", b""], b""
            width = least + 1
            continue
        piece = table[code] if code < len(table) else before + before[:1]
        found += piece
        if before:
            table.append(before + piece[:1])
            width = max(width, len(table).bit_length() if len(table) >= 1 << width else width)
        before = piece


def test_the_sound_has_a_second_of_frames() -> None:
    octets = amr()
    assert octets[:6] == b"#!AMR\n"
    frames = octets[6:]
    assert len(frames) == 50 * 13
    assert {frames[at] for at in range(0, len(frames), 13)} == {0x04}  # RFC 4867 §5.3: 4.75 kbit/s, good


def boxes(octets: bytes) -> dict[str, bytes]:
    """The boxes of a container, by name."""
    found, at = {}, 0
    while at < len(octets):
        (size,) = struct.unpack_from(">I", octets, at)
        assert size >= 8
        found[octets[at + 4 : at + 8].decode()] = octets[at + 8 : at + size]
        at += size
    assert at == len(octets)
    return found


def test_the_film_has_a_track_whose_samples_are_where_it_says() -> None:
    octets = film()
    top = boxes(octets)
    assert list(top) == ["ftyp", "moov", "mdat"]
    assert top["ftyp"][:4] == b"3gp4"
    track = boxes(boxes(top["moov"])["trak"])
    media = boxes(track["mdia"])
    assert media["hdlr"][8:12] == b"soun"
    information = boxes(media["minf"])
    table = boxes(information["stbl"])
    assert b"samr" in table["stsd"]
    assert b"damr" in table["stsd"]
    _, size, count = struct.unpack(">III", table["stsz"])
    _, _, offset = struct.unpack(">III", table["stco"])
    assert octets[offset : offset + size * count] == top["mdat"] == amr()[6:]
    _, _, frames, ticks = struct.unpack(">IIII", table["stts"])
    rate, whole = struct.unpack_from(">II", media["mdhd"], 12)
    assert (frames * ticks, whole, rate) == (whole, 8000, 8000)


@pytest.mark.parametrize(
    "names", [[], [("a & b.jpg", "image/jpeg"), ("c.amr", "audio/amr"), ("d.bin", "x/y")]]
)
def test_a_presentation_shows_every_part_once(names: list[tuple[str, str]]) -> None:
    root = etree.fromstring(smil(names))
    assert [element.get("src") for element in root.iter() if element.get("src")] == [
        name for name, _ in names
    ]
    assert len(root.findall("body/par")) == len(names)
