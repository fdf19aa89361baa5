"""Endpoints over REST: made, changed, paused, tested and removed by their own customer alone."""

from typing import Any

import msgspec
import pytest

from homing.engine.enrol import SECRET_OVERLAP_MS
from homing.model.clock import now_ms
from homing.model.delivery import Answer
from homing.store import customers
from tests.api.rest_customer import Customer
from tests.api.running import RunningGateway

ENDPOINTS = "/v1/endpoints"
JSON = {"events": ["report", "message"], "format": "json", "url": "https://a.test/in"}
MX = {"events": ["report"], "format": "mx", "url": "http://a.test/in.php"}


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    return Customer(gateway)


def test_a_json_endpoint_gets_a_secret_that_is_shown_once(
    gateway: RunningGateway, customer: Customer
) -> None:
    response = customer.response("POST", ENDPOINTS, 201, json=JSON)
    made = response.json()
    assert response.headers["location"] == f"{ENDPOINTS}/{made['id']}"
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["parts"], made["method"], made["concurrency"], made["paused"]) == (
        "joined",
        "post",
        16,
        False,
    )
    assert customer.ask("GET", response.headers["location"]) == made
    assert customer.ask("GET", ENDPOINTS) == {"items": [made], "next": None}
    gateway.reload()
    assert gateway.directory.endpoints[int(made["id"])].secrets == (secret,)
    assert int(made["id"]) in gateway.directory.formats


def test_an_mx_endpoint_with_everything(gateway: RunningGateway, customer: Customer) -> None:
    wish = MX | {
        "concurrency": 2, "rate_per_s": 0.5, "charset": "utf-8", "timezone": "UTC", "parts": "joined",
        "method": "post", "user": "u", "password": "hidden", "headers": {"X-Key": "hidden"},
        "unknown_as": "FAILED",
    }  # fmt: skip
    made = customer.ask("POST", ENDPOINTS, 201, json=wish)
    assert made.pop("secret") is None
    assert "hidden" not in str(made)
    assert made["header_names"] == ["X-Key"]
    told = {name: made[name] for name in wish if name in made}
    assert told == {name: value for name, value in wish.items() if name not in ("password", "headers")}
    with gateway.database.reading() as connection:
        kept = customers.endpoint_with_id(connection, int(made["id"]))
    assert (kept.password, kept.headers) == ("hidden", (("X-Key", "hidden"),))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://10.0.0.1/"}, "forbidden address"),
        ({"url": "ftp://a.test/"}, "http"),
        ({"url": "http://a.test/" + "a" * 2048}, "$.url"),
        ({"events": []}, "$.events"),
        ({"events": ["mms"]}, "$.events"),
        ({"events": ["mms-report"]}, "mms-report cannot be said in the mx format"),
        ({"method": "put"}, "$.method"),
        ({"method": "multipart"}, "multipart belongs to the mx-mms format"),
        ({"date_form": "iso"}, "$.date_form"),
        ({"date_form": "zone"}, "date belongs to the mx-mms format"),
        ({"format": "xml"}, "$.format"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1 << 70}, "concurrency"),
        ({"rate_per_s": -1}, "rate"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"charset": "klingon"}, "charset"),
        ({"headers": {"Homing-Attempt": "7"}}, "Homing-Attempt"),
        ({"headers": {"X-Key": "a\r\nb"}}, "X-Key"),
        ({"secret": "whsec_AAAA"}, "secret"),
        ({"secrets": []}, "`secrets`"),
        ({"account": "other"}, "`account`"),
    ],
)
def test_what_is_wrong_is_named(gateway: RunningGateway, customer: Customer, change: Any, said: str) -> None:
    detail = customer.problem("POST", ENDPOINTS, 400, json=MX | change)["detail"]
    assert said in detail
    made = customer.ask("POST", ENDPOINTS, 201, json=MX)
    if not {"format", "secret", "secrets", "account"} & set(change):
        path = f"{ENDPOINTS}/{made['id']}"
        assert said in customer.problem("PATCH", path, 400, json=change)["detail"]
        assert customer.ask("GET", path) == {name: made[name] for name in made if name != "secret"}
    assert len(customer.ask("GET", ENDPOINTS)["items"]) == 1


def test_an_endpoint_for_mms(gateway: RunningGateway, customer: Customer) -> None:
    wish = {
        "events": ["message", "mms-report"], "format": "mx-mms", "url": "http://a.test/mms",
        "method": "multipart", "date_form": "zone",
    }  # fmt: skip
    made = customer.ask("POST", ENDPOINTS, 201, json=wish)
    assert made | wish == made
    assert (made["charset"], made["parts"], made["secret"]) == ("utf-8", "joined", None)
    changed = customer.ask("PATCH", f"{ENDPOINTS}/{made['id']}", json={"method": "get", "date_form": "plain"})
    assert (changed["method"], changed["date_form"]) == ("get", "plain")
    gateway.reload()
    assert int(made["id"]) in gateway.directory.formats


