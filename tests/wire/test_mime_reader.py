"""MIME entities read in pieces: as the standard library reads them whole, within limits, whatever comes."""

import random
from collections.abc import Sequence
from email import message_from_bytes
from email.encoders import encode_base64, encode_quopri
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.mime_reader import (
    DEPTH,
    HEADER_OCTETS,
    PARTS,
    Event,
    Headers,
    MimeProblem,
    MimeReader,
    PartBegin,
    PartData,
    PartEnd,
)
from homing.wire.transfer_encoding import decoder_of

MIXED = {"content-type": 'multipart/mixed; boundary="b"'}
Part = tuple[str, bytes]


def parts_of(events: Sequence[Event]) -> list[Part]:
    """Content type and octets of each part, as the events tell them."""
    found: list[Part] = []
    is_open = False
    for event in events:
        if isinstance(event, PartBegin):
            assert not is_open
            found.append((event.headers.content_type, b""))
            is_open = True
        elif isinstance(event, PartData):
            assert is_open
            assert event.octets
            found[-1] = (found[-1][0], found[-1][1] + event.octets)
        else:
            assert isinstance(event, PartEnd)
            is_open = False
    assert not is_open
    return found


def read(octets: bytes, headers: dict[str, str] = MIXED, step: int | None = None) -> list[Part]:
    reader = MimeReader(headers)
    events = []
    for at in range(0, len(octets), step or max(1, len(octets))):
        events += reader.receive_data(octets[at : at + (step or len(octets))])
    return parts_of([*events, *reader.end()])


@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize(
    ("octets", "parts"),
    [
        (b"--b\r\n\r\nHi\r\n--b--\r\n", [("text/plain", b"Hi")]),
        (b"--b\r\n\r\nHi\r\n--b--", [("text/plain", b"Hi")]),
        (b"--b\n\nHi\n--b--\n", [("text/plain", b"Hi")]),
        (b"preamble\r\n--b\r\n\r\nHi\r\n--b--\r\nepilogue\r\n--b\r\n", [("text/plain", b"Hi")]),
        (b"\r\n--b  \r\n\r\n\r\nHi\r\n\r\n--b-- \t\r\n", [("text/plain", b"\r\nHi\r\n")]),
        (b"--b\r\nContent-Type: image/gif\r\n\r\n--b--\r\n", [("image/gif", b"")]),
        (b"--b\r\nContent-Type: image/gif\r\n\r\n\r\n--b--\r\n", [("image/gif", b"")]),
        (b"--b\r\n\r\nx\r\n--bc\r\n-b\r\n--b--\r\n", [("text/plain", b"x\r\n--bc\r\n-b")]),
        (b"--b\r\ncontent-type:\r\n IMAGE/gif;\r\n\tname=x\r\n\r\nx\r\n--b--\r\n", [("image/gif", b"x")]),
        (b"--b\r\nContent-Type: nonsense\r\n\r\nx\r\n--b--\r\n", [("text/plain", b"x")]),
        (
            b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8\r\n--b--\r\n",
            [("text/plain", b"hello")],
        ),
        (
            b"--b\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nh=E9 =\r\nl\r\n--b--\r\n",
            [("text/plain", b"h\xe9 l")],
        ),
        (
            b"--b\r\nContent-Type: multipart/related; boundary=bb\r\n\r\n"
            b"--bb\r\n\r\n1\r\n--bb\r\n\r\n2\r\n--bb--\r\n--b\r\n\r\n3\r\n--b--",
            [("text/plain", b"1"), ("text/plain", b"2"), ("text/plain", b"3")],
        ),
        (  # the inner one is not closed
            b"--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n"
            b"--c\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--",
            [("text/plain", b"1"), ("text/plain", b"2")],
        ),
        (  # both have the same boundary
            b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b--\r\n--b--\r\n",
            [("text/plain", b"1")],
        ),
    ],
)  # fmt: skip
def test_parts_are_read_in_pieces_of_any_size(octets: bytes, parts: list[Part], step: int | None) -> None:
    assert read(octets, step=step) == parts


