"""The Upside push format: confirmations and received messages as form parameters, in UTF-8.

Names and spelling are those of the service's documents (upside.md §5.2, §6.1): a confirmation has ``name``,
``trackingid``, ``status``, ``recipient``; a message ``name``, ``sender``, ``data``, and what is known of
``carriercode`` and ``inboundnumber``. Numbers have no plus. Rendering does not fail on any event.
"""

from typing import ClassVar

from homing.model.account import Endpoint, EventKind
from homing.model.delivery import Answer, Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import FINAL, Report, Status, is_wanted
from homing.wire.charset import quoter
from homing.wire.content_link import ContentLinks
from homing.wire.push_request import fixed_headers, kinds_of
from homing.wire.target import read_url
from homing.wire.tracking_id import tracking_id
from homing.wire.upside_status import upside_status

_PUSHED = frozenset({*FINAL, Status.BUFFERED})
_quote = quoter("utf-8")


class UpsidePush:
    """Renders events for one endpoint; prepared once, used for every push."""

    kinds: ClassVar[tuple[EventKind, ...]] = ("report", "message")
    retry_s: ClassVar[tuple[int, ...]] = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    heeds_hints: ClassVar[bool] = True
    """Retry-After on 429 and 503, and 410 Gone, mean what they say."""

    def __init__(self, endpoint: Endpoint, _links: ContentLinks | None = None) -> None:
        self.target, request_target = read_url(endpoint.url)
        kinds = kinds_of(endpoint, self.kinds)
        self._wants_reports = "report" in kinds
        self._wants_messages = "message" in kinds
        self._name = _quote(endpoint.account)
        headers = fixed_headers(endpoint, self.target)
        self._is_post = endpoint.method == "post"
        if self._is_post:
            self._head = (
                f"POST {request_target} HTTP/1.1\r\n{headers}"
                "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nHoming-Event-Id: "
            )
        else:
            self._head = f"GET {request_target}{'&' if '?' in request_target else '?'}"
            self._tail = f" HTTP/1.1\r\n{headers}Homing-Event-Id: "

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all; an MMS never is."""
        if type(event) is Report:
            is_ours = self._wants_reports and not event.is_mms
            return is_ours and event.status in _PUSHED and is_wanted(event)
        return self._wants_messages and event.mms is None  # type: ignore[union-attr]

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes:
        """The whole request."""
        pairs = self._report(event) if type(event) is Report else self._message(event)  # type: ignore[arg-type]
        if self._is_post:
            return (
                f"{self._head}{event.id}\r\nHoming-Attempt: {attempt}\r\n"
                f"Content-Length: {len(pairs)}\r\n\r\n{pairs}"
            ).encode()
        return f"{self._head}{pairs}{self._tail}{event.id}\r\nHoming-Attempt: {attempt}\r\n\r\n".encode()

    @staticmethod
    def judge(answer: Answer) -> bool:
        """Any 2xx."""
        return answer.status is not None and 200 <= answer.status < 300

    @staticmethod
    def is_refused(_answer: Answer) -> bool:
        """No answer is the last word."""
        return False

    def _report(self, report: Report) -> str:
        return (
            f"name={self._name}&trackingid={tracking_id(report.submission)}"
            f"&status={upside_status(report.status, report.reason)}&recipient={_quote(report.recipient)}"
        )

    def _message(self, message: ReceivedMessage) -> str:
        text = message.data.hex().upper() if message.coding is Coding.DATA else _quote(message.text)
        code = f"&carriercode={_quote(message.carrier_code)}" if message.carrier_code else ""
        return (
            f"name={self._name}&sender={_quote(message.sender)}&data={text}{code}"
            f"&inboundnumber={_quote(message.recipient)}"
        )
