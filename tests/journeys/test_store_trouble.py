"""A store that is locked, full or read-only: temporary errors to both sides, an alarm, and nothing lost.

The trouble begins while a push is under way, a submission waits for its answer and a receipt is due, and
ends without a restart of the node.
"""

import asyncio
import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

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


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_of_the_store_loses_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres_database") if kind == "read_only" else None
    asyncio.run(suffer(TROUBLES[kind], tmp_path, postgres))


async def suffer(trouble: Trouble, directory: Path, postgres: str | None) -> None:
    network = Simulator(latency_ms=400, report_delay_ms=400, keeps_records=True)
    smsc_port = await network.start("127.0.0.1", 0)
    http_port = free_port()
    store = "" if postgres is None else f'store = "{postgres}"'
    node = NodeProcess(directory, http_port, config(http_port, smsc_port, node=store))
    url = postgres or sqlite_url(node)
    begun: list[AbstractContextManager[None]] = []

    def answer(push: Push) -> bytes:
        if push.fields["smsmsg"] == "begin":  # its outcome is the first that cannot be recorded
            begun.append(trouble(node, url))
            begun[0].__enter__()
        return OK

    async with receiving(answer) as receiver:
        enrol(url, "acme", receiver.url)
        await node.start()
        try:
            submitted = [await node.send(f"4477009000{n:02d}", f"before{n}") for n in range(5)]
            assert {status for status, _smsid in submitted} == {200}
            network.send_message("447700900123", "60999", "begin")
            await receiver.until(lambda _receiver: bool(begun))
            for number in range(20):
                network.send_message("447700900123", "60999", f"meanwhile{number}")
            refused = await asyncio.gather(*(node.send("447700900050", f"meanwhile{n}") for n in range(5)))
            assert {status for status, _why in refused} == {503}
            await until(lambda: network.sent_again >= 20, 20)
            await sees_trouble(node)
            begun[0].__exit__(None, None, None)
            await until_ready(node)
            submitted.append(await node.send("447700900051", "after"))
            network.send_message("447700900123", "60999", "after")
            phones = {"begin", "after", *(f"meanwhile{number}" for number in range(20))}
            reports = {f"REPORT {smsid} DELIVERED" for _status, smsid in submitted}
            await receiver.until(lambda r: {p.fields["smsmsg"] for p in r.pushes} >= phones | reports)
            judge(network, receiver, phones | reports)
            await until(lambda: unfinished(url) == 0, 20)
        finally:
            assert await node.stop() == 0, node.log.read_text()[-4000:]
    await network.stop()


def judge(network: Simulator, receiver: Receiver, owed: set[str]) -> None:
    """Everything came, once: nothing was acknowledged that was not kept, and nothing was forgotten."""
    assert sorted(network.submitted_texts) == sorted({*(f"before{n}" for n in range(5)), "after"})
    assert {push.fields["smsmsg"] for push in receiver.pushes} == owed
    assert all(len(pushes) == 1 for pushes in receiver.by_event.values())
    repeated = [text for text, times in network.attempts.items() if times == 1]
    assert sorted(repeated) == ["after", "begin"]  # all others were put off, and sent again


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
