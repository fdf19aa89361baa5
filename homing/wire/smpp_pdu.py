"""SMPP 3.4 PDUs: octets to values and back. Framing, states and timers are ``smpp_session``'s.

Promises: whatever a real SMSC writes and a human could read is read: strings that end with the body
instead of a NUL, answers without a body, TLVs unknown, out of place, cut short, or one octet off.
Unknown commands and statuses stay plain integers. The values themselves are in ``smpp_values``.

Goes wrong: a body whose mandatory fields cannot be read raises ``PduError``, which knows what to
answer; a value that does not fit its field raises ``ValueError`` on encoding.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from homing.wire.smpp_codes import (
    ALERT_NOTIFICATION,
    BIND_RECEIVER,
    BIND_RECEIVER_RESP,
    BIND_TRANSCEIVER,
    BIND_TRANSCEIVER_RESP,
    BIND_TRANSMITTER,
    BIND_TRANSMITTER_RESP,
    DATA_SM,
    DATA_SM_RESP,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    OUTBIND,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    UNBIND_RESP,
    CommandStatus,
)
from homing.wire.smpp_tlv import encode_tlvs, read_tlvs
from homing.wire.smpp_values import (
    SHORT_MESSAGE_CAP,
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

HEADER: Final = struct.Struct(">IIII")
"""command_length, command_id, command_status, sequence_number. SMPP 3.4 §3.2"""
HEADER_LENGTH: Final = HEADER.size
_MESSAGE_TAIL: Final = struct.Struct(">10B")


# Reading


def decode(buffer: bytes, start: int, length: int) -> Pdu:
    """The PDU whose ``length`` octets begin at ``start``; all of them must be there, at least a header."""
    _, command_id, status, sequence = HEADER.unpack_from(buffer, start)
    return READERS.get(command_id, _read_unknown)(
        buffer, start + HEADER_LENGTH, start + length, command_id, status, sequence
    )


def _read_short_message(
    buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
) -> ShortMessage:
    # Positions only grow, so a body that is too short is caught by the one comparison with ``end``:
    # what was read beyond it came from the next PDU and is thrown away.
    try:
        service_type = ""
        if buffer[at]:
            stop = buffer.index(0, at, end)
            service_type = buffer[at:stop].decode("latin-1")
            at = stop
        source = at + 3
        source_end = buffer.index(0, source, end)
        dest = source_end + 3
        dest_end = buffer.index(0, dest, end)
        at = dest_end + 11
        tail = _MESSAGE_TAIL.unpack_from(buffer, dest_end + 1)
        esm_class, protocol, priority, schedule, validity, registered, replace, coding, default, size = tail
        schedule_delivery_time = validity_period = ""
        if schedule or validity:
            schedule_delivery_time, at = _read_string(buffer, dest_end + 4, end)
            validity_period, at = _read_string(buffer, at, end)
            registered, replace, coding, default, size = buffer[at : at + 5]
            at += 5
    except (ValueError, IndexError, struct.error):
        raise _cut_short(sequence, command_id, "ends within its mandatory fields") from None
    text_end = at + size
    if text_end > end:
        raise _cut_short(sequence, command_id, f"sm_length is {size}, but {max(0, end - at)} octets follow")
    return ShortMessage(
        command_id,
        sequence,
        service_type,
        buffer[source - 2],
        buffer[source - 1],
        buffer[source:source_end].decode("latin-1"),
        buffer[dest - 2],
        buffer[dest - 1],
        buffer[dest:dest_end].decode("latin-1"),
        esm_class,
        protocol,
        priority,
        schedule_delivery_time,
        validity_period,
        registered,
        replace,
        coding,
        default,
        buffer[at:text_end],
        None if text_end == end else read_tlvs(buffer, text_end, end),
    )


def _read_data_sm(
    buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
) -> ShortMessage:
    try:
        service_type, source = _read_string(buffer, at, end)
        source_addr, dest = _read_string(buffer, source + 2, end)
        dest_addr, at = _read_string(buffer, dest + 2, end)
        esm_class, registered_delivery, data_coding = buffer[at : min(at + 3, end)]
    except ValueError:
        raise _cut_short(sequence, command_id, "ends within its mandatory fields") from None
    return ShortMessage(
        command_id,
        sequence,
        service_type=service_type,
        source_ton=buffer[source],
        source_npi=buffer[source + 1],
        source_addr=source_addr,
        dest_ton=buffer[dest],
        dest_npi=buffer[dest + 1],
        dest_addr=dest_addr,
        esm_class=esm_class,
        registered_delivery=registered_delivery,
        data_coding=data_coding,
        tlvs=read_tlvs(buffer, at + 3, end),
    )


def read_message_resp(
    buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
) -> MessageResp:
    stop = buffer.find(0, at, end)
    if stop < 0:  # no body at all, as errors have it (SMPP 3.4 §4.4.2), or an id that ends with the PDU
        return MessageResp(command_id, sequence, status, buffer[at:end].decode("latin-1"))
    message_id = buffer[at:stop].decode("latin-1")
    tlvs = None if stop + 1 == end else read_tlvs(buffer, stop + 1, end)
    return MessageResp(command_id, sequence, status, message_id, tlvs)


def _read_bind(buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Bind:
    try:
        system_id, at = _read_string(buffer, at, end)
        password, at = _read_string(buffer, at, end)
        system_type, at = _read_string(buffer, at, end)
        interface_version, addr_ton, addr_npi = buffer[at : min(at + 3, end)]
    except ValueError:
        raise _cut_short(sequence, command_id, "ends within its mandatory fields") from None
    return Bind(
        command_id=command_id,
        sequence=sequence,
        system_id=system_id,
        password=password,
        system_type=system_type,
        interface_version=interface_version,
        addr_ton=addr_ton,
        addr_npi=addr_npi,
        address_range=_read_last_string(buffer, at + 3, end)[0],
    )


def _read_bind_resp(
    buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
) -> BindResp:
    system_id, at = _read_last_string(buffer, at, end)
    tlvs = read_tlvs(buffer, at, end)
    return BindResp(command_id=command_id, sequence=sequence, status=status, system_id=system_id, tlvs=tlvs)


def _read_outbind(buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Outbind:
    system_id, at = _read_last_string(buffer, at, end)
    return Outbind(sequence=sequence, system_id=system_id, password=_read_last_string(buffer, at, end)[0])


def _read_alert_notification(
    buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
) -> AlertNotification:
    try:
        source_addr, esme = _read_string(buffer, at + 2, end)
    except ValueError:
        raise _cut_short(sequence, command_id, "ends within its mandatory fields") from None
    if esme + 2 > end:
        raise _cut_short(sequence, command_id, "ends within its mandatory fields")
    esme_addr, stop = _read_last_string(buffer, esme + 2, end)
    return AlertNotification(
        sequence=sequence,
        source_ton=buffer[at],
        source_npi=buffer[at + 1],
        source_addr=source_addr,
        esme_ton=buffer[esme],
        esme_npi=buffer[esme + 1],
        esme_addr=esme_addr,
        tlvs=read_tlvs(buffer, stop, end),
    )


def _read_simple(buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Simple:
    return Simple(command_id=command_id, sequence=sequence, status=status)


def _read_unknown(buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Unknown:
    return Unknown(command_id=command_id, sequence=sequence, status=status, body=buffer[at:end])


Reader = Callable[[bytes, int, int, int, int, int], Pdu]
MESSAGE_READERS: Final[Mapping[int, Callable[[bytes, int, int, int, int, int], ShortMessage]]] = {
    SUBMIT_SM: _read_short_message,
    DELIVER_SM: _read_short_message,
    DATA_SM: _read_data_sm,
}
READERS: Final[Mapping[int, Reader]] = {
    **MESSAGE_READERS,
    SUBMIT_SM_RESP: read_message_resp,
    DELIVER_SM_RESP: read_message_resp,
    DATA_SM_RESP: read_message_resp,
    BIND_TRANSMITTER: _read_bind,
    BIND_RECEIVER: _read_bind,
    BIND_TRANSCEIVER: _read_bind,
    BIND_TRANSMITTER_RESP: _read_bind_resp,
    BIND_RECEIVER_RESP: _read_bind_resp,
    BIND_TRANSCEIVER_RESP: _read_bind_resp,
    OUTBIND: _read_outbind,
    ALERT_NOTIFICATION: _read_alert_notification,
    UNBIND: _read_simple,
    UNBIND_RESP: _read_simple,
    ENQUIRE_LINK: _read_simple,
    ENQUIRE_LINK_RESP: _read_simple,
    GENERIC_NACK: _read_simple,
}
"""By command id, called with (buffer, first octet of the body, end, command_id, status, sequence)."""


def _read_string(buffer: bytes, at: int, end: int) -> tuple[str, int]:
    """A C-Octet String that more fields follow, and where they begin. SMPP 3.4 §3.1"""
    stop = buffer.index(0, at, end)
    return buffer[at:stop].decode("latin-1"), stop + 1


def _read_last_string(buffer: bytes, at: int, end: int) -> tuple[str, int]:
    """A C-Octet String that may end with the body instead of a NUL."""
    stop = buffer.find(0, at, end)
    if stop < 0:
        stop = end
    return buffer[at:stop].decode("latin-1"), stop + 1


def _cut_short(sequence: int, command_id: int, text: str) -> PduError:
    return PduError(sequence, command_id, CommandStatus.ESME_RINVMSGLEN, text)


# Writing


def encode(pdu: Pdu) -> bytes:
    """The octets of a PDU; ``ValueError`` when a value does not fit its field."""
    try:
        return _encode(pdu)
    except (UnicodeEncodeError, OverflowError, struct.error) as error:
        raise ValueError(f"{type(pdu).__name__} does not fit its fields: {error}") from error


def encode_message(message: ShortMessage, sequence: int) -> bytes:
    """submit_sm, deliver_sm or data_sm under this sequence number; ``ValueError`` as ``encode``."""
    try:
        return _encode_message(message, sequence)
    except (UnicodeEncodeError, OverflowError, struct.error) as error:
        raise ValueError(f"message does not fit its fields: {error}") from error


def encode_simple(command_id: int, sequence: int, status: int = 0) -> bytes:
    return HEADER.pack(HEADER_LENGTH, command_id, status, sequence)


def encode_message_resp(command_id: int, sequence: int, status: int = 0, message_id: str = "") -> bytes:
    """submit_sm_resp or data_sm_resp; the id is left out when the status is an error."""
    if status:  # SMPP 3.4 §4.4.2: the body is not returned
        return HEADER.pack(HEADER_LENGTH, command_id, status, sequence)
    body = _string(message_id)
    return HEADER.pack(HEADER_LENGTH + len(body), command_id, status, sequence) + body


def encode_deliver_sm_resps(sequences: Sequence[int], status: int = 0) -> bytes:
    """One deliver_sm_resp for each sequence number, in order, all with this status."""
    count = len(sequences)
    packed = struct.pack(f">{count}I", *sequences)
    out = bytearray(HEADER.pack(17, DELIVER_SM_RESP, status, 0) + b"\0") * count  # SMPP 3.4 §4.6.2
    for octet in range(4):  # four strided copies for the whole batch instead of a pack for each answer
        out[12 + octet :: 17] = packed[octet::4]
    return bytes(out)


def _encode(pdu: Pdu) -> bytes:
    status = 0
    match pdu:
        case ShortMessage():
            return _encode_message(pdu, pdu.sequence)
        case Simple():
            return encode_simple(pdu.command_id, pdu.sequence, pdu.status)
        case MessageResp():
            status, body = pdu.status, _string(pdu.message_id) + encode_tlvs(pdu.tlvs)
            if status and body == b"\0":
                body = b""  # SMPP 3.4 §4.4.2
        case BindResp():
            status, body = pdu.status, _string(pdu.system_id) + encode_tlvs(pdu.tlvs)
            if status and body == b"\0":
                body = b""  # SMPP 3.4 §4.1.2
        case Bind():
            body = b"%b%b%b%c%c%c%b" % (
                _string(pdu.system_id),
                _string(pdu.password),
                _string(pdu.system_type),
                pdu.interface_version,
                pdu.addr_ton,
                pdu.addr_npi,
                _string(pdu.address_range),
            )
        case Outbind():
            body = _string(pdu.system_id) + _string(pdu.password)
        case AlertNotification():
            body = b"%c%c%b%c%c%b%b" % (
                pdu.source_ton,
                pdu.source_npi,
                _string(pdu.source_addr),
                pdu.esme_ton,
                pdu.esme_npi,
                _string(pdu.esme_addr),
                encode_tlvs(pdu.tlvs),
            )
        case Unknown():
            status, body = pdu.status, pdu.body
    return HEADER.pack(HEADER_LENGTH + len(body), pdu.command_id, status, pdu.sequence) + body


def _encode_message(message: ShortMessage, sequence: int) -> bytes:
    text = message.short_message
    command_id = message.command_id
    service_type = _string(message.service_type) if message.service_type else b"\0"
    source_addr = _string(message.source_addr)
    dest_addr = _string(message.dest_addr)
    if command_id == DATA_SM:
        if text:
            raise ValueError("data_sm has no short_message, only message_payload")
        body = b"%b%c%c%b%c%c%b%c%c%c%b" % (
            service_type,
            message.source_ton,
            message.source_npi,
            source_addr,
            message.dest_ton,
            message.dest_npi,
            dest_addr,
            message.esm_class,
            message.registered_delivery,
            message.data_coding,
            encode_tlvs(message.tlvs),
        )
    else:
        if len(text) > SHORT_MESSAGE_CAP:
            raise ValueError(f"short_message has {len(text)} octets, more than {SHORT_MESSAGE_CAP}")
        body = b"%b%c%c%b%c%c%b%c%c%c%b%b%c%c%c%c%c%b%b" % (
            service_type,
            message.source_ton,
            message.source_npi,
            source_addr,
            message.dest_ton,
            message.dest_npi,
            dest_addr,
            message.esm_class,
            message.protocol_id,
            message.priority_flag,
            _string(message.schedule_delivery_time) if message.schedule_delivery_time else b"\0",
            _string(message.validity_period) if message.validity_period else b"\0",
            message.registered_delivery,
            message.replace_if_present,
            message.data_coding,
            message.sm_default_msg_id,
            len(text),
            text,
            encode_tlvs(message.tlvs) if message.tlvs else b"",
        )
    return HEADER.pack(HEADER_LENGTH + len(body), command_id, 0, sequence) + body


def _string(text: str) -> bytes:
    octets = text.encode("latin-1")
    if 0 in octets:  # would end the field early and shift what follows
        raise ValueError(f"NUL within {text!r}")
    return octets + b"\0"
