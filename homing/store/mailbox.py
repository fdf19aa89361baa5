"""Mailboxes in the store: events of an account beside the marks that say what he has done with them.

A mailbox holds received messages (of a long one the joined message, not its parts) and the reports that
their submission asked for. Every search goes along an account's index from where the mailbox says that it may
begin, so it costs what it finds and not what was read long ago. ``StoreMails`` is the adapter of
``engine.mailbox.MailStore``.
"""

from collections.abc import Sequence, Set
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from homing.engine.mailbox import Start, Which
from homing.engine.rows import message_of, report_of
from homing.model.clock import id_at
from homing.model.delivery import Event
from homing.model.mail import Entry, Mail
from homing.model.message import ReceivedMessage
from homing.model.report import READ_REASONS, READ_REPORT_BIT, REPORT_BIT
from homing.store import tables as t
from homing.store.database import Database, store_errors
from homing.store.statements import Statements

_m, _r, _s, _k = t.messages.c, t.reports.c, t.submissions.c, t.mailbox_marks.c
_STATES = t.mailboxes
_BITS = case(
    (_r.reason.in_(sorted(READ_REASONS)), READ_REPORT_BIT),
    *((_r.status == status.value, bit) for status, bit in REPORT_BIT.items()),
    else_=0,
)
_WAS_ASKED_FOR: ColumnElement[bool] = _s.report_bits.op("&")(_BITS) != 0


