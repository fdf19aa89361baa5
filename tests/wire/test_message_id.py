import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.wire.message_id import Spelling, candidates, canonical


@pytest.mark.parametrize(
    ("id_", "key"),
    [
        ("0123456789", "123456789"),
        ("E999F21", "e999f21"),
        ("0e999f21", "e999f21"),
        ("0", "0"),
        ("000", "0"),
        ("0\0", "0"),
        (" 00ab \0\0", "ab"),
        ("", ""),
        (" \0", ""),
        ("0-1", "-1"),
    ],
)
def test_canonical(id_: str, key: str) -> None:
    assert canonical(id_) == key


@pytest.mark.parametrize(
    ("stored", "receipt", "spelling"),
    [
        ("812FC7470000001B", "9308878062554710043", Spelling.decimal_to_hex),
        ("9308878062554710043", "812FC7470000001B", Spelling.hex_to_decimal),
        ("38d7ebcc524ba", "1000000402564282", Spelling.decimal_to_hex),
        ("E999F21", "0e999f21", Spelling.same),
        ("0e999f21", "E999F21", Spelling.same),
        ("0000436949", "6aad5", Spelling.hex_to_decimal),
        ("6aad5", "0000436949", Spelling.decimal_to_hex),
        ("1234", "1234", Spelling.same),
        ("1234", "4660", Spelling.decimal_to_hex),  # hexadecimal without a letter
        ("4660", "1234", Spelling.hex_to_decimal),
    ],
)
def test_the_same_message_in_two_spellings(stored: str, receipt: str, spelling: Spelling) -> None:
    assert dict(candidates(receipt))[canonical(stored)] is spelling


@pytest.mark.parametrize(
    "id_",
    [
        "123e4567-e89b-12d3-a456-426614174000",
        "SAR-447700900123-5f-2-1",
        "abc_12",
        "1_0",
        "²³",
        "١٢٣",
        "0x1f!",
        "+55",
        "-55",
        "1" * 66,
        "f" * 66,
    ],
)
def test_what_is_no_number_stays_itself(id_: str) -> None:
    assert candidates(id_) == ((canonical(id_), Spelling.same),)


def test_no_id_names_no_message() -> None:
    assert candidates("") == candidates("\0 ") == ()


def test_one_digit_is_one_key() -> None:
    assert candidates("007") == (("7", Spelling.same),)


def test_a_number_as_long_as_an_id_may_be() -> None:
    assert len(candidates("9" * 65)) == 3
    assert len(candidates("f" * 65)) == 2


_SPELLINGS = ("{:x}", "{:X}", "{:d}", "{:010d}", "{:020d}", "{:016x}", "{:016X}", "{:d}\0", " {:x}")


@given(st.integers(0, 10**64 - 1), st.sampled_from(_SPELLINGS), st.sampled_from(_SPELLINGS))
def test_any_two_spellings_of_a_number_meet(number: int, stored: str, receipt: str) -> None:
    keys = [key for key, _ in candidates(receipt.format(number))]
    assert canonical(stored.format(number)) in keys
    assert len(set(keys)) == len(keys)


@given(st.text())
@settings(max_examples=200)
def test_total_and_stable(id_: str) -> None:
    key = canonical(id_)
    assert canonical(key) == key
    assert canonical(f" 00{key}\0") == (key or "0")
    found = candidates(id_)
    assert [spelling for _, spelling in found] == sorted(
        (spelling for _, spelling in found), key=list(Spelling).index
    )
    assert bool(found) is bool(key)


@given(st.uuids())
def test_uuids_stay_themselves(uuid: UUID) -> None:
    for spelled in (str(uuid), str(uuid).upper()):
        assert candidates(spelled) == ((re.sub("^0+", "", str(uuid)), Spelling.same),)
