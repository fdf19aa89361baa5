"""The content kinds of ``SMSSend``: from parameters to the segments that go out. Pure.

| parameters | content |
|---|---|
| ``smsmsg`` | text in ISO-8859-15; the links spell what their alphabet lacks by its nearest character |
| ``smsmsg`` with ``smsudh`` or ``bits=8`` | data, both hex |
| ``smsia5`` | text as GSM 03.38 octets, one per character |
| ``smsucs2`` | Unicode text, hex, four digits per 16-bit unit |
| ``smsia5`` or ``smsucs2`` with ``smsudh`` | one part of a text that the customer cut himself |

What goes wrong is a ``Refusal``: no content or more than one, unreadable hex, a header whose length octet is
wrong, too long.
"""

from binascii import unhexlify
from collections.abc import Mapping
from typing import Final

from homing.api.form_parameters import number, shown, text
from homing.model.errors import Refusal
from homing.model.message import Coding, Segment
from homing.wire.gsm import decode_gsm
from homing.wire.segmentation import segment_data, segment_text, segment_unicode, segment_with_header

DEFAULT_SPLIT: Final = 2
"""A long text arrives whole on every phone of this century; nothing is refused that need not be."""

_DATA_BITS: Final = b"8"
"""The marker of data without a header, the same word as in the push of a received message (mx §4)."""

_KINDS: Final = ("smsmsg", "smsia5", "smsucs2")
_UNSUPPORTED: Final = ("vcard_data", "push_action", "otatype", "mms_messagelocation")
_OTHERS: Final = frozenset(_KINDS[1:] + _UNSUPPORTED)
_OCTETS: Final = 140  # TS 23.040 §9.2.3.24


def read_content(parameters: Mapping[str, bytes], reference: int) -> tuple[Segment, ...]:
    """The segments of a request; ``reference`` tells this text from others when it is split."""
    kind = _kind(parameters)
    split = number(parameters, "split")
    if split is None:
        split = DEFAULT_SPLIT
    if split > 3:
        raise Refusal("invalid", "split must be 0, 1, 2 or 3")
    udh = _header(parameters)
    if kind == "smsmsg":
        if udh or parameters.get("bits", b"").strip() == _DATA_BITS:
            return segment_data(_hex(parameters, "smsmsg"), udh)
        return segment_text(text(parameters, "smsmsg"), split=split, reference=reference)
    if kind == "smsia5":
        written = decode_gsm(parameters["smsia5"])
        if udh:
            return segment_with_header(written, udh)
        return segment_text(written, split=split, reference=reference)
    units = _hex(parameters, "smsucs2")
    if len(units) % 2:
        raise Refusal("invalid", "smsucs2 is not made of units of four hex digits")
    if udh:
        if len(udh) + len(units) > _OCTETS:
            raise Refusal("too_long", f"smsucs2 has {len(units)} octets beside a header of {len(udh)}")
        return (Segment(coding=Coding.UNICODE, text=_unicode(units), udh=udh),)
    return segment_unicode(_unicode(units), split=split, reference=reference)


def _kind(parameters: Mapping[str, bytes]) -> str:
    if "smsmsg" in parameters and _OTHERS.isdisjoint(parameters):
        return "smsmsg"
    kinds = [kind for kind in _KINDS if kind in parameters]
    others = [kind for kind in _UNSUPPORTED if kind in parameters]
    if len(kinds) == 1 and not others:
        return kinds[0]
    if not kinds and others:
        raise Refusal("invalid", f"{others[0]} is not supported, send the message as smsmsg with smsudh")
    if not kinds:
        raise Refusal("invalid", "no content: one of smsmsg, smsia5 and smsucs2 is needed")
    raise Refusal("invalid", f"more than one content: {', '.join(kinds + others)}")


def _header(parameters: Mapping[str, bytes]) -> bytes:
    """The user data header with its length octet, or empty."""
    if "smsudh" not in parameters:
        return b""
    udh = _hex(parameters, "smsudh")
    if udh[0] != len(udh) - 1:  # TS 23.040 §9.2.3.24
        raise Refusal("invalid", f"smsudh says it has {udh[0]} octets, and {len(udh) - 1} follow")
    return udh


def _hex(parameters: Mapping[str, bytes], name: str) -> bytes:
    try:
        octets = unhexlify(parameters[name].strip())
    except ValueError:
        octets = b""
    if not octets:
        raise Refusal("invalid", f"{name} is not hex: {shown(parameters[name])}")
    return octets


def _unicode(units: bytes) -> str:
    # Half of a surrogate pair is no character of any text, and cannot be kept as one.
    return units.decode("utf-16-be", "replace")
