"""The journal: who waits shares a transaction, who is told was written, trouble ends without a restart."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from homing.engine import ports
from homing.model.errors import StoreUnavailable
from homing.store.create import open_store
from homing.store.database import Database
from homing.store.journal import GROUP_LIMIT, Journal
from homing.store.sql import Transaction


class Desk:
    """Hands writes to a journal; what comes of each is kept in the order in which it is told."""

    def __init__(self, database: Database) -> None:
        self.loop = asyncio.get_running_loop()
        self.database = database
        self.journal: ports.Journal = Journal(database, self.loop)
        self.told: list[str] = []
        self.rows_when_told: list[int] = []

    def write(self, name: str, handler: Any, items: Sequence[Any], **options: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.loop.create_future()

        def done(results: Any, error: Exception | None) -> None:
            assert asyncio.get_running_loop() is self.loop
            assert results is None or error is None
            self.told.append(name)
            self.rows_when_told.append(count(self.database))
            future.set_result(results if error is None else error)

        self.journal.write(handler, items, done, **options)
        return future

    async def held(self) -> threading.Event:
        """The journal stands still within a transaction until the event is set: what comes now must wait."""
        goes_on, stands = threading.Event(), asyncio.Event()

        def stand(_transaction: Transaction, _items: list[Any]) -> None:
            self.loop.call_soon_threadsafe(stands.set)
            goes_on.wait(10)

        self.write("held", stand, [None], last=True)
        await stands.wait()
        return goes_on


Scenario = Callable[[Desk], Coroutine[Any, Any, None]]


def at_desk(database: Database, scenario: Scenario) -> None:
    async def go() -> None:
        desk = Desk(database)
        assert isinstance(desk.journal, Journal)
        desk.journal.start()
        try:
            await scenario(desk)
        finally:
            desk.journal.stop()

    asyncio.run(go())


def count(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(text("SELECT count(*) FROM receipts")) or 0


def receipt(id_: int) -> tuple[Any, ...]:
    return (id_, 1, 1, "sim", 1, "SENT", "w", "r", "e", "same", b"raw")


def insert(transaction: Transaction, items: list[int]) -> list[str]:
    transaction.insert_receipts([receipt(id_) for id_ in items])
    return [f"row {id_}" for id_ in items]


def insert_silently(transaction: Transaction, items: list[int]) -> None:
    insert(transaction, items)


def spoil(_transaction: Transaction, _items: list[Any]) -> None:
    raise ValueError("these values are wrong")


def test_what_waits_shares_a_transaction_and_is_told_after_it_each_with_its_results(
    database: Database,
) -> None:
    async def scenario(desk: Desk) -> None:
        goes_on = await desk.held()
        writes = [
            desk.write("a", insert, [1, 2]), desk.write("b", insert_silently, [3]),
            desk.write("c", insert, []), desk.write("d", insert, [4]), desk.write("e", insert_silently, [5]),
        ]  # fmt: skip
        goes_on.set()
        assert await asyncio.gather(*writes) == [["row 1", "row 2"], None, [], ["row 4"], None]
        assert desk.told == ["held", "a", "b", "c", "d", "e"]
        assert desk.rows_when_told == [0, 5, 5, 5, 5, 5]
        assert isinstance(desk.journal, Journal)
        assert (desk.journal.commits, desk.journal.written) == (2, 6)

    at_desk(database, scenario)


def test_a_transaction_has_an_end(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        sizes = []

        def note(_transaction: Transaction, items: list[Any]) -> None:
            sizes.append(len(items))

        goes_on = await desk.held()
        writes = [desk.write("x", note, [0] * (GROUP_LIMIT // 4)) for _ in range(6)]
        goes_on.set()
        await asyncio.gather(*writes)
        assert sizes == [GROUP_LIMIT, GROUP_LIMIT // 2]

    at_desk(database, scenario)


def test_what_is_to_come_last_sees_all_that_was_handed_over_before(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        def look(transaction: Transaction, items: list[Any]) -> list[Any]:
            found = transaction.connection.scalar(text("SELECT count(*) FROM receipts"))
            return [found] * len(items)

        goes_on = await desk.held()
        at_once = desk.write("at once", look, [None])
        writes = [desk.write("last", look, [None], last=True), desk.write("row", insert, [1])]
        after = desk.write("last", look, [None], last=True)
        goes_on.set()
        assert (await at_once, await writes[0], await after) == ([0], [1], [1])

    at_desk(database, scenario)


def test_a_write_that_is_wrong_spoils_only_itself(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        first_try = iter([True])

        def well_only_in_company(_transaction: Transaction, items: list[int]) -> list[int]:
            if next(first_try, False):
                return items
            raise ValueError("wrong alone")

        await desk.write("before", insert, [1])
        goes_on = await desk.held()
        writes = [
            desk.write("x", well_only_in_company, [0]), desk.write("well", insert, [2]),
            desk.write("repeats", insert, [3, 1]), desk.write("wrong", spoil, [1]),
            desk.write("well", insert, [4]),
        ]  # fmt: skip
        goes_on.set()
        alone, well, repeats, wrong, also_well = await asyncio.gather(*writes)
        assert (well, also_well) == (["row 2"], ["row 4"])
        assert str(alone) == "wrong alone", "what it had returned in company was rolled back"
        assert str(wrong) == "these values are wrong"
        assert isinstance(repeats, sqlite3.IntegrityError | psycopg.IntegrityError)
        assert count(database) == 3
        assert isinstance(desk.journal, Journal)
        assert desk.journal.trouble is None

    at_desk(database, scenario)


def test_who_fails_when_told_does_not_keep_others_from_being_told(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        goes_on = await desk.held()

        def fail(_results: object, _error: object) -> None:
            raise RuntimeError("not my day")

        desk.journal.write(insert, [1], fail)
        write = desk.write("after", insert, [2])
        goes_on.set()
        assert await write == ["row 2"]
        assert count(database) == 2

    at_desk(database, scenario)


def be_full(transaction: Transaction, _items: list[Any]) -> None:
    """The store takes no page more, as if the disk were full."""
    pages = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar()
    transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def lose_connection(transaction: Transaction, _items: list[Any]) -> None:
    transaction.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


def grow(transaction: Transaction, items: list[int]) -> None:
    for id_ in items:
        transaction.insert_receipts([(*receipt(id_)[:-1], b"x" * 100_000)])


def test_trouble_of_the_store_is_told_to_all_and_ends_without_a_restart(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        journal = desk.journal
        assert isinstance(journal, Journal)
        await desk.write("before", insert, [1])
        goes_on = await desk.held()
        trouble = be_full if database.is_sqlite else lose_connection
        writes = [
            desk.write("well", insert, [2]), desk.write("trouble", trouble, [None]),
            desk.write("grows", grow, [3]), desk.write("silent", insert_silently, [4]),
        ]  # fmt: skip
        goes_on.set()
        for outcome in await asyncio.gather(*writes):
            assert isinstance(outcome, StoreUnavailable)
        assert count(database) == 1
        assert journal.trouble
        if database.is_sqlite:
            assert "full" in journal.trouble
        assert await desk.write("again", insert, [2]) == ["row 2"]
        assert journal.trouble is None

    at_desk(database, scenario)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_trouble_among_writes_that_go_by_themselves_ends_the_group(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        tries = []

        def lock(_transaction: Transaction, _items: list[Any]) -> None:
            tries.append("trouble")
            raise sqlite3.OperationalError("database is locked")

        def is_wrong_at_first(transaction: Transaction, items: list[int]) -> list[str]:
            if not tries:
                tries.append("wrong")
                raise ValueError("spoils the group")
            return insert(transaction, items)

        goes_on = await desk.held()
        writes = [
            desk.write("a", is_wrong_at_first, [1]), desk.write("b", lock, [1]), desk.write("c", insert, [2]),
        ]  # fmt: skip
        goes_on.set()
        well, locked, not_tried = await asyncio.gather(*writes)
        assert well == ["row 1"]
        assert isinstance(locked, StoreUnavailable)
        assert isinstance(not_tried, StoreUnavailable)
        assert (tries, count(database)) == (["wrong", "trouble"], 1)

    at_desk(database, scenario)


def test_a_store_that_cannot_be_opened_yet_is_tried_again_with_each_write(tmp_path: Path) -> None:
    path = tmp_path / "not yet" / "homing.db"
    database = Database(f"sqlite:///{path}")

    async def go() -> None:
        journal = Journal(database, asyncio.get_running_loop())
        journal.start()

        async def tried() -> Any:
            told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            journal.write(insert, [1], lambda results, error: told.set_result(error or results))
            return await told

        for _ in range(2):
            assert isinstance(await tried(), StoreUnavailable)
        troubles = [journal.trouble]
        open_store(f"sqlite:///{path}").close()
        assert await tried() == ["row 1"]
        troubles.append(journal.trouble)
        assert troubles == ["unable to open database file", None]
        journal.stop()

    asyncio.run(go())
    database.close()


def test_stopping_writes_what_waits_and_still_tells(database: Database) -> None:
    async def scenario(desk: Desk) -> None:
        assert isinstance(desk.journal, Journal)
        goes_on = await desk.held()
        writes = [desk.write("x", insert, [n]) for n in range(1, 4)]
        goes_on.set()
        desk.journal.stop()
        assert count(database) == 3
        assert [await write for write in writes] == [["row 1"], ["row 2"], ["row 3"]]

    at_desk(database, scenario)
