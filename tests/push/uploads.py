"""Servers that read what is sent to them, over real sockets, and contents of a real store to send them."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from homing.engine.contents import Chosen
from homing.model.mms import Content
from homing.store.blobs import LocalBlobs
from homing.wire.target import Target
from tests.push.customer import OK


class Far:
    """A server: what it does with a request, and what it has seen."""

    def __init__(self, serve: "Serve") -> None:
        self.serve = serve
        self.target = Target(scheme="http", host="127.0.0.1", port=1)
        self.bodies: list[bytes] = []
        """Of the requests that were read whole."""
        self.requests = 0
        self.connections = 0
        self.cut = asyncio.Event()
        """A connection has ended before what was expected on it came."""


Serve = Callable[[Far, asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
"""What is done after the head of a request, whose body is so long."""


async def take(far: Far, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int) -> None:
    """As a good server does."""
    far.bodies.append(await reader.readexactly(length))
    writer.write(OK)


@asynccontextmanager
async def server(serve: Serve = take, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Far]:
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        far.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                far.requests += 1
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await serve(far, reader, writer, int(length or 0))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            far.cut.set()
        finally:
            writer.close()

    far = Far(serve)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # so that the kernel holds little
    listening = await asyncio.start_server(connected, sock=listener, ssl=tls)
    far.target = Target(
        scheme="http" if tls is None else "https", host="127.0.0.1", port=listener.getsockname()[1]
    )
    try:
        yield far
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def keep(store: LocalBlobs, octets: bytes) -> Content:
    spool = store.spool()
    spool.write(octets)
    made = store.keep(spool, [Chosen(name="pic.jpg", content_type="image/jpeg", piece=spool.end_part())])
    spool.close()
    return made


def octets_of(store: LocalBlobs, content: Content) -> bytes:
    reader = store.open(content.sha256)
    octets = reader.read(0, content.size)
    reader.close()
    return octets
