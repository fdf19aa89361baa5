"""A digest: one mail that tells of many events, as a table for people, in plain text and in HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import NamedTuple

from homing.model.delivery import Event
from homing.model.message import Coding
from homing.model.report import Report
from homing.wire.mail_id import mail_id
from homing.wire.tracking_id import tracking_id

_COLUMNS = ("time (UTC)", "what", "number", "id", "says")
_POLICY = SMTP.clone(cte_type="7bit")
_LONGEST_TEXT = 160


class _Row(NamedTuple):
    at: str
    what: str
    number: str
    id: str
    says: str


def write_digest(events: Sequence[Event], *, domain: str, to: str, sender: str) -> bytes:
    """The mail, with the events in the order of their time. Addresses have been checked."""
    ordered = sorted(events, key=lambda event: event.id)
    rows = [_row(event) for event in ordered]
    counts = Counter(row.what for row in rows)
    summary = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    mail = EmailMessage(policy=_POLICY)
    mail["Message-ID"] = f"<{mail_id(ordered[0].id)}.{len(rows)}.digest@{domain}>"
    mail["Date"] = format_datetime(datetime.fromtimestamp(ordered[-1].at_ms // 1000, UTC))
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = f"{len(rows)} event{'s' if len(rows) > 1 else ''}: {summary}"
    mail["X-Homing-Kind"] = "digest"
    mail["X-Homing-Events"] = str(len(rows))
    mail.set_content("\n".join(_plain(rows, summary)), cte="quoted-printable")
    mail.add_alternative(_html(rows, summary), subtype="html", cte="quoted-printable")
    return mail.as_bytes()


def _row(event: Event) -> _Row:
    at = f"{datetime.fromtimestamp(event.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(event, Report):
        note = f"{event.reason} {event.note or ''}"
        return _Row(at, event.status.value, event.recipient, tracking_id(event.submission), _line(note))
    if event.mms is not None:
        parts = len(event.mms.content.parts)
        said = f"{parts} part{'' if parts == 1 else 's'}: {event.mms.subject} {event.text}"
        return _Row(at, "mms", event.sender, mail_id(event.id), _line(said))
    text = event.data.hex().upper() if event.coding is Coding.DATA else event.text
    return _Row(at, "message", event.sender, mail_id(event.id), _line(text))


def _line(text: str) -> str:
    """A text as one line that shows on any screen."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    joined = " ".join(printable.encode("utf-8", "replace").decode().split())
    return f"{joined[:_LONGEST_TEXT]}…" if len(joined) > _LONGEST_TEXT else joined


def _plain(rows: Sequence[_Row], summary: str) -> Iterator[str]:
    table = [_COLUMNS, *[tuple(map(_line, row)) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(_COLUMNS) - 1)]
    yield f"{summary}\n"
    for row in table:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
    yield ""


def _html(rows: Sequence[_Row], summary: str) -> str:
    cell = 'style="padding:4px 10px;border-bottom:1px solid #d8dee6;text-align:left;vertical-align:top"'
    head = "".join(f"<th {cell}>{name}</th>" for name in _COLUMNS)
    lines = "\n".join(
        "<tr>" + "".join(f"<td {cell}>{escape(_line(each))}</td>" for each in row) + "</tr>" for row in rows
    )
    return (
        f'<html><body style="font:14px sans-serif"><p>{escape(summary)}</p>\n'
        f'<table style="border-collapse:collapse">\n<tr>{head}</tr>\n{lines}\n</table></body></html>\n'
    )
