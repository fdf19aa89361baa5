"""Lists behind commands: pages without gaps or repeats, filters, states of links, the ledger."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert

from homing.model.account import Account, Endpoint
from homing.model.clock import id_at
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal
from homing.store import customers, reading, upkeep
from homing.store import tables as t
from homing.store.database import Database
from tests.store import rows

NOW = 1_780_000_000_000


def add_customer(connection: Connection, name: str) -> int:
    """An account with an endpoint, whose id is returned."""
    customers.add_account(
        connection,
        Account(
            name=name,
            password_hash="",
            inbound_password_hash="",
            api_key_hash=name,
            token=name,
            created_at_ms=1,
        ),
    )
    endpoint = Endpoint(id=0, account=name, events=("message",), format="mx", url="http://a.test/")
    return customers.add_endpoint(connection, endpoint)


def pages_of(page: Callable[..., dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """The items of every page, one after the other."""
    items: list[dict[str, Any]] = []
    document = page(limit=limit)
    while True:
        assert len(document["items"]) <= limit
        items += document["items"]
        if document["next"] is None:
            return items
        document = page(limit=limit, after=document["next"])


@pytest.fixture
def two_customers(database: Database) -> Database:
    """Of each of 12 messages and 12 reports, deliveries at two endpoints, in every state."""
    with database.writing() as connection:
        acme, other = add_customer(connection, "acme"), add_customer(connection, "other")
        second = customers.add_endpoint(
            connection,
            Endpoint(id=0, account="acme", events=("message",), format="mx", url="http://b.test/"),
        )
        for n in range(12):
            for account, endpoints in (("acme", (acme, second)), ("other", (other,))):
                base = id_at(NOW) + n * 100 + (50 if account == "other" else 0)
                rows.add_message(connection, base, account)
                rows.add_report(connection, base + 1, 1, account)
                for kind, event in (("message", base), ("report", base + 1)):
                    for endpoint in endpoints:
                        rows.add_delivery(
                            connection, event, endpoint, kind=kind, account=account, state=n % 3,
                            attempt=2, status=None if n % 3 == 0 else 200, finished_at_ms=NOW,
                        )  # fmt: skip
                        rows.add_attempt(connection, event, endpoint, 1, status=503)
    return database


def test_every_delivery_once_the_newest_first(two_customers: Database) -> None:
    states, owners = [None, *DeliveryState], [None, "acme", "other", "nobody"]
    with two_customers.reading() as connection:
        for state, account, limit in itertools.product(states, owners, [1, 4, 7, 1000]):
            expected = [
                f"{row.event}-{row.endpoint}"
                for row in reversed(rows.deliveries(connection))
                if account in (None, row.account) and state in (None, row.state)
            ]
            page = partial(reading.deliveries_page, connection, state=state, account=account)
            assert [item["id"] for item in pages_of(page, limit)] == expected


def test_a_listed_delivery_says_what_was_promised(two_customers: Database) -> None:
    with two_customers.reading() as connection:
        items = reading.deliveries_page(connection, account="other", limit=1000)["items"]
    promised = {"id", "event_id", "account", "endpoint", "state", "attempts", "next_attempt_at", "status"}
    assert all(promised <= set(item) for item in items)
    told = {(item["state"], item["attempts"], item["status"]) for item in items}
    assert told == {("pending", 1, 503), ("delivered", 2, 200), ("dead", 2, 200)}


def test_deliveries_of_removed_endpoints_stay_in_the_list(two_customers: Database) -> None:
    with two_customers.writing() as connection:
        customers.remove_endpoint(connection, 1)
    with two_customers.reading() as connection:
        dead = reading.deliveries_page(connection, state=DeliveryState.DEAD, limit=1000)["items"]
        assert 1 in {item["endpoint"] for item in dead}


def test_a_page_goes_on_behind_what_has_gone_meanwhile(two_customers: Database) -> None:
    with two_customers.writing() as connection:
        first = reading.deliveries_page(connection, limit=5)
        connection.execute(
            t.deliveries.delete().where(t.deliveries.c.event == int(first["items"][-1]["event_id"]))
        )
        rows.add_delivery(connection, id_at(NOW + 1000), 1)
        seen = {item["id"] for item in first["items"]}
        second = reading.deliveries_page(connection, limit=1000, after=first["next"])
        assert not seen & {item["id"] for item in second["items"]}
        assert len(second["items"]) >= 12 * 6 - 5 - 2


@pytest.mark.parametrize(
    ("text", "parsed"), [("5", (5, None)), (" 5-7 ", (5, 7)), (str((1 << 63) - 1), ((1 << 63) - 1, None))]
)
def test_delivery_ids(text: str, parsed: tuple[int, int | None]) -> None:
    assert reading.parse_delivery_id(text) == parsed


@pytest.mark.parametrize("text", ["", "-5", "a", "5-", "5-7-9", "5 7", str(1 << 63), "٥", "1e3"])
def test_what_is_no_delivery_id_is_refused(database: Database, text: str) -> None:
    with pytest.raises(Refusal, match="not an id"):
        reading.parse_delivery_id(text)
    with database.reading() as connection, pytest.raises(Refusal):
        reading.deliveries_page(connection, after=text or "x")


def test_messages_by_owner_or_of_nobody(database: Database) -> None:
    owners = ["acme", None, "other"] * 6
    with database.writing() as connection:
        for n, owner in enumerate(owners):
            rows.add_message(connection, 1000 + n, owner)
    newest_first = list(reversed(range(1000, 1018)))
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, newest_first),
        ({"account": "acme"}, [i for i in newest_first if owners[i - 1000] == "acme"]),
        ({"unrouted": True}, [i for i in newest_first if owners[i - 1000] is None]),
        ({"account": "nobody"}, []),
    ]
    with database.reading() as connection:
        for (values, expected), limit in itertools.product(filters, [1, 5, 6, 100]):
            items = pages_of(partial(reading.messages_page, connection, **values), limit)
            assert [int(item["id"]) for item in items] == expected


def test_links_are_shown_as_nodes_tell_and_down_when_none_does(database: Database) -> None:
    configured = [("smsc", "smpp"), ("sim", "simulator")]
    with database.writing() as connection:
        for node, at_ms in ((1, NOW), (2, NOW - 1), (3, NOW - reading.STATE_FRESH_MS)):
            upkeep.write_link_states(connection, node, [{"name": "smsc", "state": "bound"}], at_ms)
    with database.reading() as connection:
        shown = reading.link_states(connection, configured, NOW)
    assert [(row["name"], row["node"], row["state"]) for row in shown] == [
        ("smsc", 1, "bound"), ("smsc", 2, "bound"), ("sim", None, "down"),
    ]  # fmt: skip
    assert shown[-1]["why"] == "no node is running"


def test_months_are_utc() -> None:
    assert reading.month_of("2026-12") == (1_796_083_200_000, 1_798_761_600_000)
    assert reading.month_of("2026-02")[1] == reading.month_of("2026-03")[0]


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-09-01", "nonsense"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="not a month"):
        reading.month_of(text)


def test_the_ledger_of_an_account_and_a_month(database: Database) -> None:
    begin, end = reading.month_of("2026-09")
    entry = {"kind": "message", "sender": "1", "recipient": "2", "segments": 1}
    with database.writing() as connection:
        for n, (at_ms, account) in enumerate(
            [(begin - 1, "acme"), (begin, "acme"), (begin + 1, "other"), (end - 1, "acme"), (end, "acme")]
        ):
            values = entry | {"id": id_at(at_ms) + n, "account": account, "reference": n or None}
            connection.execute(insert(t.ledger).values(**values))
    with database.reading() as connection:
        entries = list(reading.ledger_entries(connection, "acme", begin, end))
        assert [entry["reference"] for entry in entries] == ["1", "3"]
        assert entries[0]["at"] == "2026-09-01T00:00:00.000Z"
        assert list(reading.ledger_entries(connection, "nobody", begin, end)) == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_later_page_is_sought_and_not_counted_to(two_customers: Database) -> None:
    run: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        run.append((statement, parameters))

    with two_customers.reading() as connection:
        event.listen(Engine, "before_cursor_execute", note)
        try:
            for state, account in itertools.product([None, *DeliveryState], [None, "acme"]):
                reading.deliveries_page(connection, state=state, account=account, after=f"{id_at(NOW)}-1")
            for account in (None, "acme"):
                reading.messages_page(connection, account=account, after=f"{id_at(NOW)}")
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert len(run) > 10
        for sql, values in run:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
            grown = ("SCAN deliveries", "SCAN attempts", "SCAN messages", "SCAN reports")
            assert not [step for step in plan if step.startswith(grown)], (sql, plan)


def test_the_latest_id_is_of_whatever_was_made_last(database: Database) -> None:
    assert reading.latest_id(database) == 0
    with database.writing() as connection:
        rows.add_submission(connection, 5)
        rows.add_message(connection, 9)
        rows.add_receipt(connection, 12, 5)
    assert reading.latest_id(database) == 12
