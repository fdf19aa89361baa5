"""The e-mail push format: which events become mails, and what a relay's reply means for one.

The mail itself is written by the transport (``push/mail.py``), which knows the relay's addresses; it gets the
event, packed. Replies are those of SMTP: 2xx has it, 5xx never takes it (RFC 5321 §4.2.1).
"""

import re
from typing import ClassVar

import msgspec

from homing.model.account import Endpoint, EventKind
from homing.model.delivery import Answer, Event
from homing.model.message import ReceivedMessage
from homing.model.report import FINAL, Report, Status, is_wanted
from homing.wire.content_link import ContentLinks
from homing.wire.push_request import kinds_of, mended

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 5321 §2.3.5
_LONGEST = 254  # RFC 5321 §4.5.3.1.3: a path with its brackets has 256 octets
_LONGEST_LOCAL = 64  # RFC 5321 §4.5.3.1.1
_LONGEST_DIGEST_MIN = 1440

_PUSHED = frozenset({*FINAL, Status.BUFFERED})


class MailTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where mails of an endpoint go."""

    address: str
    digest_min: int | None = None
    """At most one mail in so many minutes; None = a mail for each event."""


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to become a mail, or a line of one."""

    attempt: int
    report: Report | None = None
    message: ReceivedMessage | None = None

    @property
    def event(self) -> Event:
        event = self.report or self.message
        assert event is not None
        return event


_decoder = msgspec.msgpack.Decoder(Posting)


def read_posting(octets: bytes) -> Posting:
    """What ``MailPush.render`` has packed."""
    return _decoder.decode(octets)


def read_address(text: str) -> str:
    """A mail address as it goes into an envelope. ValueError says what is wrong with it."""
    local, at, domain = text.strip().rpartition("@")
    if not at:
        raise ValueError("a mail address has the form name@domain")
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        raise ValueError("what stands before the @ of the mail address is not taken by every relay")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the domain of the mail address cannot be read") from None
    address = f"{local}@{ascii_domain.lower()}"
    if not _DOMAIN.fullmatch(ascii_domain) or len(address) > _LONGEST:
        raise ValueError("the domain of the mail address cannot be read")
    return address


def _packed(event: Event, attempt: int) -> bytes:
    if isinstance(event, Report):
        return msgspec.msgpack.encode(Posting(attempt=attempt, report=event))
    return msgspec.msgpack.encode(Posting(attempt=attempt, message=event))


class MailPush:
    """Says which events become mails to one endpoint."""

    kinds: ClassVar[tuple[EventKind, ...]] = ("report", "message", "mms-report")
    retry_s: ClassVar[tuple[int, ...]] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    heeds_hints: ClassVar[bool] = False

    def __init__(self, endpoint: Endpoint, _links: ContentLinks | None = None) -> None:
        if endpoint.email is None:
            raise ValueError("the endpoint has no mail address")
        digest_min = endpoint.digest_min
        if digest_min is not None and not 0 < digest_min <= _LONGEST_DIGEST_MIN:
            raise ValueError(f"digest is from 1 to {_LONGEST_DIGEST_MIN} minutes")
        self.target = MailTarget(address=read_address(endpoint.email), digest_min=digest_min)
        kinds = kinds_of(endpoint, self.kinds)
        self._wants_reports = "report" in kinds
        self._wants_messages = "message" in kinds
        self._wants_mms_reports = "mms-report" in kinds

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all."""
        if type(event) is Report:
            wants = self._wants_mms_reports if event.is_mms else self._wants_reports
            return wants and event.status in _PUSHED and is_wanted(event)
        return self._wants_messages

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes:
        """The event, packed for the transport."""
        try:
            return _packed(event, attempt)
        except UnicodeEncodeError:  # half a surrogate pair, for example one that was cut at the end of a part
            plain = mended(msgspec.to_builtins(event, builtin_types=(bytes,)))
            return _packed(msgspec.convert(plain, type(event)), attempt)

    @staticmethod
    def judge(answer: Answer) -> bool:
        """The relay has taken it."""
        return answer.status is not None and 200 <= answer.status < 300

    @staticmethod
    def is_refused(answer: Answer) -> bool:
        """The relay never takes it."""  # RFC 5321 §4.2.1
        return answer.status is not None and 500 <= answer.status < 600
