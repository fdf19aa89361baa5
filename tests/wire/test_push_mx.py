"""The MX format: the documented names and spellings, for every event that can exist."""

from datetime import datetime
from urllib.parse import parse_qs, parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing import __version__
from homing.model.account import Endpoint
from homing.model.delivery import Answer
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import Report, Status
from homing.wire.push import prepare


def make_endpoint(**changes: object) -> Endpoint:
    fields: dict[str, object] = {
        "id": 1,
        "account": "acme",
        "events": ("report", "message"),
        "format": "mx",
        "url": "http://server.example/drpt.cgi",
    }
    return Endpoint(**(fields | changes))  # type: ignore[arg-type]


def make_report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "id": 17221293,
        "at_ms": 1020200280_000,
        "account": "acme",
        "submission": 17218733,
        "sender": "913",
        "recipient": "447931123456",
        "status": Status.DELIVERED,
        "reason": "delivered",
        "sequence": 1,
        "report_bits": 7,
    }
    return Report(**(fields | changes))  # type: ignore[arg-type]


def make_message(**changes: object) -> ReceivedMessage:
    fields: dict[str, object] = {
        "id": 17221293,
        "at_ms": 1141448767_000,
        "link": "sim",
        "sender": "447900000001",
        "recipient": "60999",
        "account": "acme",
        "coding": Coding.TEXT,
        "text": "Hello",
        "network": "BTCELLNETUK",
    }
    return ReceivedMessage(**(fields | changes))  # type: ignore[arg-type]


def read_request(octets: bytes) -> tuple[str, list[str], dict[str, str], bytes]:
    """Request line split, header lines, and the body: refuses what no server would take."""
    head, _, body = octets.partition(b"\r\n\r\n")
    assert head.replace(b"\r\n", b"").isascii()
    assert b"\n" not in head.replace(b"\r\n", b"")
    line, *headers = head.decode("ascii").split("\r\n")
    method, target, version = line.split(" ")
    assert version == "HTTP/1.1"
    pairs = [header.split(": ", 1) for header in headers]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return method, [target], dict(pairs), body  # type: ignore[arg-type]


def query_of(octets: bytes) -> str:
    return read_request(octets)[1][0].partition("?")[2]


def test_the_example_of_the_seed_comes_out() -> None:
    octets = prepare(make_endpoint()).render(make_report(), 1, 0)
    example = (
        "smsfrom=447931123456&smsmsg=REPORT+17218733+DELIVERED&smsto=913&shortcode=913&smsid=17221293"
        "&smsdate=2002-04-30+21%3A58%3A00"
    )
    assert query_of(octets) == f"{example}&reason=1610612736"
    assert read_request(octets)[1] == [f"/drpt.cgi?{query_of(octets)}"]


def test_headers_of_a_push() -> None:
    endpoint = make_endpoint(
        url="https://user.example:8443/in?key=a%26b#top",
        user="acme",
        password="s3crét",
        headers=(("X-Customer", "42 a"),),
    )
    method, target, headers, body = read_request(prepare(endpoint).render(make_report(), 3, 0))
    assert method == "GET"
    assert target[0].startswith("/in?key=a%26b&smsfrom=")
    assert headers == {
        "Host": "user.example:8443",
        "User-Agent": f"Homing/{__version__}",
        "Accept": "*/*",
        "Authorization": "Basic YWNtZTpzM2Nyw6l0",
        "X-Customer": "42 a",
        "Homing-Event-Id": "17221293",
        "Homing-Attempt": "3",
    }
    assert body == b""


def test_a_note_is_echoed_only_when_there_was_one() -> None:
    push = prepare(make_endpoint())
    assert "note" not in parse_qs(query_of(push.render(make_report(), 1, 0)))
    assert query_of(push.render(make_report(note="job 7/é"), 1, 0)).endswith("&note=job+7%2F%E9")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"report_bits": 0}, False),
        ({"report_bits": 4}, False),
        ({"status": Status.BUFFERED, "report_bits": 1}, True),
        ({"status": Status.BUFFERED, "report_bits": 6}, False),
        ({"status": Status.REJECTED, "report_bits": 4}, True),
        ({"status": Status.FAILED, "report_bits": 3}, False),
        ({"status": Status.SENT}, False),
        ({"status": Status.ACCEPTED}, False),
        ({"status": Status.UNKNOWN}, False),
    ],
)
def test_only_reports_that_were_asked_for_are_pushed(changes: dict[str, object], wanted: bool) -> None:
    assert prepare(make_endpoint()).wants(make_report(**changes)) is wanted


def test_unknown_is_pushed_in_the_word_of_the_endpoint() -> None:
    push = prepare(make_endpoint(unknown_as="FAILED"))
    report = make_report(status=Status.UNKNOWN)
    assert push.wants(report)
    assert "smsmsg=REPORT+17218733+FAILED&" in query_of(push.render(report, 1, 0))


def test_an_endpoint_gets_only_its_kinds() -> None:
    assert not prepare(make_endpoint(events=("message",))).wants(make_report())
    assert not prepare(make_endpoint(events=("report",))).wants(make_message())
    assert prepare(make_endpoint(events=("message",))).wants(make_message())


