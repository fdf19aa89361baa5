"""Upkeep: what a node does now and then so that the store grows with what is open, not with its age.

Dead letters end after their retention, events that are done after theirs, with everything that hangs on
them; the ledger stays. Nothing that is pending goes, nor a submission that still awaits a receipt.
Whatever is to go is found by reading and taken away in small transactions that look once more, so that
the node's own writing never waits long; an upkeep that was interrupted is simply begun anew.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
)

from homing.engine.rows import mms_of
from homing.model.clock import id_at
from homing.model.delivery import DeliveryState
from homing.model.report import FINAL
from homing.store import customers, mailbox
from homing.store import tables as t
from homing.store.content_sweep import ContentSweep
from homing.store.database import Database

CHUNK = 500
"""Rows that one transaction looks at: a few milliseconds."""
REST_S = 0.02
DAY_MS = 86_400_000
LINK_STATE_KEPT_MS = 3_600_000
"""How long the link states of a node that has ended stay; they are shown for seconds only."""

# SQLite uses a partial index only for a condition it can read, not for a bound value.
_DEAD: Any = literal_column(str(int(DeliveryState.DEAD)))
_DELIVERED: Any = literal_column(str(int(DeliveryState.DELIVERED)))
_FINAL = [status.value for status in sorted(FINAL)]

_d, _s, _r, _m = t.deliveries.c, t.submissions.c, t.reports.c, t.messages.c
_i, _q, _l = t.idempotency.c, t.simulated_messages.c, t.link_states.c


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each have gone, or were changed."""

    ended: int = 0
    """Deliveries that were pending at removed endpoints: dead letters now."""
    dead_letters: int = 0
    submissions: int = 0
    """With their segments, receipts, reports, deliveries and attempts."""
    messages: int = 0
    """With their deliveries and attempts."""
    idempotency_keys: int = 0
    secrets: int = 0
    """Endpoints whose old signing secrets have lapsed."""
    link_states: int = 0
    marks: int = 0
    """Of mails that no mailbox shows any more."""
    expired_contents: int = 0
    """Contents of MMS whose time was over: an event each."""
    removed_contents: int = 0
    """Contents that no event has any more, taken out of the content store."""
    leftovers: int = 0
    """Of MMS that were on their way in when a node died."""


def rest_a_moment() -> bool:
    """Let whoever waits for the store have it; there is no reason to stop."""
    time.sleep(REST_S)
    return False


def run_once(
    database: Database,
    *,
    dead_retention_d: int,
    event_retention_d: int,
    mailbox_retention_d: int,
    contents: ContentSweep,
    now_ms: int,
    rest: Callable[[], bool] = rest_a_moment,
) -> Swept:
    """Everything once. ``rest`` is called between transactions: it may wait, and says whether to stop."""
    dead_before_ms = now_ms - dead_retention_d * DAY_MS
    done_before_ms = now_ms - event_retention_d * DAY_MS
    swept = Swept(
        ended=sum(_end_removed(database, rest)),
        dead_letters=sum(_expire_dead_letters(database, dead_before_ms, rest)),
        submissions=sum(_sweep(database, _done_submissions(done_before_ms), _forget_submissions, rest)),
        messages=sum(_sweep(database, _done_messages(done_before_ms), _forget_messages, rest)),
        idempotency_keys=sum(_expire_idempotency_keys(database, now_ms, rest)),
        secrets=0 if rest() else _expire_secrets(database, now_ms),
        link_states=0 if rest() else _forget_link_states(database, now_ms - LINK_STATE_KEPT_MS),
        marks=sum(_forget_marks(database, now_ms - mailbox_retention_d * DAY_MS, rest)),
    )
    # Last: a content store may be far away, and slow.
    of_contents = contents.run(now_ms, rest)
    return msgspec.structs.replace(
        swept,
        expired_contents=of_contents.expired,
        removed_contents=of_contents.removed,
        leftovers=of_contents.leftovers,
    )


# --- deliveries that have come to nothing ---


def _end_removed(database: Database, rest: Callable[[], bool]) -> Iterator[int]:
    """What is pending at removed endpoints becomes dead letters."""
    with database.reading() as connection:
        removed = customers.removed_with_pending(connection)
    for endpoint in removed:
        while not rest():
            with database.writing() as connection:
                ended = customers.end_deliveries(connection, endpoint, CHUNK)
            yield ended
            if ended < CHUNK:
                break


