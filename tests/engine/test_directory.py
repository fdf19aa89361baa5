"""The directory: whose a number is, who wants an event, who is parked; and numbers as people write them."""

import json
from typing import Any

import msgspec
import pytest

from homing.engine.directory import Directory, normalise_number
from homing.model.account import Account, Number
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Content, Mms
from homing.model.report import Report, Status
from homing.wire.content_link import ContentLinks, link_key
from tests.engine.far import an_endpoint


def an_account(name: str = "acme", **values: Any) -> Account:
    return Account(
        name=name, password_hash="", inbound_password_hash="", api_key_hash=f"k{name}", token=f"t{name}",
        **values,
    )  # fmt: skip


def a_report(status: Status = Status.DELIVERED, bits: int = 7) -> Report:
    return Report(
        id=1, at_ms=1, account="acme", submission=2, sender="1", recipient="2", status=status, reason="r",
        report_bits=bits, sequence=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("447700900001", "447700900001"),
        ("+44 7700 900-001", "447700900001"),
        ("0044 (7700) 900.001", "447700900001"),
        ("60/999", "60999"),
        ("Homing", "Homing"),
        (" A-B ", "A-B"),
        ("+", "+"),
        ("", ""),
        ("\u0664\u0665", "\u0664\u0665"),
    ],
)
def test_numbers_as_people_write_them(written: str, digits: str) -> None:
    assert normalise_number(written) == digits


def test_the_keyword_wins_over_the_owner_of_the_number() -> None:
    directory = Directory(
        numbers=[
            Number(number="1", account="a"),
            Number(number="1", account="b", keyword="stra\u00dfe".casefold()),
            Number(number="2", account="c", keyword="go"),
        ]
    )
    owners = {
        (number, text): (found and found.account)
        for number, text in (
            ("1", ""),
            ("1", "STRASSE 5"),
            ("1", "x go"),
            ("2", " go"),
            ("2", "gone"),
            ("3", ""),
        )
        for found in (directory.owner(number, text),)
    }
    assert list(owners.values()) == ["a", "b", "a", "c", None, None]
    assert [directory.has_keywords(n) for n in "123"] == [True, True, False]


def test_events_go_to_those_who_want_them() -> None:
    directory = Directory(
        [an_account()],
        [
            an_endpoint(id=1, unknown_as=None), an_endpoint(id=2, events=("message",), parts="joined"),
            an_endpoint(id=3, format="json", method="post"), an_endpoint(id=4, account="other"),
        ],
    )  # fmt: skip
    assert [e.id for e in directory.message_endpoints("acme", None)] == [1, 2, 3]
    assert [e.id for e in directory.message_endpoints("acme", "joined")] == [2]
    assert [e.id for e in directory.message_endpoints("acme", "separate")] == [1, 3]
    assert [e.id for e in directory.report_endpoints(a_report())] == [1, 3]
    assert [e.id for e in directory.report_endpoints(a_report(Status.UNKNOWN))] == [3]
    assert directory.report_endpoints(a_report(bits=5)) == []


@pytest.mark.parametrize(
    ("account", "endpoint", "parked"),
    [
        ({}, {}, False),
        ({}, {"paused": True}, True),
        ({"disabled": True}, {}, True),
        ({}, {"account": "nobody"}, True),
        ({}, {"url": "ftp://nowhere"}, True),
    ],
)
def test_who_is_parked(account: dict[str, Any], endpoint: dict[str, Any], parked: bool) -> None:
    one = an_endpoint(id=1, **endpoint)
    assert Directory([an_account(**account)], [one]).is_parked(one) is parked


def make_links(account: Account) -> ContentLinks:
    return ContentLinks(base_url="https://gw.example", key=link_key(account.api_key_hash), life_s=60)


def an_mms() -> ReceivedMessage:
    content = Content(sha256="a" * 64, size=9, parts=())
    return ReceivedMessage(
        id=1, at_ms=1, link="mm7", sender="1", recipient="2", account="acme", coding=Coding.TEXT, text="",
        mms=Mms(content=content, expires_at_ms=1),
    )  # fmt: skip


def test_mms_go_to_those_who_can_say_them() -> None:
    report = msgspec.structs.replace(a_report(bits=15), is_mms=True)
    read = msgspec.structs.replace(report, reason="read", report_bits=8)
    kinds = ("report", "message", "mms-report")
    directory = Directory(
        [an_account()],
        [
            an_endpoint(id=1, events=kinds), an_endpoint(id=2, format="upside", events=kinds),
            an_endpoint(id=3, format="json", events=kinds), an_endpoint(id=4, format="mx-mms", events=kinds),
            an_endpoint(id=5, format="email", url="", email="a@b.test", events=kinds),
            an_endpoint(id=6, format="mx-mms", events=("message",)), an_endpoint(id=7, format="json"),
        ],
    )  # fmt: skip
    assert [e.id for e in directory.mms_endpoints("acme", an_mms())] == [3, 4, 5, 6, 7]
    assert [e.id for e in directory.report_endpoints(report)] == [3, 4, 5]
    assert [e.id for e in directory.report_endpoints(read)] == [3, 4, 5]
    assert [e.id for e in directory.report_endpoints(a_report())] == [1, 2, 3, 5, 7]


def test_links_are_those_of_the_account_as_it_is_now() -> None:
    def url(directory: Directory) -> str:
        request = directory.formats[1].render(an_mms(), 1, 0)
        assert isinstance(request, bytes)
        return str(json.loads(request.partition(b"\r\n\r\n")[2])["mms"]["url"])

    account, other = an_account(), an_account("other")
    endpoints = [an_endpoint(id=1, format="json"), an_endpoint(id=2, format="json", account="other")]
    first = Directory([account, other], endpoints, links=make_links)
    assert url(first) == make_links(account).link(1, 0, 0)
    same = Directory([account, other], endpoints, former=first)
    assert same.formats[1] is first.formats[1]
    rotated = msgspec.structs.replace(account, api_key_hash="new")
    second = Directory([rotated, other], endpoints, former=same)
    assert url(second) == make_links(rotated).link(1, 0, 0) != url(first)
    assert second.formats[2] is first.formats[2]
    assert url(Directory([account], endpoints[:1])) == "None"


def test_what_has_not_changed_is_not_prepared_again() -> None:
    first = Directory([an_account()], [an_endpoint(id=1), an_endpoint(id=2)])
    second = Directory(
        [an_account()], [an_endpoint(id=1), an_endpoint(id=2, url="http://b.test/")], former=first
    )
    assert second.formats[1] is first.formats[1]
    assert second.formats[2] is not first.formats[2]
    assert second.by_token["tacme"] is second.by_api_key["kacme"] is second.accounts["acme"]
