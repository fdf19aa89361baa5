"""A MIME entity read as it comes: parts within parts, their octets decoded, in bounded memory.

For bodies of MM7 and of form uploads. Feed ``receive_data`` in pieces of any size, then ``end``; both give
events. Nothing is held but headers, the tail in which a delimiter may begin, and a few octets that a transfer
encoding needs together. Tolerated is what senders write: bare LF as line end, no preamble, an inner multipart
that is not closed, blanks after a boundary, ill base64. An entity that is not closed itself was cut short.

What goes wrong is a ``MimeProblem`` with a text for the peer; after it nothing more may be fed.
"""

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Final

import msgspec

from homing.wire.transfer_encoding import Decoder, decoder_of

DEPTH: Final = 4
"""Multiparts within multiparts, at most."""
PARTS: Final = 100
HEADER_OCTETS: Final = 16_384
"""Of all headers of one part."""
HEADERS: Final = 50
_LONGEST_BOUNDARY: Final = 200  # RFC 2046 §5.1.1 has 70; some write more
_BLANKS: Final = 64
"""After a boundary, at most."""
_END_OF_HEADERS: Final = re.compile(rb"\r?\n(\r?\n)")
_NOTHING: Final = re.compile(rb"(?!)")
_BEGIN: Final = b"\n--"
_CR: Final = 0x0D
_NAME: Final = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 §2.2


class MimeProblem(Exception):
    """What is wrong with an entity, in words for who sent it."""


class Headers(msgspec.Struct, frozen=True):
    """The headers of a part; of a name that comes twice the first counts."""

    fields: Mapping[str, str]
    """By name in lower case, unfolded, not decoded."""

    def value(self, name: str) -> str:
        """What stands before the first semicolon, in lower case; "" when it is missing."""
        return self.fields.get(name, "").partition(";")[0].strip().lower()

    def parameter(self, header: str, name: str) -> str | None:
        """A parameter of a header, also in the form of RFC 2231."""
        text = self.fields.get(header)
        if text is None:
            return None
        message = Message()
        message[header] = text
        try:
            found = message.get_param(name, header=header)
            if isinstance(found, tuple):  # RFC 2231 §4
                charset, _, value = found
                return value.encode("latin-1", "replace").decode(charset or "utf-8", "replace")
        except (ValueError, LookupError, UnicodeError):
            return None
        return None if found is None else str(found)

    @property
    def content_type(self) -> str:
        """The media type in lower case; ``text/plain`` when there is none. RFC 2045 §5.2"""
        value = self.value("content-type")
        return value if value.count("/") == 1 else "text/plain"

    @property
    def content_id(self) -> str:
        """Without its brackets; "" when there is none."""
        return self.fields.get("content-id", "").strip().strip("<>")


class PartBegin(msgspec.Struct, frozen=True):
    """A part that is no multipart begins. ``ancestors`` are the multiparts around it, the outermost first."""

    headers: Headers
    ancestors: Sequence[Headers]


class PartData(msgspec.Struct, frozen=True):
    """Octets of the part that has begun, decoded."""

    octets: bytes


class PartEnd(msgspec.Struct, frozen=True):
    """The part is whole."""


Event = PartBegin | PartData | PartEnd


class _Multipart:
    """A multipart that is open."""

    __slots__ = ("delimiter", "headers")

    def __init__(self, headers: Headers) -> None:
        boundary = headers.parameter("content-type", "boundary")
        if not boundary or len(boundary) > _LONGEST_BOUNDARY:
            raise MimeProblem("a multipart has no boundary, or too long a one")
        self.headers = headers
        self.delimiter = b"--" + boundary.encode("utf-8", "replace").rstrip(b" ")


