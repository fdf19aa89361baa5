"""The mx-mms format: the documented names and layouts, whatever a phone has written."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing import __version__
from homing.model.account import Endpoint
from homing.model.delivery import Answer
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Content, Mms, Part
from homing.model.report import Report, Status
from homing.wire.push import prepare
from homing.wire.streamed import Slice, Streamed

HOUR_MS = 3_600_000
AT_MS = 1_720_000_000_000  # 2024-07-03 09:46:40 UTC
ZIP = b"PK\x03\x04 and whatever is in it \r\n--\r\n"
TEXTS = st.text(alphabet=st.characters(), max_size=40)
LINES = st.sampled_from(["a", "\r\n", "--", "=", "&", "\0", '"', "%", "+", "é", "Ж", "\ud800", "-- --"])
ANY_TEXT = TEXTS | st.lists(LINES).map("".join)


def make_endpoint(**changes: object) -> Endpoint:
    fields: dict[str, object] = {
        "id": 1, "account": "acme", "events": ("message", "mms-report"), "format": "mx-mms",
        "url": "http://server.example/mms", "charset": "utf-8", "parts": "joined",
    }  # fmt: skip
    return Endpoint(**(fields | changes))  # type: ignore[arg-type]


def make_sms(**changes: object) -> ReceivedMessage:
    fields: dict[str, object] = {
        "id": 17221293, "at_ms": AT_MS, "link": "sim", "sender": "447900000001", "recipient": "60999",
        "account": "acme", "coding": Coding.TEXT, "text": "Hello",
    }  # fmt: skip
    return ReceivedMessage(**(fields | changes))  # type: ignore[arg-type]


def make_mms(text: str = "", network: str | None = None, **changes: object) -> ReceivedMessage:
    part = Part(name="a.txt", content_type="text/plain", size=1, offset=40, sha256="b" * 64)
    fields: dict[str, object] = {
        "content": Content(sha256="a" * 64, size=len(ZIP), parts=(part,)),
        "expires_at_ms": AT_MS + 7 * 24 * HOUR_MS,
    }
    return make_sms(text=text, network=network, mms=Mms(**(fields | changes)))  # type: ignore[arg-type]


def make_report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "id": 17221294, "at_ms": AT_MS, "account": "acme", "submission": 17218733, "sender": "60999",
        "recipient": "447900000001", "status": Status.DELIVERED, "reason": "retrieved", "sequence": 1,
        "report_bits": 15, "is_mms": True,
    }  # fmt: skip
    return Report(**(fields | changes))  # type: ignore[arg-type]


def whole(request: bytes | Streamed) -> bytes:
    """The octets of a request, with the content in the place of its slice."""
    if isinstance(request, bytes):
        return request
    assert request.sha256 == "a" * 64
    octets = b"".join(
        ZIP[piece.offset : piece.offset + piece.size] if isinstance(piece, Slice) else piece
        for piece in request.pieces
    )
    assert len(octets) == request.size
    return octets


def read_request(request: bytes | Streamed) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers, body; refuses what no server would take."""
    head, _, body = whole(request).partition(b"\r\n\r\n")
    assert b"\n" not in head.replace(b"\r\n", b"")
    line, *headers = head.decode("ascii").split("\r\n")
    pairs = [header.split(": ", 1) for header in headers]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    found = {pair[0]: pair[1] for pair in pairs}
    if line.startswith("POST"):
        assert int(found["Content-Length"]) == len(body)
    else:
        assert body == b""
    return line, found, body


def pairs_of(request: bytes | Streamed, charset: str = "utf-8") -> list[tuple[str, str]]:
    """The parameters of a GET or of a form, as a library reads them."""
    line, _, body = read_request(request)
    method, target, _version = line.split(" ")
    query = target.partition("?")[2] if method == "GET" else body.decode("ascii")
    return parse_qsl(query, keep_blank_values=True, strict_parsing=True, encoding=charset)


def form_of(request: bytes | Streamed) -> list[EmailMessage]:
    """The parts of a multipart form, as the standard library reads them."""
    _, headers, body = read_request(request)
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode("ascii")
    parsed: Any = BytesParser(policy=HTTP).parsebytes(head + body)
    assert parsed.get_content_type() == "multipart/form-data"
    assert not parsed.defects
    assert (parsed.preamble, parsed.epilogue) == (None, "")
    return list(parsed.iter_parts())


