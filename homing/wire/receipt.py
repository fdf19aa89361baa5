"""Delivery receipts as real networks write them: octets and TLVs in, a ``Receipt`` out.

SMPP only suggests a text, and every vendor differs; so the text is split at the key names that are
known, in any order and case, with anything before the first and nothing needed after the last.
Nothing here raises, on any octets: what cannot be read is left empty, and a status that is not
understood is UNKNOWN with its word kept.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from homing.model.report import STATES, WORDS, Receipt, Status, read_state, read_word

_RECEIPT_BITS = 0x3C  # SMPP 3.4 §5.2.12: message type; networks set the other bits as well
_RECEIPTED_MESSAGE_ID = 0x001E  # SMPP 3.4 §5.3.2.12
_NETWORK_ERROR_CODE = 0x0423  # SMPP 3.4 §5.3.2.31
_MESSAGE_STATE = 0x0427  # SMPP 3.4 §5.3.2.35

_LONGEST_TEXT = 4096
"""Octets of a text that are read; ``message_payload`` may hold more, a receipt's keys never do."""
_LONGEST_ID = 254
_LONGEST_WORD = 64
_LONGEST_DATE = 32

_BLANKS = " \t\r\n\v\f\0"
_MARKS = _BLANKS + "\"',;"
"""What may stand around a value and is no part of it."""


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


# Each branch opens with a letter, so that the search skips what cannot open a key: half the time of
# the same with IGNORECASE. The longer keys are so distinct that a value may run into them without a blank.
_KEY = re.compile(
    "("
    + "|".join(
        (
            *(
                f"[{key[0]}{key[0].upper()}](?<![A-Za-z_].){_any_case(key[1:])}"
                for key in ("id", "sub", "text")
            ),
            *(_any_case(key) for key in ("dlvrd", "err")),
            f"{_any_case('stat')}(?:{_any_case('us')})?",
            *(f"{_any_case(key)}[\\s_]*{_any_case('date')}" for key in ("submit", "done")),
        )
    )
    + r")[ \t]*:"
)
_USUAL = re.compile(
    rb"id:([0-9A-Za-z-]{1,65}) sub:[0-9]{1,9} dlvrd:[0-9]{1,9} submit date:[0-9]{1,14}"
    rb" done date:([0-9]{10,14}) stat:([A-Za-z]{1,20}) err:([0-9A-Za-z]{1,20}) [tT]ext:[^\0]*"
)
"""The form of SMPP 3.4 Appendix B: every key stands before the words of a person, so these say nothing."""
_BARE = re.compile(r"[\s\0]*([0-9A-Za-z-]{4,65})[\s\0]+([0-9]{1,3})[\s\0]*")

_GLUED_ID = re.compile(r"[iI][dD][ \t]*:[ \t]*([^\s\0:]+)")
"""The id of a text in which letters stand right before its key; looked for only when there is no other."""

_COLON = ord(":")

# In these, the text is folded to lower case.
_ID_FORM = re.compile(rb"(?<![a-z0-9_])id:[^\s\0:]")
_STAT_FORM = re.compile(rb"(?<![a-z0-9_])stat:[\"']?([a-z0-9_]+)(?![^\s\0\"',;.])")
_AFTER_STAT = re.compile(
    rb"[\s\0\"',;]*(?:$|(?:id|sub|dlvrd|submit[\s_]*date|done[\s_]*date|err|text)[ \t]*:)"
)
_STAT_WORDS = frozenset(word.lower().encode() for word in WORDS)

# Some networks put blanks after the colons, or write the first key at once after the words before it:
# no person does, and names one of these keys as well.
_LOOSE_ID_FORM = re.compile(rb"id[ \t]*:[ \t]*[^\s\0:]")
_LOOSE_STAT_FORM = re.compile(rb"stat(?:us)?[ \t]*:[ \t\"']*(?:" + b"|".join(sorted(_STAT_WORDS)) + b")")
_NO_PERSONS_KEY = re.compile(rb"(?:dlvrd|err|(?:submit|done)[\s_]*date)[ \t]*:")

_GSM_AT = re.compile(r"(?<=[0-9A-Za-z])\0(?=[0-9A-Za-z])")  # TS 23.038 §6.2.1; other zeros are padding
_UNDERSCORE = bytes.maketrans(b"\x11", b"_")  # TS 23.038 §6.2.1; the octet is in no other alphabet


