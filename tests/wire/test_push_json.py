"""The json format: the documented event, signed so that customers' own libraries accept it."""

import json
import time
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import standardwebhooks
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.account import Endpoint
from homing.model.delivery import Answer
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Content, Mms, Part
from homing.model.report import Report, Status
from homing.wire.content_link import ContentLinks, sign
from homing.wire.push import prepare
from homing.wire.push_json import JsonPush, event_body

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJD" * 10

SCHEMA = json.loads(files("homing.wire").joinpath("event.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

TEXTS = st.text(alphabet=st.characters(), max_size=30)
IDS = st.integers(1, 2**63 - 1)

REPORTS = st.builds(
    Report,
    id=IDS,
    at_ms=st.integers(0, 4_000_000_000_000),
    account=TEXTS,
    submission=IDS,
    sender=TEXTS,
    recipient=TEXTS,
    status=st.sampled_from(
        [Status.BUFFERED, Status.DELIVERED, Status.FAILED, Status.REJECTED, Status.UNKNOWN]
    ),
    reason=TEXTS,
    err=TEXTS,
    sequence=st.integers(1, 9),
    report_bits=st.just(7),
    note=st.none() | TEXTS,
    network=st.none() | TEXTS,
    parts=st.integers(1, 255),
    is_mms=st.booleans(),
)
PARTS = st.builds(
    Part,
    name=TEXTS,
    content_type=TEXTS,
    size=st.integers(0, 2**30),
    offset=st.integers(0, 2**30),
    sha256=st.just("b" * 64),
)
MMS = st.builds(
    Mms,
    subject=TEXTS,
    to=st.lists(TEXTS, max_size=3).map(tuple),
    cc=st.lists(TEXTS, max_size=3).map(tuple),
    content=st.builds(
        Content,
        sha256=st.just("a" * 64),
        size=st.integers(0, 2**30),
        parts=st.lists(PARTS, max_size=3).map(tuple),
    ),
    expires_at_ms=st.integers(0, 4_000_000_000_000),
)
MESSAGES = st.builds(
    ReceivedMessage,
    id=IDS,
    at_ms=st.integers(0, 4_000_000_000_000),
    link=TEXTS,
    sender=TEXTS,
    recipient=TEXTS,
    account=TEXTS,
    coding=st.sampled_from(Coding),
    text=TEXTS,
    data=st.binary(max_size=20),
    udh=st.binary(max_size=8),
    network=st.none() | TEXTS,
    parts=st.integers(1, 3),
    expected_parts=st.integers(1, 5),
    mms=st.none() | MMS,
)
LINKS = ContentLinks(base_url="https://gw.example", key=b"k" * 32, life_s=3600)


def make_endpoint(**changes: object) -> Endpoint:
    fields: dict[str, object] = {
        "id": 1,
        "account": "acme",
        "events": ("report", "message"),
        "format": "json",
        "url": "https://server.example/hook",
        "secrets": (SECRET,),
    }
    return Endpoint(**(fields | changes))  # type: ignore[arg-type]


def make_report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "id": 6412345678901234567,
        "at_ms": 1141448767_089,
        "account": "acme",
        "submission": 17218733,
        "sender": "913",
        "recipient": "447931123456",
        "status": Status.FAILED,
        "reason": "expired",
        "err": "00B",
        "sequence": 2,
        "report_bits": 7,
    }
    return Report(**(fields | changes))  # type: ignore[arg-type]


def read_request(octets: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = octets.partition(b"\r\n\r\n")
    line, *headers = head.decode("ascii").split("\r\n")
    return line, {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}, body


def test_a_report_is_one_flat_event() -> None:
    line, headers, body = read_request(
        prepare(make_endpoint()).render(make_report(note="n"), 2, 1_700_000_000_999)
    )
    assert line == "POST /hook HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["homing-attempt"] == "2"
    assert headers["homing-event-id"] == headers["webhook-id"] == "6412345678901234567"
    assert headers["webhook-timestamp"] == "1700000000"
    assert json.loads(body) == {
        "type": "report.failed",
        "id": "6412345678901234567",
        "at": "2006-03-04T05:06:07.089Z",
        "account": "acme",
        "smsid": "17218733",
        "from": "913",
        "to": "447931123456",
        "status": "FAILED",
        "reason": "expired",
        "error": "00B",
        "final": True,
        "sequence": 2,
        "note": "n",
        "text": None,
        "coding": None,
        "data": None,
        "udh": None,
        "parts": 1,
        "expected_parts": None,
        "partial": None,
        "network": None,
        "mms": None,
        "mms_type": None,
        "mms_status": None,
    }


def test_a_message_is_one_flat_event() -> None:
    message = ReceivedMessage(
        id=5,
        at_ms=0,
        link="sim",
        sender="447900000001",
        recipient="60999",
        account="acme",
        coding=Coding.UNICODE,
        text="Привет",
        udh=b"\x05\x00\x03\x1c\x03\x02",
        parts=2,
        expected_parts=3,
    )
    event = json.loads(read_request(prepare(make_endpoint()).render(message, 1, 0))[2])
    assert event["type"] == "message.received"
    assert event["smsid"] == event["id"] == "5"
    assert (event["text"], event["coding"], event["udh"], event["data"]) == (
        "Привет",
        "unicode",
        "0500031C0302",
        None,
    )
    assert (event["parts"], event["expected_parts"], event["partial"]) == (2, 3, True)


def make_mms(**changes: object) -> ReceivedMessage:
    parts = (
        Part(name="pic.jpg", content_type="image/jpeg", size=600, offset=90, sha256="b" * 64),
        Part(name="words.txt", content_type="text/plain", size=2, offset=750, sha256="c" * 64),
    )
    fields: dict[str, object] = {
        "subject": "Ж",
        "to": ("60999", "447900000002"),
        "cc": ("a@b.example",),
        "content": Content(sha256="a" * 64, size=900, parts=parts),
        "expires_at_ms": 1_141_448_767_089,
    }
    return ReceivedMessage(
        id=5,
        at_ms=0,
        link="mm7",
        sender="447900000001",
        recipient="60999",
        account="acme",
        coding=Coding.TEXT,
        text="Hi",
        mms=Mms(**(fields | changes)),  # type: ignore[arg-type]
    )


def test_an_mms_tells_where_its_content_is() -> None:
    def url(number: int) -> str:
        return f"https://gw.example/mms/v1/content/5/{number}?until=1700003600&signature=" + sign(
            LINKS.key, 5, number, 1_700_003_600
        )

    octets = prepare(make_endpoint(), LINKS).render(make_mms(), 1, 1_700_000_000_999)
    event = json.loads(read_request(octets)[2])
    assert (event["type"], event["text"], event["coding"]) == ("mms.received", "Hi", "text")
    assert (event["mms_type"], event["mms_status"]) == (None, None)
    assert event["mms"] == {
        "subject": "Ж",
        "to": ["60999", "447900000002"],
        "cc": ["a@b.example"],
        "expires_at": "2006-03-04T05:06:07.089Z",
        "size": 900,
        "sha256": "a" * 64,
        "url": url(0),
        "parts": [
            {"name": "pic.jpg", "type": "image/jpeg", "size": 600, "sha256": "b" * 64, "url": url(1)},
            {"name": "words.txt", "type": "text/plain", "size": 2, "sha256": "c" * 64, "url": url(2)},
        ],
    }


def test_links_count_from_the_attempt() -> None:
    push = prepare(make_endpoint(), LINKS)
    first, second = (read_request(push.render(make_mms(), 1, now_ms))[2] for now_ms in (0, 5000))
    assert b"until=3600&" in first
    assert b"until=3605&" in second


def test_without_links_the_urls_are_null() -> None:
    event = json.loads(event_body(make_mms()))
    assert (event["mms"]["url"], [part["url"] for part in event["mms"]["parts"]]) == (None, [None, None])


@pytest.mark.parametrize(
    ("status", "reason", "type_", "number"),
    [
        (Status.BUFFERED, "deferred", "delivery", 1),
        (Status.DELIVERED, "retrieved", "delivery", 3),
        (Status.BUFFERED, "forwarded", "delivery", 6),
        (Status.DELIVERED, "read", "read", 7),
        (Status.DELIVERED, "read_expired", "read", 10),
    ],
)
def test_a_report_about_an_mms(status: Status, reason: str, type_: str, number: int) -> None:
    event = json.loads(event_body(make_report(status=status, reason=reason, is_mms=True)))
    assert (event["type"], event["status"], event["reason"]) == ("mms.report", status.value, reason)
    assert (event["mms_type"], event["mms_status"], event["mms"]) == (type_, number, None)


def test_reports_about_mms_are_a_kind_of_their_own() -> None:
    sms, mms = make_report(), make_report(is_mms=True)
    for events, wanted in ((("report",), [True, False]), (("mms-report",), [False, True])):
        push = prepare(make_endpoint(events=events))
        assert [push.wants(sms), push.wants(mms)] == wanted
    push = prepare(make_endpoint(events=("mms-report",)))
    assert not push.wants(make_mms())
    assert not push.wants(make_report(is_mms=True, report_bits=7, reason="read"))
    assert push.wants(make_report(is_mms=True, report_bits=8, reason="read"))
    assert prepare(make_endpoint(events=("message",))).wants(make_mms())


@settings(max_examples=150, deadline=None)
@given(event=REPORTS | MESSAGES, links=st.sampled_from([None, LINKS]))
def test_every_event_obeys_its_schema(event: Report | ReceivedMessage, links: ContentLinks | None) -> None:
    octets = prepare(make_endpoint(secrets=()), links).render(event, 1, 0)
    VALIDATOR.validate(json.loads(read_request(octets)[2]))


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    event = json.loads(read_request(prepare(make_endpoint()).render(make_report(), 1, 0))[2])
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == set(event)
    assert all(field["description"] for field in SCHEMA["properties"].values())


def test_each_secret_signs_and_the_reference_library_accepts_it() -> None:
    now_ms = int(time.time() * 1000)
    push = prepare(make_endpoint(secrets=(OTHER, SECRET)))
    _, headers, body = read_request(push.render(make_report(), 1, now_ms))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        assert standardwebhooks.Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_" + "QUJE" * 10).verify(body, headers)


def test_old_secrets_end_when_their_time_is_over() -> None:
    push = prepare(make_endpoint(secrets=(SECRET, OTHER), old_secrets_until_ms=5000))
    before, after = (
        read_request(push.render(make_report(), 1, now_ms))[1]["webhook-signature"].split(" ")
        for now_ms in (4999, 5000)
    )
    assert (len(before), len(after)) == (2, 1)


def test_without_a_secret_nothing_is_signed() -> None:
    assert b"webhook-signature" not in prepare(make_endpoint(secrets=())).render(make_report(), 1, 0)


def test_unknown_is_pushed_but_a_mere_step_is_not() -> None:
    push = prepare(make_endpoint())
    assert push.wants(make_report(status=Status.UNKNOWN))
    assert not push.wants(make_report(status=Status.SENT))
    assert not push.wants(make_report(report_bits=2))
    assert not prepare(make_endpoint(events=("message",))).wants(make_report())


def test_a_bad_secret_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="whsec_") as caught:
        prepare(make_endpoint(secrets=("whsec_hunter2",)))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "good"), [(200, True), (204, True), (299, True), (199, False), (302, False)]
)
def test_success_is_any_2xx(status: int, good: bool) -> None:
    assert JsonPush.judge(Answer(status=status, body=b"", length=0, took_ms=1)) is good
    assert not JsonPush.judge(Answer(status=None, body=b"", length=0, took_ms=1, error="timeout"))


@pytest.mark.parametrize("field", ["account", "sender", "recipient", "text", "network"])
def test_half_a_surrogate_pair_stops_no_event_wherever_it_stands(field: str) -> None:
    values: dict[str, Any] = {"id": 1, "at_ms": 0, "link": "l", "sender": "1", "recipient": "2"}
    values |= {"account": "acme", "coding": Coding.TEXT, "text": "x", "network": None, field: "a\ud800"}
    said = json.loads(event_body(ReceivedMessage(**values)))
    assert said[{"sender": "from", "recipient": "to"}.get(field, field)] == "a\ufffd"


def test_half_a_surrogate_pair_stops_no_mms() -> None:
    message = make_mms(subject="a\ud800", to=("\udc00",))
    said = json.loads(read_request(prepare(make_endpoint(), LINKS).render(message, 1, 0))[2])
    assert (said["mms"]["subject"], said["mms"]["to"], said["from"]) == (
        "a\ufffd",
        ["\ufffd"],
        "447900000001",
    )
    VALIDATOR.validate(said)
