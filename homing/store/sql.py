"""Every question the engine asks while it writes, once, by name.

A row that the engine hands over is a tuple in the order of its table's columns (``tables.py``); these
hot statements, and the questions of every batch, run on the driver (``statements.py``). Questions that run
now and then are ordinary SQLAlchemy. ``Transaction`` is the adapter of ``engine.ports.Transaction``.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec
from sqlalchemy import (
    Connection,
    case,
    delete,
    func,
    literal_column,
    select,
    update,
)

from homing.engine.prices import DECIMALS
from homing.model.account import Endpoint
from homing.model.clock import BORN_SHIFT, EPOCH_MS, id_at
from homing.store import mailbox
from homing.store import tables as t
from homing.store.database import BUSY_TIMEOUT_MS, store_errors
from homing.store.row_statement import Rows, RowStatement
from homing.store.statements import Statements

# SQLite uses a partial index only for a condition it can read, not for a bound value.
_PENDING: Any = literal_column("0")
_ACCEPTED: Any = literal_column("'ACCEPTED'")
_AWAITING_RECEIPT: tuple[Any, ...] = (literal_column("'SENT'"), literal_column("'BUFFERED'"))

_HALF_OF_THE_LAST_DECIMAL = 0.5 * 10.0**-DECIMALS
"""By so much a sum of binary fractions may be off, and still be the exact credit."""

DIRECTORY_VERSION = "directory_version"
"""The fact that grows with every change of a customer."""


class Transaction:
    """One transaction of the journal, or of a command. ``with`` begins it, and commits or rolls back."""

    def __init__(self, connection: Connection, statements: Statements) -> None:
        """On one of ``Database.connection``: there nobody else begins a transaction."""
        self._connection = connection
        self._statements = statements
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._cursor = driver.cursor()
        self._is_begun = False
        self._is_patient = True

    def begin_at_once(self) -> bool:
        """Begin without waiting for anybody. False = not begun: somebody writes, or it is no SQLite."""
        if self._statements.is_sqlite:
            try:
                self._set_patience(False)
                self._cursor.execute("BEGIN IMMEDIATE")
                self._is_begun = True
            except sqlite3.Error:
                pass  # whatever it is, who begins patiently will hear of it
        return self._is_begun

    def __enter__(self) -> Self:
        """Begins, unless it is begun already."""
        if self._statements.is_sqlite and not self._is_begun:  # elsewhere the first statement begins
            with store_errors():
                self._set_patience(True)
                self._cursor.execute("BEGIN IMMEDIATE")
        self._is_begun = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._is_begun = False
        # SQLAlchemy takes a transaction for begun since its first question; without one it is not asked.
        owner = self._connection if self._connection.in_transaction() else self._driver
        with store_errors():
            if error is None:
                owner.commit()
            else:
                owner.rollback()

    def _set_patience(self, is_patient: bool) -> None:
        """Whether to wait for others who write, for ``BUSY_TIMEOUT_MS``."""
        if is_patient != self._is_patient:
            self._cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS if is_patient else 0}")
            self._is_patient = is_patient

    @property
    def connection(self) -> Connection:
        """For questions that live in the store's other modules: upkeep, states of links."""
        return self._connection

    def _run(self, statement: RowStatement, rows: Rows) -> None:
        statement.run(self._cursor, rows)

    def _ask(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        return self._connection.execute(statement, parameters or {}).all()

    def _ask_in(self, name: str, values: Iterable[Any], *first: Any) -> list[Any]:
        """Ask one of ``QUESTIONS`` for many values."""
        return self._statements.questions[name].ask(self._cursor, first, values)

    # --- events: what the network said, and what is due because of it ---

    def insert_messages(self, rows: Rows) -> None:
        self._run(self._statements.insert["messages"], rows)

    def insert_reports(self, rows: Rows) -> None:
        self._run(self._statements.insert["reports"], rows)

    def insert_deliveries(self, rows: Rows) -> None:
        self._run(self._statements.insert["deliveries"], rows)

    def insert_ledger(self, rows: Rows) -> None:
        self._run(self._statements.insert["ledger"], rows)

    def insert_contents(self, rows: Rows) -> None:
        """Rows (account, sha256, event, expires_at_ms)."""
        self._run(self._statements.insert["contents"], rows)

    # --- submissions and their segments ---

    def insert_submissions(self, rows: Rows) -> None:
        self._run(self._statements.insert["submissions"], rows)

    def insert_segments(self, rows: Rows) -> None:
        self._run(self._statements.insert["segments"], rows)

    def mark_sent(self, rows: Rows) -> None:
        """Rows (status, reason, link, sent_at_ms, id): what was ACCEPTED moves on; anything further stays."""
        self._run(self._statements.mark_sent, rows)

    def change_submissions(self, rows: Rows) -> None:
        """Rows (status, reason, report_count, id)."""
        self._run(self._statements.change_submission, rows)

    def change_segments(self, rows: Rows) -> None:
        """Rows (status, reason, at_ms, submission, number)."""
        self._run(self._statements.change_segment, rows)

    def waiting_submissions(
        self, now_ms: int, node: int, life: int, after: tuple[int, int], limit: int
    ) -> Sequence[Any]:
        """ACCEPTED submissions that are due and free: unclaimed, lapsed, or claimed by our former life.

        Two questions, those of one moment and those of later ones, because SQLite seeks no pair of values.
        """
        s = t.submissions.c
        moment_ms, id_ = after
        is_former_life = (s.claim_node == node) & (s.claim_life != life)
        is_free = s.claim_node.is_(None) | (s.claim_until_ms <= now_ms) | is_former_life
        free = (
            select(t.submissions)
            .where(s.status == _ACCEPTED, s.not_before_ms <= now_ms, is_free)
            .with_for_update(skip_locked=True)
        )
        at_once = free.where(s.not_before_ms == moment_ms, s.id > id_).order_by(s.id).limit(limit)
        rows = list(self._ask(at_once))
        if len(rows) < limit:
            later = free.where(s.not_before_ms > moment_ms)
            rows += self._ask(later.order_by(s.not_before_ms, s.id).limit(limit - len(rows)))
        return rows

    def claim_submissions(self, rows: Rows) -> None:
        """Rows (claim_node, claim_life, claim_until_ms, id)."""
        self._run(self._statements.claim_submission, rows)

    def submissions_by_id(self, ids: Iterable[int]) -> list[Any]:
        return self._ask_in("submissions_by_id", ids)

    def segments_of(self, submissions: Iterable[int]) -> list[Any]:
        """(submission, number, status, reason) of all answered segments of these submissions."""
        return self._ask_in("segments_of", submissions)

    def links_awaiting_receipts(self) -> list[str]:
        """Every link that a submission awaits a receipt from: one index seek each."""
        s = t.submissions.c
        links: list[str] = []
        while True:
            of_next = select(s.link).where(s.status.in_(_AWAITING_RECEIPT), s.link > (links or [""])[-1])
            link = self._connection.scalar(of_next.order_by(s.link).limit(1))
            if link is None:
                return links
            links.append(link)

    def overdue_submissions(self, link: str, before_ms: int, limit: int) -> Sequence[Any]:
        """Submissions that a link sent before a time, and that still await a receipt."""
        s = t.submissions.c
        return self._ask(
            select(t.submissions)
            .where(s.status.in_(_AWAITING_RECEIPT), s.link == link, s.sent_at_ms < before_ms)
            .order_by(s.sent_at_ms)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    # --- receipts ---

    def segments_by_link_id(self, scope: str, keys: Iterable[str]) -> list[Any]:
        """Segments of one SMSC account whose canonical id is among the keys, with their submission."""
        return self._ask_in("segments_by_link_id", keys, scope)

    def insert_receipts(self, rows: Rows) -> None:
        self._run(self._statements.insert["receipts"], rows)

    def has_receipt(self, submission: int, reason: str) -> bool:
        c = t.receipts.c
        asked = select(c.id).where(c.submission == submission, c.reason == reason).limit(1)
        return self._connection.execute(asked).first() is not None

    def park_receipts(self, rows: Rows) -> None:
        self._run(self._statements.insert["parked_receipts"], rows)

    def parked_receipts(self, scope: str, keys: Iterable[str]) -> list[Any]:
        return self._ask_in("parked_by_link_id", keys, scope)

    def all_parked_receipts(self, after_id: int, limit: int) -> Sequence[Any]:
        p = t.parked_receipts.c
        return self._ask(
            select(t.parked_receipts)
            .where(p.id > after_id)
            .order_by(p.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    def unpark_receipts(self, ids: Sequence[int]) -> None:
        if ids:
            self._connection.execute(delete(t.parked_receipts).where(t.parked_receipts.c.id.in_(ids)))

    def expire_parked_receipts(self, before_ms: int) -> int:
        p = t.parked_receipts  # none is parked before it arrives, so that a range of ids holds them all
        is_old = (p.c.id < id_at(before_ms)) & (p.c.at_ms < before_ms)
        return self._connection.execute(delete(p).where(is_old)).rowcount

    # --- long messages ---

    def part_groups(self, keys: Iterable[str]) -> list[Any]:
        return self._ask_in("groups_by_key", keys)

    def insert_part_groups(self, rows: Rows) -> None:
        self._run(self._statements.insert["part_groups"], rows)

    def insert_parts(self, rows: Rows) -> None:
        self._run(self._statements.insert["parts"], rows)

    def messages_of_group(self, group: int) -> Sequence[Any]:
        """(number, message columns …) of a group's parts in order."""
        m, p = t.messages, t.parts
        return self._ask(
            select(p.c.number.label("part_number"), m)
            .join(m, m.c.id == p.c.message)
            .where(p.c.group_id == group)
            .order_by(p.c.number)
        )

    def finish_part_groups(self, ids: Sequence[int]) -> None:
        g = t.part_groups
        self._connection.execute(update(g).where(g.c.id.in_(ids)).values(done=True))

    def due_part_groups(self, now_ms: int, limit: int) -> Sequence[Any]:
        g = t.part_groups.c
        return self._ask(
            select(t.part_groups)
            .where(g.due_at_ms <= now_ms)
            .order_by(g.due_at_ms)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    def forget_part_groups(self, ids: Sequence[int]) -> None:
        if ids:
            self._connection.execute(delete(t.parts).where(t.parts.c.group_id.in_(ids)))
            self._connection.execute(delete(t.part_groups).where(t.part_groups.c.id.in_(ids)))

    def assign_messages(self, account: str, ids: Sequence[int]) -> None:
        """Give messages that nobody owned so far to an account."""
        m = t.messages
        self._connection.execute(update(m).where(m.c.id.in_(ids)).values(account=account))

    # --- deliveries ---

    def finish_deliveries(self, rows: Rows) -> None:
        """Rows (state, status, error, answer, took_ms, finished_at_ms, event, endpoint, attempt)."""
        self._run(self._statements.finish_delivery, rows)

    def retry_deliveries(self, rows: Rows) -> None:
        """Rows (next attempt, next_attempt_at_ms, claim_node, claim_life, event, endpoint, attempt)."""
        self._run(self._statements.retry_delivery, rows)

    def move_claims(self, rows: Rows) -> None:
        """Rows (next_attempt_at_ms, claim_node, claim_life, event, endpoint, attempt): spends no attempt."""
        self._run(self._statements.move_claim, rows)

    def insert_attempts(self, rows: Rows) -> None:
        self._run(self._statements.insert["attempts"], rows)

    def due_deliveries(self, endpoint: int, now_ms: int, limit: int) -> Sequence[Any]:
        """(event, kind, attempt) due at one endpoint, the longest due first."""
        d = t.deliveries.c
        return self._ask(
            select(d.event, d.kind, d.attempt, d.first_attempt)
            .where(d.state == _PENDING, d.endpoint == endpoint, d.next_attempt_at_ms <= now_ms)
            .order_by(d.next_attempt_at_ms, d.event)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    def reclaim_former_life(self, node: int, life: int, now_ms: int, until_ms: int) -> int:
        """Make due what an earlier life of this node had claimed, in the order of birth; returns how many."""
        d = t.deliveries
        born_at_ms = (
            d.c.event.op(">>")(literal_column(str(BORN_SHIFT))) + EPOCH_MS
        )  # as ``made_at_ms`` reads an id
        due_at_ms = case((born_at_ms < now_ms, born_at_ms), else_=now_ms)  # the wall clock may go back
        return self._connection.execute(
            update(d)
            .where(
                d.c.endpoint.in_(select(t.endpoints.c.id)),
                d.c.state == _PENDING,
                d.c.next_attempt_at_ms > now_ms,
                d.c.next_attempt_at_ms <= until_ms,
                d.c.claim_node == node,
                d.c.claim_life != life,
            )
            .values(next_attempt_at_ms=due_at_ms, claim_node=None, claim_life=None)
        ).rowcount

    def endpoints_with_due(self, now_ms: int) -> list[int]:
        """Endpoints that have at least one delivery due: two seeks for each that has one pending."""
        d, e = t.deliveries.c, t.endpoints.c
        pending = select(func.min(d.endpoint).label("id")).where(d.state == _PENDING)
        found = pending.cte("pending", recursive=True)
        following = pending.where(d.endpoint > found.c.id).correlate(found).scalar_subquery()
        found = found.union_all(select(following).where(found.c.id.is_not(None)))
        is_due = (
            select(d.event)
            .where(d.state == _PENDING, d.endpoint == found.c.id, d.next_attempt_at_ms <= now_ms)
            .correlate(found)
            .exists()
        )
        asked = select(e.id).join(found, e.id == found.c.id).where(e.removed_at_ms.is_(None), is_due)
        return [row[0] for row in self._ask(asked)]

    def messages_by_id(self, ids: Iterable[int]) -> list[Any]:
        return self._ask_in("messages_by_id", ids)

    def reports_by_id(self, ids: Iterable[int]) -> list[Any]:
        """Reports with what a push says of their submission."""
        return self._ask_in("reports_by_id", ids)

    def pause_endpoint(self, endpoint: int, reason: str) -> None:
        """Mark an endpoint paused by us, and tell every node that the directory has changed."""
        e, f = t.endpoints, t.facts
        definition = self._connection.scalar(
            select(e.c.definition).where(e.c.id == endpoint).with_for_update()
        )
        if definition is None:
            return
        paused = msgspec.structs.replace(
            msgspec.json.decode(definition, type=Endpoint), paused=True, disabled_reason=reason
        )
        self._connection.execute(
            update(e).where(e.c.id == endpoint).values(definition=msgspec.json.encode(paused))
        )
        self._connection.execute(update(f).where(f.c.name == DIRECTORY_VERSION).values(value=f.c.value + 1))

    # --- mailboxes ---

    def mark_mails(self, rows: Rows) -> None:
        """Rows (account, event, is_read, is_deleted): what is deleted stays deleted."""
        mailbox.mark_mails(self._connection, rows)

    def lower_unread(self, account: str, event: int) -> None:
        """An event is unread again: searches begin no later than there."""
        mailbox.lower_unread(self._connection, account, event)

    def advance_mailbox(self, account: str, former: tuple[int, int, int], start: tuple[int, int]) -> None:
        """From (unread_from, kept_from, version) to (unread_from, kept_from), if it still stands so."""
        mailbox.advance(self._connection, account, former, start)

    # --- accounts' limits ---

    def charge(self, account: str, credits: float) -> bool:
        """Take credits from a metered account; False, and nothing taken, when it has not enough."""
        b = t.balances
        taken = self._connection.execute(
            update(b)
            .where(b.c.account == account, b.c.credits >= credits - _HALF_OF_THE_LAST_DECIMAL)
            .values(credits=b.c.credits - credits)
        )
        return taken.rowcount == 1

    def recall(self, account: str, face: str, key: str, now_ms: int) -> Any:
        """(fingerprint, answer) of an earlier request with this idempotency key."""
        i = t.idempotency.c
        return self._connection.execute(
            select(i.fingerprint, i.answer).where(
                i.account == account, i.face == face, i.key == key, i.expires_at_ms > now_ms
            )
        ).first()

    def remember(
        self, account: str, face: str, key: str, fingerprint: str, answer: bytes, until_ms: int
    ) -> None:
        i = t.idempotency
        self._connection.execute(delete(i).where(i.c.account == account, i.c.face == face, i.c.key == key))
        self._run(
            self._statements.insert["idempotency"], [(account, face, key, fingerprint, answer, until_ms)]
        )
