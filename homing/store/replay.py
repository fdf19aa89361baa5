"""Replay: deliveries that ended get a new round of attempts.

What is to be replayed is found first and changed then, a chunk in each transaction, so that a running node
never waits long for the store and an interrupted replay can be repeated: what has begun its new round is
pending, and is not found again. Attempt numbers go on; the attempts that were made stay in the trace.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from homing.model.clock import id_at
from homing.model.delivery import DeliveryState
from homing.store import tables as t

CHUNK = 1_000
"""Deliveries in one transaction."""

DEAD: Collection[DeliveryState] = (DeliveryState.DEAD,)
ENDED: Collection[DeliveryState] = (DeliveryState.DEAD, DeliveryState.DELIVERED)

Key = tuple[int, int]


class Found(NamedTuple):
    """A question for (event, endpoint), and the column that its index yields in order of events."""

    question: Select[tuple[int, int]]
    event: ColumnElement[int]


_d, _e = t.deliveries.c, t.endpoints.c


def ended_of_account(
    account: str, states: Collection[DeliveryState], since_ms: int, until_ms: int
) -> list[Found]:
    """What to replay of an account: deliveries of events that arose in a range of time."""
    found = []
    for events in (t.reports, t.messages):
        id_: ColumnElement[int] = events.c.id
        question = (
            _ended(states)
            .join(events, id_ == _d.event)
            .where(events.c.account == account, id_ >= id_at(since_ms), id_ < id_at(until_ms))
        )
        found.append(Found(question, id_))
    return found


def ended_of_event(event: int, endpoint: int | None, states: Collection[DeliveryState]) -> list[Found]:
    """What to replay of one event, at one endpoint or at all."""
    question = _ended(states).where(_d.event == event)
    return [Found(question if endpoint is None else question.where(_d.endpoint == endpoint), _d.event)]


def count(connection: Connection, what: Sequence[Found]) -> int:
    """How many deliveries that is."""
    questions = [select(func.count()).select_from(part.question.subquery()) for part in what]
    return sum(connection.scalar(question) or 0 for question in questions)


def chunks(connection: Connection, what: Sequence[Found]) -> Iterator[list[Key]]:
    """Their keys, a chunk at a time, oldest first."""
    for question, event in what:
        last: Key | None = None
        while True:
            page = question.order_by(event, _d.endpoint).limit(CHUNK)
            if last is not None:
                page = page.where(event >= last[0], or_(event > last[0], _d.endpoint > last[1]))
            keys = [(row.event, row.endpoint) for row in connection.execute(page)]
            if keys:
                yield keys
            if len(keys) < CHUNK:
                break
            last = keys[-1]


def replay(connection: Connection, keys: Sequence[Key], now_ms: int) -> int:
    """Make these deliveries due now, in a new round of attempts; returns how many had still ended."""
    ended = connection.execute(
        select(t.deliveries).where(_among(keys), _d.state != int(DeliveryState.PENDING)).with_for_update()
    ).all()
    if not ended:
        return 0
    delivering = [
        {
            "event": row.event,
            "endpoint": row.endpoint,
            "number": row.attempt,
            "at_ms": row.finished_at_ms - (row.took_ms or 0),
            "status": row.status,
            "error": row.error,
            "answer": row.answer,
            "took_ms": row.took_ms or 0,
        }
        for row in ended
        if row.state == DeliveryState.DELIVERED
    ]
    if delivering:  # it stood in the delivery, which now begins anew
        _keep_attempts(connection, delivering)
    changed = connection.execute(
        update(t.deliveries)
        .where(_among([(row.event, row.endpoint) for row in ended]))
        .values(
            state=int(DeliveryState.PENDING),
            attempt=_d.attempt + 1,
            first_attempt=_d.attempt + 1,
            next_attempt_at_ms=now_ms,
            claim_node=None,
            claim_life=None,
            status=None,
            error=None,
            answer=None,
            took_ms=None,
            finished_at_ms=None,
        )
    )
    return changed.rowcount


def _keep_attempts(connection: Connection, delivering: Sequence[dict[str, Any]]) -> None:
    """Two nodes may have made one attempt, and one of them failed: then the one that delivered counts."""
    a = t.attempts
    same = [
        {"of_event": row["event"], "of_endpoint": row["endpoint"], "of_number": row["number"]}
        for row in delivering
    ]
    connection.execute(
        delete(a).where(
            a.c.event == bindparam("of_event"),
            a.c.endpoint == bindparam("of_endpoint"),
            a.c.number == bindparam("of_number"),
        ),
        same,
    )
    connection.execute(insert(a), delivering)


def _among(keys: Sequence[Key]) -> ColumnElement[bool]:
    # SQLite seeks by a list of values, but reads the whole table for a list of pairs.
    return and_(_d.event.in_({event for event, _ in keys}), tuple_(_d.event, _d.endpoint).in_(keys))


def _ended(states: Collection[DeliveryState]) -> Select[tuple[int, int]]:
    return (
        select(_d.event, _d.endpoint)
        .select_from(t.deliveries)
        .join(t.endpoints, (_e.id == _d.endpoint) & _e.removed_at_ms.is_(None))
        .where(_d.state.in_([int(state) for state in states]))
    )
