"""The body of an MMS as a mail: what a person reads first, then every part as a file.

The parts are slices of the content, which is read when the mail is sent. The same message is always the same
octets: the boundary is made of its id and its content. Neither quoted-printable nor base64 can hold it.
"""

from binascii import b2a_qp
from collections.abc import Sequence
from typing import Final

from homing.model.mms import Mms, Part
from homing.wire import smil
from homing.wire.mail_pieces import MailPieces
from homing.wire.mms_manifest import is_media_type, is_safe_name
from homing.wire.streamed import Slice

_IN_WHOLE: Final = ("multipart/", "message/")
"""Their parts may not be base64. RFC 2045 §6.4"""
_UNKNOWN: Final = "application/octet-stream"


def said_with_parts(text: str, mms: Mms) -> str:
    """What a person reads in a mail with the parts."""
    return _said(text, "Attached:", attached(mms))


def said_without_parts(text: str, mms: Mms, until: str) -> str:
    """What a person reads when the content is not kept any more; ``until`` when that might be, as text."""
    return _said(text, f"The parts of this MMS were kept until {until}, and are gone:", attached(mms))


def attached(mms: Mms) -> Sequence[Part]:
    """The parts in the order in which a mail has them: how they are to be shown comes last."""
    return sorted(mms.content.parts, key=lambda part: part.content_type in smil.CONTENT_TYPES)


def with_parts(head: bytes, text: str, mms: Mms, event: int) -> MailPieces:
    """The whole mail; ``head`` are its headers but those of the body, ``text`` is what a person reads."""
    boundary = f"=_{event}_{mms.content.sha256[:32]}"  # RFC 2045 §6.7: no "=_" in quoted-printable
    pieces: list[bytes | Slice] = []
    before = b"".join(
        (
            head,
            f'Content-Type: multipart/mixed;\r\n boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode("ascii"),
            _quoted(text),
        )
    )
    for part in attached(mms):
        before += f"\r\n--{boundary}\r\n{_headers(part)}\r\n".encode("ascii")
        if part.size:
            pieces += (before, Slice(part.offset, part.size))
            before = b""
    pieces.append(before + f"\r\n--{boundary}--\r\n".encode("ascii"))  # RFC 2046 §5.1.1
    return MailPieces(sha256=mms.content.sha256, pieces=tuple(pieces))


def _headers(part: Part) -> str:
    media_type = part.content_type
    if not is_media_type(media_type) or media_type.lower().startswith(_IN_WHOLE):
        media_type = _UNKNOWN
    name = part.name if is_safe_name(part.name) else "part.bin"
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    place = "inline" if media_type.startswith("image/") else "attachment"  # RFC 2183 §2.1
    return (
        f'Content-Type: {media_type}{charset};\r\n name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: {place};\r\n filename="{name}"\r\n'
    )


def _said(text: str, before: str, parts: Sequence[Part]) -> str:
    blank = "" if not text else "\n" if text.endswith(("\n", "\r")) else "\n\n"
    lines = [f"{part.name} ({part.content_type}, {part.size} octets)" for part in parts]
    return f"{text}{blank}" + "\n".join([before, *(lines or ["nothing"]), ""])


def _quoted(text: str) -> bytes:
    """Quoted-printable of lines, the last of which ends too."""  # RFC 2045 §6.7
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return b2a_qp(lines.encode("utf-8", "replace").replace(b"\n", b"\r\n"), istext=True)
