"""Signed links to contents and parts, as they are followed from a browser or a program."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest

from homing.engine.credentials import hash_api_key
from homing.model.clock import LARGEST_ID, now_ms
from homing.model.mms import Content
from homing.store import tables as t
from homing.wire.content_link import PATH, WHOLE, link_key, sign
from tests.api.running import LINK_S, RunningGateway
from tests.store import mms_rows, rows

EVENT, SMS, UNROUTED, SENT, THEIRS = 1 << 60, 500, 501, 502, 503
TEXT_PLAIN = "text/plain;charset=US-ASCII"
PARTS = (
    mms_rows.PICTURE,
    mms_rows.WORDS,
    mms_rows.EMPTY,
    ("song.amr", "audio/amr", b"#!AMR"),
    ("film.3gp", "video/3gpp", b"ftyp"),
    ("page.html", "text/html", b"<script>alert(1)</script>"),
    ("draw.svg", "image/svg+xml", b"<svg/>"),
    ("show.smil", "application/smil", b"<smil/>"),
    ("odd.bin", "text/plain\r\nset-cookie: a=b", b"odd"),
    ("a.vcf", "text/x-vcard", b"BEGIN:VCARD"),
)
SHOWN = (
    ("image/jpeg", 'inline; filename="pic.jpg"'),
    ("text/plain;charset=utf-8", 'inline; filename="words.txt"'),
    ("text/plain;charset=utf-8", 'inline; filename="empty.txt"'),
    ("audio/amr", 'inline; filename="song.amr"'),
    ("video/3gpp", 'inline; filename="film.3gp"'),
    ("text/html;charset=utf-8", 'attachment; filename="page.html"'),
    ("image/svg+xml", 'attachment; filename="draw.svg"'),
    ("application/smil", 'attachment; filename="show.smil"'),
    ("application/octet-stream", 'attachment; filename="odd.bin"'),
    ("text/x-vcard;charset=utf-8", 'attachment; filename="a.vcf"'),
)


@pytest.fixture
def content(gateway: RunningGateway) -> Content:
    gateway.add_account("other")
    kept = mms_rows.keep(gateway.contents, PARTS)
    with gateway.database.writing() as connection:
        mms_rows.add_mms(connection, EVENT, kept)
        rows.add_message(connection, SMS)
        mms_rows.add_mms(connection, UNROUTED, kept, None)
        mms_rows.add_sent_mms(connection, SENT, kept)
        mms_rows.add_mms(connection, THEIRS, kept, "other")
    return kept


def link(gateway: RunningGateway, event: int = EVENT, number: int = WHOLE, at_ms: int | None = None) -> str:
    """A link of ``acme``."""
    links = gateway.links(gateway.directory.accounts["acme"])
    return links.link(event, number, now_ms() if at_ms is None else at_ms)


def get(gateway: RunningGateway, url: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.client.get(url, headers=named)


def refused(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == TEXT_PLAIN
    assert words in response.text
    assert len(response.text.splitlines()) == 1


@pytest.mark.parametrize("event", [EVENT, SENT])
def test_the_zip(gateway: RunningGateway, content: Content, event: int) -> None:
    response = get(gateway, link(gateway, event))
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == content.sha256
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == "attachment; filename=mms.zip"
    assert response.headers["etag"] == f'"{content.sha256}"'


def test_each_part_comes_as_what_it_is_and_can_do_no_harm(gateway: RunningGateway, content: Content) -> None:
    for number, (part, given, shown) in enumerate(zip(content.parts, PARTS, SHOWN, strict=True), 1):
        response = get(gateway, link(gateway, number=number))
        assert (response.status_code, response.content) == (200, given[2])
        headers = response.headers
        assert (headers["content-type"], headers["content-disposition"]) == shown
        assert (headers["etag"], headers["content-length"]) == (f'"{part.sha256}"', str(part.size))
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert (headers["cache-control"], headers["accept-ranges"]) == ("private", "bytes")
        assert "set-cookie" not in headers
        head = gateway.client.head(link(gateway, number=number))
        assert (head.status_code, head.headers["content-length"]) == (200, str(part.size))


def test_ranges_and_conditions_are_those_of_the_part(gateway: RunningGateway, content: Content) -> None:
    url, (_, _, octets) = link(gateway, number=1), mms_rows.PICTURE
    tag = f'"{content.parts[0].sha256}"'
    for value, expected in (
        ("bytes=10-19", octets[10:20]),
        ("bytes=-3", octets[-3:]),
        ("bytes=9-", octets[9:]),
    ):
        response = get(gateway, url, Range=value, If_Range=tag)
        assert (response.status_code, response.content) == (206, expected)
        assert response.headers["content-range"].endswith(f"/{len(octets)}")
        assert response.headers["x-content-type-options"] == "nosniff"
    refused(get(gateway, url, Range=f"bytes={len(octets)}-"), 416, f"{len(octets)} octets")
    assert get(gateway, url, If_None_Match=tag).status_code == 304
    assert get(gateway, url, If_None_Match=f'"{content.sha256}"').status_code == 200
    refused(get(gateway, link(gateway, number=3), Range="bytes=0-"), 416, "0 octets")


@pytest.mark.usefixtures("content")
def test_a_link_is_right_as_it_was_made_and_no_other_way(gateway: RunningGateway) -> None:
    url = link(gateway, number=1)
    signature = url.rpartition("=")[2]
    for wrong in (
        url.replace(f"{EVENT}/1?", f"{EVENT}/2?"),
        url.replace(f"{EVENT}/1?", f"{EVENT}/0?"),
        url.replace(str(EVENT), str(SENT)),
        url.replace(str(EVENT), str(THEIRS)),
        url.replace(str(EVENT), str(UNROUTED)),
        re.sub(r"until=(\d+)", lambda found: f"until={int(found[1]) + 1}", url),
        re.sub(r"until=\d+", "until=", url),
        re.sub(r"until=\d+", "until=x", url),
        re.sub(r"until=\d+", "until=" + "9" * 5000, url),
        url.replace(signature, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        url.replace(signature, signature[:-1]),
        url.replace(signature, signature.upper() + "é"),
        url.partition("?")[0],
    ):
        refused(get(gateway, wrong), 403, "not one of this gateway")
    assert get(gateway, url).status_code == 200


@pytest.mark.usefixtures("content")
def test_a_link_is_of_the_account_that_owns_the_message(gateway: RunningGateway) -> None:
    other = gateway.directory.accounts["other"]
    refused(get(gateway, gateway.links(other).link(EVENT, WHOLE, now_ms())), 403, "not one of this gateway")
    assert get(gateway, gateway.links(other).link(THEIRS, WHOLE, now_ms())).status_code == 200
    until_s = now_ms() // 1000 + 60
    signed = sign(link_key(""), UNROUTED, WHOLE, until_s)
    refused(get(gateway, f"{PATH}/{UNROUTED}/0?until={until_s}&signature={signed}"), 403, "not one of")


@pytest.mark.usefixtures("content")
def test_a_link_ends_with_its_time_its_key_and_its_account(gateway: RunningGateway) -> None:
    refused(get(gateway, link(gateway, at_ms=now_ms() - LINK_S * 1000 - 1000)), 403, "lapsed")
    assert get(gateway, link(gateway, at_ms=now_ms() - LINK_S * 1000 + 30_000)).status_code == 200
    url = link(gateway)
    account = gateway.change_account(gateway.directory.accounts["acme"], disabled=True)
    refused(get(gateway, url), 403, "disabled")
    account = gateway.change_account(account, disabled=False)
    assert get(gateway, url).status_code == 200
    gateway.change_account(account, api_key_hash=hash_api_key("another"))
    refused(get(gateway, url), 403, "not one of this gateway")


def test_what_is_not_there(gateway: RunningGateway, content: Content) -> None:
    refused(get(gateway, link(gateway, number=len(PARTS) + 1)), 404, f"has {len(PARTS)} parts")
    refused(get(gateway, link(gateway, EVENT + 1)), 404, "there is no MMS")
    refused(get(gateway, link(gateway, SMS)), 404, "there is no MMS")
    query = link(gateway).partition("?")[2]
    for path in ("", "/", f"/{EVENT}", f"/{EVENT}/", f"/{EVENT}/x", f"/{EVENT}/1/", "/x/0", "/१/0"):
        refused(get(gateway, f"{PATH}{path}?{query}"), 404, "not found")
    for event in (LARGEST_ID + 1, 10**19):
        refused(get(gateway, f"{PATH}/{event}/0?{query}"), 404, "not found")
    response = gateway.client.post(link(gateway))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    with gateway.database.writing() as connection:
        connection.execute(t.contents.delete().where(t.contents.c.event == EVENT))
    refused(get(gateway, link(gateway)), 410, "gone")
    refused(get(gateway, link(gateway, number=1)), 410, "gone")
    assert content.sha256


def test_a_content_store_that_cannot_be_read_says_so(
    gateway: RunningGateway, content: Content, tmp_path: Path
) -> None:
    (tmp_path / "mms" / content.sha256[:2]).rename(tmp_path / "away")
    refused(get(gateway, link(gateway, number=1)), 503, "cannot be read now")
