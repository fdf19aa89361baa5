"""The json push format: one flat event by POST, signed per Standard Webhooks.

What an MMS carries is not in the event: links lead to it, signed and only for a while.

The event is described field by field in ``event.schema.json``, next to this module. Every field is in every
event; what does not apply is null. Ids are decimal strings, because they exceed the 2^53 that many
readers of JSON hold exactly.
"""

from typing import ClassVar, Literal

import msgspec

from homing.model.account import Endpoint, EventKind
from homing.model.delivery import Answer, Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Mms, is_read_report, mms_number
from homing.model.report import FINAL, Report, Status, is_wanted
from homing.wire.content_link import WHOLE, ContentLinks
from homing.wire.push_request import fixed_headers, kinds_of, mended, utc_seconds
from homing.wire.standard_webhooks import read_secret, sign
from homing.wire.target import read_url


class _Part(msgspec.Struct, kw_only=True, gc=False):
    name: str
    type: str
    size: int
    sha256: str
    url: str | None


class _Mms(msgspec.Struct, kw_only=True, gc=False):
    subject: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    expires_at: str
    size: int
    sha256: str
    url: str | None
    parts: list[_Part]


class _FlatEvent(msgspec.Struct, kw_only=True, gc=False, rename={"sender": "from", "recipient": "to"}):
    type: str
    id: str
    at: str
    account: str | None
    smsid: str
    sender: str
    recipient: str
    status: str | None = None
    reason: str | None = None
    error: str | None = None
    final: bool | None = None
    sequence: int | None = None
    note: str | None = None
    text: str | None = None
    coding: str | None = None
    data: str | None = None
    udh: str | None = None
    parts: int
    expected_parts: int | None = None
    partial: bool | None = None
    network: str | None
    mms: _Mms | None = None
    mms_type: Literal["delivery", "read"] | None = None
    mms_status: int | None = None


_encoder = msgspec.json.Encoder()
_PUSHED = {status: f"report.{status.lower()}" for status in (*FINAL, Status.BUFFERED)}
_CODING = {Coding.TEXT: "text", Coding.DATA: "data", Coding.UNICODE: "unicode"}


class JsonPush:
    """Renders events for one endpoint; prepared once, used for every push."""

    kinds: ClassVar[tuple[EventKind, ...]] = ("report", "message", "mms-report")
    retry_s: ClassVar[tuple[int, ...]] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    heeds_hints: ClassVar[bool] = True
    """Retry-After on 429 and 503, and 410 Gone, mean what they say."""

    def __init__(self, endpoint: Endpoint, links: ContentLinks | None = None) -> None:
        self.target, request_target = read_url(endpoint.url)
        self._links = links
        kinds = kinds_of(endpoint, self.kinds)
        self._wants_reports = "report" in kinds
        self._wants_mms_reports = "mms-report" in kinds
        self._wants_messages = "message" in kinds
        self._keys = tuple(read_secret(secret) for secret in endpoint.secrets)
        self._newest_key = self._keys[:1]
        self._old_keys_until_ms = endpoint.old_secrets_until_ms
        self._head = (
            f"POST {request_target} HTTP/1.1\r\n{fixed_headers(endpoint, self.target)}"
            "Content-Type: application/json\r\nHoming-Event-Id: "
        )

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all."""
        if type(event) is Report:
            wants = self._wants_mms_reports if event.is_mms else self._wants_reports
            return wants and event.status in _PUSHED and is_wanted(event)
        return self._wants_messages

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes:
        """The whole request, signed for this attempt."""
        body = event_body(event, self._links, now_ms)
        event_id = str(event.id)
        now_s = now_ms // 1000
        signature = ""
        if self._keys:
            is_past = 0 < self._old_keys_until_ms <= now_ms
            keys = self._newest_key if is_past else self._keys
            signature = f"webhook-signature: {sign(keys, event_id, now_s, body)}\r\n"
        head = (
            f"{self._head}{event_id}\r\nHoming-Attempt: {attempt}\r\nwebhook-id: {event_id}\r\n"
            f"webhook-timestamp: {now_s}\r\n{signature}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    @staticmethod
    def judge(answer: Answer) -> bool:
        """Any 2xx."""
        return answer.status is not None and 200 <= answer.status < 300

    @staticmethod
    def is_refused(_answer: Answer) -> bool:
        """No answer is the last word."""
        return False


def event_body(event: Event, links: ContentLinks | None = None, now_ms: int = 0) -> bytes:
    """The JSON document of an event; never fails, whatever its texts hold. Links count from ``now_ms``."""
    flat = _flat_report(event) if isinstance(event, Report) else _flat_message(event, links, now_ms)
    try:
        return _encoder.encode(flat)
    except UnicodeEncodeError:  # half a surrogate pair, for example one that was cut at the end of a part
        return _encoder.encode(mended(msgspec.to_builtins(flat)))


def _flat_report(report: Report) -> _FlatEvent:
    status = report.status
    number = mms_number(status, report.reason) if report.is_mms else None
    return _FlatEvent(
        type=_PUSHED[status] if number is None else "mms.report",
        id=str(report.id),
        at=_spell_time(report.at_ms),
        account=report.account,
        smsid=str(report.submission),
        sender=report.sender,
        recipient=report.recipient,
        status=status.value,
        reason=report.reason,
        error=report.err or None,
        final=status in FINAL,
        sequence=report.sequence,
        note=report.note,
        parts=report.parts,
        network=report.network,
        mms_type=None if number is None else "read" if is_read_report(number) else "delivery",
        mms_status=number,
    )


def _flat_message(message: ReceivedMessage, links: ContentLinks | None, now_ms: int) -> _FlatEvent:
    event_id = str(message.id)
    coding = message.coding
    return _FlatEvent(
        type="message.received" if message.mms is None else "mms.received",
        id=event_id,
        at=_spell_time(message.at_ms),
        account=message.account,
        smsid=event_id,
        sender=message.sender,
        recipient=message.recipient,
        text=None if coding is Coding.DATA else message.text,
        coding=_CODING[coding],
        data=message.data.hex().upper() if coding is Coding.DATA else None,
        udh=message.udh.hex().upper() or None,
        parts=message.parts,
        expected_parts=message.expected_parts,
        partial=message.parts < message.expected_parts,
        network=message.network,
        mms=None if message.mms is None else _nested(message.id, message.mms, links, now_ms),
    )


def _nested(event: int, mms: Mms, links: ContentLinks | None, now_ms: int) -> _Mms:
    def url(number: int) -> str | None:
        return None if links is None else links.link(event, number, now_ms)

    return _Mms(
        subject=mms.subject,
        to=mms.to,
        cc=mms.cc,
        expires_at=_spell_time(mms.expires_at_ms),
        size=mms.content.size,
        sha256=mms.content.sha256,
        url=url(WHOLE),
        parts=[
            _Part(name=part.name, type=part.content_type, size=part.size, sha256=part.sha256, url=url(number))
            for number, part in enumerate(mms.content.parts, 1)
        ],
    )


def _spell_time(at_ms: int) -> str:
    """RFC 3339 §5.6, UTC with milliseconds."""
    at_s, rest_ms = divmod(at_ms, 1000)
    return f"{utc_seconds(at_s)}.{rest_ms:03d}Z"
