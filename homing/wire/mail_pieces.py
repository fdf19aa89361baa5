"""A mail with large parts, as pieces: what is written out, and what is read and encoded when it is sent.

Its size is known before anything is read, octet by octet as it will be sent: base64 is arithmetic. Each piece
is whole lines, so that pieces can be looked at one by one.
"""

import re
from binascii import b2a_base64
from typing import Final

import msgspec

from homing.wire.streamed import Slice

LINE_OCTETS: Final = 57
"""Encoded in one line, which has 76 characters. RFC 2045 §6.8"""
_LINE: Final = 76
_STUFFED: Final = re.compile(rb"^\.", re.MULTILINE)


class MailPieces(msgspec.Struct, frozen=True, kw_only=True):
    """A whole mail. ``len`` is the octets of it when slices are base64 in lines."""

    sha256: str
    """The content that slices are of."""
    pieces: tuple[bytes | Slice, ...]
    """In their order. The first one is octets, and holds all headers with the blank line that ends them."""

    def __len__(self) -> int:
        return sum(
            len(piece) if isinstance(piece, bytes) else encoded_size(piece.size) for piece in self.pieces
        )


WrittenMail = bytes | MailPieces
"""A mail as it is sent; one in pieces needs its content for that."""


def encoded_size(size: int) -> int:
    """Octets that so many are in base64 in lines."""
    return (size + 2) // 3 * 4 + lines_of(size) * 2


def lines_of(size: int) -> int:
    """Lines that so many octets are in base64."""
    return -(-size // LINE_OCTETS)


def encoded(octets: bytes | memoryview) -> bytes:
    """Base64 in lines, each with its end. Of more than is given here, all but the last are whole lines."""
    characters = b2a_base64(octets, newline=False)
    lines = [characters[at : at + _LINE] for at in range(0, len(characters), _LINE)]
    return b"\r\n".join([*lines, b""])


def stuffed(mail: bytes) -> bytes:
    """A dot in front of each dot that begins a line, and a line end at the end."""
    # RFC 1939 §3, RFC 5321 §4.5.2
    if b"\n." in mail or mail.startswith(b"."):
        mail = _STUFFED.sub(b"..", mail)
    return mail if mail.endswith(b"\r\n") or not mail else mail + b"\r\n"


def top_of(mail: MailPieces, lines: int) -> MailPieces:
    """Headers, the blank line, and so many lines of the body."""  # RFC 1939 §7
    first, *rest = mail.pieces
    assert isinstance(first, bytes)
    head, blank, body = first.partition(b"\r\n\r\n")
    kept: list[bytes | Slice] = [head + blank]
    for piece in (body, *rest):
        if not lines:
            break
        if isinstance(piece, bytes):
            some = piece.splitlines(keepends=True)[:lines]
            kept.append(b"".join(some))
            lines -= len(some)
        else:
            size = min(piece.size, lines * LINE_OCTETS)
            kept.append(Slice(piece.offset, size))
            lines -= lines_of(size)
    return MailPieces(sha256=mail.sha256, pieces=tuple(kept))
