"""Upkeep: what is done goes when its time is over, what is open stays, and nothing is scanned for it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, event, func, insert, select, text, update

from homing.model.account import Account, Endpoint
from homing.model.clock import id_at, now_ms
from homing.model.delivery import DeliveryState
from homing.store import customers, reading, replay, upkeep
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from homing.store.content_sweep import ContentSweep
from homing.store.database import Database
from homing.store.upkeep import DAY_MS, Swept, run_once
from tests.store import rows

NOW = now_ms()
OLD = NOW - 100 * DAY_MS
MIDDLE = NOW - 40 * DAY_MS
FRESH = NOW - DAY_MS
DELIVERED = {"state": int(DeliveryState.DELIVERED), "status": 200, "answer": b"OK", "took_ms": 3}
DEAD = {"state": int(DeliveryState.DEAD), "status": 500, "took_ms": 3}


def sweep(database: Database, **values: Any) -> Swept:
    values = {"rest": lambda: False} | values
    with TemporaryDirectory() as place:
        contents = ContentSweep(database, LocalBlobs(Path(place) / "mms"))
        return run_once(
            database,
            dead_retention_d=30,
            event_retention_d=90,
            mailbox_retention_d=30,
            contents=contents,
            now_ms=NOW,
            **values,
        )


def ids(connection: Connection, table: Table, column: str = "id") -> list[int]:
    return list(connection.scalars(select(table.c[column]).order_by(table.c[column])))


def a_customer(connection: Connection, **values: Any) -> int:
    account = Account(
        name="acme", password_hash="", inbound_password_hash="", api_key_hash="k", token="t", created_at_ms=1
    )
    if not customers.accounts(connection):
        customers.add_account(connection, account)
    endpoint = Endpoint(
        id=0, account="acme", events=("report",), format="json", url="http://a.test/", created_at_ms=1,
        **values,
    )  # fmt: skip
    return customers.add_endpoint(connection, endpoint)


def add_done_message(connection: Connection, id_: int, at_ms: int, endpoint: int = 1) -> None:
    rows.add_message(connection, id_)
    rows.add_delivery(connection, id_, endpoint, attempt=2, finished_at_ms=at_ms, **DELIVERED)
    rows.add_attempt(connection, id_, endpoint, 1)


def add_done_submission(connection: Connection, id_: int, at_ms: int, **values: Any) -> int:
    """A submission with everything that hangs on it; returns the id of its report."""
    report = id_ + 10
    rows.add_submission(connection, id_, **{"status": "DELIVERED", "link": "sim"} | values)
    rows.add_segment(connection, id_)
    rows.add_receipt(connection, id_ + 5, id_)
    rows.add_report(connection, report, id_)
    rows.add_delivery(connection, report, 1, kind="report", attempt=2, finished_at_ms=at_ms, **DELIVERED)
    rows.add_attempt(connection, report, 1, 1)
    ledger = {
        "kind": "submission", "account": "acme", "sender": "1", "recipient": "2", "segments": 1,
    }  # fmt: skip
    connection.execute(insert(t.ledger).values(id=id_, **ledger))
    return report


_OF_EVENTS = (t.submissions, t.messages, t.reports, t.receipts, t.segments, t.deliveries, t.attempts)


def test_what_is_done_goes_with_all_that_hangs_on_it(database: Database) -> None:
    with database.writing() as connection:
        add_done_message(connection, id_at(OLD), OLD)
        add_done_submission(connection, id_at(OLD) + 1000, OLD)
        rows.add_message(connection, id_at(OLD) + 1, account=None)
    assert sweep(database) == Swept(messages=2, submissions=1)
    with database.reading() as connection:
        for table in _OF_EVENTS:
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name
        assert ids(connection, t.ledger) == [id_at(OLD) + 1000]
    assert sweep(database) == Swept()


def test_the_contents_of_what_is_done_are_spoken_of_no_more(database: Database) -> None:
    one, two, three = ("a" * 64, "b" * 64, "c" * 64)
    with database.writing() as connection:
        for n, (at_ms, name) in enumerate(((OLD, one), (FRESH, one), (FRESH, two))):
            rows.add_message(connection, id_at(at_ms) + n, mms=rows.mms_octets(name))
            rows.add_content(connection, id_at(at_ms) + n, name, expires_at_ms=NOW + DAY_MS)
        add_done_submission(connection, id_at(OLD) + 1000, OLD, mms=rows.mms_octets(three))
        rows.add_content(connection, id_at(OLD) + 1000, three, expires_at_ms=NOW + DAY_MS)
        add_done_message(connection, id_at(OLD) + 2000, OLD)
    assert sweep(database) == Swept(messages=2, submissions=1)
    with database.reading() as connection:
        left = connection.execute(
            select(t.contents.c.event, t.contents.c.sha256).order_by(t.contents.c.event)
        )
        assert [tuple(row) for row in left] == [(id_at(FRESH) + 1, one), (id_at(FRESH) + 2, two)]


def test_what_is_fresh_stays(database: Database) -> None:
    with database.writing() as connection:
        add_done_message(connection, id_at(FRESH), FRESH)
        add_done_submission(connection, id_at(FRESH) + 1000, FRESH)
    assert sweep(database) == Swept()
    with database.reading() as connection:
        for table in _OF_EVENTS:
            assert connection.scalar(select(func.count()).select_from(table)), table.name


@pytest.mark.parametrize(
    "delivery",
    [{"state": 0}, DELIVERED | {"finished_at_ms": FRESH}, DEAD | {"finished_at_ms": FRESH}],
    ids=["pending", "delivered lately", "dead lately"],
)
def test_an_event_stays_while_a_delivery_is_open(database: Database, delivery: dict[str, Any]) -> None:
    with database.writing() as connection:
        a_customer(connection)
        add_done_message(connection, id_at(OLD), OLD)
        rows.add_delivery(connection, id_at(OLD), 2, **delivery)
        report = add_done_submission(connection, id_at(OLD) + 1000, OLD)
        rows.add_delivery(connection, report, 2, kind="report", **delivery)
    assert sweep(database) == Swept()
    with database.reading() as connection:
        assert ids(connection, t.messages) == [id_at(OLD)]
        assert ids(connection, t.submissions) == [id_at(OLD) + 1000]
        assert len(rows.deliveries(connection)) == 4
    with database.writing() as connection:
        connection.execute(
            update(t.deliveries).where(t.deliveries.c.endpoint == 2).values(state=1, finished_at_ms=OLD)
        )
    assert sweep(database) == Swept(messages=1, submissions=1)


@pytest.mark.parametrize("status", ["ACCEPTED", "SENT", "BUFFERED"])
def test_a_submission_that_awaits_something_stays(database: Database, status: str) -> None:
    with database.writing() as connection:
        add_done_submission(connection, id_at(OLD), OLD, status=status)
    assert sweep(database) == Swept()
    with database.writing() as connection:
        connection.execute(update(t.submissions).values(status="UNKNOWN"))
    assert sweep(database) == Swept(submissions=1)


def test_a_submission_stays_while_a_report_about_it_is_fresh(database: Database) -> None:
    with database.writing() as connection:
        add_done_submission(connection, id_at(OLD), OLD)
        rows.add_report(connection, id_at(FRESH), id_at(OLD), sequence=2)
    assert sweep(database) == Swept()


def test_parts_of_a_message_still_being_put_together_stay(database: Database) -> None:
    group = id_at(OLD)
    with database.writing() as connection:
        rows.add_message(connection, group + 1, part_of=group)
        connection.execute(
            insert(t.part_groups).values(id=group, key="k", total=2, link="sim", due_at_ms=NOW, done=False)
        )
    assert sweep(database) == Swept()
    with database.writing() as connection:
        connection.execute(t.part_groups.delete())
    assert sweep(database) == Swept(messages=1)


def test_dead_letters_end_before_their_events(database: Database) -> None:
    with database.writing() as connection:
        endpoint = a_customer(connection)
        other = a_customer(connection)
        for at_ms, finished in ((MIDDLE, MIDDLE), (MIDDLE + 1, FRESH), (FRESH, FRESH)):
            rows.add_message(connection, id_at(at_ms))
            rows.add_delivery(connection, id_at(at_ms), endpoint, attempt=1, finished_at_ms=finished, **DEAD)
            rows.add_attempt(connection, id_at(at_ms), endpoint, 1)
            rows.add_delivery(connection, id_at(at_ms), other)
            rows.add_attempt(connection, id_at(at_ms), other, 1)
        customers.remove_endpoint(connection, other)
        customers.remove_endpoint(connection, endpoint)
    assert sweep(database) == Swept(dead_letters=1, ended=3)
    with database.reading() as connection:
        assert len(ids(connection, t.messages)) == 3
        left = [(row.event, row.endpoint) for row in rows.deliveries(connection)]
        assert left == [
            (id_at(MIDDLE), other),
            (id_at(MIDDLE + 1), endpoint), (id_at(MIDDLE + 1), other),
            (id_at(FRESH), endpoint), (id_at(FRESH), other),
        ]  # fmt: skip
        kept = connection.execute(select(t.attempts.c.event, t.attempts.c.endpoint)).all()
        assert sorted(tuple(row) for row in kept) == left


def test_many_go_in_chunks_and_rest_may_stop_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(upkeep, "CHUNK", 3)
    first = id_at(OLD)
    open_ = {first + n * 2 for n in (0, 1, 2, 5)}
    with database.writing() as connection:
        endpoint = a_customer(connection)
        for n in range(10):
            add_done_message(connection, first + n * 2, OLD)
            dead = first + n * 2 + 1
            rows.add_message(connection, dead)
            rows.add_delivery(connection, dead, endpoint, finished_at_ms=OLD, **DEAD)
        d = t.deliveries.c
        connection.execute(update(t.deliveries).where(d.event.in_(open_)).values(state=0))
    calls = iter([False, False, True])
    assert sweep(database, rest=lambda: next(calls, True)) == Swept(dead_letters=6)
    assert sweep(database) == Swept(dead_letters=4, messages=16)
    with database.reading() as connection:
        assert set(ids(connection, t.messages)) == open_
        assert {row.event for row in rows.deliveries(connection)} == open_


def test_what_is_replayed_meanwhile_is_let_be(database: Database) -> None:
    """Between the reading and the taking away a command may begin a new round."""
    message = id_at(OLD)
    with database.writing() as connection:
        endpoint = a_customer(connection)
        add_done_message(connection, message, OLD, endpoint)
        rows.add_message(connection, message + 1)
        rows.add_delivery(connection, message + 1, endpoint, finished_at_ms=OLD, **DEAD)
        rows.add_attempt(connection, message + 1, endpoint, 1)
    writing = database.writing

    def replay_first() -> Any:
        database.writing = writing  # type: ignore[method-assign]
        with writing() as connection:
            replay.replay(connection, [(message, endpoint), (message + 1, endpoint)], NOW)
        return writing()

    # Found dead, replayed before it goes; the other is found done, and replayed before it goes.
    database.writing = replay_first  # type: ignore[method-assign]
    assert sweep(database) == Swept()
    with database.writing() as connection:
        connection.execute(update(t.deliveries).values(state=1, finished_at_ms=OLD))
    database.writing = replay_first  # type: ignore[method-assign]
    assert sweep(database) == Swept()
    with database.reading() as connection:
        assert [row.state for row in rows.deliveries(connection)] == [0, 0]
        assert len(ids(connection, t.attempts, "event")) == 5


def test_idempotency_keys_lapse(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "CHUNK", 2)
    with database.writing() as connection:
        for n, until in enumerate((NOW - 5, NOW - 4, NOW - 4, NOW, NOW + 1)):
            connection.execute(
                insert(t.idempotency).values(
                    account="acme", face="rest", key=str(n), fingerprint="f", answer=b"", expires_at_ms=until
                )
            )
    assert sweep(database) == Swept(idempotency_keys=4)
    with database.reading() as connection:
        assert ids(connection, t.idempotency, "expires_at_ms") == [NOW + 1]


def test_old_secrets_lapse(database: Database) -> None:
    with database.writing() as connection:
        lapsed = a_customer(connection, secrets=("new", "old"), old_secrets_until_ms=NOW)
        valid = a_customer(connection, secrets=("new", "old"), old_secrets_until_ms=NOW + 1)
    assert sweep(database) == Swept(secrets=1)
    with database.reading() as connection:
        assert customers.endpoint_with_id(connection, lapsed).secrets == ("new",)
        assert customers.endpoint_with_id(connection, valid).secrets == ("new", "old")
    assert sweep(database) == Swept()


def test_link_states_are_those_of_running_nodes(database: Database) -> None:
    two = [{"name": "a", "state": "bound"}, {"name": "b", "state": "down"}]
    with database.writing() as connection:
        upkeep.write_link_states(connection, 1, two, NOW - 1)
        upkeep.write_link_states(connection, 2, two, NOW - 2 * 3_600_000)
        upkeep.write_link_states(connection, 3, [], NOW)
        upkeep.write_link_states(connection, 1, [{"name": "a", "state": "bound", "binds": 2}], NOW)
    assert sweep(database) == Swept(link_states=2)
    with database.reading() as connection:
        (shown,) = reading.link_states(connection, [("a", "smpp")], NOW)
        assert (shown["name"], shown["node"], shown["state"], shown["binds"]) == ("a", 1, "bound", 2)


def test_simulated_messages_are_taken_once(database: Database) -> None:
    with database.writing() as connection:
        assert upkeep.take_simulated_messages(connection) == []
        for text_ in "ab":
            reading.simulate_message(connection, "447700900001", "60999", text_, 0)
        taken = upkeep.take_simulated_messages(connection, 1)
        taken += upkeep.take_simulated_messages(connection)
        assert sorted(taken) == [("447700900001", "60999", "a"), ("447700900001", "60999", "b")]
        assert upkeep.take_simulated_messages(connection) == []


def test_between_transactions_others_have_the_store() -> None:
    begun = monotonic()
    assert upkeep.rest_a_moment() is False
    assert monotonic() - begun >= upkeep.REST_S


# --- growth ---


@pytest.fixture
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is run, with its parameters."""
    run: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        run.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield run
    event.remove(Engine, "before_cursor_execute", note)


