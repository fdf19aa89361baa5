"""What customers read of MX pushes: the documents' examples, and everything that we render ourselves."""

import ast
import contextlib
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import homing.receiver
from homing.model.account import Endpoint
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import Report, Status
from homing.receiver import MessagePush, NotAPush, ReportPush, parse_push
from homing.receiver.mx import Part, read_part
from homing.wire.push import prepare

SEED = (
    "https://server.com/drpt.cgi?smsfrom=447931123456&smsmsg=REPORT+17218733+DELIVERED"
    "&smsto=913&shortcode=913&smsid=17221293&smsdate=2002-04-30+21%3A58%3A00"
)


def render(event: Report | ReceivedMessage, charset: str = "iso-8859-15") -> bytes:
    endpoint = Endpoint(
        id=1,
        account="acme",
        events=("report", "message"),
        format="mx",
        url="http://a.example/in?key=1",
        charset=charset,
        unknown_as="FAILED",
    )
    return prepare(endpoint).render(event, 1, 0).split(b" ")[1]


def test_the_example_of_the_documents() -> None:
    expected = ReportPush(
        id=17221293,
        submission=17218733,
        status="DELIVERED",
        recipient="447931123456",
        originator="913",
        at=datetime(2002, 4, 30, 21, 58),
        reason=None,
        note=None,
    )
    query = SEED.partition("?")[2]
    pairs = dict(pair.split("=") for pair in query.replace("+", " ").replace("%3A", ":").split("&"))
    for form in (SEED, query, query.encode(), "/drpt.cgi?" + query, pairs, query + "&carrier=&x=1#f"):
        assert parse_push(form) == expected
    assert expected.is_final


def test_angle_brackets_and_the_intermediate_status() -> None:
    push = parse_push("smsfrom=1&smsid=2&smsmsg=REPORT+%3C37954551%3E+%3CBUFFERED%3E&reason=805306368&note=n")
    assert isinstance(push, ReportPush)
    assert (push.submission, push.status, push.is_final) == (37954551, "BUFFERED", False)
    assert (push.reason, push.note, push.at) == (805306368, "n", None)


def test_a_phone_cannot_forge_a_report() -> None:
    push = parse_push("smsfrom=1&smsto=2&smsid=3&smsmsg=REPORT+17218733+DELIVERED&bits=7&network=UNKNOWN")
    assert isinstance(push, MessagePush)
    assert push.text == "REPORT 17218733 DELIVERED"
    assert push.network is None


def test_a_message_of_the_oldest_form_has_no_bits() -> None:
    push = parse_push("smsfrom=1&smsto=2&smsid=3&smsmsg=Hi&smsdate=2002-04-30+21%3A58%3A00")
    assert isinstance(push, MessagePush)
    assert (push.bits, push.text) == (7, "Hi")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "x=1",
        "smsfrom=1&smsmsg=a",
        "smsfrom=1&smsmsg=a&smsid=x",
        "smsfrom=1&smsmsg=a&smsid=1&bits=x",
        "smsfrom=1&smsmsg=0g&smsid=1&bits=8",
        "smsfrom=1&smsmsg=0&smsid=1&bits=16&smsucs2=123",
        "smsmsg=REPORT+1+DELIVERED&smsid=" + "9" * 5000,
        "smsid=1&smsmsg=REPORT+" + "9" * 5000 + "+DELIVERED",
    ],
)
def test_other_things_are_no_push(query: str) -> None:
    with pytest.raises(NotAPush):
        parse_push(query)


@pytest.mark.parametrize(
    ("udh", "part"),
    [
        ("0500031C0302", Part(reference=0x1C, total=3, number=2)),
        ("060804012C0201", Part(reference=300, total=2, number=1)),
        ("0B0504158100000003070301", Part(reference=7, total=3, number=1)),
        ("06050412341234", None),
        ("0500031C0304", None),
        ("0500031C03", None),
        ("FF00", None),
        ("", None),
    ],
)
def test_parts(udh: str, part: Part | None) -> None:
    assert read_part(bytes.fromhex(udh)) == part


@given(st.binary(max_size=20))
def test_no_header_breaks_the_reader(udh: bytes) -> None:
    read_part(udh)


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, coding=st.sampled_from(Coding), data=st.binary(max_size=20), udh=st.binary(max_size=9))
def test_what_we_push_is_read_as_it_was_meant(text: str, coding: Coding, data: bytes, udh: bytes) -> None:
    message = ReceivedMessage(
        id=2**62,
        at_ms=1_700_000_000_000,
        link="l",
        sender="447900000001",
        recipient="60999",
        account="acme",
        coding=coding,
        text="" if coding is Coding.DATA else text,
        data=data if coding is Coding.DATA else b"",
        udh=udh,
        network="BTCELLNETUK",
    )
    push = parse_push(render(message, "utf-8"), charset="utf-8")
    assert isinstance(push, MessagePush)
    assert (push.id, push.sender, push.recipient) == (message.id, message.sender, message.recipient)
    assert (push.bits, push.text, push.data, push.udh) == (coding, message.text, message.data, udh)
    assert (push.network, push.at) == ("BTCELLNETUK", datetime(2023, 11, 14, 22, 13, 20))


@settings(max_examples=100, deadline=None)
@given(
    note=st.none() | TEXTS.filter(bool),
    status=st.sampled_from(["DELIVERED", "FAILED", "REJECTED", "BUFFERED"]),
)
def test_reports_too(note: str | None, status: str) -> None:
    report = Report(
        id=2**63 - 1,
        at_ms=0,
        account="acme",
        submission=5,
        sender="ACME Ltd",
        recipient="447900000001",
        status=Status(status),
        reason="x",
        sequence=1,
        report_bits=7,
        note=note,
    )
    push = parse_push(render(report, "utf-8"), charset="utf-8")
    assert isinstance(push, ReportPush)
    assert (push.id, push.submission, push.status, push.note) == (2**63 - 1, 5, status, note)
    assert (push.recipient, push.originator) == ("447900000001", "ACME Ltd")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_nothing_else_breaks_the_reader(query: str | bytes) -> None:
    with contextlib.suppress(NotAPush):
        parse_push(query)


def test_customers_need_nothing_else_of_ours() -> None:
    for path in Path(homing.receiver.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not node.level
                assert (node.module or "").partition(".")[0] != "homing" or (node.module or "").startswith(
                    "homing.receiver"
                )
