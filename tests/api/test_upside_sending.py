"""Sending by every binding: what goes out, and every flag and text that says why it does not."""

from typing import Any

import pytest

from homing.engine.submit import ALL_REPORTS
from homing.model.account import Number
from homing.model.clock import now_ms
from homing.model.message import Coding, Submission
from homing.store import customers
from homing.wire.gsm import parse_user_data_header
from homing.wire.tracking_id import submission_of
from tests.api.running import RunningGateway
from tests.api.upside_customer import BINDINGS, Fault, UpsideCustomer

PHONE = "447700900001"
FLAGS = {
    "isOk": "true", "deferUntilOccursInThePast": "false", "messageIsEmpty": "false",
    "tooManyMessages": "false", "invalidCountryCode": "false", "isBlocked": "false", "balanceIsZero": "false",
    "invalidCarrierCode": "false",
}  # fmt: skip
TEXT = {"recipient": PHONE, "message": "Hello", "encoding": "Seven"}
FROM = {"carrierCode": "302720", "dedicatedNumber": "60999", "tariff": 0.0}


@pytest.fixture(params=BINDINGS)
def customer(gateway: RunningGateway, request: pytest.FixtureRequest) -> UpsideCustomer:
    return prepared(gateway, request.param)


@pytest.fixture
def sender(gateway: RunningGateway) -> UpsideCustomer:
    return prepared(gateway, "get")


def prepared(gateway: RunningGateway, binding: Any) -> UpsideCustomer:
    with gateway.database.writing() as connection:
        customers.add_number(connection, Number(number="60999", account="acme"))
    gateway.reload()
    return UpsideCustomer(gateway, binding=binding)


def sent(customer: UpsideCustomer, result: dict[str, str]) -> Submission:
    """The one submission, which the result names."""
    assert {name: result[name] for name in FLAGS} == FLAGS
    assert "BlockedReason" not in result
    (submission,) = customer.gateway.submissions()
    assert submission_of(result["trackingId"]) == submission.id
    assert (submission.recipient, submission.report_bits) == (PHONE, ALL_REPORTS)
    assert submission.sender == "60999"
    return submission


def refused(customer: UpsideCustomer, operation: str, flag: str, **values: Any) -> dict[str, str]:
    """The result of something that is not sent, with this flag."""
    result: dict[str, str] = customer.sms(operation, **values)
    assert (result["isOk"], result[flag], "trackingId" in result) == ("false", "true", False)
    assert ("BlockedReason" in result) == (result["isBlocked"] == "true")
    assert customer.gateway.submissions() == []
    return result


def test_plain(customer: UpsideCustomer) -> None:
    result = customer.sms("Send_Plain", **TEXT | {"recipient": f"+{PHONE}"})
    assert (result["number"].strip(), result["convertedNumber"]) == (f"+{PHONE}", PHONE)
    assert sent(customer, result).segments[0].text == "Hello"


def test_a_test_sends_nothing(customer: UpsideCustomer) -> None:
    result = customer.sms("Send_Test", **TEXT)
    assert {name: result[name] for name in FLAGS} == FLAGS
    assert "trackingId" not in result
    assert customer.gateway.submissions() == []
    assert customer.sms("Send_Test", **TEXT | {"message": ""})["messageIsEmpty"] == "true"


def test_dedicated(customer: UpsideCustomer) -> None:
    sent(customer, customer.sms("Send_Plain_Dedicated", **TEXT, **FROM))


def test_deferred(customer: UpsideCustomer) -> None:
    values = {"DelayHours": 1, "DelayMinutes": 30, "label": "later"}
    submission = sent(customer, customer.sms("Send_Plain_Deferred", **TEXT, **values))
    assert abs(submission.not_before_ms - now_ms() - 5_400_000) < 30_000
    assert submission.note == "later"


def test_flash(customer: UpsideCustomer) -> None:
    submission = sent(customer, customer.sms("Send_Flash", recipient=PHONE, message="Hello"))
    assert submission.flash


def test_wap_push(customer: UpsideCustomer) -> None:
    result = customer.sms("Send_WAPPush", recipient=PHONE, title="Hi", url="http://a.test/b?c=1&d=2")
    (segment,) = sent(customer, result).segments
    assert segment.coding is Coding.DATA
    assert parse_user_data_header(segment.udh).ports == (2948, 9200)
    assert b"a.test/b?c=1&d=2" in segment.data


def test_port(customer: UpsideCustomer) -> None:
    values = {"recipient": PHONE, "port": 5000, "encodedMessage": "00ffAB"}
    (segment,) = sent(customer, customer.sms("Send_Port", **values)).segments
    assert (segment.data, parse_user_data_header(segment.udh).ports) == (b"\x00\xff\xab", (5000, 0))
    result = customer.sms("Send_Port_Dedicated", **values, **FROM)
    assert result["isOk"] == "true"


def test_multiple(customer: UpsideCustomer) -> None:
    values = {"message": "Hello", "encoding": "Sixteen"}
    result = customer.sms("Send_Plain_Multiple", recipients=f"{PHONE}, {PHONE[:-1]}2;447700900003", **values)
    assert result == {"isOk": "true", "successCount": "3", "failedCount": "0"}
    assert [each.segments[0].coding for each in customer.gateway.submissions()] == [Coding.UNICODE] * 3
    result = customer.sms("Send_Plain_Multiple", recipients=f"12,{PHONE},x", **values)
    assert result == {
        "isOk": "false", "successCount": "1", "failedCount": "2", "errorNumbers": "12,x",
        "errorMessages": "recipient length invalid,recipient length invalid",
    }  # fmt: skip
    result = customer.sms("Send_Plain_Multiple", recipients=" , ", **values)
    assert result == {
        "isOk": "false", "successCount": "0", "failedCount": "0", "errorMessages": "No recipients",
    }  # fmt: skip
    many = ",".join(f"4477009000{number:02}" for number in range(26))
    result = customer.sms("Send_Plain_Multiple", recipients=many, **values)
    assert result == {
        "isOk": "false", "successCount": "0", "failedCount": "26", "errorNumbers": many,
        "errorMessages": "Excess maximum recipients (25)",
    }  # fmt: skip
    assert len(customer.gateway.submissions()) == 4


