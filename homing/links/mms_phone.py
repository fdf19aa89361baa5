"""An MMS from a simulated phone, as an MMSC brings it: a DeliverReq with the content, whole or with a fault.

Pure: what it is made of comes in, the body of a request comes out. TS 23.140 §8.7
"""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from homing.links.mms_samples import TEXT, samples, smil
from homing.wire.mime_writer import Entity, Pieces, multipart
from homing.wire.mm7 import DeliverReq, Frame, Recipient
from homing.wire.mm7_relay import write_deliver
from homing.wire.mm7_request import related
from homing.wire.mms_manifest import file_names

FAULTS: Final[Mapping[str, str]] = {
    "wrong-namespace": "The envelope has a namespace that nobody knows; it must be taken all the same.",
    "missing-cid": "The envelope names a content that is not there.",
    "truncated": "The body ends before its end.",
    "repeated": "The same request comes twice; it must be one message.",
    "huge": "The message is larger than `[mms] max_message_bytes`.",
    "group": "Two recipients, one of them only to be shown.",
    "nested": "The parts lie in a multipart within the content.",
    "base64": "The parts are in base64.",
    "quoted-printable": "The parts are in quoted-printable.",
    "latin1": "The text is in ISO 8859-1.",
}
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "smil": "application/smil", "smi": "application/smil", "txt": "text/plain", "html": "text/html",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "png": "image/png", "bmp": "image/bmp",
    "wbmp": "image/vnd.wap.wbmp", "amr": "audio/amr", "mp3": "audio/mpeg", "m4a": "audio/mp4",
    "mid": "audio/midi", "wav": "audio/x-wav", "3gp": "video/3gpp", "3g2": "video/3gpp2",
    "mp4": "video/mp4", "mpg": "video/mpeg", "vcf": "text/x-vcard", "vcs": "text/x-vcalendar",
    "ics": "text/calendar",
}  # fmt: skip
"""By the extension of a file; any other file is ``application/octet-stream``."""

_ENVELOPE_ID: Final = "envelope@phone"
_CONTENT_ID: Final = "content@phone"
_NOBODYS: Final = "urn:nobody:knows:mm7"
_SHOWN_ONLY: Final = "447700900999"


class File(msgspec.Struct, frozen=True):
    """A file in a message."""

    name: str
    content_type: str
    octets: bytes


class PhoneMms(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone sends."""

    sender: str
    to: tuple[str, ...]
    subject: str = ""
    files: tuple[File, ...]
    has_smil: bool = True
    is_single: bool = False
    """The first file is the whole content, without a multipart around it."""


class DeliverRequest(msgspec.Struct, frozen=True):
    """The request of an MMSC."""

    content_type: str
    body: bytes


def media_type_of(name: str) -> str:
    """By the extension."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def files_of(named: Sequence[tuple[str, bytes]], text: str | None) -> tuple[File, ...]:
    """The files of a message: those that are given and the text, or the samples when none is given."""
    if named:
        found = [(name, media_type_of(name), octets) for name, octets in named]
    else:
        found = [each for each in samples() if each[1] != "text/plain"]
        text = TEXT if text is None else text
    if text is not None:
        found.append(("words.txt", "text/plain", text.encode("utf-8", "replace")))
    names = file_names([(name, media_type) for name, media_type, _ in found])
    return tuple(File(name, each[1], each[2]) for name, each in zip(names, found, strict=True))


def write_request(
    mms: PhoneMms, *, transaction: str, timestamp: str, fault: str | None = None, limit_bytes: int = 0
) -> DeliverRequest:
    """The request, whole or with one of the ``FAULTS``; ``limit_bytes`` is what the huge one is above."""
    mark = sha256(transaction.encode()).hexdigest()[:24]
    files = list(mms.files)
    if fault == "huge":
        files.append(File("large.bin", "application/octet-stream", bytes(limit_bytes + 1)))
    if mms.has_smil and not mms.is_single:
        smil_ = smil([(file.name, file.content_type) for file in files])
        files.insert(0, File("show.smil", "application/smil", smil_))
    content = _content(mms, files, fault, mark)
    envelope = Entity(
        (("Content-Type", "text/xml; charset=utf-8"), ("Content-ID", f"<{_ENVELOPE_ID}>")),
        (write_deliver(_deliver(mms, transaction, fault), timestamp),),
    )
    body = b"".join(
        piece for piece in multipart(f"outer-{mark}", (envelope, content)) if type(piece) is bytes
    )
    if fault == "truncated":
        body = body[: len(body) * 3 // 4]
    return DeliverRequest(related(f"outer-{mark}", "text/xml", _ENVELOPE_ID), body)


def _deliver(mms: PhoneMms, transaction: str, fault: str | None) -> DeliverReq:
    to = tuple(Recipient(number) for number in mms.to)
    if fault == "group":
        shown = to[1:] or (Recipient(_SHOWN_ONLY),)
        to = (to[0], *(Recipient(each.address, True) for each in shown))
    frame = Frame(transaction_id=transaction)
    if fault == "wrong-namespace":
        frame = Frame(transaction_id=transaction, namespace=_NOBODYS)
    return DeliverReq(
        frame=frame, sender=mms.sender, to=to, subject=mms.subject, linked_id=transaction,
        content_id="nowhere@phone" if fault == "missing-cid" else _CONTENT_ID,
    )  # fmt: skip


def _content(mms: PhoneMms, files: list[File], fault: str | None, mark: str) -> Entity:
    name = ("Content-ID", f"<{_CONTENT_ID}>")
    entities = [_entity(file, fault) for file in files]
    if mms.is_single:
        headers = [header for header in entities[0].headers if header[0] != "Content-ID"]
        return Entity((*headers, name), entities[0].body)
    kind = f'multipart/mixed; boundary="inner-{mark}"'
    if mms.has_smil:
        kind = related(f"inner-{mark}", files[0].content_type, files[0].name)
    inner: Pieces
    if fault == "nested":
        deepest = Entity(
            (("Content-Type", f'multipart/mixed; boundary="deepest-{mark}"'),),
            multipart(f"deepest-{mark}", entities),
        )
        inner = multipart(f"inner-{mark}", (deepest,))
    else:
        inner = multipart(f"inner-{mark}", entities)
    return Entity((("Content-Type", kind), name), inner)


def _entity(file: File, fault: str | None) -> Entity:
    octets, kind, encoding = file.octets, file.content_type, "binary"
    if kind.startswith("text/"):
        if fault == "latin1":
            octets = octets.decode("utf-8", "replace").encode("latin-1", "replace")
        kind += f"; charset={'iso-8859-1' if fault == 'latin1' else 'utf-8'}"
    if fault == "base64":
        octets, encoding = encodebytes(octets), fault  # RFC 2045 §6.8
    elif fault == "quoted-printable":
        octets, encoding = b2a_qp(octets, istext=False), fault  # RFC 2045 §6.7
    headers = (
        ("Content-Type", kind),
        ("Content-ID", f"<{file.name}>"),
        ("Content-Location", file.name),
        ("Content-Transfer-Encoding", encoding),
    )
    return Entity(headers, (octets,))
