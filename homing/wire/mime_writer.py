"""MIME entities written in pieces, so that what a content store holds need not be in memory. RFC 2046 §5.1

Bodies are taken as they are: nothing is encoded, and a boundary is the caller's choice, who must know that no
body holds it. What could break a header is replaced.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.wire.streamed import Slice

Pieces = Sequence[bytes | Slice]
_NOT_IN_A_HEADER: Final = re.compile(r"[^ -~]")


class Entity(NamedTuple):
    """A part: its headers, in their order, and its body."""

    headers: Sequence[tuple[str, str]]
    body: Pieces


def multipart(boundary: str, entities: Sequence[Entity]) -> list[bytes | Slice]:
    """The body of a multipart with these parts."""
    pieces: list[bytes | Slice] = []
    for entity in entities:
        pieces.append(f"--{boundary}\r\n{header_lines(entity.headers)}\r\n".encode("ascii"))
        pieces += entity.body
        pieces.append(b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return joined(pieces)


def header_lines(headers: Sequence[tuple[str, str]]) -> str:
    """Header lines, each with its line end."""
    return "".join(f"{name}: {_NOT_IN_A_HEADER.sub('_', value)}\r\n" for name, value in headers)


def joined(pieces: Pieces) -> list[bytes | Slice]:
    """The same octets in as few pieces as there can be."""
    found: list[bytes | Slice] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            if found and isinstance(found[-1], bytes):
                found[-1] += piece
                continue
        elif not piece.size:
            continue
        found.append(piece)
    return found


def size_of(pieces: Pieces) -> int:
    """Octets of all pieces."""
    return sum(len(piece) if isinstance(piece, bytes) else piece.size for piece in pieces)
