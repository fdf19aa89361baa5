"""Options that many commands share, and how people write times, headers and networks."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from homing.model.clock import now_ms

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration file; else HOMING_CONFIG, else ./homing.toml if it exists, else the defaults.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most items shown.")]
After = Annotated[
    str | None, typer.Option("--after", metavar="ID", help="Go on after this id: `next` of the former page.")
]

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def read_moment(text: str) -> int:
    """Milliseconds since the epoch of RFC 3339, ``YYYY-MM-DD`` (UTC), or ``2h`` ago."""
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        span = timedelta(**{_UNIT[ago[2]]: int(ago[1])})
        return now_ms() - span // _MS
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"not a time: {text} (2026-03-04, 2026-03-04T05:06:07Z or 2h for two hours ago)"
        ) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MS


def read_header(text: str) -> tuple[str, str]:
    """``NAME:VALUE``."""
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter("a header has the form NAME:VALUE")  # it may hold a secret
    return name.strip(), value.strip()


def comma_list(text: str) -> tuple[str, ...]:
    """``a,b`` as its words."""
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)
