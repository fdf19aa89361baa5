"""The receiving side of an MM7 link: an MMS relay sends us messages and reports by HTTP. 3GPP TS 23.140 §8.7

A request is answered 1000 only after its content is on disk and its rows are committed; 4xxx means that it
is our trouble and worth another try; 2xxx that the request is wrong, and Details says how. Every answer is
in the namespace, prefix and version of the request. Who may send is decided before (``api/mm7_door.py``).

An ASGI application. The body is read in pieces, its work is done in threads; memory does not grow with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import structlog

from homing.engine.contents import CHUNK, Contents
from homing.engine.correlate import ArrivedReceipt
from homing.engine.directory import normalise_number
from homing.engine.mms_content import ContentProblem, Kept, Limits
from homing.engine.mms_intake import ArrivedMms
from homing.links.mm7_reading import LARGEST_ENVELOPE, Mm7Body
from homing.model.clock import now_ms
from homing.model.errors import StoreUnavailable
from homing.model.mms import delivery_outcome, read_outcome
from homing.model.networks import network_of, read_carrier_code
from homing.model.report import Receipt
from homing.wire import mm7
from homing.wire.mime_reader import MimeProblem
from homing.wire.mm7 import DeliverReq, Frame, Mm7Problem, ReportReq, Request

log = structlog.get_logger(__name__)

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Done = Callable[[Exception | None], None]

_RAW: Final = 2_000
"""Octets of a report's envelope that are kept."""
_LONGEST_SUBJECT: Final = 500
_CLOSE: Final = ((b"connection", b"close"),)


