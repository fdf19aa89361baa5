"""What comes of received PDUs: numbers, alphabets, long parts, receipts. Nothing makes it raise."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.engine.intake import Arrival
from homing.links import smpp_reading
from homing.links.smpp_reading import Reader
from homing.model.message import Coding
from homing.model.report import Status
from homing.wire.smpp_codes import Tag
from homing.wire.smpp_values import ShortMessage
from tests.links.smsc import QUICK, data_sm, mo

RECEIPT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:000 text:"
)


def read(pdu: ShortMessage, **options: Any) -> Arrival:
    (arrival,) = Reader(msgspec.structs.replace(QUICK, **options)).sort([pdu]).arrivals
    return arrival


@pytest.mark.parametrize(
    ("changes", "sender", "recipient"),
    [
        ({}, "447700900123", "60777"),
        ({"source_addr": "+447700900123", "dest_addr": "+60777"}, "447700900123", "60777"),
        ({"source_addr": "00447700900123", "dest_addr": "0060777"}, "447700900123", "60777"),
        ({"source_addr": "07700900123"}, "07700900123", "60777"),
        ({"source_ton": 5, "source_addr": "00ACME"}, "00ACME", "60777"),
        ({"source_ton": 5, "source_addr": "0044"}, "0044", "60777"),
        ({"source_addr": "Acme"}, "Acme", "60777"),
        ({"source_addr": "", "dest_addr": ""}, "", ""),
        ({"source_addr": "²³"}, "²³", "60777"),
    ],
)
def test_numbers_are_normalised_and_names_are_not(
    changes: dict[str, Any], sender: str, recipient: str
) -> None:
    arrival = read(mo(**changes))
    assert (arrival.sender, arrival.recipient) == (sender, recipient)


PAYLOAD = int(Tag.MESSAGE_PAYLOAD)


@pytest.mark.parametrize(
    ("pdu", "alphabet", "coding", "text", "data"),
    [
        (mo(b"\x00\x1be"), "gsm", Coding.TEXT, "@€", b""),
        (mo(b"\xe9@"), "latin1", Coding.TEXT, "é@", b""),
        (mo(b"\xa4"), "latin9", Coding.TEXT, "€", b""),
        (mo(b"\xe9", data_coding=3), "gsm", Coding.TEXT, "é", b""),
        (mo(b"\x04\x36", data_coding=8), "gsm", Coding.UNICODE, "ж", b"\x04\x36"),
        (mo(b"\x01\x02", data_coding=4), "gsm", Coding.DATA, "", b"\x01\x02"),
        (mo(b"\x04\x36\x04", data_coding=8), "gsm", Coding.UNICODE, "ж\ufffd", b"\x04\x36"),
        (mo(b"", tlvs={PAYLOAD: b"long"}), "gsm", Coding.TEXT, "long", b""),
        (data_sm(tlvs={PAYLOAD: b"\x04\x36"}, data_coding=8), "gsm", Coding.UNICODE, "ж", b"\x04\x36"),
        (data_sm(), "gsm", Coding.TEXT, "", b""),
        (mo(b""), "gsm", Coding.TEXT, "", b""),
        (mo(b"a\0b\0\0"), "latin1", Coding.TEXT, "a\ufffdb", b""),
        (mo(b"\0a\0\0", data_coding=8), "gsm", Coding.UNICODE, "a", b"\0a\0\0"),
    ],
)
def test_text_is_decoded_as_the_link_means_it(
    pdu: ShortMessage, alphabet: str, coding: Coding, text: str, data: bytes
) -> None:
    arrival = read(pdu, default_alphabet=alphabet, network="NET")
    assert (arrival.coding, arrival.text, arrival.data) == (coding, text, data)
    assert arrival.concatenation is None
    assert arrival.network == "NET"


@pytest.mark.parametrize(
    ("tlvs", "settings", "network", "carrier_code"),
    [
        (None, {"carrier_code": "23420"}, "THREEUK", "23420"),
        (None, {"carrier_code": "23420", "network": "OURS"}, "OURS", "23420"),
        ({0x1403: b"23430\0"}, {"carrier_code": "23420", "network": "OURS"}, "OURS", "23420"),
        ({0x1403: b"23430\0"}, {"network_tlv": 0x1403, "network": "OURS"}, "TMOBILEUK", "23430"),
        ({0x1403: b"310-410"}, {"network_tlv": 0x1403}, "ATTUS", "310410"),
        ({0x1403: b"00101"}, {"network_tlv": 0x1403, "network": "OURS"}, None, "00101"),
        ({0x1403: b"\xff"}, {"network_tlv": 0x1403, "network": "OURS"}, "OURS", None),
        ({0x1404: b"23430"}, {"network_tlv": 0x1403}, None, None),
        ({0: b"23430"}, {"network": "OURS"}, "OURS", None),
    ],
)
def test_the_network_is_what_the_pdu_says_or_the_link(
    tlvs: dict[int, bytes] | None, settings: dict[str, Any], network: str | None, carrier_code: str | None
) -> None:
    arrival = read(mo(b"Hi", tlvs=tlvs), **settings)
    assert (arrival.network, arrival.carrier_code) == (network, carrier_code)


def sar(reference: bytes, total: int, number: int) -> dict[int, bytes]:
    return {
        int(Tag.SAR_MSG_REF_NUM): reference,
        int(Tag.SAR_TOTAL_SEGMENTS): bytes([total]),
        int(Tag.SAR_SEGMENT_SEQNUM): bytes([number]),
    }


@pytest.mark.parametrize(
    ("udh", "tlvs", "concatenation"),
    [
        ("0500 03 17 03 02", None, (0x17, 3, 2, 8)),
        ("0608 04 1234 03 02", None, (0x1234, 3, 2, 16)),
        ("0b 0504 1581 0000 0003 17 02 01", None, (0x17, 2, 1, 8)),
        ("0500 03 17 01 01", None, None),
        ("0500 03 17 02 03", None, None),
        ("", sar(b"\x01\x02", 2, 1), (0x102, 2, 1, 16)),
        ("", sar(b"\x01\x02", 1, 1), None),
        ("", sar(b"\x01\x02", 2, 3), None),
        ("", sar(b"\x01\x02", 2, 0), None),
        ("", sar(b"", 2, 1), None),
        ("", {int(Tag.SAR_TOTAL_SEGMENTS): b"\x02"}, None),
        ("0500 03 17 03 02", sar(b"\x01\x02", 2, 1), (0x17, 3, 2, 8)),
    ],
)
def test_parts_are_known_by_header_or_tlvs(
    udh: str, tlvs: dict[int, bytes] | None, concatenation: tuple[int, ...] | None
) -> None:
    header = bytes.fromhex(udh)
    arrival = read(mo(header + b"part", esm_class=0x40 if header else 0, tlvs=tlvs))
    assert arrival.concatenation == concatenation
    assert (arrival.udh, arrival.text) == (header, "part")


def test_national_tables_of_the_header_count() -> None:
    arrival = read(mo(bytes.fromhex("03 24 01 01") + b"\x1bc", esm_class=0x40))
    assert arrival.text == "ç"


@pytest.mark.parametrize(
    ("pdu", "ids", "status"),
    [
        (mo(RECEIPT, esm_class=4), ("0123456789",), Status.DELIVERED),
        (mo(RECEIPT), ("0123456789",), Status.DELIVERED),
        (mo(b"", tlvs={0x1E: b"6aad5\0", 0x427: b"\x05"}), ("6aad5",), Status.FAILED),
        (data_sm(tlvs={0x1E: b"77\0", 0x427: b"\x02"}), ("77",), Status.DELIVERED),
        (mo(b"", esm_class=4, tlvs={PAYLOAD: RECEIPT + b"\0"}), ("0123456789",), Status.DELIVERED),
        (mo(bytes.fromhex("0500 03 17 01 01") + RECEIPT, esm_class=0x44), ("0123456789",), Status.DELIVERED),
        (mo(b"id:1 stat:0 err:0", esm_class=4), ("1",), Status.REJECTED),
        (mo(b"\xff\x00", esm_class=4), (), Status.UNKNOWN),
    ],
)
def test_receipts_never_become_messages(pdu: ShortMessage, ids: tuple[str, ...], status: Status) -> None:
    options = msgspec.structs.replace(QUICK, status_overrides={"0": Status.REJECTED}, port=2775)
    found = Reader(options).sort([pdu])
    assert (found.arrivals, found.messages) == ([], [])
    assert found.receipt_pdus == [pdu]
    (arrived,) = found.receipts
    assert (arrived.link, arrived.scope) == ("smsc", "homing@127.0.0.1:2775")
    assert arrived.receipt.message_ids == ids
    assert arrived.receipt.status == status


def test_dates_of_receipts_are_in_the_links_zone() -> None:
    pdu = mo(RECEIPT, esm_class=4)
    utc, rome = (
        Reader(msgspec.structs.replace(QUICK, receipt_timezone=zone)).sort([pdu]).receipts[0].receipt
        for zone in ("UTC", "Europe/Rome")
    )
    assert utc.done_at_ms is not None
    assert rome.done_at_ms == utc.done_at_ms - 2 * 3_600_000


def test_a_batch_keeps_its_order_and_its_kinds_apart() -> None:
    pdus = [mo(b"one"), mo(RECEIPT, esm_class=4), mo(b"YES to id: 55 stat"), mo(RECEIPT)]
    found = Reader(QUICK).sort(pdus)
    assert [arrival.text for arrival in found.arrivals] == ["one", "YES to id: 55 stat"]
    assert found.messages == [pdus[0], pdus[2]]
    assert found.receipt_pdus == [pdus[1], pdus[3]]


@given(
    st.builds(
        mo,
        st.binary(max_size=254),
        esm_class=st.integers(0, 255),
        data_coding=st.integers(0, 255),
        source_ton=st.integers(0, 255),
        source_addr=st.binary(max_size=21).map(lambda octets: octets.decode("latin-1")),
        dest_addr=st.binary(max_size=21).map(lambda octets: octets.decode("latin-1")),
        tlvs=st.none()
        | st.dictionaries(
            st.sampled_from([0x1E, 0x427, 0x423, 0x20C, 0x20E, 0x20F, 0x424]), st.binary(max_size=300)
        ),
    ),
    st.sampled_from(["gsm", "latin1", "latin9", "ascii"]),
)
def test_whatever_comes_is_a_message_or_a_receipt(pdu: ShortMessage, alphabet: str) -> None:
    found = Reader(msgspec.structs.replace(QUICK, default_alphabet=alphabet)).sort([pdu])
    assert len(found.arrivals) + len(found.receipts) == 1
    assert not any("\0" in arrival.text for arrival in found.arrivals)


def test_even_a_fault_of_our_own_ends_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise LookupError

    monkeypatch.setattr(smpp_reading, "decode_user_data", fail)
    monkeypatch.setattr(smpp_reading, "read_receipt", fail)
    found = Reader(QUICK).sort([mo(b"\x01", data_coding=5), mo(RECEIPT, esm_class=4)])
    assert (found.arrivals[0].coding, found.arrivals[0].data) == (Coding.DATA, b"\x01")
    assert (found.receipts[0].receipt.status, found.receipts[0].receipt.raw) == (Status.UNKNOWN, RECEIPT)