def test_a_change_leaves_the_rest(gateway: RunningGateway, customer: Customer) -> None:
    wish = JSON | {"user": "u", "password": "p", "rate_per_s": 5, "headers": {"X-A": "1"}}
    made = customer.ask("POST", ENDPOINTS, 201, json=wish)
    path = f"{ENDPOINTS}/{made['id']}"
    secret = made.pop("secret")
    assert customer.ask("PATCH", path, json={}) == made
    change = {"url": "https://b.test/", "rate_per_s": None, "user": None, "password": None, "headers": {}}
    changed = customer.ask("PATCH", path, json=change | {"events": ["message", "message"]})
    expected = {"url": "https://b.test/", "rate_per_s": None, "user": None, "header_names": []}
    assert changed == made | expected | {"events": ["message"]}
    gateway.reload()
    assert gateway.directory.endpoints[int(made["id"])].secrets == (secret,)
    for wrong in ({"format": "mx"}, {"paused": True}, {"url": None}, {"secret": "x"}, {"unknown_as": "X"}):
        customer.problem("PATCH", path, 400, json=wrong)


def test_pause_and_resume(gateway: RunningGateway, customer: Customer) -> None:
    path = f"{ENDPOINTS}/{customer.ask('POST', ENDPOINTS, 201, json=JSON)['id']}"
    assert customer.ask("POST", f"{path}/pause")["paused"]
    with gateway.database.writing() as connection:
        endpoint = customers.endpoint_with_id(connection, 1)
        customers.change_endpoint(connection, msgspec.structs.replace(endpoint, disabled_reason="410 Gone"))
    assert customer.ask("GET", path)["disabled_reason"] == "410 Gone"
    resumed = customer.ask("POST", f"{path}/resume")
    assert (resumed["paused"], resumed["disabled_reason"]) == (False, None)


def test_a_rotated_secret_leaves_the_former_one_a_day(gateway: RunningGateway, customer: Customer) -> None:
    made = customer.ask("POST", ENDPOINTS, 201, json=JSON)
    path = f"{ENDPOINTS}/{made['id']}"
    before = now_ms()
    rotated = customer.ask("POST", f"{path}/rotate-secret")
    gateway.reload()
    kept = gateway.directory.endpoints[int(made["id"])]
    assert kept.secrets == (rotated["secret"], made["secret"])
    assert before + SECRET_OVERLAP_MS <= kept.old_secrets_until_ms <= now_ms() + SECRET_OVERLAP_MS
    assert customer.ask("GET", path)["old_secret_until"] == rotated["old_secret_until"]
    mx = customer.ask("POST", ENDPOINTS, 201, json=MX)["id"]
    customer.problem("POST", f"{ENDPOINTS}/{mx}/rotate-secret", 400)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=200, body=b"OK\xff", length=3, took_ms=7), (200, None, "OK\\xff", 7)),
        (Answer(status=None, body=b"", length=0, took_ms=9, error="timeout"), (None, "timeout", "", 9)),
    ],
)
def test_a_test_tells_the_answer(
    gateway: RunningGateway, customer: Customer, answer: Answer, told: tuple[Any, ...]
) -> None:
    gateway.tested = answer
    made = customer.ask("POST", ENDPOINTS, 201, json=JSON)
    found = customer.ask("POST", f"{ENDPOINTS}/{made['id']}/test")
    assert tuple(found[name] for name in ("status", "error", "answer", "took_ms")) == told


def test_a_removed_endpoint_is_gone(customer: Customer) -> None:
    path = f"{ENDPOINTS}/{customer.ask('POST', ENDPOINTS, 201, json=JSON)['id']}"
    assert customer.response("DELETE", path, 204).content == b""
    customer.problem("DELETE", path, 404)
    assert customer.ask("GET", ENDPOINTS)["items"] == []


def test_what_is_anothers_is_not_there(gateway: RunningGateway, customer: Customer) -> None:
    gateway.add_account("other")
    path = f"{ENDPOINTS}/{Customer(gateway, 'other').ask('POST', ENDPOINTS, 201, json=JSON)['id']}"
    customer.problem("GET", path, 404)
    customer.problem("PATCH", path, 404, json={})
    customer.problem("DELETE", path, 404)
    for verb in ("pause", "resume", "test", "rotate-secret"):
        customer.problem("POST", f"{path}/{verb}", 404)
    assert customer.ask("GET", ENDPOINTS)["items"] == []
