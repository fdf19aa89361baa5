"""Questions behind commands: lists of deliveries and messages, the state of links, the ledger.

Lists come newest first, a page at a time; ``next`` is what to ask the following page with. Whatever is
asked often is answered from an index: deliveries of an account are found through its events or its
endpoints, since ``deliveries`` itself has no index by account on purpose.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, literal_column, or_, select

from homing.model.clock import LARGEST_ID, id_at, id_beside, now_ms
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal
from homing.store import tables as t
from homing.store.database import Database
from homing.store.documents import (
    Document,
    delivery_document,
    ledger_document,
    message_document,
    time_text,
)

STATE_FRESH_MS = 5_000
"""A link state older than this is of a node that has ended."""
_STREAM_ROWS = 1_000

_DELIVERY_ID = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,9}))?")

Key = tuple[int, int]


def parse_delivery_id(text: str) -> tuple[int, int | None]:
    """Event and endpoint of a delivery's id; an event id alone has no endpoint."""
    match = _DELIVERY_ID.fullmatch(text.strip())
    if match is None or int(match[1]) > LARGEST_ID:
        raise Refusal("invalid", f"not an id: {text}")
    return int(match[1]), int(match[2]) if match[2] else None


# --- deliveries ---


def deliveries_page(
    connection: Connection,
    *,
    state: DeliveryState | None = None,
    account: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Document:
    """``{items, next}``: deliveries, the newest event first."""
    before = None
    if after is not None:
        event, endpoint = parse_delivery_id(after)
        before = (event, endpoint or 0)
    if state is not None and state is not DeliveryState.DELIVERED:
        parts = [
            _at_endpoint(connection, id_, state, before, limit) for id_ in _endpoint_ids(connection, account)
        ]
    elif account is not None:
        parts = [_of_events(connection, table, account, state, before, limit) for table in _EVENTS]
    else:
        parts = [_page(connection, select(t.deliveries), state, before, limit)]
    rows = list(islice(merge(*parts, key=_newest_first), limit))
    made = _last_attempts(connection, rows)
    items = [_listed(row, made.get((row.event, row.endpoint))) for row in rows]
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


_d = t.deliveries.c
_EVENTS = (t.reports, t.messages)
_PENDING = DeliveryState.PENDING


def _newest_first(row: Any) -> Key:
    return -row.event, -row.endpoint


def _last_attempts(connection: Connection, rows: Sequence[Any]) -> dict[Key, Any]:
    """The last attempt of each that is pending; where one has ended, it stands in the delivery."""
    a = t.attempts.c
    numbers = {(row.event, row.endpoint): row.attempt - 1 for row in rows if row.state == _PENDING}
    made = connection.execute(select(t.attempts).where(a.event.in_({event for event, _ in numbers})))
    return {
        (row.event, row.endpoint): row for row in made if numbers.get((row.event, row.endpoint)) == row.number
    }


def _listed(row: Any, last: Any) -> Document:
    document = delivery_document(row)
    if row.state == _PENDING:
        return document | {
            "attempts": row.attempt - 1,
            "status": last.status if last else None,
            "error": last.error if last else None,
        }
    return document | {"attempts": row.attempt, "status": row.status}


def _endpoint_ids(connection: Connection, account: str | None) -> list[int]:
    """Endpoints that may have open work or dead letters; removed ones too."""
    e = t.endpoints.c
    question = select(e.id)
    if account is not None:
        question = question.where(e.account == account)
    return list(connection.scalars(question))


def _at_endpoint(
    connection: Connection, endpoint: int, state: DeliveryState, before: Key | None, limit: int
) -> Sequence[Any]:
    question = select(t.deliveries).where(_d.endpoint == endpoint)
    return _page(connection, question, state, before, limit)


def _of_events(
    connection: Connection,
    events: Any,
    account: str,
    state: DeliveryState | None,
    before: Key | None,
    limit: int,
) -> Sequence[Any]:
    of_account = events.join(t.deliveries, _d.event == events.c.id)
    question = select(t.deliveries).select_from(of_account).where(events.c.account == account)
    return _page(connection, question, state, before, limit, events.c.id)


def _page(
    connection: Connection,
    question: Any,
    state: DeliveryState | None,
    before: Key | None,
    limit: int,
    event: ColumnElement[int] = _d.event,
) -> Sequence[Any]:
    if state is not None:
        # SQLite uses a partial index only for a condition it can read, not for a bound value.
        question = question.where(_d.state == literal_column(str(int(state))))
    if before is not None:
        older = _d.event < before[0]
        question = question.where(or_(older, and_(_d.event == before[0], _d.endpoint < before[1])))
        question = question.where(event <= before[0])  # says no more, but can be sought
    return connection.execute(question.order_by(event.desc(), _d.endpoint.desc()).limit(limit)).all()


# --- messages ---


def messages_page(
    connection: Connection,
    *,
    account: str | None = None,
    unrouted: bool = False,
    limit: int = 50,
    after: str | None = None,
) -> Document:
    """``{items, next}``: received messages, of an account, or those that nobody owns."""
    m = t.messages.c
    question = select(t.messages).order_by(m.id.desc()).limit(limit)
    if unrouted:
        question = question.where(m.account.is_(None))
    elif account is not None:
        question = question.where(m.account == account)
    if after is not None:
        question = question.where(m.id < parse_delivery_id(after)[0])
    items = [message_document(row) for row in connection.execute(question)]
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


def simulate_message(connection: Connection, sender: str, recipient: str, text: str, node: int) -> int:
    """Ask the simulator of a running node to send a message from a phone; returns the id of the request."""
    id_ = id_beside(node, now_ms())
    connection.execute(
        insert(t.simulated_messages).values(id=id_, sender=sender, recipient=recipient, text=text)
    )
    return id_


# --- links ---


def link_states(connection: Connection, configured: Iterable[tuple[str, str]], at_ms: int) -> list[Document]:
    """What running nodes say about their links; configured ones (name, kind) without a node are down."""
    s = t.link_states.c
    fresh = connection.execute(
        select(t.link_states).where(s.at_ms > at_ms - STATE_FRESH_MS).order_by(s.link, s.node)
    ).all()
    found = [
        {**json.loads(row.state), "name": row.link, "node": row.node, "at": time_text(row.at_ms)}
        for row in fresh
    ]
    spoken_of = {row.link for row in fresh}
    found += [
        {"name": name, "kind": kind, "state": "down", "binds": [], "node": None, "why": "no node is running"}
        for name, kind in configured
        if name not in spoken_of
    ]
    return found


# --- ids ---


def latest_id(database: Database) -> int:
    """The largest id that anything in the store has; 0 when there is nothing."""
    tables = (t.submissions, t.reports, t.messages, t.receipts, t.parked_receipts, t.part_groups)
    with database.reading() as connection:
        return max(connection.scalar(select(func.max(table.c.id))) or 0 for table in tables)


# --- ledger ---


def month_of(text: str) -> tuple[int, int]:
    """First and end of a month (``YYYY-MM``, UTC) in milliseconds since the epoch."""
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        end = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    except ValueError:
        raise Refusal("invalid", f"not a month such as 2026-09: {text}") from None
    return int(first.timestamp() * 1000), int(end.timestamp() * 1000)


def ledger_entries(connection: Connection, account: str, from_ms: int, until_ms: int) -> Iterator[Document]:
    """The entries of an account in a range of time, oldest first, read as they are asked for."""
    g = t.ledger.c
    question = (
        select(t.ledger)
        .where(g.id >= id_at(from_ms), g.id < id_at(until_ms), g.account == account)
        .order_by(g.id)
    )
    rows = connection.execution_options(yield_per=_STREAM_ROWS).execute(question)
    return (ledger_document(row) for row in rows)