class MimeReader:
    """Reads one entity, whose own headers came before it (of HTTP, for example)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """``headers`` by name in lower case."""
        self._open: list[_Multipart] = []
        self._buffer = bytearray()
        self._delimiters = _NOTHING
        self._margin = 0
        """So many octets at the end may be the beginning of a delimiter."""
        self._decoder: Decoder | None = None
        """Of the part that is being read; None = what comes is no part's."""
        self._lead = 0
        """Octets at the front that end the headers, and may begin a delimiter as well."""
        self._in_headers = False
        self._is_over = False
        self._parts = 0
        self._events: list[Event] = []
        self._begin(Headers(headers))
        self._is_single = not self._open
        if self._open:
            self._buffer += b"\n"  # the first delimiter needs no line end before it

    def receive_data(self, octets: bytes) -> list[Event]:
        """What these octets complete."""
        self._buffer += octets
        self._read(is_end=False)
        return self._told()

    def end(self) -> list[Event]:
        """Nothing more comes."""
        self._read(is_end=True)
        if self._is_single:
            self._close_part()
        elif not self._is_over:
            raise MimeProblem("the entity is cut short: its closing delimiter is missing")
        if not self._parts:
            raise MimeProblem("the entity has no part")
        return self._told()

    def _told(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _read(self, *, is_end: bool) -> None:
        if self._is_single:
            self._data(len(self._buffer))
            return
        while not self._is_over:
            if self._in_headers:
                if not self._read_headers():
                    return
                continue
            match = self._next_delimiter()
            if match is None:
                self._data(len(self._buffer) if is_end else max(0, len(self._buffer) - self._margin))
                return
            # The match looks into the buffer, so all is taken from it before the buffer changes.
            start, end, delimiter, is_close = *match.span(), match[1], bool(match[2])
            is_whole = is_end or end + 2 <= len(self._buffer)
            self._data(start)
            if not is_whole:
                return  # it may go on
            del self._buffer[: end - start]
            self._delimit(delimiter, is_close)
        self._buffer.clear()  # an epilogue

    def _next_delimiter(self) -> re.Match[bytes] | None:
        """The first one in the buffer. A plain search for how all of them begin is many times faster."""
        at = self._buffer.find(_BEGIN)
        while at >= 0:
            begin = at - 1 if at and self._buffer[at - 1] == _CR else at
            match = self._delimiters.match(self._buffer, begin)
            if match is not None:
                return match
            at = self._buffer.find(_BEGIN, at + 1)
        return None

    def _data(self, count: int) -> None:
        """Take so many octets from the front; they are the part's, if there is one."""
        octets = bytes(self._buffer[self._lead : count])
        del self._buffer[:count]
        self._lead = max(0, self._lead - count)
        if self._decoder is not None and octets:
            self._tell(self._decoder.decode(octets))

    def _tell(self, octets: bytes) -> None:
        if octets:
            self._events.append(PartData(octets))

    def _close_part(self) -> None:
        if self._decoder is not None:
            self._tell(self._decoder.end())
            self._events.append(PartEnd())
            self._decoder = None

    # --- delimiters and headers ---

    def _delimit(self, delimiter: bytes, is_close: bool) -> None:
        """A delimiter of one of the open multiparts: those within it are over."""
        self._close_part()
        self._lead = 0
        while self._open[-1].delimiter != delimiter:
            self._open.pop()
        if is_close:
            self._open.pop()
            self._is_over = not self._open
        else:
            self._in_headers = True
        self._watch()

    def _watch(self) -> None:
        """Look for the delimiters of the multiparts that are open."""  # RFC 2046 §5.1.1
        longest_first = sorted({each.delimiter for each in self._open}, key=len, reverse=True)
        if longest_first:
            words = b"|".join(re.escape(delimiter) for delimiter in longest_first)
            self._delimiters = re.compile(rb"\r?\n(%b)(--)?[ \t]{0,%d}(?=\r?\n|\Z)" % (words, _BLANKS))
            self._margin = len(longest_first[0]) + _BLANKS + 6

    def _read_headers(self) -> bool:
        """Take the headers at the front, when they are whole.

        The line end of the delimiter stands before them, so that none at all are a blank line.
        """
        match = _END_OF_HEADERS.search(self._buffer)
        if (match.start() if match else len(self._buffer)) > HEADER_OCTETS:
            raise MimeProblem(f"the headers of a part have more than {HEADER_OCTETS} octets")
        if match is None:
            return False
        block = bytes(self._buffer[: match.start()])
        self._lead = len(match[1])
        del self._buffer[: match.start(1)]
        self._in_headers = False
        self._begin(_headers_of(block))
        return True

    def _begin(self, headers: Headers) -> None:
        """A part begins: a multipart is opened, any other is told of."""
        if headers.content_type.startswith("multipart/"):
            if len(self._open) >= DEPTH:
                raise MimeProblem(f"multiparts lie more than {DEPTH} deep")
            self._open.append(_Multipart(headers))
            self._watch()
            return
        self._parts += 1
        if self._parts > PARTS:
            raise MimeProblem(f"the entity has more than {PARTS} parts")
        try:
            self._decoder = decoder_of(headers.value("content-transfer-encoding"))
        except ValueError as error:
            raise MimeProblem(str(error)) from None
        self._events.append(PartBegin(headers, tuple(each.headers for each in self._open)))


def _headers_of(block: bytes) -> Headers:
    text = block.decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for line in re.split(r"\r?\n", re.sub(r"\r?\n[ \t]+", " ", text)):
        name, colon, value = line.partition(":")
        if colon and _NAME.fullmatch(name.strip()):  # RFC 5322 §2.2
            fields.setdefault(name.strip().lower(), value.strip())
        if len(fields) > HEADERS:
            raise MimeProblem(f"a part has more than {HEADERS} headers")
    return Headers(fields)
