"""Which content an event has: of messages and submissions, as long as a row speaks of it."""

import pytest

from homing.engine.records import FoundContent
from homing.model.errors import Refusal
from homing.model.mms import Content, Part
from homing.store import tables as t
from homing.store.contents import find_content
from homing.store.database import Database
from homing.store.records import StoreRecords
from tests.store import mms_rows, rows

CONTENT = Content(
    sha256="c" * 64,
    size=300,
    parts=(Part(name="a.jpg", content_type="image/jpeg", size=3, offset=99, sha256="a" * 64),),
)
MMS = mms_rows.an_mms(CONTENT)


def test_a_content_is_found_by_its_event(database: Database) -> None:
    with database.writing() as connection:
        mms_rows.add_mms(connection, 1, CONTENT)
        mms_rows.add_sent_mms(connection, 2, CONTENT, "other")
        mms_rows.add_mms(connection, 3, CONTENT, None)
        rows.add_message(connection, 4)
        rows.add_submission(connection, 5)
        found = [find_content(connection, event) for event in range(1, 7)]
    assert found == [
        FoundContent(account="acme", mms=MMS, is_kept=True),
        FoundContent(account="other", mms=MMS, is_kept=True),
        FoundContent(account="", mms=MMS, is_kept=True),
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("other", [{"account": "other"}, {"event": 2}, {"sha256": "d" * 64}])
def test_it_is_kept_by_its_own_row_and_no_other(database: Database, other: dict[str, object]) -> None:
    with database.writing() as connection:
        mms_rows.add_mms(connection, 1, CONTENT)
        connection.execute(t.contents.update().values(other))
    found = StoreRecords(database).content(1)
    assert (found.account, found.is_kept) == ("acme", False)


def test_what_is_no_mms_is_not_found(database: Database) -> None:
    with database.writing() as connection:
        rows.add_message(connection, 1)
    for event in (1, 2):
        with pytest.raises(Refusal, match=f"no MMS {event}") as refusal:
            StoreRecords(database).content(event)
        assert refusal.value.kind == "not_found"
