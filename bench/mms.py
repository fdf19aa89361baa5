"""MMS of 100 kB: taken from a relay, pushed by GET and by multipart, retrieved; and memory for large ones.

The relay and the customer are this process. The relay sends over some connections that stay open, each
message with another picture; the customer answers every push at once and throws away what is in it.
"""

import asyncio
import os
import re
import statistics
import time
from pathlib import Path

import uvloop

from bench import process
from bench.customers import PASSWORD, store_path
from bench.farside import BenchError, Result
from bench.gateways import Node
from bench.stages import running
from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.model.account import Number
from homing.store import customers
from homing.store.create import open_store

SIZE = 100_000
LARGE = 10_000_000
CONNECTIONS = 8
AT_ONCE = 200
NUMBERS = {"none": "60101", "get": "60102", "multipart": "60103"}
LIMIT_S = 120.0
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
_LENGTH = re.compile(rb"(?i)\ncontent-length: (\d+)")
_ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><TransactionID '
    'xmlns="urn:mm7">%s</TransactionID></s:Header><s:Body><DeliverReq xmlns="urn:mm7">'
    "<MM7Version>6.8.0</MM7Version><Sender><Number>447700900123</Number></Sender>"
    "<Recipients><To><Number>%s</Number></To></Recipients><Subject>bench</Subject>"
    '<Content href="cid:mms"/></DeliverReq></s:Body></s:Envelope>'
)


class MmsNode(Node):
    """A node with an MM7 link, and a customer for each way of pushing, all at one port."""

    sink_port = 0

    def start(self) -> None:
        self.more = '[[link]]\nname = "mms"\nkind = "mm7"\naddresses = ["127.0.0.1"]\n'
        super().start()

    def fill(self) -> None:
        _enrol(store_path(self.directory), self.sink_port)


def _enrol(path: Path, port: int) -> None:
    database = open_store(f"sqlite:///{path}")
    try:
        with database.writing() as connection:
            for name, number in NUMBERS.items():
                account, _ = make_account(name, password=PASSWORD, inbound_password=PASSWORD)
                customers.add_account(connection, account)
                customers.add_number(connection, Number(number=number, account=name))
                if name != "none":
                    wish = EndpointWish(
                        account=name, events=("message",), format="mx-mms", method=name,
                        url=f"http://127.0.0.1:{port}/in",
                    )  # fmt: skip
                    customers.add_endpoint(connection, make_endpoint(wish, lambda _url: ()))
    finally:
        database.close()


