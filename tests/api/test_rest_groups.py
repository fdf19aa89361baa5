"""Groups over REST."""

import pytest

from tests.api.rest_customer import Customer
from tests.api.running import RunningGateway


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    gateway.add_account("other")
    made = Customer(gateway)
    made.ask("POST", "/v1/groups", 201, json={"name": "Best friends", "members": ["+447700900001"]})
    return made


def test_a_group_lives(customer: Customer) -> None:
    path = "/v1/groups/best%20friends"
    assert customer.ask("GET", path) == {"name": "Best friends", "members": ["447700900001"]}
    change = {"add": ["447700900003", "447700900002"], "remove": ["447700900001"]}
    assert customer.ask("PATCH", path, json=change)["members"] == ["447700900002", "447700900003"]
    listed = customer.ask("GET", "/v1/groups")
    assert listed == {"items": [{"name": "Best friends", "members": 2}], "next": None}
    customer.response("DELETE", path, 204)
    customer.problem("GET", path, 404)


def test_what_is_wrong(customer: Customer) -> None:
    customer.problem("POST", "/v1/groups", 409, json={"name": "BEST FRIENDS"})
    assert (
        "number"
        in customer.problem("POST", "/v1/groups", 400, json={"name": "x", "members": ["y"]})["detail"]
    )
    customer.problem("PATCH", "/v1/groups/none", 404, json={"add": []})
    other = Customer(customer.gateway, "other")
    assert other.ask("GET", "/v1/groups")["items"] == []
    other.problem("DELETE", "/v1/groups/best%20friends", 404)
