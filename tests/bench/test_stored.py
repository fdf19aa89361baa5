"""The pasts that the bench puts into stores fit the tables as they are now."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from bench import pull, stored
from homing.store import tables as t
from homing.store.create import open_store
from homing.store.database import Database
from homing.store.mailbox import StoreMails


def store(path: Path) -> Database:
    return open_store(f"sqlite:///{path / 'homing.db'}")


def count(database: Database, table: object) -> int:
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


@pytest.mark.parametrize(("delivered", "counts"), [(True, [5, 5, 10]), (False, [10, 0, 10])])
def test_events_that_were_delivered_and_others_that_wait(
    tmp_path: Path, delivered: bool, counts: list[int]
) -> None:
    database = store(tmp_path)
    stored.fill(tmp_path / "homing.db", 10, delivered=delivered)
    assert [count(database, each) for each in (t.messages, t.reports, t.deliveries)] == counts
    database.close()


def test_mailboxes_that_are_full(tmp_path: Path) -> None:
    database = store(tmp_path)
    pull.fill(tmp_path / "homing.db", customers=3, each=10)
    mails = StoreMails(database)
    for index in range(3):
        found = mails.mails(f"customer{index}", "unread", 0, 100)
        assert len(found) == 10
    database.close()
