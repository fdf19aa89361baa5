"""The far sides of a whole node: a customer's server that keeps its own record, and the node as a process."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.model.account import Endpoint, Number
from homing.store import customers
from homing.store.create import open_store

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
PASSWORD = "journey"
PROGRAM = str(Path(sys.executable).parent / "homing")
READY_S = 30.0


@dataclass(frozen=True)
class Push:
    """One request that a customer's server got."""

    event: str
    attempt: int
    path: str
    fields: dict[str, str]
    body: bytes
    at: float


Answering = Callable[[Push], bytes | Awaitable[bytes | None] | None]


@dataclass
class Receiver:
    """A customer's server. ``answer`` says, or will say, what each push gets; None = no answer ever."""

    port: int = 0
    answer: Answering = lambda _push: OK
    pushes: list[Push] = field(default_factory=list)
    by_event: dict[str, list[Push]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    async def until(self, is_enough: Callable[["Receiver"], bool], limit_s: float = 30.0) -> None:
        """Wait for a state of the record; the error says how far it came."""
        try:
            async with asyncio.timeout(limit_s), self.changed:
                await self.changed.wait_for(lambda: is_enough(self))
        except TimeoutError:
            raise AssertionError(
                f"after {limit_s} s: {[(p.event, p.attempt, p.fields) for p in self.pushes[-20:]]}"
            ) from None

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                push = await self._read(reader)
                self.pushes.append(push)
                self.by_event.setdefault(push.event, []).append(push)
                async with self.changed:
                    self.changed.notify_all()
                answer = self.answer(push)
                if isinstance(answer, Awaitable):
                    answer = await answer
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Push:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        target = request.split(" ")[1]
        query = urlsplit(target).query
        fields = {name: values[0] for name, values in parse_qs(query, encoding="iso-8859-15").items()}
        return Push(
            event=headers["homing-event-id"],
            attempt=int(headers["homing-attempt"]),
            path=target,
            fields=fields,
            body=body,
            at=asyncio.get_running_loop().time(),
        )


@asynccontextmanager
async def receiving(answer: Answering | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    if answer is not None:
        receiver.answer = answer
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.take(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class NodeProcess:
    """``homing serve`` as its own process on a directory of its own."""

    def __init__(self, directory: Path, http_port: int, config: str) -> None:
        self.directory = directory
        self.http_port = http_port
        self.config = directory / "homing.toml"
        self.config.write_text(config)
        self.log = directory / "node.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when /readyz says so."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                PROGRAM, "serve", "--config", str(self.config),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )  # fmt: skip
        async with asyncio.timeout(READY_S):
            while not await self.is_ready():
                if self.process.returncode is not None:
                    raise AssertionError(self.log.read_text()[-4000:])
                await asyncio.sleep(0.02)

    async def is_ready(self) -> bool:
        status, _ = await self.get("/readyz")
        return status == 200

    async def get(self, target: str) -> tuple[int, str]:
        """One request on a connection of its own; status 0 = no whole answer."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
            octets = await asyncio.wait_for(reader.read(), 30)
            writer.close()
        except OSError:
            return 0, ""
        head, _, body = octets.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return 0, ""  # a node that is killed may leave the head of an answer, and no body
        return int(head.split()[1]), body.decode("latin-1")

    async def send(
        self, to: str, text: str, more: str = "&report=7", account: str = "acme"
    ) -> tuple[int, str]:
        query = f"user={account}&pass={PASSWORD}&smsto={to}&smsfrom=60999&smsmsg={text}{more}"
        return await self.get(f"/SMSSend?{query}")

    def signal_kill(self) -> None:
        """SIGKILL, and not wait for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)

    async def kill(self) -> None:
        self.signal_kill()
        assert self.process is not None
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait for the drained end."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)


def config(
    http_port: int, smsc_port: int, *, push: str = "", link: str = "", node: str = "", more: str = ""
) -> str:
    """A node with one SMPP link to a far side of the test."""
    return f"""
[node]
data_dir = "data"
drain_s = 5
{node}

[http]
listen = "127.0.0.1:{http_port}"

[push]
allow_private_networks = true
{push}

[[link]]
name = "smsc"
kind = "smpp"
host = "127.0.0.1"
port = {smsc_port}
system_id = "journey"
password = "journey"
reconnect_min_s = 0.1
{link}
{more}
"""


def enrol(
    store_url: str, account: str, url: str, *, number: str | None = "60999", **wish: object
) -> Endpoint:
    """An account with one endpoint and a number, as the commands make them."""
    database = open_store(store_url)
    made, _secrets = make_account(account, password=PASSWORD, inbound_password=PASSWORD)
    events: dict[str, object] = {"events": ("report", "message"), "format": "mx"}
    endpoint = make_endpoint(
        EndpointWish(account=account, url=url, **{**events, **wish}),  # type: ignore[arg-type]
        lambda _url: (),
    )
    try:
        with database.writing() as connection:
            customers.add_account(connection, made)
            id_ = customers.add_endpoint(connection, endpoint)
            if number is not None:
                customers.add_number(connection, Number(number=number, account=account))
        with database.reading() as connection:
            return customers.endpoint_with_id(connection, id_)
    finally:
        database.close()


def sqlite_url(node: NodeProcess) -> str:
    return f"sqlite:///{node.directory / 'data' / 'homing.db'}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
