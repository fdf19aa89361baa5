"""How segments are written for an SMSC: addresses, alphabets, headers, validity, flash."""

from typing import Any

import msgspec
import pytest

from homing.links.smpp_spelling import spell
from homing.model.message import Coding, Segment
from homing.wire.smpp_codes import Tag
from homing.wire.smpp_pdu import encode_message
from tests.links.smsc import QUICK, outgoing

UDH = bytes.fromhex("050003170201")


def unicode_(text: str) -> tuple[Segment, ...]:
    return (Segment(coding=Coding.UNICODE, text=text),)


@pytest.mark.parametrize(
    ("sender", "options", "ton_npi"),
    [
        ("447700900001", {}, (1, 1)),
        ("60777", {}, (3, 0)),
        ("12345678", {}, (3, 0)),
        ("123456789", {}, (1, 1)),
        ("ACME", {}, (5, 0)),
        ("1st Bank", {}, (5, 0)),
        ("", {}, (0, 0)),
        ("60777", {"source_ton": 0}, (0, 0)),
        ("ACME", {"source_npi": 9}, (5, 9)),
        ("447700900001", {"source_ton": 2, "source_npi": 8}, (2, 8)),
    ],
)
def test_the_form_of_the_sender_decides_its_type_unless_the_link_says(
    sender: str, options: dict[str, Any], ton_npi: tuple[int, int]
) -> None:
    pdu = spell(outgoing(sender=sender), msgspec.structs.replace(QUICK, **options))
    assert (pdu.source_ton, pdu.source_npi) == ton_npi
    assert pdu.source_addr == sender
    assert (pdu.dest_ton, pdu.dest_npi, pdu.dest_addr) == (1, 1, "447700900123")


@pytest.mark.parametrize(
    ("changes", "options", "data_coding", "octets"),
    [
        ({"text": "à @€"}, {}, 0, b"\x7f \x00\x1be"),
        ({"text": "à @€"}, {"default_alphabet": "latin1"}, 0, b"\xe0 @EUR"),
        ({"text": "à @€"}, {"default_alphabet": "latin9"}, 0, b"\xe0 @\xa4"),
        ({"text": "à @"}, {"default_alphabet": "ascii"}, 0, b"a @"),
        ({"segments": unicode_("ж€")}, {}, 8, b"\x04\x36\x20\xac"),
        ({"segments": (Segment(coding=Coding.DATA, data=b"\x00\xff"),)}, {}, 4, b"\x00\xff"),
        ({"flash": True}, {}, 0x10, b"Hi"),
        ({"segments": unicode_("ж"), "flash": True}, {"default_alphabet": "latin1"}, 0x18, b"\x04\x36"),
        ({"segments": (Segment(coding=Coding.DATA, data=b"\x00"),), "flash": True}, {}, 4, b"\x00"),
    ],
)
def test_the_alphabet_is_the_links(
    changes: dict[str, Any], options: dict[str, Any], data_coding: int, octets: bytes
) -> None:
    pdu = spell(outgoing(**changes), msgspec.structs.replace(QUICK, **options))
    assert (pdu.data_coding, pdu.short_message, pdu.tlvs) == (data_coding, octets, None)
    assert (pdu.esm_class, pdu.registered_delivery, pdu.validity_period) == (0, 1, "")


def test_flash_on_a_link_with_another_alphabet_does_not_claim_gsm() -> None:
    pdu = spell(outgoing("à", flash=True), msgspec.structs.replace(QUICK, default_alphabet="latin1"))
    assert (pdu.data_coding, pdu.short_message) == (0, b"\xe0")
    assert pdu.tlvs == {Tag.DEST_ADDR_SUBUNIT: b"\x01"}


def test_each_part_carries_its_header_and_asks_for_its_receipt() -> None:
    parts = tuple(
        Segment(coding=Coding.TEXT, text=text, udh=UDH[:-1] + bytes([number]))
        for number, text in enumerate(("one ", "two"), 1)
    )
    first, second = (spell(outgoing(segments=parts, number=number), QUICK) for number in (1, 2))
    assert (first.esm_class, first.registered_delivery) == (0x40, 1)
    assert first.short_message == UDH + b"one "
    assert (second.esm_class, second.registered_delivery) == (0x40, 1)
    assert second.short_message == UDH[:-1] + b"\x02two"


def test_validity_service_type_and_single_shot() -> None:
    options = msgspec.structs.replace(QUICK, service_type="CMT", dest_ton=0, dest_npi=0)
    pdu = spell(outgoing(validity_s=3600, single_shot=True), options)
    assert (pdu.validity_period, pdu.service_type) == ("000000010000000R", "CMT")
    assert (pdu.dest_ton, pdu.dest_npi) == (0, 0)


@pytest.mark.parametrize(("text", "options"), [("Hi", {"payload": "message_payload"}), ("x" * 255, {})])
def test_the_text_travels_in_message_payload_when_told_or_too_long(
    text: str, options: dict[str, Any]
) -> None:
    pdu = spell(outgoing(text), msgspec.structs.replace(QUICK, **options))
    assert pdu.short_message == b""
    assert pdu.tlvs == {Tag.MESSAGE_PAYLOAD: text.encode()}


def test_a_sender_that_no_field_takes_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_message(spell(outgoing(sender="Ελλάδα"), QUICK), 1)
