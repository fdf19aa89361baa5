"""A submission as a request to a relay: octet by octet, and read again by the reader of MIME."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import __version__
from homing.engine.submit import MMS_SEGMENTS
from homing.model.message import Submission
from homing.model.mms import Content, Mms, Part
from homing.wire.mime_reader import MimeReader, PartBegin, PartData
from homing.wire.mm7 import Submit, write_submit
from homing.wire.mm7_relay import read_submit
from homing.wire.mm7_request import CONTENT_ID, Relay, basic_credentials, render_submit
from homing.wire.streamed import Slice, Streamed
from homing.wire.target import Target

RELAY = Relay(
    target=Target(scheme="http", host="mmsc.example.net", port=8080), path="/mm7?x=1", user="relay",
    password="s3cret", vasp_id="homing", vas_id="news",
)  # fmt: skip


def submission(parts: dict[str, tuple[str, bytes]], **values: Any) -> tuple[Submission, bytes]:
    """An MMS with these parts by name, and its content: their octets with something between them."""
    stored, made = b"manifest", []
    for name, (content_type, octets) in parts.items():
        stored += b"PK.."
        made.append(
            Part(name=name, content_type=content_type, size=len(octets), offset=len(stored), sha256="0" * 64)
        )
        stored += octets
    content = Content(sha256="ab" * 32, size=len(stored), parts=tuple(made))
    mms = Mms(subject=values.pop("subject", "Hé"), content=content, expires_at_ms=1)
    fields: dict[str, Any] = {
        "id": 7, "account": "acme", "sender": "60999", "recipient": "447700900123", "report_bits": 7,
        "segments": MMS_SEGMENTS, "mms": mms,
    }  # fmt: skip
    return Submission(**(fields | values)), stored


def octets_of(request: Streamed, stored: bytes) -> bytes:
    return b"".join(
        stored[piece.offset : piece.offset + piece.size] if isinstance(piece, Slice) else piece
        for piece in request.pieces
    )


def parts_of(octets: bytes) -> tuple[dict[str, str], list[tuple[PartBegin, bytes]]]:
    """The headers of a request, and its parts."""
    head, _, body = octets.partition(b"\r\n\r\n")
    _line, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(headers["content-length"]) == len(body)
    reader = MimeReader(headers)
    found: list[tuple[PartBegin, bytes]] = []
    for event in [*reader.receive_data(body), *reader.end()]:
        if isinstance(event, PartBegin):
            found.append((event, b""))
        elif isinstance(event, PartData):
            found[-1] = (found[-1][0], found[-1][1] + event.octets)
    return headers, found


GOLDEN = """\
POST /mm7?x=1 HTTP/1.1
Host: mmsc.example.net:8080
User-Agent: Homing/{version}
Accept: text/xml, multipart/related
Authorization: Basic cmVsYXk6czNjcmV0
Content-Type: multipart/related; boundary="=_homing-{mark}"; type="text/xml"; start="<envelope@homing>"
SOAPAction: ""
Content-Length: {size}

--=_homing-{mark}
Content-Type: text/xml; charset=utf-8
Content-ID: <envelope@homing>
Content-Transfer-Encoding: binary

{envelope}
--=_homing-{mark}
Content-Type: multipart/related; boundary="=_content-{mark}"; type="application/smil"; start="<show.smil>"
Content-ID: <content@homing>
Content-Transfer-Encoding: binary

--=_content-{mark}
Content-Type: application/smil
Content-ID: <show.smil>
Content-Location: show.smil
Content-Transfer-Encoding: binary

<smil/>
--=_content-{mark}
Content-Type: image/gif
Content-ID: <a.gif>
Content-Location: a.gif
Content-Transfer-Encoding: binary

GIF89a
--=_content-{mark}
Content-Type: text/plain; charset=utf-8
Content-ID: <w.txt>
Content-Location: w.txt
Content-Transfer-Encoding: binary

Hello
--=_content-{mark}--

