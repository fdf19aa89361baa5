"""A store that is locked, full or read-only: temporary errors to both sides, an alarm, and nothing lost.

The trouble begins while a push is under way, a submission waits for its answer and a receipt is due, and
ends without a restart of the node.
"""

import asyncio
import json
import resource
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
import sqlalchemy as sa

from homing.links.simulator import Simulator
from homing.store import tables as t
from homing.store.create import open_store
from tests.journeys.far import (
    OK,
    NodeProcess,
    Push,
    Receiver,
    config,
    enrol,
    free_port,
    receiving,
    sqlite_url,
)
from tests.links.smsc import until

BEFORE = 5
"""Submissions whose answers come in the time of trouble."""
MEANWHILE = 20
"""Messages that come in it."""
ENDED_S = 20.0
"""The drain, and what SQLite waits for a lock."""

Trouble = Callable[[NodeProcess, str], AbstractContextManager[None]]


@contextmanager
def locked(node: NodeProcess, _url: str) -> Iterator[None]:
    """Somebody else holds SQLite's lock, longer than the node is willing to wait."""
    other = sqlite3.connect(node.directory / "data" / "homing.db", isolation_level=None, timeout=30)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@contextmanager
def full(node: NodeProcess, _url: str) -> Iterator[None]:
    """No file of the node can grow or be written, its log neither."""
    assert node.process is not None
    pid = node.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    yield
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(_node: NodeProcess, url: str) -> Iterator[None]:
    """PostgreSQL that takes no writes, as a standby after a switch."""
    parsed = sa.make_url(url)
    with psycopg.connect(
        host=parsed.host, port=parsed.port, user=parsed.username, dbname=parsed.database, autocommit=True
    ) as operator:
        operator.execute("SET default_transaction_read_only = off")

        def switch(state: str) -> None:
            operator.execute(f"ALTER DATABASE {parsed.database} SET default_transaction_read_only = {state}")
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        switch("on")
        yield
        switch("off")


TROUBLES: dict[str, Trouble] = {"locked": locked, "full": full, "read_only": read_only}


class Scene(NamedTuple):
    """A node whose store has just fallen into trouble, amid traffic both ways."""

    node: NodeProcess
    network: Simulator
    receiver: Receiver
    url: str
    end: Callable[[], object]
    """Ends the trouble."""
    owed: set[str]
    """What is to come to the customer."""


@asynccontextmanager
async def in_trouble(trouble: Trouble, directory: Path, postgres: str | None) -> AsyncIterator[Scene]:
    network = Simulator(latency_ms=400, report_delay_ms=400, keeps_records=True)
    smsc_port = await network.start("127.0.0.1", 0)
    http_port = free_port()
    store = "" if postgres is None else f'store = "{postgres}"'
    node = NodeProcess(directory, http_port, config(http_port, smsc_port, node=store))
    url = postgres or sqlite_url(node)
    begun: list[AbstractContextManager[None]] = []

    def answer(push: Push) -> bytes:
        if push.fields["smsmsg"] == "begin" and not begun:  # its outcome is the first that is not recorded
            begun.append(trouble(node, url))
            begun[0].__enter__()
        return OK

    async with receiving(answer) as receiver:
        enrol(url, "acme", receiver.url)
        await node.start()
        try:
            submitted = [await node.send(f"4477009000{n:02d}", f"before{n}") for n in range(BEFORE)]
            assert {status for status, _smsid in submitted} == {200}
            network.send_message("447700900123", "60999", "begin")
            await receiver.until(lambda _receiver: bool(begun))
            for number in range(MEANWHILE):
                network.send_message("447700900123", "60999", f"meanwhile{number}")
            refused = await asyncio.gather(*(node.send("447700900050", f"meanwhile{n}") for n in range(5)))
            assert {status for status, _why in refused} == {503}
            await until(lambda: network.sent_again >= MEANWHILE, 20)
            owed = {f"REPORT {smsid} DELIVERED" for _status, smsid in submitted}
            owed |= {"begin", *(f"meanwhile{number}" for number in range(MEANWHILE))}
            yield Scene(node, network, receiver, url, lambda: begun[0].__exit__(None, None, None), owed)
        finally:
            assert await node.stop() == 0, node.log.read_text()[-4000:]
    await network.stop()


