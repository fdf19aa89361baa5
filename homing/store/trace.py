"""The whole life of one submission, report or message: what ``homing trace`` shows.

An id is looked for among submissions, reports and messages. Whatever of a long message the id names, the
joined one or a part, the trace shows all of it.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from homing.engine.rows import submission_of
from homing.model.delivery import DeliveryState
from homing.model.message import Coding, Segment
from homing.model.report import Status
from homing.store import tables as t
from homing.store.documents import (
    Document,
    attempt_document,
    delivery_document,
    message_document,
    receipt_document,
    report_document,
    submission_document,
    time_text,
)


def trace(connection: Connection, id_: int) -> Document | None:
    """Everything about one id, or None when nothing has it."""
    submission = _row(connection, t.submissions, id_)
    if submission is not None:
        return {"submission": submission_document(submission), **_life(connection, submission, None)}
    report = _row(connection, t.reports, id_)
    if report is not None:
        of_it = _row(connection, t.submissions, report.submission)
        return {"report": report_document(report), **_life(connection, of_it, id_)}
    message = _row(connection, t.messages, id_)
    return None if message is None else _message(connection, message)


def deliveries_of(connection: Connection, events: Sequence[int]) -> list[Document]:
    """Every delivery of some events, each with all its attempts."""
    d, a = t.deliveries.c, t.attempts.c
    failed: dict[tuple[int, int], list[Document]] = defaultdict(list)
    for row in connection.execute(select(t.attempts).where(a.event.in_(events)).order_by(a.number)):
        failed[row.event, row.endpoint].append(attempt_document(row))
    rows = connection.execute(select(t.deliveries).where(d.event.in_(events)).order_by(d.event, d.endpoint))
    found = []
    for row in rows:
        attempts = failed[row.event, row.endpoint]
        if row.state == DeliveryState.DELIVERED:
            attempts.append(_delivering_attempt(row))
        found.append({**delivery_document(row), "attempts": attempts})
    return found


def _delivering_attempt(row: Any) -> Document:
    """The attempt that delivered stands in its delivery."""
    return attempt_document(_Attempt(row))


class _Attempt:
    """A delivered row, read as its last attempt."""

    def __init__(self, row: Any) -> None:
        self.number = row.attempt
        self.took_ms = row.took_ms
        self.at_ms = row.finished_at_ms - (row.took_ms or 0)
        self.status = row.status
        self.error = row.error
        self.answer = row.answer


def _row(connection: Connection, table: Any, id_: int) -> Any:
    """A row, or None."""
    return connection.execute(select(table).where(table.c.id == id_)).first()


def _life(connection: Connection, submission: Any, report: int | None) -> Document:
    """Segments, reports and deliveries of a submission; with ``report``, only the deliveries of that one."""
    if submission is None:
        assert report is not None
        return {"segments": [], "reports": [], "deliveries": deliveries_of(connection, [report])}
    r = t.reports.c
    reports = connection.execute(
        select(t.reports).where(r.submission == submission.id).order_by(r.sequence, r.id)
    ).all()
    events = [row.id for row in reports] if report is None else [report]
    return {
        "segments": _segments(connection, submission),
        "reports": [report_document(row) for row in reports],
        "deliveries": deliveries_of(connection, events),
    }


def _segments(connection: Connection, submission: Any) -> list[Document]:
    """Each segment with what the network answered to it, and its receipts; unanswered ones too."""
    g, c = t.segments.c, t.receipts.c
    receipts: dict[int, list[Document]] = defaultdict(list)
    said = select(t.receipts).where(c.submission == submission.id).order_by(c.at_ms, c.id)
    for receipt in connection.execute(said):
        receipts[receipt.segment].append(receipt_document(receipt))
    answered = {
        row.number: row for row in connection.execute(select(t.segments).where(g.submission == submission.id))
    }
    contents = dict(enumerate(submission_of(submission).segments, 1))
    numbers = sorted({*range(1, submission.segment_count + 1), *answered, *receipts})
    found = []
    for number in numbers:
        row = answered.get(number)
        found.append(
            {
                "number": number,
                "text": _content(contents.get(number)),
                "link": row.link if row else None,
                "link_message_id": row.link_message_id if row else None,
                "status": row.status if row else Status.ACCEPTED.value,
                "reason": row.reason if row else "accepted",
                "at": time_text(row.at_ms) if row else None,
                "receipts": receipts[number],
            }
        )
    return found


def _content(segment: Segment | None) -> str | None:
    if segment is None:
        return None
    return segment.data.hex().upper() if segment.coding is Coding.DATA else segment.text


def _message(connection: Connection, message: Any) -> Document:
    joined = message.id if message.part_of is None else message.part_of
    m = t.messages.c
    parts = connection.execute(select(t.messages).where(m.part_of == joined).order_by(m.id)).all()
    events = sorted({message.id, joined, *(part.id for part in parts)})
    return {
        "message": message_document(message),
        "parts": [message_document(part) for part in parts],
        "segments": [],
        "reports": [],
        "deliveries": deliveries_of(connection, events),
    }