def test_group(customer: UpsideCustomer) -> None:
    records = customer.gateway._records
    records.add_group("acme", "friends", [PHONE, "447700900002"])
    values = {"message": "Hello", "encoding": "Seven"}
    assert customer.sms("Send_Plain_Group", groupName="Friends", **values) == {"isOk": "true"}
    assert [each.recipient for each in customer.gateway.submissions()] == [PHONE, "447700900002"]
    assert customer.sms("Send_Plain_Group", groupName="foes", **values) == {
        "isOk": "false", "errorMessages": "No such group",
    }  # fmt: skip
    meter(customer, 1)
    told = customer.sms("Send_Plain_Group", groupName="friends", **values)
    assert told["isOk"] == "false"
    assert told["errorMessages"].startswith("Not enough credits to send SMS to all members of the group.")
    assert len(customer.gateway.submissions()) == 2


def meter(customer: UpsideCustomer, credits: float) -> None:
    gateway = customer.gateway
    gateway.change_account(gateway.directory.accounts["acme"], metered=True)
    with gateway.database.writing() as connection:
        customers.add_credit(connection, "acme", credits, None, 0)


def test_without_credit_the_flag_says_so(customer: UpsideCustomer) -> None:
    meter(customer, 1)
    refused(customer, "Send_Plain", "balanceIsZero", **TEXT | {"message": "x" * 161})
    assert customer.sms("Send_Plain", **TEXT)["isOk"] == "true"
    assert customer.sms("Send_Plain", **TEXT)["balanceIsZero"] == "true"
    values = {"message": "Hello", "encoding": "Seven"}
    told = customer.sms("Send_Plain_Multiple", recipients=PHONE, **values)
    assert (told["isOk"], told["failedCount"], told["errorMessages"]) == ("false", "1", "Not enough credits")


@pytest.mark.parametrize("number", ["", "0447700900001", "12", "Bank", "1" * 16])
def test_what_is_no_international_number(sender: UpsideCustomer, number: str) -> None:
    result = refused(sender, "Send_Plain", "invalidCountryCode", **TEXT | {"recipient": number})
    assert "convertedNumber" not in result


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("Send_Plain", TEXT | {"message": ""}),
        ("Send_Flash", {"recipient": PHONE, "message": ""}),
        ("Send_WAPPush", {"recipient": PHONE, "title": "Hi", "url": ""}),
        ("Send_Port", {"recipient": PHONE, "port": 1, "encodedMessage": " "}),
    ],
)
def test_what_is_empty(sender: UpsideCustomer, operation: str, values: dict[str, Any]) -> None:
    refused(sender, operation, "messageIsEmpty", **values)


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("Send_Plain", TEXT | {"message": "x" * 1531}),
        ("Send_Plain", TEXT | {"message": "x" * 400, "encoding": "Sixteen"}),
        ("Send_Port", {"recipient": PHONE, "port": 1, "encodedMessage": "00" * 2000}),
    ],
)
def test_what_is_too_long(sender: UpsideCustomer, operation: str, values: dict[str, Any]) -> None:
    refused(sender, operation, "tooManyMessages", **values)


@pytest.mark.parametrize(
    ("operation", "values", "reason"),
    [
        ("Send_Port", {"recipient": PHONE, "port": 1, "encodedMessage": "0x"}, "encodedMessage is not hex"),
        ("Send_Port", {"recipient": PHONE, "port": 70000, "encodedMessage": "00"}, "a port is from"),
        ("Send_Plain_Dedicated", TEXT | FROM | {"dedicatedNumber": "60998"}, "not a number of this account"),
        ("Send_Plain_Dedicated", TEXT | FROM | {"tariff": 1.5}, "no tariff can be charged"),
        (
            "Send_Plain_Deferred",
            TEXT | {"DelayHours": 9000, "DelayMinutes": 0, "label": ""},
            "more than a year",
        ),
    ],
)
def test_what_is_blocked_says_why(
    sender: UpsideCustomer, operation: str, values: dict[str, Any], reason: str
) -> None:
    assert reason in refused(sender, operation, "isBlocked", **values)["BlockedReason"]


def test_a_time_in_the_past_and_a_carrier_that_is_none(sender: UpsideCustomer) -> None:
    values = TEXT | {"DelayHours": 0, "DelayMinutes": -1, "label": ""}
    refused(sender, "Send_Plain_Deferred", "deferUntilOccursInThePast", **values)
    refused(sender, "Send_Plain_Dedicated", "invalidCarrierCode", **TEXT | FROM | {"carrierCode": "x"})


def test_an_address_that_may_not_send(customer: UpsideCustomer) -> None:
    gateway = customer.gateway
    gateway.change_account(gateway.directory.accounts["acme"], allowed_addresses=("192.0.2.0/24",))
    with pytest.raises(Fault, match="may not send from your address") as told:
        customer.sms("Send_Plain", **TEXT)
    assert told.value.detail == "UnauthorizedAccessException"


def test_a_long_text_goes_out_in_parts(sender: UpsideCustomer) -> None:
    assert sender.sms("Send_Plain", **TEXT | {"message": "ü" * 400, "encoding": "Eight"})["isOk"] == "true"
    (submission,) = sender.gateway.submissions()
    assert len(submission.segments) == 3
