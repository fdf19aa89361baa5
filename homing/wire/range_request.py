"""What a request says of the representation that it asks for: which range of it, and under which conditions.

RFC 9110 §13, §14, for representations with a strong entity tag and no date. One range is heeded; several, and
what cannot be read, are as if there were none, which the RFC allows. Nothing here fails on any octets.
"""

import re
from typing import Final, Literal, NamedTuple

_RANGE: Final = re.compile(rb"[ \t,]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t,]*")
_TAG: Final = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')  # RFC 9110 §8.8.3
_DIGITS: Final = 18
"""More than any position has."""

Outcome = Literal["whole", "part", "unsatisfiable", "not_modified", "precondition_failed"]


class Conditions(NamedTuple):
    """The fields of a request, as they came; several of one name joined by commas. None = not there."""

    range: bytes | None = None
    if_range: bytes | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None


class Choice(NamedTuple):
    """What is answered."""

    outcome: Outcome
    first: int = 0
    end: int = 0
    """Behind the last octet."""


def choose(asked: Conditions, tag: bytes, size: int) -> Choice:
    """The answer to a GET. ``tag`` is the strong entity tag without its quotes."""  # RFC 9110 §13.2.2
    if asked.if_match is not None and not _names(asked.if_match, tag, is_strong=True):
        return Choice("precondition_failed")
    if asked.if_none_match is not None and _names(asked.if_none_match, tag, is_strong=False):
        return Choice("not_modified")
    if asked.range is None or not (asked.if_range is None or _is_tag(asked.if_range, tag)):
        return Choice("whole", 0, size)
    return read_range(asked.range, size)


def read_range(value: bytes, size: int) -> Choice:
    """The range that a ``Range`` field asks for."""  # RFC 9110 §14.1
    unit, _, ranges = value.partition(b"=")
    match = _RANGE.fullmatch(ranges)
    if unit.strip().lower() != b"bytes" or match is None:
        return Choice("whole", 0, size)
    if match[3] is not None:  # RFC 9110 §14.1.2: the last so many
        length = min(_number(match[3]), size)
        if size == 0 and _number(match[3]):
            return Choice("whole", 0, 0)  # satisfiable, yet no Content-Range can say so
        return Choice("part", size - length, size) if length else Choice("unsatisfiable")
    first, last = _number(match[1]), _number(match[2]) if match[2] else size
    if match[2] and last < first:
        return Choice("whole", 0, size)  # RFC 9110 §14.1.1: invalid
    return Choice("part", first, min(last + 1, size)) if first < size else Choice("unsatisfiable")


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS


def _is_tag(value: bytes, tag: bytes) -> bool:
    """Whether ``If-Range`` names this tag, strongly; there is no date to name. RFC 9110 §13.1.5"""
    return value.strip() == b'"%s"' % tag


def _names(value: bytes, tag: bytes, *, is_strong: bool) -> bool:
    """Whether a list of tags names this one. RFC 9110 §8.8.3.2"""
    if value.strip() == b"*":
        return True
    return any(found[2] == tag and not (is_strong and found[1]) for found in _TAG.finditer(value))
