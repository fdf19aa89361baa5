"""From a customer's text to the segments that go out, by the four values of the MX parameter ``split``.

Promises: no segment is longer than one network message holds, no escape pair or surrogate pair is broken, and
the text of a segment is the customer's own (a link spells it). Lengths are counted as they go out: septets,
nearest spellings included, for text, 16-bit units for Unicode, octets for data.

What goes wrong: too long for its ``split`` is a ``Refusal`` that names the length and the limit.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from homing.model.errors import Refusal
from homing.model.message import Coding, Segment
from homing.wire.gsm import count_septets, is_gsm

_JOINT: Final = "..."
_OCTETS: Final = 140  # TS 23.040 §9.2.3.24


class _Split(NamedTuple):
    parts: int
    header: bool = False
    joint: str = ""


_SPLITS: Final = {
    0: _Split(1),
    1: _Split(5, joint=_JOINT),
    2: _Split(4, header=True),
    3: _Split(5),
}


class _Measure(NamedTuple):
    """How long a text is, and how much of it one message holds alone and beside a concatenation header."""

    coding: Coding
    unit: str
    whole: int
    beside_header: int
    length: Callable[[str], int]


def _count_units(text: str) -> int:
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


_TEXT: Final = _Measure(Coding.TEXT, "septets", 160, 153, count_septets)
_UNICODE: Final = _Measure(Coding.UNICODE, "16-bit units", 70, 67, _count_units)
_SHORT: Final = 80
"""Characters of ASCII that fit one message whatever they are: none takes more than an escape and a code."""


def segment_text(text: str, *, split: int, reference: int) -> tuple[Segment, ...]:
    """Segments of GSM text; ``reference`` tells this text from others in the header of ``split`` 2."""
    way = _way(split)
    if len(text) <= _SHORT and text.isascii():
        return (Segment(coding=Coding.TEXT, text=text),)
    return _segment(_TEXT, text, way, f" with split={split}", reference)


def segment_unicode(text: str, *, split: int, reference: int) -> tuple[Segment, ...]:
    """The same in UTF-16, with 70 units in a message."""
    return _segment(_UNICODE, text, _way(split), f" with split={split}", reference)


def segment_any(text: str, *, reference: int, parts: int = 10) -> tuple[Segment, ...]:
    """Segments of a text in the GSM alphabet where it has all of it, else in UTF-16; joined by a header."""
    measure = _TEXT if is_gsm(text) else _UNICODE
    return _segment(measure, text, _Split(parts, header=True), "", reference)


def segment_data(data: bytes, udh: bytes = b"") -> tuple[Segment, ...]:
    """The one segment of data with the customer's own header."""
    length = len(udh) + len(data)
    if length > _OCTETS:
        raise Refusal("too_long", f"the data has {length} octets with its header, the limit is {_OCTETS}")
    return (Segment(coding=Coding.DATA, data=data, udh=udh),)


def segment_with_header(text: str, udh: bytes) -> tuple[Segment, ...]:
    """The one segment of GSM text with the customer's own header: a part that the customer made."""
    limit = max(0, (_OCTETS - len(udh)) * 8 // 7)
    length = count_septets(text)
    if length > limit or len(udh) > _OCTETS:
        raise Refusal(
            "too_long",
            f"the text has {length} septets beside a header of {len(udh)} octets, the limit is {limit}",
        )
    return (Segment(coding=Coding.TEXT, text=text, udh=udh),)


def _way(split: int) -> _Split:
    way = _SPLITS.get(split)
    if way is None:
        raise Refusal("invalid", f"split is {split}, it must be 0, 1, 2 or 3")
    return way


def _segment(measure: _Measure, text: str, way: _Split, chosen: str, reference: int) -> tuple[Segment, ...]:
    length = measure.length(text)
    if length <= measure.whole:
        return (Segment(coding=measure.coding, text=text),)
    part = measure.beside_header if way.header else measure.whole - len(way.joint)
    last = part + len(way.joint)
    limit = part * (way.parts - 1) + last
    pieces = list(_cut(measure, text, part, last)) if length <= limit else []
    if not 0 < len(pieces) <= way.parts:  # unbroken pairs can cost a little more room than the sum says
        raise Refusal(
            "too_long",
            f"the text has {length} {measure.unit}, the limit{chosen} is {limit}"
            f" in {way.parts} message{'s' if way.parts > 1 else ''}",
        )
    return tuple(
        Segment(
            coding=measure.coding,
            text=piece + way.joint if number < len(pieces) else piece,
            # TS 23.040 §9.2.3.24.1
            udh=bytes((5, 0, 3, reference & 0xFF, len(pieces), number)) if way.header else b"",
        )
        for number, piece in enumerate(pieces, 1)
    )


def _cut(measure: _Measure, text: str, part: int, last: int) -> Iterator[str]:
    """Pieces of at most ``part``; the last one may be as long as ``last``: no joint follows it."""
    lengths = [measure.length(character) for character in text]
    remaining = sum(lengths)
    start = 0
    while remaining > last:
        end, taken = start, 0
        while taken + lengths[end] <= part:
            taken += lengths[end]
            end += 1
        yield text[start:end]
        start = end
        remaining -= taken
    yield text[start:]
