"""The content store as the engine sees it: what an MMS carries is written once, by its hash, and streamed.

Its adapters are in ``store/``, and run one conformance suite. Everything here blocks and is called in
threads. A store that cannot be reached is ``StoreUnavailable``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from homing.model.mms import Content

CHUNK: Final = 262_144
"""Octets that are read or copied at once."""
ORPHAN_S: Final = 3_600.0
"""A content that was kept stays this long though no row speaks of it: its row may be on its way."""
_HEX: Final = frozenset("0123456789abcdef")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part as it was spooled."""

    offset: int
    size: int
    crc: int
    sha256: str


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A part that goes into the content, under a safe name."""

    name: str
    content_type: str
    piece: Piece


class Spool(Protocol):
    """One message on its way in: parts are written one after the other."""

    size: int
    """Octets so far."""

    def write(self, octets: bytes) -> None:
        """More of the part."""

    def end_part(self) -> Piece:
        """The part is whole; the next one begins."""

    def read(self, piece: Piece) -> bytes:
        """The octets of a part."""

    def copy(self, piece: Piece) -> Iterator[bytes]:
        """The octets of a part, in chunks."""

    def close(self) -> None:
        """Throw it away; what was kept of it stays."""


class ContentReader(Protocol):
    """One content, open for reading."""

    def read(self, offset: int, size: int) -> bytes:
        """So many octets from there on; fewer at the end of the content."""

    def close(self) -> None: ...


OpenContent = Callable[[str], ContentReader]
"""Opens a content by its name; ``FileNotFoundError`` when it is gone. Blocks."""


class Contents(Protocol):
    """The store. Contents are named by the SHA-256 of their octets, in hex."""

    def spool(self) -> Spool:
        """A place for a message that begins to come in."""

    def keep(self, spool: Spool, chosen: Sequence[Chosen]) -> Content:
        """Make the content of some parts of a spool. It survives a loss of power when this returns."""

    def open(self, sha256: str) -> ContentReader:
        """A content; ``FileNotFoundError`` when it is gone."""

    def remove(self, sha256: str, now_s: float) -> bool:
        """Take a content away that no row speaks of; one that was just written stays. Whether it is gone.

        What is kept later than ``ORPHAN_S`` before ``now_s`` stays, whatever happens at the same moment: who
        takes the time, then finds no row, then removes, takes nothing of a row that is on its way.
        """

    def old_names(self, now_s: float) -> Iterator[str]:
        """Contents that are old enough to be orphans, in the order of their names."""

    def clear_leftovers(self, now_s: float) -> int:
        """Take away what was on its way when a node died. How many were."""


def check_name(sha256: str) -> str:
    """The same, if it can be the name of a content; else ValueError."""
    if len(sha256) != 64 or not set(sha256) <= _HEX:
        raise ValueError("not the name of a content")
    return sha256
