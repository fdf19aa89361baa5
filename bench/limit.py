"""The bare relay: how fast this work can be done in Python at all, as the yardstick for the node.

SMPP in -> SQLite (WAL, ``synchronous=FULL``, group commit) -> acknowledge -> HTTP GET push over keep-alive ->
outcome recorded. It has no features: no accounts, no retries, no reports, no decoding beyond ASCII, one
customer. What it does promise is what the node promises too, so that the comparison is fair: nothing is
acknowledged before it is on the disk, and every outcome is recorded.

Per message it makes no task, future, lock, log line or statement: one read of the socket is one batch, one
batch (or several, when they waited) is one transaction in the writer thread, and the acknowledgements of a
batch are one write. Outcomes ride along with the next batch, or go alone after ``LINGER_S``.

    python bench/limit.py SMSC_PORT SINK_PORT STORE_FILE        ends with its standard input
"""

import asyncio
import queue
import re
import sqlite3
import struct
import sys
import threading
import time
from collections import deque
from typing import cast
from urllib.parse import quote_plus

import httptools
import uvloop

CONNECTIONS = 50
LINGER_S = 0.005
HEADER = struct.Struct(">IIII")
ENQUIRE_LINK, DELIVER_SM, BIND_TRANSCEIVER, RESPONSE = 0x15, 0x05, 0x09, 0x80000000
PLAIN = re.compile(rb"[A-Za-z0-9 ]*").fullmatch
ROWS_PER_STATEMENT = (128, 32, 8, 1)
COLUMNS = 5

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, sender TEXT, recipient TEXT, text TEXT, at INTEGER, status INTEGER
);
"""


class Batch:
    """The messages of one read: rows for the store, acknowledgements and pushes for after the commit."""

    __slots__ = ("acknowledgements", "link", "pushes", "rows")

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.rows: list[int | str] = []
        self.acknowledgements: list[bytes] = []
        self.pushes: list[tuple[int, bytes]] = []


Work = tuple[list[Batch], list[tuple[int, int]]]


class Relay:
    """What is shared: the pool of connections, the pushes that wait for one, what the store is to hear."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sink_port: int, store: str) -> None:
        self.loop = loop
        self.sink_port = sink_port
        self.idle: list[Push] = []
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.batches: list[Batch] = []
        self.outcomes: list[tuple[int, int]] = []
        self.next_id = 1
        self.writing = False
        self.timer: asyncio.TimerHandle | None = None
        self.to_writer: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self.writer = threading.Thread(target=self.write, args=(store,), name="writer")

    def record(self) -> None:
        """Hand everything that waits to the writer, unless it is at work: then it comes back for more."""
        if self.writing or not (self.batches or self.outcomes):
            return
        self.writing = True
        self.to_writer.put((self.batches, self.outcomes))
        self.batches, self.outcomes = [], []

    def linger(self) -> None:
        self.timer = None
        self.record()

    def recorded(self, batches: list[Batch]) -> None:
        """Only now the network is answered, and the customer hears of it."""
        self.writing = False
        if self.batches:
            self.record()
        for batch in batches:
            batch.link.transport.write(b"".join(batch.acknowledgements))
            pushes = iter(batch.pushes)
            if not self.waiting:
                while self.idle and (push := next(pushes, None)):
                    self.idle.pop().send(push)
            self.waiting.extend(pushes)

    def pushed(self, message: int, status: int) -> None:
        self.outcomes.append((status, message))
        if self.timer is None:
            self.timer = self.loop.call_later(LINGER_S, self.linger)

    def write(self, store: str) -> None:
        """The writer thread: one transaction for all that waits. Many rows are one statement, because sqlite3
        gives up the interpreter lock in each one, and getting it back costs more than the row."""
        connection = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
        connection.executescript(SCHEMA)
        while (work := self.to_writer.get()) is not None:
            batches, outcomes = work
            connection.execute("BEGIN IMMEDIATE")
            for batch in batches:
                write_rows(connection, batch.rows)
            write_outcomes(connection, outcomes)
            connection.execute("COMMIT")
            self.loop.call_soon_threadsafe(self.recorded, batches)
        connection.close()


def write_rows(connection: sqlite3.Connection, values: list[int | str]) -> None:
    at = 0
    for rows in ROWS_PER_STATEMENT:
        statement = "INSERT INTO message (id, sender, recipient, text, at) VALUES " + ", ".join(
            ["(?, ?, ?, ?, ?)"] * rows
        )
        while len(values) - at >= rows * COLUMNS:
            connection.execute(statement, values[at : at + rows * COLUMNS])
            at += rows * COLUMNS


