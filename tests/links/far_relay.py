"""Far sides of the MM7 link: a relay on a real socket that answers as it is told, and contents in a store."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from homing.engine.contents import Chosen
from homing.engine.ports import Outgoing
from homing.engine.submit import MMS_SEGMENTS
from homing.links.mm7_client import Mm7Link, tls_context
from homing.links.mm7_options import Mm7Options
from homing.model.message import Submission
from homing.model.mms import Content, Mms
from homing.push.http import HttpPush
from homing.store.blobs import LocalBlobs
from homing.wire.mm7 import Frame
from homing.wire.mm7_relay import write_submit_response
from tests.links.smsc import Engine

Said = bytes | None
"""A whole answer; None = the connection is closed."""


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def taken(number: int) -> bytes:
    return answer(write_submit_response(Frame(), f"M{number}"))


class Relay:
    """Takes requests and answers what ``say`` says to each, counted from 1; holds answers while ``holds``."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        """Head and body of each."""
        self.say: Callable[[int], Said] = taken
        self.connections = 0
        self.port = 0
        self.go_on = asyncio.Event()
        """Answers wait for this."""
        self.go_on.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        """On the port of before, if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"Content-Length: (\d+)", head)
                assert length is not None
                body = await reader.readexactly(int(length[1]))
                self.requests.append((head, body))
                number = len(self.requests)
                await self.go_on.wait()
                said = self.say(number)
                if said is None:
                    return
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Stock:
    """Contents on disk, for submissions."""

    def __init__(self, path: Path) -> None:
        self.blobs = LocalBlobs(path / "mms")

    def keep(self, *parts: tuple[str, str, bytes]) -> Content:
        """A content of these parts: name, media type, octets."""
        spool = self.blobs.spool()
        chosen = []
        for name, content_type, octets in parts:
            spool.write(octets)
            chosen.append(Chosen(name=name, content_type=content_type, piece=spool.end_part()))
        try:
            return self.blobs.keep(spool, chosen)
        finally:
            spool.close()

    def outgoing(self, id_: int = 1, content: Content | None = None, **changes: Any) -> Outgoing:
        """An MMS; by default with a text that names its id."""
        kept = content or self.keep(("w.txt", "text/plain", f"text {id_}".encode()))
        mms = Mms(subject="Hello", content=kept, expires_at_ms=1)
        values: dict[str, Any] = {
            "id": id_, "account": "acme", "sender": "60999", "recipient": "447700900123",
            "segments": MMS_SEGMENTS, "report_bits": 7, "mms": mms,
        }  # fmt: skip
        return Outgoing(submission=Submission(**(values | changes)), number=1)

    def batch(self, count: int) -> list[Outgoing]:
        return [self.outgoing(id_) for id_ in range(1, count + 1)]


QUICK: dict[str, Any] = {
    "name": "mms", "user": "relay", "password": "s3cret", "vasp_id": "homing", "reconnect_min_s": 0.05,
    "reconnect_max_s": 0.2, "response_timeout_s": 5.0,
}  # fmt: skip


def a_link(options: Mm7Options, engine: Engine, stock: Stock) -> Mm7Link:
    """A link over the real transport."""
    return Mm7Link(
        options,
        listener=engine,
        open_transport=lambda: HttpPush(
            asyncio.get_running_loop(),
            ssl_context=tls_context(options),
            allow_private_networks=True,
            give_up_s=options.response_timeout_s,
            open_content=stock.blobs.open,
            kept_bytes=65_536,
        ),
    )


@asynccontextmanager
async def far_side(
    path: Path, *, tls: ssl.SSLContext | None = None, engine: Engine | None = None, **changes: Any
) -> AsyncIterator[tuple[Relay, Mm7Link, Engine, Stock]]:
    """A relay, a link that submits to it, and the engine behind the link."""
    relay, engine, stock = Relay(), engine or Engine(), Stock(path)
    await relay.listen(tls)
    url = f"{'https' if tls else 'http'}://localhost:{relay.port}/mm7"
    link = a_link(Mm7Options(**(QUICK | {"submit_url": url} | changes)), engine, stock)
    link.start()
    try:
        yield relay, link, engine, stock
    finally:
        await link.stop(0)
        await relay.close()


def ids(outgoing: Sequence[Outgoing]) -> list[int]:
    return [each.submission.id for each in outgoing]