class StoreMails:
    """Mailboxes of one store, for any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._questions = Statements(database).questions

    def start(self, account: str) -> Start:
        with self._database.reading() as connection:
            row = connection.execute(select(_STATES).where(_STATES.c.account == account)).first()
        if row is None:
            return Start()
        return Start(unread_from=row.unread_from, kept_from=row.kept_from, version=row.version)

    def mails(
        self, account: str, which: Which, from_id: int, limit: int, *, newest_first: bool = False
    ) -> Sequence[Mail]:
        with self._database.reading() as connection:
            messages = connection.execute(
                _searched(
                    select(t.messages, _is_read(account, _m.id)),
                    _m,
                    account,
                    which,
                    from_id,
                    limit,
                    newest_first,
                ).where(_m.part_of.is_(None))
            )
            reports = connection.execute(
                _searched(
                    select(
                        t.reports, _s.sender, _s.recipient, _s.report_bits, _s.note, _s.segment_count,
                        _s.mms.is_not(None).label("is_mms"), _is_read(account, _r.id),
                    ).join(t.submissions, _s.id == _r.submission),
                    _r, account, which, from_id, limit, newest_first,
                ).where(_WAS_ASKED_FOR)
            )  # fmt: skip
            found = [
                [Mail(event=message_of(row), is_read=bool(row.is_read)) for row in messages],
                [Mail(event=report_of(row), is_read=bool(row.is_read)) for row in reports],
            ]
        sign = -1 if newest_first else 1
        return list(islice(merge(*found, key=lambda mail: sign * mail.event.id), limit))

    def entries(self, account: str, which: Which, from_id: int, limit: int) -> Sequence[Entry]:
        with self._database.reading() as connection:
            found = [connection.execute(question).all() for question in _ids(account, which, from_id, limit)]
        ids = islice(merge(*found, key=lambda row: row.id), limit)
        return [Entry(id=row.id, is_read=bool(row.is_read)) for row in ids]

    def count_unread(self, account: str, from_id: int, limit: int) -> int:
        with self._database.reading() as connection:
            return min(
                limit,
                sum(
                    connection.scalar(select(func.count()).select_from(question.subquery())) or 0
                    for question in _ids(account, "unread", from_id, limit)
                ),
            )

    def mails_by_id(self, account: str, ids: Sequence[int]) -> Sequence[Mail]:
        with self._database.reading() as connection, store_errors():
            driver: Any = connection.connection.driver_connection
            cursor = driver.cursor()
            marks = {row.event: row for row in self._questions["mailbox_marks"].ask(cursor, (account,), ids)}
            events: list[Event] = [
                message_of(row)
                for row in self._questions["messages_by_id"].ask(cursor, (), ids)
                if row.account == account and row.part_of is None
            ]
            events += [
                report_of(row)
                for row in self._questions["reports_by_id"].ask(cursor, (), ids)
                if row.account == account
            ]
        found = [(event, marks.get(event.id)) for event in events]
        return [
            Mail(event=event, is_read=mark is not None and bool(mark.is_read))
            for event, mark in found
            if mark is None or not mark.is_deleted
        ]

    def kept_contents(self, account: str, messages: Sequence[ReceivedMessage]) -> Set[int]:
        names = {message.mms.content.sha256 for message in messages if message.mms is not None}
        if not names:
            return frozenset()
        ids = [message.id for message in messages]
        with self._database.reading() as connection, store_errors():
            driver: Any = connection.connection.driver_connection
            question = self._questions["contents_by_name"]
            rows = question.ask(driver.cursor(), (account, min(ids), max(ids)), sorted(names))
        return {row.event for row in rows}


def _mark_of(account: str, event: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(_k.account == account, _k.event == event)


def _is_read(account: str, event: ColumnElement[int]) -> Any:
    return exists(
        select(_k.event)
        .where(_mark_of(account, event), _k.is_read == true())
        .correlate_except(t.mailbox_marks)
    ).label("is_read")


def _searched(
    question: Select[Any],
    columns: Any,
    account: str,
    which: Which,
    from_id: int,
    limit: int,
    newest_first: bool = False,
) -> Select[Any]:
    """Events of an account from an id on that no mark takes out of the search."""
    hides = _k.is_deleted == true() if which == "kept" else or_(_k.is_deleted == true(), _k.is_read == true())
    is_hidden = exists(
        select(_k.event).where(_mark_of(account, columns.id), hides).correlate_except(t.mailbox_marks)
    )
    return (
        question.where(columns.account == account, columns.id >= from_id, ~is_hidden)
        .order_by(columns.id.desc() if newest_first else columns.id)
        .limit(limit)
    )


def _ids(account: str, which: Which, from_id: int, limit: int) -> tuple[Select[Any], Select[Any]]:
    messages = select(_m.id, _is_read(account, _m.id)).where(_m.part_of.is_(None))
    reports = (
        select(_r.id, _is_read(account, _r.id))
        .join(t.submissions, _s.id == _r.submission)
        .where(_WAS_ASKED_FOR)
    )
    return (
        _searched(messages, _m, account, which, from_id, limit),
        _searched(reports, _r, account, which, from_id, limit),
    )


# --- changes, in a transaction ---


def mark_mails(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows (account, event, is_read, is_deleted): what is deleted stays deleted."""
    if not rows:
        return
    insert = _inserting(connection)(t.mailbox_marks)
    statement = insert.on_conflict_do_update(
        index_elements=["account", "event"],
        set_={
            "is_read": insert.excluded.is_read,
            "is_deleted": or_(_k.is_deleted, insert.excluded.is_deleted),
        },
    )
    names = [column.name for column in t.mailbox_marks.columns]
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def lower_unread(connection: Connection, account: str, event: int) -> None:
    """Searches for unread mails begin no later than at this event."""
    insert = _inserting(connection)(_STATES).values(account=account, unread_from=0, kept_from=0, version=1)
    lower = case((_STATES.c.unread_from > event, event), else_=_STATES.c.unread_from)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["account"], set_={"unread_from": lower, "version": _STATES.c.version + 1}
        )
    )


def advance(
    connection: Connection, account: str, former: tuple[int, int, int], start: tuple[int, int]
) -> None:
    """Move where searches begin, unless somebody has moved it since it was read."""
    connection.execute(
        _inserting(connection)(_STATES)
        .values(account=account, unread_from=0, kept_from=0, version=0)
        .on_conflict_do_nothing()
    )
    c = _STATES.c
    connection.execute(
        update(_STATES)
        .where(
            c.account == account,
            c.unread_from == former[0],
            c.kept_from == former[1],
            c.version == former[2],
        )
        .values(unread_from=start[0], kept_from=start[1])
    )


def old_marks(connection: Connection, before_ms: int, limit: int) -> Sequence[tuple[str, int]]:
    """Marks (account, event) of events that are older."""
    rows = connection.execute(
        select(_k.account, _k.event)
        .where(_k.account.in_(select(t.accounts.c.name)), _k.event < id_at(before_ms))
        .limit(limit)
    )
    return [(row.account, row.event) for row in rows]


def forget_marks(connection: Connection, marks: Sequence[tuple[str, int]]) -> None:
    """Take marks (account, event) away."""
    this = and_(_k.account == bindparam("of_account"), _k.event == bindparam("of_event"))
    connection.execute(
        delete(t.mailbox_marks).where(this),
        [{"of_account": account, "of_event": event} for account, event in marks],
    )


def _inserting(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
