"""A segment as one SMSC wants it: addresses with their types, alphabet, header, and where the text travels.

Receipts are asked for with every segment: the report is folded from all of them. What goes wrong:
nothing here; a value that fits no field of a PDU is a ``ValueError`` of the encoding.
"""

from typing import Final

from homing.engine.ports import Outgoing
from homing.links.smpp_options import SmppOptions
from homing.model.message import LONGEST_SHORT_CODE, Coding, Segment
from homing.wire.gsm import spell_text, spell_unicode
from homing.wire.smpp_codes import SUBMIT_SM, Tag
from homing.wire.smpp_time import relative_validity
from homing.wire.smpp_tlv import Tlvs
from homing.wire.smpp_values import ESM_CLASS_UDHI, SHORT_MESSAGE_CAP, ShortMessage

# SMPP 3.4 §5.2.5, §5.2.6
_INTERNATIONAL: Final = (1, 1)
_NETWORK_SPECIFIC: Final = (3, 0)
_ALPHANUMERIC: Final = (5, 0)
_NONE: Final = (0, 0)

_RECEIPT_ON_ANY_OUTCOME: Final = 1  # SMPP 3.4 §5.2.17
_DATA: Final = 0x04  # SMPP 3.4 §5.2.19: octets unspecified
_CLASS_0: Final = 0x10  # TS 23.038 §4: to the display at once; the alphabet stands in bits 2 and 3
_DISPLAY: Final = b"\x01"  # SMPP 3.4 §5.3.2.1


def spell(outgoing: Outgoing, options: SmppOptions) -> ShortMessage:
    """The ``submit_sm`` of one segment; its sequence number is the session's matter."""
    submission = outgoing.submission
    segment = submission.segments[outgoing.number - 1]
    tlvs: Tlvs = {}
    data_coding, octets = _user_data(segment, options.default_alphabet)
    if submission.flash and segment.coding is not Coding.DATA:
        if segment.coding is Coding.TEXT and not options.default_alphabet.startswith("gsm"):
            # Class 0 in data_coding would say that the octets are GSM 03.38, which they are not.
            tlvs[Tag.DEST_ADDR_SUBUNIT] = _DISPLAY
        else:
            data_coding |= _CLASS_0
    octets = segment.udh + octets
    if options.payload == "message_payload" or len(octets) > SHORT_MESSAGE_CAP:
        tlvs[Tag.MESSAGE_PAYLOAD] = octets  # SMPP 3.4 §5.3.2.32: instead of short_message, never beside it
        octets = b""
    ton, npi = source_type(submission.sender)
    return ShortMessage(
        SUBMIT_SM,
        service_type=options.service_type,
        source_ton=ton if options.source_ton is None else options.source_ton,
        source_npi=npi if options.source_npi is None else options.source_npi,
        source_addr=submission.sender,
        dest_ton=options.dest_ton,
        dest_npi=options.dest_npi,
        dest_addr=submission.recipient,
        esm_class=ESM_CLASS_UDHI if segment.udh else 0,
        validity_period="" if submission.validity_s is None else relative_validity(submission.validity_s),
        registered_delivery=_RECEIPT_ON_ANY_OUTCOME,
        data_coding=data_coding,
        short_message=octets,
        tlvs=tlvs or None,
    )


def source_type(sender: str) -> tuple[int, int]:
    """Type of number and numbering plan by the form of a sender; an empty one is the SMSC's own."""
    if not sender:
        return _NONE
    if not sender.isdecimal():
        return _ALPHANUMERIC
    return _NETWORK_SPECIFIC if len(sender) <= LONGEST_SHORT_CODE else _INTERNATIONAL


def _user_data(segment: Segment, alphabet: str) -> tuple[int, bytes]:
    if segment.coding is Coding.DATA:
        return _DATA, segment.data
    if segment.coding is Coding.UNICODE:
        return spell_unicode(segment.text)
    return spell_text(segment.text, alphabet, segment.udh)
