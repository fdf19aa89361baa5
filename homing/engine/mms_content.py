"""The content of an MMS on its way in: parts as they come, bounded, and made into what the seed's zip holds.

Texts become UTF-8 while they come. At the end the parts that belong to the message are chosen; they get safe
names, the presentation is made to name them so, and the content store keeps them. Blocks: for threads.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.engine.contents import Chosen, Contents, Piece, Spool
from homing.model.mms import Content
from homing.wire.mms_manifest import file_names, is_media_type
from homing.wire.smil import CONTENT_TYPES, LARGEST, refer_to_files
from homing.wire.text_decoder import TextDecoder

LONGEST_TEXT: Final = 4_000
"""Octets of the text parts that stand in the message itself; the parts have all of it."""
UNKNOWN_TYPE: Final = "application/octet-stream"
"""In place of a media type that is none."""


class ContentProblem(Exception):
    """Why a content is not taken, in words for who sent it."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a message may be, in octets after decoding."""

    part: int
    message: int


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A part as its headers describe it."""

    content_type: str
    charset: str | None = None
    name: str = ""
    location: str = ""
    content_id: str = ""
    within: tuple[str, ...] = ()
    """The Content-IDs of the multiparts around it."""

    @property
    def wish(self) -> str:
        """The name that it would have as a file."""
        return self.location or self.name or self.content_id

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a presentation may call it by."""
        return tuple(filter(None, (self.location, self.name, self.content_id)))


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A content that the store has, and what its texts say."""

    content: Content
    text: str


_Spooled = tuple[Described, Piece]


class MmsContent:
    """One content on its way in. ``close`` it, whatever becomes of it."""

    def __init__(self, contents: Contents, limits: Limits) -> None:
        self._contents = contents
        self._limits = limits
        self._spool: Spool | None = None
        self._parts: list[_Spooled] = []
        self._part: Described | None = None
        self._decoder: TextDecoder | None = None
        self._part_size = 0
        self._size = 0

    def begin(self, part: Described) -> None:
        """A part begins."""
        if not is_media_type(part.content_type):
            part = msgspec.structs.replace(part, content_type=UNKNOWN_TYPE)
        self._part = part
        self._part_size = 0
        is_text = part.content_type.startswith("text/")
        self._decoder = TextDecoder(part.charset) if is_text else None

    def write(self, octets: bytes) -> None:
        """More of it."""
        self._write(octets if self._decoder is None else self._decoder.decode(octets))

    def end(self) -> None:
        """It is whole."""
        assert self._part is not None
        if self._decoder is not None:
            self._write(self._decoder.end())
        self._parts.append((self._part, self._open().end_part()))
        self._part = self._decoder = None

    def keep(self, belongs: Callable[[Described], bool]) -> Kept:
        """Keep the parts that belong to the message. Durable when it returns."""
        parts = [(part, piece) for part, piece in self._parts if belongs(part)]
        names = file_names([(part.wish, part.content_type) for part, _ in parts])
        files = {name: file for (part, _), file in zip(parts, names, strict=True) for name in part.names}
        chosen = [
            Chosen(name=name, content_type=part.content_type, piece=self._presented(part, piece, files))
            for (part, piece), name in zip(parts, names, strict=True)
        ]
        content = self._contents.keep(self._open(), chosen)
        return Kept(content=content, text=self._text(parts))

    def close(self) -> None:
        """Throw away what was spooled."""
        if self._spool is not None:
            self._spool.close()

    def _open(self) -> Spool:
        if self._spool is None:
            self._spool = self._contents.spool()
        return self._spool

    def _write(self, octets: bytes) -> None:
        self._part_size += len(octets)
        self._size += len(octets)
        if self._part_size > self._limits.part:
            raise ContentProblem(f"a part has more than {self._limits.part} octets")
        if self._size > self._limits.message:
            raise ContentProblem(f"the parts have more than {self._limits.message} octets")
        if octets:
            self._open().write(octets)

    def _presented(self, part: Described, piece: Piece, files: Mapping[str, str]) -> Piece:
        """A presentation that names files; any other part as it is."""
        if part.content_type not in CONTENT_TYPES or piece.size > LARGEST:
            return piece
        spool = self._open()
        octets = refer_to_files(spool.read(piece), files)
        if hashlib.sha256(octets).hexdigest() == piece.sha256:
            return piece
        spool.write(octets)
        return spool.end_part()

    def _text(self, parts: Sequence[_Spooled]) -> str:
        texts = []
        left = LONGEST_TEXT
        for part, piece in parts:
            if part.content_type == "text/plain" and left > 0:
                octets = self._open().read(msgspec.structs.replace(piece, size=min(piece.size, left)))
                left -= len(octets)
                texts.append(octets.decode("utf-8", "ignore").strip())  # it may be cut within a character
        return "\n".join(filter(None, texts))
