"""The Account service by every binding: balance, profile, users, devices, credits."""

from typing import Any

import pytest

from homing.model.account import Number
from homing.store import customers
from tests.api.running import RunningGateway
from tests.api.upside_customer import BINDINGS, UpsideCustomer

ANN = {
    "userName": "ann", "passWord": "s3cret", "firstName": "Ann", "lastName": "Ox",
    "emailAddress": "ann@ox.test", "smsIN": "ox", "webText": "oxoxox", "comment": "",
}  # fmt: skip
MORE = {"externalId": "17", "companyName": "Ox & Co"}


@pytest.fixture(params=BINDINGS)
def customer(gateway: RunningGateway, request: pytest.FixtureRequest) -> UpsideCustomer:
    return UpsideCustomer(gateway, binding=request.param)


@pytest.fixture
def maker(gateway: RunningGateway) -> UpsideCustomer:
    made = UpsideCustomer(gateway, binding="post")
    assert made.account("AddUser", **ANN) == {"isOk": "true", "errorCode": "NO_ERROR"}
    gateway.reload()
    return made


def code(result: dict[str, str]) -> str:
    assert (result["isOk"] == "true") == (result["errorCode"] == "NO_ERROR")
    assert ("message" in result) == (result["isOk"] == "false")
    return result["errorCode"]


def test_balance_and_profile(customer: UpsideCustomer) -> None:
    gateway = customer.gateway
    assert customer.account("Balance_Get") == "999999"
    info = customer.account("Info_Get")
    assert (info["userName"], info["isUnlimited"], "firstName" in info) == ("acme", "true", False)
    gateway.change_account(gateway.directory.accounts["acme"], metered=True)
    with gateway.database.writing() as connection:
        customers.add_credit(connection, "acme", 12.5, None, 0)
        customers.add_number(connection, Number(number="60999", account="acme"))
    gateway.reload()
    assert customer.account("Balance_Get") == "12.5"
    info = customer.account("Info_Get")
    assert (info["balance"], info["isUnlimited"], info["numbers"]) == ("12.5", "false", "60999")


def test_a_user_is_made_and_can_log_in(customer: UpsideCustomer) -> None:
    gateway = customer.gateway
    assert code(customer.account("AddUser_Extended", **ANN, **MORE)) == "NO_ERROR"
    gateway.reload()
    ann = UpsideCustomer(gateway, "ann", customer.binding)
    assert ann.login("s3cret", "ann")["Token"] == ann.pair["token"]
    info = ann.account("Info_Get")
    assert (info["firstName"], info["companyName"], info["externalId"]) == ("Ann", "Ox & Co", "17")
    assert ann.account("Balance_Get") == "0"
    assert code(ann.account("AddUser", **ANN | {"userName": "bob"})) == "UNAUTHORIZED_ACCESS"
    assert code(customer.account("AddUser", **ANN)) == "EMAIL_ADDRESS_IN_USE"
    assert code(customer.account("AddUser", **ANN | {"firstName": ""})) == "INVALID_FISTNAME"


def test_credits_move_to_a_user(maker: UpsideCustomer) -> None:
    def move(credits: Any, name: str = "ann") -> str:
        values = {"userName": name, "credits": credits, "description": "June"}
        return code(maker.account("TransferCreditsToSubUser", **values))

    assert move(2.5) == "NO_ERROR"
    assert UpsideCustomer(maker.gateway, "ann").account("Balance_Get") == "2.5"
    assert move(0.0) == move(-1.0) == move(0.00001) == "INVALID_PARAMETER"
    assert move(1.0, "acme") == move(1.0, "nobody") == "UNAUTHORIZED_ACCESS"
    maker.gateway.change_account(maker.gateway.directory.accounts["acme"], metered=True)
    assert move(1.0) == "GENERAL_ERROR"


def test_devices_forward(maker: UpsideCustomer) -> None:
    def register(device: str, kind: str, forwards: bool = True, name: str = "ann") -> str:
        values = {"userName": name, "device": device, "type": kind, "createForwardRule": forwards}
        return code(maker.account("RegisterDeviceForSubUser", **values))

    assert register("https://ann.test/in", "URL") == "NO_ERROR"
    assert register("ann@ox.test", "Email") == "NO_ERROR"
    assert register("+44 7700 900001", "SMS", forwards=False) == "NO_ERROR"
    assert register("447700900001", "SMS", forwards=False) == "DEVICE_IN_USE"
    assert register("447700900002", "SMS") == "INVALID_PARAMETER"
    assert register("phone", "SMS", forwards=False) == "INVALID_PARAMETER"
    assert register("http://10.0.0.1/", "URL") == register("ftp://a.test/", "URL") == "INVALID_PARAMETER"
    assert register("nobody", "Email") == "INVALID_EMAIL_ADDRESS"
    assert register("https://x.test/", "URL", name="acme") == "UNAUTHORIZED_ACCESS"
    with maker.gateway.database.reading() as connection:
        url, mail = customers.endpoints(connection, "ann")
    assert (url.format, url.url, url.method) == ("upside", "https://ann.test/in", "post")
    assert (mail.format, mail.email, mail.url) == ("email", "ann@ox.test", "")