def is_receipt(esm_class: int, tlvs: Mapping[int, bytes] | None, octets: bytes) -> bool:
    """Whether a ``deliver_sm`` or ``data_sm`` is a receipt, and so no message for a customer.

    It is by the bits of its ``esm_class``, by its TLV, or by a text with both an ``id`` and a
    ``stat`` key in the form of a receipt: each with its value at once, and a status that the table
    knows, or one that ends the text or comes before another key. ``YES to id: 55`` is a message.
    Beside one of a receipt's other keys the form may be looser.
    """
    if esm_class & _RECEIPT_BITS or (tlvs and _RECEIPTED_MESSAGE_ID in tlvs):
        return True
    if _COLON not in octets:
        return False
    folded = octets.lower()
    if b"stat" in folded or (0 in folded and b"s\0t\0a\0t" in folded):
        return _has_receipt_form(folded)
    return False


def _has_receipt_form(folded: bytes) -> bool:
    plain = _plain(folded)
    if _ID_FORM.search(plain) is not None and any(
        stat[1] in _STAT_WORDS or _AFTER_STAT.match(plain, stat.end()) is not None
        for stat in _STAT_FORM.finditer(plain)
    ):
        return True
    return (
        _NO_PERSONS_KEY.search(plain) is not None
        and _LOOSE_ID_FORM.search(plain) is not None
        and _LOOSE_STAT_FORM.search(plain) is not None
    )


def read_receipt(
    *,
    octets: bytes,
    data_coding: int,
    alphabet: str,
    tlvs: Mapping[int, bytes] | None,
    source_addr: str,
    status_overrides: Mapping[str, Status],
    zone: ZoneInfo | timezone,
) -> Receipt:
    """What a receipt says. A TLV wins over the text where both can be read.

    ``octets`` are the text (``short_message`` or ``message_payload``, with or without a user data header);
    ``alphabet`` is the link's for ``data_coding`` 0, ``zone`` that of its dates.
    """
    usual = _USUAL.fullmatch(octets)
    if usual is not None:
        id_, done_date, stat, code = usual.groups()
        text = ""
        values = {"id": id_.decode(), "done": done_date.decode(), "stat": stat.decode(), "err": code.decode()}
    else:
        text = _text(octets, data_coding, alphabet)
        values = _values(text)
    if not values and (bare := _BARE.fullmatch(text)) is not None:
        values = {"id": bare[1], "stat": bare[2]}  # Sicap MMG: the data are in the TLVs
    elif values and "id" not in values and (glued := _GLUED_ID.search(text)) is not None:
        values["id"] = glued[1]
    text_id = _first_word(values.get("id", ""))[:_LONGEST_ID]
    ids = (text_id,) if _is_readable(text_id) else ()
    word = _first_word(values.get("stat", ""))[:_LONGEST_WORD].rstrip(".")
    err = _first_word(values.get("err", ""))[:_LONGEST_WORD]
    state: int | None = None
    if tlvs:
        tlv_id = tlvs.get(_RECEIPTED_MESSAGE_ID, b"").decode("latin-1").strip(_BLANKS)[:_LONGEST_ID]
        if _is_readable(tlv_id) and tlv_id != text_id:
            ids = (tlv_id, *ids)
        err = _network_error(tlvs.get(_NETWORK_ERROR_CODE, b""), err)
        state = _state(tlvs.get(_MESSAGE_STATE, b""), word, status_overrides)
    if state is None:
        status, reason = read_word(word, status_overrides)
    else:
        word = f"state {state}"
        status, reason = read_state(state, status_overrides)
    done = values.get("done")
    return Receipt(
        message_ids=ids,
        status=status,
        word=word,
        reason=reason,
        err=err,
        done_at_ms=_at_ms(done[:_LONGEST_DATE], zone) if done else None,
        recipient=_number(source_addr),
        raw=octets,
    )


def _plain(octets: bytes) -> bytes:
    """The text as octets of ASCII, whatever it was written in.

    UCS-2 is known by its zeros, not by what the ``data_coding`` claims. All that is looked for is
    ASCII, so UCS-2 of either byte order, even shifted by a stray octet, is read by leaving them out.
    """
    octets = octets[:_LONGEST_TEXT].translate(_UNDERSCORE)
    if 0 in octets:
        inner = octets.strip(b"\0")
        folded = inner.lower()
        if inner.count(0) * 4 >= len(inner) or b"i\0d\0:" in folded or b"t\0a\0t\0:" in folded:
            return octets.replace(b"\0", b"")
    return octets


def _text(octets: bytes, data_coding: int, alphabet: str) -> str:
    text = _plain(octets).decode("latin-1")
    if "\0" in text and data_coding == 0 and alphabet == "gsm":
        return _GSM_AT.sub("@", text)
    return text


