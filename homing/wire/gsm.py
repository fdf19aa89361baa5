"""Text and user data of a short message: GSM alphabet, user data header, and what ``data_coding`` means.

Promises: reading is total. Whatever octets a network sends become text or data, and nothing here raises on
them. Writing refuses no character either: what an alphabet lacks is spelled by its nearest one, else ``?``.

What goes wrong, and what it becomes: a septet without a character is U+FFFD; an escape with nothing behind it
is a blank (TS 23.038 §6.2.1.1); an octet above 7F, which no septet can be, is read as ISO-8859-1, since links
that say GSM and send Latin do exist; a header that ends too early counts as far as it is readable. Packed
text does not say how many septets it has, so an ``@`` that exactly fills the last octet is taken for padding.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple

import msgspec

from homing.model.message import Coding
from homing.wire.gsm_tables import LOCKING, SINGLE, SUBSTITUTES

ESCAPE: Final = 0x1B
_ESCAPE_OCTET: Final = b"\x1b"
_HIGH: Final = "".join(map(chr, range(0x80, 0x100)))
_DEFAULT: Final = LOCKING[0] + _HIGH

GSM_CHARACTERS: Final = frozenset(LOCKING[0]) - {chr(ESCAPE)} | frozenset(SINGLE[0].values())
"""Every character of GSM 03.38, extension included."""


@cache
def _tables(locking: int, single: int) -> tuple[str, str]:
    """256 characters for an octet, and 256 for an octet after an escape."""
    plain = LOCKING[locking] + _HIGH
    # A code that the single shift table lacks is that code of the main table.
    # TS 23.038 §6.2.1.2.2
    escaped = "".join(SINGLE[single].get(code, character) for code, character in enumerate(plain))
    return plain, escaped


def decode_gsm(octets: bytes, locking: int = 0, single: int = 0) -> str:
    """Text of unpacked septets, one in each octet. An unknown language is the default alphabet."""
    if ESCAPE not in octets and not locking:
        return codecs.charmap_decode(octets, "strict", _DEFAULT)[0]
    plain, escaped = _tables(
        locking if locking in LOCKING else 0,  # TS 23.038 §6.2.1.2.4
        single if single in SINGLE else 0,
    )
    head, *tails = octets.split(_ESCAPE_OCTET)
    text = [codecs.charmap_decode(head, "strict", plain)[0]]
    doubled = False
    for tail in tails:
        if doubled or not tail:
            # A second escape is reserved, a last one has nothing behind it: one blank.
            # TS 23.038 §6.2.1.1
            text.append(codecs.charmap_decode(tail, "strict", plain)[0] if doubled else " ")
            doubled = not doubled
        else:
            text += escaped[tail[0]], codecs.charmap_decode(tail[1:], "strict", plain)[0]
    return "".join(text)


class _Spelling(dict[int, str]):
    """Code point -> its spelling in an alphabet: ``str.translate`` asks it. Never grows."""

    def __init__(self, alphabet: frozenset[str]) -> None:
        super().__init__((ord(character), character) for character in alphabet)

    def __missing__(self, code: int) -> str:
        nearest = _nearest(chr(code))
        if nearest is None:
            return "?"
        return "".join(self[ord(character)] for character in nearest)


def _nearest(character: str) -> str | None:
    """One step from a character towards the Latin letters that every alphabet has; None = no way."""
    if character in SUBSTITUTES:
        return SUBSTITUTES[character]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):  # accents by themselves, joiners, variation selectors
        return ""
    if category == "Lo":  # syllables and ligatures of other scripts come apart into what is no nearer
        return None
    decomposed = unicodedata.normalize("NFKD", character)
    if decomposed != character:
        return "".join(part for part in decomposed if not unicodedata.combining(part))
    if category == "Ll" and unicodedata.name(character, "").startswith("GREEK"):
        capital = character.upper()  # GSM and its substitutes have capitals only
        return capital if len(capital) == 1 and capital != character else None
    return None


_SPELLINGS: Final[Mapping[str, _Spelling]] = {
    "gsm": _Spelling(GSM_CHARACTERS),
    "ascii": _Spelling(frozenset(map(chr, range(0x80)))),
    "latin1": _Spelling(frozenset(map(chr, range(0x100)))),
    "latin9": _Spelling(frozenset(bytes(range(0x100)).decode("iso8859-15"))),
}


class _Septets(dict[int, bytes]):
    """Code point -> its septets: ``codecs.charmap_encode`` asks it."""

    def __missing__(self, code: int) -> bytes:
        return b"".join(self[ord(character)] for character in _SPELLINGS["gsm"][code])


_SEPTETS: Final = _Septets(
    {ord(character): bytes((ESCAPE, code)) for code, character in SINGLE[0].items()}
    | {ord(character): bytes((code,)) for code, character in enumerate(LOCKING[0]) if code != ESCAPE}
)


def is_gsm(text: str) -> bool:
    """Whether every character is in GSM 03.38, so that the text goes out as it stands."""
    return GSM_CHARACTERS.issuperset(text)


_is_same = re.compile(r"""[A-Za-z0-9 .,:;!?'"()/%&*+<=>#\r\n-]*""").fullmatch
"""Whether a text has only characters that are one code in ASCII and in GSM 03.38: most texts."""


def encode_gsm(text: str) -> bytes:
    """Unpacked septets, one in each octet; what GSM 03.38 lacks by its nearest spelling."""
    if _is_same(text):
        return text.encode("ascii")
    return codecs.charmap_encode(text, "strict", _SEPTETS)[0]


def count_septets(text: str) -> int:
    """How many septets the text takes, nearest spellings included."""
    return len(encode_gsm(text))


def to_gsm_nearest(text: str) -> str:
    """The text in the characters of GSM 03.38: ``Â`` becomes ``A``, ``…`` three dots, ``ж`` a ``?``."""
    return text if is_gsm(text) else text.translate(_SPELLINGS["gsm"])


def pack_septets(octets: bytes, fill_bits: int = 0) -> bytes:
    """Eight septets to seven octets, after ``fill_bits`` that reach the septet boundary."""
    packed = bytearray()  # TS 23.038 §6.1.2.1
    bits, count = 0, fill_bits
    for septet in octets:
        bits |= (septet & 0x7F) << count
        count += 7
        if count >= 8:
            packed.append(bits & 0xFF)
            bits >>= 8
            count -= 8
    if count:
        packed.append(bits)
    return bytes(packed)


def unpack_septets(data: bytes, count: int, fill_bits: int = 0) -> bytes:
    """The first ``count`` septets of packed data, or as many as are there."""
    septets = bytearray()
    bits = have = 0
    for octet in data:
        bits |= octet << have
        have += 8
        if fill_bits:
            bits >>= fill_bits
            have -= fill_bits
            fill_bits = 0
        while have >= 7:
            septets.append(bits & 0x7F)
            bits >>= 7
            have -= 7
    return bytes(septets[:count])


class Concatenation(NamedTuple):
    """Which part of which message this one is."""

    reference: int
    total: int
    number: int
    """1 for the first part."""
    width: int
    """Bits of the reference: 8 or 16. The same number in the other width is another message."""


class UserDataHeader(msgspec.Struct, frozen=True, gc=False):
    """The information elements of a header, in their order. Where one stands twice, the last counts."""

    elements: tuple[tuple[int, bytes], ...] = ()

    @property
    def concatenation(self) -> Concatenation | None:
        """None too when the element says part 0, part 3 of 2, or 0 parts."""  # TS 23.040 §9.2.3.24.1
        found = None
        for element, body in self.elements:
            if element == 0x00 and len(body) >= 3:
                part = Concatenation(body[0], body[1], body[2], 8)
            elif element == 0x08 and len(body) >= 4:  # TS 23.040 §9.2.3.24.8
                part = Concatenation(body[0] << 8 | body[1], body[2], body[3], 16)
            else:
                continue
            if 0 < part.number <= part.total:
                found = part
        return found

    @property
    def ports(self) -> tuple[int, int] | None:
        """Destination and originator port."""
        found = None
        for element, body in self.elements:
            if element == 0x04 and len(body) >= 2:  # TS 23.040 §9.2.3.24.3
                found = body[0], body[1]
            elif element == 0x05 and len(body) >= 4:  # TS 23.040 §9.2.3.24.4
                found = body[0] << 8 | body[1], body[2] << 8 | body[3]
        return found

    @property
    def locking(self) -> int:
        """National language identifier of the locking shift table; 0 = the default alphabet."""
        return self._language(0x25)  # TS 23.040 §9.2.3.24.16

    @property
    def single(self) -> int:
        """National language identifier of the single shift table; 0 = the default extension."""
        return self._language(0x24)  # TS 23.040 §9.2.3.24.15

    def _language(self, wanted: int) -> int:
        found = 0
        for element, body in self.elements:
            if element == wanted and body:
                found = body[0]
        return found


def parse_user_data_header(udh: bytes) -> UserDataHeader:
    """Reads a header including its length octet, up to the first element that is cut short."""
    end = min(udh[0] + 1, len(udh)) if udh else 0
    elements = []
    at = 1
    while at + 2 <= end:
        element, length = udh[at], udh[at + 1]
        at += 2
        if at + length > end:
            break
        elements.append((element, udh[at : at + length]))
        at += length
    return UserDataHeader(tuple(elements))


def split_user_data(octets: bytes, udhi: bool) -> tuple[bytes, bytes]:
    """The header with its length octet, and the rest. A length beyond the end is no header."""
    if not udhi or not octets or octets[0] >= len(octets):
        return b"", octets
    end = octets[0] + 1
    return octets[:end], octets[end:]


_DATA_CODINGS: Final[Mapping[int, str]] = {  # SMPP 3.4 §5.2.19
    0x01: "latin-1",  # IA5; octets above 7F do occur
    0x02: "data",
    0x03: "latin-1",
    0x04: "data",
    0x05: "shift_jis",
    0x06: "iso8859-5",
    0x07: "iso8859-8",
    0x08: "ucs2",
    0x09: "data",  # pictogram
    0x0A: "iso2022_jp",
    0x0D: "euc_jp",
    0x0E: "euc_kr",
}


def _meaning(data_coding: int) -> str:
    """``default``, ``data``, ``ucs2`` or a character set; a reserved value means the default alphabet."""
    if data_coding < 0x10:
        return _DATA_CODINGS.get(data_coding, "default")
    # TS 23.038 §4
    if data_coding < 0x80:  # general groups, and the same with automatic deletion
        if data_coding & 0x20:  # compressed by TS 23.042: kept as it came
            return "data"
        return ("default", "data", "ucs2", "default")[data_coding >> 2 & 3]
    if data_coding >= 0xF0:  # message class
        return "data" if data_coding & 0x04 else "default"
    return "ucs2" if data_coding >= 0xE0 else "default"  # message waiting: E is UCS-2, C and D are not


_MEANINGS: Final = tuple(map(_meaning, range(0x100)))
_NARROW: Final = GSM_CHARACTERS | frozenset(_SPELLINGS["latin9"].values()) | {"\ufffd"}


def _as_text(text: str) -> tuple[Coding, str, bytes]:
    """TEXT, or UNICODE when neither GSM 03.38 nor Latin-9 has all of it: no face may lose a letter."""
    if _NARROW.issuperset(text):
        return Coding.TEXT, text, b""
    return Coding.UNICODE, text, text.encode("utf-16-be", "surrogatepass")


def _decode_packed(octets: bytes, header_length: int, locking: int, single: int) -> str:
    fill_bits = -8 * header_length % 7  # TS 23.040 §9.2.3.24
    count, spare = divmod(max(0, 8 * len(octets) - fill_bits), 7)
    septets = unpack_septets(octets, count, fill_bits)
    if not spare and septets[-1:] == b"\x00":  # seven bits of padding look like one more ``@``
        septets = septets[:-1]
    return decode_gsm(septets, locking, single)


_DECODERS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "latin1": lambda octets: octets.decode("latin-1"),
    "latin9": lambda octets: octets.decode("iso8859-15"),
    "ascii": lambda octets: octets.decode("latin-1"),  # octets above 7F do occur
}


