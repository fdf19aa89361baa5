"""Deliveries over REST: seen with their attempts, replayed one by one or by time."""

import pytest

from homing.model.clock import id_at
from homing.store import tables as t
from homing.store.customers import add_endpoint
from tests.api.rest_customer import Customer
from tests.api.running import RunningGateway
from tests.store import rows
from tests.store.test_customers import an_endpoint

AT_MS = 1_700_000_000_000
SINCE, UNTIL = "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.001Z"
FIRST = id_at(AT_MS)


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    """With a pending delivery, a delivered one and a dead one; ``other`` has a dead one too."""
    gateway.add_account("other")
    with gateway.database.writing() as connection:
        for account in ("acme", "other"):
            add_endpoint(connection, an_endpoint(account))
        for number, state in enumerate((0, 1, 2)):
            rows.add_message(connection, FIRST + number)
            done = {"finished_at_ms": AT_MS + 5, "took_ms": 5, "status": 200} if state else {}
            rows.add_delivery(connection, FIRST + number, 1, state=state, attempt=2, **done)
            rows.add_attempt(connection, FIRST + number, 1, 1)
        rows.add_message(connection, FIRST + 9, "other")
        rows.add_delivery(connection, FIRST + 9, 2, account="other", state=2, finished_at_ms=AT_MS)
    return Customer(gateway)


def name(number: int, endpoint: int = 1) -> str:
    return f"{FIRST + number}-{endpoint}"


def test_lists_by_state_and_by_page(customer: Customer) -> None:
    every = customer.ask("GET", "/v1/deliveries")
    assert [(item["id"], item["state"], item["attempts"]) for item in every["items"]] == [
        (name(2), "dead", 2), (name(1), "delivered", 2), (name(0), "pending", 1),
    ]  # fmt: skip
    for item in every["items"]:
        assert customer.ask("GET", f"/v1/deliveries?state={item['state']}")["items"] == [item]
    first = customer.ask("GET", "/v1/deliveries?limit=2")
    assert first["next"] == name(1)
    assert customer.ask("GET", f"/v1/deliveries?limit=2&after={first['next']}")["items"] == every["items"][2:]
    assert "state" in customer.problem("GET", "/v1/deliveries?state=lost", 400)["detail"]


def test_a_delivery_with_its_attempts(customer: Customer) -> None:
    found = customer.ask("GET", f"/v1/deliveries/{name(1)}")
    assert (found["event_id"], found["endpoint"], found["state"]) == (str(FIRST + 1), "1", "delivered")
    assert [(a["number"], a["status"]) for a in found["attempts"]] == [(1, 500), (2, 200)]
    attempts = customer.ask("GET", f"/v1/deliveries/{name(1)}/attempts")
    assert attempts == {"items": found["attempts"], "next": None}


def test_what_is_anothers_is_not_there(customer: Customer) -> None:
    for id_ in (name(9, 2), name(0, 2), str(FIRST), "x-1"):
        customer.problem("GET", f"/v1/deliveries/{id_}", 404)
        customer.problem("GET", f"/v1/deliveries/{id_}/attempts", 404)
        customer.problem("POST", f"/v1/deliveries/{id_}/replay", 404)


def test_a_replay_makes_what_ended_due_again(gateway: RunningGateway, customer: Customer) -> None:
    for number in (1, 2):
        assert customer.ask("POST", f"/v1/deliveries/{name(number)}/replay", 202) == {"count": 1}
        found = customer.ask("GET", f"/v1/deliveries/{name(number)}")
        assert (found["state"], found["finished_at"]) == ("pending", None)
        again = customer.problem("POST", f"/v1/deliveries/{name(number)}/replay", 409)
        assert "pending" in again["detail"]
    assert [row.attempt for row in gateway.rows(t.deliveries)] == [2, 3, 3, 1]


def test_replay_by_time(gateway: RunningGateway, customer: Customer) -> None:
    everything = {"since": "1970-01-01T00:00:00Z"}
    assert customer.ask("POST", "/v1/replay", 202, json={"since": UNTIL}) == {"count": 0}
    assert customer.ask("POST", "/v1/replay", 202, json={"since": SINCE, "until": UNTIL}) == {"count": 1}
    assert customer.ask("POST", "/v1/replay", 202, json=everything) == {"count": 0}
    assert customer.ask("POST", "/v1/replay", 202, json=everything | {"state": "delivered"}) == {"count": 1}
    assert [row.state for row in gateway.rows(t.deliveries)] == [0, 0, 0, 2]
    for wish, said in (
        ({"since": UNTIL, "until": SINCE}, "until"),
        ({"since": "9999-12-31T23:59:59Z"}, "until"),
        ({"since": SINCE, "state": "pending"}, "$.state"),
        ({"since": "2023-11-14T22:13:20"}, "$.since"),
    ):
        assert said in customer.problem("POST", "/v1/replay", 400, json=wish)["detail"]


def test_a_replay_counts_once_under_its_key(gateway: RunningGateway, customer: Customer) -> None:
    key = {"Idempotency-Key": "again"}
    wish = {"since": SINCE, "state": "delivered"}
    assert customer.ask("POST", "/v1/replay", 202, json=wish, headers=key) == {"count": 1}
    with gateway.database.writing() as connection:  # and it is delivered at once
        connection.exec_driver_sql(f"UPDATE deliveries SET state = 1, finished_at_ms = {AT_MS}")
    assert customer.ask("POST", "/v1/replay", 202, json=wish, headers=key) == {"count": 1}
    assert {row.state for row in gateway.rows(t.deliveries)} == {1}
    problem = customer.problem("POST", "/v1/replay", 422, json={"since": SINCE}, headers=key)
    assert problem["type"] == "urn:homing:problem:key_reused"
