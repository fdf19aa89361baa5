"""One kept-alive HTTP/1.1 connection to a customer's server: a request out, its answer in, and again.

Promises exactly one call of ``done`` for each push that was started on it, unless it is ``abandoned``; the
connection is free for the next push before that call. Whatever a server sends is bounded: 64 KiB of head
and ``body_cap`` of body, of which the first ``kept_bytes`` are kept. What goes wrong is an ``Answer`` with
an error, which never repeats the request: URLs carry credentials here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

import httptools

from homing.model.delivery import ANSWER_CAP, Answer
from homing.wire.streamed import Streamed
from homing.wire.target import Target

HEAD_CAP = 65_536
USUAL_CAP = 2_048
"""An answer that is longer, or comes in pieces, is not remembered as the usual one."""
LONGEST_LIFE_S = 300.0
"""After so long a connection is not used again, so that a name which moved is looked up again."""

_NO_ANSWER = Answer(status=None, body=b"", length=0, took_ms=0)

CONGESTED_STATUSES = frozenset({429, 502, 503, 504})

Done = Callable[[Any, Answer], None]


class Push(NamedTuple):
    """One request that waits for a connection."""

    request: bytes | Streamed
    token: object
    done: Done
    started_s: float
    is_second: bool = False
    """It is sent again because a kept-alive connection turned out to be closed already."""


class Counters:
    """What the transport has seen since it was made."""

    __slots__ = ("opened", "slow", "stale")

    def __init__(self) -> None:
        self.opened = 0
        """Connections opened."""
        self.slow = 0
        """Answers that took longer than ``expect_s``."""
        self.stale = 0
        """Pushes sent again at once because the kept-alive connection had been closed."""


class Pool:
    """The connections of one target: those at leisure (last in, first out) and those who wait for one."""

    __slots__ = (
        "connecting",
        "connections",
        "idle",
        "is_streaming",
        "open_one",
        "target",
        "usual",
        "usual_answer",
        "waiting",
    )

    def __init__(
        self, target: Target, open_one: "Callable[[Pool], None]", *, is_streaming: bool = False
    ) -> None:
        self.target = target
        self.is_streaming = is_streaming
        """Its connections send requests in pieces, and no others."""
        self.open_one = open_one
        """Starts opening one more connection."""
        self.connections: set[Connection] = set()
        """All that are open: those at leisure, and those with a push under way."""
        self.idle: list[Connection] = []
        self.waiting: deque[Push] = deque()
        self.connecting = 0
        self.usual = b""
        """The octets of the last answer that came at once and left its connection open: a server mostly says
        the same again."""
        self.usual_answer = _NO_ANSWER
        """What the parser made of them."""

    def wait(self, push: Push, *, first: bool = False) -> None:
        """Queues a push for the next connection that is free, and sees to it that there will be one."""
        if first:
            self.waiting.appendleft(push)
        else:
            self.waiting.append(push)
        if len(self.waiting) > self.connecting:
            self.open_one(self)

    def release(self, connection: "Connection") -> None:
        """Takes a free connection back, or gives it to who waits."""
        if self.waiting:
            push = self.waiting.popleft()
            connection.start(push.request, push.token, push.done, push.started_s, push.is_second)
        else:
            self.idle.append(connection)

    def forget(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


class Head:
    """The headers of an answer that matter, read from its first octets; ``on_…`` is called by the parser."""

    def __init__(self, octets: bytes) -> None:
        self.is_framed = False
        """The answer says itself where its body ends."""
        self.retry_after: str | None = None
        self._is_complete = False
        self._parser = httptools.HttpResponseParser(self)
        with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser.feed_data(octets)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_complete:  # a trailer
            return
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self.is_framed = True
        elif name == b"retry-after":
            self.retry_after = value[:100].decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._is_complete = True
        else:  # RFC 9110 §15.2: the real answer follows
            self.is_framed = False
            self.retry_after = None


class Connection(asyncio.Protocol):
    """Reads answers with llhttp; its callbacks (``on_…``) are called by the parser.

    It has none for headers, because of a good answer none is needed; ``Head`` reads them where they are.
    """

    __slots__ = (
        "_body",
        "_body_cap",
        "_complete",
        "_counters",
        "_done",
        "_expect_ms",
        "_head",
        "_headers_done",
        "_heard",
        "_is_second",
        "_keep",
        "_kept_bytes",
        "_length",
        "_parser",
        "_pool",
        "_request",
        "_reused",
        "_status",
        "_token",
        "_until_s",
        "since_s",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(
        self, pool: Pool, counters: Counters, expect_s: float, body_cap: int, kept_bytes: int = ANSWER_CAP
    ) -> None:
        self._pool = pool
        self._counters = counters
        self._expect_ms = int(expect_s * 1000)
        self._body_cap = body_cap
        self._kept_bytes = kept_bytes
        self._parser = httptools.HttpResponseParser(self)
        self.since_s = monotonic()
        """When the push under way began (busy), or the last one ended (idle)."""
        self._until_s = self.since_s + LONGEST_LIFE_S
        self._request: bytes | Streamed = b""
        self._token: object = None
        self._done: Done | None = None
        self._reused = False
        self._is_second = False
        self._prepare_to_read()

    def _prepare_to_read(self) -> None:
        self._heard = False
        self._complete = False
        self._keep = False
        self._headers_done = False
        self._head = b""
        self._status = 0
        self._length = 0
        self._body = b""

    # What the pool does

    def start(
        self, request: bytes | Streamed, token: object, done: Done, started_s: float, is_second: bool
    ) -> None:
        """Sends a request; the connection must be free."""
        self._request = request
        self._token = token
        self._done = done
        self.since_s = started_s
        self._is_second = is_second
        # ``Streamed`` has connections of its own, which write otherwise.
        self.transport.write(request)  # type: ignore[arg-type]

    @property
    def is_busy(self) -> bool:
        """Whether a push is under way on it."""
        return self._done is not None

    def close(self) -> None:
        """Closes a connection at leisure."""
        self.transport.close()

    def abandon(self) -> None:
        """Closes at once; ``done`` of a push under way is not called any more."""
        self._done = None
        self.transport.abort()

    def fail(self, error: str, *, congested: bool) -> None:
        """Ends the push under way, and the connection."""
        self._end(self._failure(error, congested=congested), False)

    def _failure(self, error: str, *, congested: bool) -> Answer:
        return Answer(
            status=None,
            body=self._body,
            length=self._length,
            took_ms=int((monotonic() - self.since_s) * 1000),
            error=error,
            congested=congested,
        )

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._counters.opened += 1

    def data_received(self, data: bytes) -> None:
        if self._done is None:  # nobody asked
            self.transport.abort()
            return
        is_first = not self._heard
        pool = self._pool
        if is_first and data == pool.usual:
            # The parser stands where it stood when it read these octets, before an answer: it would say the
            # same again, and stand there again. So it need not read them.
            self._answered(pool.usual_answer, True)
            return
        self._heard = True
        if not self._headers_done:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keep = False
            if not self._complete:
                self.fail("the answer is not HTTP", congested=False)
                return
        if self._complete:
            answer = self._answer()
            if is_first and self._keep and len(data) <= USUAL_CAP:
                pool.usual, pool.usual_answer = data, answer
            self._answered(answer, self._keep)
        elif self._length > self._body_cap:
            self._answered(self._answer(), False)
        elif len(self._head) > HEAD_CAP and not self._headers_done:
            self.fail("the head of the answer is too long", congested=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        done = self._done
        if done is None:
            return
        if self._heard:
            if exc is None and self._headers_done and not Head(self._head).is_framed:
                # The end of the connection is the end of the body: RFC 9112 §6.3
                self._answered(self._answer(), False)
            else:
                self.fail("closed in the middle of the answer", congested=True)
        elif self._reused and not self._is_second:
            # Closed while the request was under way to it: RFC 9112 §9.3.1. The others are likely gone too.
            self._counters.stale += 1
            self._done = None
            pool = self._pool
            while pool.idle:
                pool.idle.pop().close()
            pool.wait(Push(self._request, self._token, done, self.since_s, True), first=True)
        else:
            self.fail("closed before the answer", congested=True)

    # What the parser says

    def on_message_begin(self) -> None:
        if self._complete:  # a second answer to one request
            self._keep = False

    def on_headers_complete(self) -> None:
        if not self._complete:
            self._headers_done = True
            self._status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        self._length += len(data)
        missing = self._kept_bytes - len(self._body)
        if missing > 0:
            self._body += data[:missing]

    def on_message_complete(self) -> None:
        if self._complete:
            return
        if self._status < 200:  # RFC 9110 §15.2: the real answer follows
            self._headers_done = False
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()

    # How a push ends

    def _answer(self) -> Answer:
        """What the parser has read; how long it took is not known yet."""
        status = self._status
        return Answer(
            status=status,
            body=self._body,
            length=self._length,
            took_ms=0,
            retry_after=Head(self._head).retry_after if status >= 300 else None,
            congested=status in CONGESTED_STATUSES,
        )

    def _answered(self, read: Answer, keep: bool) -> None:
        """An answer has come; with ``keep`` the connection may be used again."""
        now_s = monotonic()
        took_ms = int((now_s - self.since_s) * 1000)
        if took_ms > self._expect_ms:
            self._counters.slow += 1
        answer = Answer(
            status=read.status,
            body=read.body,
            length=read.length,
            took_ms=took_ms,
            retry_after=read.retry_after,
            congested=read.congested,
        )
        self.since_s = now_s
        self._end(answer, keep and now_s <= self._until_s)

    def _end(self, answer: Answer, keep: bool) -> None:
        done, token = self._done, self._token
        assert done is not None
        self._done = self._token = None
        self._request = b""
        if keep and not self.transport.is_closing():
            self._reused = True
            if self._heard:
                self._prepare_to_read()
            self._pool.release(self)
        else:
            self._pool.forget(self)
            self.transport.abort()
        hand_over(done, token, answer)


def hand_over(done: Done, token: object, answer: Answer) -> None:
    """Tells how a push ended. What goes wrong with the teller does not touch the other pushes."""
    try:
        done(token, answer)
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "the outcome of a push was not taken", "exception": error}
        )
