"""The REST face as a whole: keys, paths, methods, bodies, and one form for everything that is wrong."""

from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from homing.api.problem import CONTENT_TYPE, PROBLEMS
from homing.api.rest import ROUTES
from homing.model.account import Number
from homing.model.errors import Kind
from homing.store import customers
from homing.store.database import Database
from homing.store.records import StoreRecords
from tests.api.rest_customer import Customer
from tests.api.running import FAILURES_PER_MIN, MAX_BODY_BYTES, RunningGateway

KEY = {"Authorization": "Bearer key-of-acme"}


def test_every_kind_of_refusal_has_its_problem() -> None:
    assert set(get_args(Kind)) <= set(PROBLEMS)
    assert all(400 <= meaning.status < 600 and meaning.title for meaning in PROBLEMS.values())


def check_problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["type"]) == (
        status,
        status,
        f"urn:homing:problem:{kind}",
    )
    assert response.headers["content-type"] == CONTENT_TYPE.decode()
    assert set(body) == {"type", "title", "status", "detail"}
    return body


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "send the API key"),
        ({"Authorization": "Basic YWNtZTpzM2NyZXQ="}, "send the API key"),
        ({"Authorization": "Bearer"}, "send the API key"),
        ({"Authorization": "Bearer wrong"}, "unknown API key"),
        ({"Authorization": b"Bearer \xff"}, "unknown API key"),
    ],
)
def test_every_route_asks_for_a_key(gateway: RunningGateway, headers: Any, detail: str) -> None:
    for route in ROUTES[:3]:
        response = gateway.client.request(route.method, route.path.replace("{id}", "1"), headers=headers)
        assert detail in check_problem(response, 401, "unauthorised")["detail"]
        assert response.headers["www-authenticate"] == "Bearer"
    assert gateway.client.get("/v1/openapi.json", headers=headers).status_code == 200


def test_the_scheme_is_read_in_any_case(gateway: RunningGateway) -> None:
    response = gateway.client.get("/v1/account", headers={"Authorization": "bEARER  key-of-acme"})
    assert response.json()["name"] == "acme"


def test_disabled_accounts_and_guessers_are_kept_out(gateway: RunningGateway) -> None:
    gateway.add_account("off", disabled=True)
    off = gateway.client.get("/v1/account", headers={"Authorization": "Bearer key-of-off"})
    check_problem(off, 403, "forbidden")
    for number in range(FAILURES_PER_MIN + 1):
        response = gateway.client.get("/v1/account", headers={"Authorization": f"Bearer {number}"})
    check_problem(response, 429, "too_fast")
    assert response.headers["retry-after"] == "60"
    assert gateway.client.get("/v1/account", headers=KEY).status_code == 200


def test_unknown_paths_and_methods(gateway: RunningGateway) -> None:
    for path in ("/v1", "/v1/", "/v1/messages/", "/v1/nothing", "/v1/messages/1/2", "/v1/endpoints/1/fly"):
        check_problem(gateway.client.get(path, headers=KEY), 404, "not_found")
    for path, allow in (
        ("/v1/messages", "GET, HEAD, POST"),
        ("/v1/endpoints/1", "DELETE, GET, HEAD, PATCH"),
        ("/v1/replay", "POST"),
        ("/v1/openapi.json", "GET, HEAD"),
    ):
        response = gateway.client.request("PUT", path, headers=KEY)
        assert allow in check_problem(response, 405, "no_such_method")["detail"]
        assert response.headers["allow"] == allow


def test_head_answers_without_a_body(gateway: RunningGateway) -> None:
    head = gateway.client.head("/v1/account", headers=KEY)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(gateway.client.get("/v1/account", headers=KEY).content)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("limits=5", "limits"),
        ("after=x", "not an id"),
        ("after=99999999999999999999", "not an id"),
        ("&".join(f"a{number}=1" for number in range(60)), "more than 50"),
    ],
)
def test_parameters_are_read_strictly(gateway: RunningGateway, query: str, said: str) -> None:
    for path in ("messages", "reports", "received", "deliveries"):
        response = gateway.client.get(f"/v1/{path}?{query}", headers=KEY)
        assert said in check_problem(response, 400, "invalid")["detail"]


