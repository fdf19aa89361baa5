"""Multiparts in pieces: what is written is read back, and no text of a header breaks out of it."""

from hypothesis import given
from hypothesis import strategies as st

from homing.wire.mime_reader import MimeReader, PartBegin, PartData
from homing.wire.mime_writer import Entity, header_lines, joined, multipart, size_of
from homing.wire.streamed import Slice


def read(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The parts of an entity: headers and octets."""
    reader = MimeReader({"content-type": content_type})
    found: list[tuple[dict[str, str], bytes]] = []
    for event in [*reader.receive_data(body), *reader.end()]:
        if isinstance(event, PartBegin):
            found.append((dict(event.headers.fields), b""))
        elif isinstance(event, PartData):
            found[-1] = (found[-1][0], found[-1][1] + event.octets)
    return found


@given(st.lists(st.tuples(st.text(max_size=30), st.binary(max_size=60)), min_size=1, max_size=5))
def test_what_is_written_is_read(parts: list[tuple[str, bytes]]) -> None:
    pieces = multipart("b-1", [Entity((("Content-Description", text),), (octets,)) for text, octets in parts])
    body = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    assert len(pieces) == 1
    assert size_of(pieces) == len(body)
    found = read('multipart/mixed; boundary="b-1"', body)
    assert [octets for _, octets in found] == [octets for _, octets in parts]
    assert all(set(headers) <= {"content-description"} for headers, _ in found)


def test_slices_stay_between_the_octets() -> None:
    entities = [Entity((("A", "1"),), (Slice(10, 5),)), Entity((), (Slice(0, 0), b"x", b"y"))]
    assert multipart("b", entities) == [
        b"--b\r\nA: 1\r\n\r\n",
        Slice(10, 5),
        b"\r\n--b\r\n\r\nxy\r\n--b--\r\n",
    ]
    assert size_of(multipart("b", entities)) == 13 + 5 + 20
    assert joined([b"a", b"b", Slice(0, 0), b"c", Slice(1, 1), Slice(2, 1)]) == [
        b"abc",
        Slice(1, 1),
        Slice(2, 1),
    ]


def test_no_value_breaks_a_header() -> None:
    assert header_lines((("Content-ID", "<a\r\nEvil: 1\x00é>"),)) == "Content-ID: <a__Evil: 1__>\r\n"