def decode_user_data(
    *, data_coding: int, octets: bytes, udh: bytes, alphabet: str
) -> tuple[Coding, str, bytes]:
    """The coding, text and data of a ``ReceivedMessage``, from the octets behind the header.

    ``alphabet`` is the link's default one: gsm (also for an unknown name), gsm-packed, latin1, latin9, ascii.
    """
    if data_coding == 0 and not udh and alphabet == "gsm":
        return Coding.TEXT, decode_gsm(octets), b""
    meaning = _MEANINGS[data_coding & 0xFF]
    if meaning == "default":
        if alphabet in _DECODERS:
            return Coding.TEXT, _DECODERS[alphabet](octets), b""
        header = parse_user_data_header(udh)
        if alphabet == "gsm-packed":
            return _as_text(_decode_packed(octets, len(udh), header.locking, header.single))
        return _as_text(decode_gsm(octets, header.locking, header.single))
    if meaning == "data":
        return Coding.DATA, "", octets
    if meaning == "ucs2":  # in practice UTF-16BE; half a unit at the end is shown but not kept
        return Coding.UNICODE, octets.decode("utf-16-be", "replace"), octets[: len(octets) & ~1]
    if meaning == "latin-1":
        return Coding.TEXT, octets.decode("latin-1"), b""
    return _as_text(octets.decode(meaning, "replace"))


def spell_text(text: str, alphabet: str, udh: bytes = b"") -> tuple[int, bytes]:
    """``data_coding`` and octets for a link with this default alphabet; what it lacks by the nearest.

    ``udh`` matters to gsm-packed only, where text starts at a septet boundary.
    """
    if alphabet == "gsm-packed":
        return 0, pack_septets(encode_gsm(text), -8 * len(udh) % 7)
    if alphabet not in _DECODERS:
        return 0, encode_gsm(text)
    codec = {"latin1": "latin-1", "latin9": "iso8859-15", "ascii": "ascii"}[alphabet]
    try:
        return 0, text.encode(codec)
    except UnicodeEncodeError:
        return 0, text.translate(_SPELLINGS[alphabet]).encode(codec)


def spell_unicode(text: str) -> tuple[int, bytes]:
    """``data_coding`` 8 and UTF-16BE; a lone half of a surrogate pair passes as it is."""
    return 8, text.encode("utf-16-be", "surrogatepass")
