"""A submission as the simulated MMSC reads and checks it: the envelope, and of every part its names and size.

What is wrong is an ``Mm7Problem`` with a status code and details, which become the answer. Octets of parts
are let go as they come, but for those that a check or a test needs.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from homing.wire.mime_reader import Event, MimeProblem, MimeReader, PartBegin, PartData, PartEnd
from homing.wire.mm7 import (
    ADDRESS_ERROR,
    CONTENT_REFUSED,
    FORMAT_CORRUPT,
    UNSUPPORTED_VERSION,
    Frame,
    Mm7Problem,
)
from homing.wire.mm7_relay import SubmitReq, read_submit
from homing.wire.mm7_request import SMIL_TYPES
from homing.wire.xml_document import XmlProblem, read_document

KNOWN_VERSIONS: Final = ("5.", "6.")
_LARGEST_TEXT: Final = 1_048_576
"""Octets of an envelope or a presentation."""


class ReceivedPart(msgspec.Struct):
    """A part as it came."""

    content_id: str
    location: str
    content_type: str
    size: int = 0
    octets: bytearray = msgspec.field(default_factory=bytearray)
    """What was kept of it."""
    around: frozenset[str] = frozenset()
    """Content-IDs of the multiparts that it lies in."""


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A submission that was read whole."""

    request: SubmitReq
    parts: tuple[ReceivedPart, ...]
    """Of the content."""


class SubmitReader:
    """Reads one request; ``keeps_parts`` holds all octets, for tests."""

    def __init__(self, headers: Mapping[str, str], *, keeps_parts: bool = False) -> None:
        self._content_type = headers.get("content-type", "")
        self._keeps_parts = keeps_parts
        self._parts: list[ReceivedPart] = []
        try:
            self._reader = MimeReader(headers)
        except MimeProblem as problem:
            raise _corrupt(str(problem)) from None

    def receive_data(self, octets: bytes) -> None:
        """More of the body."""
        try:
            self._take(self._reader.receive_data(octets))
        except MimeProblem as problem:
            raise _corrupt(str(problem)) from None

    def end(self) -> Submitted:
        """The body is whole: what it says, if it says anything."""
        try:
            self._take(self._reader.end())
        except MimeProblem as problem:
            raise _corrupt(str(problem)) from None
        envelope, *others = self._parts
        request = read_submit(bytes(envelope.octets), envelope.content_type)
        wanted = request.content_id
        parts = [part for part in others if wanted and wanted in (part.content_id, *part.around)]
        submitted = Submitted(request=request, parts=tuple(parts))
        check(submitted)
        return submitted

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case PartBegin(headers, ancestors):
                    self._parts.append(
                        ReceivedPart(
                            headers.content_id,
                            headers.fields.get("content-location", ""),
                            headers.fields.get("content-type", ""),
                            around=frozenset(each.content_id for each in ancestors if each.content_id),
                        )
                    )
                case PartData(octets):
                    self._keep(self._parts[-1], octets)
                case PartEnd():
                    pass

    def _keep(self, part: ReceivedPart, octets: bytes) -> None:
        part.size += len(octets)
        if self._keeps_parts or part is self._parts[0] or _media_type(part) in SMIL_TYPES:
            part.octets += octets
            if len(part.octets) > _LARGEST_TEXT and not self._keeps_parts:
                raise _corrupt("the envelope or the presentation is too long")


def check(submitted: Submitted) -> None:
    """Whether this MMSC delivers it; an ``Mm7Problem`` says why not."""
    request, parts = submitted.request, submitted.parts

    def wrong(code: int, details: str) -> Mm7Problem:
        return Mm7Problem(code, details, request.frame, "SubmitReq")

    if not request.frame.version.startswith(KNOWN_VERSIONS):
        raise wrong(UNSUPPORTED_VERSION, f"MM7Version {request.frame.version!r} is not known here")
    if not request.recipients:
        raise wrong(ADDRESS_ERROR, "there is no recipient")
    for recipient in request.recipients:
        digits = recipient.address.removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise wrong(ADDRESS_ERROR, f"{recipient.address[:60]!r} is no number")
    if not parts:
        raise wrong(CONTENT_REFUSED, f"cid:{request.content_id} names no part of this request")
    known = {each.content_id for each in parts} | {each.location for each in parts}
    for part in parts:
        if _media_type(part) in SMIL_TYPES:
            for reference in _references(part):
                if reference not in known:
                    raise wrong(
                        CONTENT_REFUSED, f"the presentation shows {reference[:60]!r}, which is missing"
                    )


def _references(part: ReceivedPart) -> list[str]:
    """What a presentation shows, by names of parts; what lies elsewhere counts for nothing."""
    try:
        root = read_document(bytes(part.octets))
    except XmlProblem as problem:
        raise _corrupt(f"the presentation cannot be read: {problem}") from None
    sources = [element.get("src", "").strip() for element in root.iter()]
    return [  # RFC 2392 §2
        unquote(source.removeprefix("cid:")) for source in sources if source and "://" not in source
    ]


def _media_type(part: ReceivedPart) -> str:
    return part.content_type.partition(";")[0].strip().lower()


def _corrupt(details: str) -> Mm7Problem:
    return Mm7Problem(FORMAT_CORRUPT, details, Frame(), None)
