"""The tables of TS 23.038: whole, of the right shape, and each character readable through its identifiers."""

import unicodedata

import pytest

from homing.wire.gsm import decode_gsm
from homing.wire.gsm_tables import EXTENSION, LOCKING, SINGLE, SUBSTITUTES

LANGUAGES = range(14)
SCRIPTS = {
    4: "BENGALI", 5: "GUJARATI", 6: "DEVANAGARI", 7: "KANNADA", 8: "MALAYALAM",
    9: "ORIYA", 10: "GURMUKHI", 11: "TAMIL", 12: "TELUGU", 13: "ARABIC",
}  # fmt: skip


def test_every_language_has_its_tables() -> None:
    assert set(SINGLE) == set(LANGUAGES)
    assert set(LOCKING) == set(LANGUAGES) - {2}


@pytest.mark.parametrize("language", sorted(LOCKING))
def test_a_locking_table_has_128_codes_and_no_character_twice(language: int) -> None:
    table = LOCKING[language]
    assert len(table) == 128
    characters = [character for character in table if character != "\ufffd"]
    assert len(set(characters)) == len(characters)
    assert (table[0x0A], table[0x0D], table[0x1B], table[0x20]) == ("\n", "\r", "\x1b", " ")
    assert table[0x30:0x3A] == "0123456789"
    assert table[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("language", sorted(SINGLE))
def test_a_single_shift_table_holds_the_default_extension(language: int) -> None:
    table = SINGLE[language]
    for first, characters in EXTENSION.items():
        for code, character in enumerate(characters, first):
            assert table[code] == character
    assert all(0 <= code < 128 and len(character) == 1 for code, character in table.items())
    assert not {0x0D, 0x1B} & set(table)  # control characters keep their meaning


@pytest.mark.parametrize("language", sorted(SCRIPTS))
def test_letters_of_a_table_are_of_its_script(language: int) -> None:
    characters = set(LOCKING[language]) | set(SINGLE[language].values())
    foreign = {
        character
        for character in characters
        if ord(character) > 0x2FF
        and character not in "€\ufffd\u0964\u0965"  # the dandas are common to all Indic scripts
        and SCRIPTS[language] not in unicodedata.name(character)
    }
    assert all(unicodedata.category(character) == "Mn" for character in foreign)  # shared Arabic marks


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_every_table_is_read(language: int) -> None:
    main = LOCKING.get(language, LOCKING[0])
    for code, character in enumerate(main):
        if code != 0x1B:
            assert decode_gsm(bytes((code,)), locking=language) == character
    for code, character in SINGLE[language].items():
        assert decode_gsm(bytes((0x1B, code)), single=language) == character
    for code in set(range(128)) - set(SINGLE[language]) - {0x1B}:
        assert decode_gsm(bytes((0x1B, code)), language, language) == main[code]


@pytest.mark.parametrize(
    ("octets", "locking", "single", "text"),
    [
        (b"\x0b\x0c\x1c\x1d\x07\x40\x60", 1, 0, "ĞğŞşıİç"),
        (b"\x1bS\x1bs\x1bG\x1bg\x1bI\x1bi\x1bc\x1be", 0, 1, "ŞşĞğİıç€"),
        (b"\x1b\x41\x1b\x49\x1b\x4f\x1b\x55\x1b\x61\x1b\x69\x1b\x6f\x1b\x75\x1b\x09", 0, 2, "ÁÍÓÚáíóúç"),
        (b"S\x7bo Paulo \x18", 3, 3, "São Paulo €"),
        (b"\x43\x2f\x55\x7b", 6, 6, "यन\u0943ॲ"),
        (b"\x24\x3d", 7, 0, "ಡಪ"),
        (b"\x1b\x1c\x1b\x65", 12, 12, "౦€"),
        (b"\x00\x01\x1b\x1c", 13, 13, "اآ۰"),
    ],
)
def test_national_samples(octets: bytes, locking: int, single: int, text: str) -> None:
    assert decode_gsm(octets, locking, single) == text


def test_substitutes_are_ascii_and_unique() -> None:
    assert all(spelled.isascii() and spelled for spelled in SUBSTITUTES.values())
    assert not any(len(character) != 1 or character in "\r\n " for character in SUBSTITUTES)
