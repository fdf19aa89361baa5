"""The REST face of the Upside services: JSON and XML, what is rejected and what is an exception."""

from typing import Any

import httpx
import pytest
from lxml import etree

from homing.wire.tracking_id import submission_of
from tests.api.running import RunningGateway
from tests.api.upside_customer import UpsideCustomer

SMS = {"type": "sms", "recipient": "447700900001", "message": "Grüße", "encoding": "7"}


@pytest.fixture
def customer(gateway: RunningGateway) -> UpsideCustomer:
    return UpsideCustomer(gateway)


def post(customer: UpsideCustomer, status: int = 200, **values: Any) -> dict[str, Any]:
    """The JSON of the answer."""
    response = asked(customer, {"responsetype": "JSON"} | values)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    assert list(found) == ["HasException", "ErrorCode", "ErrorMessage", "SMSMessage"]
    return found


def asked(customer: UpsideCustomer, values: dict[str, Any], **headers: str) -> httpx.Response:
    form = SMS | {"signature": customer.pair["signature"]} | values
    path = f"/RESTv1/{customer.pair['token']}/Message"
    return customer.gateway.client.post(path, data=form, headers=headers)


def test_a_message_is_queued(customer: UpsideCustomer) -> None:
    found = post(customer)
    (submission,) = customer.gateway.submissions()
    assert found["HasException"] is False
    assert found["SMSMessage"]["Status"] == "QUEUED"
    assert submission_of(found["SMSMessage"]["TrackingId"]) == submission.id
    assert submission.segments[0].text == "Grüße"


def test_a_test_passes_and_sends_nothing(customer: UpsideCustomer) -> None:
    assert post(customer, type="sms_test")["SMSMessage"] == {
        "Status": "PASSED", "TrackingId": None, "RejectReason": None,
    }  # fmt: skip
    assert customer.gateway.submissions() == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"recipient": "12"}, "INVALID_RECIPIENT"),
        ({"message": ""}, "EMPTY_MESSAGE"),
        ({"message": "x" * 2000}, "MESSAGE_TOO_LONG"),
    ],
)
def test_what_is_rejected_says_why(customer: UpsideCustomer, values: dict[str, str], reason: str) -> None:
    for kind in ("sms", "sms_test"):
        sent = post(customer, type=kind, **values)["SMSMessage"]
        assert (sent["Status"], sent["RejectReason"], sent["TrackingId"]) == ("REJECTED", reason, None)
    assert customer.gateway.submissions() == []


def test_without_credit_it_is_rejected(customer: UpsideCustomer) -> None:
    gateway = customer.gateway
    gateway.change_account(gateway.directory.accounts["acme"], metered=True)
    assert post(customer)["SMSMessage"]["RejectReason"] == "INSUFFICIENT_CREDITS"


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"signature": "x"}, 401, "UNAUTHORISED"),
        ({"type": "fax"}, 400, "INVALID"),
        ({"encoding": "9"}, 400, "INVALID"),
    ],
)
def test_what_is_wrong_with_a_call_is_an_exception(
    customer: UpsideCustomer, values: dict[str, str], status: int, code: str
) -> None:
    found = post(customer, status, **values)
    assert (found["HasException"], found["ErrorCode"], found["SMSMessage"]) == (True, code, None)
    assert found["ErrorMessage"]


def test_xml_unless_json_is_asked_for(customer: UpsideCustomer) -> None:
    response = asked(customer, {"message": "a & b"})
    assert response.headers["content-type"] == "application/xml; charset=utf-8"
    root = etree.fromstring(response.content)
    assert root.findtext("HasException") == "false"
    assert root.findtext("SMSMessage/Status") == "QUEUED"
    assert root.find("ErrorCode") is None
    assert asked(customer, {}, Accept="application/json").json()["SMSMessage"]["Status"] == "QUEUED"
    assert asked(customer, {"responsetype": "XML"}, Accept="application/json").content.startswith(b"<?xml")


def test_paths_and_limits(customer: UpsideCustomer) -> None:
    client = customer.gateway.client
    assert client.post(f"/restv1/{customer.pair['token']}/message", data=SMS).status_code == 401
    assert client.get("/RESTv1/x/Message").status_code == 405
    assert client.post("/RESTv1/x").status_code == 404
    assert client.post("/RESTv1/x/Message", content=b"x" * 70_000).status_code == 413
    many = "&".join(f"p{number}=1" for number in range(60))
    assert client.post(f"/RESTv1/x/Message?{many}").status_code == 400