--=_homing-{mark}--
"""


def test_a_submission_octet_by_octet() -> None:
    made, stored = submission(
        {
            "a.gif": ("image/gif", b"GIF89a"),
            "w.txt": ("text/plain", b"Hello"),
            "show.smil": ("application/smil", b"<smil/>"),
        }
    )
    request = render_submit(RELAY, made)
    octets = octets_of(request, stored)
    envelope = write_submit(
        Submit(
            transaction_id="7", vasp_id="homing", vas_id="news", sender="60999", recipient="447700900123",
            subject="Hé", wants_delivery_report=True, content_id=CONTENT_ID,
        )
    ).decode()  # fmt: skip
    mark = re.search(rb"=_homing-([0-9a-f]{32})", octets)
    assert mark is not None
    expected = GOLDEN.replace("\n", "\r\n").format(
        version=__version__, mark=mark[1].decode(), size=len(octets.partition(b"\r\n\r\n")[2]),
        envelope=envelope,
    )  # fmt: skip
    assert octets.decode() == expected
    assert request.sha256 == "ab" * 32
    assert [type(piece) for piece in request.pieces] == [bytes, Slice, bytes, Slice, bytes, Slice, bytes]
    assert request == render_submit(RELAY, made), "the same again: the same octets"


@pytest.mark.parametrize(
    ("names", "content_type"),
    [
        (["a.gif", "w.txt"], "multipart/mixed"),
        (["a.gif", "x.smil"], "multipart/related"),
        (["w.txt"], "multipart/mixed"),
        ([], "multipart/mixed"),
    ],
)
def test_the_content_is_related_when_it_has_a_presentation(names: list[str], content_type: str) -> None:
    types = {"gif": "image/gif", "txt": "text/plain", "smil": "application/smil+xml"}
    made, stored = submission({name: (types[name.rpartition(".")[2]], b"x") for name in names})
    octets = octets_of(render_submit(RELAY, made), stored)
    assert octets.count(f'Content-Type: {content_type}; boundary="=_content'.encode()) == 1


@pytest.mark.parametrize(("bits", "read"), [(0, False), (7, False), (8, True), (15, True)])
def test_a_delivery_report_is_always_asked_for_and_a_read_report_when_it_is_wanted(
    bits: int, read: bool
) -> None:
    made, stored = submission({"w.txt": ("text/plain", b"x")}, report_bits=bits, validity_s=60)
    _, parts = parts_of(octets_of(render_submit(RELAY, made), stored))
    request = read_submit(parts[0][1])
    assert (request.wants_delivery_report, request.wants_read_report) == (True, read)
    assert b"PT60S" in parts[0][1]


def test_without_a_user_nobody_logs_in() -> None:
    made, stored = submission({"w.txt": ("text/plain", b"x")})
    relay = Relay(target=RELAY.target, path="/")
    assert b"Authorization" not in octets_of(render_submit(relay, made), stored)
    assert basic_credentials("a", "é") == "Basic YTrDqQ=="  # RFC 7617 §2.1
    assert "s3cret" not in repr(RELAY)


@given(
    parts=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]{1,20}\.[a-z]{3}", fullmatch=True),
        st.tuples(
            st.sampled_from(["image/gif", "text/plain", "application/smil", "video/3gpp"]),
            st.binary(max_size=200),
        ),
        min_size=1, max_size=6,
    ),
    subject=st.text(max_size=40),
    sender=st.sampled_from(["60999", "447700900999", "acme", ""]),
)  # fmt: skip
def test_whatever_is_sent_is_read_as_it_was(
    parts: dict[str, tuple[str, bytes]], subject: str, sender: str
) -> None:
    made, stored = submission(parts, subject=subject, sender=sender)
    request = render_submit(RELAY, made)
    headers, found = parts_of(octets_of(request, stored))
    assert request.size == len(octets_of(request, stored))
    (envelope, octets), *others = found
    said = read_submit(octets, envelope.headers.fields["content-type"])
    assert envelope.headers.content_id == "envelope@homing"
    assert "envelope@homing" in headers["content-type"]
    assert (said.frame.transaction_id, said.vasp_id, said.vas_id) == ("7", "homing", "news")
    assert said.recipients[0].address == "+447700900123"
    assert said.sender.removeprefix("+") == sender
    read = {}
    for begin, content in others:
        assert [each.content_id for each in begin.ancestors] == ["", said.content_id]
        assert begin.headers.content_id == begin.headers.fields["content-location"]
        read[begin.headers.content_id] = (begin.headers.content_type, content)
    assert read == parts
    is_smil = [begin.headers.content_type == "application/smil" for begin, _ in others]
    assert is_smil[0] == any(is_smil), "the presentation comes first"


def test_any_name_and_type_stay_within_their_header() -> None:
    made, stored = submission({'a"\r\nEvil: 1\r\n\r\n': ("image/gif\r\nEvil: 2", b"x")})
    _, parts = parts_of(octets_of(render_submit(RELAY, made), stored))
    assert all("evil" not in begin.headers.fields for begin, _ in parts)
    assert len(parts) == 2
