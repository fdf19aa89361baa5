"""Conformance of ``Transaction`` with ``engine.ports.Transaction``, on both stores, and how it seeks."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select

from homing.engine import ports
from homing.model.account import Account, Endpoint
from homing.model.clock import Ids, made_at_ms
from homing.store import customers
from homing.store import tables as t
from homing.store.database import Database
from homing.store.sql import DIRECTORY_VERSION, Transaction
from homing.store.statements import Statements
from tests.store import rows

NOW = 1_800_000_000_000
LIFE, FORMER = NOW, NOW - 1_000_000
MANY = (1, 2, 3, 9, 127, 129, 700)
"""Counts of rows that take the statements for many rows in every way."""

Open = Callable[[], Transaction]


@pytest.fixture
def opened(database: Database) -> Iterator[Open]:
    """Begins transactions on the one writing connection, as the journal does."""
    with database.connection() as connection:
        transaction = Transaction(connection, Statements(database))
        yield lambda: transaction


def column(transaction: Transaction, column: Any, *where: Any) -> list[Any]:
    return list(
        transaction.connection.scalars(select(column).where(*where).order_by(*column.table.primary_key))
    )


def an_endpoint(connection: Connection, **values: Any) -> int:
    if not customers.accounts(connection):
        customers.add_account(
            connection,
            Account(name="acme", password_hash="", inbound_password_hash="", api_key_hash="k", token="t"),
        )
    return customers.add_endpoint(
        connection,
        Endpoint(id=0, account="acme", events=("message",), format="json", url="http://a.test/", **values),
    )


def test_every_method_of_the_port_is_there() -> None:
    asked = {name for name in vars(ports.Transaction) if not name.startswith("_")}
    assert len(asked) > 30
    for name in asked:
        wanted = list(inspect.signature(getattr(ports.Transaction, name)).parameters)
        assert list(inspect.signature(getattr(Transaction, name)).parameters) == wanted, name


@pytest.mark.parametrize("count", MANY)
def test_rows_of_any_number_are_written_changed_and_found(opened: Open, count: int) -> None:
    with opened() as transaction:
        transaction.insert_deliveries(
            [(n, 1, "message", "acme", 0, 1, 1, NOW, 7, LIFE, *[None] * 5) for n in range(1, count + 1)]
        )
        transaction.insert_messages(
            [
                (n, NOW, "sim", "1", "2", "acme", 7, f"{n}", b"", b"", None, 1, 1, None, None, None)
                for n in range(1, count + 1)
            ]
        )
    with opened() as transaction:
        transaction.finish_deliveries(
            [(1, 200, None, b"ok", 5, NOW, n, 1, 1) for n in range(1, count + 1) if n % 3]
        )
        found = transaction.messages_by_id(range(1, count + 1))
    with opened() as transaction:
        assert column(transaction, t.deliveries.c.state) == [1 if n % 3 else 0 for n in range(1, count + 1)]
        assert sorted((row.id, row.text) for row in found) == [(n, f"{n}") for n in range(1, count + 1)]
        assert transaction.messages_by_id([]) == []


def test_nothing_stays_of_a_transaction_that_failed(opened: Open) -> None:
    def fail() -> None:
        with opened() as transaction:
            transaction.insert_ledger([(1, "message", "acme", None, "1", "2", None, 1, *[None] * 4)])
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    with opened() as transaction:
        assert column(transaction, t.ledger.c.id) == []


def test_a_delivery_changes_only_while_its_attempt_is_the_present_one(opened: Open) -> None:
    with opened() as transaction:
        for event_id in (1, 2, 3, 4):
            rows.add_delivery(transaction.connection, event_id, 1, attempt=2, claim_node=1)
    with opened() as transaction:
        transaction.finish_deliveries(
            [(1, 200, None, b"", 1, NOW, 1, 1, 1), (1, 200, None, b"", 1, NOW, 2, 1, 2)]
        )
        transaction.retry_deliveries([(3, NOW, None, None, 2, 1, 2), (3, NOW + 1, None, None, 3, 1, 2)])
        transaction.move_claims([(NOW + 2, 9, LIFE, 3, 1, 2), (NOW + 3, 9, LIFE, 4, 1, 2)])
    with opened() as transaction:
        d = t.deliveries.c
        found = transaction.connection.execute(
            select(d.event, d.state, d.attempt, d.next_attempt_at_ms, d.claim_node).order_by(d.event)
        )
        born = 1_700_000_003_000
        assert [tuple(row) for row in found] == [
            (1, 0, 2, born, 1), (2, 1, 2, born, 1), (3, 0, 3, NOW + 1, None), (4, 0, 2, NOW + 3, 9),
        ]  # fmt: skip


def test_what_is_recorded_twice_stays_as_it_was_first(opened: Open) -> None:
    for words in ("first", "second"):
        with opened() as transaction:
            transaction.insert_attempts([(1, 1, 1, NOW, 500, words, b"", 5)])
            transaction.insert_segments([(1, 1, "sim", "s", words, words, "SENT", "sent", NOW)])
    with opened() as transaction:
        assert column(transaction, t.attempts.c.error) == ["first"]
        assert column(transaction, t.segments.c.id_key) == ["first"]


def test_due_deliveries_come_longest_due_first_within_the_limit(opened: Open) -> None:
    with opened() as transaction:
        for event_id, at_ms, more in (
            (1, NOW - 1, {}), (2, NOW - 9, {"attempt": 3, "first_attempt": 2}), (3, NOW, {"kind": "report"}),
            (4, NOW + 1, {}), (5, NOW - 9, {"state": 2}), (6, NOW - 20, {}), (7, NOW - 9, {}),
        ):  # fmt: skip
            endpoint = 2 if event_id == 6 else 1
            rows.add_delivery(transaction.connection, event_id, endpoint, next_attempt_at_ms=at_ms, **more)
    with opened() as transaction:
        due = transaction.due_deliveries(1, NOW, 10)
        assert [(row.event, row.kind, row.attempt, row.first_attempt) for row in due] == [
            (2, "message", 3, 2), (7, "message", 1, 1), (1, "message", 1, 1), (3, "report", 1, 1),
        ]  # fmt: skip
        assert [row.event for row in transaction.due_deliveries(1, NOW, 2)] == [2, 7]


def test_a_node_takes_up_only_what_its_former_life_had_claimed_in_the_order_of_birth(opened: Open) -> None:
    ids = Ids(1, clock=lambda: NOW - 5_000)
    born = [ids.next() for _ in range(6)]
    with opened() as transaction:
        endpoint = an_endpoint(transaction.connection)
        lease = NOW + 60_000
        for event_id, at_ms, node, life in (
            (born[0], lease, 1, FORMER), (born[1], lease, 1, LIFE), (born[2], lease, 2, FORMER),
            (born[3], NOW + 900_000, None, None), (born[4], lease, 1, FORMER), (born[5], NOW - 1, None, None),
        ):  # fmt: skip
            rows.add_delivery(
                transaction.connection, event_id, endpoint, next_attempt_at_ms=at_ms, claim_node=node,
                claim_life=life,
            )  # fmt: skip
    with opened() as transaction:
        assert transaction.reclaim_former_life(1, LIFE, NOW, NOW + 75_000) == 2
        assert transaction.reclaim_former_life(1, LIFE, NOW, NOW + 75_000) == 0
    with opened() as transaction:
        due = [row.event for row in transaction.due_deliveries(endpoint, NOW, 10)]
        assert due == [born[0], born[4], born[5]], "what was claimed is older than what had found no room"
        due_at_ms = column(transaction, t.deliveries.c.next_attempt_at_ms, t.deliveries.c.event == born[0])
        assert due_at_ms == [made_at_ms(born[0])]


def test_what_is_taken_up_does_not_wait_for_a_clock_that_stepped_back(opened: Open) -> None:
    event_id = Ids(1, clock=lambda: NOW + 3_600_000).next()
    with opened() as transaction:
        endpoint = an_endpoint(transaction.connection)
        rows.add_delivery(
            transaction.connection, event_id, endpoint, next_attempt_at_ms=NOW + 5, claim_node=1,
            claim_life=FORMER,
        )  # fmt: skip
        assert transaction.reclaim_former_life(1, LIFE, NOW, NOW + 75_000) == 1
        assert [row.event for row in transaction.due_deliveries(endpoint, NOW, 10)] == [event_id]


def test_endpoints_with_due_are_those_that_are_there(opened: Open) -> None:
    with opened() as transaction:
        first, later, removed, idle = (an_endpoint(transaction.connection) for _ in range(4))
        for endpoint, at_ms in ((first, NOW), (later, NOW + 1), (removed, NOW)):
            rows.add_delivery(transaction.connection, 1, endpoint, next_attempt_at_ms=at_ms)
        customers.remove_endpoint(transaction.connection, removed)
    with opened() as transaction:
        assert transaction.endpoints_with_due(NOW) == [first]
        assert sorted(transaction.endpoints_with_due(NOW + 1)) == [first, later]
        assert idle


def test_an_endpoint_is_paused_with_its_reason_and_every_node_notices(
    opened: Open, database: Database
) -> None:
    with opened() as transaction:
        endpoint = an_endpoint(transaction.connection)
    before = database.fact(DIRECTORY_VERSION)
    with opened() as transaction:
        transaction.pause_endpoint(endpoint, "gone")
        transaction.pause_endpoint(endpoint + 1, "there is none")
    assert database.fact(DIRECTORY_VERSION) == before + 1
    found = customers.load_directory(database).endpoints[endpoint]
    assert (found.paused, found.disabled_reason) == (True, "gone")


def test_waiting_submissions_are_due_and_free(opened: Open) -> None:
    with opened() as transaction:
        add = rows.add_submission
        c = transaction.connection
        add(c, 1)
        add(c, 2, claim_node=1, claim_life=FORMER, claim_until_ms=NOW + 1)
        add(c, 3, claim_node=1, claim_life=LIFE, claim_until_ms=NOW + 1)
        add(c, 4, claim_node=2, claim_life=FORMER, claim_until_ms=NOW + 1)
        add(c, 5, claim_node=2, claim_life=FORMER, claim_until_ms=NOW)
        add(c, 6, not_before_ms=NOW + 1)
        add(c, 7, status="SENT")
        add(c, 8)
    with opened() as transaction:

        def waiting(after: int, limit: int, not_before_ms: int = 0, now_ms: int = NOW) -> list[int]:
            after_ = (not_before_ms, after)
            return [row.id for row in transaction.waiting_submissions(now_ms, 1, LIFE, after_, limit)]

        assert waiting(0, 10) == [1, 2, 5, 8]
        assert waiting(0, 2) == [1, 2]
        assert waiting(2, 2) == [5, 8]
        transaction.claim_submissions([(1, LIFE, NOW + 9, 1), (None, None, 0, 3)])
        assert waiting(0, 10) == [2, 3, 5, 8]
        assert waiting(5, 10, 0, NOW + 1) == [8, 6]
        assert waiting(6, 10, NOW + 1, NOW + 1) == []
        assert waiting(0, 10, NOW + 1) == [], "the wall clock may go back"


def test_submissions_move_on_and_await_receipts(opened: Open) -> None:
    with opened() as transaction:
        c = transaction.connection
        for id_ in (1, 2, 3):
            rows.add_submission(c, id_)
        rows.add_submission(c, 4, status="DELIVERED", link="old", sent_at_ms=1)
        rows.add_submission(c, 5, status="BUFFERED", link="old", sent_at_ms=NOW - 5)
        transaction.mark_sent(
            [
                ("SENT", "sent", "sim", NOW, 1),
                ("SENT", "sent", "sim", NOW - 7, 2),
                ("SENT", "sent", "sim", 1, 4),
            ]
        )
        transaction.change_submissions([("FAILED", "expired", 1, 3)])
        for number in (1, 2):
            rows.add_segment(c, 1, number)
        transaction.change_segments([("FAILED", "expired", NOW, 1, 2)])
    with opened() as transaction:
        found = {row.id: row.status for row in transaction.submissions_by_id([1, 3, 4, 9])}
        assert found == {1: "SENT", 3: "FAILED", 4: "DELIVERED"}
        assert transaction.links_awaiting_receipts() == ["old", "sim"]
        assert [row.id for row in transaction.overdue_submissions("sim", NOW + 1, 9)] == [2, 1]
        assert [row.id for row in transaction.overdue_submissions("sim", NOW, 9)] == [2]
        assert [row.id for row in transaction.overdue_submissions("old", NOW, 9)] == [5]
        assert sorted((r.number, r.status, r.reason) for r in transaction.segments_of([1, 2])) == [
            (1, "SENT", "sent"), (2, "FAILED", "expired"),
        ]  # fmt: skip


def test_segments_are_found_within_their_scope_with_their_submission(opened: Open) -> None:
    with opened() as transaction:
        c = transaction.connection
        rows.add_submission(c, 1, account="a", note="n", report_count=2, status="SENT", segment_count=2)
        rows.add_submission(c, 2)
        rows.add_segment(c, 1, 2, scope="s", id_key="a1")
        rows.add_segment(c, 2, 1, scope="other", id_key="a1")
        rows.add_segment(c, 2, 2, scope="s", id_key="b2")
    with opened() as transaction:
        (row,) = transaction.segments_by_link_id("s", ["a1", "zz"])
        assert (row.submission, row.number, row.id_key, row.segment_status) == (1, 2, "a1", "SENT")
        assert (row.account, row.note, row.report_count, row.status, row.segment_count) == (
            "a",
            "n",
            2,
            "SENT",
            2,
        )
        assert len(transaction.segments_by_link_id("s", [f"{n}" for n in range(900)] + ["a1", "b2"])) == 2


def test_receipts_are_parked_found_tried_again_and_dropped(opened: Open) -> None:
    with opened() as transaction:
        transaction.park_receipts([(n, "s", f"k{n % 2}", "sim", NOW + n, b"x") for n in range(1, 6)])
        transaction.park_receipts([(9, "other", "k1", "sim", NOW, b"x")])
        transaction.insert_receipts([(1, 1, 1, "sim", NOW, "SENT", "w", "r", "e", "same", b"raw")])
    with opened() as transaction:
        assert sorted(row.id for row in transaction.parked_receipts("s", ["k1", "k7"])) == [1, 3, 5]
        assert [row.id for row in transaction.all_parked_receipts(2, 2)] == [3, 4]
        transaction.unpark_receipts([3, 5])
        transaction.unpark_receipts([])
        assert transaction.expire_parked_receipts(NOW + 2) == 2
        assert column(transaction, t.parked_receipts.c.id) == [2, 4]


def test_groups_of_parts_are_kept_until_they_are_forgotten(opened: Open) -> None:
    with opened() as transaction:
        transaction.insert_part_groups([(1, "k", 2, "sim", NOW, False), (2, "l", 2, "sim", NOW + 9, False)])
        rows.add_message(transaction.connection, 10, account=None, part_of=1, text="b")
        rows.add_message(transaction.connection, 11, account=None, part_of=1, text="a")
        transaction.insert_parts([(1, 2, 10), (1, 1, 11)])
        transaction.assign_messages("acme", [10, 11])
        transaction.finish_part_groups([1])
    with opened() as transaction:
        assert [(row.id, row.done) for row in transaction.part_groups(["k", "none"])] == [(1, True)]
        found = transaction.messages_of_group(1)
        assert [(row.part_number, row.text, row.account) for row in found] == [
            (1, "a", "acme"),
            (2, "b", "acme"),
        ]
        assert [row.id for row in transaction.due_part_groups(NOW, 5)] == [1]
        transaction.forget_part_groups([1])
        transaction.forget_part_groups([])
        assert column(transaction, t.parts.c.message) == []
        assert column(transaction, t.part_groups.c.id) == [2]


def test_reports_come_with_what_a_push_says_of_their_submission(opened: Open) -> None:
    with opened() as transaction:
        rows.add_submission(transaction.connection, 1, note="n", segment_count=3)
        transaction.insert_reports([(5, 1, "acme", NOW, "DELIVERED", "delivered", "000", 1)])
        (row,) = transaction.reports_by_id([5, 6])
        assert (row.id, row.recipient, row.note, row.segment_count) == (5, "447700900001", "n", 3)


def test_credits_are_taken_whole_or_not_at_all(opened: Open) -> None:
    with opened() as transaction:
        transaction.connection.execute(insert(t.balances).values(account="acme", credits=5.0))
        assert [transaction.charge("acme", credits) for credits in (3.0, 3.0, 2.0)] == [True, False, True]
        assert not transaction.charge("nobody", 1.0)


def test_an_answer_is_remembered_until_its_time_and_may_be_replaced(opened: Open) -> None:
    with opened() as transaction:
        for answer, until in ((b"1", NOW), (b"2", NOW + 1)):
            transaction.remember("acme", "form", "k", "f", answer, until)
            row = transaction.recall("acme", "form", "k", NOW)
            assert (row and bytes(row.answer)) == (None if answer == b"1" else b"2")
        assert transaction.recall("acme", "rest", "k", NOW) is None
        assert transaction.connection.scalar(select(func.count()).select_from(t.idempotency)) == 1


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_what_one_node_has_locked_another_passes_over(database: Database, opened: Open) -> None:
    with opened() as transaction:
        for n in (1, 2):
            rows.add_delivery(transaction.connection, n, 1, next_attempt_at_ms=NOW)
            rows.add_submission(transaction.connection, n)
    with opened() as transaction, database.connection() as another:
        assert len(transaction.due_deliveries(1, NOW, 1)) == 1
        assert len(transaction.waiting_submissions(NOW, 1, LIFE, (0, 0), 1)) == 1
        with Transaction(another, Statements(database)) as other:
            assert [row.event for row in other.due_deliveries(1, NOW, 9)] == [2]
            assert [row.id for row in other.waiting_submissions(NOW, 2, LIFE, (0, 0), 9)] == [2]


# --- how it seeks ---

SMALL = {"accounts", "endpoints", "facts", "numbers", "balances", "link_states", "pending", "v"}
"""Tables that grow with customers and not with traffic, ``v``, the rows that are given, and endpoints."""


def ask_everything(transaction: Transaction, endpoint: int) -> None:
    """Every hot question once, each with several rows."""
    two = (1, 2)
    transaction.due_deliveries(endpoint, NOW, 64)
    transaction.endpoints_with_due(NOW)
    transaction.reclaim_former_life(1, LIFE, NOW, NOW + 75_000)
    transaction.finish_deliveries([(1, 200, None, b"", 5, NOW, n, endpoint, 1) for n in two])
    transaction.retry_deliveries([(2, NOW, None, None, n, endpoint, 1) for n in two])
    transaction.move_claims([(NOW, None, None, n, endpoint, 1) for n in two])
    transaction.waiting_submissions(NOW, 1, LIFE, (0, 0), 500)
    transaction.claim_submissions([(1, LIFE, NOW, n) for n in two])
    transaction.mark_sent([("SENT", "sent", "sim", NOW, n) for n in two])
    transaction.change_submissions([("FAILED", "x", 1, n) for n in two])
    transaction.change_segments([("FAILED", "x", NOW, n, 1) for n in two])
    transaction.links_awaiting_receipts()
    transaction.overdue_submissions("sim", NOW, 200)
    transaction.submissions_by_id(two)
    transaction.segments_of(two)
    transaction.segments_by_link_id("s", ["a", "b", "c"])
    transaction.parked_receipts("s", ["a", "b"])
    transaction.all_parked_receipts(0, 200)
    transaction.unpark_receipts(two)
    transaction.expire_parked_receipts(NOW)
    transaction.part_groups(["k", "l"])
    transaction.messages_of_group(1)
    transaction.due_part_groups(NOW, 200)
    transaction.finish_part_groups(two)
    transaction.forget_part_groups(two)
    transaction.assign_messages("acme", two)
    transaction.messages_by_id(two)
    transaction.reports_by_id(two)
    transaction.recall("acme", "form", "k", NOW)
    transaction.remember("acme", "form", "k", "f", b"", NOW)
    transaction.charge("acme", 1.0)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_hot_question_scans_or_sorts_what_grows(database: Database, opened: Open) -> None:
    asked: list[tuple[str, Any]] = []
    with opened() as transaction:
        endpoint = an_endpoint(transaction.connection)
        rows.add_submission(transaction.connection, 1, status="SENT", link="sim", sent_at_ms=1)
        raw = transaction.connection.connection.driver_connection
        assert raw is not None
        connection = transaction.connection
        event.listen(connection, "before_cursor_execute", _noting(asked))
        transaction._cursor = _Noting(transaction._cursor, asked)
        ask_everything(transaction, endpoint)
        count = len(asked)
        assert count > 30
        for sql, values in asked[:count]:
            if sql.lstrip().startswith("INSERT"):
                continue
            plan = [row[3] for row in raw.cursor().execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            scanned = {step.split()[1] for step in plan if step.startswith("SCAN")} - {"2"}  # given rows
            assert scanned <= SMALL, (sql, plan)
            assert not any("TEMP B-TREE" in step for step in plan), (sql, plan)
            # A range of ids is a walk through all that is young, unless the index holds open work only.
            assert not any("rowid>" in step and "parked" not in step for step in plan), (sql, plan)


def _noting(asked: list[tuple[str, Any]]) -> Callable[..., None]:
    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        asked.append((sql, values))

    return note


class _Noting:
    """A cursor that says what it is asked."""

    def __init__(self, cursor: Any, asked: list[tuple[str, Any]]) -> None:
        self._cursor = cursor
        self._asked = asked

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        self._asked.append((sql, values))
        return self._cursor.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)
