"""Forms with a file: as programs write them, in pieces of any size, within limits."""

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.form_upload import FIELD_OCTETS, FileBegin, FileData, UploadReader
from homing.wire.mime_reader import MimeProblem

TYPE = 'multipart/form-data; boundary="Bb"'
Fields = dict[str, bytes]


def field(name: str, value: bytes) -> bytes:
    return f'--Bb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


def file(octets: bytes, name: str = "mms.zip", filename: str = "x.zip") -> bytes:
    head = f'--Bb\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    return head.encode() + b"Content-Type: application/zip\r\n\r\n" + octets + b"\r\n"


def read(*parts: bytes, step: int = 1_000_000) -> tuple[Fields, bytes | None, Fields]:
    """The fields, the file, and the fields that were known when it began."""
    octets = b"".join(parts) + b"--Bb--\r\n"
    reader = UploadReader(TYPE, "mms.zip")
    found: bytes | None = None
    before: Fields = {}
    for at in range(0, len(octets) + step, step):
        for event in reader.receive_data(octets[at : at + step]) if at < len(octets) else reader.end():
            if isinstance(event, FileBegin):
                assert found is None
                found, before = b"", dict(reader.fields)
            else:
                assert isinstance(event, FileData)
                assert event.octets
                assert found is not None
                found += event.octets
    return reader.fields, found, before


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_fields_are_gathered_and_the_file_is_told(step: int) -> None:
    fields, octets, before = read(
        field("user", b"acme"), file(b"PK\r\n--B\r\n\0"), field("to", b"447"), step=step
    )
    assert (fields, octets) == ({"user": b"acme", "to": b"447"}, b"PK\r\n--B\r\n\0")
    if step == 1:
        assert before == {"user": b"acme"}


def test_of_two_fields_the_first_that_is_not_empty_counts() -> None:
    fields, octets, _ = read(field("note", b""), field("note", b"1"), field("note", b"2"))
    assert (fields, octets) == ({"note": b"1"}, None)


def test_the_file_is_known_by_its_own_name_or_that_of_its_input() -> None:
    assert read(file(b"1", name="mms.zip", filename=""))[1] == b"1"
    assert read(file(b"1", name="upload", filename="mms.zip"))[1] == b"1"
    assert read(field("mms.zip", b"1"))[1] == b"1"


def test_other_files_are_passed_over_however_long() -> None:
    fields, octets, _ = read(file(bytes(1_000_000), "photo", "a.jpg"), field("to", b"447"), file(b"PK"))
    assert (fields, octets) == ({"to": b"447"}, b"PK")


def test_an_empty_file_is_none() -> None:
    assert read(file(b"", filename=""), field("url", b"u")) == ({"url": b"u"}, None, {})
    assert read(file(b""), file(b"PK"))[1] == b"PK"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([file(b"1"), file(b"2")], "mms.zip twice"),
        ([field("note", bytes(FIELD_OCTETS + 1))], "'note' is longer than 65536 octets"),
        ([field(f"n{n}", bytes(FIELD_OCTETS)) for n in range(5)], "more than 262144 octets"),
        ([field(f"n{n}", b"1") for n in range(101)], "more than 100 parts"),
        ([], "no part"),
    ],
)
def test_what_is_too_much_is_named(parts: Sequence[bytes], words: str) -> None:
    with pytest.raises(MimeProblem, match=words):
        read(*parts)


def test_a_form_without_boundary_or_end_is_none() -> None:
    with pytest.raises(MimeProblem, match="no boundary"):
        UploadReader("multipart/form-data", "mms.zip")
    reader = UploadReader(TYPE, "mms.zip")
    reader.receive_data(field("to", b"447"))
    with pytest.raises(MimeProblem, match="cut short"):
        reader.end()


NAMES = st.sampled_from(["to", "from", "note", "user"])


@given(
    before=st.dictionaries(NAMES, st.binary(min_size=1, max_size=40)),
    octets=st.binary(min_size=1, max_size=300),
    after=st.dictionaries(NAMES, st.binary(min_size=1, max_size=40)),
    step=st.integers(1, 80),
)
def test_any_octets_come_through_in_any_pieces(
    before: Fields, octets: bytes, after: Fields, step: int
) -> None:
    if b"--Bb" in octets or any(b"--Bb" in value for value in (*before.values(), *after.values())):
        return
    parts = [field(name, value) for name, value in before.items()]
    parts += [file(octets), *(field(name, value) for name, value in after.items())]
    fields, found, _ = read(*parts, step=step)
    assert (fields, found) == (after | before, octets)


@given(pieces=st.lists(st.binary(max_size=50) | st.sampled_from([b"--Bb\r\n", b"--Bb--", b"\r\n\r\n"])))
def test_whatever_comes_is_read_or_refused(pieces: list[bytes]) -> None:
    reader = UploadReader(TYPE, "mms.zip")
    with contextlib.suppress(MimeProblem):
        for piece in pieces:
            reader.receive_data(piece)
        reader.end()
    assert all(reader.fields.values())
