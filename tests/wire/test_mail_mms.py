"""An MMS as a mail: every part comes out of the standard library's parser as it went in."""

import hashlib
import re
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any, cast
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.account import Endpoint
from homing.model.message import ReceivedMessage
from homing.model.mms import Content, Mms, Part
from homing.wire.mail_digest import write_digest
from homing.wire.mail_pieces import MailPieces, encoded
from homing.wire.mms_manifest import file_names
from homing.wire.mms_zip import File, lay_out
from homing.wire.push_mail import MailPush, read_posting
from tests.wire.test_mail import (
    BODY,
    ENVELOPE,
    ID,
    MESSAGE,
    ON,
    REPORT,
    TEXTS,
    WRITER,
    changed,
    headers,
    parsed,
)

OF_MMS = [
    "X-Homing-Id", "X-Homing-Kind", "X-Homing-Sms-Id", "X-Homing-Parts", "X-Homing-Mms-Parts",
    "X-Homing-Mms-Content", "X-Homing-Mms-Expires", "X-Homing-Mms-Sha256",
]  # fmt: skip
Files = Sequence[tuple[str, str, bytes]]
FILES: Files = (
    ("show.smil", "application/smil", b"<smil/>"),
    ("pic.gif", "image/gif", b"GIF89a\x01\x00"),
    ("words.txt", "text/plain", "Schöne Grüße".encode()),
)


def an_mms(files: Files = FILES, **values: Any) -> tuple[ReceivedMessage, bytes]:
    """A message with a content, and the octets of that."""
    layout = lay_out([File(name, kind, len(octets), crc32(octets)) for name, kind, octets in files])
    pairs = zip(layout.headers, files, strict=True)
    content = b"".join(header + octets for header, (_, _, octets) in pairs) + layout.trailer
    parts = tuple(
        Part(
            name=name,
            content_type=kind,
            size=len(octets),
            offset=at,
            sha256=hashlib.sha256(octets).hexdigest(),
        )
        for (name, kind, octets), at in zip(files, layout.offsets, strict=True)
    )
    made = {
        "content": Content(sha256=hashlib.sha256(content).hexdigest(), size=len(content), parts=parts),
        "expires_at_ms": 1_702_592_000_000,
    }  # fmt: skip
    of_message = {name: values.pop(name) for name in ("text", "sender") if name in values}
    return changed(MESSAGE, mms=Mms(**made | values), **of_message), content


def octets_of(mail: MailPieces, content: bytes) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else encoded(content[piece.offset : piece.offset + piece.size])
        for piece in mail.pieces
    )


GOLDEN = """\
X-Homing-Kind: mms\r
X-Homing-Sms-Id: {id}\r
X-Homing-Parts: 1\r
X-Homing-Mms-Parts: 3\r
X-Homing-Mms-Content: attached\r
X-Homing-Mms-Expires: 2023-12-14 22:13:20 UTC\r
X-Homing-Mms-Sha256: {sha256}\r
X-Homing-Mms-Subject: Hols\r
X-Homing-Mms-To: 60999, ann@ox.test\r
X-Homing-Network: VODAFONE-UK\r
X-Homing-Carrier-Code: 23415\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed;\r
 boundary="=_{id}_{short}"\r
\r
--=_{id}_{short}\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
Sch=C3=B6ne Gr=C3=BC=C3=9Fe\r
\r
Attached:\r
pic.gif (image/gif, 8 octets)\r
words.txt (text/plain, 15 octets)\r
show.smil (application/smil, 7 octets)\r
\r
--=_{id}_{short}\r
Content-Type: image/gif;\r
 name="pic.gif"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: inline;\r
 filename="pic.gif"\r
\r
R0lGODlhAQA=\r
\r
--=_{id}_{short}\r
Content-Type: text/plain; charset=utf-8;\r
 name="words.txt"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment;\r
 filename="words.txt"\r
\r
U2Now7ZuZSBHcsO8w59l\r
\r
--=_{id}_{short}\r
Content-Type: application/smil;\r
 name="show.smil"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment;\r
 filename="show.smil"\r
\r
PHNtaWwvPg==\r
\r
--=_{id}_{short}--\r
"""


def test_the_whole_mail() -> None:
    message, content = an_mms(subject="Hols", to=("60999", "ann@ox.test"), text="Schöne Grüße")
    assert message.mms is not None
    sha256 = message.mms.content.sha256
    mail = WRITER.write_mms(message)
    octets = octets_of(mail, content)
    _, of_mms = octets.decode("ascii").split(f"X-Homing-Id: {ID}\r\n")
    assert of_mms == GOLDEN.format(id=ID, sha256=sha256, short=sha256[:32])
    assert mail.sha256 == sha256
    assert len(mail) == len(octets)
    assert WRITER.write_mms(message) == mail
    assert headers(octets)["Subject"] == "Hols"


def test_a_subject_is_made_where_there_is_none() -> None:
    for text, subject in (("Hi\nthere", "MMS from +447700900001: Hi there"), ("", "MMS from +447700900001")):
        message, content = an_mms(text=text)
        assert headers(octets_of(WRITER.write_mms(message), content))["Subject"] == subject


def test_a_content_that_is_gone_is_said_to_be() -> None:
    message, _ = an_mms(subject="Hols", text="Hi")
    octets = WRITER.write(message)
    assert headers(octets)["X-Homing-Mms-Content"] == "gone"
    assert headers(octets)["X-Homing-Kind"] == "mms"
    assert parsed(octets).get_content().splitlines() == [
        "Hi", "", "The parts of this MMS were kept until 2023-12-14 22:13:20 UTC, and are gone:",
        "pic.gif (image/gif, 8 octets)", "words.txt (text/plain, 15 octets)",
        "show.smil (application/smil, 7 octets)",
    ]  # fmt: skip


