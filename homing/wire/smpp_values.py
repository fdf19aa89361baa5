"""What SMPP 3.4 PDUs say, as values. ``smpp_pdu`` makes them of octets and octets of them.

Commands, statuses and tags are plain integers here, so that an unknown one is nothing special.
Addresses and ids are ``str`` by Latin-1, which never fails and loses nothing; text is left as octets.
A password is never part of what a value prints.

``ShortMessage`` and ``MessageResp`` alone are not keyword-only: called by position the former costs
0.1 µs, by keyword 0.7 µs, and a gateway makes one per message.
"""

from typing import Final

import msgspec

from homing.wire.smpp_codes import ALERT_NOTIFICATION, OUTBIND, Tag, command_name, status_name
from homing.wire.smpp_tlv import Tlvs

SHORT_MESSAGE_CAP: Final = 254
"""Octets that ``short_message`` holds; more goes into message_payload. SMPP 3.4 §5.2.21"""
INTERFACE_VERSION: Final = 0x34

# SMPP 3.4 §5.2.12
ESM_CLASS_TYPE_MASK: Final = 0x3C
ESM_CLASS_RECEIPT: Final = 0x04
ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT: Final = 0x08
ESM_CLASS_MANUAL_ACKNOWLEDGEMENT: Final = 0x10
ESM_CLASS_INTERMEDIATE_NOTIFICATION: Final = 0x20
ESM_CLASS_UDHI: Final = 0x40

_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)


class PduError(Exception):
    """A frame whose body cannot be read. ``status`` is the answer it deserves."""

    def __init__(self, sequence: int, command_id: int, status: int, text: str) -> None:
        super().__init__(f"{command_name(command_id)} {sequence}: {text} ({status_name(status)})")
        self.sequence = sequence
        self.command_id = command_id
        self.status = status
        self.text = text


class Bind(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """bind_transmitter, bind_receiver, bind_transceiver. SMPP 3.4 §4.1"""

    command_id: int
    sequence: int = 0
    system_id: str
    password: str = ""
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        # The password must never reach a log, and values are what logs are made of.
        return (
            f"Bind({command_name(self.command_id)}, sequence={self.sequence}, system_id={self.system_id!r})"
        )


class BindResp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The three bind responses. SMPP 3.4 §4.1.2"""

    command_id: int
    sequence: int
    status: int = 0
    system_id: str = ""
    tlvs: Tlvs | None = None


class Outbind(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The SMSC asks to be bound to. SMPP 3.4 §4.1.7"""

    command_id: int = OUTBIND
    sequence: int = 0
    system_id: str
    password: str = ""

    def __repr__(self) -> str:
        return f"Outbind(sequence={self.sequence}, system_id={self.system_id!r})"


class ShortMessage(msgspec.Struct, frozen=True, gc=False):
    """submit_sm, deliver_sm (SMPP 3.4 §4.4.1, §4.6.1), and data_sm (§4.7.1), which has fewer fields."""

    command_id: int
    sequence: int = 0
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source_addr: str = ""
    dest_ton: int = 0
    dest_npi: int = 0
    dest_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs | None = None

    @property
    def octets(self) -> bytes:
        """The user data, wherever it stands; a NUL that some SMSCs add to it is the reader's matter."""
        if self.short_message or self.tlvs is None:
            return self.short_message
        return self.tlvs.get(_MESSAGE_PAYLOAD, b"")  # SMPP 3.4 §5.3.2.32

    @property
    def message_type(self) -> int:
        """The type bits of ``esm_class`` alone: 0 is a message, 0x04 a receipt, …"""
        return self.esm_class & ESM_CLASS_TYPE_MASK

    @property
    def has_udh(self) -> bool:
        return bool(self.esm_class & ESM_CLASS_UDHI)


class MessageResp(msgspec.Struct, frozen=True, gc=False):
    """submit_sm_resp, deliver_sm_resp, data_sm_resp. SMPP 3.4 §4.4.2, §4.6.2, §4.7.2"""

    command_id: int
    sequence: int
    status: int = 0
    message_id: str = ""
    tlvs: Tlvs | None = None


class AlertNotification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A phone can be reached again. SMPP 3.4 §4.12.1"""

    command_id: int = ALERT_NOTIFICATION
    sequence: int = 0
    source_ton: int = 0
    source_npi: int = 0
    source_addr: str = ""
    esme_ton: int = 0
    esme_npi: int = 0
    esme_addr: str = ""
    tlvs: Tlvs | None = None


class Simple(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A header and nothing else: unbind, enquire_link, their responses, generic_nack."""

    command_id: int
    sequence: int
    status: int = 0


class Unknown(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command that this codec does not read."""

    command_id: int
    sequence: int
    status: int = 0
    body: bytes = b""


Pdu = Bind | BindResp | Outbind | ShortMessage | MessageResp | AlertNotification | Simple | Unknown
