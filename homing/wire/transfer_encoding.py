"""Content-Transfer-Encoding undone in pieces. RFC 2045 §6

Decoding is lenient, as RFC 2045 asks: what belongs to no alphabet is passed over. Nothing here raises on
octets; only an unknown encoding is a ``ValueError``.
"""

from binascii import a2b_base64, a2b_qp
from typing import Final, Protocol

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64: Final = bytes(octet for octet in range(256) if octet not in _BASE64)
_LONGEST_LINE: Final = 65_536
"""A quoted-printable line that is longer is decoded in pieces."""


class Decoder(Protocol):
    """Undoes one encoding of one part."""

    def decode(self, octets: bytes) -> bytes:
        """What is certain so far."""

    def end(self) -> bytes:
        """The rest."""


class _Identity:
    """7bit, 8bit and binary."""

    def decode(self, octets: bytes) -> bytes:
        return octets

    def end(self) -> bytes:
        return b""


class _Base64:
    """RFC 2045 §6.8"""

    def __init__(self) -> None:
        self._rest = b""
        self._is_over = False

    def decode(self, octets: bytes) -> bytes:
        if self._is_over:
            return b""
        clean = self._rest + octets.translate(None, _NOT_BASE64)
        padding = clean.find(b"=")
        if padding >= 0:  # what follows it is no data
            self._is_over = True
            self._rest = clean[:padding]
            return b""
        whole = len(clean) // 4 * 4
        self._rest = clean[whole:]
        return a2b_base64(clean[:whole])

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        if len(rest) % 4 == 1:  # six bits are no octet
            rest = rest[:-1]
        return a2b_base64(rest + b"=" * (-len(rest) % 4))


class _QuotedPrintable:
    """RFC 2045 §6.7: whole lines, because blanks before a line end count for nothing."""

    def __init__(self) -> None:
        self._rest = b""

    def decode(self, octets: bytes) -> bytes:
        held = self._rest + octets
        end = held.rfind(b"\n") + 1
        if not end and len(held) > _LONGEST_LINE:
            end = len(held) - 3
            if held[end - 2 : end].find(b"=") >= 0:
                end -= 2
        self._rest = held[end:]
        return a2b_qp(held[:end])

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return a2b_qp(rest)


def decoder_of(encoding: str) -> Decoder:
    """The decoder for the word of the header, in lower case; "" is 7bit."""
    if encoding in ("", "7bit", "8bit", "binary"):
        return _Identity()
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    raise ValueError(f"unknown transfer encoding {encoding[:40]!r}")