def test_what_is_no_multipart_is_one_part() -> None:
    assert read(b"<x/>\r\n--b", {"content-type": "text/xml"}, 2) == [("text/xml", b"<x/>\r\n--b")]
    assert read(b"", {}) == [("text/plain", b"")]
    assert read(b"aGk=", {"content-transfer-encoding": "base64"}, 1) == [("text/plain", b"hi")]


def test_a_part_knows_what_is_around_it() -> None:
    reader = MimeReader({"content-type": "multipart/related; boundary=b; start=<root>"})
    octets = (
        b"--b\r\nContent-ID: <root>\r\n\r\nsoap\r\n--b\r\nContent-ID: <mms>\r\n"
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-ID: <1>\r\n\r\nx\r\n--c--\r\n--b--"
    )
    begun = [event for event in reader.receive_data(octets) + reader.end() if isinstance(event, PartBegin)]
    assert [event.headers.content_id for event in begun] == ["root", "1"]
    assert [[each.content_id for each in event.ancestors] for event in begun] == [[""], ["", "mms"]]
    start = begun[0].ancestors[0].parameter("content-type", "start")
    assert start is not None
    assert start.strip("<>") == "root"


@pytest.mark.parametrize(
    ("octets", "headers", "said"),
    [
        (b"", MIXED, "cut short"),
        (b"--b\r\n\r\nHi", MIXED, "cut short"),
        (b"--b\r\n\r\nHi\r\n--b", MIXED, "cut short"),
        (b"--b\r\n\r\nHi\r\n--b-", MIXED, "cut short"),
        (b"--b\r\nA: b", MIXED, "cut short"),
        (b"--b--\r\n", MIXED, "no part"),
        (b"", {"content-type": "multipart/mixed"}, "no boundary"),
        (b"", {"content-type": "multipart/mixed; boundary=" + "x" * 201}, "too long"),
        (b"--b\r\nContent-Type: multipart/mixed\r\n\r\n", MIXED, "no boundary"),
        (b"--b\r\nContent-Transfer-Encoding: x-uue\r\n\r\n", MIXED, "transfer encoding 'x-uue'"),
        (b"--b\r\nA: " + b"x" * (HEADER_OCTETS + 1), MIXED, "octets"),
        (b"--b\r\nA: " + b"x" * (HEADER_OCTETS + 1) + b"\r\n\r\n", MIXED, "octets"),
        (b"--b\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(51)) + b"\r\n", MIXED, "headers"),
        (b"--b\r\n\r\n\r\n" * (PARTS + 1), MIXED, f"more than {PARTS} parts"),
    ],
)
def test_what_is_refused(octets: bytes, headers: dict[str, str], said: str) -> None:
    for step in (None, 1):
        with pytest.raises(MimeProblem, match=said):
            read(octets, headers, step)


def nested(depth: int) -> bytes:
    octets = b"x"
    for n in reversed(range(depth)):
        kind = b"Content-Type: multipart/mixed; boundary=b%d\r\n" % (n + 1) if n + 1 < depth else b""
        octets = b"--b%d\r\n%b\r\n%b\r\n--b%d--" % (n, kind, octets, n)
    return octets


def test_depth_is_bounded() -> None:
    headers = {"content-type": "multipart/mixed; boundary=b0"}
    assert read(nested(DEPTH), headers) == [("text/plain", b"x")]
    with pytest.raises(MimeProblem, match=f"more than {DEPTH} deep"):
        read(nested(DEPTH + 1), headers)


# --- against the standard library ---

OCTETS = st.binary(max_size=80) | st.lists(
    st.sampled_from([b"\r\n", b"--", b"--in", b"--out", b"\n", b"-", b"x", b"=", b" "]), max_size=12
).map(b"".join)


def entity(parts: Sequence[tuple[bytes, str]], boundary: str) -> Message:
    made = Message()
    made["Content-Type"] = f'multipart/mixed; boundary="{boundary}"'
    for octets, encoding in parts:
        part = Message()
        part["Content-Type"] = "application/octet-stream"
        part.set_payload(octets)
        if encoding == "base64":
            encode_base64(part)
        elif encoding == "quoted-printable":
            encode_quopri(part)
        made.attach(part)
    return made


@given(
    parts=st.lists(
        st.tuples(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable"])), min_size=1
    ),
    step=st.integers(1, 50),
)
def test_what_the_standard_library_writes_is_read(parts: list[tuple[bytes, str]], step: int) -> None:
    written = entity(parts, "out").as_bytes()
    body = written.partition(b"\n\n")[2]
    found = read(body, {"content-type": 'multipart/mixed; boundary="out"'}, step)
    whole = [part.get_payload(decode=True) for part in message_from_bytes(written).get_payload()]  # type: ignore[union-attr]
    assert [octets for _, octets in found] == whole


@given(parts=st.lists(OCTETS, min_size=1, max_size=6), step=st.integers(1, 40))
def test_any_octets_survive(parts: list[bytes], step: int) -> None:
    boundary = b"7d1f3a"
    body = b"".join(b"--%b\r\nContent-Type: image/gif\r\n\r\n%b\r\n" % (boundary, part) for part in parts)
    found = read(body + b"--7d1f3a--\r\n", {"content-type": "multipart/form-data; boundary=7d1f3a"}, step)
    assert [octets for _, octets in found] == parts


@given(octets=OCTETS, seed=st.integers(0, 1000))
def test_pieces_make_no_difference(octets: bytes, seed: int) -> None:
    body = b"--out\r\nContent-Type: multipart/x; boundary=in\r\n\r\n--in\r\n\r\n" + octets + b"\r\n--out--"
    headers = {"content-type": "multipart/mixed; boundary=out"}

    def outcome(cuts: Sequence[int]) -> Any:
        reader = MimeReader(headers)
        events: list[Event] = []
        try:
            for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
                events += reader.receive_data(body[begin:end])
            return parts_of([*events, *reader.end()])
        except MimeProblem as problem:
            return str(problem)

    chance = random.Random(seed)
    assert outcome(sorted(chance.choices(range(len(body)), k=8))) == outcome([])


@given(
    octets=st.binary(max_size=400),
    content_type=st.sampled_from(["multipart/mixed; boundary=b", "text/xml", ""]),
)
def test_any_octets_are_read_or_refused(octets: bytes, content_type: str) -> None:
    for body in (octets, b"--b\r\n" + octets + b"\r\n--b--"):
        reader = MimeReader({"content-type": content_type})
        try:
            parts_of(reader.receive_data(body) + reader.end())
        except MimeProblem:
            continue


# --- headers and encodings ---


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        ('image/gif; name="a b.gif"', "name", "a b.gif"),
        ("image/gif; NAME=a.gif", "name", "a.gif"),
        ("image/gif; name*=utf-8''h%C3%A9.gif", "name", "hé.gif"),
        ("image/gif; name*=nonsense''h%C3%A9.gif", "name", None),
        ('image/gif; name="hé.gif"', "name", "hé.gif"),
        ("image/gif", "name", None),
        ("", "name", None),
    ],
)
def test_parameters(value: str, name: str, found: str | None) -> None:
    assert Headers({"content-type": value}).parameter("content-type", name) == found


@given(text=st.text(), name=st.text(min_size=1))
def test_any_header_is_read(text: str, name: str) -> None:
    headers = Headers({"content-type": text, "content-id": text})
    headers.parameter("content-type", name)
    assert "/" in headers.content_type
    assert isinstance(headers.content_id, str)


@given(
    octets=st.binary(max_size=300),
    step=st.integers(1, 30),
    encoding=st.sampled_from(["base64", "quoted-printable", ""]),
)
def test_encodings_are_undone_in_pieces_as_in_one(octets: bytes, step: int, encoding: str) -> None:
    whole, pieces = decoder_of(encoding), decoder_of(encoding)
    expected = whole.decode(octets) + whole.end()
    found = b"".join(pieces.decode(octets[at : at + step]) for at in range(0, len(octets), step))
    assert found + pieces.end() == expected


def test_a_long_quoted_printable_line_is_not_held() -> None:
    decoder = decoder_of("quoted-printable")
    first = decoder.decode(b"=41" * 100_000)
    assert len(first) > 90_000
    assert first + decoder.end() == b"A" * 100_000