class Sink:
    """The customer's server: how many pushes have come, and their ids."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.octets = 0
        self.came = asyncio.Event()
        self.wanted = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                left = int(length[1]) if length else 0
                self.octets += left
                while left:
                    left -= len(await reader.read(min(left, 1 << 18)))
                writer.write(_OK)
                event = re.search(rb"(?i)homing-event-id: (\d+)", head)
                self.ids.append(event[1].decode() if event else "")
                if len(self.ids) >= self.wanted:
                    self.came.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def until(self, count: int) -> None:
        self.wanted = count
        self.came.clear()
        if len(self.ids) < count:
            await self.came.wait()


def body_of(number: str, picture: bytes, transaction: str) -> bytes:
    """One DeliverReq."""
    envelope = (_ENVELOPE % (transaction, number)).encode()
    return b"".join(
        (
            b"--b\r\nContent-Type: text/xml\r\n\r\n", envelope,
            b"\r\n--b\r\nContent-Type: image/jpeg; name=pic.jpg\r\nContent-ID: <mms>\r\n\r\n", picture,
            b"\r\n--b--\r\n",
        )
    )  # fmt: skip


async def _send(port: int, number: str, count: int, size: int, tag: str) -> None:
    """One connection of the relay."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    noise = os.urandom(size - 16)
    for at in range(count):
        body = body_of(number, os.urandom(16) + noise, f"{tag}-{at}")
        head = (
            "POST /mm7/mms HTTP/1.1\r\nHost: node\r\nContent-Type: multipart/related; boundary=b\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.writelines((head.encode(), body))
        answer = await reader.readuntil(b":Envelope>")
        if b">1000<" not in answer:
            raise BenchError(f"an MMS was answered {answer[-400:].decode('latin-1')}")
    writer.close()


async def _retrieve(port: int, account: str, ids: list[str]) -> int:
    """One connection of the customer: octets that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    octets = 0
    for id_ in ids:
        target = f"/RetrieveMMS?user={account}&pass={PASSWORD}&id={id_}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise BenchError(f"RetrieveMMS answered {head[:200].decode('latin-1')}")
        left = int(length[1])
        octets += left
        while left:
            left -= len(await reader.read(min(left, 1 << 18)))
    writer.close()
    return octets


def _shares(items: list[str], count: int) -> list[list[str]]:
    return [items[at::count] for at in range(count)]


async def _timed(node: MmsNode, sink: Sink, way: str, count: int, tag: str) -> float:
    """Messages per second, from the first request to the last push (or, without pushes, answer)."""
    before = len(sink.ids)
    began_s = time.perf_counter()
    each = count // CONNECTIONS
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(
            *(_send(node.http_port, NUMBERS[way], each, SIZE, f"{tag}-{n}") for n in range(CONNECTIONS))
        )
        if way != "none":
            await sink.until(before + each * CONNECTIONS)
    return each * CONNECTIONS / (time.perf_counter() - began_s)


async def _rates(node: MmsNode, sink: Sink, count: int, runs: int) -> Result:
    found: Result = {"size": SIZE, "count": count}
    for way in NUMBERS:
        rates = [await _timed(node, sink, way, count, f"{way}-{run}") for run in range(runs)]
        found[f"{way}_per_s"] = round(statistics.median(rates), 1)
        found[f"{way}_runs"] = [round(rate, 1) for rate in rates]
    # Those of the account that is pushed to by GET: its customer would retrieve them.
    ids = sink.ids[: count // CONNECTIONS * CONNECTIONS]
    rates = []
    for _ in range(runs):
        began_s = time.perf_counter()
        await asyncio.gather(
            *(_retrieve(node.http_port, "get", share) for share in _shares(ids, CONNECTIONS))
        )
        rates.append(len(ids) / (time.perf_counter() - began_s))
    found["retrieved_per_s"] = round(statistics.median(rates), 1)
    found["retrieved_runs"] = [round(rate, 1) for rate in rates]
    return found


async def _growth(node: MmsNode, sink: Sink) -> Result:
    """How much the node's memory grows by transfers of 10 MB, of each kind, for each at once."""
    (pid,) = node.pids
    found: Result = {"size": LARGE}

    async def grown(name: str, at_once: int, *transfers: object) -> None:
        before = process.rss_mib(pid)
        peak = before
        gathered = asyncio.gather(*transfers)  # type: ignore[call-overload]
        while not gathered.done():
            await asyncio.wait((gathered,), timeout=0.01)
            peak = max(peak, process.rss_mib(pid))
        await gathered
        found[f"{name}_mib_each"] = round((peak - before) / at_once, 2)

    port = node.http_port
    await grown("in", 4, *(_send(port, NUMBERS["none"], 2, LARGE, f"large-{n}") for n in range(4)))
    before = len(sink.ids)
    await grown(
        "multipart", 4, *(_send(port, NUMBERS["multipart"], 1, LARGE, f"push-{n}") for n in range(4)),
        sink.until(before + 4),
    )  # fmt: skip
    before = len(sink.ids)
    await _send(port, NUMBERS["get"], 1, LARGE, "get")
    await sink.until(before + 1)
    id_ = sink.ids[-1]
    began_s = time.perf_counter()
    await grown("retrieved", AT_ONCE, *(_retrieve(port, "get", [id_]) for _ in range(AT_ONCE)))
    found["retrieved_at_once"] = AT_ONCE
    found["retrieved_mb_per_s"] = round(AT_ONCE * LARGE / 1e6 / (time.perf_counter() - began_s))
    return found


def mms(count: int, runs: int) -> Result:
    """MMS per second in each direction, and memory for each transfer of 10 MB."""

    async def go(sink_port: int, sink: Sink) -> Result:
        class Pushing(MmsNode):
            pass

        Pushing.sink_port = sink_port
        stack = running(Pushing)
        node = await asyncio.to_thread(stack.__enter__)
        try:
            assert isinstance(node, MmsNode)
            await _timed(node, sink, "none", CONNECTIONS * 4, "warm")
            found = await _rates(node, sink, count, runs)
            found["cpu_s"] = round(process.cpu_s(node.pids), 1)
            return found | {"memory": await _growth(node, sink), "peak_mib": process.peak_mib(node.pids)}
        finally:
            await asyncio.to_thread(stack.__exit__, None, None, None)

    async def serve() -> Result:
        sink = Sink()
        server = await asyncio.start_server(sink.take, "127.0.0.1", 0, limit=1 << 20)
        async with server:
            return await go(server.sockets[0].getsockname()[1], sink)

    return uvloop.run(serve())
