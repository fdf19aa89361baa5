"""A simulated MMSC: takes MMS by MM7, reports on them, and lets phones reply, over real sockets.

It runs in a node whose links of kind ``mm7`` have ``submit_url = "simulator"``, on a free port of loopback.
What becomes of a message is the matter of ``mmsc_fates.py``. Reports go to the URL that the node gave, and
are sent again until they are answered 1000, at most ``len(WAITS_S)`` times. Nothing outlives the process.
Bounded: a submission above ``UNDER_WAY_LIMIT`` is answered 4006, a body above the limit HTTP 413.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hmac import compare_digest
from typing import Any, Final

import msgspec
import structlog
import uvicorn

from homing.links.mm7_post import Posted, post
from homing.links.mms_phone import DeliverRequest, PhoneMms, files_of, write_request
from homing.links.mms_samples import JPEG
from homing.links.mmsc_fates import MmsFate, mms_fate_of
from homing.links.mmsc_reading import SubmitReader, Submitted
from homing.wire.mm7 import SERVICE_UNAVAILABLE, SUCCESS, Frame, Mm7Problem, ReportReq
from homing.wire.mm7_relay import SubmitReq, write_report, write_submit_response
from homing.wire.mm7_request import basic_credentials

log = structlog.get_logger(__name__)

WAITS_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Before each attempt to bring a report."""
SLOWER: Final = 10
"""How many times longer a slow report takes."""
STEP_S: Final = 0.05
"""Between an early report and the answer."""
UNDER_WAY_LIMIT: Final = 10_000
"""Messages that are still to be reported on."""
THREADS: Final = 4
"""Reports brought at the same moment."""
_XML: Final = "text/xml; charset=utf-8"


class Vasp(msgspec.Struct, frozen=True, kw_only=True):
    """A value added service, as the MMSC knows it: one link of the node."""

    name: str
    user: str = ""
    """Empty = it need not log in."""
    password: str = ""
    report_url: str = ""
    """Where reports and replies go; empty = nowhere."""