def test_a_message_has_every_documented_parameter() -> None:
    assert query_of(prepare(make_endpoint()).render(make_message(), 1, 0)) == (
        "smsfrom=447900000001&smsto=60999&smsdate=2006-03-04+05%3A06%3A07&smsid=17221293&smsmsg=Hello"
        "&bits=7&network=BTCELLNETUK"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"network": None}, "smsmsg=Hello&bits=7&network=UNKNOWN"),
        ({"text": "1 € & é+%"}, "smsmsg=1+%A4+%26+%E9%2B%25&bits=7&network=BTCELLNETUK"),
        ({"text": "ΔΦ “x” Ā…"}, "smsmsg=DF+%22x%22+A...&bits=7&network=BTCELLNETUK"),
        (
            {
                "coding": Coding.DATA,
                "text": "",
                "data": b"\x01\x02\xab",
                "udh": b"\x06\x05\x04\x12\x34\x12\x34",
            },
            "smsmsg=0102AB&bits=8&network=BTCELLNETUK&smsudh=06050412341234",
        ),
        (
            {"udh": bytes.fromhex("0500031C0302")},
            "smsmsg=Hello&bits=7&network=BTCELLNETUK&smsudh=0500031C0302",
        ),
        (
            {"coding": Coding.UNICODE, "text": "Жé", "data": bytes.fromhex("041600E9")},
            "smsmsg=%3F%E9&bits=16&network=BTCELLNETUK&smsucs2=041600E9",
        ),
        (
            {"coding": Coding.UNICODE, "text": "Ж"},
            "smsmsg=%3F&bits=16&network=BTCELLNETUK&smsucs2=0416",
        ),
    ],
)
def test_content_of_messages(changes: dict[str, object], expected: str) -> None:
    query = query_of(prepare(make_endpoint()).render(make_message(**changes), 1, 0))
    assert query.partition("&smsid=17221293&")[2] == expected


def test_utf_8_when_the_endpoint_wants_it() -> None:
    query = query_of(prepare(make_endpoint(charset="utf-8")).render(make_message(text="Ж€"), 1, 0))
    assert "smsmsg=%D0%96%E2%82%AC&" in query


def test_post_sends_the_same_as_a_form() -> None:
    get = prepare(make_endpoint()).render(make_report(), 1, 0)
    method, target, headers, body = read_request(
        prepare(make_endpoint(method="post")).render(make_report(), 1, 0)
    )
    assert (method, target) == ("POST", ["/drpt.cgi"])
    assert body.decode() == query_of(get)
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_dates_are_local_and_heed_summer_time() -> None:
    report = make_report(at_ms=1720000000_999)
    for zone in ("Europe/London", "UTC", "America/New_York", "Asia/Kolkata"):
        date = parse_qs(query_of(prepare(make_endpoint(timezone=zone)).render(report, 1, 0)))["smsdate"][0]
        assert date == datetime.fromtimestamp(1720000000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(alphabet=st.characters()),
    sender=st.text(max_size=20),
    note=st.none() | st.text(max_size=30),
    charset=st.sampled_from(["iso-8859-15", "utf-8", "ascii", "cp1252"]),
    coding=st.sampled_from(Coding),
    data=st.binary(max_size=20),
)
def test_no_event_breaks_the_request(
    text: str, sender: str, note: str | None, charset: str, coding: Coding, data: bytes
) -> None:
    push = prepare(make_endpoint(charset=charset))
    message = make_message(text=text, sender=sender, coding=coding, data=data, udh=data, network=sender)
    report = make_report(sender=sender, note=note)
    for event in (message, report):
        pairs = dict(parse_qsl(query_of(push.render(event, 1, 0)), keep_blank_values=True, encoding=charset))
        assert pairs["smsid"] == "17221293"
        assert len(pairs) <= 9


@given(text=st.text(alphabet=[bytes([octet]).decode("iso-8859-15") for octet in range(256)]))
@settings(max_examples=100, deadline=None)
def test_what_the_charset_has_arrives_unchanged(text: str) -> None:
    query = query_of(prepare(make_endpoint()).render(make_message(text=text), 1, 0))
    pairs = parse_qs(query, keep_blank_values=True, encoding="iso-8859-15")
    assert pairs["smsmsg"] == [text]


@pytest.mark.parametrize(
    ("status", "length", "good"),
    [(200, 1, True), (200, 0, False), (204, 0, False), (201, 5, False), (302, 5, False), (500, 9, False)],
)
def test_success_is_exactly_200_with_a_body(status: int, length: int, good: bool) -> None:
    answer = Answer(status=status, body=b"x" * length, length=length, took_ms=1)
    assert prepare(make_endpoint()).judge(answer) is good


def test_no_answer_is_no_success() -> None:
    answer = Answer(status=None, body=b"", length=0, took_ms=1, error="timeout")
    assert not prepare(make_endpoint()).judge(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": (("X-A", "a\r\nX-B: c"),)},
        {"headers": (("X-A", "a\x00"),)},
        {"headers": (("X A", "a"),)},
        {"headers": (("X-A", "é"),)},
        {"headers": (("Host", "other.example"),)},
        {"headers": (("content-length", "0"),)},
        {"headers": (("Homing-Attempt", "9"),)},
        {"headers": (("Authorization", "Bearer x"),), "user": "acme"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"charset": "utf-16"},
        {"charset": "no such"},
        {"url": "http://server.example/a b"},
        {"url": "http://server.example/\r\nX-A: b"},
        {"url": "ftp://server.example/"},
        {"url": "http://acme:secret@server.example/"},
        {"url": "http:///path"},
        {"url": "http://server.example:99999/"},
        {"url": "http://[::zz]/"},
    ],
)
def test_what_cannot_be_pushed_to_is_refused_when_it_is_prepared(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        prepare(make_endpoint(**changes))
    assert "secret" not in str(caught.value)


def test_a_bearer_token_may_be_given_as_header() -> None:
    push = prepare(make_endpoint(headers=(("Authorization", "Bearer x"),)))
    assert read_request(push.render(make_report(), 1, 0))[2]["Authorization"] == "Bearer x"
