"""What a simulated phone sends: whole, and with every fault, read by the readers that the node has."""

import re
from typing import Any

import pytest
from lxml import etree

from homing.links.mms_phone import (
    FAULTS,
    MEDIA_TYPES,
    File,
    PhoneMms,
    files_of,
    media_type_of,
    write_request,
)
from homing.links.mms_samples import TEXT, samples
from homing.wire.mime_reader import MimeProblem, MimeReader, PartBegin, PartData
from homing.wire.mm7 import DEFAULT_NAMESPACE, DeliverReq, Recipient, read_relay_request
from tests.docs.pages import bare, page, tables

FILES = (File("a.jpg", "image/jpeg", b"\xff\xd8 =\r\n.\r\n--"), File("w.txt", "text/plain", "Grüße".encode()))


def made(fault: str | None = None, **changes: Any) -> tuple[DeliverReq, list[tuple[PartBegin, bytes]]]:
    """The envelope of a request, and its other parts."""
    values: dict[str, Any] = {"sender": "447700900123", "to": ("60999",), "subject": "Hé", "files": FILES}
    request = write_request(
        PhoneMms(**(values | changes)), transaction="T-1", timestamp="2026-03-04T05:06:07Z", fault=fault,
        limit_bytes=50_000,
    )  # fmt: skip
    reader = MimeReader({"content-type": request.content_type})
    found: list[tuple[PartBegin, bytes]] = []
    for event in [*reader.receive_data(request.body), *reader.end()]:
        if isinstance(event, PartBegin):
            found.append((event, b""))
        elif isinstance(event, PartData):
            found[-1] = (found[-1][0], found[-1][1] + event.octets)
    envelope = read_relay_request(found[0][1])
    assert isinstance(envelope, DeliverReq)
    return envelope, found[1:]


def shown(parts: list[tuple[PartBegin, bytes]]) -> list[tuple[str, str, bytes]]:
    return [
        (begin.headers.content_id, begin.headers.content_type, octets)
        for begin, octets in parts
        if begin.headers.content_type != "application/smil"
    ]


AS_GIVEN = [("a.jpg", "image/jpeg", FILES[0].octets), ("w.txt", "text/plain", FILES[1].octets)]


def test_a_whole_message() -> None:
    envelope, parts = made()
    assert (envelope.sender, envelope.to, envelope.subject) == ("+447700900123", (Recipient("60999"),), "Hé")
    assert (envelope.frame.transaction_id, envelope.linked_id) == ("T-1", "T-1")
    assert shown(parts) == AS_GIVEN
    (first, presentation), *others = parts
    assert first.headers.content_type == "application/smil"
    assert [each.get("src") for each in etree.fromstring(presentation).iter("img", "text")] == [
        "a.jpg",
        "w.txt",
    ]
    assert all(begin.ancestors[-1].content_id == envelope.content_id for begin, _ in parts)
    assert all(begin.headers.content_id == begin.headers.fields["content-location"] for begin, _ in others)


def test_without_a_presentation_the_parts_are_mixed() -> None:
    _, parts = made(has_smil=False)
    assert shown(parts) == AS_GIVEN
    assert len(parts) == 2
    assert parts[0][0].ancestors[-1].content_type == "multipart/mixed"


def test_a_single_part_is_the_content() -> None:
    envelope, parts = made(is_single=True)
    assert [(octets, begin.headers.content_id) for begin, octets in parts] == [
        (FILES[0].octets, envelope.content_id)
    ]
    assert len(parts[0][0].ancestors) == 1


@pytest.mark.parametrize("fault", ["wrong-namespace", "repeated", "nested", "base64", "quoted-printable"])
def test_what_is_odd_says_the_same(fault: str) -> None:
    envelope, parts = made(fault)
    assert shown(parts) == AS_GIVEN
    assert envelope.content_id in [each.content_id for each in parts[0][0].ancestors]
    assert (envelope.frame.namespace != DEFAULT_NAMESPACE) == (fault == "wrong-namespace")
    assert len(parts[0][0].ancestors) == (3 if fault == "nested" else 2)
    encoding = parts[1][0].headers.fields["content-transfer-encoding"]
    assert encoding == (fault if fault in ("base64", "quoted-printable") else "binary")


def test_a_content_that_is_not_there() -> None:
    envelope, parts = made("missing-cid")
    named = {each.content_id for begin, _ in parts for each in (begin.headers, *begin.ancestors)}
    assert envelope.content_id not in named


def test_a_body_that_is_cut() -> None:
    with pytest.raises(MimeProblem, match="cut short"):
        made("truncated")


def test_a_message_above_the_limit() -> None:
    _, parts = made("huge")
    assert sum(len(octets) for _, octets in parts) > 50_000
    assert shown(parts)[-1][0] == "large.bin"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (("60999",), [Recipient("60999"), Recipient("+447700900999", True)]),
        (("60999", "60998"), [Recipient("60999"), Recipient("60998", True)]),
    ],
)
def test_a_group_has_one_that_is_only_shown(to: tuple[str, ...], expected: list[Recipient]) -> None:
    assert list(made("group", to=to)[0].to) == expected
    assert [each.is_display_only for each in made(to=("1234", "5678"))[0].to] == [False, False]


def test_a_text_in_latin_1() -> None:
    _, parts = made("latin1")
    begin, octets = parts[-1]
    assert (begin.headers.parameter("content-type", "charset"), octets) == (
        "iso-8859-1",
        "Grüße".encode("latin-1"),
    )


def test_files_have_safe_names_and_types_by_extension() -> None:
    files = files_of([("../Ü b.JPG", b"1"), ("x", b"2"), ("Ü b.jpg", b"3")], "Hello")
    assert [(file.name, file.content_type) for file in files] == [
        ("b.JPG", "image/jpeg"), ("x.bin", "application/octet-stream"), ("b-2.jpg", "image/jpeg"),
        ("words.txt", "text/plain"),
    ]  # fmt: skip
    assert media_type_of("a.3GP") == MEDIA_TYPES["3gp"] == "video/3gpp"


@pytest.mark.parametrize("text", [None, "Hello"])
def test_without_files_the_samples_are_sent(text: str | None) -> None:
    files = files_of([], text)
    assert [file.name for file in files] == [name for name, _, _ in samples()]
    assert files[-1].octets.decode() == (text or TEXT)


def test_the_page_lists_every_fault() -> None:
    rows = tables(page("simulator.md"))["fault|what is sent"]
    assert {bare(row[0]): row[1] for row in rows} == dict(FAULTS)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in FAULTS)
