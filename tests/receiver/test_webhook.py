"""Signatures as a customer checks them: the published vector, our own pushes, and every kind of forgery."""

import datetime
import json

import pytest
import standardwebhooks

from homing.model.account import Endpoint
from homing.model.report import Report, Status
from homing.receiver import NotGenuine, verify
from homing.wire.push import prepare

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJD" * 10
BODY = b'{"test": 2432232314}'
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": "1614265330",
    "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
NOW_S = 1614265330


def test_the_published_vector() -> None:
    assert verify(HEADERS, BODY, SECRET, now_s=NOW_S) == {"test": 2432232314}
    assert verify(HEADERS, BODY, [OTHER, SECRET], now_s=NOW_S + 300)
    several = HEADERS | {"Webhook-Signature": "v1a,xx v2 v1,é " + HEADERS["Webhook-Signature"]}
    assert verify(several, BODY, SECRET, now_s=NOW_S - 300)


@pytest.mark.parametrize(
    ("changes", "body", "secret", "now_s"),
    [
        ({}, BODY + b" ", SECRET, NOW_S),
        ({}, BODY, OTHER, NOW_S),
        ({}, BODY, SECRET, NOW_S + 301),
        ({}, BODY, SECRET, NOW_S - 301),
        ({"Webhook-Id": "msg_other"}, BODY, SECRET, NOW_S),
        ({"Webhook-Id": "é\ud800"}, BODY, SECRET, NOW_S),
        ({"Webhook-Id": ""}, BODY, SECRET, NOW_S),
        ({"Webhook-Timestamp": "1614265331"}, BODY, SECRET, NOW_S),
        ({"Webhook-Timestamp": "soon"}, BODY, SECRET, NOW_S),
        ({"Webhook-Timestamp": "9" * 5000}, BODY, SECRET, NOW_S),
        ({"Webhook-Signature": ""}, BODY, SECRET, NOW_S),
        ({"Webhook-Signature": "v1,é\ud800"}, BODY, SECRET, NOW_S),
        ({"Webhook-Signature": HEADERS["Webhook-Signature"][3:]}, BODY, SECRET, NOW_S),
    ],
)
def test_forgeries(changes: dict[str, str], body: bytes, secret: str, now_s: int) -> None:
    with pytest.raises(NotGenuine):
        verify(HEADERS | changes, body, secret, now_s=now_s)


@pytest.mark.parametrize("body", ["[]", "1", "{", ""])
def test_signed_but_no_event(body: str) -> None:
    at = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(HEADERS["Webhook-Id"], at, body)
    with pytest.raises(NotGenuine, match="JSON"):
        verify(HEADERS | {"Webhook-Signature": signature}, body.encode(), SECRET, now_s=NOW_S)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_abc"])
def test_a_secret_that_is_none_is_the_readers_mistake(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify(HEADERS, BODY, secret, now_s=NOW_S)


def test_what_we_push_is_genuine() -> None:
    endpoint = Endpoint(
        id=1,
        account="acme",
        events=("report",),
        format="json",
        url="http://a.example/",
        secrets=(OTHER, SECRET),
    )
    report = Report(
        id=7,
        at_ms=0,
        account="acme",
        submission=5,
        sender="1",
        recipient="2",
        status=Status.DELIVERED,
        reason="delivered",
        sequence=1,
        report_bits=7,
        note="é",
    )
    head, _, body = prepare(endpoint).render(report, 1, NOW_S * 1000).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    for secret in (SECRET, OTHER):
        assert verify(headers, body, secret, now_s=NOW_S) == json.loads(body)
