"""Messages over REST: what is sent is durable, once per key, and seen as it went."""

from typing import Any

import httpx
import pytest

from homing.api.gateway import Health
from homing.model.clock import id_at
from homing.model.message import Coding, Segment
from homing.store import customers
from homing.store import tables as t
from tests.api.rest_customer import Customer
from tests.api.running import MAX_BULK, RunningGateway
from tests.store import mms_rows, rows

TO = "+44 7700 900123"
MESSAGES = "/v1/messages"


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    return Customer(gateway)


def test_a_message_is_durable_before_its_id_is_answered(gateway: RunningGateway, customer: Customer) -> None:
    wish = {
        "from": "60999", "to": TO, "text": "Hello €", "report": 3, "validity_s": 3600, "flash": True,
        "note": "n1", "subaccount": "s1", "not_before": "2020-01-02T03:04:05.678+02:00",
    }  # fmt: skip
    taken = customer.ask("POST", MESSAGES, 202, json=wish)
    (submission,) = gateway.submissions()
    assert taken == {"id": str(submission.id), "segments": 1, "to": "447700900123"}
    assert (submission.account, submission.sender, submission.recipient) == ("acme", "60999", "447700900123")
    assert submission.segments == (Segment(coding=Coding.TEXT, text="Hello €"),)
    assert (submission.report_bits, submission.validity_s, submission.flash) == (3, 3600, True)
    assert (submission.note, submission.subaccount) == ("n1", "s1")
    assert submission.not_before_ms == 1_577_927_045_678
    found = customer.ask("GET", f"{MESSAGES}/{taken['id']}")
    assert found["submission"]["not_before"] == "2020-01-02T01:04:05.678Z"
    assert [segment["text"] for segment in found["segments"]] == ["Hello €"]


def test_the_least_wish_asks_for_every_report(gateway: RunningGateway, customer: Customer) -> None:
    customer.ask("POST", MESSAGES, 202, json={"to": TO, "text": "ж" * 71})
    (submission,) = gateway.submissions()
    assert (submission.report_bits, submission.sender, submission.not_before_ms) == (7, "", 0)
    assert [segment.coding for segment in submission.segments] == [Coding.UNICODE] * 2


@pytest.mark.parametrize(
    ("moment", "at_ms"),
    [
        ("0001-01-01T00:00:00+14:00", 0),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("2023-03-03T03:03:03.003-01:00", 1_677_816_183_003),
    ],
)
def test_any_moment_that_names_its_zone(
    gateway: RunningGateway, customer: Customer, moment: str, at_ms: int
) -> None:
    customer.ask("POST", MESSAGES, 202, json={"to": TO, "text": "a", "not_before": moment})
    assert gateway.submissions()[0].not_before_ms == at_ms
    customer.ask("GET", MESSAGES)


def test_data_with_a_header(gateway: RunningGateway, customer: Customer) -> None:
    customer.ask("POST", MESSAGES, 202, json={"to": TO, "data": "c0FFee", "udh": "06050415811581"})
    (submission,) = gateway.submissions()
    udh = bytes.fromhex("06050415811581")
    assert submission.segments == (Segment(coding=Coding.DATA, data=b"\xc0\xff\xee", udh=udh),)