def _values(text: str) -> dict[str, str]:
    """The value of each key, by the first four letters of its name.

    The first of two wins, and a key before ``text`` wins over any after it, which may be the words
    of a person; among those after it the last wins.
    """
    pieces = _KEY.split(text)
    values: dict[str, str] = {}
    later: dict[str, str] = {}
    inside_text = False
    for at in range(1, len(pieces), 2):
        name = pieces[at][:4].lower()
        if name == "text":
            inside_text = True
        elif inside_text:
            if pieces[at - 1][-1:].isalnum():
                continue  # the end of somebody's word
            later[name] = pieces[at + 1].strip(_MARKS)
        elif name not in values:
            values[name] = pieces[at + 1].strip(_MARKS)
    return later | values if later else values


def _first_word(value: str) -> str:
    """The first of several words; without what no word of a network holds, and no store takes."""
    if value.isalnum():
        return value
    words = value.replace("\0", " ").split(None, 1)
    return words[0].strip(_MARKS) if words else ""


def _is_readable(id_: str) -> bool:
    return bool(id_) and id_.isprintable() and id_.lower() not in ("(null)", "null")


def _network_error(octets: bytes, err: str) -> str:
    if len(octets) != 3 or (err and not 1 <= octets[0] <= 8):  # SMPP 3.4 §5.3.2.31; 4 to 8: version 5
        return err
    return f"{octets[0]}:{octets[1]:02X}{octets[2]:02X}"


def _state(octets: bytes, word: str, status_overrides: Mapping[str, Status]) -> int | None:
    """The number of a ``message_state`` that says something; one that says nothing only when no word does."""
    if not 1 <= len(octets) <= 4:
        return None
    state = int.from_bytes(octets, "big")
    if state in STATES or not word or str(state) in status_overrides:
        return state
    return None


def _number(address: str) -> str:
    if address.isdigit() and address[:2] != "00":
        return address
    address = address.strip(_BLANKS)
    return address[2:] if address.startswith("00") else address.lstrip("+")


# --- dates ---

_DATE = re.compile(
    r"([0-9]{10}(?:[0-9]{2}){0,2}) ?"
    r"(?:(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?(?![^\s\0\"',;])",
    re.ASCII | re.IGNORECASE,
)
# SMPP 3.4 §7.1.1: [tenths of a second,] quarter hours, and the sign last
_SMPP_DATE = re.compile(r"([0-9]{10}(?:[0-9]{2}){0,2}) ?[0-9]?([0-9]{2})([+-])(?![^\s\0\"',;])", re.ASCII)


@lru_cache(maxsize=4096)
def _at_ms(date: str, zone: ZoneInfo | timezone) -> int | None:
    """A date in milliseconds since the epoch, whatever stands after it; None for zeros and nonsense."""
    try:
        if (match := _SMPP_DATE.match(date)) is not None:
            digits, quarters, sign = match.groups()
            zone = timezone(timedelta(minutes=15 * int(sign + quarters)))
        elif (match := _DATE.match(date)) is not None:
            digits = match[1]
            if match["utc"]:
                zone = UTC
            elif match["sign"]:
                minutes = 60 * int(match["hours"]) + int(match["minutes"] or 0)
                zone = timezone(timedelta(minutes=int(f"{match['sign']}{minutes}")))
        else:
            return None
        at_ms = int(_moment(digits, zone).timestamp()) * 1000
    except (ValueError, OverflowError):
        return None
    return at_ms if at_ms >= 0 else None


def _moment(digits: str, zone: ZoneInfo | timezone) -> datetime:
    """10 digits are YYMMDDhhmm, 12 YYMMDDhhmmss, or YYYYMMDDhhmm when no date can be meant by the former."""
    if len(digits) == 14:
        return _datetime(int(digits[:4]), digits[4:], zone)
    # SMPP 3.4 Appendix C: the century turns at xx38
    year = int(digits[:2])
    year += 2000 if year < 38 else 1900
    try:
        return _datetime(year, digits[2:], zone)
    except ValueError:
        if len(digits) == 10:
            raise
        return _datetime(int(digits[:4]), digits[4:], zone)


def _datetime(year: int, rest: str, zone: ZoneInfo | timezone) -> datetime:
    month, day, hour, minute = int(rest[:2]), int(rest[2:4]), int(rest[4:6]), int(rest[6:8])
    return datetime(year, month, day, hour, minute, int(rest[8:] or 0), tzinfo=zone)
