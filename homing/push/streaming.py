"""Requests that hold a content of an MMS: read from the content store while they are sent, piece by piece.

Such a push has a connection of a pool of its own, so that the others pay nothing for it. The content is
opened before an octet of the request leaves; reading blocks, and is done in threads. Of a request at most
``HELD`` octets wait in memory, however large it is and however slowly the customer reads.

What goes wrong is an ``Answer`` with an error, as for every push: ``GONE`` when there is no content of that
name, ``UNREADABLE`` when the content store fails or has less than it should. An answer that comes before
the request has left whole counts, and ends the connection.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from homing.engine.contents import CHUNK, ContentReader, OpenContent
from homing.model.delivery import Answer
from homing.push.connection import Connection, Done
from homing.wire.streamed import Slice, Streamed

log = structlog.get_logger(__name__)

GONE: Final = "the content is gone"
UNREADABLE: Final = "the content cannot be read"
HIGH_WATER: Final = 65_536
"""With more than so many octets on their way to the system, nothing further is read."""
HELD: Final = CHUNK + HIGH_WATER
"""Octets of one request that wait to leave, at most."""
READERS: Final = 8
"""Contents read at the same moment."""
CLOSE_S: Final = 1.0

_T = TypeVar("_T")


def no_content(sha256: str) -> ContentReader:
    """Where there are no contents, every content is gone."""
    raise FileNotFoundError(sha256)


class Streams:
    """Opens contents and reads them, in threads of its own; one task for each request under way."""

    def __init__(self, open_content: OpenContent) -> None:
        self._open_content = open_content
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(
        self, request: Streamed, transport: asyncio.Transport, failed: Callable[[str], None]
    ) -> "Sending":
        """Starts sending a request; ``failed(error)`` is called when that cannot be done."""
        sending = Sending(request, transport, self, failed)
        task = asyncio.get_running_loop().create_task(sending.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return sending

    async def open(self, sha256: str) -> ContentReader:
        """A content, open for reading."""
        return await self.call(self._open_content, sha256)

    async def call(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Calls what blocks, in a thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="content")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def release(self, reader: ContentReader) -> None:
        try:
            await self.call(reader.close)
        except RuntimeError:  # there are no threads any more
            reader.close()

    async def close(self) -> None:
        """Waits a moment for readings that have been stopped, so that their contents are closed."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


class Sending:
    """One request on its way to a transport, which says when it takes no more (``pause``, ``resume``)."""

    __slots__ = (
        "_failed",
        "_is_stopped",
        "_may_write",
        "_request",
        "_streams",
        "_transport",
        "has_begun",
        "is_whole",
    )

    def __init__(
        self, request: Streamed, transport: asyncio.Transport, streams: Streams, failed: Callable[[str], None]
    ) -> None:
        self._request = request
        self._transport = transport
        self._streams = streams
        self._failed = failed
        self._is_stopped = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.has_begun = False
        """Some of it has been handed to the transport."""
        self.is_whole = False
        """All of it has."""

    @property
    def leaves_clean(self) -> bool:
        """Whether another request may follow on the connection: this one has left whole, or not at all."""
        return not self.has_begun or (self.is_whole and not self._transport.get_write_buffer_size())

    def pause(self) -> None:
        self._may_write.clear()

    def resume(self) -> None:
        self._may_write.set()

    def stop(self) -> None:
        """Write no more, and tell nothing any more. What a thread reads just now is thrown away."""
        self._is_stopped = True
        self._may_write.set()

    async def run(self) -> None:
        """Sends all pieces, unless it is stopped."""
        reader: ContentReader | None = None
        try:
            reader = await self._streams.open(self._request.sha256)
            await self._write_all(reader)
        except FileNotFoundError:
            self._fail(GONE)
        except Exception as error:
            log.warning("content_not_read", sha256=self._request.sha256, error=str(error))
            self._fail(UNREADABLE)
        finally:
            if reader is not None:
                await self._streams.release(reader)

    async def _write_all(self, reader: ContentReader) -> None:
        for piece in self._request.pieces:
            if isinstance(piece, Slice):
                at, end = piece.offset, piece.offset + piece.size
                while at < end and not self._is_over:
                    octets = await self._streams.call(reader.read, at, min(CHUNK, end - at))
                    if not octets:
                        raise EOFError("the content is shorter than it was")
                    await self._write(octets)
                    at += len(octets)
            else:
                await self._write(piece)
        self.is_whole = not self._is_over

    async def _write(self, octets: bytes) -> None:
        if not self._is_over:
            self.has_begun = True
            self._transport.write(octets)
            await self._may_write.wait()

    @property
    def _is_over(self) -> bool:
        return self._is_stopped or self._transport.is_closing()

    def _fail(self, error: str) -> None:
        if not self._is_stopped:
            self._failed(error)


class StreamingConnection(Connection):
    """A connection whose requests are all ``Streamed``."""

    __slots__ = ("_sending", "_streams")

    def __init__(self, streams: Streams, *settings: Any) -> None:
        super().__init__(*settings)
        self._streams = streams
        self._sending: Sending | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)

    def start(
        self, request: bytes | Streamed, token: object, done: Done, started_s: float, is_second: bool
    ) -> None:
        """Begins to send a request; the connection must be free."""
        assert isinstance(request, Streamed)
        super().start(b"", token, done, started_s, is_second)
        self._request = request
        self._sending = self._streams.begin(request, self.transport, self._not_sent)

    def pause_writing(self) -> None:
        if self._sending is not None:
            self._sending.pause()

    def resume_writing(self) -> None:
        if self._sending is not None:
            self._sending.resume()

    def data_received(self, data: bytes) -> None:
        if self._sending is None or self._sending.has_begun:
            super().data_received(data)
        else:  # what comes before the request does cannot be its answer
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sending is not None:
            self._sending.stop()
        super().connection_lost(exc)

    def abandon(self) -> None:
        if self._sending is not None:
            self._sending.stop()
        super().abandon()

    def _not_sent(self, error: str) -> None:
        self._end(self._failure(error, congested=False), not self._heard)

    def _end(self, answer: Answer, keep: bool) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            keep = keep and sending.leaves_clean
            sending.stop()
        super()._end(answer, keep)
