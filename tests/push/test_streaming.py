"""Requests in pieces, over real sockets and from a real content store: whole, or an error that says why."""

import asyncio
import os
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from homing.engine.contents import CHUNK
from homing.model.delivery import Answer
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content
from homing.push.http import HttpPush, client_context
from homing.push.streaming import GONE, HELD, UNREADABLE, StreamingConnection
from homing.store.blobs import LocalBlobs
from homing.wire.streamed import Slice, Streamed
from tests.push.customer import OK, ask, transport
from tests.push.uploads import Far, keep, octets_of, server, take

SIZE = 10_485_760
TOO_LARGE = b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("contents"))


@pytest.fixture(scope="module")
def large(store: LocalBlobs) -> Content:
    return keep(store, os.urandom(SIZE))


@pytest.fixture(scope="module")
def small(store: LocalBlobs) -> Content:
    return keep(store, b"a picture")


def request_of(content: Content) -> Streamed:
    """A request whose body is a beginning, the content, and an end."""
    head = f"POST /in?pass=s3cret HTTP/1.1\r\nHost: a\r\nContent-Length: {content.size + 10}\r\n\r\nbegin"
    return Streamed(
        sha256=content.sha256, pieces=(head.encode(), Slice(0, content.size), b"", Slice(0, 0), b"ended")
    )


def begin(push: HttpPush, far: Far, request: Streamed) -> asyncio.Queue[Answer]:
    """Starts one push; its answers come into the queue."""
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    push.send(far.target, request, None, lambda _token, answer: answers.put_nowait(answer))
    return answers


async def end(answers: asyncio.Queue[Answer]) -> Answer:
    """The answer of a push, which is told once."""
    answer = await asyncio.wait_for(answers.get(), 20)
    await asyncio.sleep(0)
    assert answers.empty(), "told twice"
    assert "s3cret" not in (answer.error or "")
    return answer


async def push_one(push: HttpPush, far: Far, content: Content) -> Answer:
    return await end(begin(push, far, request_of(content)))


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


# --- what goes well ---


def test_a_request_arrives_whole_and_its_connection_is_kept(
    store: LocalBlobs, large: Content, small: Content
) -> None:
    async def main() -> None:
        async with server() as far, transport(open_content=store.open) as push:
            for content in (large, small, large):
                answer = await push_one(push, far, content)
                assert (answer.status, answer.body, answer.error) == (200, b"OK", None)
                assert far.bodies.pop() == b"begin" + octets_of(store, content) + b"ended"
            assert (far.connections, push.open_connections, push.in_flight) == (1, 1, 0)

    run(main())


def test_any_piece_of_a_content_may_be_sent(store: LocalBlobs, large: Content) -> None:
    async def main() -> None:
        octets = octets_of(store, large)
        pieces = (Slice(SIZE - 5, 5), b"-", Slice(CHUNK - 1, CHUNK + 2), Slice(0, 1))
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (CHUNK + 9)
        async with server() as far, transport(open_content=store.open) as push:
            answer = await end(begin(push, far, Streamed(sha256=large.sha256, pieces=(head, *pieces))))
            assert answer.status == 200
            assert far.bodies == [
                octets[SIZE - 5 : SIZE] + b"-" + octets[CHUNK - 1 : 2 * CHUNK + 1] + octets[:1]
            ]

    run(main())


