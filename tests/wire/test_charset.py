"""Texts in URLs: as the standard library writes them, in any charset, and never a failure."""

from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.charset import quoter

_ASCII = st.characters(max_codepoint=127)


@given(st.text(st.one_of(_ASCII, st.characters(exclude_categories=["Cs"]))))
def test_what_utf_8_says_is_escaped_as_the_standard_library_does(text: str) -> None:
    assert quoter("utf-8")(text) == quote_plus(text)


@pytest.mark.parametrize("charset", ["iso-8859-15", "ascii", "cp1252", "koi8-r"])
@given(text=st.text())
def test_what_a_charset_says_is_escaped_octet_by_octet(charset: str, text: str) -> None:
    octets = text.encode(charset, "homing.nearest")
    assert quoter(charset)(text) == quote_plus(octets)


@pytest.mark.parametrize("text", ["".join(map(chr, range(128))), "100%", "%25", "+ +", "%%%", "", "a%2Bb c"])
def test_every_octet_of_ascii_is_itself_or_its_escape(text: str) -> None:
    assert quoter("iso-8859-15")(text) == quote_plus(text)