_GROWING = {table.name for table in (*_OF_EVENTS, t.contents, t.idempotency, t.ledger)}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_nothing_that_grows_is_scanned(database: Database, statements: list[tuple[str, Any]]) -> None:
    with database.writing() as connection:
        endpoint = a_customer(connection)
        add_done_message(connection, id_at(OLD), OLD)
        add_done_submission(connection, id_at(OLD) + 1000, OLD)
        for n, state in enumerate((DEAD, {"state": 0})):
            rows.add_message(connection, id_at(MIDDLE) + n)
            rows.add_delivery(connection, id_at(MIDDLE) + n, endpoint, finished_at_ms=MIDDLE, **state)
        customers.remove_endpoint(connection, endpoint)
        key = {"account": "a", "face": "f", "fingerprint": "", "answer": b"", "expires_at_ms": 1}
        connection.execute(insert(t.idempotency), [key | {"key": str(n)} for n in range(3)])
        rows.add_message(connection, id_at(OLD) + 1, mms=rows.mms_octets("a" * 64))
        rows.add_content(connection, id_at(OLD) + 1, "a" * 64, expires_at_ms=NOW + 1)
        rows.add_content(connection, id_at(FRESH), "a" * 64)
    statements.clear()
    swept = sweep(database)
    assert swept == Swept(
        ended=1, dead_letters=1, submissions=1, messages=2, idempotency_keys=3, expired_contents=1
    )
    asked = [(sql, values) for sql, values in statements if not sql.startswith(("BEGIN", "PRAGMA"))]
    assert len(asked) > 15
    with database.reading() as connection:
        for sql, values in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
            steps = [row[3] for row in plan]
            scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
            assert not scanned & _GROWING, (sql, steps)
            assert not any("TEMP B-TREE" in step for step in steps), (sql, steps)


def test_what_is_old_and_open_is_passed_over(database: Database) -> None:
    """Old events that wait at one endpoint do not keep others from ending."""
    first = id_at(OLD)
    with database.writing() as connection:
        message = {
            "at_ms": OLD, "link": "sim", "sender": "1", "recipient": "2", "account": "acme", "coding": 7,
            "text": "", "data": b"", "udh": b"", "parts": 1, "expected_parts": 1,
        }  # fmt: skip
        count = upkeep.CHUNK * 2 + 10
        connection.execute(insert(t.messages), [message | {"id": first + n} for n in range(count)])
        waiting = {
            "endpoint": 1, "kind": "message", "account": "acme", "state": 0, "attempt": 1,
            "first_attempt": 1, "next_attempt_at_ms": OLD,
        }  # fmt: skip
        connection.execute(insert(t.deliveries), [waiting | {"event": first + n} for n in range(count - 5)])
    assert sweep(database) == Swept(messages=5)
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM messages")) == count - 5
