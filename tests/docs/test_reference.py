"""The reference says what the program does: statuses, reasons, parameters, fields, headers, waits."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest

from homing.model.account import Endpoint, Format
from homing.model.message import ReceivedMessage
from homing.model.mms import (
    DELIVERY_WORDS,
    READ_WORDS,
    delivery_outcome,
    is_read_report,
    mms_number,
    read_outcome,
)
from homing.model.report import FINAL, REPORT_BIT, STATES, WORDS, Report, Status, read_word
from homing.wire.mail import MailWriter
from homing.wire.mx_reason import mx_reason
from homing.wire.push import FORMATS, prepare
from tests.docs.events import MESSAGE, MESSAGE_BARE, MMS, MMS_BARE, MMS_REPORT, REPORT, REPORT_BARE
from tests.docs.pages import ROOT, bare, page, tables

STATUSES = tables(page("statuses.md"))
MX = tables(page("push-mx.md"))
JSON = tables(page("push-json.md"))
SCHEMA = json.loads((ROOT / "homing" / "wire" / "event.schema.json").read_text())


def endpoint(format_: Format, **more: object) -> Endpoint:
    fields = {"id": 1, "account": "acme", "events": ("report", "message"), "format": format_}
    return Endpoint(**fields, url="http://192.0.2.1/in", **more)  # type: ignore[arg-type]


# --- statuses ---


def test_every_status_with_its_bit_and_whether_it_is_final() -> None:
    rows = STATUSES["status|meaning|final|`report` bit|pushed"]
    bits = {status: "any" if bit == 7 else str(bit) for status, bit in REPORT_BIT.items()}
    assert [(bare(row[0]), row[2], row[3]) for row in rows] == [
        (status.value, "yes" if status in FINAL else "no", bits.get(status, "")) for status in Status
    ]


def test_every_word_and_every_state() -> None:
    words = {bare(word): (status, bare(reason)) for word, status, reason in STATUSES["word|status|reason"]}
    assert words.pop("any other") == read_word("no such word")
    assert words == WORDS
    states = STATUSES["message_state|name|status|reason"]
    assert {int(number): (status, bare(reason)) for number, _, status, reason in states} == {
        number: (status, reason) for number, (_, status, reason) in STATES.items()
    }


@pytest.mark.parametrize(
    ("kind", "words", "outcome"),
    [("delivery", DELIVERY_WORDS, delivery_outcome), ("read", READ_WORDS, read_outcome)],
)
def test_every_word_about_an_mms(kind: str, words: Any, outcome: Any) -> None:
    rows = STATUSES[f"word of a {kind} report|status|reason|number"]
    found = {bare(word): (status, bare(reason), int(number)) for word, status, reason, number in rows}
    assert found.pop("any other") == outcome("no such word")
    assert {word.lower(): outcome for word, outcome in found.items()} == words


def test_every_reason_is_explained() -> None:
    explained = {
        reason for row in STATUSES["reason|with|meaning"] for reason in re.findall(r"`(.+?)`", row[0])
    }
    said = {reason for _, reason in WORDS.values()} | {reason for _, _, reason in STATES.values()}
    said |= {outcome.reason for outcome in (*DELIVERY_WORDS.values(), *READ_WORDS.values())}
    assert said | {"accepted", "sent", "no_receipt", "unreadable", "esme_…"} == explained


# --- pushes ---


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_has_its_page_with_its_waits_and_headers(format_: Format) -> None:
    text = page(f"push-{format_}.md")
    waits = FORMATS[format_].retry_s
    numbers = " | ".join(str(number) for number in range(2, len(waits) + 2))
    assert f"| attempt | {numbers} |" in text
    assert f"| wait before it, s | {' | '.join(map(str, waits))} |" in text
    if format_ == "email":
        return
    secret = "whsec_" + "A" * 32
    secrets = {"secrets": (secret,)} if format_ == "json" else {}
    made = prepare(endpoint(format_, user="u", password="p", **secrets))
    request = made.render(MMS_REPORT if format_ == "mx-mms" else REPORT, 1, 0)
    assert isinstance(request, bytes)
    head = request.partition(b"\r\n\r\n")[0].decode()
    headers = {line.partition(":")[0] for line in head.split("\r\n")[1:]}
    assert {bare(row[0]) for row in tables(text)["header|value"]} == headers - {
        "Host", "Accept", "Content-Length",
    }  # fmt: skip


@pytest.mark.parametrize("event", [REPORT, MESSAGE])
def test_every_header_of_a_mail_has_its_row(event: Report | ReceivedMessage) -> None:
    rows = {name for row in tables(page("push-email.md"))["header|of|value"] for name in row[0].split(", ")}
    mail = MailWriter("example.net", sender="a@b.test").write(event, (("Homing-Event-Id", "1"),)).decode()
    names = {line.partition(":")[0] for line in mail.partition("\r\n\r\n")[0].split("\r\n")}
    assert {f"`{name}`" for name in names if not name.startswith(("MIME-", "Content-"))} <= rows


def mx_parameters(event: Report | ReceivedMessage) -> dict[str, str]:
    line = prepare(endpoint("mx")).render(event, 1, 0).decode().split(" ")[1]
    return dict(parse_qsl(line.partition("?")[2], strict_parsing=True))


@pytest.mark.parametrize(("place", "event"), [(0, REPORT), (1, MESSAGE)])
def test_every_mx_parameter_is_documented(place: int, event: Report | ReceivedMessage) -> None:
    text = page("push-mx.md").split("## A received message")[place]
    rows = tables(text)["parameter|always|value"]
    assert [bare(row[0]) for row in rows] == sorted(
        mx_parameters(event), key=[bare(row[0]) for row in rows].index
    )
    plain = mx_parameters(REPORT_BARE if event is REPORT else MESSAGE_BARE)
    assert {bare(row[0]) for row in rows if row[1] == "yes"} == set(plain)


def mx_mms_parameters(event: Report | ReceivedMessage) -> set[str]:
    """Those of a push as a form with the content."""
    request = prepare(endpoint("mx-mms", method="multipart")).render(event, 1, 0)
    if isinstance(request, bytes) and request.startswith(b"GET "):
        return set(dict(parse_qsl(request.split(b" ")[1].decode().partition("?")[2])))
    octets = (
        request if isinstance(request, bytes) else b"".join(p for p in request.pieces if type(p) is bytes)
    )
    return {name.decode() for name in re.findall(rb'form-data; name="([^"]+)"', octets)}


@pytest.mark.parametrize(
    ("medium", "event", "plain"), [("MMS", MMS, MMS_BARE), ("SMS", MESSAGE, MESSAGE_BARE)]
)
def test_every_mx_mms_parameter_is_documented(
    medium: str, event: ReceivedMessage, plain: ReceivedMessage
) -> None:
    rows = tables(page("push-mx-mms.md"))["parameter|of|always|value"]
    ours = [row for row in rows if row[1].startswith(("both", medium))]
    network = set() if event.network else {"network"}
    assert {bare(row[0]) for row in ours} == mx_mms_parameters(event) | network
    assert {bare(row[0]) for row in ours if row[2] == "yes"} == mx_mms_parameters(plain)


def test_every_parameter_and_status_of_an_mms_report_is_documented() -> None:
    found = tables(page("push-mx-mms.md"))
    assert {bare(row[0]) for row in found["parameter|value"]} == mx_mms_parameters(MMS_REPORT)
    (key,) = (key for key in found if key.startswith("status|type|"))
    for number, type_, _meaning, words in found[key]:
        status, reasons = words.split(" ")[0], re.findall(r"`(.+?)`", words)
        for reason in reasons:
            assert mms_number(Status(status), reason) == int(bare(number))
            assert is_read_report(int(bare(number))) is (bare(type_) == "2")
    assert {bare(row[0]) for row in found[key]} == {str(number) for number in range(1, 11)}


def test_every_reason_code_is_documented() -> None:
    rows = MX["status|type|`reason`"]
    assert {row[0].split(",")[0]: int(bare(row[2])) for row in rows} == {
        status.value: mx_reason(status) for status in (*FINAL, Status.BUFFERED)
    }
    assert all(int(bare(row[2])) >> 28 == int(row[1]) for row in rows)


def test_every_field_of_the_json_event_is_documented() -> None:
    rows = JSON["field|report|message|value"]
    assert [bare(row[0]) for row in rows] == list(SCHEMA["properties"])
    bodies = [
        json.loads(prepare(endpoint("json")).render(event, 1, 0).partition(b"\r\n\r\n")[2])
        for event in (REPORT, MESSAGE)
    ]
    for name, *kinds in (row[:3] for row in rows):
        for said, body in zip(kinds, bodies, strict=True):
            assert said in ("yes", "null", "or null")
            if said != "or null":
                assert (body[bare(name)] is None) == (said == "null"), name
    assert [bare(row[0]) for row in JSON["type|when"]] == SCHEMA["properties"]["type"]["enum"]
    for what, key in (("mms", "field of `mms`|value"), ("part", "field of a part|value")):
        assert [bare(row[0]) for row in JSON[key]] == SCHEMA["$defs"][what]["required"]


def test_the_examples_of_the_json_page_are_events() -> None:
    examples = re.findall(r"```json\n(.+?)```", page("push-json.md"), re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        jsonschema.validate(json.loads(example), SCHEMA)