def test_many_are_taken_in_their_order_or_not_at_all(gateway: RunningGateway, customer: Customer) -> None:
    numbers = [f"4477009{number:05}" for number in range(600)]
    taken = customer.ask("POST", MESSAGES, 202, json={"to": numbers, "text": "a"})
    assert [item["to"] for item in taken["items"]] == numbers
    assert [item["id"] for item in taken["items"]] == [str(s.id) for s in gateway.submissions()]
    assert len(customer.ask("POST", MESSAGES, 202, json={"to": [TO], "text": "a"})["items"]) == 1
    for to in (["447700900001", "x"], [], ["447700900001"] * (MAX_BULK + 1)):
        detail = customer.problem("POST", MESSAGES, 400, json={"to": to, "text": "a"})["detail"]
        assert detail.startswith("to")
    assert len(gateway.submissions()) == 601


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({"text": "a"}, 400, "`to`"),
        ({"to": "x", "text": "a"}, 400, "recipient"),
        ({"to": 447700900123, "text": "a"}, 400, "$.to"),
        ({"to": TO}, 400, "one of text and data"),
        ({"to": TO, "text": "a", "data": "00"}, 400, "one of text and data"),
        ({"to": TO, "text": "a", "udh": "00"}, 400, "udh goes with data"),
        ({"to": TO, "data": "0"}, 400, "$.data"),
        ({"to": TO, "data": ""}, 400, "no content"),
        ({"to": TO, "data": "00", "udh": "0102"}, 202, ""),
        ({"to": TO, "data": "00", "udh": "0202"}, 400, "first octet"),
        ({"to": TO, "data": "00", "udh": ""}, 400, "first octet"),
        ({"to": TO, "data": "00", "udh": "zz"}, 400, "udh is not hex"),
        ({"to": TO, "data": "00" * 141}, 413, "141"),
        ({"to": TO, "text": "a" * 1531}, 413, "1530"),
        ({"to": TO, "text": "a", "report": 8}, 400, "$.report"),
        ({"to": TO, "text": "a", "report": True}, 400, "$.report"),
        ({"to": TO, "text": "a", "validity_s": 0}, 400, "$.validity_s"),
        ({"to": TO, "text": "a", "from": "much too long a name"}, 400, "originator"),
        ({"to": TO, "text": "a", "note": "a\u0000"}, 400, "note"),
        ({"to": TO, "text": "a", "subaccount": "a\n"}, 400, "subaccount"),
        ({"to": TO, "text": "a", "not_before": "2030-01-02T03:04:05"}, 400, "$.not_before"),
        ({"to": TO, "text": "a", "not_before": "tomorrow"}, 400, "$.not_before"),
        ({"to": TO, "text": "a", "not_before": "9999-12-31T23:59:59-14:00"}, 400, "a year ahead"),
        ({"to": TO, "text": "a", "sms": 1}, 400, "`sms`"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    gateway: RunningGateway, customer: Customer, wish: dict[str, Any], status: int, said: str
) -> None:
    assert said in customer.ask("POST", MESSAGES, status, json=wish).get("detail", "")
    assert len(gateway.submissions()) == (1 if status == 202 else 0)


def test_a_text_may_hold_what_json_can(gateway: RunningGateway, customer: Customer) -> None:
    customer.ask("POST", MESSAGES, 202, json={"to": TO, "text": "\u0000👍\n"})
    assert gateway.submissions()[0].segments[0].text == "\u0000👍\n"
    for text in (b"\\ud83d", b"\xff"):
        body = b'{"to": "447700900123", "text": "' + text + b'"}'
        customer.problem("POST", MESSAGES, 400, content=body)


def test_a_key_makes_a_request_count_once(gateway: RunningGateway, customer: Customer) -> None:
    gateway.add_account("other")
    key = {"Idempotency-Key": "order-1"}
    wish = {"to": TO, "text": "a"}
    first = customer.ask("POST", MESSAGES, 202, json=wish, headers=key)
    assert customer.ask("POST", MESSAGES, 202, json=wish, headers=key) == first
    found = customer.problem("POST", MESSAGES, 422, json=wish | {"text": "b"}, headers=key)
    assert found["type"] == "urn:homing:problem:key_reused"
    assert len(gateway.submissions()) == 1
    other = customer.ask("POST", MESSAGES, 202, json=wish, headers={"Idempotency-Key": "order-2"})
    theirs = Customer(gateway, "other").ask("POST", MESSAGES, 202, json=wish, headers=key)
    assert len({first["id"], other["id"], theirs["id"]}) == 3
    for wrong in ("a" * 256, "\xff", ""):
        headers = {"Idempotency-Key": wrong.encode("latin-1")}
        detail = customer.problem("POST", MESSAGES, 400, json=wish, headers=headers)["detail"]
        assert "Idempotency-Key" in detail


def test_credit_is_taken_and_asked_for(gateway: RunningGateway) -> None:
    gateway.add_account("poor", metered=True)
    with gateway.database.writing() as connection:
        customers.add_credit(connection, "poor", 3, None, 0)
    poor = Customer(gateway, "poor")
    poor.ask("POST", MESSAGES, 202, json={"to": [TO, TO], "text": "a"})
    poor.problem("POST", MESSAGES, 402, json={"to": [TO, TO], "text": "a"})
    assert poor.ask("GET", "/v1/account")["balance"] == 1
    assert len(gateway.submissions()) == 2


def test_who_may_not_send_now(gateway: RunningGateway, customer: Customer) -> None:
    gateway.add_account("far", allowed_addresses=("192.0.2.0/24",))
    far = Customer(gateway, "far")
    far.problem("POST", MESSAGES, 403, json={"to": TO, "text": "a"})
    far.ask("GET", MESSAGES)
    gateway.health = Health(store_trouble=None, listening=True, draining=True, links=[])
    customer.problem("POST", MESSAGES, 503, json={"to": TO, "text": "a"})
    assert gateway.submissions() == []


