"""Replay: found first, changed in chunks, every attempt kept, nothing that is pending begun anew."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select

from homing.model.account import Account, Endpoint
from homing.model.clock import id_at
from homing.model.delivery import DeliveryState
from homing.store import customers, replay
from homing.store import tables as t
from homing.store.database import Database
from homing.store.replay import DEAD, ENDED, Found
from homing.store.sql import Transaction
from homing.store.statements import Statements
from homing.store.trace import deliveries_of
from tests.store import rows

NOW = 1_780_000_000_000
HOUR = 3_600_000


@pytest.fixture
def endpoints(database: Database) -> tuple[int, int, int]:
    """Two endpoints of acme, one of which has been removed, and one of other."""
    with database.writing() as connection:
        made = []
        for account in ("acme", "other"):
            customers.add_account(
                connection,
                Account(
                    name=account, password_hash="", inbound_password_hash="", api_key_hash=account,
                    token=account, created_at_ms=1,
                ),
            )  # fmt: skip
        for account in ("acme", "acme", "other"):
            endpoint = Endpoint(id=0, account=account, events=("message",), format="mx", url="http://a.test/")
            made.append(customers.add_endpoint(connection, endpoint))
        customers.remove_endpoint(connection, made[1])
    return made[0], made[1], made[2]


def add(connection: Connection, at_ms: int, endpoint: int, state: int, kind: str = "message") -> int:
    """An event of acme whose delivery ended with its second attempt, or waits for its third."""
    event_id = id_at(at_ms) + endpoint
    if kind == "message":
        rows.add_message(connection, event_id)
    else:
        rows.add_report(connection, event_id, 1)
    rows.add_delivery(
        connection, event_id, endpoint, kind=kind, state=state, attempt=3 if state == 0 else 2,
        status=200 if state == 1 else 500, answer=b"said", took_ms=40, finished_at_ms=NOW,
    )  # fmt: skip
    rows.add_attempt(connection, event_id, endpoint, 1)
    if state != DeliveryState.DELIVERED:
        rows.add_attempt(connection, event_id, endpoint, 2)
    return event_id


def keys_of(connection: Connection, what: list[Found]) -> list[tuple[int, int]]:
    return [key for chunk in replay.chunks(connection, what) for key in chunk]


def test_what_is_found_is_what_is_counted(
    database: Database, endpoints: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CHUNK", 3)
    acme, removed, other = endpoints
    with database.writing() as connection:
        dead = [add(connection, NOW + n * HOUR, acme, 2) for n in range(7)]
        reports = [add(connection, NOW + n * HOUR + 1, acme, 2, "report") for n in range(2)]
        delivered = [add(connection, NOW + n * HOUR + 2, acme, 1) for n in range(2)]
        add(connection, NOW + 3, acme, 0)
        add(connection, NOW + 4, removed, 2)
        stranger = add(connection, NOW + 5, other, 2)
        rows.add_message(connection, stranger + 1000, "other")
        rows.add_delivery(connection, stranger + 1000, other, account="other", state=2)
    with database.reading() as connection:
        for since, until, states, expected in (
            (NOW, NOW + 8 * HOUR, DEAD, [*reports, *dead]),
            (NOW, NOW + 8 * HOUR, ENDED, [*reports, *dead, *delivered]),
            (NOW + HOUR, NOW + 3 * HOUR, DEAD, [reports[1], dead[1], dead[2]]),
            (NOW + 9 * HOUR, NOW + 10 * HOUR, ENDED, []),
        ):
            what = replay.ended_of_account("acme", states, since, until)
            keys = keys_of(connection, what)
            assert sorted(keys) == sorted(
                [(id_, acme) for id_ in expected] + ([(stranger, other)] if since == NOW else [])
            )
            assert len(set(keys)) == len(keys) == replay.count(connection, what)
        assert keys_of(connection, replay.ended_of_account("nobody", ENDED, 0, NOW * 2)) == []


def test_one_event_at_one_endpoint_or_at_all(database: Database, endpoints: tuple[int, int, int]) -> None:
    acme, removed, other = endpoints
    with database.writing() as connection:
        id_ = add(connection, NOW, acme, 2)
        rows.add_delivery(connection, id_, other, state=1)
        rows.add_delivery(connection, id_, removed, state=2)
    with database.reading() as connection:
        for endpoint, states, expected in (
            (None, ENDED, [(id_, acme), (id_, other)]),
            (None, DEAD, [(id_, acme)]),
            (other, ENDED, [(id_, other)]),
            (removed, ENDED, []),
        ):
            what = replay.ended_of_event(id_, endpoint, states)
            assert keys_of(connection, what) == expected
            assert replay.count(connection, what) == len(expected)
        assert replay.count(connection, replay.ended_of_event(id_ + 1, None, ENDED)) == 0


def test_acting_while_reading_leaves_nothing_out(
    database: Database, endpoints: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CHUNK", 2)
    with database.writing() as connection:
        for n in range(7):
            add(connection, NOW + n, endpoints[0], 2)
    what = replay.ended_of_account("acme", DEAD, NOW, NOW + HOUR)
    replayed = 0
    with database.reading() as connection:
        for chunk in replay.chunks(connection, what):
            with database.writing() as writing:
                replayed += replay.replay(writing, chunk, NOW)
    assert replayed == 7
    with database.reading() as connection:
        assert replay.count(connection, what) == 0
        assert {row.state for row in rows.deliveries(connection)} == {0}


@pytest.mark.parametrize("state", [DeliveryState.DEAD, DeliveryState.DELIVERED])
def test_a_new_round_keeps_every_attempt(
    database: Database, endpoints: tuple[int, int, int], state: DeliveryState
) -> None:
    with database.writing() as connection:
        id_ = add(connection, NOW, endpoints[0], int(state))
        (before,) = deliveries_of(connection, [id_])
        assert [attempt["number"] for attempt in before["attempts"]] == [1, 2]
        assert replay.replay(connection, [(id_, endpoints[0])], NOW + HOUR) == 1
        (after,) = deliveries_of(connection, [id_])
        assert after["attempts"] == before["attempts"]
        assert (after["state"], after["error"], after["finished_at"]) == (
            "pending",
            None,
            after["finished_at"],
        )
        (row,) = rows.deliveries(connection)
        assert (row.attempt, row.first_attempt, row.next_attempt_at_ms) == (3, 3, NOW + HOUR)
        assert (row.claim_node, row.status, row.answer, row.finished_at_ms) == (None, None, None, None)
        assert replay.replay(connection, [(id_, endpoints[0])], NOW + HOUR) == 0  # it is pending now
    with database.connection() as connection, Transaction(connection, Statements(database)) as transaction:
        (due,) = transaction.due_deliveries(endpoints[0], NOW + HOUR, 10)
        assert (due.event, due.attempt, due.first_attempt) == (id_, 3, 3)


def test_an_attempt_that_two_nodes_made(database: Database, endpoints: tuple[int, int, int]) -> None:
    """One of them failed and was recorded late; the one that delivered is the one that stays."""
    with database.writing() as connection:
        id_ = add(connection, NOW, endpoints[0], int(DeliveryState.DELIVERED))
        rows.add_attempt(connection, id_, endpoints[0], 2, status=None, error="timeout")
        assert replay.replay(connection, [(id_, endpoints[0])], NOW) == 1
        a = t.attempts.c
        kept = connection.execute(select(a.number, a.status, a.at_ms).order_by(a.number)).all()
        assert [tuple(row) for row in kept][1] == (2, 200, NOW - 40)


def test_what_was_ended_by_removal_goes_on_at_the_right_number(
    database: Database, endpoints: tuple[int, int, int]
) -> None:
    with database.writing() as connection:
        id_ = add(connection, NOW, endpoints[0], int(DeliveryState.PENDING))
        assert customers.end_deliveries(connection, endpoints[0]) == 1
        assert replay.replay(connection, [(id_, endpoints[0])], NOW) == 1
        assert rows.deliveries(connection)[0].attempt == 3


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_chunk_is_sought_by_its_keys(database: Database, endpoints: tuple[int, int, int]) -> None:
    run: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        run.append((statement, parameters[0] if many else parameters))

    with database.writing() as connection:
        ids = [add(connection, NOW + n, endpoints[0], 1) for n in range(3)]
        event.listen(Engine, "before_cursor_execute", note)
        try:
            assert replay.replay(connection, [(id_, endpoints[0]) for id_ in ids], NOW) == 3
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert len(run) == 4
        for sql, values in run:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert not [step for step in plan if step.startswith(("SCAN deliveries", "SCAN attempts"))], sql