def certified(path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server has, and what trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    return tls, client_context(str(path / "ca.pem"))


def test_over_tls_too(store: LocalBlobs, large: Content, tmp_path: Path) -> None:
    tls, trusting = certified(tmp_path)

    async def main() -> None:
        async with (
            server(tls=tls) as far,
            transport(open_content=store.open, ssl_context=trusting) as push,
        ):
            for _ in range(2):
                assert (await push_one(push, far, large)).status == 200
                assert far.bodies.pop() == b"begin" + octets_of(store, large) + b"ended"
            assert far.connections == 1

    run(main())


def test_many_at_once(store: LocalBlobs, large: Content) -> None:
    async def main() -> None:
        async with server() as far, transport(open_content=store.open) as push:
            under_way = [begin(push, far, request_of(large)) for _ in range(12)]
            assert [(await end(each)).status for each in under_way] == [200] * 12
            assert len(set(far.bodies)) == 1
            assert far.connections == 12

    run(main())


def test_it_shares_no_connection_with_other_pushes(store: LocalBlobs, small: Content) -> None:
    async def main() -> None:
        async with server() as far, transport(open_content=store.open) as push:
            for _ in range(2):
                assert (await push_one(push, far, small)).status == 200
                assert (await ask(push, far.target)).status == 200
            assert (far.connections, far.requests) == (2, 4)

    run(main())


def test_what_is_said_before_the_real_answer_is_none(store: LocalBlobs, small: Content) -> None:
    async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await take(far, reader, writer, length)

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            for _ in range(2):
                assert (await push_one(push, far, small)).status == 200
            assert far.connections == 1

    run(main())


def test_more_of_an_answer_is_kept_where_it_is_wanted(store: LocalBlobs, small: Content) -> None:
    body = b"x" * 70_000

    async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def main() -> None:
        wide = {"max_answer_bytes": 100_000, "kept_bytes": 65_536}
        async with server(serve) as far, transport(open_content=store.open, **wide) as push:
            for answer in (await push_one(push, far, small), await ask(push, far.target)):
                assert (answer.body, answer.length) == (body[:65_536], len(body))

    run(main())


# --- memory ---


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_slow_reader_does_not_fill_the_memory(
    store: LocalBlobs, large: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_tls: bool
) -> None:
    tls, trusting = certified(tmp_path) if is_tls else (None, None)
    waiting: list[int] = []
    """Octets on their way to the system, whenever the transport has said that it wants no more."""
    paused = asyncio.Event()
    pause = StreamingConnection.pause_writing

    def pause_and_tell(self: StreamingConnection) -> None:
        pause(self)
        waiting.append(self.transport.get_write_buffer_size())
        paused.set()

    monkeypatch.setattr(StreamingConnection, "pause_writing", pause_and_tell)

    async def serve(
        far: Far, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int
    ) -> None:
        await asyncio.wait_for(
            paused.wait(), 10
        )  # nobody reads: the kernel takes what it can, and then stops
        await take(far, reader, writer, length)

    async def main() -> None:
        async with (
            server(serve, tls=tls) as far,
            transport(open_content=store.open, ssl_context=trusting) as push,
        ):
            assert (await push_one(push, far, large)).status == 200
            assert far.bodies == [b"begin" + octets_of(store, large) + b"ended"]

    run(main())
    assert 65_536 < max(waiting) <= HELD < 1_048_576


# --- what goes wrong ---


def test_a_content_that_is_gone(store: LocalBlobs, small: Content) -> None:
    async def main() -> None:
        gone = Streamed(sha256="0" * 64, pieces=(b"POST / HTTP/1.1\r\n\r\n",))
        async with server() as far, transport(open_content=store.open) as push:
            for _ in range(2):
                answer = await end(begin(push, far, gone))
                assert (answer.status, answer.error, answer.congested) == (None, GONE, False)
            assert far.requests == 0
            assert (await push_one(push, far, small)).status == 200
            assert far.connections == 1, "nothing was sent on it, so it is as good as new"

    run(main())


def test_where_there_are_no_contents_every_one_is_gone(small: Content) -> None:
    async def main() -> None:
        async with server() as far, transport() as push:
            assert (await push_one(push, far, small)).error == "the content is gone"

    run(main())


def test_a_content_store_that_fails(small: Content) -> None:
    def unavailable(_sha256: str) -> Any:
        raise StoreUnavailable("the content store: no such device")

    async def main() -> None:
        async with server() as far, transport(open_content=unavailable) as push:
            answer = await push_one(push, far, small)
            assert (answer.status, answer.error, answer.congested) == (None, UNREADABLE, False)
            assert far.requests == 0

    run(main())


def test_a_content_that_is_shorter_than_it_was(store: LocalBlobs, large: Content) -> None:
    async def main() -> None:
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (large.size + 1)
        request = Streamed(sha256=large.sha256, pieces=(head, Slice(0, large.size + 1)))
        async with server() as far, transport(open_content=store.open) as push:
            answer = await end(begin(push, far, request))
            assert (answer.status, answer.error, answer.congested) == (None, UNREADABLE, False)
            await asyncio.wait_for(far.cut.wait(), 10)
            assert (far.bodies, push.open_connections) == ([], 0)

    run(main())


def test_an_answer_before_the_request_is_whole_counts_and_ends_the_connection(
    store: LocalBlobs, large: Content, small: Content
) -> None:
    async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
        if length < SIZE:
            await take(far, reader, writer, length)
        else:
            writer.write(TOO_LARGE)
            await far.cut.wait()

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            for _ in range(2):
                answer = await push_one(push, far, large)
                assert (answer.status, answer.body, answer.error) == (413, b"no", None)
                assert push.open_connections == 0
            assert (await push_one(push, far, small)).status == 200
            assert (far.connections, far.requests) == (3, 3)

    run(main())


def test_a_usual_answer_before_the_request_is_whole_ends_the_connection_too(
    store: LocalBlobs, large: Content, small: Content
) -> None:
    async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
        if length < SIZE:
            await take(far, reader, writer, length)
        else:
            writer.write(OK)
            await far.cut.wait()

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            for content in (small, large, small):
                assert (await push_one(push, far, content)).status == 200
            assert far.connections == 2

    run(main())


def test_a_connection_that_is_lost_in_the_middle(store: LocalBlobs, large: Content) -> None:
    async def serve(far: Far, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readexactly(1_000_000)
        writer.transport.abort()
        raise ConnectionError

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            answer = await push_one(push, far, large)
            assert (answer.status, answer.error) == (None, "closed before the answer")
            assert answer.congested
            assert (far.requests, push.open_connections, push.in_flight) == (1, 0, 0)

    run(main())


@pytest.mark.parametrize("read", [0, 1_000_000])
def test_a_stale_connection_costs_no_attempt_and_it_is_sent_again_whole(
    store: LocalBlobs, large: Content, read: int
) -> None:
    async def serve(far: Far, reader: asyncio.StreamReader, writer: Any, length: int) -> None:
        if far.requests == 2:
            await reader.readexactly(read)
            writer.transport.abort()
            raise ConnectionError
        await take(far, reader, writer, length)

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            for _ in range(2):
                assert (await push_one(push, far, large)).status == 200
                assert far.bodies.pop() == b"begin" + octets_of(store, large) + b"ended"
            assert push.counters.stale == 1
            assert (far.requests, far.connections) == (3, 2)

    run(main())


def test_what_comes_before_the_request_is_no_answer_to_it(store: LocalBlobs, small: Content) -> None:
    async def main() -> None:
        may_open = threading.Event()
        writers: list[asyncio.StreamWriter] = []

        def open_late(sha256: str) -> Any:
            assert may_open.wait(10)
            return store.open(sha256)

        async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
            await take(far, reader, writer, length)
            writers.append(writer)

        async with server(serve) as far, transport(open_content=open_late) as push:
            may_open.set()
            assert (await push_one(push, far, small)).status == 200
            may_open.clear()
            answers = begin(push, far, request_of(small))
            writers[0].write(OK)
            await asyncio.wait_for(far.cut.wait(), 10)
            assert answers.empty()
            may_open.set()
            assert (await end(answers)).status == 200
            assert (far.requests, far.connections, push.counters.stale) == (2, 2, 1)

    run(main())


def test_it_is_given_up_in_time(store: LocalBlobs, large: Content) -> None:
    async def serve(far: Far, *_: Any) -> None:
        await far.cut.wait()

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open, give_up_s=0.3) as push:
            answer = await push_one(push, far, large)
            assert (answer.status, answer.error, answer.congested) == (None, "timeout", True)
            assert 300 <= answer.took_ms < 3000
            assert push.open_connections == 0

    run(main())


def test_closing_abandons_what_is_under_way_and_closes_its_content(store: LocalBlobs, large: Content) -> None:
    opened: list[Any] = []

    class Watched:
        """A content that knows whether it is open."""

        def __init__(self, sha256: str) -> None:
            self.reader = store.open(sha256)
            self.is_open = True
            opened.append(self)

        def read(self, offset: int, size: int) -> bytes:
            return self.reader.read(offset, size)

        def close(self) -> None:
            self.reader.close()
            self.is_open = False

    async def main() -> None:
        reached = asyncio.Event()

        async def serve(far: Far, reader: asyncio.StreamReader, _: Any, length: int) -> None:
            await reader.readexactly(CHUNK)
            reached.set()
            await far.cut.wait()

        async with server(serve) as far, transport(open_content=Watched) as push:
            answers = begin(push, far, request_of(large))
            await asyncio.wait_for(reached.wait(), 10)
            assert [each.is_open for each in opened] == [True]
            await push.close()
            assert [each.is_open for each in opened] == [False]
            assert answers.empty()
            assert push.in_flight == 0

    run(main())


def test_contents_are_closed_however_a_push_ends(store: LocalBlobs, large: Content) -> None:
    async def serve(far: Far, reader: Any, writer: asyncio.StreamWriter, length: int) -> None:
        if far.requests % 2:
            await take(far, reader, writer, length)
        else:
            writer.transport.abort()
            raise ConnectionError

    async def main() -> None:
        async with server(serve) as far, transport(open_content=store.open) as push:
            for _ in range(6):
                await push_one(push, far, large)
        assert [name for name in open_files() if name.endswith(".zip")] == []

    run(main())


def open_files() -> list[str]:
    """The files that this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(str(each.readlink()))
    return found
