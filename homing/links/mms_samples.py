"""Small media files for simulated phones: each is whole and can be shown or played.

Made by this project and free to use. What can be computed is; the JPEG was made by an encoder.
"""

import struct
import zlib
from base64 import b64decode
from binascii import crc32
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

SIDE: Final = 32
"""Width and height of the pictures."""
_FRAMES: Final = 50
"""Of 20 ms each: a second of sound."""
TEXT: Final = "A picture, a sound and a film from a simulated phone. Grüße!\n"
JPEG: Final = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//wAALCAAgACABAREA/8QAGQABAQADAQAAAAAAAAAAAAAABgUCAwQH/8QAKhAAAgAFAwMCBwEAAAAAAAAA"
    "AQIAAwQRIQYSMQVBkVHBEyJhcYKh0bH/2gAIAQEAAD8A9Cg3X6y6dTu8ukV6uYvdMJe9iNx83AIOIyoNW0lRYVUiZTknkHeoFu55"
    "/UIVZXUMjBlYXBBuCIN66r2pujrSyn2zKttpte+wZaxH4j6gmAtPK4xFOnlcYhhpmcRJmUzHC/Mgzx39vJjm1vQmo6fJqlBJp3sc"
    "iwVrAnyF8wUp5XGIp08rjEJeg0+34k4g8bR/p9oruqujI6hlYWIIuCIgT9Mywxejm7R2R8gZ9fTzG6l6GUsZ80fZP6f5FiWiy0CI"
    "oVRwBH//2Q=="
)
"""A grey disc."""


def png() -> bytes:
    """A picture with a slope from blue to yellow. RFC 2083 §3"""
    rows = b"".join(
        b"\0" + bytes(each for x in range(SIDE) for each in (x * 8, y * 8, 255 - x * 8)) for y in range(SIDE)
    )
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = (("IHDR", header), ("IDAT", zlib.compress(rows, 9)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name.encode(), data) for name, data in chunks)


def gif() -> bytes:
    """A picture of four stripes."""
    colours = bytes.fromhex("1b4965 62b6cb bee9e8 ff7f51")
    pixels = [(x // 8) % 4 for _ in range(SIDE) for x in range(SIDE)]
    # LZW that starts anew after every second pixel: its codes keep their three bits.
    clear, end = 4, 5
    codes = [code for at in range(0, len(pixels), 2) for code in (clear, *pixels[at : at + 2])] + [end]
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    blocks = b"".join(
        bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)
    )
    screen = struct.pack("<HHBBB", SIDE, SIDE, 0b1001_0001, 0, 0)
    image = b"," + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\2"
    return b"GIF89a" + screen + colours + image + blocks + b"\0;"


def amr() -> bytes:
    """A second of silence. RFC 4867 §5"""
    return b"#!AMR\n" + _amr_frames()


def film() -> bytes:
    """A 3GP file with a second of silence as its only track. TS 26.244 §5"""
    frames = _amr_frames()
    kind = _box("ftyp", b"3gp4", bytes(4), b"3gp4isom")
    size = len(_moov(0))
    return kind + _moov(len(kind) + size + 8) + _box("mdat", frames)


def smil(names: Sequence[tuple[str, str]]) -> bytes:
    """A presentation of parts, each given by name and media type: one after the other."""
    tags = {"image": "img", "audio": "audio", "video": "video", "text": "text"}
    slides = []
    for name, media_type in names:
        tag = tags.get(media_type.partition("/")[0], "ref")
        region = {"audio": "", "text": ' region="Text"'}.get(tag, ' region="Image"')
        slides.append(f'<par dur="5000ms"><{tag} src={quoteattr(name)}{region}/></par>')
    return (
        '<smil><head><layout><root-layout width="320" height="480"/>'
        '<region id="Image" width="320" height="320" left="0" top="0" fit="meet"/>'
        '<region id="Text" width="320" height="160" left="0" top="320" fit="scroll"/>'
        f"</layout></head><body>{''.join(slides)}</body></smil>"
    ).encode()


def samples() -> list[tuple[str, str, bytes]]:
    """Name, media type and octets of one file of each kind."""
    return [
        ("picture.jpg", "image/jpeg", JPEG),
        ("picture.png", "image/png", png()),
        ("picture.gif", "image/gif", gif()),
        ("sound.amr", "audio/amr", amr()),
        ("film.3gp", "video/3gpp", film()),
        ("words.txt", "text/plain", TEXT.encode()),
    ]


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))


def _amr_frames() -> bytes:
    """Frames of speech at 4.75 kbit/s, type 0, in good quality: 95 bits, none of them set. TS 26.101 §4.1"""
    return (b"\x04" + bytes(12)) * _FRAMES


# --- boxes of ISO base media files, on which TS 26.244 stands ---


def _box(name: str, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + name.encode() + content


def _full(name: str, *contents: bytes, flags: int = 0) -> bytes:
    """A box with version 0 and flags."""
    return _box(name, struct.pack(">I", flags), *contents)


_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_RATE: Final = 8000
_SAMPLES: Final = 160 * _FRAMES


def _moov(data_at: int) -> bytes:
    """The description of the track, whose octets begin there in the file."""
    whole_ms = 20 * _FRAMES
    header = _full(
        "mvhd", struct.pack(">IIIIIH10x", 0, 0, 1000, whole_ms, 0x10000, 0x0100), _UNITY, bytes(24),
        struct.pack(">I", 2),
    )  # fmt: skip
    track = _full(
        "tkhd", struct.pack(">IIIII8xHHHH", 0, 0, 1, 0, whole_ms, 0, 0, 0x0100, 0), _UNITY, bytes(8), flags=7
    )
    media = _full("mdhd", struct.pack(">IIIIHH", 0, 0, _RATE, _SAMPLES, 0x55C4, 0))
    handler = _full("hdlr", bytes(4), b"soun", bytes(12), b"sound\0")
    data = _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1)))
    specific = _box("damr", b"homi", bytes([0]), struct.pack(">HBB", 0x0001, 0, 1))  # TS 26.244 §6.7
    entry = _box("samr", bytes(6), struct.pack(">H8xHH4xHH", 1, 2, 16, _RATE, 0), specific)
    table = _box(
        "stbl",
        _full("stsd", struct.pack(">I", 1), entry),
        _full("stts", struct.pack(">III", 1, _FRAMES, 160)),
        _full("stsc", struct.pack(">IIII", 1, 1, _FRAMES, 1)),
        _full("stsz", struct.pack(">II", 13, _FRAMES)),
        _full("stco", struct.pack(">II", 1, data_at)),
    )
    information = _box("minf", _full("smhd", bytes(4)), data, table)
    return _box("moov", header, _box("trak", track, _box("mdia", media, handler, information)))
