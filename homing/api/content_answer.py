"""Contents of MMS, and parts of them, as answers: whole or a range, read while they leave.

A face says what of a content is asked for; the rest is the same for all: the look-up, conditions and ranges
(RFC 9110 §13, §14), and octets that are read in threads, a few transfers at once. The first piece comes with
the look-up, in one hop. Not more than one piece waits for a client that reads slowly.

What goes wrong before the answer begins is a ``Refusal``. After that a connection can only be broken off:
when a content cannot be read on, or a client does not take a piece within ``PATIENCE_S``.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import anyio.to_thread
import msgspec
import structlog
from anyio import CapacityLimiter

from homing.api.direct import TRANSPORT
from homing.api.gateway import Gateway
from homing.api.plain import Headers, Receive, Scope, Send, answer_line
from homing.engine.contents import ContentReader
from homing.engine.records import FoundContent
from homing.model.errors import Refusal, StoreUnavailable
from homing.wire.range_request import Choice, Conditions, choose

log = structlog.get_logger(__name__)

METHODS: Final = ("GET", "HEAD")
PIECE: Final = 131_072
"""Octets that are read at once, for one transfer."""
READERS: Final = 8
"""Transfers that use the store or the disk at once."""
PATIENCE_S: Final = 60.0
"""A client that does not take a piece in so long is left."""
_LEAVING_S: Final = 1.0
_CONDITIONS: Final = {
    b"range": "range", b"if-range": "if_range", b"if-match": "if_match", b"if-none-match": "if_none_match",
}  # fmt: skip
_NO_CONDITIONS: Final = Conditions()
_GONE: Final = "the content is gone, its time is over"


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """What of a content is asked for."""

    sha256: str
    """Of just these octets: their entity tag."""
    offset: int
    size: int
    headers: Headers
    """Their type, and how they are to be shown."""


class _Reading:
    """A content that is open until the range that is asked for has been read."""

    def __init__(self, reader: ContentReader, at: int, end: int) -> None:
        self._reader = reader
        self._at = at
        self._end = end
        self.is_open = True

    def next(self) -> bytes:
        """The next piece. In a thread."""
        size = min(PIECE, self._end - self._at)
        octets = self._reader.read(self._at, size)
        if len(octets) < size:
            raise StoreUnavailable("the content store: a content is shorter than it was")
        self._at += size
        if self._at == self._end:
            self.close()
        return octets

    def close(self) -> None:
        """Once, or many times. In a thread."""
        if self.is_open:
            self.is_open = False
            self._reader.close()


class _Opened(NamedTuple):
    selected: Selected
    choice: Choice
    reading: _Reading | None = None
    first: bytes = b""


class ContentAnswers:
    """Answers requests for contents. One for all faces, so that its threads are."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._threads = CapacityLimiter(READERS)

    async def answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        event: int,
        select: Callable[[FoundContent], Selected],
    ) -> None:
        """Answer with what ``select`` chooses of an event's content; it runs in a thread, and may refuse."""
        opening = partial(self._open, event, select, _conditions(scope), scope["method"] != "HEAD")
        try:
            opened = await self._in_thread(opening)
        except StoreUnavailable as error:
            raise Refusal("unavailable", "the content cannot be read now, try again") from error
        reading = opened.reading
        try:
            await self._send(scope, receive, send, opened)
        finally:
            if reading is not None and reading.is_open:
                await self._in_thread(reading.close)

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(function, limiter=self._threads)

    # --- in a thread ---

    def _open(
        self, event: int, select: Callable[[FoundContent], Selected], asked: Conditions, wants_body: bool
    ) -> _Opened:
        found = self._gateway.records.content(event)
        selected = select(found)
        if not found.is_kept:
            raise Refusal("gone", _GONE)
        choice = choose(asked, selected.sha256.encode(), selected.size)
        if choice.outcome not in ("whole", "part"):
            return _Opened(selected, choice)
        reader = self._reader(event, found.mms.content.sha256)
        reading = _Reading(reader, selected.offset + choice.first, selected.offset + choice.end)
        first = b""
        try:
            if wants_body and choice.first < choice.end:
                first = reading.next()
            else:
                reading.close()
        except BaseException:
            reading.close()
            raise
        return _Opened(selected, choice, reading, first)

    def _reader(self, event: int, sha256: str) -> ContentReader:
        try:
            return self._gateway.contents.open(sha256)
        except FileNotFoundError:
            if not self._gateway.records.content(event).is_kept:
                raise Refusal("gone", _GONE) from None  # since we looked
            log.error("content_missing", event_id=event, sha256=sha256)
            raise StoreUnavailable("the content store: a content is missing") from None

    # --- on the loop ---

    async def _send(self, scope: Scope, receive: Receive, send: Send, opened: _Opened) -> None:
        selected, choice = opened.selected, opened.choice
        known: Headers = ((b"etag", b'"%s"' % selected.sha256.encode()), (b"cache-control", b"private"))
        size = selected.size
        if choice.outcome == "precondition_failed":  # RFC 9110 §15.5.13
            await answer_line(send, 412, "the content has another entity tag", known)
            return
        if choice.outcome == "unsatisfiable":  # RFC 9110 §15.5.17
            within: Headers = ((b"content-range", b"bytes */%d" % size),)
            await answer_line(send, 416, f"the content has {size} octets", known + within)
            return
        if choice.outcome == "not_modified":  # RFC 9110 §15.4.5
            await send({"type": "http.response.start", "status": 304, "headers": known})
            await send({"type": "http.response.body", "body": b""})
            return
        status, fields = 200, [(b"content-length", b"%d" % (choice.end - choice.first))]
        fields += [*selected.headers, *known, (b"accept-ranges", b"bytes")]
        if choice.outcome == "part":  # RFC 9110 §15.3.7
            status = 206
            fields.append((b"content-range", b"bytes %d-%d/%d" % (choice.first, choice.end - 1, size)))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await self._send_pieces(scope, receive, send, opened)

    async def _send_pieces(self, scope: Scope, receive: Receive, send: Send, opened: _Opened) -> None:
        piece, reading = opened.first, opened.reading
        while reading is not None and reading.is_open:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if not await _is_taken(scope, send):
                await _leave(scope, receive)
                return
            try:
                piece = await self._in_thread(reading.next)
            except StoreUnavailable as error:
                log.error("content_not_read", error=str(error))
                await _leave(scope, receive)
                return
        await send({"type": "http.response.body", "body": piece})


def _conditions(scope: Scope) -> Conditions:
    """What a request says of the representation. A range is one of a GET, and a POST has no conditions."""
    if scope["method"] not in METHODS:
        return _NO_CONDITIONS
    found: dict[str, bytes] = {}
    for name, value in scope["headers"]:
        field = _CONDITIONS.get(name)
        if field is not None and (field != "range" or scope["method"] == "GET"):  # RFC 9110 §14.2
            found[field] = b"%s, %s" % (found[field], value) if field in found else value
    return Conditions(**found)


async def _is_taken(scope: Scope, send: Send) -> bool:
    """Wait until the client has taken what was sent; False when it is gone, or takes too long."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            # The server waits until there is room before it writes, be it nothing.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
    except TimeoutError:
        return False
    return not scope[TRANSPORT].is_closing()


async def _leave(scope: Scope, receive: Receive) -> None:
    """Break off an answer: nothing else tells a client that it has not come to its end."""
    scope[TRANSPORT].abort()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LEAVING_S):
            while (await receive())["type"] != "http.disconnect":
                pass
