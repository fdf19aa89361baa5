"""Customers who are dead or slow slow nobody else: a million events wait at one, in bounded memory.

Speed is measured side by side: rounds of a node in trouble and of one without take turns on the same
machine, and their medians are compared. One that looks too slow is given more rounds, since a neighbour's
noise passes and a real loss stays.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import uvloop

from homing.links.simulator import Simulator
from homing.model.clock import id_at, now_ms
from tests.journeys.far import OK, NodeProcess, config, enrol, free_port, sqlite_url
from tests.links.smsc import until

WAITING = 1_000_000
ROUND = 2_000
"""Messages in one round."""
ROUNDS = 5
PATIENCE_S = 40.0
"""How long more rounds are given to what looks too slow."""
LEAST_SPEED = 0.9
MEMORY_MIB = 300
FIRST_PUSH_S = 2.0


class Sink(asyncio.Protocol):
    """A customer's server that counts, as lean as can be: it must not be what limits the speed."""

    def __init__(self, customer: "Customer") -> None:
        self._customer = customer

    def connection_made(self, transport: Any) -> None:  # uvloop's own class is no asyncio.Transport
        self._transport = transport
        if self._customer.is_dead:
            self._customer.probes += 1
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        pushes = data.count(b"\r\n\r\n")  # a GET has no body
        self._customer.pushes += pushes
        for _ in range(pushes):
            if self._customer.answers_after_s:
                asyncio.get_running_loop().call_later(self._customer.answers_after_s, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        self._transport.write(OK)


class Customer:
    """One account with a number of its own, and what came to it."""

    def __init__(self, name: str, number: str, *, is_dead: bool = False, answers_after_s: float = 0) -> None:
        self.name = name
        self.number = number
        self.is_dead = is_dead
        self.answers_after_s = answers_after_s
        self.pushes = 0
        self.probes = 0

    async def listen(self) -> str:
        server = await asyncio.get_running_loop().create_server(lambda: Sink(self), "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"


class House:
    """A node with its network and customers."""

    def __init__(self, node: NodeProcess, network: Simulator, customers: Sequence[Customer]) -> None:
        self.node = node
        self.network = network
        self.customers = customers
        """Who gets messages; all but the first two, if there are more, are waited for."""

    async def round(self) -> float:
        """Messages a second, from the first one sent to the last one that is waited for."""
        share = ROUND // len(self.customers)
        watched = self.customers[2:] or self.customers
        wanted = [(customer, customer.pushes + share) for customer in watched]
        began = time.perf_counter()
        for _ in range(share):
            for customer in self.customers:
                self.network.send_message("447700900123", customer.number, "Hello")
        await until(lambda: all(customer.pushes >= count for customer, count in wanted), 60)
        return share * len(watched) / (time.perf_counter() - began)

    def peak_memory_mib(self) -> float:
        assert self.node.process is not None
        status = Path(f"/proc/{self.node.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@asynccontextmanager
async def house(
    directory: Path, customers: Sequence[Customer], fill: Callable[[NodeProcess], None] = lambda _node: None
) -> AsyncIterator[House]:
    os.mkdir(directory)
    network = Simulator()
    http_port = free_port()
    smsc_port = await network.start("127.0.0.1", 0)
    node = NodeProcess(directory, http_port, config(http_port, smsc_port))
    for customer in customers:
        enrol(
            sqlite_url(node), customer.name, await customer.listen(),
            number=customer.number, events=("message",),
        )  # fmt: skip
    fill(node)
    await node.start()
    try:
        yield House(node, network, customers)
    finally:
        assert await node.stop() == 0, node.log.read_text()[-4000:]
        await network.stop()


async def compare(troubled: House, untroubled: House) -> tuple[float, float]:
    """Medians of both, in messages a second."""
    await untroubled.round()
    await troubled.round()
    speeds: dict[House, list[float]] = {troubled: [], untroubled: []}
    until_s = time.monotonic() + PATIENCE_S
    order = [troubled, untroubled]
    while True:
        for each in order:
            speeds[each].append(await each.round())
        order.reverse()
        measured, reference = median(speeds[troubled]), median(speeds[untroubled])
        is_well = len(speeds[troubled]) >= ROUNDS and measured >= LEAST_SPEED * reference
        if is_well or time.monotonic() > until_s:
            return measured, reference


def fill_with_waiting(node: NodeProcess) -> None:
    """A million messages that have waited for the first endpoint since yesterday."""
    store = sqlite3.connect(node.directory / "data" / "homing.db", isolation_level=None)
    yesterday_ms = now_ms() - 86_400_000
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {WAITING - 1}) "
    first = id_at(yesterday_ms)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("BEGIN")
    store.execute(
        "INSERT INTO messages (id, at_ms, link, sender, recipient, account, coding, text, data, udh, parts,"
        f" expected_parts) {numbers} SELECT {first} + (i << 12), {yesterday_ms}, 'smsc', '447700900123',"
        " '60900', 'gone', 7, 'One of the messages that have waited since yesterday.', x'', x'', 1, 1 FROM n"
    )
    store.execute(
        "INSERT INTO deliveries (event, endpoint, kind, account, state, attempt, first_attempt,"
        f" next_attempt_at_ms) {numbers} SELECT {first} + (i << 12), (SELECT min(id) FROM endpoints),"
        f" 'message', 'gone', 0, 1, 1, {yesterday_ms} FROM n"
    )
    store.execute("COMMIT")
    store.close()


def waiting(node: NodeProcess, account: str) -> int:
    store = sqlite3.connect(node.directory / "data" / "homing.db")
    try:
        count = store.execute(
            "SELECT count(*) FROM deliveries WHERE state = 0 AND account = ?", (account,)
        ).fetchone()
        return int(count[0])
    finally:
        store.close()


def test_a_million_events_at_a_dead_endpoint_cost_neither_memory_nor_speed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> str:
        gone = Customer("gone", "60900", is_dead=True)
        here = Customer("here", "60901")
        alone = Customer("here", "60901")
        async with (
            house(tmp_path / "troubled", [gone, here], fill_with_waiting) as troubled,
            house(tmp_path / "untroubled", [alone]) as untroubled,
        ):
            troubled.customers = [here]
            assert waiting(troubled.node, "gone") == WAITING
            troubled.network.send_message("447700900123", "60901", "first")
            await until(lambda: here.pushes and gone.probes, FIRST_PUSH_S)
            measured, reference = await compare(troubled, untroubled)
            peak = troubled.peak_memory_mib()
            assert measured >= LEAST_SPEED * reference, f"{measured:.0f}/s beside {reference:.0f}/s"
            assert peak < MEMORY_MIB
            assert waiting(troubled.node, "gone") == WAITING
            # It is there again, at the next start so that no pause is waited for: what waited goes out.
            assert await troubled.node.stop() == 0
            gone.is_dead = False
            await troubled.node.start()
            await until(lambda: gone.pushes > 10_000, 60)
            assert troubled.peak_memory_mib() < MEMORY_MIB
        return (
            f"{WAITING} events waiting at a dead endpoint: {measured:.0f} messages/s to another one, "
            f"{reference:.0f} without them ({measured / reference:.2f}); peak memory {peak:.0f} MiB"
        )

    said = uvloop.run(run())
    with capsys.disabled():
        print(f"\n{said}")


def test_one_dead_and_one_slow_customer_among_ten_slow_nobody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ten(*first: Customer) -> list[Customer]:
        rest = [Customer(f"c{number}", f"6090{number}") for number in range(len(first), 10)]
        return [*first, *rest]

    async def run() -> str:
        dead = Customer("dead", "60900", is_dead=True)
        slow = Customer("slow", "60901", answers_after_s=5)
        async with (
            house(tmp_path / "troubled", ten(dead, slow)) as troubled,
            house(tmp_path / "untroubled", ten()) as untroubled,
        ):
            await troubled.round()
            await until(lambda: dead.probes > 5 and slow.pushes > 5, 15)  # both windows have learned
            measured, reference = await compare(troubled, untroubled)
            assert measured >= LEAST_SPEED * reference, f"{measured:.0f}/s beside {reference:.0f}/s"
        return (
            f"one dead and one slow customer among ten: {measured:.0f} messages/s to the other eight, "
            f"{reference:.0f} when all are well ({measured / reference:.2f})"
        )

    said = uvloop.run(run())
    with capsys.disabled():
        print(f"\n{said}")
