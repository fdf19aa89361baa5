"""The listeners' bounds, on real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from homing.api.direct import Reply
from homing.node.listeners import HEAD_CAP, Listener, bind

REQUEST = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(length).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listening(app: Any = echo, **changes: Any) -> AsyncIterator[Listener]:
    options = {"tls": None, "max_connections": 50, "idle_timeout_s": 1} | changes
    listener = Listener(app, bind("127.0.0.1", 0), **options)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(1.0)


async def ask(port: int, octets: bytes, **options: Any) -> bytes:
    """What comes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    writer.write(octets)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("said", "octets"),
    [
        ("nothing", b""),
        ("half a head", REQUEST[:20]),
        ("half a body", b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 10\r\n\r\nabc"),
    ],
)
def test_who_does_not_end_a_request_is_left(said: str, octets: bytes) -> None:
    async def run() -> None:
        async with listening() as listener:
            assert await ask(listener.port, octets) == b""

    asyncio.run(run())


def test_a_long_body_has_the_time_that_it_needs() -> None:
    async def run() -> None:
        async with listening() as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            began_s = asyncio.get_running_loop().time()
            writer.write(b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 60001\r\n\r\n")
            for _ in range(6):  # twice the idle time in all
                writer.write(b"x" * 10_000)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.4)
            writer.write(b"x")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            assert asyncio.get_running_loop().time() - began_s > 2
            writer.close()

    asyncio.run(run())


def test_who_does_not_take_the_answer_is_left() -> None:
    ended = asyncio.Event()

    async def taking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        ended.set()

    async def run() -> None:
        async with listening(taking) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
            writer.write(REQUEST)
            await reader.readline()  # and no more
            await asyncio.wait_for(ended.wait(), 10)
            writer.close()

    asyncio.run(run())


def test_a_kept_connection_answers_again_and_is_closed_when_idle() -> None:
    async def run() -> None:
        async with listening() as listener:
            said = await ask(listener.port, REQUEST + REQUEST)
            assert said.count(b"HTTP/1.1 200 OK") == 2

    asyncio.run(run())


def test_a_head_has_a_size() -> None:
    async def run() -> None:
        async with listening() as listener:
            said = await ask(listener.port, b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_CAP + 10))
            assert said.startswith(b"HTTP/1.1 400 ")

    asyncio.run(run())


def test_connections_above_the_limit_are_refused() -> None:
    async def run() -> None:
        async with listening(max_connections=2) as listener:
            _held, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            said = await ask(listener.port, REQUEST)
            assert said.startswith(b"HTTP/1.1 503 ")
            writer.close()

    asyncio.run(run())


class Direct:
    """An application whose target ``/d`` goes the direct way; ``answer`` is called with what came there."""

    def __init__(self, answer: Callable[[bytes, Reply], bool] | None = None) -> None:
        self.direct = {b"/d": self._take}
        self._answer = answer
        self.held: asyncio.Queue[tuple[bytes, Reply]] = asyncio.Queue()
        self.taken = 0

    def _take(self, query: bytes, client: Any, headers: Any, reply: Reply) -> bool:
        self.taken += 1
        if self._answer is not None:
            return self._answer(query, reply)
        self.held.put_nowait((query, reply))
        return True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)


def direct(query: bytes, headers: bytes = b"") -> bytes:
    return b"GET /d?%s HTTP/1.1\r\nHost: node\r\n%s\r\n" % (query, headers)


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


def test_the_end_waits_for_a_direct_answer_and_closes_with_it() -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app, idle_timeout_s=60) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            idle, other = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(direct(b"x"))
            _, reply = await app.held.get()
            stopping = asyncio.create_task(listener.stop(10.0))
            assert await asyncio.wait_for(idle.read(), 10) == b""
            assert not stopping.done()
            reply(200, b"late", ())
            head, body = await read_answer(reader)
            assert body == b"late"
            assert b"\r\nconnection: close\r\n" in head
            assert await reader.read() == b""
            await asyncio.wait_for(stopping, 5)
            writer.close()
            other.close()

    asyncio.run(run())


def test_whoever_waits_for_a_direct_answer_is_not_idle() -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app, idle_timeout_s=1) as listener:
            waiting = asyncio.create_task(ask(listener.port, direct(b"x")))
            _, reply = await app.held.get()
            assert await ask(listener.port, b"") == b""  # one that says nothing meanwhile is closed
            reply(200, b"late", ())
            assert (await waiting).endswith(b"late")  # and closed when it is idle again

    asyncio.run(run())


