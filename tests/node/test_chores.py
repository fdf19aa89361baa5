"""What happens by the clock: again and again, never twice at once, whatever fails."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homing.engine.ports import Done, Handler
from homing.node.chores import Chore, Clockwork
from homing.store.create import open_store
from homing.store.journal import Journal


def test_the_clockwork_goes_on_after_a_failure() -> None:
    async def run() -> None:
        turns: list[int] = []
        enough = asyncio.Event()

        def turn() -> None:
            turns.append(len(turns))
            if len(turns) == 3:
                enough.set()
            raise RuntimeError("a chore that fails")

        clockwork = Clockwork(asyncio.get_running_loop())
        clockwork.every(0.001, turn)
        await asyncio.wait_for(enough.wait(), 5)
        clockwork.stop()

    asyncio.run(run())


class Slow:
    """A journal that commits when it is told to."""

    def __init__(self) -> None:
        self.writes: list[tuple[Handler, Sequence[Any], Done]] = []

    def write(self, handler: Handler, items: Sequence[Any], done: Done, *, last: bool = False) -> None:
        self.writes.append((handler, items, done))


def test_a_chore_under_way_is_not_begun_again() -> None:
    journal, done = Slow(), []
    chore = Chore(journal, lambda _transaction, given: given * 2, done.append, lambda: 21)
    chore()
    chore()
    assert len(journal.writes) == 1
    handler, items, committed = journal.writes[0]
    committed(handler(None, list(items)), None)
    assert done == [42]
    chore()
    journal.writes[1][2](None, OSError("the store is gone"))
    assert done == [42]
    chore()
    assert len(journal.writes) == 3


def test_a_chore_runs_in_the_journal(tmp_path: Path) -> None:
    async def run() -> None:
        database = open_store(f"sqlite:///{tmp_path / 'homing.db'}")
        journal = Journal(database, asyncio.get_running_loop())
        journal.start()
        told: asyncio.Queue[int] = asyncio.Queue()
        Chore(journal, lambda t, _given: t.expire_parked_receipts(0), told.put_nowait)()
        assert await asyncio.wait_for(told.get(), 5) == 0
        journal.stop()
        database.close()

    asyncio.run(run())