def _expire_dead_letters(database: Database, before_ms: int, rest: Callable[[], bool]) -> Iterator[int]:
    with database.reading() as connection:
        endpoints = connection.scalars(select(t.endpoints.c.id)).all()  # those that were removed as well
    for endpoint in endpoints:
        after = 0
        while not rest():
            with database.reading() as connection:
                rows = connection.execute(dead_letters_page(endpoint, before_ms, after)).all()
            events = [row.event for row in rows if row.finished_at_ms < before_ms]
            if events:
                with database.writing() as connection:
                    yield _forget_dead_letters(connection, endpoint, events, before_ms)
            if len(rows) < CHUNK:
                break
            after = rows[-1].event


def dead_letters_page(endpoint: int, before_ms: int, after: int) -> Select[Any]:
    """Dead letters of an endpoint whose event is old enough; nothing ends before it begins."""
    return (
        select(_d.event, _d.finished_at_ms)
        .where(_d.endpoint == endpoint, _d.state == _DEAD, _d.event > after, _d.event < id_at(before_ms))
        .order_by(_d.event)
        .limit(CHUNK)
    )


def _forget_dead_letters(
    connection: Connection, endpoint: int, events: Sequence[int], before_ms: int
) -> int:  # fmt: skip
    """Take away those that have not been replayed meanwhile."""
    still = connection.scalars(
        select(_d.event)
        .where(
            _d.event.in_(events), _d.endpoint == endpoint, _d.state == _DEAD, _d.finished_at_ms < before_ms
        )
        .with_for_update()
    ).all()
    a = t.attempts
    connection.execute(delete(a).where(a.c.event.in_(still), a.c.endpoint == endpoint))
    connection.execute(delete(t.deliveries).where(_d.event.in_(still), _d.endpoint == endpoint))
    return len(still)


# --- events that are done ---


class Done(NamedTuple):
    """Which rows of a table are done with: old enough by their id, and nothing open hangs on them."""

    table: Any
    before_id: int
    is_done: ColumnElement[bool]

    def page(self, after: int) -> Select[Any]:
        """The next rows that are old enough, and whether they are done."""
        id_ = self.table.c.id
        return (
            select(id_, self.is_done.label("is_done"))
            .where(id_ > after, id_ < self.before_id)
            .order_by(id_)
            .limit(CHUNK)
        )

    def again(self, ids: Sequence[int]) -> Select[Any]:
        """Those of some rows that are still done."""
        return select(self.table.c.id).where(self.table.c.id.in_(ids), self.is_done).with_for_update()


def _has_open_delivery(event: ColumnElement[int], before_ms: int) -> ColumnElement[bool]:
    """Pending, to be replayed, or delivered only lately."""
    is_open = or_(_d.state != _DELIVERED, _d.finished_at_ms >= before_ms)
    return exists(select(_d.event).where(_d.event == event, is_open).correlate_except(t.deliveries))


def _done_submissions(before_ms: int) -> Done:
    """Those that have come to an end, with every report about them."""
    before_id = id_at(before_ms)
    open_report = exists(
        select(_r.id)
        .where(_r.submission == _s.id, or_(_r.id >= before_id, _has_open_delivery(_r.id, before_ms)))
        .correlate_except(t.reports)
    )
    return Done(t.submissions, before_id, and_(_s.status.in_(_FINAL), ~open_report))


def _done_messages(before_ms: int) -> Done:
    """Those that no endpoint waits for, and that are no part of a message still being put together."""
    g = t.part_groups
    awaits_parts = exists(select(g.c.id).where(g.c.id == _m.part_of).correlate_except(g))
    is_done = ~(_has_open_delivery(_m.id, before_ms) | awaits_parts)
    return Done(t.messages, id_at(before_ms), is_done)


def _sweep(
    database: Database,
    done: Done,
    forget: Callable[[Connection, Sequence[int]], None],
    rest: Callable[[], bool],
) -> Iterator[int]:
    after = 0
    while not rest():
        with database.reading() as connection:
            rows = connection.execute(done.page(after)).all()
        ids = [row.id for row in rows if row.is_done]
        if ids:
            with database.writing() as connection:
                still = connection.scalars(done.again(ids)).all()
                forget(connection, still)
            yield len(still)
        if len(rows) < CHUNK:
            return
        after = rows[-1].id


