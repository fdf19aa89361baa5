"""Every fate of the simulated MMSC ends in the right status, over a real node with the default links."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from homing.engine.prices import Prices
from homing.engine.submit import UNCLAIMED, Batch, record_submissions
from homing.links.mmsc_fates import MMS_FATES, mms_fate_of
from homing.model.report import Status
from homing.store import tables as t
from homing.store.create import open_store
from homing.store.customers import load_directory
from homing.store.database import Database
from homing.store.sql import Transaction
from homing.store.statements import Statements
from tests.journeys.far import NodeProcess, enrol, free_port, sqlite_url
from tests.links.far_relay import Stock
from tests.links.smsc import until

NUMBERS = [f"447700900{digits}" for digits in ("123", *MMS_FATES)]
CONFIG = """
[node]
data_dir = "data"
drain_s = 5

[http]
listen = "127.0.0.1:{port}"

[simulator]
latency_ms = 2
report_delay_ms = 50
"""


def expected(number: str) -> str:
    return (mms_fate_of(number).expected or Status.SENT).value


def submit(database: Database, stock: Stock) -> None:
    """One MMS to each number, as the faces write them; nobody has claimed them."""
    account = load_directory(database).accounts["acme"]
    made = tuple(
        stock.outgoing(id_, recipient=number, report_bits=15).submission
        for id_, number in enumerate(NUMBERS, 1)
    )
    batch = Batch(account=account, metered=False, submissions=made)
    with database.connection() as connection, Transaction(connection, Statements(database)) as transaction:
        record_submissions(transaction, [(batch, UNCLAIMED)], Prices())


def found(database: Database) -> dict[str, Any]:
    s, r = t.submissions.c, t.reports.c
    with database.reading() as connection:
        statuses = {row.recipient: row.status for row in connection.execute(select(s.recipient, s.status))}
        reads = connection.scalar(select(func.count()).where(r.reason.in_(("read", "deleted_unread"))))
    return {"statuses": statuses, "reads": reads}


def test_every_fate_of_an_mms_ends_in_the_status_of_its_table(tmp_path: Path) -> None:
    wanted = {
        "statuses": {number: expected(number) for number in NUMBERS},
        "reads": sum("Retrieved" in mms_fate_of(number).words for number in NUMBERS),
    }

    async def run() -> None:
        port = free_port()
        node = NodeProcess(tmp_path, port, CONFIG.format(port=port))
        enrol(sqlite_url(node), "acme", "http://192.0.2.1/")
        (tmp_path / "data").mkdir(exist_ok=True)
        stock = Stock(tmp_path / "data")
        await node.start()
        database = open_store(sqlite_url(node))
        try:
            submit(database, stock)
            with contextlib.suppress(TimeoutError):
                await until(lambda: found(database) == wanted, 60)
            assert found(database) == wanted
        finally:
            database.close()
            assert await node.stop() == 0, node.log.read_text()[-4000:]

    asyncio.run(run())