def name_of(part: EmailMessage) -> str:
    assert part["Content-Disposition"].content_disposition == "form-data"
    return str(part["Content-Disposition"].params["name"])


def fields_of(request: bytes | Streamed, charset: str = "utf-8") -> list[tuple[str, str]]:
    return [
        (name_of(part), octets_of(part).decode(charset))
        for part in form_of(request)
        if "filename" not in part["Content-Disposition"].params
    ]


def octets_of(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


# --- messages ---


def test_an_mms_by_get() -> None:
    message = make_mms(
        subject="Ж & é", to=("60999", "447900000002"), cc=("a@b.example",), network="BTCELLNETUK", text="no"
    )
    line, headers, _ = read_request(prepare(make_endpoint()).render(message, 2, AT_MS))
    assert line == (
        "GET /mms?id=17221293&from=447900000001&to=60999&to=447900000002&cc=a%40b.example"
        "&date=2024-07-03+10%3A46%3A40&type=2&network=BTCELLNETUK&subject=%D0%96+%26+%C3%A9"
        "&expiry=2024-07-10+10%3A46%3A40 HTTP/1.1"
    )
    assert headers == {
        "Host": "server.example", "User-Agent": f"Homing/{__version__}", "Accept": "*/*",
        "Homing-Event-Id": "17221293", "Homing-Attempt": "2",
    }  # fmt: skip


def test_what_an_mms_does_not_have_is_left_out() -> None:
    pairs = pairs_of(prepare(make_endpoint()).render(make_mms(), 1, AT_MS))
    assert [name for name, _ in pairs] == ["id", "from", "to", "date", "type", "expiry"]
    assert ("to", "60999") in pairs, "an MMS that shows no recipient was sent to ours all the same"


def test_an_sms_to_the_same_number() -> None:
    push = prepare(make_endpoint(url="http://server.example/mms?key=a%26b"))
    assert read_request(push.render(make_sms(network="TMOBILEUS"), 1, AT_MS))[0] == (
        "GET /mms?key=a%26b&id=17221293&from=447900000001&to=60999&date=2024-07-03+10%3A46%3A40&type=6"
        "&network=TMOBILEUS&message=Hello HTTP/1.1"
    )
    data = make_sms(coding=Coding.DATA, text="", data=b"\x01\xab")
    assert pairs_of(push.render(data, 1, AT_MS))[-1] == ("message", "01AB")


def test_post_sends_the_same_as_a_form() -> None:
    for message in (make_mms(subject="Ж", cc=("1",)), make_sms()):
        got, posted = (
            prepare(make_endpoint(method=method)).render(message, 1, AT_MS) for method in ("get", "post")
        )
        line, headers, _ = read_request(posted)
        assert line == "POST /mms HTTP/1.1"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert pairs_of(posted) == pairs_of(got)


def test_a_multipart_push_brings_the_content() -> None:
    endpoint = make_endpoint(method="multipart")
    request = prepare(endpoint).render(make_mms(subject="Hi", to=("60999",)), 1, AT_MS)
    assert isinstance(request, Streamed)
    boundary = read_request(request)[1]["Content-Type"].partition("boundary=")[2]
    field = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="%s"\r\n'
        "Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"
    )
    fields = "".join(
        field % pair
        for pair in (
            ("id", "17221293"), ("from", "447900000001"), ("to", "60999"), ("date", "2024-07-03 10:46:40"),
            ("type", "2"), ("subject", "Hi"), ("expiry", "2024-07-10 10:46:40"),
        )
    )  # fmt: skip
    file = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="mms.zip"; filename="mms.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    length = len(fields) + len(file) + len(ZIP) + len(f"\r\n--{boundary}--\r\n")
    assert request.pieces == (
        (
            f"POST /mms HTTP/1.1\r\nHost: server.example\r\nUser-Agent: Homing/{__version__}\r\n"
            "Accept: */*\r\nHoming-Event-Id: 17221293\r\nHoming-Attempt: 1\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {length}\r\n\r\n"
            f"{fields}{file}"
        ).encode(),
        Slice(0, len(ZIP)),
        f"\r\n--{boundary}--\r\n".encode(),
    )
    assert octets_of(form_of(request)[-1]) == ZIP


