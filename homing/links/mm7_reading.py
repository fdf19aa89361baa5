"""The body of a request of an MMS relay: its envelope, and its parts on their way to the content store.

Fed in pieces, in a thread. What goes wrong is a ``MimeProblem`` or ``ContentProblem``, with words for the
relay.
"""

from typing import Final
from urllib.parse import unquote

from homing.engine.contents import Contents
from homing.engine.mms_content import ContentProblem, Described, Kept, Limits, MmsContent
from homing.wire.mime_reader import Event, Headers, MimeProblem, MimeReader, PartBegin, PartData

LARGEST_ENVELOPE: Final = 262_144
_XML: Final = frozenset({"text/xml", "application/xml", "application/soap+xml", "application/mm7+xml"})


class Mm7Body:
    """One request. The envelope is the part that ``start`` names, or else the first one that is XML."""

    def __init__(self, content_type: str, contents: Contents, limits: Limits) -> None:
        headers = {"content-type": content_type}
        self._reader = MimeReader(headers)
        self._start = (Headers(headers).parameter("content-type", "start") or "").strip().strip("<>")
        self._content = MmsContent(contents, limits)
        self._content_ids: set[str] = set()
        self._is_envelope = False
        self._has_envelope = False
        self.is_open = True
        """It may hold something that is to be thrown away."""
        self.envelope = bytearray()
        self.envelope_type = ""
        """Its Content-Type, which may tell the charset."""

    def receive_data(self, octets: bytes) -> None:
        """More of the body."""
        self._take(self._reader.receive_data(octets))

    def end(self) -> None:
        """Nothing more comes."""
        self._take(self._reader.end())
        if not self._has_envelope:
            raise MimeProblem("there is no SOAP envelope in the request")

    def keep(self, content_id: str) -> Kept:
        """Keep the content with this Content-ID: a part, or all within a multipart; "" = all there is.

        What was spooled is thrown away.
        """
        if content_id not in self._content_ids:
            content_id = unquote(content_id)  # RFC 2392 §2
        if content_id and content_id not in self._content_ids:
            raise MimeProblem(f"Content names cid:{content_id[:100]}, and no part has this Content-ID")
        try:
            return self._content.keep(
                lambda part: not content_id or content_id in (part.content_id, *part.within)
            )
        finally:
            self.close()

    def close(self) -> None:
        """Throw away what is not kept."""
        self.is_open = False
        self._content.close()

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, PartBegin):
                self._begin(event)
            elif isinstance(event, PartData):
                self._write(event.octets)
            elif not self._is_envelope:
                self._content.end()

    def _begin(self, event: PartBegin) -> None:
        headers = event.headers
        self._is_envelope = not self._has_envelope and self._may_be_envelope(event)
        if self._is_envelope:
            self._has_envelope = True
            self.envelope_type = headers.fields.get("content-type", "")
            return
        within = tuple(filter(None, (each.content_id for each in event.ancestors[1:])))
        self._content_ids.update((headers.content_id, *within))
        self._content.begin(
            Described(
                content_type=headers.content_type,
                charset=headers.parameter("content-type", "charset"),
                name=_name_of(headers),
                location=headers.fields.get("content-location", "").strip(),
                content_id=headers.content_id,
                within=within,
            )
        )

    def _may_be_envelope(self, event: PartBegin) -> bool:
        if len(event.ancestors) > 1:
            return False
        if self._start and event.headers.content_id == self._start:
            return True
        return event.headers.content_type in _XML

    def _write(self, octets: bytes) -> None:
        if not self._is_envelope:
            self._content.write(octets)
            return
        self.envelope += octets
        if len(self.envelope) > LARGEST_ENVELOPE:
            raise ContentProblem(f"the envelope has more than {LARGEST_ENVELOPE} octets")


def _name_of(headers: Headers) -> str:
    return (
        headers.parameter("content-type", "name")
        or headers.parameter("content-disposition", "filename")
        or ""
    )
