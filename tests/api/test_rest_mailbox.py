"""The mailbox over REST: listed, marked, counted, and polled no more often than the rule says."""

import msgspec
import pytest

from homing.model.clock import id_at, now_ms
from homing.model.mms import Content, Mms, Part
from homing.wire.mail_id import mail_id
from tests.api.rest_customer import Customer
from tests.api.running import RunningGateway
from tests.store import rows

FIRST = id_at(now_ms() - 86_400_000)


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    """With two messages and a report in between; ``other`` has one too."""
    gateway.add_account("other")
    with gateway.database.writing() as connection:
        rows.add_message(connection, FIRST, carrier_code="23415")
        rows.add_submission(connection, FIRST + 1, note="order 7")
        rows.add_report(connection, FIRST + 2, FIRST + 1)
        rows.add_message(connection, FIRST + 3, text="", coding=8, data=b"\x00\xff")
        rows.add_message(connection, FIRST + 4, "other")
    return Customer(gateway)


def name(number: int) -> str:
    return mail_id(FIRST + number)


def test_mails_come_oldest_first_a_page_at_a_time(customer: Customer) -> None:
    first = customer.ask("GET", "/v1/mailbox?limit=2")
    assert first["next"] == name(2)
    rest = customer.ask("GET", f"/v1/mailbox?limit=2&after={first['next']}")
    assert rest["next"] is None
    message, report, data = first["items"] + rest["items"]
    assert [mail["id"] for mail in (message, report, data)] == [name(0), name(2), name(3)]
    assert (message["kind"], message["text"], message["from"], message["to"], message["carrier_code"]) == (
        "message", "hello", "447700900001", "60999", "23415",
    )  # fmt: skip
    assert (report["kind"], report["status"], report["final"], report["note"], report["smsid"]) == (
        "report", "DELIVERED", True, "order 7", str(FIRST + 1),
    )  # fmt: skip
    assert report["tracking_id"] == f"MTID{FIRST + 1}"
    assert (data["text"], data["data"], data["coding"]) == (None, "00FF", "data")
    assert not any(mail["read"] for mail in (message, report, data))


def test_an_mms_says_what_it_carries(customer: Customer) -> None:
    part = Part(name="pic.jpg", content_type="image/jpeg", size=7, offset=60, sha256="ab" * 32)
    mms = Mms(
        subject="Hols", to=("60999", "ann@ox.test"), cc=("447700900002",), expires_at_ms=1_700_000_000_000,
        content=Content(sha256="cd" * 32, size=300, parts=(part,)),
    )  # fmt: skip
    with customer.gateway.database.writing() as connection:
        rows.add_message(connection, FIRST + 5, text="Look", mms=msgspec.msgpack.encode(mms))
    shown = customer.ask("GET", f"/v1/mailbox/{name(5)}")
    assert (shown["kind"], shown["text"], shown["status"]) == ("mms", "Look", None)
    links = [shown["mms"].pop("url"), shown["mms"]["parts"][0].pop("url")]
    for number, link in enumerate(links):
        assert f"/mms/v1/content/{FIRST + 5}/{number}?until=" in link
    assert shown["mms"] == {
        "subject": "Hols", "to": ["60999", "ann@ox.test"], "cc": ["447700900002"], "size": 300,
        "expires_at": "2023-11-14T22:13:20.000Z", "sha256": "cd" * 32,
        "parts": [{"name": "pic.jpg", "type": "image/jpeg", "size": 7, "sha256": "ab" * 32}],
    }  # fmt: skip
    others = customer.ask("GET", "/v1/mailbox")["items"]
    assert [mail["mms"] is None for mail in others] == [True, True, True, False]


def test_a_second_poll_waits_unless_the_first_was_a_full_page(customer: Customer) -> None:
    assert len(customer.ask("GET", "/v1/mailbox?unread=true&limit=3")["items"]) == 3
    customer.ask("GET", "/v1/mailbox?unread=true")
    refused = customer.response("GET", "/v1/mailbox", 429)
    assert refused.json()["type"] == "urn:homing:problem:too_soon"
    assert refused.headers["retry-after"] == "120"
    customer.gateway.time_s += 119.5
    assert customer.response("GET", "/v1/mailbox", 429).headers["retry-after"] == "1"
    customer.gateway.time_s += 0.5
    customer.ask("GET", "/v1/mailbox")


def test_marks_are_seen_in_every_answer(customer: Customer) -> None:
    assert customer.ask("PATCH", f"/v1/mailbox/{name(0)}", json={"read": True})["read"] is True
    assert customer.ask("GET", f"/v1/mailbox/{name(0)}")["read"] is True
    assert customer.ask("GET", "/v1/mailbox/unread-count") == {"unread": 2}
    customer.response("DELETE", f"/v1/mailbox/{name(3)}", 204)
    customer.problem("DELETE", f"/v1/mailbox/{name(3)}", 404)
    assert [mail["id"] for mail in customer.ask("GET", "/v1/mailbox")["items"]] == [name(0), name(2)]
    marks = {"unread": [name(0), name(9)], "read": [name(2), name(3)], "deleted": [name(4)]}
    assert customer.ask("POST", "/v1/mailbox/marks", json=marks) == {"count": 2}
    customer.gateway.time_s += 120
    assert [mail["id"] for mail in customer.ask("GET", "/v1/mailbox?unread=true")["items"]] == [name(0)]


def test_what_is_another_accounts_is_not_there(customer: Customer) -> None:
    for method, body in (("GET", None), ("PATCH", {"read": True}), ("DELETE", None)):
        customer.problem(method, f"/v1/mailbox/{name(4)}", 404, json=body)
    customer.problem("GET", "/v1/mailbox/nonsense", 404)
    assert "mail" in customer.problem("GET", "/v1/mailbox?after=7", 400)["detail"]
    assert "mail" in customer.problem("POST", "/v1/mailbox/marks", 400, json={"read": ["x"]})["detail"]
    customer.problem("GET", "/v1/mailbox?limit=301", 400)
    other = Customer(customer.gateway, "other")
    assert [mail["id"] for mail in other.ask("GET", "/v1/mailbox")["items"]] == [name(4)]
