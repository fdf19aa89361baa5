"""Records: pages, traces, replays and endpoints of one account, and nothing of another."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from homing.engine.records import Records
from homing.engine.submit import Idempotency
from homing.model.account import Number
from homing.model.clock import id_at, made_at_ms
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal
from homing.store import customers
from homing.store.database import Database
from homing.store.records import MOST_ENDPOINTS, StoreRecords
from tests.store import rows
from tests.store.test_customers import an_account, an_endpoint

AT_MS = 1_700_000_000_000
FIRST = id_at(AT_MS)
DEAD, DELIVERED = DeliveryState.DEAD, DeliveryState.DELIVERED


@pytest.fixture
def records(database: Database) -> Records:
    with database.writing() as connection:
        for name in ("acme", "other"):
            customers.add_account(connection, an_account(name))
            customers.add_endpoint(connection, an_endpoint(name))
    return StoreRecords(database, rest=lambda: None)


def refused(kind: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        function(*arguments, **named)
    assert refusal.value.kind == kind
    return refusal.value.text


def test_pages_hold_what_is_the_accounts_own_newest_first(database: Database, records: Records) -> None:
    with database.writing() as connection:
        for number in range(5):
            rows.add_submission(connection, FIRST + number)
            rows.add_report(connection, FIRST + 10 + number, FIRST + number)
            rows.add_message(connection, FIRST + 20 + number)
        rows.add_submission(connection, FIRST + 5, "other")
        rows.add_report(connection, FIRST + 15, FIRST + 5, "other")
        rows.add_message(connection, FIRST + 25, "other")
        rows.add_message(connection, FIRST + 26, None)
        rows.add_message(connection, FIRST + 27, part_of=FIRST + 24)
    for question, base in ((records.submissions, 0), (records.reports, 10), (records.messages, 20)):
        seen: list[str] = []
        after = None
        for length in (2, 2, 1):
            page = question("acme", limit=2, after=after)
            assert len(page["items"]) == length
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
        assert after is None
        assert seen == [str(FIRST + base + number) for number in (4, 3, 2, 1, 0)]
        refused("invalid", question, "acme", limit=2, after="'; --")


def test_a_trace_is_found_under_its_kind_in_its_account(database: Database, records: Records) -> None:
    with database.writing() as connection:
        rows.add_submission(connection, FIRST)
        rows.add_report(connection, FIRST + 1, FIRST)
        rows.add_message(connection, FIRST + 2)
        rows.add_delivery(connection, FIRST + 1, 1, kind="report")
        rows.add_delivery(connection, FIRST + 1, 2, kind="report", account="other")
    for kind, id_ in (("submission", FIRST), ("report", FIRST + 1), ("message", FIRST + 2)):
        assert records.trace("acme", kind, id_)[kind]["id"] == str(id_)  # type: ignore[arg-type]
        refused("not_found", records.trace, "other", kind, id_)
        for other in {"submission", "report", "message"} - {kind}:
            refused("not_found", records.trace, "acme", other, id_)
    assert [d["endpoint"] for d in records.trace("acme", "submission", FIRST)["deliveries"]] == ["1"]
    refused("not_found", records.trace, "acme", "report", FIRST + 9)


def test_deliveries_by_state_and_by_id(database: Database, records: Records) -> None:
    with database.writing() as connection:
        for number, state in enumerate((0, 1, 2)):
            rows.add_message(connection, FIRST + number)
            done = {} if state == 0 else {"finished_at_ms": AT_MS, "took_ms": 5}
            rows.add_delivery(connection, FIRST + number, 1, state=state, **done)
        rows.add_message(connection, FIRST + 3, "other")
        rows.add_delivery(connection, FIRST + 3, 2, account="other")
        rows.add_attempt(connection, FIRST + 2, 1, 1)
    for number, state in enumerate(DeliveryState):
        (item,) = records.deliveries("acme", state, limit=9, after=None)["items"]
        assert (item["id"], item["endpoint"]) == (f"{FIRST + number}-1", "1")
    every = records.deliveries("acme", None, limit=2, after=None)
    assert [item["state"] for item in every["items"]] == ["dead", "delivered"]
    assert len(records.deliveries("acme", None, limit=2, after=every["next"])["items"]) == 1
    (attempt,) = records.delivery("acme", f"{FIRST + 2}-1")["attempts"]
    assert (attempt["status"], attempt["answer"]) == (500, "no")
    refused("not_found", records.delivery, "acme", f"{FIRST + 3}-2")
    refused("not_found", records.delivery, "acme", f"{FIRST}-7")
    refused("not_found", records.delivery, "acme", str(FIRST))
    refused("invalid", records.delivery, "acme", "x")


def test_replay_of_one_delivery(database: Database, records: Records) -> None:
    with database.writing() as connection:
        rows.add_message(connection, FIRST)
        rows.add_delivery(connection, FIRST, 1, state=2, finished_at_ms=AT_MS, error="timeout")
    id_ = f"{FIRST}-1"
    refused("not_found", records.replay_delivery, "other", id_, AT_MS)
    assert records.replay_delivery("acme", id_, AT_MS) == 1
    assert records.delivery("acme", id_)["state"] == "pending"
    assert "pending" in refused("conflict", records.replay_delivery, "acme", id_, AT_MS)
    with database.writing() as connection:
        rows.add_message(connection, FIRST + 1)
        rows.add_delivery(connection, FIRST + 1, 1, state=2, finished_at_ms=AT_MS)
        customers.remove_endpoint(connection, 1)
    assert "removed" in refused("conflict", records.replay_delivery, "acme", f"{FIRST + 1}-1", AT_MS)


def test_replay_of_many_counts_once_under_a_key(database: Database, records: Records) -> None:
    with database.writing() as connection:
        for number in range(4):
            rows.add_message(connection, FIRST + number)
            state = 1 if number == 3 else 2
            rows.add_delivery(connection, FIRST + number, 1, state=state, finished_at_ms=AT_MS, took_ms=1)
        rows.add_message(connection, FIRST + 9, "other")
        rows.add_delivery(connection, FIRST + 9, 2, state=2, finished_at_ms=AT_MS, account="other")
    at_ms = made_at_ms(FIRST)
    once = Idempotency(face="rest/replay", key="k", fingerprint="f")
    assert records.replay("acme", DEAD, at_ms + 1, at_ms + 2, AT_MS) == 0
    assert records.replay("acme", DEAD, at_ms, at_ms, AT_MS) == 0
    assert records.replay("acme", DEAD, at_ms, at_ms + 1, AT_MS, once) == 3
    assert records.replay("acme", DEAD, at_ms, at_ms + 1, AT_MS) == 0
    assert records.replay("acme", DEAD, at_ms, at_ms + 1, AT_MS, once) == 3  # the first answer
    other = msgspec.structs.replace(once, fingerprint="g")
    refused("conflict", records.replay, "acme", DELIVERED, at_ms, at_ms + 1, AT_MS, other)
    assert records.replay("other", DELIVERED, at_ms, at_ms + 1, AT_MS, other) == 0  # its own key
    assert records.replay("acme", DELIVERED, at_ms, at_ms + 1, AT_MS + 86_400_001, other) == 1  # a day later
    with database.reading() as connection:
        assert [row.state for row in rows.deliveries(connection)] == [0, 0, 0, 0, 2]


def test_endpoints_of_an_account(database: Database, records: Records) -> None:
    made = records.add_endpoint(an_endpoint(concurrency=3))
    assert [endpoint.id for endpoint in records.endpoints("acme")] == [1, made.id]
    assert records.endpoint("acme", made.id) == made
    version = database.fact("directory_version")
    changed = records.change_endpoint(
        "acme", made.id, lambda e: msgspec.structs.replace(e, id=1, account="other", paused=True)
    )
    assert changed == msgspec.structs.replace(made, paused=True)  # neither moved nor given away
    assert records.endpoint("acme", made.id) == changed
    assert database.fact("directory_version") > version
    for wrong in ("other", "nobody"):
        refused("not_found", records.endpoint, wrong, made.id)
        refused("not_found", records.change_endpoint, wrong, made.id, lambda e: e)
        refused("not_found", records.remove_endpoint, wrong, made.id)
    records.remove_endpoint("acme", made.id)
    refused("not_found", records.endpoint, "acme", made.id)
    refused("not_found", records.remove_endpoint, "acme", made.id)


def test_an_account_has_a_bounded_number_of_endpoints(records: Records) -> None:
    for _ in range(MOST_ENDPOINTS - 1):
        records.add_endpoint(an_endpoint())
    assert str(MOST_ENDPOINTS) in refused("conflict", records.add_endpoint, an_endpoint())
    records.add_endpoint(an_endpoint("other"))


def test_balance_and_numbers(database: Database, records: Records) -> None:
    assert records.balance("acme") is None
    number = Number(number="60999", account="acme", keyword="win")
    with database.writing() as connection:
        customers.add_credit(connection, "acme", 12.5, None, 0)
        customers.add_number(connection, number)
    assert records.balance("acme") == 12.5
    assert (records.numbers("acme"), records.numbers("other")) == ([number], [])
