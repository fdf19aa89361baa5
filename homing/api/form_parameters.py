"""Form parameters as octets: from a query string or an urlencoded body, and one by one into values.

The reading is on octets, because a client's charset is not known before a parameter's name is. It never fails
on any octets: a broken escape stands for itself, unescaped octets are taken as they are. An empty parameter
counts as absent; of a repeated one, the first that is not empty counts.

What goes wrong is a ``Refusal`` that names the parameter.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from homing.model.clock import LARGEST_ID
from homing.model.errors import Refusal

CHARSET: Final = "iso8859-15"
"""Of every text (mx §2.3): each octet is a character, so nothing is unreadable."""

_MOST_PARAMETERS: Final = 1000
_NO: Final = frozenset({"0", "false", "no", "off"})
_LONGEST_NUMBER: Final = 15
_LONGEST_ID: Final = 19

Parameters = dict[str, bytes]


def read_parameters(*sources: bytes) -> Parameters:
    """The parameters of a query string and a body, in this order."""
    found: Parameters = {}
    for source in sources:
        # As characters, one for each octet: the names have to become some anyway.
        pairs = source.decode("latin-1").replace("+", " ").split("&", _MOST_PARAMETERS)
        if len(pairs) > _MOST_PARAMETERS:
            raise Refusal("invalid", f"more than {_MOST_PARAMETERS} parameters")
        for pair in pairs:
            name, _, value = pair.partition("=")
            if "%" in name:
                name = _unescaped(name).decode("latin-1")
            if value and name not in found:
                found[name] = _unescaped(value) if "%" in value else value.encode("latin-1")
    return found


def _unescaped(written: str) -> bytes:
    return unquote_to_bytes(written.encode("latin-1"))


def credential(parameters: Mapping[str, bytes], name: str) -> str:
    """A user name or password: UTF-8, as it was set, when it can be that, else the interface's charset."""
    return unicode_text(parameters, name)


def unicode_text(parameters: Mapping[str, bytes], name: str) -> str:
    """A text in UTF-8, or in the interface's charset when it cannot be that; empty when absent."""
    octets = parameters.get(name, b"")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(CHARSET)


def text(parameters: Mapping[str, bytes], name: str) -> str:
    """A text as written; empty when absent."""
    octets = parameters.get(name)
    if not octets:
        return ""
    return octets.decode("ascii" if octets.isascii() else CHARSET)  # the same, and a codec of C's


def line(parameters: Mapping[str, bytes], name: str) -> str:
    """A text for records: what is no character to be seen is dropped."""
    if name not in parameters:
        return ""
    return shown_only(text(parameters, name))


def shown_only(written: str) -> str:
    """What of a text is to be seen."""
    return written if written.isprintable() else "".join(filter(str.isprintable, written))


def number(parameters: Mapping[str, bytes], name: str) -> int | None:
    """A decimal number without sign; None when absent."""
    octets = parameters.get(name)
    if octets is None:
        return None
    digits = octets.strip()
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        raise Refusal("invalid", f"{name} is not a number: {shown(octets)}")
    return int(digits)


def event_id(parameters: Mapping[str, bytes], name: str) -> int:
    """The id of an event, which is needed."""
    octets = parameters.get(name)
    if octets is None:
        raise Refusal("invalid", f"{name} is missing")
    digits = octets.strip()
    if not digits.isdigit() or len(digits) > _LONGEST_ID or int(digits) > LARGEST_ID:
        raise Refusal("invalid", f"{name} is not an id: {shown(octets)}")
    return int(digits)


def flag(parameters: Mapping[str, bytes], name: str) -> bool:
    """Whether a flag is set: by any value but those that say no."""
    return name in parameters and text(parameters, name).strip().lower() not in _NO


def shown(octets: bytes) -> str:
    """The beginning of a wrong value as it may stand in an answer."""
    return repr(octets[:32].decode("latin-1"))
