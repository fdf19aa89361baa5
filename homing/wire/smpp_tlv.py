"""The optional parameters (TLVs) that end many SMPP 3.4 PDUs. SMPP 3.4 §3.2.4

Promises: every tag is kept, known or not, allowed in that PDU or not; nothing here raises on what
was received. Of a tag that comes twice the last value is kept.
"""

import struct
from collections.abc import Mapping
from typing import Final

Tlvs = dict[int, bytes]

_TLV: Final = struct.Struct(">HH")


def read_tlvs(buffer: bytes, at: int, end: int) -> Tlvs | None:
    """Every TLV of any tag (SMPP 3.4 §3.3); of one that is cut short, what there is of it."""
    tlvs: Tlvs = {}
    tag = -1
    while at + 4 <= end:
        previous = tag
        tag, length = _TLV.unpack_from(buffer, at)
        if at + 4 + length > end:
            # Some count a NUL that they do not send, or send one that they do not count.
            # SMPP 3.4 §5.3.2.12
            if _fits(buffer, at + 1, end):
                at += 1
            elif previous >= 0 and tlvs[previous] and _fits(buffer, at - 1, end):
                tlvs[previous] = tlvs[previous][:-1]
                at -= 1
            elif at + 4 == end:
                break
            else:
                tlvs[tag] = buffer[at + 4 : end]
                break
            tag, length = _TLV.unpack_from(buffer, at)
        tlvs[tag] = buffer[at + 4 : at + 4 + length]
        at += 4 + length
    return tlvs or None


def _fits(buffer: bytes, at: int, end: int) -> bool:
    """Whether one or more whole TLVs fill the octets up to ``end`` exactly."""
    if at >= end:
        return False
    while at + 4 <= end:
        at += 4 + _TLV.unpack_from(buffer, at)[1]
    return at == end


def encode_tlvs(tlvs: Tlvs | None) -> bytes:
    if not tlvs:
        return b""
    return b"".join(_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items())


def tlv_integer(tlvs: Mapping[int, bytes] | None, tag: int) -> int | None:
    """The value of an integer TLV of any length; None when it is missing or empty."""
    value = tlvs.get(tag) if tlvs else None
    return int.from_bytes(value, "big") if value else None


def tlv_text(tlvs: Mapping[int, bytes] | None, tag: int) -> str | None:
    """The value of a string TLV up to its NUL, if it has one; None when it is missing or says ``(null)``."""
    value = tlvs.get(tag) if tlvs else None
    if value is None:
        return None
    text = value.partition(b"\0")[0].decode("latin-1")
    return None if text == "(null)" else text  # what a C program prints for a string that it does not have
