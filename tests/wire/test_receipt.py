"""Receipts as real networks write them: texts, TLVs, and every accident that has been met on the way."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.report import NO_OVERRIDES, STATES, WORDS, Receipt, Status
from homing.wire.message_id import candidates, canonical
from homing.wire.receipt import is_receipt, read_receipt
from tests.docs.pages import bare, page, tables

UUID = "123e4567-e89b-12d3-a456-426614174000"
LONG = "10ea34755d3d4f7a20900cdb3349e549"
TLV_ID, TLV_ERROR, TLV_STATE = 0x001E, 0x0423, 0x0427


def read(
    text: str | bytes,
    *,
    tlvs: Mapping[int, bytes] | None = None,
    overrides: Mapping[str, Status] = NO_OVERRIDES,
    zone: ZoneInfo | timezone = UTC,
    data_coding: int = 0,
    alphabet: str = "gsm",
    source_addr: str = "447700900001",
) -> Receipt:
    return read_receipt(
        octets=text.encode("latin-1") if isinstance(text, str) else text,
        data_coding=data_coding,
        alphabet=alphabet,
        tlvs=tlvs,
        source_addr=source_addr,
        status_overrides=overrides,
        zone=zone,
    )


def at(*moment: int, zone: ZoneInfo | timezone = UTC) -> int:
    return int(datetime(*moment, tzinfo=zone).timestamp() * 1000)  # type: ignore[misc,arg-type]


_SPEC = "id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012"
_D = Status.DELIVERED
_F = Status.FAILED
_U = Status.UNKNOWN

TEXTS: list[tuple[str, str, Status, str, str, int | None]] = [
    # text, id, status, word, err, done
    (f"{_SPEC} text:Hello", "0123456789", _D, "DELIVRD", "012", at(2010, 5, 24, 23, 39)),
    (f"{_SPEC} Text:Hello", "0123456789", _D, "DELIVRD", "012", at(2010, 5, 24, 23, 39)),
    (f"id:{UUID} sub:001 dlvrd:001 submit date:100523203956 done date:100524233957 stat:DELIVRD "
     "err:012 text:", UUID, _D, "DELIVRD", "012", at(2010, 5, 24, 23, 39, 57)),
    ("id:5e1e6b0d submit date:20200820131508 done date:20200820131509 stat:DELIVRD err:0",
     "5e1e6b0d", _D, "DELIVRD", "0", at(2020, 8, 20, 13, 15, 9)),
    ("id:0123456789 sub:001 dlvrd:000 submit date:1005232039 done date:1005242339 stat:UNDELIV err:21b "
     "text:x", "0123456789", _F, "UNDELIV", "21b", at(2010, 5, 24, 23, 39)),
    ("4790000000SMSAlert^id:1054BC63 sub:0 dlvrd:1 submit date:0804221050 done date:0804221051 stat:DELIVRD "
     "err: text:", "1054BC63", _D, "DELIVRD", "", at(2008, 4, 22, 10, 51)),
    (f"4670123456720504?id:{LONG} sub:001 dlvrd:001 submit date:0611011228 done date:0611011230 stat:DELIVRD "
     f"err:000 Text:abc'!{LONG}", LONG, _D, "DELIVRD", "000", at(2006, 11, 1, 12, 30)),
    ("id:86 submit date:1410160730 done date:1410160730 stat:DELIVRD",
     "86", _D, "DELIVRD", "", at(2014, 10, 16, 7, 30)),
    ("id:3 sub:001 dlvrd:000 submit date:1508101200 done date:0000000000 stat:FAILED err:002 Text:",
     "3", _F, "FAILED", "002", None),
    ("id:7 sub:001 dlvrd:000 submit date:1508101200 done date:1508101300 stat:EXPIRED err:0032 text:abc",
     "7", _F, "EXPIRED", "0032", at(2015, 8, 10, 13, 0)),
    ("id:5516163630 sub:001 dlvrd:001 submit date:1808101533 done date:180810153325 stat:REJECTD err:00B "
     "text:", "5516163630", Status.REJECTED, "REJECTD", "00B", at(2018, 8, 10, 15, 33, 25)),
    ("id:abc stat:DELIVRD text:", "abc", _D, "DELIVRD", "", None),
    ("id:9 sub:001 dlvrd:000 submit date:1808101533 done date:1808101533 stat:ENROUTE err:000 text:",
     "9", Status.BUFFERED, "ENROUTE", "000", at(2018, 8, 10, 15, 33)),
    # further ones, as their users report them
    ("id:1891273321 sub:001 dlvrd:001 submit date:1305050826 done date:1305050826 stat:DELIVRD err:000 "
     "Text:DLVRD TO MOBILE", "1891273321", _D, "DELIVRD", "000", at(2013, 5, 5, 8, 26)),
    ("id:c87c2273 submit date:201401010000 done date:201401010005 stat:DELIVRD err:000",
     "c87c2273", _D, "DELIVRD", "000", at(2014, 1, 1, 0, 5)),
    ("id:9308878062554710043 stat:DELIVRD", "9308878062554710043", _D, "DELIVRD", "", None),
    ("id:1 stat:DND_REJECTED err:null", "1", Status.REJECTED, "DND_REJECTED", "null", None),
    ("id:1 stat:undeliv err:", "1", _F, "undeliv", "", None),
    ("id:1 sub:001 stat:ACCEPTD", "1", Status.BUFFERED, "ACCEPTD", "", None),
    ("id:1 stat:UNKNOWN err:000", "1", _U, "UNKNOWN", "000", None),
    ("id:1 stat:5 err:000", "1", _U, "5", "000", None),
    ("id:1 stat:NO_ROUTE err:000", "1", _U, "NO_ROUTE", "000", None),
    ("stat:DELIVRD err:0 id:00ab submit_date:1005232039 done_date:1005242339",
     "00ab", _D, "DELIVRD", "0", at(2010, 5, 24, 23, 39)),
    ("ID:AB SUB:001 SUBMIT DATE:1005232039 DONE DATE:1005242339 STAT:EXPIRED ERR:1 TEXT:X",
     "AB", _F, "EXPIRED", "1", at(2010, 5, 24, 23, 39)),
    ("id: 77 sub: 001 dlvrd: 001 submit date: 1005232039 done date: 1005242339 stat: DELIVRD err: 000 "
     "text: hi", "77", _D, "DELIVRD", "000", at(2010, 5, 24, 23, 39)),
    ("id:1,sub:001,done date:1005242339,stat:DELIVRD,err:000,text:x",
     "1", _D, "DELIVRD", "000", at(2010, 5, 24, 23, 39)),
    ("id:1;stat:DELIVRD;err:000;", "1", _D, "DELIVRD", "000", None),
    ("id:'1' stat:\"DELIVRD\"", "1", _D, "DELIVRD", "", None),
    ("id:1 done date:1005242339 stat:DELIVRD.", "1", _D, "DELIVRD", "", at(2010, 5, 24, 23, 39)),
    ("id:ab12sub:001dlvrd:001done date:1005242339stat:DELIVRDerr:000text:",
     "ab12", _D, "DELIVRD", "000", at(2010, 5, 24, 23, 39)),
    ("id: 5 stat: DELIVRD err: 000", "5", _D, "DELIVRD", "000", None),
    ("REPLYid:12 dlvrd:001 done date:1005242339 stat:DELIVRD err:1",
     "12", _D, "DELIVRD", "1", at(2010, 5, 24, 23, 39)),
    ("msgid:12 done date:1005242339 mccmnc:23415 status:DELIVRD err:000",
     "12", _D, "DELIVRD", "000", at(2010, 5, 24, 23, 39)),
    ("id:1 stat:EXPIRED err:5 text:your id:55 stat:DELIVRD err:0", "1", _F, "EXPIRED", "5", None),
    ("id:1 stat:DELIVRD text:Dear Herr: Schmidt", "1", _D, "DELIVRD", "", None),
    ("text:order id:55 came id:1 stat:EXPIRED err:5", "1", _F, "EXPIRED", "5", None),
    ("text:stat:DELIVRD id:1", "1", _D, "DELIVRD", "", None),
    ("id:1\r\nsub:001\r\nstat:DELIVRD\r\n", "1", _D, "DELIVRD", "", None),
    ("id:1 done date:1005242339 stat: err:000", "1", _U, "", "000", at(2010, 5, 24, 23, 39)),
]  # fmt: skip

_ONLY_BY_BITS = {"id:1 done date:1005242339 stat: err:000"}


@pytest.mark.parametrize("row", TEXTS, ids=[row[0][:40] for row in TEXTS])
def test_texts(row: tuple[str, str, Status, str, str, int | None]) -> None:
    text, id_, status, word, err, done_at_ms = row
    receipt = read(text)
    assert receipt.message_ids == (id_,)
    assert (receipt.status, receipt.word, receipt.err, receipt.done_at_ms) == (status, word, err, done_at_ms)
    assert receipt.raw == text.encode("latin-1")
    assert receipt.recipient == "447700900001"
    assert is_receipt(0x04, None, receipt.raw)
    assert is_receipt(0, None, receipt.raw) == (text not in _ONLY_BY_BITS)


@pytest.mark.parametrize(
    "header", [b"\5\0\3\1\2\1", b"\6\x08\4\1\0\2\1", b"\x0b\5\4\x0b\x84\x23\xf0\0\3\1\2\1"]
)
def test_a_user_data_header_does_no_harm(header: bytes) -> None:
    for octets in (_SPEC.encode(), _SPEC.encode("utf-16-be")):
        receipt = read(header + octets)
        assert (receipt.message_ids, receipt.status) == (("0123456789",), _D)
        assert is_receipt(0x40, None, header + octets)


@pytest.mark.parametrize("pad", [b"\0", b"\0\0\0", b" ", b"\r\n", b" \0 "])
@pytest.mark.parametrize("row", TEXTS[:13], ids=[row[0][:40] for row in TEXTS[:13]])
def test_padding_changes_nothing(row: tuple[str, str, Status, str, str, int | None], pad: bytes) -> None:
    text, id_, status, word, err, done_at_ms = row
    receipt = read(pad + text.encode() + pad)
    assert receipt.message_ids == (id_,)
    assert (receipt.status, receipt.word, receipt.err, receipt.done_at_ms) == (status, word, err, done_at_ms)


# --- alphabets ---

_CYRILLIC = f"{_SPEC} text:Привет, как дела? Всё хорошо".encode("utf-16-be")


@pytest.mark.parametrize(
    ("octets", "data_coding", "alphabet"),
    [
        (f"{_SPEC} text:Grüße".encode("latin-1"), 3, "gsm"),
        (f"{_SPEC} text:Hello".encode("utf-16-be"), 8, "gsm"),
        (f"{_SPEC} text:Hello".encode("utf-16-be"), 0, "gsm"),
        (f"{_SPEC} text:Hello".encode("utf-16-le"), 8, "gsm"),
        (f"\ufeff{_SPEC} text:Hello".encode("utf-16-be") + b"\0\0", 8, "gsm"),
        (b"\0" + f"{_SPEC} text:Hello".encode("utf-16-le"), 8, "latin1"),
        (_CYRILLIC, 8, "gsm"),
        (_CYRILLIC, 0, "latin1"),
        (f"{_SPEC} text:".encode() + bytes(range(1, 256)), 0, "gsm"),
        (f"{_SPEC} text:".encode() + b"\xff\xfe\x80\0\x81", 0, "ascii"),
        (b"\xff\x80\x1b " + _SPEC.encode(), 4, "latin9"),
        (f"{_SPEC} text:€ ぁ".encode(), 241, "no such"),
    ],
)
def test_any_alphabet(octets: bytes, data_coding: int, alphabet: str) -> None:
    receipt = read(octets, data_coding=data_coding, alphabet=alphabet)
    assert receipt.message_ids == ("0123456789",)
    assert (receipt.status, receipt.err) == (Status.DELIVERED, "012")
    assert receipt.done_at_ms == at(2010, 5, 24, 23, 39)
    assert receipt.raw == octets
    assert is_receipt(0, None, octets)


def test_ids_with_letters_that_gsm_puts_elsewhere() -> None:
    assert read(b"id:a\x11b\x00c stat:DND\x11REJECTED").message_ids == ("a_b@c",)
    assert read(b"id:a\x11b stat:DND\x11REJECTED").status is Status.REJECTED
    assert read(b"id:ab\0\0stat:DELIVRD", alphabet="latin1").message_ids == ("ab",)


# --- what is a receipt, and what a person wrote ---


@pytest.mark.parametrize("esm_class", [0x04, 0x08, 0x10, 0x20, 0x44, 0xC4, 0x07])
def test_receipt_by_its_bits(esm_class: int) -> None:
    assert is_receipt(esm_class, None, b"")
    assert is_receipt(esm_class, {}, b"whatever")


@pytest.mark.parametrize("esm_class", [0x00, 0x01, 0x03, 0x40, 0x80, 0xC0])
def test_no_receipt_by_other_bits(esm_class: int) -> None:
    assert not is_receipt(esm_class, {}, b"hello")
    assert is_receipt(esm_class, {TLV_ID: b"1\0"}, b"hello")
    assert is_receipt(esm_class, None, b"id:1 stat:DELIVRD")


@pytest.mark.parametrize(
    "text",
    [
        "text: YES to id: 55",
        "YES to id: 55",
        "id:55",
        "stat:DELIVRD",
        "paid:55 thermostat:ok now",
        "my id: 55, what is the stat: delivered or not?",
        "id: 55 status: delivered",
        "Hi! id:55 and stat:what is it",
        "http://a.test/?id:5",
        "done date: tomorrow, submit date: today, id: 5",
        "",
        ":",
    ],
)
def test_a_person_wrote_that(text: str) -> None:
    assert not is_receipt(0, None, text.encode())
    assert not is_receipt(0, {}, text.encode("utf-16-be"))


# --- TLVs ---


@pytest.mark.parametrize("state", range(10))
def test_every_message_state(state: int) -> None:
    expected = {
        0: (Status.BUFFERED, "scheduled"), 1: (Status.BUFFERED, "enroute"), 2: (_D, "delivered"),
        3: (_F, "expired"), 4: (_F, "deleted"), 5: (_F, "undeliverable"), 6: (Status.BUFFERED, "accepted"),
        7: (_U, "unknown"), 8: (Status.REJECTED, "rejected"), 9: (_F, "skipped"),
    }  # fmt: skip
    for text in ("", "362d9701 2", "id:other stat:NONSENSE", "id:other stat:EXPIRED"):
        receipt = read(text, tlvs={TLV_ID: b"6aad5\0", TLV_STATE: bytes([state])})
        assert (receipt.status, receipt.reason) == expected[state]
        assert receipt.word == f"state {state}"
        assert receipt.message_ids[0] == "6aad5"
    assert set(STATES) == set(expected)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, _D) for word in ("DELIVRD", "DELIVERED")),
        *(
            (word, _F)
            for word in ("EXPIRED", "DELETED", "UNDELIV", "UNDELIVRD", "FAILED", "BARRED", "ZEROBAL")
        ),
        *((word, Status.REJECTED) for word in ("REJECTD", "REJECTED", "DND_REJECTED")),
        *(
            (word, Status.BUFFERED)
            for word in ("ENROUTE", "ACCEPTD", "ACCEPTED", "ACKED", "SCHEDULED", "BUFFERED")
        ),
        *((word, _U) for word in ("UNKNOWN", "0", "2", "42", "WHATEVER", "DELIVRDX", "")),
    ],
)
def test_every_word_in_any_case(word: str, status: Status) -> None:
    for spelled in (word, word.lower(), word.title()):
        receipt = read(f"id:1 stat:{spelled} err:0")
        assert (receipt.status, receipt.word) == (status, spelled)
    if word and not word.isdigit() and word not in WORDS:
        assert read(f"id:1 stat:{word}").reason == "unreadable"


def test_tlvs_win_over_the_text_and_both_ids_are_kept() -> None:
    receipt = read(
        "id:0000436949 submit date:1005232039 done date:1005242339 stat:EXPIRED err:001 text:x\0",
        tlvs={TLV_ID: b"6aad5\0", TLV_STATE: b"\2", TLV_ERROR: b"\3\0\x21"},
    )
    assert receipt.message_ids == ("6aad5", "0000436949")
    assert (receipt.status, receipt.word, receipt.reason) == (_D, "state 2", "delivered")
    assert receipt.err == "3:0021"
    assert receipt.done_at_ms == at(2010, 5, 24, 23, 39)


def test_sicap_sends_an_id_a_number_and_tlvs() -> None:
    receipt = read("362d9701 2", tlvs={TLV_ID: b"362d9701\0", TLV_STATE: b"\2"})
    assert (receipt.message_ids, receipt.status) == (("362d9701",), _D)
    alone = read("362d9701 2")
    assert (alone.message_ids, alone.status, alone.word) == (("362d9701",), _U, "2")
    assert read("362d9701 2", overrides={"2": _D}).status is _D


def test_nothing_but_tlvs() -> None:
    receipt = read(b"", tlvs={TLV_ID: b"E999F21", TLV_STATE: b"\5"})
    assert (receipt.message_ids, receipt.status, receipt.err) == (("E999F21",), _F, "")


@pytest.mark.parametrize(
    "tlvs",
    [
        {TLV_ID: b"", TLV_STATE: b"", TLV_ERROR: b""},
        {TLV_ID: b"(null)\0", TLV_STATE: b"\xff", TLV_ERROR: b"\0\0"},
        {TLV_ID: b"\0\0", TLV_STATE: b"\0\0\0\0\0\0", TLV_ERROR: b"\0\0\0"},
        {TLV_ID: b"\x01\x02", TLV_STATE: b"\x0a", TLV_ERROR: b"12345"},
        {0x1400: b"\xff" * 100},
    ],
)
def test_the_text_counts_where_a_tlv_cannot_be_read(tlvs: dict[int, bytes]) -> None:
    receipt = read("id:1 stat:EXPIRED err:0AF", tlvs=tlvs)
    assert (receipt.message_ids, receipt.status, receipt.word, receipt.err) == (("1",), _F, "EXPIRED", "0AF")


def test_a_state_nobody_knows_stays_unknown() -> None:
    receipt = read("", tlvs={TLV_ID: b"1", TLV_STATE: b"\x2a"})
    assert (receipt.status, receipt.word, receipt.reason) == (_U, "state 42", "unreadable")


# --- what the operator says ---


@pytest.mark.parametrize(
    ("text", "tlvs", "overrides", "status", "reason"),
    [
        ("id:1 stat:ACCEPTD", None, {"ACCEPTD": _D}, _D, "delivered"),
        ("id:1 stat:acceptd", None, {"Acceptd": _D}, _D, "delivered"),
        ("id:1 stat:0", None, {"0": _D}, _D, "delivered"),
        ("id:1 stat:UNKNOWN", None, {"UNKNOWN": _F}, _F, "failed"),
        ("id:1 stat:NO_ROUTE", None, {"NO_ROUTE": _F}, _F, "failed"),
        ("id:1 stat:DELIVRD", None, {"0": _F}, _D, "delivered"),
        ("id:1", {TLV_STATE: b"\6"}, {"6": _D}, _D, "delivered"),
        ("id:1", {TLV_STATE: b"\6"}, {"ACCEPTD": _D}, _D, "delivered"),
        ("id:1", {TLV_STATE: b"\6"}, {"ACCEPTED": _F, "6": _D}, _D, "delivered"),
        ("id:1", {TLV_STATE: b"\7"}, {"7": Status.REJECTED}, Status.REJECTED, "rejected"),
        ("id:1 stat:EXPIRED", {TLV_STATE: b"\x2a"}, {"42": _D}, _D, "delivered"),
        ("id:1", {TLV_STATE: b"\0"}, {"0": _D}, _D, "delivered"),
    ],
)
def test_overrides_by_word_and_by_number(
    text: str, tlvs: Any, overrides: Mapping[str, Status], status: Status, reason: str
) -> None:
    receipt = read(text, tlvs=tlvs, overrides=overrides)
    assert (receipt.status, receipt.reason) == (status, reason)


# --- dates and numbers ---

_LAGOS = ZoneInfo("Africa/Lagos")


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("1005242339", at(2010, 5, 24, 23, 39, zone=_LAGOS)),
        ("100524233957", at(2010, 5, 24, 23, 39, 57, zone=_LAGOS)),
        ("20100524233957", at(2010, 5, 24, 23, 39, 57, zone=_LAGOS)),
        ("202405242339", at(2024, 5, 24, 23, 39, zone=_LAGOS)),
        ("100524233957Z", at(2010, 5, 24, 23, 39, 57)),
        ("1005242339 UTC", at(2010, 5, 24, 23, 39)),
        ("100524233957+0100", at(2010, 5, 24, 22, 39, 57)),
        ("100524233957-03:30", at(2010, 5, 25, 3, 9, 57)),
        ("100524233957004+", at(2010, 5, 24, 22, 39, 57)),
        ("1005242339 price:0.04", at(2010, 5, 24, 23, 39, zone=_LAGOS)),
        ("1005242339\0", at(2010, 5, 24, 23, 39, zone=_LAGOS)),
        ("9912312359", at(1999, 12, 31, 23, 59, zone=_LAGOS)),
        *((date, None) for date in (
            "", "0", "0000000000", "000000000000", "00000000000000", "9999999999", "1013242339", "100524",
            "10052423395", "2010-05-24", "tomorrow", "100524233957+9900", "1" * 60,
        )),
    ],
)  # fmt: skip
def test_dates(date: str, moment: int | None) -> None:
    for text in (
        f"id:1 submit date:{date} done date:{date} stat:DELIVRD",
        f"id:1 Done_Date:{date} stat:DELIVRD",
    ):
        receipt = read(text, zone=_LAGOS)
        assert (receipt.done_at_ms, receipt.status) == (moment, _D)
    assert read("id:1 stat:DELIVRD").done_at_ms is None


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("447700900001", "447700900001"),
        ("+447700900001", "447700900001"),
        ("00447700900001", "447700900001"),
        (" 447700900001\0", "447700900001"),
        ("", ""),
    ],
)
def test_the_number_it_is_about(address: str, number: str) -> None:
    assert read("", source_addr=address).recipient == number


# --- whatever comes ---

_PIECES = st.sampled_from(
    [
        b"id:",
        b"stat:",
        b"err:",
        b"text:",
        b"done date:",
        b"sub:",
        b"dlvrd:",
        b"DELIVRD",
        b" ",
        b"\0",
        b"1",
        b":",
    ]
)
_OCTETS = st.one_of(
    st.binary(max_size=300), st.lists(st.one_of(_PIECES, st.binary(max_size=4))).map(b"".join)
)
_TLVS = st.dictionaries(
    st.sampled_from([TLV_ID, TLV_ERROR, TLV_STATE, 0x0424, 0x1400]), st.binary(max_size=300), max_size=5
)
_ZONES = st.sampled_from([UTC, _LAGOS, ZoneInfo("America/New_York"), timezone(timedelta(hours=-12))])


@given(
    octets=_OCTETS,
    tlvs=st.none() | _TLVS,
    esm_class=st.integers(0, 255),
    data_coding=st.integers(0, 255),
    alphabet=st.sampled_from(["gsm", "latin1", "latin9", "ascii"]),
    source_addr=st.text(max_size=21),
    overrides=st.dictionaries(st.text(max_size=4), st.sampled_from(Status), max_size=2),
    zone=_ZONES,
)
@settings(max_examples=400, deadline=None)
def test_nothing_raises_and_everything_has_a_status(
    octets: bytes, tlvs: Any, esm_class: int, data_coding: int, alphabet: str, source_addr: str,
    overrides: dict[str, Status], zone: ZoneInfo | timezone,
) -> None:  # fmt: skip
    assert is_receipt(esm_class, tlvs, octets) in (True, False)
    receipt = read(
        octets, tlvs=tlvs, overrides=overrides, zone=zone, data_coding=data_coding, alphabet=alphabet,
        source_addr=source_addr,
    )  # fmt: skip
    assert receipt.raw == octets
    assert isinstance(receipt.status, Status)
    assert receipt.reason
    assert "\0" not in "".join((*receipt.message_ids, receipt.word, receipt.err))
    assert all(receipt.message_ids)
    assert receipt.done_at_ms is None or receipt.done_at_ms >= 0


@given(date=st.from_regex(r"[0-9]{8,16} ?([+-][0-9]{2,4}|Z|[0-9]{3}[+-])?", fullmatch=True), zone=_ZONES)
def test_no_date_raises(date: str, zone: ZoneInfo | timezone) -> None:
    receipt = read(f"id:1 done date:{date} stat:DELIVRD", zone=zone)
    assert (receipt.message_ids, receipt.status) == (("1",), _D)


_ID = st.from_regex(r"[0-9A-Fa-f]{1,32}|[0-9a-f]{8}-[0-9a-f]{4}", fullmatch=True)
_WORD = st.sampled_from([*WORDS, "NO_ROUTE", "7"])
_PREFIX = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters=":"), max_size=30)


@given(
    id_=_ID, word=_WORD, err=st.from_regex(r"[0-9A-Fa-f]{1,4}", fullmatch=True), prefix=_PREFIX,
    suffix=_PREFIX, order=st.permutations(["id", "sub", "dlvrd", "submit date", "done date", "stat", "err"]),
    case=st.sampled_from([str.lower, str.upper, str.title]), text=st.none() | _PREFIX,
    spread=st.sampled_from([" ", "  ", "\r\n", " \t"]),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_keys_in_any_order_and_case_with_anything_around(
    id_: str, word: str, err: str, prefix: str, suffix: str, order: list[str], case: Any, text: str | None,
    spread: str,
) -> None:  # fmt: skip
    values = {
        "id": id_, "sub": "001", "dlvrd": "001", "submit date": "1005232039", "done date": "1005242339",
        "stat": word, "err": err,
    }  # fmt: skip
    written = spread.join(f"{case(key)}:{values[key]}" for key in order)
    end = f"{spread}{suffix}" if text is None else f"{spread}{case('text')}:{text}"
    receipt = read(f"{prefix} {written}{end}", alphabet="latin1")
    assert receipt.message_ids == (id_,)
    assert (receipt.word, receipt.err, receipt.done_at_ms) == (word, err, at(2010, 5, 24, 23, 39))
    assert receipt.status is WORDS.get(word, (_U,))[0]
    assert is_receipt(0, None, receipt.raw) or word not in WORDS


# --- the reference page ---

_PAGE = tables(page("receipts.md"))


def test_the_page_has_every_word_and_every_state() -> None:
    words: dict[str, Status] = {}
    states: dict[int, Status] = {}
    for status, said, numbers in _PAGE["status|words, in any case|`message_state`"]:
        words |= dict.fromkeys(re.findall("`([^`]+)`", said) or ["UNKNOWN"], Status(status))
        states |= {int(number): Status(status) for number in re.findall("[0-9]+", numbers)}
    assert words == {word: status for word, (status, _reason) in WORDS.items()}
    assert states == {number: status for number, (_words, status, _reason) in STATES.items()}


@pytest.mark.parametrize("row", _PAGE["text|id|status|err"], ids=lambda row: row[0][:40])
def test_the_page_reads_texts_as_we_do(row: list[str]) -> None:
    text, id_, status, err = map(bare, row)
    receipt = read(text)
    assert (receipt.message_ids, receipt.status, receipt.err) == ((id_,), Status(status), err)
    assert is_receipt(0, None, receipt.raw)


@pytest.mark.parametrize("row", _PAGE["in the answer|in the receipt|`spelling`"], ids=lambda row: row[2])
def test_the_page_spells_ids_as_we_do(row: list[str]) -> None:
    answered, receipt, spelling = map(bare, row)
    assert dict(candidates(receipt))[canonical(answered)] == spelling


_USUAL_TEXTS = st.builds(
    "id:{} sub:{} dlvrd:{} submit date:{} done date:{} stat:{} err:{} {}ext:{}".format,
    st.from_regex(r"[0-9A-Za-z-]{1,66}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}", fullmatch=True),
    st.from_regex(r"[0-9]{10,14}", fullmatch=True),
    st.from_regex(r"[0-9]{10,14}", fullmatch=True),
    st.sampled_from([*WORDS, "Delivrd", "ODD"]),
    st.from_regex(r"[0-9A-Za-z]{1,4}", fullmatch=True),
    st.sampled_from("tT"),
    st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=60)
    | st.sampled_from(["id:9 stat:UNDELIV", " done date:0101010101 err:9", "text:id:1"]),
)


@given(_USUAL_TEXTS)
def test_the_usual_form_is_read_like_any_other(text: str) -> None:
    """A blank before it, which says nothing, makes it a text for the general reader."""
    usual, general = read(text), read(" " + text)
    for field in ("message_ids", "status", "word", "reason", "err", "done_at_ms", "recipient"):
        assert getattr(usual, field) == getattr(general, field)
