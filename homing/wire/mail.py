"""Mails: an event as a person reads it in any mail program, and as a program parses it.

One rendering for POP3 and for e-mail endpoints: 7-bit text with CRLF line ends, the same octets for the same
event. The body of a message is what the phone wrote; that of a report is a sentence and ``key: value`` lines.
Every value of a header goes through ``_header``: texts of phones and customers can neither end a header nor
begin one, whatever is in them.

An MMS has its parts with it, as slices of its content (``mail_mms.py``); without them it says that they are
gone.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from homing.model.delivery import Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Mms
from homing.model.report import FINAL, Report, Status
from homing.wire.mail_id import mail_id
from homing.wire.mail_mms import said_with_parts, said_without_parts, with_parts
from homing.wire.mail_pieces import MailPieces
from homing.wire.tracking_id import tracking_id

_LONGEST_SHORT_CODE = 6
LINE = 78
"""Octets of a line that nothing has to be longer than. RFC 5322 §2.1.1"""
SUBJECT_TEXT = 40
"""Characters of a message that stand in the subject."""

_PLAIN = re.compile(r"[ -~]*")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")  # RFC 5322 §3.2.3
_FOLD = "\r\n "
_ENCODED_OCTETS = 45
"""Of the text in one encoded word, so that its line stays short. RFC 2047 §2"""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CODING = {Coding.TEXT: "text", Coding.DATA: "data", Coding.UNICODE: "unicode"}
_SAID = {
    Status.DELIVERED: "was delivered",
    Status.FAILED: "could not be delivered",
    Status.REJECTED: "was rejected by the network",
    Status.BUFFERED: "is waiting in the network",
    Status.UNKNOWN: "ended, and the network did not say how",
    Status.SENT: "was taken by the network",
    Status.ACCEPTED: "is about to be sent",
}
_READ = {
    "read": "was read",
    "deleted_unread": "was deleted without being read",
    "read_indeterminate": "was delivered, and nobody knows whether it was read",
    "read_expired": "was delivered, and its time ended before it was read",
}
"""What read reports of an MMS say, by their reason."""


class MailWriter:
    """Writes mails between addresses of numbers; ``to`` and ``sender`` are for mails that are sent on."""

    def __init__(self, domain: str, *, to: str | None = None, sender: str | None = None) -> None:
        """``domain`` makes numbers into addresses; ``to`` and ``sender`` are addresses, checked before."""
        self._domain = domain
        self._to = to
        self._sender = "" if sender is None else f"Sender: {sender}\r\n"

    def write(self, event: Event, more: Sequence[tuple[str, str]] = ()) -> bytes:
        """The whole mail of an event, of an MMS without its parts; ``more`` are further headers."""
        head, text = self._report(event) if isinstance(event, Report) else self._message(event)
        added = "".join(_header(name, value) for name, value in more)
        encoding, body = _body(text)
        return (
            f"{head}{added}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
        ).encode("ascii") + body

    def write_mms(self, message: ReceivedMessage, more: Sequence[tuple[str, str]] = ()) -> MailPieces:
        """The whole mail of an MMS with its parts."""
        mms = message.mms
        assert mms is not None
        added = "".join(_header(name, value) for name, value in more)
        head = f"{self._mms(message, mms, 'attached')}{added}MIME-Version: 1.0\r\n"
        return with_parts(head.encode("ascii"), said_with_parts(message.text, mms), mms, message.id)

    def _message(self, message: ReceivedMessage) -> tuple[str, str]:
        m = message
        if m.mms is not None:
            until = _utc(m.mms.expires_at_ms // 1000)
            return self._mms(m, m.mms, "gone"), said_without_parts(m.text, m.mms, until)
        if m.coding is Coding.DATA:
            text = m.data.hex().upper()
            subject = f"Data message from {_shown(m.sender)}"
        else:
            text = m.text
            subject = f"SMS from {_shown(m.sender)}: {_beginning(text)}"
        parts = f"{m.parts}" if m.parts == m.expected_parts else f"{m.parts} of {m.expected_parts}"
        head = (
            f"{self._envelope(m.sender, m.recipient, subject, m.at_ms, m.id)}"
            f"X-Homing-Id: {m.id}\r\nX-Homing-Kind: message\r\nX-Homing-Sms-Id: {m.id}\r\n"
            f"X-Homing-Coding: {_CODING[m.coding]}\r\nX-Homing-Parts: {parts}\r\n"
            f"{_usual('X-Homing-Network', m.network)}"
            f"{_usual('X-Homing-Carrier-Code', m.carrier_code)}"
            f"{_optional('X-Homing-Udh', m.udh.hex().upper())}"
        )
        return head, text

    def _mms(self, message: ReceivedMessage, mms: Mms, content: str) -> str:
        m = message
        made = f"MMS from {_shown(m.sender)}{': ' if m.text else ''}{_beginning(m.text)}"
        return (
            f"{self._envelope(m.sender, m.recipient, mms.subject or made, m.at_ms, m.id)}"
            f"X-Homing-Id: {m.id}\r\nX-Homing-Kind: mms\r\nX-Homing-Sms-Id: {m.id}\r\n"
            f"X-Homing-Parts: {m.parts}\r\n"
            f"X-Homing-Mms-Parts: {len(mms.content.parts)}\r\nX-Homing-Mms-Content: {content}\r\n"
            f"X-Homing-Mms-Expires: {_utc(mms.expires_at_ms // 1000)}\r\n"
            f"X-Homing-Mms-Sha256: {mms.content.sha256}\r\n"
            f"{_optional('X-Homing-Mms-Subject', mms.subject)}"
            f"{_optional('X-Homing-Mms-To', ', '.join(mms.to))}"
            f"{_optional('X-Homing-Mms-Cc', ', '.join(mms.cc))}"
            f"{_usual('X-Homing-Network', m.network)}"
            f"{_usual('X-Homing-Carrier-Code', m.carrier_code)}"
        )

    def _report(self, report: Report) -> tuple[str, str]:
        r = report
        status = r.status.value
        name = tracking_id(r.submission)
        phone = _line(_shown(r.recipient))
        read = _READ.get(r.reason) if r.is_mms else None
        medium = "MMS" if r.is_mms else "SMS"
        subject = f"{status}: your {medium} to {phone}{f' {read}' if read else ''}"
        head = (
            f"{self._envelope(r.recipient, r.sender, subject, r.at_ms, r.id)}"
            f"X-Homing-Id: {r.id}\r\nX-Homing-Kind: report\r\nX-Homing-Sms-Id: {r.submission}\r\n"
            f"X-Homing-Tracking-Id: {name}\r\nX-Homing-Status: {status}\r\n"
            f"X-Homing-Final: {'yes' if r.status in FINAL else 'no'}\r\n"
            f"{_usual('X-Homing-Reason', r.reason)}{_usual('X-Homing-Error', r.err)}"
            f"X-Homing-Parts: {r.parts}\r\n{_usual('X-Homing-Network', r.network)}"
            f"{_optional('X-Homing-Note', r.note)}"
        )
        text = (
            f"Your {medium} to {phone} {read or _SAID[r.status]}.\n\n"
            f"tracking-id: {name}\nsms-id: {r.submission}\nstatus: {status}\nreason: {_line(r.reason)}\n"
            f"final: {'yes' if r.status in FINAL else 'no'}\nerror: {_line(r.err)}\nfrom: {_line(r.sender)}\n"
            f"to: {_line(r.recipient)}\nat: {_utc(r.at_ms // 1000)}\nnote: {_line(r.note or '')}\n"
        )
        return head, text

    def _envelope(self, sender: str, recipient: str, subject: str, at_ms: int, event: int) -> str:
        to = f"<{self._address(recipient)}>" if self._to is None else self._to
        return (
            f"Message-ID: <{mail_id(event)}@{self._domain}>\r\nDate: {_date(at_ms // 1000)}\r\n"
            f"From: <{self._address(sender)}>\r\n{self._sender}To: {to}\r\n{_header('Subject', subject)}"
        )

    def _address(self, number: str) -> str:
        return f"{local_part(number)}@{self._domain}"


@lru_cache(maxsize=4096)
def local_part(number: str) -> str:
    """What stands before the @ for a number, ``+447700900123``, or for an alphanumeric originator."""
    if number.isascii() and number.isdigit():
        return _shown(number)
    safe = "".join(character if _ATOM.fullmatch(character) else "_" for character in number[:64])
    return re.sub(r"\.+", ".", safe).strip(".") or "unknown"  # RFC 5322 §3.2.3: no dot at an end


def _shown(number: str) -> str:
    return (
        f"+{number}"
        if number.isascii() and number.isdigit() and len(number) > _LONGEST_SHORT_CODE
        else number
    )


def _beginning(text: str) -> str:
    """What of a text stands in the subject."""
    beginning = " ".join(text[: SUBJECT_TEXT + 1].split())
    return f"{beginning[:SUBJECT_TEXT]}{'...' if len(text) > SUBJECT_TEXT else ''}"


def _line(text: str) -> str:
    """A text that cannot begin a line of its own."""
    return text if text.isprintable() else " ".join(text.split())


def _optional(name: str, value: str | None) -> str:
    return _header(name, value) if value else ""


@lru_cache(maxsize=4096)
def _usual(name: str, value: str | None) -> str:
    """The header of a value that comes again and again, if there is one."""
    return _header(name, value) if value else ""


def _header(name: str, value: str) -> str:
    """One header with its line end, folded where that is needed; nothing in the value can end it."""
    if len(name) + 2 + len(value) <= LINE and _PLAIN.fullmatch(value) and "=?" not in value:
        return f"{name}: {value}\r\n"
    words = _encoded_words("".join(each if each.isprintable() else " " for each in value))
    return f"{name}: {_FOLD.join(words)}\r\n"


def _encoded_words(value: str) -> Iterator[str]:
    """The value as encoded words, each of whole characters."""  # RFC 2047 §5
    piece = b""
    for character in value:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _ENCODED_OCTETS:
            yield f"=?utf-8?b?{b64encode(piece).decode()}?="
            piece = b""
        piece += octets
    yield f"=?utf-8?b?{b64encode(piece).decode()}?="


def _body(text: str) -> tuple[str, bytes]:
    """Content-Transfer-Encoding and the octets of a text, with a line end at their end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    octets = (text if text.endswith("\n") else f"{text}\n").encode("utf-8", "replace")
    if not octets.translate(None, _PRINTED) and (len(octets) < _LONGEST_7BIT or _are_short(octets)):
        return "7bit", octets.replace(b"\n", b"\r\n")
    return "quoted-printable", b2a_qp(octets.replace(b"\n", b"\r\n"), istext=True)  # RFC 2045 §6.7


_PRINTED = bytes([*b"\t\n", *range(0x20, 0x7F)])
_LONGEST_7BIT = 900  # RFC 2045 §2.7: 998


def _are_short(octets: bytes) -> bool:
    return all(len(line) < _LONGEST_7BIT for line in octets.split(b"\n"))


@lru_cache(maxsize=4096)
def _date(at_s: int) -> str:
    """RFC 5322 §3.3, in UTC."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M:%S} +0000"


@lru_cache(maxsize=4096)
def _utc(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
