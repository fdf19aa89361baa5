"""The GSM alphabet, the user data header, and what ``data_coding`` means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.message import Coding
from homing.wire.gsm import (
    GSM_CHARACTERS,
    Concatenation,
    count_septets,
    decode_gsm,
    decode_user_data,
    encode_gsm,
    is_gsm,
    pack_septets,
    parse_user_data_header,
    spell_text,
    spell_unicode,
    split_user_data,
    to_gsm_nearest,
    unpack_septets,
)

ALPHABETS = ["gsm", "gsm-packed", "latin1", "latin9", "ascii", "klingon"]
gsm_text = st.text(st.sampled_from(sorted(GSM_CHARACTERS)), max_size=200)
any_text = st.text(max_size=100)
udhs = st.one_of(
    st.just(b""),
    st.binary(max_size=20),
    st.binary(max_size=12).map(lambda body: bytes((len(body),)) + body),
)


def test_escape_pairs_of_the_mx_interface() -> None:
    pairs = {
        "\f": "1B0A", "^": "1B14", "{": "1B28", "}": "1B29", "\\": "1B2F",
        "[": "1B3C", "~": "1B3D", "]": "1B3E", "|": "1B40", "€": "1B65",
    }  # fmt: skip
    for character, pair in pairs.items():
        assert encode_gsm(character) == bytes.fromhex(pair)
        assert decode_gsm(bytes.fromhex(pair)) == character
        assert count_septets(character) == 2
    assert decode_gsm(b"AB\x13\x10") == "ABΓΔ"
    assert len(GSM_CHARACTERS) == 127 + len(pairs)


@given(gsm_text)
def test_gsm_round_trip(text: str) -> None:
    assert is_gsm(text)
    assert decode_gsm(encode_gsm(text)) == text
    assert to_gsm_nearest(text) == text
    assert count_septets(text) == len(encode_gsm(text))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", ""),
        (b"a\x1b", "a "),  # an escape with nothing behind it
        (b"a\x1b\x1bb", "a b"),  # reserved for another extension: one blank
        (b"\x1b\x1b\x1b", "  "),
        (b"\x1b\x1be", " e"),
        (b"\x1ba", "a"),  # not in the extension: the character of the main table
        (b"\x1b\x0d", "\r"),
        (b"\x1b\xe9", "é"),
        (b"caf\xe9", "café"),  # no septet: read as Latin-1
        (b"\x00\x02", "@$"),
    ],
)
def test_odd_octets(octets: bytes, text: str) -> None:
    assert decode_gsm(octets) == text


@given(st.binary(max_size=100), st.integers(-1, 300), st.integers(-1, 300))
def test_any_octets_are_text(octets: bytes, locking: int, single: int) -> None:
    decoded = decode_gsm(octets, locking, single)
    assert len(decoded) <= len(octets)
    if locking == 0 and single == 0 and b"\x1b" not in octets:
        assert len(decoded) == len(octets)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("Â", "A"),
        ("ÁÀÂÃÈÊËÌÍÎÏÒÓÔÕÙÚÛÝŸŠŽ", "AAAAEEEIIIIOOOOUUUYYSZ"),
        ("áâãçêëíîïóôõúûýÿšž", "aaaceeiiiooouuyysz"),
        ("Łódź œuvre ĳ", "Lodz oeuvre ij"),
        ("“quoted” ‘x’ – — …", "\"quoted\" 'x' - - ..."),
        ("½ ² № ﬁ ™ ª º °", "1/2 2 No fi TM a o o"),
        ("Αθήνα", "AΘHNA"),
        ("привет", "??????"),
        ("한글 漢字", "?? ??"),
        ("e\u0301", "e"),
        ("a\u00a0b\tc", "a b c"),
        ("👍🏽", "??"),
        ("❤\ufe0f", "?"),
        ("\x1b\x00`", "??'"),
        ("\ud800", "?"),
        ("äöñüàéèùìòåøæßÇÉ€", "äöñüàéèùìòåøæßÇÉ€"),
    ],
)
def test_nearest_characters(text: str, nearest: str) -> None:
    assert to_gsm_nearest(text) == nearest
    assert decode_gsm(encode_gsm(text)) == nearest


@given(any_text)
def test_nearest_is_gsm_and_counts_by_character(text: str) -> None:
    nearest = to_gsm_nearest(text)
    assert is_gsm(nearest)
    assert encode_gsm(text) == encode_gsm(nearest)
    assert count_septets(text) == sum(map(count_septets, text))


def test_packed_samples() -> None:
    assert pack_septets(b"hellohello") == bytes.fromhex("E8329BFD4697D9EC37")
    assert unpack_septets(bytes.fromhex("E8329BFD4697D9EC37"), 10) == b"hellohello"
    assert pack_septets(b"") == b""
    assert pack_septets(b"A", 1) == b"\x82"
    assert unpack_septets(b"\x82", 5, 1) == b"A"


@given(st.binary(max_size=180).map(lambda octets: bytes(o & 0x7F for o in octets)), st.integers(0, 6))
def test_pack_round_trip(septets: bytes, fill_bits: int) -> None:
    packed = pack_septets(septets, fill_bits)
    assert len(packed) == (len(septets) * 7 + fill_bits + 7) // 8
    assert unpack_septets(packed, len(septets), fill_bits) == septets


@given(st.binary(max_size=50), st.integers(0, 100), st.integers(0, 6))
def test_unpack_takes_anything(data: bytes, count: int, fill_bits: int) -> None:
    expected = min(count, max(0, len(data) * 8 - fill_bits) // 7)
    assert len(unpack_septets(data, count, fill_bits)) == expected


@pytest.mark.parametrize(
    ("udh", "concatenation"),
    [
        ("0500031C0302", Concatenation(0x1C, 3, 2, 8)),
        ("060804ABCD0201", Concatenation(0xABCD, 2, 1, 16)),
        ("0B05040B8423F00003FF0201", Concatenation(0xFF, 2, 1, 8)),
        ("0A00031C0302" + "0003200504", Concatenation(0x20, 5, 4, 8)),  # the last one counts
        ("0B00031C0302" + "080400110202", Concatenation(0x11, 2, 2, 16)),
        ("0B00031C0302" + "080400110203", Concatenation(0x1C, 3, 2, 8)),  # part 3 of 2 says nothing
        ("0500031C0002", None),
        ("0500031C0300", None),
        ("0500031C0304", None),
        ("0400021C03", None),
        ("0500031C03", None),  # cut short
        ("0900031C03027F0901", Concatenation(0x1C, 3, 2, 8)),  # readable up to there
        ("05000A1C0302", None),
        ("00", None),
        ("", None),
        ("FF", None),
    ],
)
def test_concatenation(udh: str, concatenation: Concatenation | None) -> None:
    assert parse_user_data_header(bytes.fromhex(udh)).concatenation == concatenation


def test_elements_ports_and_shift_tables() -> None:
    header = parse_user_data_header(bytes.fromhex("0B" + "05040B8423F0" + "250101" + "2400"))
    assert header.elements == ((0x05, b"\x0b\x84\x23\xf0"), (0x25, b"\x01"), (0x24, b""))
    assert header.ports == (0x0B84, 0x23F0)
    assert (header.locking, header.single) == (1, 0)
    assert parse_user_data_header(bytes.fromhex("0404020A0B")).ports == (10, 11)
    assert parse_user_data_header(b"").ports is None


@given(udhs)
def test_any_header_is_read(udh: bytes) -> None:
    header = parse_user_data_header(udh)
    assert sum(2 + len(body) for _, body in header.elements) <= max(0, len(udh) - 1)
    part = header.concatenation
    assert part is None or 1 <= part.number <= part.total
    assert 0 <= header.locking < 256
    assert header.ports is None or len(header.ports) == 2


def test_user_data_is_split() -> None:
    octets = bytes.fromhex("0500031C0302") + b"text"
    assert split_user_data(octets, True) == (octets[:6], b"text")
    assert split_user_data(octets, False) == (b"", octets)
    assert split_user_data(b"", True) == (b"", b"")
    assert split_user_data(b"\x00", True) == (b"\x00", b"")
    assert split_user_data(b"\x03\x01\x01", True) == (b"", b"\x03\x01\x01")  # longer than there is


@given(st.binary(max_size=40), st.booleans())
def test_splitting_keeps_every_octet(octets: bytes, udhi: bool) -> None:
    udh, rest = split_user_data(octets, udhi)
    assert udh + rest == octets
    assert not udh or len(udh) == udh[0] + 1


def decode(
    data_coding: int, octets: bytes, udh: str = "", alphabet: str = "gsm"
) -> tuple[Coding, str, bytes]:
    return decode_user_data(data_coding=data_coding, octets=octets, udh=bytes.fromhex(udh), alphabet=alphabet)


def test_the_default_alphabet_is_the_links() -> None:
    assert decode(0, b"\x00\x1be") == (Coding.TEXT, "@€", b"")
    assert decode(0, b"\xa4", alphabet="latin1") == (Coding.TEXT, "¤", b"")
    assert decode(0, b"\xa4", alphabet="latin9") == (Coding.TEXT, "€", b"")
    assert decode(0, b"@\xe9", alphabet="ascii") == (Coding.TEXT, "@é", b"")
    assert decode(0, bytes.fromhex("E8329BFD4697D9EC37"), alphabet="gsm-packed")[1] == "hellohello"


def test_fixed_codings() -> None:
    assert decode(1, b"a@") == (Coding.TEXT, "a@", b"")
    assert decode(3, b"@\xe9") == (Coding.TEXT, "@é", b"")
    for data_coding in (2, 4):
        assert decode(data_coding, b"\x00\xff") == (Coding.DATA, "", b"\x00\xff")
    assert decode(8, bytes.fromhex("04170434")) == (Coding.UNICODE, "Зд", bytes.fromhex("04170434"))
    assert decode(8, bytes.fromhex("D83DDC4D")) == (Coding.UNICODE, "👍", bytes.fromhex("D83DDC4D"))
    assert decode(8, b"\x00a\x00") == (Coding.UNICODE, "a\ufffd", b"\x00a")
    assert decode(8, bytes.fromhex("D83D0061"))[1].endswith("a")
    assert decode(6, b"\xbf") == (Coding.UNICODE, "П", "П".encode("utf-16-be"))


@pytest.mark.parametrize(
    ("data_codings", "coding"),
    [
        ([0x0B, 0x0C, 0x0F, 0x10, 0x11, 0x13, 0x1C, 0x40, 0x50, 0x80, 0xBF], Coding.TEXT),
        ([0xC0, 0xC8, 0xD0, 0xDF, 0xF0, 0xF1, 0xF3, 0xF8], Coding.TEXT),
        ([0x14, 0x15, 0x17, 0x44, 0x54, 0xF4, 0xF5, 0xF7, 0xFF], Coding.DATA),
        ([0x20, 0x30, 0x3F, 0x60, 0x7B], Coding.DATA),  # compressed
        ([0x18, 0x19, 0x48, 0x58, 0xE0, 0xE8, 0xEF], Coding.UNICODE),
    ],
)
def test_gsm_data_coding_groups(data_codings: list[int], coding: Coding) -> None:
    for data_coding in data_codings:
        assert decode(data_coding, b"\x00A")[0] is coding, hex(data_coding)


def test_shift_tables_of_the_header() -> None:
    turkish = decode(0, b"\x1bs", "03240101")
    assert turkish == (Coding.UNICODE, "ş", "ş".encode("utf-16-be"))  # neither GSM nor Latin-9 has it
    assert decode(0, b"\x1bc\x1be", "03240101") == (Coding.TEXT, "ç€", b"")
    assert decode(0, b"S\x7bo", "03250103") == (Coding.TEXT, "São", b"")
    assert decode(0xF0, b"\x0f", "03250106")[1] == "ए"
    assert decode(0, b"a", "032501FF") == (Coding.TEXT, "a", b"")


@given(gsm_text, st.sampled_from(["", "0500031C0302", "060804ABCD0201", "03240100", "00"]))
def test_packed_text_behind_a_header(text: str, udh: str) -> None:
    octets = spell_text(text, "gsm-packed", bytes.fromhex(udh))[1]
    decoded = decode(0, octets, udh, "gsm-packed")[1]
    assert decoded == text or decoded + "@" == text  # one that fills the last octet looks like padding


@settings(max_examples=200)
@given(
    st.integers(-1, 300),
    st.binary(max_size=60),
    udhs,
    st.sampled_from(ALPHABETS),
)
def test_any_user_data_is_read(data_coding: int, octets: bytes, udh: bytes, alphabet: str) -> None:
    coding, text, data = decode_user_data(data_coding=data_coding, octets=octets, udh=udh, alphabet=alphabet)
    if coding is Coding.TEXT:
        assert data == b""
    elif coding is Coding.DATA:
        assert (text, data) == ("", octets)
    else:
        assert len(data) % 2 == 0
        assert data.decode("utf-16-be", "replace") == text or len(octets) % 2


@given(st.integers(0, 255))
def test_every_data_coding_takes_every_octet(data_coding: int) -> None:
    for octet in range(256):
        decode(data_coding, bytes((octet,)) * 3)


def test_spelling_for_links() -> None:
    assert spell_text("Price 5€ Â", "gsm") == (0, b"Price 5\x1be A")
    assert spell_text("Price 5€", "latin9") == (0, b"Price 5\xa4")
    assert spell_text("5€ Δ “é”", "latin1") == (0, b'5EUR D "\xe9"')
    assert spell_text("Åé@ß", "ascii") == (0, b"Ae@ss")
    assert spell_text("hellohello", "gsm-packed") == (0, bytes.fromhex("E8329BFD4697D9EC37"))
    assert spell_unicode("а👍") == (8, bytes.fromhex("0430D83DDC4D"))


@given(any_text, st.sampled_from(ALPHABETS))
def test_any_text_is_spelled(text: str, alphabet: str) -> None:
    data_coding, octets = spell_text(text, alphabet)
    assert data_coding == 0
    if alphabet == "ascii":
        assert octets.isascii()
    if text.isascii() and text.isprintable() and alphabet in ("latin1", "latin9", "ascii"):
        assert decode(0, octets, alphabet=alphabet)[1] == text


@given(any_text)
def test_unicode_round_trip(text: str) -> None:
    assert decode(*spell_unicode(text))[1] == text
