"""SMPP 3.4 PDUs: golden octets from the specification's layouts, round trips, what real SMSCs write."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.wire import smpp_codes as codes
from homing.wire.smpp_codes import CommandStatus, Tag, command_name, status_name
from homing.wire.smpp_pdu import (
    decode,
    encode,
    encode_deliver_sm_resps,
    encode_message,
    encode_message_resp,
    encode_simple,
)
from homing.wire.smpp_time import absolute_time, read_time, relative_validity
from homing.wire.smpp_tlv import tlv_integer, tlv_text
from homing.wire.smpp_values import (
    AlertNotification,
    Bind,
    BindResp,
    MessageResp,
    Outbind,
    Pdu,
    PduError,
    ShortMessage,
    Simple,
    Unknown,
)


def frame(command_id: int, body: bytes = b"", status: int = 0, sequence: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


def read(octets: bytes) -> Pdu:
    return decode(octets, 0, len(octets))


MESSAGE_BODY = b"CMT\0\x01\x01447700900123\0\x02\x0960777\0\x04\x01\x02\0\0\x01\0\x03\0\x05Hello"
MESSAGE_FIELDS = {
    "service_type": "CMT",
    "source_ton": 1,
    "source_npi": 1,
    "source_addr": "447700900123",
    "dest_ton": 2,
    "dest_npi": 9,
    "dest_addr": "60777",
    "esm_class": 4,
    "protocol_id": 1,
    "priority_flag": 2,
    "registered_delivery": 1,
    "data_coding": 3,
    "short_message": b"Hello",
}
BIND_BODY = b"homing\0secret\0VMS\0\x34\x01\x0244.*\0"

GOLDEN: list[tuple[bytes, Pdu]] = [
    (frame(codes.DELIVER_SM, MESSAGE_BODY), ShortMessage(codes.DELIVER_SM, 7, **MESSAGE_FIELDS)),
    (frame(codes.SUBMIT_SM, MESSAGE_BODY), ShortMessage(codes.SUBMIT_SM, 7, **MESSAGE_FIELDS)),
    (
        frame(
            codes.SUBMIT_SM,
            b"\0"
            b"\0\0\0"
            b"\x01\x01"
            b"447700900123\0"
            b"\0\0\0"
            b"261124120000000+\0"
            b"000000010000000R\0"
            b"\x11\x01\x08\x02\x02"
            b"\0A"
            b"\x02\x0c\x00\x02\x12\x34"
            b"\x14\x00\x00\x00",
        ),
        ShortMessage(
            codes.SUBMIT_SM,
            7,
            dest_ton=1,
            dest_npi=1,
            dest_addr="447700900123",
            schedule_delivery_time="261124120000000+",
            validity_period="000000010000000R",
            registered_delivery=0x11,
            replace_if_present=1,
            data_coding=8,
            sm_default_msg_id=2,
            short_message=b"\0A",
            tlvs={Tag.SAR_MSG_REF_NUM: b"\x12\x34", 0x1400: b""},
        ),
    ),
    (
        frame(codes.DATA_SM, b"\0\x01\x01447700900123\0\0\x0160777\0\x04\x01\x00\x04\x27\x00\x01\x02"),
        ShortMessage(
            codes.DATA_SM,
            7,
            source_ton=1,
            source_npi=1,
            source_addr="447700900123",
            dest_npi=1,
            dest_addr="60777",
            esm_class=4,
            registered_delivery=1,
            tlvs={Tag.MESSAGE_STATE: b"\x02"},
        ),
    ),
    (frame(codes.SUBMIT_SM_RESP, b"6aad5\0"), MessageResp(codes.SUBMIT_SM_RESP, 7, 0, "6aad5")),
    (frame(codes.SUBMIT_SM_RESP, b"", 0x58), MessageResp(codes.SUBMIT_SM_RESP, 7, 0x58)),
    (frame(codes.DELIVER_SM_RESP, b"\0"), MessageResp(codes.DELIVER_SM_RESP, 7)),
    (
        frame(codes.DATA_SM_RESP, b"1\0\x04\x23\x00\x03\x03\x00\x21", 0xFE),
        MessageResp(codes.DATA_SM_RESP, 7, 0xFE, "1", {Tag.NETWORK_ERROR_CODE: b"\x03\x00\x21"}),
    ),
    *(
        (
            frame(command_id, BIND_BODY),
            Bind(
                command_id=command_id,
                sequence=7,
                system_id="homing",
                password="secret",
                system_type="VMS",
                interface_version=0x34,
                addr_ton=1,
                addr_npi=2,
                address_range="44.*",
            ),
        )
        for command_id in (codes.BIND_TRANSMITTER, codes.BIND_RECEIVER, codes.BIND_TRANSCEIVER)
    ),
    *(
        (
            frame(command_id, b"SMSC\0\x02\x10\x00\x01\x34"),
            BindResp(
                command_id=command_id,
                sequence=7,
                system_id="SMSC",
                tlvs={Tag.SC_INTERFACE_VERSION: b"\x34"},
            ),
        )
        for command_id in (codes.BIND_TRANSMITTER_RESP, codes.BIND_RECEIVER_RESP, codes.BIND_TRANSCEIVER_RESP)
    ),
    (
        frame(codes.BIND_RECEIVER_RESP, b"", 0x0E),
        BindResp(command_id=codes.BIND_RECEIVER_RESP, sequence=7, status=14),
    ),
    (frame(codes.OUTBIND, b"SMSC\0pw\0"), Outbind(sequence=7, system_id="SMSC", password="pw")),
    (
        frame(codes.ALERT_NOTIFICATION, b"\x01\x01447700900123\0\0\x0960777\0\x04\x22\x00\x01\x00"),
        AlertNotification(
            sequence=7,
            source_ton=1,
            source_npi=1,
            source_addr="447700900123",
            esme_npi=9,
            esme_addr="60777",
            tlvs={Tag.MS_AVAILABILITY_STATUS: b"\0"},
        ),
    ),
    *(
        (frame(command_id), Simple(command_id=command_id, sequence=7))
        for command_id in (codes.UNBIND, codes.UNBIND_RESP, codes.ENQUIRE_LINK, codes.ENQUIRE_LINK_RESP)
    ),
    (frame(codes.GENERIC_NACK, b"", 3), Simple(command_id=codes.GENERIC_NACK, sequence=7, status=3)),
    (
        frame(0x00010200, b"vendor", 0x4FF),
        Unknown(command_id=0x00010200, sequence=7, status=0x4FF, body=b"vendor"),
    ),
]


@pytest.mark.parametrize(("octets", "pdu"), GOLDEN, ids=lambda value: type(value).__name__)
def test_golden_octets_are_read_and_written(octets: bytes, pdu: Pdu) -> None:
    assert read(octets) == pdu
    assert encode(pdu) == octets


@pytest.mark.parametrize(("octets", "pdu"), GOLDEN, ids=lambda value: type(value).__name__)
def test_a_pdu_is_read_wherever_it_stands_in_the_buffer(octets: bytes, pdu: Pdu) -> None:
    assert decode(b"\0\xff" + octets + b"\0\x04\x27\0\x01\x02" * 9, 2, len(octets)) == pdu


# Round trips

octet = st.integers(0, 255)
sequences = st.integers(0, 0xFFFFFFFF)
strings = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
tlvs = st.none() | st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), min_size=1, max_size=4)
long_messages = st.builds(
    ShortMessage,
    st.sampled_from([codes.SUBMIT_SM, codes.DELIVER_SM]),
    sequences,
    *(strings, octet, octet, strings, octet, octet, strings),
    *(octet, octet, octet, strings, strings, octet, octet, octet, octet),
    st.binary(max_size=254),
    tlvs,
)
pdus: st.SearchStrategy[Pdu] = st.one_of(
    long_messages,
    st.builds(
        ShortMessage,
        st.just(codes.DATA_SM),
        sequences,
        *(strings, octet, octet, strings, octet, octet, strings, octet),
        registered_delivery=octet,
        data_coding=octet,
        tlvs=tlvs,
    ),
    st.builds(
        MessageResp,
        st.sampled_from([codes.SUBMIT_SM_RESP, codes.DELIVER_SM_RESP, codes.DATA_SM_RESP]),
        sequences,
        sequences,
        strings,
        tlvs,
    ),
    st.builds(
        Bind,
        command_id=st.sampled_from([codes.BIND_RECEIVER, codes.BIND_TRANSMITTER, codes.BIND_TRANSCEIVER]),
        sequence=sequences,
        system_id=strings,
        password=strings,
        system_type=strings,
        interface_version=octet,
        addr_ton=octet,
        addr_npi=octet,
        address_range=strings,
    ),
    st.builds(
        BindResp,
        command_id=st.sampled_from([codes.BIND_RECEIVER_RESP, codes.BIND_TRANSCEIVER_RESP]),
        sequence=sequences,
        status=sequences,
        system_id=strings,
        tlvs=tlvs,
    ),
    st.builds(Outbind, sequence=sequences, system_id=strings, password=strings),
    st.builds(
        AlertNotification,
        sequence=sequences,
        source_ton=octet,
        source_npi=octet,
        source_addr=strings,
        esme_ton=octet,
        esme_npi=octet,
        esme_addr=strings,
        tlvs=tlvs,
    ),
    st.builds(
        Simple,
        command_id=st.sampled_from([codes.UNBIND, codes.ENQUIRE_LINK_RESP, codes.GENERIC_NACK]),
        sequence=sequences,
        status=sequences,
    ),
    st.builds(
        Unknown,
        command_id=st.integers(0x200, 0x7FFFFFFF),
        sequence=sequences,
        status=sequences,
        body=st.binary(max_size=40),
    ),
)


@given(pdus)
@settings(max_examples=200, deadline=None)
def test_every_pdu_comes_back_as_it_went(pdu: Pdu) -> None:
    assert read(encode(pdu)) == pdu


@given(st.sampled_from(sorted(codes.COMMAND_NAMES)), st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_body_is_read_or_is_a_pdu_error(command_id: int, body: bytes) -> None:
    answer: Pdu | PduError
    try:
        answer = decode(frame(command_id, body) + MESSAGE_BODY, 0, 16 + len(body))
    except PduError as error:
        answer = error
    assert (answer.sequence, answer.command_id) == (7, command_id)
    if isinstance(answer, PduError):
        assert answer.status == CommandStatus.ESME_RINVMSGLEN
        assert command_name(command_id) in str(answer)


@given(long_messages, st.data())
@settings(max_examples=100, deadline=None)
def test_a_cut_message_is_never_completed_from_the_next_pdu(
    message: ShortMessage, data: st.DataObject
) -> None:
    octets = encode(ShortMessage(**{name: getattr(message, name) for name in message.__struct_fields__[:-1]}))
    length = data.draw(st.integers(16, len(octets) - 1))
    with pytest.raises(PduError):
        decode(octets[:length] + octets, 0, length)


# What is commonly got wrong (peers)


@pytest.mark.parametrize(
    ("esm_class", "message_type", "has_udh"),
    [
        (0x00, 0, False),
        (0x04, 4, False),
        (0x44, 4, True),
        (0x07, 4, False),
        (0x20, 0x20, False),
        (0xE8, 0x28, True),
    ],
)
def test_esm_class_is_masked_not_compared(esm_class: int, message_type: int, has_udh: bool) -> None:
    message = ShortMessage(codes.DELIVER_SM, esm_class=esm_class)
    assert (message.message_type, message.has_udh) == (message_type, has_udh)


def deliver(tlv_octets: bytes, text: bytes = b"") -> ShortMessage:
    head = b"\0\0\0a\0\0\0b\0" + bytes(9)
    pdu = read(frame(codes.DELIVER_SM, head + bytes([len(text)]) + text + tlv_octets))
    assert isinstance(pdu, ShortMessage)
    return pdu


def test_message_payload_is_the_text_when_short_message_is_empty() -> None:
    assert deliver(b"\x04\x24\x00\x03Hi\0").octets == b"Hi\0"
    assert deliver(b"\x04\x24\x00\x02Hi", b"short").octets == b"short"
    assert deliver(b"\x04\x27\x00\x01\x02").octets == b""
    assert deliver(b"").octets == b""


def test_octets_of_the_text_are_not_touched() -> None:
    assert deliver(b"", "Zoë \0".encode("utf-16-be")).octets == "Zoë \0".encode("utf-16-be")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x15\x01\x00\x02hi\xff\xfe\x00\x00", {0x1501: b"hi", 0xFFFE: b""}),
        (b"\x02\x10\x00\x01\x34", {Tag.SC_INTERFACE_VERSION: b"\x34"}),  # belongs to bind_resp
        (b"\x00\x1e\x00\x09abc", {Tag.RECEIPTED_MESSAGE_ID: b"abc"}),  # cut short, at the end
        (b"\x04\x27\x00\x01\x02\x00\x1e\x00\x09abc", {0x0427: b"\x02", 0x001E: b"abc"}),
        (b"\x04\x27\x00\x01", None),
        (b"\x04\x27\x00\x01\x02\x04", {0x0427: b"\x02"}),
        (b"\0\0\0", None),
        # one NUL that the length did not count, before and after
        (b"\x00\x1e\x00\x03abc\x00\x04\x27\x00\x01\x02", {0x001E: b"abc", 0x0427: b"\x02"}),
        (b"\x00\x04\x27\x00\x01\x02", {0x0427: b"\x02"}),
        (b"\x00\x1e\x00\x03abc\x00", {0x001E: b"abc"}),
        # a NUL that the length counted and nobody sent
        (b"\x00\x1e\x00\x04abc\x04\x27\x00\x01\x02", {0x001E: b"abc", 0x0427: b"\x02"}),
    ],
)
def test_tlvs_are_kept_whatever_they_are(octets: bytes, expected: dict[int, bytes] | None) -> None:
    assert deliver(octets).tlvs == expected
    assert deliver(octets, b"text").octets == b"text"


def test_tlv_strings_with_and_without_nul() -> None:
    for value, text in (
        (b"abc", "abc"),
        (b"abc\0", "abc"),
        (b"abc\0\0", "abc"),
        (b"", ""),
        (b"(null)", None),
    ):
        assert tlv_text({0x1E: value}, Tag.RECEIPTED_MESSAGE_ID) == text
    assert tlv_text(None, 0x1E) is None
    assert tlv_text({}, 0x1E) is None
    assert tlv_text({0x1E: b"\xff"}, 0x1E) == "ÿ"


def test_tlv_integers_of_any_length() -> None:
    assert tlv_integer({0x427: b"\x02"}, Tag.MESSAGE_STATE) == 2
    assert tlv_integer({0x427: b"\x00\x02"}, Tag.MESSAGE_STATE) == 2
    assert tlv_integer({0x427: b""}, Tag.MESSAGE_STATE) is None
    assert tlv_integer(None, Tag.MESSAGE_STATE) is None


@pytest.mark.parametrize("command_id", [codes.SUBMIT_SM_RESP, codes.DATA_SM_RESP, codes.DELIVER_SM_RESP])
def test_answers_without_body_and_without_terminator(command_id: int) -> None:
    assert read(frame(command_id, status=0x58)) == MessageResp(command_id, 7, 0x58)
    assert read(frame(command_id)) == MessageResp(command_id, 7)
    assert read(frame(command_id, b"6aad5")) == MessageResp(command_id, 7, 0, "6aad5")
    assert read(frame(command_id, b"6aad5\0", 0x45)) == MessageResp(command_id, 7, 0x45, "6aad5")


def test_bind_answers_and_binds_that_end_early() -> None:
    for body, system_id in ((b"", ""), (b"SMSC", "SMSC"), (b"SMSC\0", "SMSC")):
        pdu = read(frame(codes.BIND_TRANSCEIVER_RESP, body))
        assert pdu == BindResp(command_id=codes.BIND_TRANSCEIVER_RESP, sequence=7, system_id=system_id)
    for rest in (b"", b"\0"):
        pdu = read(frame(codes.BIND_TRANSCEIVER, b"me\0pw\0\0\x34\0\0" + rest))
        assert pdu == Bind(command_id=codes.BIND_TRANSCEIVER, sequence=7, system_id="me", password="pw")


def test_unknown_status_stays_a_number() -> None:
    pdu = read(frame(codes.SUBMIT_SM_RESP, status=0x12345678))
    assert isinstance(pdu, MessageResp)
    assert pdu.status == 0x12345678
    assert status_name(pdu.status) == "status 0x12345678"
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert command_name(0x00010200) == "command 0x00010200"
    assert command_name(0x80000005) == "deliver_sm_resp"


def test_throttling_and_a_full_queue_are_temporary() -> None:
    assert {0x14, 0x58} <= codes.TEMPORARY_STATUSES
    assert CommandStatus.ESME_RINVDSTADR not in codes.TEMPORARY_STATUSES


def test_sm_length_beyond_the_body_says_so() -> None:
    with pytest.raises(
        PduError, match=r"deliver_sm 7: sm_length is 9, but 2 octets follow \(ESME_RINVMSGLEN\)"
    ):
        read(frame(codes.DELIVER_SM, b"\0\0\0a\0\0\0b\0" + bytes(9) + b"\x09ab"))


# Writing


def test_deliver_sm_resps_of_a_batch() -> None:
    assert encode_deliver_sm_resps([]) == b""
    for status in (0, 0x64, 0xFFFFFFFF):
        numbers = [1, 2, 0x7FFFFFFF, 0, 0xFFFFFFFF, 0x01020304]
        one_by_one = b"".join(frame(codes.DELIVER_SM_RESP, b"\0", status, number) for number in numbers)
        assert encode_deliver_sm_resps(numbers, status) == one_by_one


def test_answers_of_a_server() -> None:
    assert encode_message_resp(codes.SUBMIT_SM_RESP, 7, 0, "ab") == frame(codes.SUBMIT_SM_RESP, b"ab\0")
    assert encode_message_resp(codes.SUBMIT_SM_RESP, 7, 0x58, "ab") == frame(codes.SUBMIT_SM_RESP, b"", 0x58)
    assert encode_simple(codes.GENERIC_NACK, 7, 3) == frame(codes.GENERIC_NACK, b"", 3)


def test_encode_message_takes_the_sequence_number_apart() -> None:
    message = ShortMessage(codes.SUBMIT_SM, **MESSAGE_FIELDS)
    assert encode_message(message, 7) == frame(codes.SUBMIT_SM, MESSAGE_BODY)


@pytest.mark.parametrize(
    "pdu",
    [
        ShortMessage(codes.SUBMIT_SM, short_message=bytes(255)),
        ShortMessage(codes.DATA_SM, short_message=b"x"),
        ShortMessage(codes.SUBMIT_SM, dest_addr="447700\0900123"),
        ShortMessage(codes.SUBMIT_SM, source_addr="Ω"),
        ShortMessage(codes.SUBMIT_SM, data_coding=256),
        ShortMessage(codes.SUBMIT_SM, tlvs={0x10000: b""}),
        ShortMessage(codes.SUBMIT_SM, tlvs={Tag.MESSAGE_PAYLOAD: bytes(65536)}),
        Bind(command_id=codes.BIND_RECEIVER, system_id="a\0b"),
    ],
)
def test_what_does_not_fit_is_a_value_error(pdu: Pdu) -> None:
    with pytest.raises(ValueError, match=r"fit|NUL|octets|short_message"):
        encode(pdu)


def test_a_password_is_never_printed() -> None:
    bind = Bind(command_id=codes.BIND_RECEIVER, system_id="me", password="s3cret")
    assert "s3cret" not in f"{bind} {bind!r} {Outbind(system_id='x', password='s3cret')!r}"
    assert "bind_receiver" in repr(bind)


# Times. SMPP 3.4 §7.1.1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "000000000000000R"),
        (-5, "000000000000000R"),
        (59, "000000000059000R"),
        (3600, "000000010000000R"),
        (86_400 + 61, "000001000101000R"),
        (7 * 86_400, "000007000000000R"),
        (30 * 86_400, "000030000000000R"),
        (40 * 86_400, "000109000000000R"),
        (400 * 86_400, "010104000000000R"),
        (10**12, "990000000000000R"),
    ],
)
def test_relative_validity(seconds: int, text: str) -> None:
    assert relative_validity(seconds) == text


@given(st.integers(0, 98 * 365 * 86_400))
@settings(max_examples=100, deadline=None)
def test_relative_validity_is_read_back(seconds: int) -> None:
    assert read_time(relative_validity(seconds), 5) == 5 + seconds * 1000


def test_absolute_times() -> None:
    assert absolute_time(1_795_521_600_300) == "261124120000300+"
    assert read_time("261124120000300+", 0) == 1_795_521_600_300
    assert read_time("261124140000308+", 0) == 1_795_521_600_300
    assert read_time("261124100000308-", 0) == 1_795_521_600_300


@pytest.mark.parametrize(
    "text", ["", "now", "261124120000300", "261324120000300+", "26112412000030٣+", "261124120000399+"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text, 0) is None
