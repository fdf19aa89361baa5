"""Customers' servers for the tests: real sockets on the loopback, each with its own kind of behaviour."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from homing.model.delivery import Answer
from homing.push.http import HttpPush
from homing.wire.target import Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

Behave = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""What a server does with a request: where to write, and the how many-eth request it is, from 1."""


class Customer:
    """What a server has seen."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.scheme = scheme
        self.requests: list[bytes] = []
        self.peers: list[str] = []
        """One address for each connection."""

    def target(self, host: str = "127.0.0.1") -> Target:
        return Target(scheme=self.scheme, host=host, port=self.port)  # type: ignore[arg-type]


@asynccontextmanager
async def customer(
    behave: Behave | bytes = OK, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Customer]:
    """A server that answers every request with these octets, or behaves as told."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        seen.peers.append(writer.get_extra_info("peername")[0])
        try:
            while True:
                seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if isinstance(behave, bytes):
                    writer.write(behave)
                else:
                    await behave(writer, len(seen.requests))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    seen = Customer(server.sockets[0].getsockname()[1], "http" if tls is None else "https")
    try:
        yield seen
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def transport(**changes: Any) -> AsyncIterator[HttpPush]:
    push = HttpPush(asyncio.get_running_loop(), **({"allow_private_networks": True} | changes))
    try:
        yield push
    finally:
        await push.close()


async def ask(push: HttpPush, target: Target, path: str = "/in?user=acme&pass=s3cret") -> Answer:
    """One push, and its answer."""
    answers: asyncio.Queue[Answer] = asyncio.Queue()

    def done(token: object, answer: Answer) -> None:
        assert token == "token"
        answers.put_nowait(answer)

    push.send(target, f"GET {path} HTTP/1.1\r\nHost: {target.authority}\r\n\r\n".encode(), "token", done)
    answer = await asyncio.wait_for(answers.get(), 20)
    await asyncio.sleep(0)
    assert answers.empty(), "told twice"
    assert "s3cret" not in (answer.error or "")
    return answer
