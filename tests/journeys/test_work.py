"""How much work a message is: counted, not timed, so that a slower hot path is seen on the noisiest machine.

A node runs on this thread, its far sides on another. Counted are the calls of Python and C functions on
the loop's thread, the statements and transactions of the journal, reads and writes of the node's two threads
(where the kernel tells), and what memory is kept afterwards. ``BOUNDS`` are a quarter or so above what was
measured when they were set; ``python -m tests.journeys.test_work`` prints the figures of today.
"""

import asyncio
import gc
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from homing.config import load
from homing.links.simulator import Simulator
from homing.node.node import Node
from homing.store.create import open_store
from tests.journeys.far import PASSWORD, Receiver, config, enrol, free_port, receiving
from tests.links.smsc import until

_T = TypeVar("_T")

BURSTS = 10
RECEIVED, LOOPS = 100, 16
"""Messages of one burst: what one read of a socket may bring; the connections of a customer who submits."""
BOUNDS: dict[str, dict[str, float]] = {
    "received": {
        "calls": 110, "statements": 0.35, "commits": 0.07, "reads and writes": 3.6, "blocks kept": 0.5,
    },
    "loop": {
        "calls": 720, "statements": 5, "commits": 0.7, "reads and writes": 20, "blocks kept": 2,
    },
}  # fmt: skip
"""By work, the most of each for one message."""


class FarThread:
    """A network and a customer on a loop of their own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="far")
        self._thread.start()
        self._stack = AsyncExitStack()
        self.network = Simulator(latency_ms=0, report_delay_ms=0)
        self._clients: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def ask(self, doing: Coroutine[Any, Any, _T]) -> "asyncio.Future[_T]":
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self.loop))

    async def start(self) -> int:
        """The port of the network; the customer is ``receiver`` from now on."""

        async def begin() -> tuple[Receiver, int]:
            receiver = await self._stack.enter_async_context(receiving())
            return receiver, await self.network.start("127.0.0.1", 0)

        self.receiver, port = await self.ask(begin())
        return port

    async def stop(self) -> None:
        async def end() -> None:
            await self.network.stop()
            await self._stack.aclose()

        await self.ask(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self._thread.join)
        self.loop.close()

    async def receive(self, count: int) -> None:
        """So many phones write, and their messages are pushed."""
        send, pump = self.network.send_message, self.network.pump
        self.network.pump = lambda: None  # type: ignore[method-assign]  # a burst leaves together
        for _ in range(count):
            send("447700900123", "60999", "Your code is 4711")
        self.network.pump = pump  # type: ignore[method-assign]
        pump()
        await self._pushed(count)

    async def _pushed(self, count: int) -> None:
        """All has come, and nothing of it is kept."""
        await self.receiver.until(lambda r: len(r.pushes) >= count)
        self.receiver.pushes.clear()
        self.receiver.by_event.clear()

    async def submit(self, port: int, count: int) -> None:
        """So many kept connections submit once each, and the reports are pushed."""
        request = (
            f"GET /SMSSend?user=acme&pass={PASSWORD}&smsto=447700900001&smsfrom=60999&report=7"
            "&smsmsg=Your+code+is+4711 HTTP/1.1\r\nHost: node\r\n\r\n"
        ).encode()
        while len(self._clients) < count:
            self._clients.append(await asyncio.open_connection("127.0.0.1", port))
        for _, writer in self._clients:
            writer.write(request)
        for reader, _ in self._clients:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        await self._pushed(count)


@contextmanager
def counting_calls(counts: dict[str, int]) -> Iterator[None]:
    """Calls of functions on this thread, whether of Python or of C."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        if event == "call" or event == "c_call":
            calls += 1

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
        counts["calls"] = calls


@contextmanager
def counting_statements(node: Node, counts: dict[str, int]) -> Iterator[None]:
    statements: list[None] = []
    transaction = node.core.journal._transaction
    assert transaction is not None
    transaction._driver.set_trace_callback(lambda _text: statements.append(None))
    commits = node.core.journal.commits
    try:
        yield
    finally:
        transaction._driver.set_trace_callback(None)
        counts["statements"] = len(statements)
        counts["commits"] = node.core.journal.commits - commits


@contextmanager
def counting_reads_and_writes(counts: dict[str, int]) -> Iterator[None]:
    """Where the kernel tells of each thread how often it read and wrote."""
    ids = [thread.native_id for thread in threading.enumerate() if thread.name in ("MainThread", "journal")]
    files = [Path(f"/proc/self/task/{id_}/io") for id_ in ids]
    before = sum(map(reads_and_writes, files))
    yield
    if before:
        counts["reads and writes"] = sum(map(reads_and_writes, files)) - before


def reads_and_writes(file: Path) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("syscr:", "syscw:")))


async def measure(node: Node, burst: Callable[[], Any], size: int) -> dict[str, float]:
    """What a message takes, over so many bursts for each kind of count."""
    counts: dict[str, int] = {}

    async def give() -> None:
        for _ in range(BURSTS):
            await burst()
            await until(lambda: node.core.dispatch.unrecorded == 0)

    for _ in range(3):  # connections, logins and prepared statements are there
        await give()
    with counting_statements(node, counts):
        await give()
    with counting_reads_and_writes(counts):
        await give()
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(3):
        await give()
    gc.collect()
    counts["blocks kept"] = (sys.getallocatedblocks() - blocks) // 3
    with counting_calls(counts):
        await give()
    return {what: count / BURSTS / size for what, count in counts.items()}


async def measure_all(directory: Path) -> dict[str, dict[str, float]]:
    far = FarThread()
    port = await far.start()
    try:
        http_port = free_port()
        path = directory / "homing.toml"
        path.write_text(config(http_port, port, node=f'store = "sqlite:///{directory / "homing.db"}"'))
        enrol(f"sqlite:///{directory / 'homing.db'}", "acme", far.receiver.url)
        settings = load(path, {})
        node = Node(settings, open_store(settings.node.store_url))
        await node.start()
        try:
            await until(lambda: node.networks.links[0].is_bound)
            return {
                "received": await measure(node, lambda: far.ask(far.receive(RECEIVED)), RECEIVED),
                "loop": await measure(node, lambda: far.ask(far.submit(http_port, LOOPS)), LOOPS),
            }
        finally:
            await node.stop()
    finally:
        await far.stop()


def measured(directory: Path) -> dict[str, dict[str, float]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure_all(directory))


def test_a_message_is_no_more_work_than_it_was(tmp_path: Path) -> None:
    found = measured(tmp_path)
    more = {
        f"{what} of {work}": f"{value:.2f}, at most {BOUNDS[work][what]}"
        for work, counts in found.items()
        for what, value in counts.items()
        if value > BOUNDS[work][what]
    }
    assert more == {}, found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as somewhere:
        for work, counts in measured(Path(somewhere)).items():
            print(work, {what: round(value, 2) for what, value in counts.items()})
