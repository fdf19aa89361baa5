"""The Upside push: exactly the documented fields, in UTF-8, whatever the texts hold."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.account import Endpoint
from homing.model.delivery import Answer, Event
from homing.model.message import Coding
from homing.model.report import Status
from homing.wire.push import prepare
from homing.wire.push_upside import UpsidePush
from tests.wire.test_mail import MESSAGE, REPORT

ENDPOINT = Endpoint(
    id=1, account="acme", events=("report", "message"), format="upside", url="https://acme.test/in?k=1",
    method="post",
)  # fmt: skip


def changed(value: Any, **values: Any) -> Any:
    return msgspec.structs.replace(value, **values)


def sent(event: Event, **values: Any) -> tuple[str, dict[str, str], list[tuple[str, str]]]:
    """Request line, headers and parameters of a push."""
    request = prepare(changed(ENDPOINT, **values)).render(event, 3, 0).decode("ascii")
    head, _, body = request.partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    headers = dict(each.split(": ", 1) for each in lines)
    if line.startswith("POST"):
        assert len(body) == int(headers["Content-Length"])
        query = body
    else:
        assert body == ""
        query = urlsplit(line.split(" ")[1]).query
    return line, headers, parse_qsl(query, keep_blank_values=True, strict_parsing=True)


def test_a_confirmation() -> None:
    line, headers, pairs = sent(REPORT)
    assert line == "POST /in?k=1 HTTP/1.1"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert (headers["Homing-Event-Id"], headers["Homing-Attempt"]) == (str(REPORT.id), "3")
    assert pairs == [
        ("name", "acme"), ("trackingid", "MTID119946997360917165"), ("status", "DELIVRD"),
        ("recipient", "447700900001"),
    ]  # fmt: skip


def test_a_message() -> None:
    _, _, pairs = sent(changed(MESSAGE, text="Grüße & mehr"))
    assert pairs == [
        ("name", "acme"), ("sender", "447700900001"), ("data", "Grüße & mehr"), ("carriercode", "23415"),
        ("inboundnumber", "60999"),
    ]  # fmt: skip
    _, _, pairs = sent(changed(MESSAGE, carrier_code=None, coding=Coding.DATA, text="", data=b"\x00\xfe"))
    assert dict(pairs)["data"] == "00FE"
    assert "carriercode" not in dict(pairs)


def test_by_get_the_parameters_follow_those_of_the_url() -> None:
    line, _, pairs = sent(REPORT, method="get")
    assert line.startswith("GET /in?k=1&name=acme&trackingid=MTID")
    assert pairs[0] == ("k", "1")
    line, _, pairs = sent(REPORT, method="get", url="http://acme.test")
    assert line.startswith("GET /?name=acme&")


@pytest.mark.parametrize(
    ("event", "bits", "events", "is_wanted"),
    [
        (REPORT, 7, ("report",), True),
        (REPORT, 5, ("report",), False),
        (REPORT, 7, ("message",), False),
        (changed(REPORT, status=Status.UNKNOWN), 1, ("report",), True),
        (changed(REPORT, status=Status.BUFFERED), 1, ("report",), True),
        (changed(REPORT, status=Status.SENT), 7, ("report",), False),
        (MESSAGE, 7, ("report", "message"), True),
        (MESSAGE, 7, ("report",), False),
    ],
)
def test_what_is_wanted(event: Any, bits: int, events: tuple[Any, ...], is_wanted: bool) -> None:
    if event is not MESSAGE:
        event = changed(event, report_bits=bits)
    assert prepare(changed(ENDPOINT, events=events)).wants(event) is is_wanted


@pytest.mark.parametrize(
    ("status", "is_taken"), [(200, True), (204, True), (299, True), (302, False), (None, False)]
)
def test_any_2xx_takes_it_and_nothing_is_a_last_word(status: int | None, is_taken: bool) -> None:
    answer = Answer(status=status, body=b"", length=0, took_ms=1)
    assert UpsidePush.judge(answer) is is_taken
    assert not UpsidePush.is_refused(answer)


@given(text=st.text(st.characters(codec=None)), method=st.sampled_from(["get", "post"]))
def test_any_text_is_rendered(text: str, method: str) -> None:
    _, _, pairs = sent(changed(MESSAGE, text=text, sender=text), method=method)
    if all(not "\ud800" <= each <= "\udfff" for each in text):
        assert dict(pairs)["data"] == dict(pairs)["sender"] == text
