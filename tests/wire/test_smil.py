"""Presentations name files: those that they name otherwise in the message, and nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.smil import refer_to_files

FILES = {"pic@x": "pic.jpg", "my pic.jpg": "my_pic.jpg", "a&b.txt": "a_b.txt", "same.gif": "same.gif"}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('<img src="cid:pic@x"/>', '<img src="pic.jpg"/>'),
        ('<img src="CID:<pic@x>"/>', '<img src="CID:<pic@x>"/>'),  # no XML, and nobody's to mend
        ('<img src="cid:pic%40x"/>', '<img src="pic.jpg"/>'),
        ("<img region='a' SRC = 'my pic.jpg' alt='b'/>", "<img region='a' SRC = 'my_pic.jpg' alt='b'/>"),
        ('<text src="a&amp;b.txt"/>', '<text src="a_b.txt"/>'),
        ('<img src="same.gif"/>', '<img src="same.gif"/>'),
        ('<img src="cid:nobody"/>', '<img src="cid:nobody"/>'),
        ('<img datasrc="my pic.jpg"/>', '<img datasrc="my pic.jpg"/>'),
        ('<a href="my pic.jpg"/>', '<a href="my pic.jpg"/>'),
    ],
)
def test_references(written: str, wanted: str) -> None:
    assert refer_to_files(written.encode(), FILES) == wanted.encode()


@given(octets=st.binary())
def test_what_refers_to_nothing_stays_as_it_is(octets: bytes) -> None:
    assert refer_to_files(octets, {}) == octets


@given(source=st.text(max_size=50))
def test_any_reference_can_be_read(source: str) -> None:
    written = f'<img src="{source}"/>'.encode("utf-8", "replace")
    assert refer_to_files(written, FILES).startswith(b"<img src=")
