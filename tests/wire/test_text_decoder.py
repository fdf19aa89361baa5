"""Texts of MMS become UTF-8, however they are cut, and whatever they claim to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.text_decoder import TextDecoder, charset_named


def decoded(octets: bytes, charset: str | None, step: int = 1 << 20) -> str:
    decoder = TextDecoder(charset)
    pieces = [decoder.decode(octets[at : at + step]) for at in range(0, len(octets), step)]
    return b"".join([*pieces, decoder.end()]).decode("utf-8")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"), ("UTF8", "utf-8"), ("iso-8859-15", "iso-8859-15"), ("ISO_8859-1", "latin-1"),
        ("windows-1252", "cp1252"), ("utf-16be", "utf-16-be"), ("utf-16", "utf-16-be"),
        ("utf-16", "utf-16"), ("UTF-16LE", "utf-16-le"), ("iso-10646-ucs-2", "utf-16-be"),
        ("ucs-2", "utf-16"), (None, "utf-8"), ("us-ascii", "utf-8"), ("csUnicode", "utf-16-be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_text_is_the_same_in_utf_8(charset: str | None, encoding: str, step: int) -> None:
    assert decoded("Grüße, né".encode(encoding), charset, step) == "Grüße, né"


def test_asian_texts() -> None:
    assert decoded("你好".encode("gb2312"), "gb2312", 1) == "你好"
    assert decoded("こんにちは".encode("iso-2022-jp"), "ISO-2022-JP", 2) == "こんにちは"


@pytest.mark.parametrize(
    "charset", [None, "us-ascii", "utf-8", "x-nobody-knows", "rot13", "base64", "\0", ""]
)
def test_what_is_no_utf_8_is_latin_1(charset: str | None) -> None:
    assert decoded(b"caf\xe9 \xc3\xa9", charset, 1) == "café é"


def test_a_mark_of_the_byte_order_is_no_text() -> None:
    assert decoded(b"\xef\xbb\xbfHi", "utf-8", 1) == "Hi"
    assert decoded(b"\xff\xfeH\0i\0", "utf-16be") == "Hi"


@pytest.mark.parametrize("name", ["idna", "punycode", "unicode_escape", "utf-7", "zlib", "hex", "undefined"])
def test_codecs_that_are_no_charsets_are_not_used(name: str) -> None:
    assert charset_named(name) == "utf-8"


@given(octets=st.binary(), charset=st.none() | st.text(max_size=20), step=st.integers(1, 50))
def test_nothing_fails_and_nothing_depends_on_the_cuts(octets: bytes, charset: str | None, step: int) -> None:
    assert decoded(octets, charset, step) == decoded(octets, charset)


@given(octets=st.binary(), charset=st.sampled_from(["utf-16", "shift_jis", "gb18030", "iso-2022-kr", "hz"]))
def test_no_charset_fails(octets: bytes, charset: str) -> None:
    assert decoded(octets, charset, 1) == decoded(octets, charset)