class Mm7ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One link, as its configuration says."""

    name: str
    scope: str
    limits: Limits
    network: str = ""
    carrier_code: str = ""
    network_element: str = ""
    """The element in which this relay says MCC and MNC; empty = it does not."""

    @property
    def largest_body(self) -> int:
        """Octets of a whole request: its parts may be in base64, with line ends, and have headers."""
        return self.limits.message * 3 // 2 + LARGEST_ENVELOPE


class Counters:
    """What the relay has sent since the start."""

    def __init__(self) -> None:
        self.received = 0
        self.receipts = 0
        self.refused = 0
        self.last_error: str | None = None


class _Gone(Exception):
    """The relay went away before the end of its request."""


class Mm7Server:
    """One link's receiving side."""

    def __init__(
        self,
        options: Mm7ServerOptions,
        *,
        contents: Contents,
        threads: Executor,
        take_mms: Callable[[str, ArrivedMms, Done], None],
        take_receipts: Callable[[str, Sequence[ArrivedReceipt], Done], None],
        is_draining: Callable[[], bool],
    ) -> None:
        self._options = options
        self._contents = contents
        self._threads = threads
        self._take_mms = take_mms
        self._take_receipts = take_receipts
        self._is_draining = is_draining
        self.counters = Counters()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if scope["method"] != "POST":
                await _answer(send, 405, b"use POST", ((b"allow", b"POST"),), b"text/plain;charset=US-ASCII")
                return
            answer, is_whole = await self._answered(scope, receive)
            await _answer(send, 200, answer, () if is_whole else _CLOSE)
        except _Gone:
            self.counters.last_error = "the relay went away in the middle of a request"

    # --- one request ---

    async def _answered(self, scope: Scope, receive: Receive) -> tuple[bytes, bool]:
        """The answer, and whether the request was read to its end."""
        receiving = _Receiving(receive, self._options.largest_body)
        body: Mm7Body | None = None
        try:
            if self._is_draining():
                raise Mm7Problem(mm7.SERVICE_UNAVAILABLE, "the gateway is about to stop")
            try:
                body = Mm7Body(_content_type(scope), self._contents, self._options.limits)
                answer = await self._take(body, receiving)
            except (MimeProblem, ContentProblem) as problem:
                code = mm7.CONTENT_REFUSED if isinstance(problem, ContentProblem) else mm7.FORMAT_CORRUPT
                raise self._in_frame(code, str(problem), body) from None
            except StoreUnavailable:
                raise self._in_frame(mm7.SERVICE_UNAVAILABLE, "not stored, try again", body) from None
        except Mm7Problem as problem:
            answer = self._refused(problem)
        except _Gone:
            raise
        except Exception:
            log.exception("mm7_request_failed", link=self._options.name)
            answer = self._refused(
                self._in_frame(mm7.SERVICE_ERROR, "this is a fault of the gateway, see its log", body)
            )
        finally:
            if body is not None and body.is_open:
                await self._in_thread(body.close)
        await receiving.drain()  # a relay that is still sending reads no answer
        return answer, receiving.is_over

    async def _take(self, body: Mm7Body, receiving: "_Receiving") -> bytes:
        request: Request | None = None
        while request is None:
            octets = await receiving.some()
            request = await self._in_thread(partial(self._read, body, octets, receiving.is_over))
        try:
            if isinstance(request, ReportReq):
                await self._report(request, bytes(body.envelope))
            else:
                await self._deliver(request, body)
        except StoreUnavailable:
            raise Mm7Problem(
                mm7.SERVICE_UNAVAILABLE, "not stored, try again", request.frame, request.operation
            ) from None
        return mm7.write_response(request.operation, request.frame)

    def _read(self, body: Mm7Body, octets: bytes, is_last: bool) -> Request | None:
        """In a thread: more of the body, and with the last of it what it asks for."""
        body.receive_data(octets)
        if not is_last:
            return None
        body.end()
        return mm7.read_relay_request(bytes(body.envelope), body.envelope_type, self._options.network_element)

    async def _deliver(self, request: DeliverReq, body: Mm7Body) -> None:
        recipients = tuple(
            dict.fromkeys(
                normalise_number(each.address)
                for each in (*request.to, *request.cc, *request.bcc)
                if not each.is_display_only
            )
        )
        if not recipients:
            raise Mm7Problem(
                mm7.ADDRESS_ERROR, "every recipient is only displayed", request.frame, request.operation
            )
        kept = await self._in_thread(partial(body.keep, request.content_id))
        arrived = self._arrived(request, recipients, kept)
        await _committed(partial(self._take_mms, self._options.name, arrived))
        self.counters.received += 1

    def _arrived(self, request: DeliverReq, recipients: tuple[str, ...], kept: Kept) -> ArrivedMms:
        options = self._options
        carrier_code = read_carrier_code(request.carrier_code) or options.carrier_code or None
        is_told = carrier_code is not None and carrier_code != options.carrier_code
        network = None if is_told else options.network or None
        return ArrivedMms(
            sender=normalise_number(request.sender),
            recipients=recipients,
            to=tuple(normalise_number(each.address) for each in request.to),
            cc=tuple(normalise_number(each.address) for each in request.cc),
            subject=" ".join(request.subject.split())[:_LONGEST_SUBJECT],
            text=kept.text,
            content=kept.content,
            network=network or network_of(carrier_code),
            carrier_code=carrier_code,
            transaction=request.frame.transaction_id,
        )

    async def _report(self, request: ReportReq, envelope: bytes) -> None:
        outcome = (read_outcome if request.is_read_report else delivery_outcome)(request.word)
        receipt = Receipt(
            message_ids=(request.message_id,), status=outcome.status, word=request.word,
            reason=outcome.reason, err=request.text[:100], recipient=normalise_number(request.recipient),
            raw=envelope[:_RAW],
        )  # fmt: skip
        options = self._options
        arrived = ArrivedReceipt(scope=options.scope, link=options.name, at_ms=now_ms(), receipt=receipt)
        await _committed(partial(self._take_receipts, options.name, [arrived]))
        self.counters.receipts += 1

    # --- what goes wrong ---

    def _in_frame(self, code: int, details: str, body: Mm7Body | None) -> Mm7Problem:
        """A problem in the way of the request, as far as its envelope has come."""
        frame, operation = Frame(), None
        if body is not None and body.envelope:
            try:
                known = mm7.read_relay_request(bytes(body.envelope), body.envelope_type)
                frame, operation = known.frame, known.operation
            except Mm7Problem as problem:
                frame, operation = problem.frame, problem.operation
        return Mm7Problem(code, details, frame, operation)

    def _refused(self, problem: Mm7Problem) -> bytes:
        self.counters.refused += 1
        self.counters.last_error = f"answered {problem.code}: {problem.details}"
        log.warning("mms_refused", link=self._options.name, code=problem.code, why=problem.details)
        return mm7.write_response(problem.operation, problem.frame, problem.code, problem.details)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


class _Receiving:
    """The body of a request as it comes, up to a limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._taken = 0
        self.is_over = False

    async def some(self) -> bytes:
        """What has come, at most a little more than a chunk; empty = it is over."""
        gathered = bytearray()
        while not self.is_over and len(gathered) < CHUNK:
            gathered += await self._next()
            if self._taken > self._limit:
                raise ContentProblem(f"the request has more than {self._limit} octets")
        return bytes(gathered)

    async def drain(self) -> None:
        """Read on without a use for it, for as much again as may come at all."""
        while not self.is_over and self._taken <= 2 * self._limit:
            await self._next()

    async def _next(self) -> bytes:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise _Gone
        self.is_over = not event.get("more_body", False)
        octets: bytes = event.get("body", b"")
        self._taken += len(octets)
        return octets


async def _committed(take: Callable[[Done], None]) -> None:
    """Wait until something is durable."""
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: Exception | None) -> None:
        if told.done():  # the request may have been cancelled by a shutdown
            return
        if error is None:
            told.set_result(None)
        else:
            told.set_exception(error)

    take(done)
    await told


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1"))
    return "text/xml"


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
    content_type: bytes = b'text/xml; charset="utf-8"',
) -> None:
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
