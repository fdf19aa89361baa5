"""Texts in the octets of a customer's charset, URL-encoded. Never fails, whatever the text holds.

A character that the charset does not have becomes the nearest one that it has (``Δ`` is ``D``,
``“`` is ``"``), at worst ``?``.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_NEAREST = str.maketrans(
    {
        # The Greek capitals of the GSM alphabet. TS 23.038 §6.2.1
        "Γ": "G", "Δ": "D", "Θ": "T", "Λ": "L", "Ξ": "X", "Π": "P", "Σ": "S", "Φ": "F", "Ψ": "P", "Ω": "O",
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "′": "'", "″": '"',
        "‹": "<", "›": ">", "«": '"', "»": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-",
        "−": "-", "•": "*", "…": "...", "€": "E", "₤": "L", "¨": '"', "´": "'", "¸": ",", "¦": "|", "¤": "*",
        "¼": "1/4", "½": "1/2", "¾": "3/4", "⁄": "/", "ı": "i", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d",
        "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae", "ß": "ss", "ẞ": "SS", "ð": "d",
        "þ": "th",
    }
)  # fmt: skip


@lru_cache(maxsize=4096)
def _nearest_of(char: str, charset: str) -> str:
    near = char.translate(_NEAREST)
    if near == char:
        near = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    try:
        near.encode(charset)
    except UnicodeEncodeError:
        near = near.translate(_NEAREST)
    return near if near.isascii() and near else "?"


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join([_nearest_of(char, error.encoding) for char in missing]), error.end


codecs.register_error("homing.nearest", _nearest)

_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~ "
"""Octets that are not escaped: the unreserved ones (RFC 3986 §2.3), and the blank, which becomes ``+``."""
_TOKEN = re.compile(r"[A-Za-z0-9._-]+")
_ESCAPES = [(chr(octet), f"%{octet:02X}") for octet in range(256)]
_ESCAPES[ord("%")] = ("%", "%")  # is replaced before the others


def encoder(charset: str) -> Callable[[str], bytes]:
    """A function that writes a text in this charset."""
    name = _codec(charset)
    return lambda text: text.encode(name, "homing.nearest")


def charset_name(charset: str) -> str:
    """Its name as a header can say it."""
    return charset if _TOKEN.fullmatch(charset) else _codec(charset)


def _codec(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
        b"".decode(name)
        if "aZ09 ~".encode(name) != b"aZ09 ~":
            raise LookupError
    except (LookupError, ValueError):
        raise ValueError(f"charset {charset!r} is not one that a URL can be written in") from None
    return name


def quoter(charset: str) -> Callable[[str], str]:
    """A function that URL-encodes a text in this charset (blank is ``+``)."""
    name = _codec(charset)

    def quote_text(text: str) -> str:
        if text.isascii():
            octets = text.encode()
            if octets.isalnum():
                return text
        else:
            octets = text.encode(name, "homing.nearest")
            text = octets.decode("latin-1")
        # What is to be escaped is mostly nothing, or of few kinds: a step for each kind, not for each octet.
        special = octets.translate(None, _PLAIN)
        if special:
            text = text.replace("%", "%25")  # first, because the escapes of the others hold it
            for octet in set(special):
                char, escape = _ESCAPES[octet]
                text = text.replace(char, escape)
        return text.replace(" ", "+")

    return quote_text
