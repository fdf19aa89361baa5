"""Mailboxes in the store: what stands in them, what marks hide, and where searches begin."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from homing.engine.mailbox import Start
from homing.model.clock import id_at
from homing.model.message import ReceivedMessage
from homing.model.mms import Content, Mms
from homing.model.report import Report
from homing.store import customers, mailbox
from homing.store import tables as t
from homing.store.database import Database
from homing.store.mailbox import StoreMails
from homing.store.sql import Transaction
from homing.store.statements import Statements
from tests.store import rows
from tests.store.test_customers import an_account
from tests.wire.test_mail import MESSAGE, changed

FIRST = id_at(1_700_000_000_000)


@pytest.fixture
def mails(database: Database) -> StoreMails:
    return StoreMails(database)


@contextmanager
def writing(database: Database) -> Iterator[Transaction]:
    with database.connection() as connection, Transaction(connection, Statements(database)) as transaction:
        yield transaction


def fill(database: Database, count: int) -> list[int]:
    """Messages and reports in turn; returns the ids of their events."""
    with database.writing() as connection:
        for number in range(count):
            id_ = FIRST + 10 * number
            if number % 2:
                rows.add_submission(connection, id_ + 1)
                rows.add_report(connection, id_, id_ + 1)
            else:
                rows.add_message(connection, id_)
    return [FIRST + 10 * number for number in range(count)]


def unread(mails: StoreMails, from_id: int = 0, limit: int = 300) -> list[int]:
    return [mail.event.id for mail in mails.mails("acme", "unread", from_id, limit)]


def test_messages_and_reports_stand_in_it_in_the_order_of_their_ids(
    database: Database, mails: StoreMails
) -> None:
    ids = fill(database, 7)
    assert unread(mails) == ids
    assert unread(mails, limit=3) == ids[:3]
    assert unread(mails, from_id=ids[4]) == ids[4:]
    newest = mails.mails("acme", "unread", 0, 2, newest_first=True)
    assert [mail.event.id for mail in newest] == [ids[6], ids[5]]
    assert [entry.id for entry in mails.entries("acme", "kept", 0, 5)] == ids[:5]
    assert mails.count_unread("acme", 0, 100) == 7
    assert mails.count_unread("acme", 0, 4) == 4
    report = mails.mails_by_id("acme", [ids[1]])[0].event
    assert isinstance(report, Report)
    assert (report.sender, report.recipient, report.submission) == ("60999", "447700900001", ids[1] + 1)


def test_what_is_not_the_accounts_or_no_mail_does_not_stand_in_it(
    database: Database, mails: StoreMails
) -> None:
    with database.writing() as connection:
        rows.add_message(connection, FIRST, "other")
        rows.add_message(connection, FIRST + 1, None)
        rows.add_message(connection, FIRST + 2, part_of=FIRST + 3)
        rows.add_message(connection, FIRST + 3, parts=1, expected_parts=2)
        rows.add_submission(connection, FIRST + 4, "other")
        rows.add_report(connection, FIRST + 5, FIRST + 4, "other")
    assert unread(mails) == [FIRST + 3]
    assert mails.mails_by_id("acme", range(FIRST, FIRST + 6)) == mails.mails("acme", "unread", 0, 9)


@pytest.mark.parametrize(
    ("bits", "wanted"),
    [
        (0, []),
        (1, ["BUFFERED", "UNKNOWN"]),
        (2, ["DELIVERED", "UNKNOWN"]),
        (4, ["FAILED", "REJECTED", "UNKNOWN"]),
        (7, ["BUFFERED", "DELIVERED", "FAILED", "REJECTED", "UNKNOWN"]),
    ],
)
def test_only_reports_that_were_asked_for_stand_in_it(
    database: Database, mails: StoreMails, bits: int, wanted: list[str]
) -> None:
    with database.writing() as connection:
        for number, status in enumerate(("BUFFERED", "DELIVERED", "FAILED", "REJECTED", "UNKNOWN")):
            id_ = FIRST + 10 * number
            rows.add_submission(connection, id_ + 1, report_bits=bits)
            rows.add_report(connection, id_, id_ + 1, status=status)
    found = [mail.event for mail in mails.mails("acme", "unread", 0, 9)]
    assert [event.status.value for event in found if isinstance(event, Report)] == wanted
    assert mails.count_unread("acme", 0, 9) == len(wanted)
    assert len(mails.entries("acme", "kept", 0, 9)) == len(wanted)


def test_marks_hide_what_was_read_and_what_was_deleted(database: Database, mails: StoreMails) -> None:
    ids = fill(database, 6)
    with writing(database) as transaction:
        transaction.mark_mails([("acme", ids[0], True, False), ("acme", ids[1], True, True)])
        transaction.mark_mails([("acme", ids[2], False, False), ("other", ids[3], True, True)])
    assert unread(mails) == ids[2:]
    assert mails.count_unread("acme", 0, 9) == 4
    kept = mails.entries("acme", "kept", 0, 9)
    assert [(entry.id, entry.is_read) for entry in kept] == [
        (id_, id_ == ids[0]) for id_ in [ids[0], *ids[2:]]
    ]
    assert {mail.event.id: mail.is_read for mail in mails.mails_by_id("acme", ids)} == {
        id_: id_ == ids[0] for id_ in [ids[0], *ids[2:]]
    }


def test_what_is_deleted_stays_so(database: Database, mails: StoreMails) -> None:
    ids = fill(database, 2)
    for is_deleted in (True, False):
        with writing(database) as transaction:
            transaction.mark_mails([("acme", ids[0], False, is_deleted)])
    assert unread(mails) == ids[1:]
    with writing(database) as transaction:
        transaction.mark_mails([])


def test_where_a_search_begins_moves_only_when_nobody_else_has_moved_it(
    database: Database, mails: StoreMails
) -> None:
    assert mails.start("acme") == Start()
    with writing(database) as transaction:
        transaction.advance_mailbox("acme", (0, 0, 0), (50, 20))
    assert mails.start("acme") == Start(unread_from=50, kept_from=20)
    with writing(database) as transaction:
        transaction.advance_mailbox("acme", (0, 0, 0), (90, 90))
    assert mails.start("acme") == Start(unread_from=50, kept_from=20)
    with writing(database) as transaction:
        transaction.lower_unread("acme", 70)
    assert mails.start("acme") == Start(unread_from=50, kept_from=20, version=1)
    with writing(database) as transaction:
        transaction.advance_mailbox("acme", (50, 20, 0), (90, 90))
    assert mails.start("acme").unread_from == 50
    with writing(database) as transaction:
        transaction.lower_unread("acme", 30)
        transaction.lower_unread("new", 30)
    assert mails.start("acme") == Start(unread_from=30, kept_from=20, version=2)
    assert mails.start("new") == Start(version=1)


def test_which_contents_are_kept(database: Database, mails: StoreMails) -> None:
    def of(sha256: str, *numbers: int) -> list[ReceivedMessage]:
        content = Content(sha256=sha256, size=1)
        mms = Mms(content=content, expires_at_ms=5)
        return [changed(MESSAGE, id=FIRST + number, mms=mms) for number in numbers]

    with writing(database) as transaction:
        transaction.insert_contents(
            [("acme", "aa", FIRST + n, 5) for n in (0, 1, 3, 4)]
            + [("acme", "bb", FIRST + 2, 5), ("other", "bb", FIRST + 3, 5), ("acme", "cc", FIRST + 5, 5)]
        )
    found = mails.kept_contents("acme", [*of("aa", 1, 2, 3), *of("bb", 2, 3)])
    assert found == {FIRST + 1, FIRST + 2, FIRST + 3}
    assert mails.kept_contents("acme", of("bb", 3)) == set()
    assert mails.kept_contents("acme", of("aa", 5)) == set()
    assert mails.kept_contents("acme", []) == set()


def test_marks_go_when_their_events_are_too_old_to_be_shown(database: Database) -> None:
    with database.writing() as connection:
        mailbox.mark_mails(connection, [("acme", FIRST + n, True, False) for n in (-2, -1, 0)])
        customers.add_account(connection, an_account("acme"))
        old = mailbox.old_marks(connection, 1_700_000_000_000, 9)
        assert old == [("acme", FIRST - 2), ("acme", FIRST - 1)]
        mailbox.forget_marks(connection, old)
        k = t.mailbox_marks.c
        assert connection.scalars(select(k.event)).all() == [FIRST]


EVENTS = 12
CHANGES = st.lists(st.tuples(st.integers(0, EVENTS - 1), st.booleans(), st.booleans()), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_it_agrees_with_a_plain_model(database: Database, changes: list[tuple[int, bool, bool]]) -> None:
    mails = StoreMails(database)
    with database.writing() as connection:
        known = connection.scalar(select(t.messages.c.id).limit(1)) is not None
        connection.execute(delete(t.mailbox_marks))
    ids = [FIRST + 10 * n for n in range(EVENTS)] if known else fill(database, EVENTS)
    read: dict[int, bool] = {}
    deleted: set[int] = set()
    for number, is_read, is_deleted in changes:
        with database.writing() as connection:
            mailbox.mark_mails(connection, [("acme", ids[number], is_read, is_deleted)])
        read[ids[number]] = is_read
        if is_deleted:
            deleted.add(ids[number])
    kept = [id_ for id_ in ids if id_ not in deleted]
    assert [entry.id for entry in mails.entries("acme", "kept", 0, 99)] == kept
    assert unread(mails) == [id_ for id_ in kept if not read.get(id_)]
    assert sorted((m.event.id, m.is_read) for m in mails.mails_by_id("acme", ids)) == [
        (id_, read.get(id_, False)) for id_ in kept
    ]
