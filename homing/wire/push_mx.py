"""The MX push format: reports and received messages as URL-encoded parameters.

Names, order of magnitude and spelling are those that existing client programs rely on: a report carries
no ``bits``, a message always does; ``smsid`` is the same on every attempt. What the charset of the
endpoint cannot say becomes the nearest character, so rendering does not fail on any event.
"""

from typing import ClassVar

from homing.model.account import Endpoint, EventKind
from homing.model.delivery import Answer, Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import FINAL, Report, Status, is_wanted
from homing.wire.charset import quoter
from homing.wire.content_link import ContentLinks
from homing.wire.mx_reason import mx_reason
from homing.wire.push_request import fixed_headers, kinds_of, local_times
from homing.wire.target import read_url

NO_NETWORK = "UNKNOWN"
"""The network code when nothing is known, as for every virtual number."""


class MxPush:
    """Renders events for one endpoint; prepared once, used for every push."""

    kinds: ClassVar[tuple[EventKind, ...]] = ("report", "message")
    retry_s: ClassVar[tuple[int, ...]] = (30, 60, 120, 240, 480, 960, 1920, 3840, 7680)
    """10 attempts, waits doubling from 30 s."""
    heeds_hints: ClassVar[bool] = False

    def __init__(self, endpoint: Endpoint, _links: ContentLinks | None = None) -> None:
        self.target, request_target = read_url(endpoint.url)
        self._quote = quoter(endpoint.charset)
        self._date = local_times(endpoint.timezone)
        kinds = kinds_of(endpoint, self.kinds)
        self._wants_messages = "message" in kinds
        words: dict[Status, str] = {}
        if "report" in kinds:
            words = {status: status.value for status in (*FINAL, Status.BUFFERED)}
            del words[Status.UNKNOWN]  # their vocabulary has no word for it
            if endpoint.unknown_as:
                words[Status.UNKNOWN] = self._quote(endpoint.unknown_as)
        self._words = words
        self._reasons = {status: mx_reason(status) for status in words}
        headers = fixed_headers(endpoint, self.target)
        self._is_post = endpoint.method == "post"
        if self._is_post:
            self._head = (
                f"POST {request_target} HTTP/1.1\r\n{headers}"
                "Content-Type: application/x-www-form-urlencoded\r\nHoming-Event-Id: "
            )
        else:
            self._head = f"GET {request_target}{'&' if '?' in request_target else '?'}"
            self._tail = f" HTTP/1.1\r\n{headers}Homing-Event-Id: "

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all; an MMS never is: ``mx-mms`` says those."""
        if type(event) is Report:
            return not event.is_mms and event.status in self._words and is_wanted(event)
        return self._wants_messages and event.mms is None  # type: ignore[union-attr]

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes:
        """The whole request. An event that is not wanted cannot be rendered."""
        id_ = str(event.id)
        pairs = self._report(event, id_) if type(event) is Report else self._message(event, id_)  # type: ignore[arg-type]
        if self._is_post:
            return (
                f"{self._head}{id_}\r\nHoming-Attempt: {attempt}\r\n"
                f"Content-Length: {len(pairs)}\r\n\r\n{pairs}"
            ).encode()
        return f"{self._head}{pairs}{self._tail}{id_}\r\nHoming-Attempt: {attempt}\r\n\r\n".encode()

    @staticmethod
    def judge(answer: Answer) -> bool:
        """Exactly 200 with at least one octet of body."""
        return answer.status == 200 and answer.length > 0

    @staticmethod
    def is_refused(_answer: Answer) -> bool:
        """No answer is the last word."""
        return False

    def _report(self, report: Report, id_: str) -> str:
        quote = self._quote
        originator = quote(report.sender)
        status = report.status
        pairs = (
            f"smsfrom={quote(report.recipient)}&smsmsg=REPORT+{report.submission}+{self._words[status]}"
            f"&smsto={originator}&shortcode={originator}&smsid={id_}"
            f"&smsdate={self._date(report.at_ms // 1000)}&reason={self._reasons[status]}"
        )
        return f"{pairs}&note={quote(report.note)}" if report.note else pairs

    def _message(self, message: ReceivedMessage, id_: str) -> str:
        quote = self._quote
        coding = message.coding
        text = message.data.hex().upper() if coding is _DATA else quote(message.text)
        network = message.network
        pairs = (
            f"smsfrom={quote(message.sender)}&smsto={quote(message.recipient)}"
            f"&smsdate={self._date(message.at_ms // 1000)}&smsid={id_}&smsmsg={text}"
            f"&bits={_BITS[coding]}&network={quote(network) if network else NO_NETWORK}"
        )
        if message.udh:
            pairs = f"{pairs}&smsudh={message.udh.hex().upper()}"
        if coding is _UNICODE:
            data = message.data or message.text.encode("utf-16-be", "surrogatepass")
            pairs = f"{pairs}&smsucs2={data.hex().upper()}"
        return pairs


_DATA, _UNICODE = Coding.DATA, Coding.UNICODE
_BITS = {coding: str(coding.value) for coding in Coding}