def write_outcomes(connection: sqlite3.Connection, outcomes: list[tuple[int, int]]) -> None:
    by_status: dict[int, list[int]] = {}
    for status, message in outcomes:
        by_status.setdefault(status, []).append(message)
    for status, messages in by_status.items():
        at = 0
        for rows in ROWS_PER_STATEMENT:
            places = ", ".join("?" * rows)
            statement = f"UPDATE message SET status = {status:d} WHERE id IN ({places})"
            while len(messages) - at >= rows:
                connection.execute(statement, messages[at : at + rows])
                at += rows


class Push(asyncio.Protocol):
    """One keep-alive connection to the customer, with one request under way."""

    transport: asyncio.Transport

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.parser = httptools.HttpResponseParser(self)
        self.message = 0
        self.has_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.relay.idle.append(self)

    def send(self, push: tuple[int, bytes]) -> None:
        self.message, request = push
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.has_body = True

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if status == 200 and not self.has_body:
            status = -1
        self.has_body = False
        relay = self.relay
        relay.pushed(self.message, status)
        if relay.waiting:
            self.message, request = relay.waiting.popleft()
            self.transport.write(request)
        else:
            relay.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.relay.idle:
            self.relay.idle.remove(self)


class Link(asyncio.Protocol):
    """The bind. Whole PDUs are taken as they come; the rest of a read waits for the next one."""

    transport: asyncio.Transport

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.rest = b""
        self.ended: asyncio.Future[None] = relay.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        body = b"bench\0bench\0\0\x34\0\0\0"  # SMPP 3.4 §4.1.5
        self.transport.write(HEADER.pack(16 + len(body), BIND_TRANSCEIVER, 0, 1) + body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
        batch = Batch(self)
        at, end, now = 0, len(data), int(time.time())
        # the head and the date of the request are the same for the whole batch
        date = time.strftime("%Y-%m-%d+%H%%3A%M%%3A%S", time.gmtime(now))
        tail = f"&smsdate={date}&bits=7 HTTP/1.1\r\nHost: 127.0.0.1:{self.relay.sink_port}\r\n\r\n"
        while end - at >= 16:
            length, command, _, sequence = HEADER.unpack_from(data, at)
            if end - at < length:
                break
            if command == DELIVER_SM:
                self.take(batch, data, at, sequence, now, tail)
            elif command == ENQUIRE_LINK:
                self.transport.write(HEADER.pack(16, ENQUIRE_LINK | RESPONSE, 0, sequence))
            at += length
        self.rest = data[at:]
        if batch.rows:
            self.relay.batches.append(batch)
            self.relay.record()

    def take(self, batch: Batch, data: bytes, at: int, sequence: int, now: int, tail: str) -> None:
        service = data.index(b"\0", at + 16)  # SMPP 3.4 §4.6.1
        source = data.index(b"\0", service + 3)
        destination = data.index(b"\0", source + 3)
        schedule = data.index(b"\0", destination + 4)
        validity = data.index(b"\0", schedule + 1)
        start = validity + 6
        raw = data[start : start + data[start - 1]]
        text = raw.decode("ascii", "replace")
        sender, recipient = data[service + 3 : source].decode(), data[source + 3 : destination].decode()
        escaped = text.replace(" ", "+") if PLAIN(raw) else quote_plus(text)
        number = self.relay.next_id
        self.relay.next_id = number + 1
        batch.rows += (number, sender, recipient, text, now)
        batch.acknowledgements.append(HEADER.pack(17, DELIVER_SM | RESPONSE, 0, sequence) + b"\0")
        request = f"GET /in?smsfrom={sender}&smsto={recipient}&smsid={number}&smsmsg={escaped}{tail}"
        batch.pushes.append((number, request.encode()))


async def run(smsc_port: int, sink_port: int, store: str) -> None:
    loop = asyncio.get_running_loop()
    relay = Relay(loop, sink_port, store)
    relay.writer.start()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Push(relay), "127.0.0.1", sink_port)
    _, link = await loop.create_connection(lambda: Link(relay), "127.0.0.1", smsc_port)
    loop.add_reader(sys.stdin.fileno(), link.end)
    await link.ended
    relay.to_writer.put(None)
    await asyncio.to_thread(relay.writer.join)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
