"""A submission of an MMS as an HTTP request to a relay: envelope and content in one body. TS 23.140 §8.7

The content is a multipart of its own, ``related`` when it has a presentation (SMIL) and ``mixed`` else. Its
parts are pieces of the content zip, which keeps them as they are. SMIL names other parts by file name or as
``cid:``; both are the name of the part in the zip, so both are found. RFC 2387, RFC 2557 §4, RFC 2392
"""

from base64 import b64encode
from hashlib import sha256
from typing import Final

import msgspec

from homing import __version__
from homing.model.message import Submission
from homing.model.mms import Part
from homing.model.report import READ_REPORT_BIT
from homing.wire.mime_writer import Entity, header_lines, joined, multipart, size_of
from homing.wire.mm7 import DEFAULT_NAMESPACE, DEFAULT_VERSION, Submit, write_submit
from homing.wire.streamed import Slice, Streamed
from homing.wire.target import Target

ENVELOPE_ID: Final = "envelope@homing"
CONTENT_ID: Final = "content@homing"
"""Names of parts of the content have no @, so that these are none of theirs."""
SMIL_TYPES: Final = frozenset({"application/smil", "application/smil+xml"})
_BINARY: Final = ("Content-Transfer-Encoding", "binary")


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """What the requests to one relay share."""

    target: Target
    path: str
    user: str = ""
    """Empty = no login."""
    password: str = ""
    vasp_id: str = ""
    vas_id: str = ""
    namespace: str = DEFAULT_NAMESPACE
    version: str = DEFAULT_VERSION

    def __repr__(self) -> str:
        return f"Relay({self.target.authority!r})"


def render_submit(relay: Relay, submission: Submission) -> Streamed:
    """The whole request. Delivery reports are always asked for: the trace and the mailbox show them."""
    assert submission.mms is not None
    content = submission.mms.content
    # Who makes a content cannot know the mark: it follows from the hash of what he makes.
    mark = sha256(f"{submission.id} {content.sha256}".encode()).hexdigest()[:32]
    outer, inner = f"=_homing-{mark}", f"=_content-{mark}"
    envelope = write_submit(
        Submit(
            transaction_id=str(submission.id), namespace=relay.namespace, version=relay.version,
            vasp_id=relay.vasp_id, vas_id=relay.vas_id, sender=submission.sender,
            recipient=submission.recipient, subject=submission.mms.subject, wants_delivery_report=True,
            wants_read_report=bool(submission.report_bits & READ_REPORT_BIT),
            expires_after_s=submission.validity_s, content_id=CONTENT_ID,
        )
    )  # fmt: skip
    root = next((part for part in content.parts if part.content_type in SMIL_TYPES), None)
    body = multipart(
        outer,
        (
            Entity(
                (
                    ("Content-Type", "text/xml; charset=utf-8"),
                    ("Content-ID", f"<{ENVELOPE_ID}>"),
                    _BINARY,
                ),
                (envelope,),
            ),
            Entity(
                (("Content-Type", _content_type(inner, root)), ("Content-ID", f"<{CONTENT_ID}>"), _BINARY),
                multipart(inner, [_entity(part) for part in _ordered(content.parts, root)]),
            ),
        ),
    )
    return Streamed(sha256=content.sha256, pieces=tuple(joined([_head(relay, outer, size_of(body)), *body])))


def basic_credentials(user: str, password: str) -> str:
    """The value of an Authorization header."""  # RFC 7617 §2
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def related(boundary: str, media_type: str, start: str) -> str:
    """The Content-Type of a multipart of which one part is the root."""  # RFC 2387 §3
    return f'multipart/related; boundary="{boundary}"; type="{media_type}"; start="<{start}>"'


def _head(relay: Relay, boundary: str, size: int) -> bytes:
    login = [("Authorization", basic_credentials(relay.user, relay.password))] if relay.user else []
    lines = header_lines(
        (
            ("Host", relay.target.authority),
            ("User-Agent", f"Homing/{__version__}"),
            ("Accept", "text/xml, multipart/related"),
            *login,
            ("Content-Type", related(boundary, "text/xml", ENVELOPE_ID)),
            ("SOAPAction", '""'),  # SOAP 1.1 §6.1.1
            ("Content-Length", str(size)),
        )
    )
    return f"POST {relay.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


def _content_type(boundary: str, root: Part | None) -> str:
    if root is None:
        return f'multipart/mixed; boundary="{boundary}"'
    return related(boundary, root.content_type, root.name)


def _ordered(parts: tuple[Part, ...], root: Part | None) -> list[Part]:
    """The presentation first: some phones look for it nowhere else."""
    return sorted(parts, key=lambda part: part is not root)


def _entity(part: Part) -> Entity:
    is_text = part.content_type.startswith("text/")
    return Entity(
        (
            ("Content-Type", f"{part.content_type}; charset=utf-8" if is_text else part.content_type),
            ("Content-ID", f"<{part.name}>"),
            ("Content-Location", part.name),
            _BINARY,
        ),
        (Slice(part.offset, part.size),),
    )
