"""What the requests of every push format share: the fixed headers, their rules, and texts of times.

Everything that can be made once per endpoint is made once. Values that come from users are checked
here: a line break or another control character never reaches a header.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homing import __version__
from homing.model.account import DateForm, Endpoint
from homing.wire.target import Target

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")  # RFC 9110 §5.5, ASCII only
_OURS = frozenset(
    {"host", "user-agent", "content-length", "content-type", "transfer-encoding", "connection"}
    | {"keep-alive", "upgrade", "te", "trailer", "expect", "proxy-connection"}
)
_SECONDS_KEPT = 4096


def header_problem(name: str, value: str) -> str | None:
    """Why this header may not be added to pushes, or None when it may."""
    if not _TOKEN.fullmatch(name):
        return "a header name holds a character that is not allowed"
    if not _VALUE.fullmatch(value):
        return f"the value of header {name} holds a character that is not allowed"
    lower = name.lower()
    if lower in _OURS or lower.startswith(("homing-", "webhook-")):
        return f"header {name} is set by Homing itself"
    return None


def fixed_headers(endpoint: Endpoint, target: Target) -> str:
    """The header lines that every request to this endpoint carries, each with its line end."""
    lines = [f"Host: {target.authority}", f"User-Agent: Homing/{__version__}", "Accept: */*"]
    if endpoint.user is not None or endpoint.password is not None:
        pair = f"{endpoint.user or ''}:{endpoint.password or ''}".encode()  # RFC 7617 §2.1
        lines.append(f"Authorization: Basic {b64encode(pair).decode('ascii')}")
        if any(name.lower() == "authorization" for name, _ in endpoint.headers):
            raise ValueError("header Authorization and basic credentials exclude each other")
    for name, value in endpoint.headers:
        problem = header_problem(name, value)
        if problem:
            raise ValueError(problem)
        lines.append(f"{name}: {value}")
    return "".join(f"{line}\r\n" for line in lines)


def _remember_seconds(spell: Callable[[int], str]) -> Callable[[int], str]:
    """The same function of seconds, with the last few thousand answers kept."""
    texts: dict[int, str] = {}

    def text_at(at_s: int) -> str:
        text = texts.get(at_s)
        if text is None:
            if len(texts) >= _SECONDS_KEPT:
                texts.clear()
            text = texts[at_s] = spell(at_s)
        return text

    return text_at


@cache
def local_times(timezone: str) -> Callable[[int], str]:
    """Spells seconds since the epoch as ``yyyy-MM-dd HH:mm:ss`` in this zone, URL-encoded."""
    zone = _zone(timezone)
    return _remember_seconds(lambda at_s: f"{datetime.fromtimestamp(at_s, zone):%Y-%m-%d+%H%%3A%M%%3A%S}")


_DATE_LAYOUTS: Mapping[DateForm, str] = {
    "plain": "%Y-%m-%d %H:%M:%S",
    "zone": "%Y-%m-%d %H:%M:%S%z",
    "spaced-zone": "%Y-%m-%d %H:%M:%S %z",
}


def local_dates(timezone: str, form: DateForm) -> Callable[[int], str]:
    """Spells seconds since the epoch in this zone and form, as plain text."""
    zone, layout = _zone(timezone), _DATE_LAYOUTS[form]
    return lambda at_s: datetime.fromtimestamp(at_s, zone).strftime(layout)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {timezone!r}") from None


utc_seconds: Callable[[int], str] = _remember_seconds(
    lambda at_s: f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}"
)
"""Spells seconds since the epoch as RFC 3339 wants it, without fraction and zone."""


def kinds_of(endpoint: Endpoint, known: Sequence[str]) -> frozenset[str]:
    """The kinds of event that this endpoint asks for and a format can say."""
    return frozenset(endpoint.events) & frozenset(known)


def mended(value: Any) -> Any:
    """The same plain value with its texts as UTF-8 can say them: half a surrogate pair becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: mended(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [mended(each) for each in value]
    return value