def _forget_submissions(connection: Connection, ids: Sequence[int]) -> None:
    reports = connection.scalars(select(_r.id).where(_r.submission.in_(ids))).all()
    _forget_deliveries(connection, reports)
    _forget_contents(connection, t.submissions, ids)
    for table in (t.reports, t.receipts, t.segments):
        connection.execute(delete(table).where(table.c.submission.in_(ids)))
    connection.execute(delete(t.submissions).where(_s.id.in_(ids)))


def _forget_messages(connection: Connection, ids: Sequence[int]) -> None:
    _forget_deliveries(connection, ids)
    _forget_contents(connection, t.messages, ids)
    connection.execute(delete(t.messages).where(_m.id.in_(ids)))


def _forget_contents(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Speak of their contents no more; those that nobody else speaks of are orphans then."""
    carriers = connection.execute(
        select(table.c.mms).where(table.c.id.in_(ids), table.c.mms.is_not(None))
    ).all()
    names = {mms.content.sha256 for row in carriers if (mms := mms_of(row)) is not None}
    if names:
        c = t.contents.c
        connection.execute(delete(t.contents).where(c.sha256.in_(names), c.event.in_(ids)))


def _forget_deliveries(connection: Connection, events: Sequence[int]) -> None:
    for table in (t.attempts, t.deliveries):
        connection.execute(delete(table).where(table.c.event.in_(events)))


# --- small things ---


def _expire_idempotency_keys(database: Database, now_ms: int, rest: Callable[[], bool]) -> Iterator[int]:
    while not rest():
        with database.reading() as connection:
            rows = connection.execute(
                select(_i.account, _i.face, _i.key)
                .where(_i.expires_at_ms <= now_ms)
                .order_by(_i.expires_at_ms)
                .limit(CHUNK)
            )
            keys = [{"of_account": row.account, "of_face": row.face, "of_key": row.key} for row in rows]
        if keys:
            # One that has been used anew meanwhile stays.
            is_lapsed = and_(
                _i.account == bindparam("of_account"),
                _i.face == bindparam("of_face"),
                _i.key == bindparam("of_key"),
                _i.expires_at_ms <= now_ms,
            )
            with database.writing() as connection:
                yield connection.execute(delete(t.idempotency).where(is_lapsed), keys).rowcount
        if len(keys) < CHUNK:
            return


def _forget_marks(database: Database, before_ms: int, rest: Callable[[], bool]) -> Iterator[int]:
    """What customers did with mails that are too old to be shown."""
    while not rest():
        with database.reading() as connection:
            marks = mailbox.old_marks(connection, before_ms, CHUNK)
        if marks:
            with database.writing() as connection:
                mailbox.forget_marks(connection, marks)
            yield len(marks)
        if len(marks) < CHUNK:
            return


def _expire_secrets(database: Database, now_ms: int) -> int:
    with database.reading() as connection:
        endpoints = customers.endpoints(connection)
    if not any(0 < endpoint.old_secrets_until_ms <= now_ms for endpoint in endpoints):
        return 0
    with database.writing() as connection:
        return customers.expire_secrets(connection, now_ms)


def write_link_states(
    connection: Connection, node: int, states: Sequence[Mapping[str, Any]], at_ms: int
) -> None:
    """Say how the links of a node stand (each with its ``name``); what the node said before is forgotten."""
    connection.execute(delete(t.link_states).where(_l.node == node))
    rows = [
        {"node": node, "link": state["name"], "at_ms": at_ms, "state": msgspec.json.encode(state)}
        for state in states
    ]
    if rows:
        connection.execute(insert(t.link_states), rows)


def _forget_link_states(database: Database, before_ms: int) -> int:
    is_of_the_past = _l.at_ms < before_ms
    with database.reading() as connection:
        if connection.execute(select(_l.node).where(is_of_the_past).limit(1)).first() is None:
            return 0
    with database.writing() as connection:
        return connection.execute(delete(t.link_states).where(is_of_the_past)).rowcount


def take_simulated_messages(connection: Connection, limit: int = 100) -> list[tuple[str, str, str]]:
    """(sender, recipient, text) of what the simulator is asked to send, the oldest first; each only once."""
    rows = connection.execute(
        select(t.simulated_messages).order_by(_q.id).limit(limit).with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection.execute(delete(t.simulated_messages).where(_q.id.in_([row.id for row in rows])))
    return [(row.sender, row.recipient, row.text) for row in rows]