@pytest.fixture
def postgres(kind: str, request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("postgres_database") if kind == "read_only" else None


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_of_the_store_loses_nothing(kind: str, tmp_path: Path, postgres: str | None) -> None:
    async def run() -> None:
        async with in_trouble(TROUBLES[kind], tmp_path, postgres) as scene:
            node, network, receiver = scene.node, scene.network, scene.receiver
            await sees_trouble(node)
            scene.end()
            await until_ready(node)
            status, smsid = await node.send("447700900051", "after")
            assert status == 200
            network.send_message("447700900123", "60999", "after")
            owed = scene.owed | {"after", f"REPORT {smsid} DELIVERED"}
            await receiver.until(lambda r: said(r) >= owed)
            assert said(receiver) == owed
            assert sorted(network.submitted_texts) == ["after", *(f"before{n}" for n in range(BEFORE))]
            assert all(len(pushes) == 1 for pushes in receiver.by_event.values())
            at_once = [text for text, times in network.attempts.items() if times == 1]
            assert sorted(at_once) == ["after", "begin"]  # all others were put off, and sent again
            await until(lambda: unfinished(scene.url) == 0, 20)

    asyncio.run(run())


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_node_can_be_ended_in_the_middle_of_trouble(
    kind: str, tmp_path: Path, postgres: str | None
) -> None:
    async def run() -> None:
        async with in_trouble(TROUBLES[kind], tmp_path, postgres) as scene:
            began = time.monotonic()
            assert await scene.node.stop() == 0, scene.node.log.read_text()[-4000:]
            assert time.monotonic() - began < ENDED_S
            scene.end()
            await scene.node.start()
            await scene.receiver.until(lambda r: said(r) >= scene.owed)
            assert said(scene.receiver) == scene.owed
            repeated = [pushes for pushes in scene.receiver.by_event.values() if len(pushes) > 1]
            # What came of this one push could be written nowhere.
            assert {pushes[0].fields["smsmsg"] for pushes in repeated} <= {"begin"}
            assert set(scene.network.submitted_texts) == {f"before{n}" for n in range(BEFORE)}

    asyncio.run(run())


def said(receiver: Receiver) -> set[str]:
    return {push.fields["smsmsg"] for push in receiver.pushes}


async def sees_trouble(node: NodeProcess) -> None:
    """What the operator is shown; the alarm is raised by the clock."""
    async with asyncio.timeout(15):
        while True:
            status, said = await node.get("/readyz")
            _status, metrics = await node.get("/metrics")
            if status == 503 and 'homing_alarm{alarm="store_unavailable"} 1.0' in metrics:
                break
            await asyncio.sleep(0.05)
    assert json.loads(said)["store"] != "ok"
    assert "\nhoming_store_ok 0.0\n" in metrics
    assert (await node.get("/healthz"))[0] == 200


async def until_ready(node: NodeProcess) -> None:
    """Without a restart; the alarm ends too."""
    async with asyncio.timeout(15):
        while True:
            status, _said = await node.get("/readyz")
            _status, metrics = await node.get("/metrics")
            if status == 200 and "homing_alarm{" not in metrics:
                return
            await asyncio.sleep(0.05)


def unfinished(url: str) -> int:
    """Deliveries whose outcome is not recorded."""
    database = open_store(url)
    try:
        with database.reading() as connection:
            pending = sa.select(sa.func.count()).select_from(t.deliveries).where(t.deliveries.c.state == 0)
            return connection.scalar(pending) or 0
    finally:
        database.close()