def test_nothing_in_it() -> None:
    message, content = an_mms((), text="")
    text, *rest = parts_of(octets_of(WRITER.write_mms(message), content))
    assert (text.get_content(), rest) == ("Attached:\r\nnothing\r\n", [])


def test_no_text_is_a_boundary() -> None:
    message, _ = an_mms()
    found = re.search(
        rb'boundary="(.*)"', b"".join(p for p in WRITER.write_mms(message).pieces if type(p) is bytes)
    )
    assert found is not None
    text = f"--{found[1].decode()}\n--{found[1].decode()}--\n."
    message, content = an_mms(text=text)
    said, *files = parts_of(octets_of(WRITER.write_mms(message), content))
    assert said.get_content().replace("\r\n", "\n").startswith(text)
    assert len(files) == 3


@pytest.mark.parametrize(
    "content_type", ["message/rfc822", "Multipart/mixed", "x", "a/b\r\nBcc: x@y", "a/b; name=x", "é/é", ""]
)
def test_a_type_that_no_part_of_a_mail_may_have(content_type: str) -> None:
    message, content = an_mms((("a.eml", "image/gif", b"Subject: x\r\n\r\n"),))
    assert message.mms is not None
    (part,) = message.mms.content.parts
    made = changed(message.mms.content, parts=(changed(part, content_type=content_type, name="ü\r\n"),))
    message = changed(message, mms=changed(message.mms, content=made))
    _, file = parts_of(octets_of(WRITER.write_mms(message), content))
    assert (file.get_content_type(), file.get_filename()) == ("application/octet-stream", "part.bin")
    assert file.get_payload(decode=True) == b"Subject: x\r\n\r\n"


def parts_of(octets: bytes) -> list[EmailMessage]:
    mail = parsed(octets)
    assert not mail.defects
    parts = [cast(EmailMessage, part) for part in mail.iter_parts()]
    assert not any(part.defects for part in parts)
    return parts


TYPES = st.sampled_from(
    ["image/jpeg", "image/gif", "audio/amr", "video/3gpp", "text/plain", "text/x-vcard", "application/smil"]
)
FILE_LISTS = st.lists(st.tuples(st.text(max_size=80), TYPES, st.binary(max_size=300)), max_size=6)


@settings(max_examples=200, deadline=None)
@given(files=FILE_LISTS, text=TEXTS, subject=TEXTS, cc=TEXTS, sender=TEXTS)
def test_every_part_comes_out_as_it_went_in(
    files: list[tuple[str, str, bytes]], text: str, subject: str, cc: str, sender: str
) -> None:
    names = file_names([(name, kind) for name, kind, _ in files])
    files = [(name, kind, octets) for name, (_, kind, octets) in zip(names, files, strict=True)]
    message, content = an_mms(files, text=text, subject=subject, cc=(cc,), sender=sender)
    mail = ON.write_mms(message, (("Homing-Attempt", "1"),))
    octets = octets_of(mail, content)
    assert len(mail) == len(octets)
    assert re.fullmatch(rb"(?:[\t\x20-\x7e]{0,998}\r\n)+", octets)
    optional = {"X-Homing-Mms-Subject": subject, "X-Homing-Mms-Cc": cc}
    assert sorted(parsed(octets).keys()) == sorted(
        [
            *ENVELOPE,
            "Sender",
            "Homing-Attempt",
            *OF_MMS,
            *BODY[:2],
            "X-Homing-Network",
            "X-Homing-Carrier-Code",
        ]
        + [name for name, value in optional.items() if value]
    )
    said, *found = parts_of(octets)
    lines = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert said.get_content().replace("\r\n", "\n").startswith(lines)
    expected = sorted(files, key=lambda file: file[1] == "application/smil")
    assert [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in found] == expected


# --- in e-mail pushes ---


def test_it_is_packed_and_unpacked_for_the_transport() -> None:
    message, _ = an_mms(subject="Hols")
    push = MailPush(Endpoint(id=1, account="a", events=("message",), format="email", email="ann@ox.test"))
    assert push.wants(message)
    assert read_posting(push.render(message, 3, 0)).event == message


@pytest.mark.parametrize(
    ("events", "of_sms", "of_mms"),
    [(("report",), True, False), (("mms-report",), False, True), (("message",), False, False)],
)
def test_reports_about_mms_are_a_kind_of_their_own(events: Any, of_sms: bool, of_mms: bool) -> None:
    push = MailPush(Endpoint(id=1, account="a", events=events, format="email", email="ann@ox.test"))
    read = changed(REPORT, is_mms=True, reason="read", report_bits=8)
    assert push.wants(REPORT) is of_sms
    assert push.wants(changed(REPORT, is_mms=True)) is of_mms
    assert push.wants(read) is of_mms
    assert not push.wants(changed(read, report_bits=7))


def test_a_digest_has_a_row_for_it() -> None:
    one, _ = an_mms(FILES[:1], text="", subject="Hols")
    three, _ = an_mms(text="Schöne Grüße")
    octets = write_digest(
        [one, three], domain="sms.example.net", to="ann@ox.test", sender="homing@example.net"
    )
    mail = parsed(octets)
    assert mail["Subject"] == "2 events: 2 mms"
    plain = mail.get_body(("plain",))
    assert plain is not None
    _, _, head, first, second, *_ = plain.get_content().splitlines()
    assert head.split()[-1] == "says"
    assert first.endswith("1 part: Hols")
    assert second.endswith("3 parts: Schöne Grüße")