def test_an_sms_in_a_multipart_form_has_no_file() -> None:
    request = prepare(make_endpoint(method="multipart")).render(make_sms(), 1, AT_MS)
    assert isinstance(request, bytes)
    assert fields_of(request) == pairs_of(prepare(make_endpoint()).render(make_sms(), 1, AT_MS))
    assert len(form_of(request)) == len(fields_of(request))


def test_every_attempt_has_the_same_boundary_and_every_event_its_own() -> None:
    push = prepare(make_endpoint(method="multipart"))
    first, again, other = (
        read_request(push.render(message, attempt, AT_MS))[1]["Content-Type"]
        for message, attempt in ((make_mms(), 1), (make_mms(), 2), (make_sms(), 1))
    )
    assert first == again != other


def test_no_value_can_hold_the_boundary() -> None:
    push = prepare(make_endpoint(method="multipart"))
    subjects = [""]
    for _ in range(3):
        request = push.render(make_mms(subject=" ".join(subjects)), 1, AT_MS)
        boundary = read_request(request)[1]["Content-Type"].partition("boundary=")[2]
        assert boundary not in " ".join(subjects)
        subjects.append(f"\r\n--{boundary}--\r\n")
    assert ("subject", " ".join(subjects[:-1])) in fields_of(request)


@pytest.mark.parametrize(
    ("form", "date", "expiry"),
    [
        ("plain", "2024-07-03 10:46:40", "2024-07-10 10:46:40"),
        ("zone", "2024-07-03 10:46:40+0100", "2024-07-10 10:46:40+0100"),
        ("spaced-zone", "2024-07-03 10:46:40 +0100", "2024-07-10 10:46:40 +0100"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "multipart"])
def test_layouts_of_dates(form: str, date: str, expiry: str, method: str) -> None:
    request = prepare(make_endpoint(date_form=form, method=method)).render(make_mms(), 1, AT_MS)
    pairs = dict(fields_of(request) if method == "multipart" else pairs_of(request))
    assert (pairs["date"], pairs["expiry"]) == (date, expiry)


@pytest.mark.parametrize(("late_h", "expiry"), [(0, "2024-07-10 09:46:40"), (143, "2024-07-10 09:46:40")])
def test_a_content_has_its_time(late_h: int, expiry: str) -> None:
    push = prepare(make_endpoint(timezone="UTC"))
    assert dict(pairs_of(push.render(make_mms(), 1, AT_MS + late_h * HOUR_MS)))["expiry"] == expiry


@pytest.mark.parametrize(("late_h", "expiry"), [(144, "2024-07-10 10:46:40"), (500, "2024-07-25 06:46:40")])
def test_expiry_is_never_less_than_a_day_ahead(late_h: int, expiry: str) -> None:
    push = prepare(make_endpoint(timezone="UTC"))
    assert dict(pairs_of(push.render(make_mms(), 1, AT_MS + late_h * HOUR_MS)))["expiry"] == expiry


@settings(max_examples=150, deadline=None)
@given(
    subject=ANY_TEXT, sender=ANY_TEXT, to=st.lists(ANY_TEXT, max_size=3), cc=st.lists(ANY_TEXT, max_size=3),
    network=st.none() | ANY_TEXT, text=ANY_TEXT,
    charset=st.sampled_from(["iso-8859-15", "utf-8", "ascii", "cp1252", "utf 8"]),
)  # fmt: skip
def test_no_event_breaks_a_request_and_every_method_says_the_same(
    subject: str, sender: str, to: list[str], cc: list[str], network: str | None, text: str, charset: str
) -> None:
    mms = Mms(
        subject=subject, to=tuple(to), cc=tuple(cc), expires_at_ms=AT_MS,
        content=Content(sha256="a" * 64, size=len(ZIP)),
    )  # fmt: skip
    for message in (
        make_sms(sender=sender, network=network, mms=mms, text=""),
        make_sms(sender=sender, network=network, text=text),
    ):
        get, post, form = (
            prepare(make_endpoint(method=method, charset=charset)).render(message, 1, AT_MS)
            for method in ("get", "post", "multipart")
        )
        pairs = pairs_of(get, charset)
        assert pairs == pairs_of(post, charset) == fields_of(form, charset)
        assert pairs[0] == ("id", "17221293")
        if charset == "utf-8" and (subject + text + sender).isprintable():
            assert ("from", sender) in pairs
            said = ("message", text) if message.mms is None else ("subject", subject)
            assert said in pairs or said == ("subject", "")


# --- reports ---


@pytest.mark.parametrize("method", ["get", "post", "multipart"])
@pytest.mark.parametrize("form", ["plain", "zone", "spaced-zone"])
def test_a_report_is_always_a_get_with_the_zone_joined_on(method: str, form: str) -> None:
    push = prepare(make_endpoint(method=method, date_form=form))
    assert read_request(push.render(make_report(), 1, AT_MS))[0] == (
        "GET /mms?id=17221294&requestid=17218733&to=60999&from=447900000001"
        "&date=2024-07-03+10%3A46%3A40%2B0100&type=1&status=3 HTTP/1.1"
    )


@pytest.mark.parametrize(
    ("status", "reason", "type_", "number"),
    [
        (Status.BUFFERED, "deferred", "1", "1"),
        (Status.UNKNOWN, "no_receipt", "1", "2"),
        (Status.DELIVERED, "retrieved", "1", "3"),
        (Status.FAILED, "expired", "1", "4"),
        (Status.REJECTED, "not_supported", "1", "5"),
        (Status.BUFFERED, "forwarded", "1", "6"),
        (Status.DELIVERED, "read", "2", "7"),
        (Status.DELIVERED, "deleted_unread", "2", "8"),
        (Status.DELIVERED, "read_indeterminate", "2", "9"),
        (Status.DELIVERED, "read_expired", "2", "10"),
    ],
)
def test_type_and_status_of_reports(status: Status, reason: str, type_: str, number: str) -> None:
    push = prepare(make_endpoint())
    report = make_report(status=status, reason=reason)
    assert push.wants(report)
    pairs = dict(pairs_of(push.render(report, 1, AT_MS)))
    assert (pairs["type"], pairs["status"]) == (type_, number)


# --- what is wanted, and what counts ---


@pytest.mark.parametrize(
    ("event", "events", "wanted"),
    [
        (make_mms(), ("message",), True),
        (make_sms(), ("message",), True),
        (make_mms(), ("mms-report",), False),
        (make_report(), ("mms-report",), True),
        (make_report(), ("message",), False),
        (make_report(is_mms=False), ("message", "mms-report"), False),
        (make_report(status=Status.SENT), ("mms-report",), False),
        (make_report(report_bits=8), ("mms-report",), False),
        (make_report(report_bits=7, reason="read"), ("mms-report",), False),
        (make_report(report_bits=8, reason="read"), ("mms-report",), True),
    ],
)
def test_what_is_wanted(event: Any, events: tuple[str, ...], wanted: bool) -> None:
    assert prepare(make_endpoint(events=events)).wants(event) is wanted


@pytest.mark.parametrize("format_", ["mx", "upside"])
def test_formats_without_a_word_for_mms_do_not_want_it(format_: str) -> None:
    push = prepare(make_endpoint(format=format_, events=("report", "message", "mms-report")))
    assert not push.wants(make_mms())
    assert not push.wants(make_report())
    assert push.wants(make_sms())
    assert push.wants(make_report(is_mms=False))


@pytest.mark.parametrize(
    ("status", "length", "good"),
    [(200, 1, True), (200, 0, False), (204, 0, False), (201, 5, False), (302, 5, False), (None, 0, False)],
)
def test_success_is_exactly_200_with_a_body(status: int | None, length: int, good: bool) -> None:
    push = prepare(make_endpoint())
    answer = Answer(status=status, body=b"x" * length, length=length, took_ms=1)
    assert push.judge(answer) is good
    assert not push.is_refused(answer)
    assert not push.heeds_hints


@pytest.mark.parametrize(
    "changes", [{"charset": "utf-16"}, {"timezone": "Mars/Olympus"}, {"url": "ftp://a.example/"}]
)
def test_what_cannot_be_pushed_to_is_refused_when_it_is_prepared(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        prepare(make_endpoint(**changes))