def test_a_store_that_takes_nothing_says_so(gateway: RunningGateway, customer: Customer) -> None:
    with gateway.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON submissions BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    customer.problem("POST", MESSAGES, 503, json={"to": TO, "text": "a"})


# --- seeing ---

FIRST = id_at(1_700_000_000_000)


@pytest.fixture
def history(gateway: RunningGateway) -> None:
    """A submission, its report and a received message, for ``acme`` and for ``other``."""
    gateway.add_account("other")
    with gateway.database.writing() as connection:
        for base, account in ((FIRST, "acme"), (FIRST + 100, "other")):
            rows.add_submission(connection, base, account, sent_at_ms=1_700_000_000_100, link="sim")
            rows.add_segment(connection, base)
            rows.add_receipt(connection, base + 1, base)
            rows.add_report(connection, base + 2, base, account)
            rows.add_message(connection, base + 3, account)
            for event, kind in ((base + 2, "report"), (base + 3, "message")):
                rows.add_delivery(connection, event, 1, kind=kind, account=account, attempt=2)
                rows.add_attempt(connection, event, 1, 1)
    assert len(gateway.rows(t.deliveries)) == 4


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("path", "number", "name"),
    [("messages", 0, "submission"), ("reports", 2, "report"), ("received", 3, "message")],
)
def test_what_happened_is_seen_by_its_account_alone(
    gateway: RunningGateway, customer: Customer, path: str, number: int, name: str
) -> None:
    id_ = str(FIRST + number)
    assert [item["id"] for item in customer.ask("GET", f"/v1/{path}")["items"]] == [id_]
    found = customer.ask("GET", f"/v1/{path}/{id_}")
    assert found[name]["id"] == id_
    (delivery,) = found["deliveries"]
    assert (delivery["endpoint"], [a["status"] for a in delivery["attempts"]]) == ("1", [500])
    assert "node" not in delivery  # that is the operator's matter
    if name != "message":
        assert found["segments"][0]["receipts"][0]["raw"] == "id:0A1B stat:DELIVRD\\xff"
        assert [report["id"] for report in found["reports"]] == [str(FIRST + 2)]
    customer.problem("GET", f"/v1/{path}/{FIRST + 100 + number}", 404)
    other = Customer(gateway, "other")
    other.problem("GET", f"/v1/{path}/{id_}", 404)
    assert [item["id"] for item in other.ask("GET", f"/v1/{path}")["items"]] == [str(FIRST + 100 + number)]


def test_pages_follow_each_other(gateway: RunningGateway, customer: Customer) -> None:
    with gateway.database.writing() as connection:
        for number in range(5):
            rows.add_submission(connection, FIRST + number)
    pages = [customer.ask("GET", f"{MESSAGES}?limit=2")]
    while pages[-1]["next"] is not None:
        pages.append(customer.ask("GET", f"{MESSAGES}?limit=2&after={pages[-1]['next']}"))
    assert [[item["id"] for item in page["items"]] for page in pages] == [
        [str(FIRST + number) for number in numbers] for numbers in ((4, 3), (2, 1), (0,))
    ]


def test_an_mms_is_shown_with_links_that_lead_to_its_parts(
    gateway: RunningGateway, customer: Customer
) -> None:
    content = mms_rows.keep(gateway.contents)
    with gateway.database.writing() as connection:
        mms_rows.add_mms(connection, FIRST, content)
        mms_rows.add_sent_mms(connection, FIRST + 1, content)
        rows.add_message(connection, FIRST + 2)
    shown = [
        customer.ask("GET", "/v1/received")["items"][1],
        customer.ask("GET", f"/v1/received/{FIRST}")["message"],
        customer.ask("GET", MESSAGES)["items"][0],
        customer.ask("GET", f"{MESSAGES}/{FIRST + 1}")["submission"],
    ]
    for message in shown:
        mms = message["mms"]
        assert (mms["subject"], mms["size"], mms["sha256"]) == ("Holiday", content.size, content.sha256)
        whole = httpx.get(mms["url"])
        assert (whole.status_code, len(whole.content)) == (200, content.size)
        for part, (name, content_type, octets) in zip(mms["parts"], mms_rows.PARTS, strict=True):
            assert (part["name"], part["type"], part["size"]) == (name, content_type, len(octets))
            assert httpx.get(part["url"]).content == octets
    assert customer.ask("GET", f"/v1/received/{FIRST + 2}")["message"]["mms"] is None