@pytest.mark.parametrize("more", [b"", REQUEST], ids=["alone", "another behind it"])
def test_whoever_goes_before_a_direct_answer_breaks_nothing(more: bytes) -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app) as listener:
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(direct(b"gone") + more)
            _, reply = await app.held.get()
            writer.transport.abort()
            said = asyncio.create_task(ask(listener.port, direct(b"stays")))
            _, other = await app.held.get()
            reply(200, b"nobody hears it", ())
            other(200, b"heard", ())
            assert (await said).endswith(b"heard")

    uvloop.run(run())  # as in a node: it refuses to write to a connection that is closed


def test_what_follows_a_direct_request_waits_for_its_answer() -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(direct(b"first") + direct(b"second") + REQUEST)
            query, reply = await app.held.get()
            assert query == b"first"
            assert await asyncio.wait_for(ask(listener.port, REQUEST), 10)  # it had its turn long since
            reply(200, b"1st", ())
            assert [(await read_answer(reader))[1] for _ in range(3)] == [b"1st", b"0", b"0"]
            writer.write(direct(b"third"))
            query, reply = await app.held.get()
            assert query == b"third"
            assert app.taken == 2
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "octets",
    [
        direct(b"x").replace(b"GET", b"HEAD"),
        direct(b"x").replace(b"/d?x", b"/d/?x"),
        direct(b"x#y"),
        direct(b"x", b"Content-Length: 0\r\n"),
        direct(b"x", b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        direct(b"x", b"Expect: 100-continue\r\n"),
        direct(b"x", b"Connection: close\r\n"),
        direct(b"x", b"Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
        direct(b"x").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_what_is_unusual_goes_the_usual_way(octets: bytes) -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(octets)
            await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 200 OK\r\n"), 10)
            writer.close()
        assert app.taken == 0

    asyncio.run(run())


def test_a_direct_face_that_fails_is_asked_the_usual_way() -> None:
    def fail(query: bytes, reply: Reply) -> bool:
        raise RuntimeError(query)

    async def run() -> None:
        app = Direct(fail)
        async with listening(app) as listener:
            said = await ask(listener.port, direct(b"x") + direct(b"y"))
            assert said.count(b"HTTP/1.1 200 OK") == 2
        assert app.taken == 1  # the second came while the first had no answer yet

    asyncio.run(run())


def test_a_direct_request_above_the_limit_is_refused() -> None:
    async def run() -> None:
        app = Direct()
        async with listening(app, max_connections=2) as listener:
            _held, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert (await ask(listener.port, direct(b"x"))).startswith(b"HTTP/1.1 503 ")
            assert app.taken == 0
            writer.close()

    asyncio.run(run())


def test_whoever_does_not_read_direct_answers_is_read_no_further() -> None:
    body = b"x" * 20_000
    waiting = []

    def answer(query: bytes, reply: Reply) -> bool:
        (connection,) = listener._server.server_state.connections
        waiting.append(connection.transport.get_write_buffer_size())
        reply(200, body, ())
        return True

    async def run() -> None:
        nonlocal listener
        async with listening(Direct(answer), idle_timeout_s=60) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
            writer.write(direct(b"x") * 2_000)
            answers = [(await read_answer(reader))[1] for _ in range(2_000)]
            assert set(answers) <= {body, b"0"}  # the usual way is slower, and waits for the reader
            assert len(waiting) > 1
            assert max(waiting) < 4 * 65_536
            writer.close()

    listener: Any = None
    asyncio.run(run())


def _issue(authority: trustme.CA, directory: Path) -> tuple[Path, Path]:
    made = authority.issue_cert("localhost")
    certificate, key = directory / "node.crt", directory / "node.key"
    made.cert_chain_pems[0].write_to_path(str(certificate))
    made.private_key_pem.write_to_path(str(key))
    return certificate, key


def test_a_new_certificate_is_used_after_reload(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = trustme.CA(), trustme.CA()
        tls = _issue(first, tmp_path)
        client = ssl.create_default_context()
        second.configure_trust(client)
        async with listening(tls=tls) as listener:
            with pytest.raises(ssl.SSLCertVerificationError):
                await ask(listener.port, REQUEST, ssl=client, server_hostname="localhost")
            _issue(second, tmp_path)
            listener.reload()
            said = await ask(listener.port, REQUEST, ssl=client, server_hostname="localhost")
            assert said.startswith(b"HTTP/1.1 200 OK")

    asyncio.run(run())


def test_an_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            bind("127.0.0.1", port)