class Mmsc:
    """See the module. An ASGI application with its own listener; runs on the loop of ``start``."""

    def __init__(
        self,
        vasps: Sequence[Vasp],
        *,
        latency_ms: int = 10,
        report_delay_ms: int = 500,
        limit_bytes: int = 16_777_216,
        keeps_records: bool = False,
    ) -> None:
        """``limit_bytes``: of a request; ``keeps_records`` remembers every submission for tests."""
        self._vasps = {vasp.name: vasp for vasp in vasps}
        self._latency_s = latency_ms / 1000
        self._report_delay_s = report_delay_ms / 1000
        self._limit = limit_bytes
        self._keeps_records = keeps_records
        # Ids go on over restarts, so that a node with an old store never meets one again.
        self._last_id = time.time_ns() // 1_000_000 << 8
        self._tries: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mmsc")
        self._server = Server(self)
        self.taken = 0
        """Submissions answered with an id."""
        self.acknowledged = 0
        """Reports and replies that the node has."""
        self.sent_again = 0
        """Attempts to bring one that failed."""
        self.submissions: list[Submitted] = []
        """All that were taken, repeats too (``keeps_records``)."""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, which the system chooses when it is 0."""
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """Close the listener; what waits is gone."""
        await self._server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """Messages that are still to be reported on."""
        return len(self._tasks)

    # --- requests ---

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        vasp = self._vasps.get(scope["path"].removeprefix("/"))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if vasp is None or scope["method"] != "POST":
            await _answer(send, 404, b"no such service")
        elif vasp.user and not _is_login(vasp, headers.get("authorization", "")):
            await _answer(send, 401, b"who are you?")
        else:
            await self._take(vasp, headers, receive, send)

    async def _take(self, vasp: Vasp, headers: dict[str, str], receive: Any, send: Any) -> None:
        try:
            submitted = await self._read(headers, receive)
        except Mm7Problem as problem:
            is_error = problem.operation != "SubmitReq"
            await _answer(
                send, 200,
                write_submit_response(problem.frame, "", problem.code, problem.details, is_error=is_error),
            )  # fmt: skip
            return
        except _TooLong:
            await _answer(send, 413, b"too long")
            return
        if submitted is None:  # the client has gone
            return
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        await self._decide(vasp, submitted, send)

    async def _read(self, headers: dict[str, str], receive: Any) -> Submitted | None:
        reader = SubmitReader(headers, keeps_parts=self._keeps_records)
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            octets = event.get("body", b"")
            size += len(octets)
            if size > self._limit:
                raise _TooLong
            reader.receive_data(octets)
            if not event.get("more_body", False):
                return reader.end()

    async def _decide(self, vasp: Vasp, submitted: Submitted, send: Any) -> None:
        """Answer as the fate of the recipient says."""
        request = submitted.request
        recipient = request.recipients[0].address
        fate = mms_fate_of(recipient)
        if len(self._tasks) >= UNDER_WAY_LIMIT:
            await _refuse(send, request.frame, SERVICE_UNAVAILABLE, "too much is under way")
            return
        key = (recipient, request.frame.transaction_id)
        tries = self._tries[key]
        if tries < len(fate.put_off):
            self._count_try(key)
            await _put_off(send, request.frame, fate.put_off[tries])
            return
        if fate.is_unreadable and not tries:
            self._count_try(key)
            await _answer(send, 200, b"<html>OK</html>")
            return
        self._tries.pop(key, None)
        if fate.refused is not None:
            await _refuse(send, request.frame, fate.refused, f"{recipient} is a number that is refused")
            return
        await self._accept(vasp, submitted, fate, send)

    async def _accept(self, vasp: Vasp, submitted: Submitted, fate: MmsFate, send: Any) -> None:
        self.taken += 1
        if self._keeps_records:
            self.submissions.append(submitted)
        self._last_id += 1
        message_id = f"M{self._last_id}"
        request = submitted.request
        if fate.is_early:
            self._spawn(self._report(vasp, request, fate, message_id, 0.0))
            await asyncio.sleep(STEP_S)
        await _answer(send, 200, write_submit_response(request.frame, message_id))
        if not fate.is_early:
            wait_s = self._report_delay_s * (SLOWER if fate.is_slow else 1)
            self._spawn(self._report(vasp, request, fate, message_id, wait_s))

    def _count_try(self, key: tuple[str, str]) -> None:
        if len(self._tries) >= UNDER_WAY_LIMIT:  # of clients that do not send again
            self._tries.clear()
        self._tries[key] += 1

    # --- reports ---

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(
        self, vasp: Vasp, request: SubmitReq, fate: MmsFate, message_id: str, wait_s: float
    ) -> None:
        """What the node hears of a message, one after the other."""
        await asyncio.sleep(wait_s)
        if not vasp.report_url:
            return
        requests = [DeliverRequest(_XML, write_report(r)) for r in reports_of(request, fate, message_id)]
        if fate.reply is not None and request.sender:
            requests.append(_reply(request, message_id))
        for each in requests:
            if not await self._bring(vasp, each):
                return

    async def _bring(self, vasp: Vasp, request: DeliverRequest) -> bool:
        """Whether the node has it, after some attempts."""
        send = partial(
            post, vasp.report_url, request.content_type, request.body, user=vasp.user, password=vasp.password
        )
        why = ""
        for wait_s in WAITS_S:
            await asyncio.sleep(wait_s)
            try:
                said: Posted = await asyncio.get_running_loop().run_in_executor(self._threads, send)
            except OSError as error:
                why = str(error)
            else:
                if said.is_taken:
                    self.acknowledged += 1
                    return True
                why = f"{said.status} {said.text}"
            self.sent_again += 1
        log.warning("simulated_report_not_taken", link=vasp.name, why=why)
        return False


class Server(uvicorn.Server):
    """A listener in the loop of who starts it. Signals are the node's own matter."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app, ws="none", loop="none", lifespan="off", log_config=None, access_log=False,
                proxy_headers=False, server_header=False, timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Returns the port when connections are taken; ``OSError`` when the address cannot be had."""
        bound = socket.create_server((host, port))
        self._task = asyncio.get_running_loop().create_task(self.serve([bound]))
        listening = asyncio.ensure_future(self._listening.wait())
        await asyncio.wait((self._task, listening), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()
        chosen: int = bound.getsockname()[1]
        return chosen

    async def stop(self) -> None:
        self.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _TooLong(Exception):
    """A request is longer than the limit."""


def reports_of(request: SubmitReq, fate: MmsFate, message_id: str) -> list[ReportReq]:
    """The reports on a message that were asked for, in the order in which they come."""

    def made(operation: str, word: str) -> ReportReq:
        return ReportReq(
            operation=operation, frame=Frame(transaction_id=message_id, namespace=request.frame.namespace),
            message_id=message_id, recipient=request.recipients[0].address, sender=request.sender, word=word,
            text=f"The simulator says {word}.", timestamp=_timestamp(),
        )  # fmt: skip

    delivery = [made("DeliveryReportReq", word) for word in fate.words]
    read = [made("ReadReplyReq", fate.read_word)] if "Retrieved" in fate.words else []
    delivery = delivery if request.wants_delivery_report else []
    read = read if request.wants_read_report else []
    return read + delivery if fate.reads_first else delivery + read


def _reply(request: SubmitReq, message_id: str) -> DeliverRequest:
    """The phone answers with a picture."""
    mms = PhoneMms(
        sender=request.recipients[0].address, to=(request.sender,), subject="Re: " + request.subject,
        files=files_of([("picture.jpg", JPEG)], "Thank you"),
    )  # fmt: skip
    return write_request(mms, transaction=f"reply-{message_id}", timestamp=_timestamp())


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_login(vasp: Vasp, authorization: str) -> bool:
    wanted = basic_credentials(vasp.user, vasp.password)
    return compare_digest(wanted.encode(), authorization.encode("utf-8", "replace"))


async def _put_off(send: Any, frame: Frame, code: int) -> None:
    if code < SUCCESS:  # a status of HTTP
        await _answer(send, code, b"later")
    else:
        await _refuse(send, frame, code, "later")


async def _refuse(send: Any, frame: Frame, code: int, details: str) -> None:
    await _answer(send, 200, write_submit_response(frame, "", code, details))


async def _answer(send: Any, status: int, body: bytes) -> None:
    is_xml = body.startswith(b"<?xml")
    headers = [
        (b"content-type", _XML.encode() if is_xml else b"text/plain"),
        (b"content-length", b"%d" % len(body)),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="mmsc"'))  # RFC 9110 §15.5.2
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