def test_routes_without_parameters_refuse_them(gateway: RunningGateway) -> None:
    response = gateway.client.get("/v1/account?verbose=1", headers=KEY)
    assert "verbose" in check_problem(response, 400, "invalid")["detail"]


@pytest.mark.parametrize("path", ["messages", "reports", "received", "deliveries", "endpoints"])
@pytest.mark.parametrize("id_", ["0", "7", "x", "-1", "9" * 20, "9" * 5000, "1-", "1-2", "%00", "１"])
def test_ids_that_lead_nowhere(gateway: RunningGateway, path: str, id_: str) -> None:
    check_problem(gateway.client.get(f"/v1/{path}/{id_}", headers=KEY), 404, "not_found")


@pytest.mark.parametrize(
    ("request_", "status", "kind", "said"),
    [
        ({"content": b"{x"}, 400, "invalid", "malformed"),
        ({"content": b""}, 400, "invalid", "truncated"),
        ({"content": b"[" * 10_000}, 400, "invalid", "object"),
        ({"json": {"since": "2026-01-01T00:00:00Z", "sinse": 1}}, 400, "invalid", "sinse"),
        ({"json": {}}, 400, "invalid", "since"),
        ({"content": b"since=1", "headers": {"Content-Type": "text/plain"}}, 415, "unreadable_body", "json"),
        ({"content": b"{}", "headers": {"Content-Encoding": "gzip"}}, 415, "unreadable_body", "encoding"),
        ({"content": b" " * (MAX_BODY_BYTES + 1)}, 413, "body_too_long", str(MAX_BODY_BYTES)),
    ],
)
def test_bodies_are_read_strictly(
    gateway: RunningGateway, request_: dict[str, Any], status: int, kind: str, said: str
) -> None:
    headers = KEY | request_.pop("headers", {})
    response = gateway.client.post("/v1/replay", headers=headers, **request_)
    assert said in check_problem(response, status, kind)["detail"].lower()


def test_a_store_that_is_gone(gateway: RunningGateway, records: StoreRecords, tmp_path: Path) -> None:
    records._database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'homing.db'}")
    for route in ROUTES:
        asks_store = route.path not in ("/v1/messages", "/v1/networks") and "mailbox" not in route.path
        if route.takes is None and asks_store:
            path = route.path.replace("{id}", "1-1" if "deliveries" in route.path else "1")
            response = gateway.client.request(route.method, path, headers=KEY)
            assert "store" in check_problem(response, 503, "unavailable")["detail"]
            assert "retry-after" in response.headers


def test_a_fault_tells_nothing_of_itself(
    gateway: RunningGateway, records: StoreRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(account: str) -> None:
        raise RuntimeError("inner life")

    monkeypatch.setattr(records, "endpoints", fail)
    response = gateway.client.get("/v1/endpoints", headers=KEY)
    assert "inner" not in str(check_problem(response, 500, "internal"))


def test_the_account_says_what_it_is_and_no_secret(gateway: RunningGateway) -> None:
    account = gateway.add_account("rich", metered=True)
    with gateway.database.writing() as connection:
        customers.add_number(connection, Number(number="60999", account="rich", keyword="win"))
        customers.add_credit(connection, "rich", 12.5, None, 0)
    found = Customer(gateway, "rich").ask("GET", "/v1/account")
    assert found.pop("created_at").endswith("Z")
    assert found == {
        "name": "rich", "token": account.token, "metered": True, "balance": 12.5,
        "numbers": [{"number": "60999", "keyword": "win", "network": None, "carrier_code": None}],
    }  # fmt: skip
    plain = Customer(gateway).ask("GET", "/v1/account")
    assert (plain["metered"], plain["balance"], plain["numbers"]) == (False, None, [])
