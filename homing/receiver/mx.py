"""Reads pushes of the MX format: reports and received messages, from a query, a URL or a form.

Tolerant of any order, unknown parameters and empty values. A push that carries ``bits`` is a message,
whatever its text says: a phone that writes ``REPORT 1 DELIVERED`` makes no report. ``NotAPush`` when
the octets are neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

ANSWER = b"OK"
"""A body for the 200 that says "stored": it must hold at least one octet, or the push comes again."""

_REPORT = re.compile(r"REPORT +<?([0-9]{1,20})>? +<?([A-Z/]+)>?\s*")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


class NotAPush(ValueError):
    """What was received is neither a report nor a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPush:
    """What has become of a message that was sent."""

    id: int
    """Of this report: the same on every attempt. Drop repeats by it."""
    submission: int
    """The id that was answered when the message was sent."""
    status: str
    """``DELIVERED``, ``FAILED``, ``REJECTED``, ``BUFFERED``."""
    recipient: str
    """To whom the message had been sent."""
    originator: str
    at: datetime | None
    """Local time of the endpoint's time zone, without zone."""
    reason: int | None
    note: str | None

    @property
    def is_final(self) -> bool:
        return "BUFFERED" not in self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where a message belongs in a longer one."""  # TS 23.040 §9.2.3.24.1

    reference: int
    number: int
    """From 1."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePush:
    """A message that a phone sent."""

    id: int
    """The same on every attempt. Drop repeats by it."""
    sender: str
    recipient: str
    at: datetime | None
    """Local time of the endpoint's time zone, without zone."""
    bits: int
    """7 text, 8 data, 16 Unicode."""
    text: str
    """Empty for data."""
    data: bytes
    """For data: its octets; otherwise empty."""
    udh: bytes
    network: str | None
    """None when it is unknown."""

    @property
    def part(self) -> Part | None:
        """The part that this is of a longer message, if it is one."""
        return read_part(self.udh)


def parse_push(
    query: str | bytes | Mapping[str, str], *, charset: str = "iso-8859-15"
) -> ReportPush | MessagePush:
    """Reads a push.

    ``query`` is the query string, the whole URL or request target, the body of a POST, or the parameters
    already taken apart. ``charset`` is that of the endpoint.
    """
    values = dict(query) if isinstance(query, Mapping) else _split(query, charset)
    text = values.get("smsmsg", "")
    if values.get("bits"):
        return _read_message(values, text)
    report = _REPORT.fullmatch(text)
    if report is not None:
        return ReportPush(
            id=_number(values, "smsid"),
            submission=int(report[1]),
            status=report[2],
            recipient=values.get("smsfrom", ""),
            originator=values.get("shortcode") or values.get("smsto", ""),
            at=_time(values),
            reason=_number(values, "reason") if values.get("reason") else None,
            note=values.get("note") or None,
        )
    if "smsfrom" in values and "smsmsg" in values:
        return _read_message(values, text)
    raise NotAPush("the parameters are neither those of a report nor those of a message")


def read_part(udh: bytes) -> Part | None:
    """The concatenation element of a user data header; None without one."""
    elements, at = udh[1 : 1 + udh[0]] if udh else b"", 0
    while at + 2 <= len(elements):
        kind, length = elements[at], elements[at + 1]
        value = elements[at + 2 : at + 2 + length]
        if len(value) == length and (kind, length) in ((0x00, 3), (0x08, 4)):
            total, number = value[-2], value[-1]
            if 1 <= number <= total:
                return Part(reference=int.from_bytes(value[:-2], "big"), number=number, total=total)
        at += 2 + length
    return None


def _split(query: str | bytes, charset: str) -> dict[str, str]:
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    before, mark, after = text.partition("?")
    if mark and "=" not in before:
        text = after
    try:
        pairs = parse_qsl(text.partition("#")[0], keep_blank_values=True, encoding=charset, errors="replace")
    except ValueError:  # more fields than the standard library takes
        raise NotAPush("the query cannot be read") from None
    return dict(pairs)


def _read_message(values: Mapping[str, str], text: str) -> MessagePush:
    bits = _number(values, "bits") if values.get("bits") else 7
    data = b""
    if bits == 8:
        data, text = _octets(text), ""
    elif bits == 16 and values.get("smsucs2"):
        text = _octets(values["smsucs2"]).decode("utf-16-be", "replace")
    network = values.get("network")
    return MessagePush(
        id=_number(values, "smsid"),
        sender=values.get("smsfrom", ""),
        recipient=values.get("smsto", ""),
        at=_time(values),
        bits=bits,
        text=text,
        data=data,
        udh=_octets(values.get("smsudh", "")),
        network=None if network in (None, "", "UNKNOWN") else network,
    )


def _number(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise NotAPush(f"{name} is not a number")
    return int(text)


def _octets(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise NotAPush("a value that should be hex is not")
    return bytes.fromhex(text)


def _time(values: Mapping[str, str]) -> datetime | None:
    try:
        return datetime.strptime(values.get("smsdate", ""), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
