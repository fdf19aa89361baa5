"""Which addresses mails may go to, which events become mails, and digests that no text breaks."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.account import Endpoint
from homing.model.delivery import Answer
from homing.model.mms import Content, Mms, Part
from homing.model.report import Status
from homing.wire.mail_digest import write_digest
from homing.wire.push_mail import MailPush, MailTarget, read_address, read_posting
from homing.wire.push_request import mended
from tests.wire.test_mail import MESSAGE, REPORT, TEXTS, changed

MMS_REPORT = changed(REPORT, is_mms=True, reason="retrieved")
ENDPOINT = Endpoint(id=1, account="acme", events=("report", "message"), format="email", email="ann@ox.test")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@ox.test", "ann@ox.test"),
        (" Ann.O'x+sms@Ox.Test ", "Ann.O'x+sms@ox.test"),
        ("a@b", "a@b"),
        ("ann@bücher.test", "ann@xn--bcher-kva.test"),
        ("a" * 64 + "@ox.test", "a" * 64 + "@ox.test"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@ox.test", "ann@", "a b@ox.test", '"a"@ox.test', "ann@ox..test", "ann@ox.test.",
        ".a@ox.test",         "a..b@ox.test", "änn@ox.test", "ann@ox.test\r\nBcc: x@y", "ann@[127.0.0.1]",
        "a@" + "x" * 64 + ".test",
        "a" * 65 + "@ox.test", "a@" + "x." * 130 + "test", "ann@ox_.test", "a@b@c\n",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        read_address(text)


@given(text=st.text())
def test_an_address_is_one_line_of_ascii(text: str) -> None:
    try:
        address = read_address(text)
    except ValueError:
        return
    assert re.fullmatch(r"[!-~]{3,254}", address)
    assert address.count("@") == 1


def test_an_endpoint_needs_its_address() -> None:
    with pytest.raises(ValueError, match="no mail address"):
        MailPush(changed(ENDPOINT, email=None))
    for minutes in (0, 1441, -5):
        with pytest.raises(ValueError, match="digest"):
            MailPush(changed(ENDPOINT, digest_min=minutes))
    made = MailPush(changed(ENDPOINT, digest_min=5))
    assert made.target == MailTarget(address="ann@ox.test", digest_min=5)


@pytest.mark.parametrize(
    ("event", "events", "is_wanted"),
    [
        (REPORT, ("report",), True),
        (changed(REPORT, status=Status.UNKNOWN), ("report",), True),
        (changed(REPORT, report_bits=5), ("report",), False),
        (REPORT, ("message",), False),
        (MESSAGE, ("message",), True),
        (MESSAGE, ("report",), False),
        (MMS_REPORT, ("mms-report",), True),
        (MMS_REPORT, ("report", "message"), False),
        (REPORT, ("mms-report",), False),
        (changed(MMS_REPORT, reason="read"), ("mms-report",), False),
        (changed(MMS_REPORT, reason="read", report_bits=8), ("mms-report",), True),
    ],
)
def test_what_is_wanted(event: Any, events: tuple[Any, ...], is_wanted: bool) -> None:
    assert MailPush(changed(ENDPOINT, events=events)).wants(event) is is_wanted


@pytest.mark.parametrize("event", [MESSAGE, REPORT])
def test_what_is_packed_is_unpacked(event: Any) -> None:
    posting = read_posting(MailPush(ENDPOINT).render(event, 7, 0))
    assert (posting.event, posting.attempt) == (event, 7)


@given(text=TEXTS)
def test_any_text_is_packed(text: str) -> None:
    posting = read_posting(MailPush(ENDPOINT).render(changed(MESSAGE, text=text), 1, 0))
    assert posting.message is not None
    assert posting.message.text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(subject=TEXTS, name=TEXTS)
def test_any_mms_is_packed(subject: str, name: str) -> None:
    content = Content(
        sha256="a" * 64, size=9,
        parts=(Part(name=name, content_type="text/plain", size=1, offset=2, sha256="b" * 64),),
    )  # fmt: skip
    mms = Mms(subject=subject, to=(name,), content=content, expires_at_ms=5)
    message = changed(MESSAGE, mms=mms, data=b"\xff", udh=b"\x00")
    assert read_posting(MailPush(ENDPOINT).render(message, 1, 0)).message == changed(
        message,
        mms=msgspec.convert(mended(msgspec.to_builtins(mms)), Mms),
    )


@pytest.mark.parametrize(
    ("status", "is_taken", "is_refused"),
    [(250, True, False), (299, True, False), (354, False, False), (451, False, False), (550, False, True),
     (None, False, False)],
)  # fmt: skip
def test_replies(status: int | None, is_taken: bool, is_refused: bool) -> None:
    answer = Answer(status=status, body=b"", length=0, took_ms=1)
    assert (MailPush.judge(answer), MailPush.is_refused(answer)) == (is_taken, is_refused)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, note=TEXTS, sender=TEXTS)
def test_no_text_gets_out_of_its_place_in_a_digest(text: str, note: str, sender: str) -> None:
    events = [changed(MESSAGE, text=text, sender=sender), changed(REPORT, note=note, reason=text)]
    octets = write_digest(events, domain="sms.example.net", to="ann@ox.test", sender="homing@example.net")
    assert re.fullmatch(rb"(?:[\t\x20-\x7e]{0,998}\r\n)+", octets)
    mail = cast(EmailMessage, message_from_bytes(octets, policy=default))
    assert sorted(mail.keys()) == sorted(
        ["Message-ID", "Date", "From", "To", "Subject", "X-Homing-Kind", "X-Homing-Events", "MIME-Version",
         "Content-Type"]
    )  # fmt: skip
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    html = mail.get_body(("html",))
    assert html is not None
    assert html.get_content().count("<tr>") == 3
