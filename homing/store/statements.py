"""The hot statements and the questions of every batch: made once for one kind of store, run on the driver.

Rows are tuples; the order of their values is the order of a statement's parameters.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Dialect,
    Select,
    Table,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from homing.store import tables as t
from homing.store.database import Database
from homing.store.row_statement import PipelinedStatement, RowStatement, SeveralRowsStatement

THESE_LIMIT = 500
"""Values in one question; more are asked in several."""

# SQLite uses a partial index only for a condition it can read, not for a bound value.
_PENDING: Any = literal_column("0")
_ACCEPTED: Any = literal_column("'ACCEPTED'")


class Question:
    """A select with one list of values in it, asked of the driver; answers come as named tuples."""

    def __init__(
        self, dialect: Dialect, question: Select[Any], column: Any, first: Sequence[str] = ()
    ) -> None:
        """Of all rows, those whose ``column`` is one of the values; ``first`` names the parameters before."""
        asked = question.where(column == bindparam("of_these"))
        text, order = _compile(dialect, asked, [*first, "of_these"])
        if order != [*first, "of_these"]:
            raise AssertionError(f"{text}: parameters come as {order}")
        self._is_sqlite = dialect.name == "sqlite"
        before, equals, after = text.rpartition(" = ?" if self._is_sqlite else " = %s")
        assert equals
        # PostgreSQL's parameter is cast to the type of its column: the list to one of that type.
        cast = re.match(r"(::\w+)?", after)
        assert cast is not None
        self._before, self._after = before, after[cast.end() :]
        self._any = f"ANY(%s{cast[0]}[])" if cast[0] else "ANY(%s)"
        names = [column.name for column in question.selected_columns]
        self._row: Callable[[Iterable[Any]], Any] = getattr(namedtuple("_Row", names), "_make")  # noqa: B009

    def ask(self, cursor: Any, first: Sequence[Any], values: Iterable[Any]) -> list[Any]:
        rows: list[Any] = []
        rest = iter(values)
        while these := tuple(islice(rest, THESE_LIMIT)):
            if self._is_sqlite:
                # A few lengths of list, so that each text is prepared once; the last value fills up.
                length = 1 << (len(these) - 1).bit_length()
                text = f"{self._before} IN ({_places(length)}){self._after}"
                cursor.execute(text, (*first, *these, *these[-1:] * (length - len(these))))
            else:
                cursor.execute(f"{self._before} = {self._any}{self._after}", (*first, list(these)))
            rows += map(self._row, cursor.fetchall())
        return rows


@cache
def _places(count: int) -> str:
    return ", ".join("?" * count)


_s, _g, _r, _p = t.submissions.c, t.segments.c, t.reports.c, t.parked_receipts.c
_c = t.contents.c
_OF_SCOPE: Any = bindparam("scope")
_OF_ACCOUNT: Any = bindparam("account")

QUESTIONS: dict[str, tuple[Select[Any], Any, tuple[str, ...]]] = {
    "submissions_by_id": (select(t.submissions).with_for_update(), _s.id, ()),
    "segments_of": (select(_g.submission, _g.number, _g.status, _g.reason), _g.submission, ()),
    "segments_by_link_id": (
        select(
            _g.submission, _g.number, _g.id_key, _g.status.label("segment_status"),
            _s.account, _s.sender, _s.recipient, _s.segment_count, _s.report_bits, _s.note, _s.subaccount,
            _s.status, _s.reason, _s.report_count, _s.mms.is_not(None).label("is_mms"),
        )
        .join(t.submissions, _s.id == _g.submission)
        .where(_g.scope == _OF_SCOPE)
        .with_for_update(),
        _g.id_key,
        ("scope",),
    ),
    "parked_by_link_id": (
        select(t.parked_receipts).where(_p.scope == _OF_SCOPE),
        _p.id_key,
        ("scope",),
    ),
    "groups_by_key": (select(t.part_groups), t.part_groups.c.key, ()),
    "mailbox_marks": (
        select(t.mailbox_marks).where(t.mailbox_marks.c.account == _OF_ACCOUNT),
        t.mailbox_marks.c.event,
        ("account",),
    ),
    "contents_by_name": (
        select(_c.event).where(
            _c.account == _OF_ACCOUNT, _c.event >= bindparam("first"), _c.event <= bindparam("last")
        ),
        _c.sha256,
        ("account", "first", "last"),
    ),
    "messages_by_id": (select(t.messages), t.messages.c.id, ()),
    "reports_by_id": (
        select(
            t.reports, _s.sender, _s.recipient, _s.report_bits, _s.note, _s.segment_count,
            _s.mms.is_not(None).label("is_mms"),
        )
        .join(t.submissions, _s.id == _r.submission),
        _r.id,
        (),
    ),
}  # fmt: skip
"""Questions with a list of values: what is asked, whose values they are, and the parameters before them."""


class Statements:
    """Every hot statement of one store, by name."""

    def __init__(self, database: Database) -> None:
        self._dialect = database.dialect
        self.is_sqlite = database.is_sqlite
        is_new = {t.attempts.name, t.segments.name}
        """Tables in which a repeated row changes nothing: what was sent twice is answered twice."""
        self.insert = {
            table.name: self._inserting(table, ignore_known=table.name in is_new)
            for table in t.metadata.tables.values()
        }
        self.questions = {name: Question(self._dialect, *question) for name, question in QUESTIONS.items()}
        d, s, g = t.deliveries, t.submissions, t.segments
        claimed = {"event": d.c.event, "endpoint": d.c.endpoint, "attempt": d.c.attempt}
        pending = d.c.state == _PENDING
        finished = ("state", "status", "error", "answer", "took_ms", "finished_at_ms")
        self.finish_delivery = self._updating(d, finished, claimed, pending)
        retried = ("attempt", "next_attempt_at_ms", "claim_node", "claim_life")
        self.retry_delivery = self._updating(d, retried, claimed, pending)
        self.move_claim = self._updating(d, retried[1:], claimed, pending)
        by_id = {"id": s.c.id}
        sent = ("status", "reason", "link", "sent_at_ms")
        self.mark_sent = self._updating(s, sent, by_id, s.c.status == _ACCEPTED)
        self.change_submission = self._updating(s, ("status", "reason", "report_count"), by_id)
        self.claim_submission = self._updating(s, ("claim_node", "claim_life", "claim_until_ms"), by_id)
        of_segment = {"submission": g.c.submission, "number": g.c.number}
        self.change_segment = self._updating(g, ("status", "reason", "at_ms"), of_segment)

    def _inserting(self, table: Table, *, ignore_known: bool) -> RowStatement:
        columns = [column.name for column in table.columns]
        if self.is_sqlite:
            into = f"{table.name} ({', '.join(columns)})"
            before = f"INSERT OR IGNORE INTO {into} VALUES"
            return SeveralRowsStatement(before, counts=not ignore_known)
        new = postgresql.insert(table).on_conflict_do_nothing() if ignore_known else insert(table)
        return PipelinedStatement(self._compiled(new, columns))

    def _updating(
        self, table: Table, changed: Sequence[str], key: dict[str, Any], only: Any = None
    ) -> RowStatement:
        """Set some columns of the row with this key, if it is as ``only`` says; no key twice in one run."""
        guard = [f"of_{name}" for name in key]
        statement = update(table).values({name: bindparam(name) for name in changed})
        for name, column in key.items():
            statement = statement.where(column == bindparam(f"of_{name}"))
        if only is not None:
            statement = statement.where(only)
        text = self._compiled(statement, [*changed, *guard])
        if not self.is_sqlite:
            return PipelinedStatement(text)
        sets = ", ".join(f"{name} = v.column{at}" for at, name in enumerate(changed, 1))
        where = [f"{table.name}.{name} = v.column{at}" for at, name in enumerate(key, len(changed) + 1)]
        if only is not None:
            where.append(str(only.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})))
        before = f"UPDATE {table.name} SET {sets} FROM (VALUES"  # noqa: S608  (names are those of tables.py)
        return SeveralRowsStatement(before, f") AS v WHERE {' AND '.join(where)}")

    def _compiled(self, statement: ClauseElement, columns: Sequence[str]) -> str:
        text, order = _compile(self._dialect, statement, columns)
        if order != list(columns):
            raise AssertionError(f"{statement}: parameters come as {order}, rows as {columns}")
        return text


def _compile(dialect: Dialect, statement: ClauseElement, columns: Sequence[str]) -> tuple[str, list[str]]:
    made = statement.compile(dialect=dialect, column_keys=list(columns))
    return str(made), list(made.positiontup)  # type: ignore[attr-defined]
