"""What the simulator sends: receipts in the forms that real networks write, and what phones write.

Everything here is a value made of values. Goes wrong: only what no phone can send, a ``ValueError``.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from homing.links.simulator_fates import Form, Spelling
from homing.links.smpp_spelling import source_type
from homing.model.errors import Refusal
from homing.model.message import Coding, Segment
from homing.model.report import STATES
from homing.wire.gsm import decode_user_data, spell_text, spell_unicode, split_user_data
from homing.wire.segmentation import segment_any
from homing.wire.smpp_codes import DATA_SM, DELIVER_SM, Tag
from homing.wire.smpp_pdu import encode_message
from homing.wire.smpp_tlv import Tlvs
from homing.wire.smpp_values import ESM_CLASS_RECEIPT, ESM_CLASS_UDHI, ShortMessage

Written = tuple[bytes, int, Tlvs | None, int]
"""Octets of the text, data_coding, TLVs, and the command that carries them."""

_MOST_PARTS: Final = 255  # TS 23.040 §9.2.3.24.1
_UUID: Final = 0x5E1E6B0D_3F2C_4A6E << 64
"""The first half of ids that are UUIDs; the number is the other."""
_MINUTES: Final = "%y%m%d%H%M"
_SECONDS: Final = "%y%m%d%H%M%S"
_STATE_OF: Final = {word: number for number, (words, _status, _reason) in STATES.items() for word in words}


def spell_id(number: int, spelling: Spelling) -> str:
    """A message id as the network writes it."""
    match spelling:
        case "hex":
            return f"{number:X}"
        case "lower_hex":
            return f"{number:x}"
        case "padded":
            return f"{number:020d}"
        case "uuid":
            return str(UUID(int=_UUID | number))
        case "decimal":
            return str(number)


def receipt(
    form: Form, id_: str, number: int, word: str, submitted: ShortMessage, now_ms: int
) -> ShortMessage:
    """A receipt about a submission, from its recipient to its sender."""
    octets, data_coding, tlvs, command_id = _WRITERS[form](id_, number, word, now_ms)
    return ShortMessage(
        command_id,
        source_ton=submitted.dest_ton,
        source_npi=submitted.dest_npi,
        source_addr=submitted.dest_addr,
        dest_ton=submitted.source_ton,
        dest_npi=submitted.source_npi,
        dest_addr=submitted.source_addr,
        esm_class=ESM_CLASS_RECEIPT,
        data_coding=data_coding,
        short_message=octets,
        tlvs=tlvs,
    )


def from_phone(sender: str, recipient: str, text: str, reference: int) -> list[ShortMessage]:
    """A text as a phone sends it: in one part, or in several joined by a header.

    ``ValueError`` when it cannot be sent: it is too long, or a number is no number.
    """
    try:
        segments = segment_any(text, reference=reference, parts=_MOST_PARTS)
    except Refusal as refusal:
        raise ValueError(str(refusal)) from refusal
    parts = [_part(sender, recipient, segment) for segment in segments]
    encode_message(parts[0], 1)
    return parts


def text_of(message: ShortMessage) -> str:
    """What a submission says, as the phone shows it; data in hexadecimal."""
    udh, octets = split_user_data(message.octets, message.has_udh)
    coding, text, data = decode_user_data(
        data_coding=message.data_coding, octets=octets, udh=udh, alphabet="gsm"
    )
    return data.hex().upper() if coding is Coding.DATA else text


def _part(sender: str, recipient: str, segment: Segment) -> ShortMessage:
    if segment.coding is Coding.UNICODE:
        data_coding, octets = spell_unicode(segment.text)
    else:
        data_coding, octets = spell_text(segment.text, "gsm", segment.udh)
    ton, npi = source_type(sender)
    return ShortMessage(
        DELIVER_SM,
        source_ton=ton,
        source_npi=npi,
        source_addr=sender,
        dest_addr=recipient,
        esm_class=ESM_CLASS_UDHI if segment.udh else 0,
        data_coding=data_coding,
        short_message=segment.udh + octets,
    )


def _date(now_ms: int, form: str) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime(form)


def _err(word: str) -> str:
    return "000" if word in ("DELIVRD", "ENROUTE", "ACCEPTD") else "011"


def _suggested(
    id_: str,
    word: str,
    now_ms: int,
    *,
    text: str = "text:",
    err: str = "",
    dates: tuple[str, str] = (_MINUTES, _MINUTES),
) -> str:
    # SMPP 3.4 Appendix B
    submitted, done = (_date(now_ms, form) for form in dates)
    delivered = "001" if word == "DELIVRD" else "000"
    return (
        f"id:{id_} sub:001 dlvrd:{delivered} submit date:{submitted} done date:{done} "
        f"stat:{word} err:{err or _err(word)} {text}"
    )


def _plain(text: str) -> Written:
    return text.encode("latin-1"), 0, None, DELIVER_SM


def _spec(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms))


def _text_key(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, text="Text:Hello"))


def _short(id_: str, _number: int, word: str, now_ms: int) -> Written:
    date = _date(now_ms, "%Y%m%d%H%M%S")
    return _plain(f"id:{id_} submit date:{date} done date:{date} stat:{word} err:0")


def _hex_err(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, err="21b"))


def _prefixed(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(f"447700900000Alert^{_suggested(id_, word, now_ms)}")


def _minimal(id_: str, _number: int, word: str, _now_ms: int) -> Written:
    return _plain(f"id:{id_} stat:{word} text:")


def _no_text(id_: str, _number: int, word: str, now_ms: int) -> Written:
    date = _date(now_ms, _MINUTES)
    return _plain(f"id:{id_} submit date:{date} done date:{date} stat:{word}")


def _seconds(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, dates=(_SECONDS, _SECONDS)))


def _surrounded(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(f"44770090000060999?{_suggested(id_, word, now_ms, text='Text:abc')}'!{id_}")


def _zero_date(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, text="Text:", err="002", dates=(_MINUTES, "0000000000")))


def _long_err(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, err="0032"))


def _mixed_dates(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, err="00B", dates=(_MINUTES, _SECONDS)))


def _odd_octets(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _plain(_suggested(id_, word, now_ms, text="text:\xff\x80\x1b\xfe"))


def _tlvs(id_: str, word: str) -> dict[int, bytes]:
    return {
        int(Tag.RECEIPTED_MESSAGE_ID): id_.encode("ascii") + b"\0",
        int(Tag.MESSAGE_STATE): bytes([_STATE_OF.get(word, 7)]),
    }


def _tlv_only(id_: str, _number: int, word: str, _now_ms: int) -> Written:
    return b"", 0, _tlvs(id_, word), DATA_SM


def _bare(id_: str, _number: int, word: str, _now_ms: int) -> Written:
    return f"{id_} {_STATE_OF.get(word, 7)}".encode("ascii"), 0, _tlvs(id_, word), DELIVER_SM


def _payload(id_: str, number: int, word: str, now_ms: int) -> Written:
    tlvs = _tlvs(f"{number:x}", word)
    tlvs[int(Tag.MESSAGE_PAYLOAD)] = _suggested(id_, word, now_ms).encode("latin-1") + b"\0"
    return b"", 0, tlvs, DELIVER_SM


def _ucs2(id_: str, _number: int, word: str, now_ms: int) -> Written:
    return _suggested(id_, word, now_ms).encode("utf-16-be"), 8, None, DELIVER_SM


_WRITERS: Final[Mapping[Form, Callable[[str, int, str, int], Written]]] = {
    "spec": _spec,
    "text_key": _text_key,
    "short": _short,
    "hex_err": _hex_err,
    "prefixed": _prefixed,
    "minimal": _minimal,
    "no_text": _no_text,
    "tlv_only": _tlv_only,
    "bare": _bare,
    "payload": _payload,
    "ucs2": _ucs2,
    "seconds": _seconds,
    "surrounded": _surrounded,
    "zero_date": _zero_date,
    "long_err": _long_err,
    "mixed_dates": _mixed_dates,
    "odd_octets": _odd_octets,
}
