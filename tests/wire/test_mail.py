"""Mails: what the standard library's parser makes of them is what the event says, whatever its texts hold."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.clock import id_at
from homing.model.delivery import Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import READ_REASONS, Report, Status
from homing.wire.mail import MailWriter, local_part
from homing.wire.mail_id import mail_id

AT_MS = 1_700_000_000_123
ID = id_at(AT_MS) + 4
MESSAGE = ReceivedMessage(
    id=ID, at_ms=AT_MS, link="sim", sender="447700900001", recipient="60999", account="acme",
    coding=Coding.TEXT, text="Hello\n.there", network="VODAFONE-UK", carrier_code="23415",
)  # fmt: skip
REPORT = Report(
    id=ID, at_ms=AT_MS, account="acme", submission=119946997360917165, sender="60999",
    recipient="447700900001", status=Status.DELIVERED, reason="delivered", err="000", sequence=1,
    report_bits=7, note="order 7", parts=2,
)  # fmt: skip
WRITER = MailWriter("sms.example.net")
ON = MailWriter("sms.example.net", to="ann@ox.test", sender="homing@example.net")
ENVELOPE = ["Message-ID", "Date", "From", "To", "Subject"]
BODY = ["MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
OF_MESSAGE = ["X-Homing-Id", "X-Homing-Kind", "X-Homing-Sms-Id", "X-Homing-Coding", "X-Homing-Parts"]


def parsed(octets: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(octets, policy=default))


def headers(octets: bytes) -> dict[str, str]:
    return {name: str(value) for name, value in parsed(octets).items()}


def changed(event: Any, **values: Any) -> Any:
    return msgspec.structs.replace(event, **values)


def test_a_message_as_it_is_read_and_parsed() -> None:
    octets = WRITER.write(MESSAGE)
    assert headers(octets) == {
        "Message-ID": f"<{mail_id(ID)}@sms.example.net>",
        "Date": "Tue, 14 Nov 2023 22:13:20 +0000",
        "From": "+447700900001@sms.example.net",
        "To": "60999@sms.example.net",
        "Subject": "SMS from +447700900001: Hello .there",
        "X-Homing-Id": str(ID),
        "X-Homing-Kind": "message",
        "X-Homing-Sms-Id": str(ID),
        "X-Homing-Coding": "text",
        "X-Homing-Parts": "1",
        "X-Homing-Network": "VODAFONE-UK",
        "X-Homing-Carrier-Code": "23415",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }
    assert octets.endswith(b"\r\n\r\nHello\r\n.there\r\n")
    assert WRITER.write(MESSAGE) == octets


def test_a_report_as_it_is_read_and_parsed() -> None:
    octets = WRITER.write(REPORT)
    found = headers(octets)
    assert found["Subject"] == "DELIVERED: your SMS to +447700900001"
    assert (found["From"], found["To"]) == ("+447700900001@sms.example.net", "60999@sms.example.net")
    said = {name.removeprefix("X-Homing-"): value for name, value in found.items() if name.startswith("X-")}
    assert said == {
        "Id": str(ID), "Kind": "report", "Sms-Id": "119946997360917165",
        "Tracking-Id": "MTID119946997360917165", "Status": "DELIVERED", "Final": "yes",
        "Reason": "delivered", "Error": "000", "Parts": "2", "Note": "order 7",
    }  # fmt: skip
    sentence, _, lines = parsed(octets).get_content().partition("\r\n\r\n")
    assert sentence == "Your SMS to +447700900001 was delivered."
    assert dict(line.split(": ", 1) for line in lines.splitlines()) == {
        "tracking-id": "MTID119946997360917165", "sms-id": "119946997360917165", "status": "DELIVERED",
        "reason": "delivered", "final": "yes", "error": "000", "from": "60999", "to": "447700900001",
        "at": "2023-11-14 22:13:20 UTC", "note": "order 7",
    }  # fmt: skip


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_sentence(status: Status) -> None:
    octets = WRITER.write(changed(REPORT, status=status))
    assert headers(octets)["X-Homing-Status"] == status.value
    assert parsed(octets).get_content().startswith("Your SMS to +447700900001 ")


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (Status.DELIVERED, "retrieved", "was delivered"),
        (Status.FAILED, "expired", "could not be delivered"),
        (Status.DELIVERED, "read", "was read"),
        (Status.DELIVERED, "deleted_unread", "was deleted without being read"),
        (Status.DELIVERED, "read_indeterminate", "was delivered, and nobody knows whether it was read"),
        (Status.DELIVERED, "read_expired", "was delivered, and its time ended before it was read"),
    ],
)
def test_a_report_about_an_mms_says_so_and_whether_it_was_read(
    status: Status, reason: str, said: str
) -> None:
    octets = WRITER.write(changed(REPORT, status=status, reason=reason, is_mms=True))
    phone = "MMS to +447700900001"
    assert parsed(octets).get_content().startswith(f"Your {phone} {said}.")
    read = f" {said}" if reason in READ_REASONS else ""
    assert headers(octets)["Subject"] == f"{status.value}: your {phone}{read}"


def test_a_mail_that_is_sent_on_has_its_addresses() -> None:
    found = headers(ON.write(MESSAGE, (("Homing-Event-Id", "7"),)))
    assert (found["To"], found["Sender"], found["From"]) == (
        "ann@ox.test", "homing@example.net", "+447700900001@sms.example.net",
    )  # fmt: skip
    assert found["Homing-Event-Id"] == "7"


def test_data_stands_in_the_body_as_hex() -> None:
    octets = WRITER.write(changed(MESSAGE, coding=Coding.DATA, text="", data=b"\x00\xfe", udh=b"\x01\x02"))
    assert octets.endswith(b"\r\n\r\n00FE\r\n")
    assert headers(octets)["X-Homing-Udh"] == "0102"
    assert headers(octets)["Subject"] == "Data message from +447700900001"


def test_a_partial_message_says_so() -> None:
    assert headers(WRITER.write(changed(MESSAGE, parts=2, expected_parts=3)))["X-Homing-Parts"] == "2 of 3"


@pytest.mark.parametrize(
    ("number", "local"),
    [
        ("447700900001", "+447700900001"), ("60999", "60999"), ("Bank", "Bank"), ("My Bank", "My_Bank"),
        ("a@b", "a_b"), (".a..b.", "a.b"), ("", "unknown"), ("é", "_"), ("\r\n", "__"),
    ],
)  # fmt: skip
def test_numbers_and_names_become_addresses(number: str, local: str) -> None:
    assert local_part(number) == local


TEXTS = st.text(st.characters(codec=None), max_size=400) | st.sampled_from(
    [
        "\r\nBcc: x@y.test\r\n\r\nbody",
        "=?utf-8?q?x?=",
        "\0",
        "\u2028",
        "\ud83d",
        "a" * 2000,
        ".",
        "\n.\n",
        "\x0b",
        " ",
    ]
)


def held(octets: bytes, names: list[str]) -> EmailMessage:
    """A mail that any relay takes and no text has added a header to."""
    assert re.fullmatch(rb"(?:[\t\x20-\x7e]{0,998}\r\n)+", octets)
    mail = parsed(octets)
    assert sorted(mail.keys()) == sorted(names)
    assert not mail.is_multipart()
    for name, value in mail.items():
        assert "\n" not in str(value), name
    return mail


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, sender=TEXTS, recipient=TEXTS, network=TEXTS)
def test_no_text_of_a_message_gets_out_of_its_place(
    text: str, sender: str, recipient: str, network: str
) -> None:
    event = changed(MESSAGE, text=text, sender=sender, recipient=recipient, network=network or None)
    names = [*ENVELOPE, "Sender", *OF_MESSAGE, "X-Homing-Carrier-Code", *BODY]
    mail = held(ON.write(event), names + ["X-Homing-Network"] * bool(network))
    said = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    content = mail.get_content().replace("\r\n", "\n")
    assert content == (said if said.endswith("\n") else said + "\n")


@settings(max_examples=200, deadline=None)
@given(note=TEXTS, reason=TEXTS, err=TEXTS, recipient=TEXTS)
def test_no_text_of_a_report_gets_out_of_its_place(note: str, reason: str, err: str, recipient: str) -> None:
    event: Event = changed(REPORT, note=note or None, reason=reason, err=err, recipient=recipient)
    names = [*ENVELOPE, *OF_MESSAGE[:3], "X-Homing-Parts", "X-Homing-Status", "X-Homing-Tracking-Id"]
    names += ["X-Homing-Final", *BODY]
    optional = {"X-Homing-Note": note, "X-Homing-Reason": reason, "X-Homing-Error": err}
    held(WRITER.write(event), names + [name for name, value in optional.items() if value])
    lines = parsed(WRITER.write(event)).get_content().splitlines()
    assert [line for line in lines if line.startswith("status: ")] == ["status: DELIVERED"]
