"""The mx-mms push format: received MMS, SMS to the same numbers, and reports about MMS, as form parameters.

A message goes as a GET, as a form, or as a form with the content zip (``multipart``), which is read while it
is sent; without it the customer fetches the content by ``id``. A report is always a GET. What the charset of
the endpoint cannot say becomes the nearest character, so rendering does not fail on any event.

Until ``expiry`` the content can be fetched: that is never less than 24 h ahead, however late the push.
"""

import hashlib
from itertools import count
from typing import ClassVar, Final

from homing.model.account import Endpoint, EventKind
from homing.model.delivery import Answer, Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import is_read_report, mms_number
from homing.model.report import FINAL, Report, Status, is_wanted
from homing.wire.charset import charset_name, encoder, quoter
from homing.wire.content_link import ContentLinks
from homing.wire.push_request import fixed_headers, kinds_of, local_dates
from homing.wire.streamed import Slice, Streamed
from homing.wire.target import read_url

LEAST_LIFE_MS: Final = 25 * 3_600_000
"""Of a content from a push on: the 24 h that are promised, and what an attempt and its answer may take."""
FILE: Final = "mms.zip"

_MMS, _SMS = "2", "6"  # mx §11.2
_DELIVERY, _READ = "1", "2"  # mx §11.4
_PUSHED = frozenset({*FINAL, Status.BUFFERED})

Pairs = list[tuple[str, str]]


class MxMmsPush:
    """Renders events for one endpoint; prepared once, used for every push."""

    kinds: ClassVar[tuple[EventKind, ...]] = ("message", "mms-report")
    retry_s: ClassVar[tuple[int, ...]] = (30, 60, 120, 240, 480, 960, 1920, 3840, 7680)
    """10 attempts, waits doubling from 30 s, as in the mx format."""
    heeds_hints: ClassVar[bool] = False

    def __init__(self, endpoint: Endpoint, _links: ContentLinks | None = None) -> None:
        self.target, self._path = read_url(endpoint.url)
        self._charset = charset_name(endpoint.charset)
        self._quote = quoter(endpoint.charset)
        self._encode = encoder(endpoint.charset)
        self._date = local_dates(endpoint.timezone, endpoint.date_form)
        self._report_date = local_dates(endpoint.timezone, "zone")
        self._method = endpoint.method
        self._headers = fixed_headers(endpoint, self.target)
        kinds = kinds_of(endpoint, self.kinds)
        self._wants_messages = "message" in kinds
        self._wants_reports = "mms-report" in kinds

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all."""
        if isinstance(event, Report):
            is_ours = self._wants_reports and event.is_mms
            return is_ours and event.status in _PUSHED and is_wanted(event)
        return self._wants_messages

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes | Streamed:
        """The whole request; with the content of an MMS in it, one in pieces."""
        tail = f"{self._headers}Homing-Event-Id: {event.id}\r\nHoming-Attempt: {attempt}\r\n"
        if isinstance(event, Report):
            return self._get(self._report(event), tail)
        pairs = self._message(event, now_ms)
        if self._method == "get":
            return self._get(pairs, tail)
        if self._method == "post":
            form = self._form(pairs)
            tail = f"{tail}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
            return f"POST {self._path} HTTP/1.1\r\n{tail}\r\n{form}".encode("ascii")
        return self._multipart(event, pairs, tail)

    @staticmethod
    def judge(answer: Answer) -> bool:
        """Exactly 200 with at least one octet of body."""
        return answer.status == 200 and answer.length > 0

    @staticmethod
    def is_refused(_answer: Answer) -> bool:
        """No answer is the last word."""
        return False

    # What is said

    def _message(self, message: ReceivedMessage, now_ms: int) -> Pairs:  # mx §11.2
        m, mms = message, message.mms
        to = (m.recipient,) if mms is None else mms.to or (m.recipient,)
        pairs = [("id", str(m.id)), ("from", m.sender), *(("to", each) for each in to)]
        if mms is not None:
            pairs += [("cc", each) for each in mms.cc]
        pairs += [("date", self._date(m.at_ms // 1000)), ("type", _SMS if mms is None else _MMS)]
        if m.network:
            pairs.append(("network", m.network))
        if mms is None:
            pairs.append(("message", m.data.hex().upper() if m.coding is Coding.DATA else m.text))
            return pairs
        if mms.subject:
            pairs.append(("subject", mms.subject))
        expires_at_ms = max(mms.expires_at_ms, now_ms + LEAST_LIFE_MS)
        pairs.append(("expiry", self._date(expires_at_ms // 1000)))
        return pairs

    def _report(self, report: Report) -> Pairs:  # mx §11.4
        number = mms_number(report.status, report.reason)
        return [
            ("id", str(report.id)),
            ("requestid", str(report.submission)),
            ("to", report.sender),
            ("from", report.recipient),
            ("date", self._report_date(report.at_ms // 1000)),
            ("type", _READ if is_read_report(number) else _DELIVERY),
            ("status", str(number)),
        ]

    # How it is written

    def _get(self, pairs: Pairs, tail: str) -> bytes:
        mark = "&" if "?" in self._path else "?"
        return f"GET {self._path}{mark}{self._form(pairs)} HTTP/1.1\r\n{tail}\r\n".encode("ascii")

    def _form(self, pairs: Pairs) -> str:
        quote = self._quote
        return "&".join([f"{name}={quote(value)}" for name, value in pairs])

    def _multipart(self, message: ReceivedMessage, pairs: Pairs, tail: str) -> bytes | Streamed:
        """A form with a file, if there is one. RFC 7578"""
        values = [self._encode(value) for _name, value in pairs]
        content = None if message.mms is None else message.mms.content
        boundary = _boundary(message.id, "" if content is None else content.sha256, values)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
            f"Content-Type: text/plain; charset={self._charset}\r\n\r\n".encode("ascii")
            + value
            + b"\r\n"
            for (name, _), value in zip(pairs, values, strict=True)
        ]
        end = f"--{boundary}--\r\n".encode("ascii")
        if content is not None:
            parts.append(
                f'--{boundary}\r\nContent-Disposition: form-data; name="{FILE}"; filename="{FILE}"\r\n'
                "Content-Type: application/zip\r\n\r\n".encode("ascii")
            )
            end = b"\r\n" + end
        fields = b"".join(parts)
        size = len(fields) + len(end) + (0 if content is None else content.size)
        head = (
            f"POST {self._path} HTTP/1.1\r\n{tail}Content-Type: multipart/form-data; boundary={boundary}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        ).encode("ascii")
        if content is None:
            return head + fields + end
        return Streamed(sha256=content.sha256, pieces=(head + fields, Slice(0, content.size), end))


def _boundary(event: int, sha256: str, values: list[bytes]) -> str:
    """One that no value holds, the same on every attempt; no content holds a hash of itself."""
    for number in count():  # RFC 2046 §5.1.1
        boundary = hashlib.sha256(f"{event} {sha256} {number}".encode()).hexdigest()[:40]
        if not any(boundary.encode() in value for value in values):
            return boundary
    raise AssertionError
