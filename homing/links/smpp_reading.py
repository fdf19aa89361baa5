"""What an SMSC sends, as the engine takes it: messages apart from receipts, numbers and text decoded.

Called once for all that one read of a socket brought. Reading is total: whatever stands in a PDU, it
becomes a message or a receipt, at worst one of plain data, so that no peer can stop those behind it by
one that is never answered.
"""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import structlog

from homing.engine.correlate import ArrivedReceipt
from homing.engine.directory import normalise_number
from homing.engine.intake import Arrival
from homing.links.smpp_options import SmppOptions
from homing.model.clock import now_ms
from homing.model.message import Coding
from homing.model.networks import network_of, read_carrier_code
from homing.model.report import Receipt, Status
from homing.wire.gsm import (
    Concatenation,
    decode_gsm,
    decode_user_data,
    parse_user_data_header,
    split_user_data,
)
from homing.wire.receipt import is_receipt, read_receipt
from homing.wire.smpp_codes import Tag
from homing.wire.smpp_tlv import Tlvs, tlv_integer
from homing.wire.smpp_values import ESM_CLASS_UDHI, ShortMessage

log = structlog.get_logger(__name__)

_ALPHANUMERIC: Final = 5  # SMPP 3.4 §5.2.5
_TEXT: Final = Coding.TEXT
_MOST_PARTS: Final = 255


class Sorted(NamedTuple):
    """What one read brought, each kind beside the PDUs that are to be answered for it."""

    arrivals: list[Arrival]
    messages: Sequence[ShortMessage]
    receipts: list[ArrivedReceipt]
    receipt_pdus: Sequence[ShortMessage]


class Reader:
    """Reads what one link receives."""

    def __init__(self, options: SmppOptions) -> None:
        self._link = options.name
        self._scope = options.scope
        self._alphabet = options.default_alphabet
        self._is_gsm = options.default_alphabet == "gsm"
        self._carrier_code = options.carrier_code or None
        self._network = options.network or network_of(self._carrier_code)
        self._network_tlv = options.network_tlv
        self._overrides = options.status_overrides
        zone: tzinfo = UTC if options.receipt_timezone == "UTC" else ZoneInfo(options.receipt_timezone)
        self._zone: Any = zone

    def sort(self, pdus: Sequence[ShortMessage]) -> Sorted:
        """Every PDU in its order, as a message or as a receipt."""
        arrivals: list[Arrival] = []
        receipts: list[ArrivedReceipt] = []
        messages: list[ShortMessage] = []
        receipt_pdus: list[ShortMessage] = []
        at_ms = now_ms()
        for pdu in pdus:
            esm_class = pdu.esm_class
            tlvs = pdu.tlvs
            octets = pdu.short_message if tlvs is None else pdu.octets
            if is_receipt(esm_class, tlvs, octets):
                receipt = self._receipt(pdu, octets)
                receipts.append(
                    ArrivedReceipt(scope=self._scope, link=self._link, at_ms=at_ms, receipt=receipt)
                )
                receipt_pdus.append(pdu)
            else:
                arrivals.append(self._arrival(pdu, octets))
                messages.append(pdu)
        return Sorted(arrivals, messages, receipts, receipt_pdus)

    def _arrival(self, pdu: ShortMessage, octets: bytes) -> Arrival:
        sender = pdu.source_addr
        if pdu.source_ton != _ALPHANUMERIC and not (sender.isdecimal() and sender[0] != "0"):
            sender = normalise_number(sender)
        recipient = pdu.dest_addr
        if not (recipient.isdecimal() and recipient[0] != "0"):
            recipient = normalise_number(recipient)
        tlvs = pdu.tlvs
        if self._is_gsm and not pdu.data_coding and not pdu.esm_class & ESM_CLASS_UDHI and tlvs is None:
            text = decode_gsm(octets)  # nearly all that phones send
            return Arrival(
                sender=sender, recipient=recipient, coding=_TEXT, text=text, network=self._network,
                carrier_code=self._carrier_code,
            )  # fmt: skip
        udh, rest = split_user_data(octets, pdu.has_udh)
        coding, text, data = self._decode(pdu, udh, rest)
        network, carrier_code = self._network_said(tlvs)
        return Arrival(
            sender=sender,
            recipient=recipient,
            coding=coding,
            text=text,
            data=data,
            udh=udh,
            concatenation=_concatenation(udh, tlvs),
            network=network,
            carrier_code=carrier_code,
        )

    def _network_said(self, tlvs: Tlvs | None) -> tuple[str | None, str | None]:
        """Code, and MCC and MNC, of the sender's network: as this PDU says, else as the link is set."""
        octets = tlvs.get(self._network_tlv) if tlvs and self._network_tlv else None
        said = None if octets is None else read_carrier_code(octets.decode("ascii", "replace"))
        if said is not None:
            return network_of(said), said
        return self._network, self._carrier_code

    def _decode(self, pdu: ShortMessage, udh: bytes, octets: bytes) -> tuple[Coding, str, bytes]:
        try:
            coding, text, data = decode_user_data(
                data_coding=pdu.data_coding, octets=octets, udh=udh, alphabet=self._alphabet
            )
        except Exception:
            # It would come back for ever and hold up all that came with it.
            log.exception("text_not_readable", link=self._link, data_coding=pdu.data_coding)
            return Coding.DATA, "", octets
        if "\0" in text:  # padding, as some end a text; and no character that a store takes
            text = text.rstrip("\0").replace("\0", "\ufffd")
        return coding, text, data

    def _receipt(self, pdu: ShortMessage, octets: bytes) -> Receipt:
        # A header is left in: some SMSCs set its bit without one, and before the keys it does no harm.
        try:
            return read_receipt(
                octets=octets,
                data_coding=pdu.data_coding,
                alphabet=self._alphabet,
                tlvs=pdu.tlvs,
                source_addr=pdu.source_addr,
                status_overrides=self._overrides,
                zone=self._zone,
            )
        except Exception:
            log.exception("receipt_not_readable", link=self._link)
            return Receipt(message_ids=(), status=Status.UNKNOWN, word="", reason="unreadable", raw=octets)


def _concatenation(udh: bytes, tlvs: Tlvs | None) -> Concatenation | None:
    """Which part of which message this is; None for a whole one, also when it says part 1 of 1."""
    if udh:
        found = parse_user_data_header(udh).concatenation
        if found is not None:
            return found if found.total > 1 else None
    if tlvs is None:
        return None
    # SMPP 3.4 §5.3.2.22, §5.3.2.23, §5.3.2.24
    reference = tlv_integer(tlvs, Tag.SAR_MSG_REF_NUM)
    total = tlv_integer(tlvs, Tag.SAR_TOTAL_SEGMENTS)
    number = tlv_integer(tlvs, Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or number is None or not 0 < number <= total <= _MOST_PARTS:
        return None
    return Concatenation(reference, total, number, 16) if total > 1 else None
