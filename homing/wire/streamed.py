"""A request whose body holds a content of an MMS, or pieces of it: they are read when they are sent."""

import msgspec


class Slice(msgspec.Struct, frozen=True, gc=False):
    """Octets of the content."""

    offset: int
    size: int


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """A whole HTTP request in pieces."""

    sha256: str
    """Which content."""
    pieces: tuple[bytes | Slice, ...]
    """In their order; the first one holds the head of the request, with the length of all that follows."""

    @property
    def size(self) -> int:
        """Octets of all pieces."""
        return sum(len(piece) if isinstance(piece, bytes) else piece.size for piece in self.pieces)
