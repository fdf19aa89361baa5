"""Ranges and conditions: the examples of RFC 9110, its corners, and any octets whatever."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homing.wire.range_request import Choice, Conditions, choose, read_range

SIZE = 10_000
WHOLE = Choice("whole", 0, SIZE)
UNSATISFIABLE = Choice("unsatisfiable")


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        (b"bytes=0-499", Choice("part", 0, 500)),
        (b"bytes=500-999", Choice("part", 500, 1000)),
        (b"bytes=-500", Choice("part", 9500, SIZE)),
        (b"bytes=9500-", Choice("part", 9500, SIZE)),
        (b"bytes=0-0", Choice("part", 0, 1)),
        (b"bytes=-1", Choice("part", 9999, SIZE)),
        (b"bytes=0-", Choice("part", 0, SIZE)),
        (b"bytes=9999-10000", Choice("part", 9999, SIZE)),
        (b"bytes=-10001", Choice("part", 0, SIZE)),
        (b"bytes=-" + b"9" * 5000, Choice("part", 0, SIZE)),
        (b"bytes=5-" + b"9" * 5000, Choice("part", 5, SIZE)),
        (b"Bytes = 007-0009 ", Choice("part", 7, 10)),
        (b"bytes=,1-2,", Choice("part", 1, 3)),
        (b"bytes=10000-", UNSATISFIABLE),
        (b"bytes=10000-20000", UNSATISFIABLE),
        (b"bytes=" + b"9" * 5000 + b"-", UNSATISFIABLE),
        (b"bytes=-0", UNSATISFIABLE),
        (b"bytes=0-0,-1", WHOLE),
        (b"bytes=5-4", WHOLE),
        (b"bytes=10001-10000", WHOLE),
        (b"bytes=-", WHOLE),
        (b"bytes=", WHOLE),
        (b"bytes", WHOLE),
        (b"", WHOLE),
        (b"lines=0-4", WHOLE),
        (b"bytes=0x1-2", WHOLE),
        (b"bytes=+1-2", WHOLE),
        ("bytes=१-२".encode(), WHOLE),
        (b"bytes=1 - 2", WHOLE),
    ],
)
def test_a_range(value: bytes, choice: Choice) -> None:
    assert read_range(value, SIZE) == choice


def test_of_nothing_there_is_no_range() -> None:
    assert read_range(b"bytes=0-", 0) == UNSATISFIABLE
    assert read_range(b"bytes=-0", 0) == UNSATISFIABLE
    assert read_range(b"bytes=-5", 0) == Choice("whole", 0, 0)


@given(value=st.binary(max_size=40) | st.from_regex(rb"\Abytes=[0-9, -]{0,12}\Z"), size=st.integers(0, 100))
@example(b"bytes=0-0", 0)
def test_whatever_is_asked_lies_within(value: bytes, size: int) -> None:
    choice = read_range(value, size)
    if choice.outcome == "part":
        assert 0 <= choice.first < choice.end <= size
    else:
        assert choice in (Choice("whole", 0, size), UNSATISFIABLE)


@given(size=st.integers(1, 1000), data=st.data())
def test_every_range_can_be_asked_for(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    assert read_range(b"bytes=%d-%d" % (first, end - 1), size) == Choice("part", first, end)
    assert read_range(b"bytes=-%d" % (size - first), size) == Choice("part", first, size)


PART = Choice("part", 0, 5)
FIVE = b"bytes=0-4"


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        (Conditions(), WHOLE),
        (Conditions(range=FIVE), PART),
        (Conditions(range=FIVE, if_range=b' "abc" '), PART),
        (Conditions(range=FIVE, if_range=b'W/"abc"'), WHOLE),
        (Conditions(range=FIVE, if_range=b'"abd"'), WHOLE),
        (Conditions(range=FIVE, if_range=b"Sat, 29 Oct 1994 19:43:31 GMT"), WHOLE),
        (Conditions(if_none_match=b'"abc"'), Choice("not_modified")),
        (Conditions(if_none_match=b'"x", W/"abc"', range=FIVE), Choice("not_modified")),
        (Conditions(if_none_match=b"*"), Choice("not_modified")),
        (Conditions(if_none_match=b'"ABC", "x,y", ""'), WHOLE),
        (Conditions(if_none_match=b"abc"), WHOLE),
        (Conditions(if_match=b'"x","abc"', range=FIVE), PART),
        (Conditions(if_match=b"*"), WHOLE),
        (Conditions(if_match=b'W/"abc"'), Choice("precondition_failed")),
        (Conditions(if_match=b'"x"', if_none_match=b'"abc"'), Choice("precondition_failed")),
        (Conditions(if_match=b""), Choice("precondition_failed")),
    ],
)
def test_conditions(asked: Conditions, choice: Choice) -> None:
    assert choose(asked, b"abc", SIZE) == choice


@given(value=st.binary(max_size=40))
def test_no_octets_are_too_odd(value: bytes) -> None:
    for asked in (Conditions(if_match=value), Conditions(if_none_match=value)):
        choose(asked, b"abc", SIZE)
    assert choose(Conditions(range=value, if_range=value), b"abc", SIZE) == WHOLE
