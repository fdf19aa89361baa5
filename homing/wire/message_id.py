"""Message ids of a link in all their spellings.

A network names one message in more than one way: ``812FC7470000001B`` in the answer to the
submission and ``9308878062554710043`` in the receipt are one number. ``canonical`` gives the one
key under which a segment is stored; ``candidates`` gives every key under which the message that a
receipt names may be stored, the likeliest first. Both are total. What is no number, or longer
than SMPP allows an id to be, is only used as it is.
"""

import re
from enum import StrEnum

_BLANKS = " \t\r\n\v\f\0"
_LEADING = "0" + _BLANKS
_LONGEST = 65  # SMPP 3.4 §5.2.23
_DECIMAL = re.compile(r"[0-9]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]+")


class Spelling(StrEnum):
    """How the id of a receipt has to be read to find the id of the submission's answer."""

    same = "same"
    decimal_to_hex = "decimal_to_hex"
    hex_to_decimal = "hex_to_decimal"


def canonical(id_: str) -> str:
    """The key an id is stored and looked up by: without case, leading zeros, blanks and NULs around it.

    An id of zeros alone is ``0``; the empty id stays empty, and names no message.
    """
    stripped = id_.strip(_BLANKS)
    return stripped.casefold().lstrip(_LEADING) or stripped[:1]


def candidates(id_: str) -> tuple[tuple[str, Spelling], ...]:
    """Every canonical key that may name the same message, in the order in which to try them."""
    key = canonical(id_)
    if not key:
        return ()
    found = [(key, Spelling.same)]
    if len(key) <= _LONGEST:
        # Python's integers have no size, and ids beyond 63 bits are real.
        if _DECIMAL.fullmatch(key):
            found.append((f"{int(key):x}", Spelling.decimal_to_hex))
        if _HEXADECIMAL.fullmatch(key):
            found.append((str(int(key, 16)), Spelling.hex_to_decimal))
    if len(found) == 3 and len(key) == 1:
        return tuple(found[:1])  # one digit is spelled alike in both bases
    return tuple(found)
