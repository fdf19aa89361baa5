"""How commands show things: one JSON document, or tables and lines for people.

People are shown what phones, networks and customers' servers said: it is never taken for markup, and no
control character of it reaches the terminal.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

STATE_STYLES: Mapping[str, str] = {
    "delivered": "green", "DELIVERED": "green", "bound": "green", "enabled": "green",
    "pending": "yellow", "BUFFERED": "yellow", "SENT": "cyan", "ACCEPTED": "cyan", "connecting": "yellow",
    "dead": "red", "FAILED": "red", "REJECTED": "red", "UNKNOWN": "magenta", "down": "red",
    "paused": "yellow", "disabled": "red",
}  # fmt: skip


def console() -> Console:
    """Where commands write for people; wide enough for a table when it is not a terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160)


def print_json(document: Any) -> None:
    """The one document of a command with ``--json``."""
    octets = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.write(octets.decode() + "\n")


def show(as_json: bool, document: Any, people: Callable[[Console], None]) -> None:
    """One of both."""
    if as_json:
        print_json(document)
    else:
        people(console())


def plain(value: Any) -> Text:
    """A value as it may stand on a terminal."""
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(", ".join(plain(each).plain for each in value))
    return Text(printable("" if value is None else str(value)))


def printable(text: str) -> str:
    """A text in which every control character shows as its escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def state(word: str | None) -> Text:
    """A state or status in its colour."""
    return Text(word or "", style=STATE_STYLES.get(word or "", ""))


def ago(moment: str | None) -> str:
    """A time (RFC 3339) as people think of it: ``5 s ago``, ``in 2 min``."""
    if moment is None:
        return ""
    away_s = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    size = abs(away_s)
    units = ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"), (float("inf"), 86_400, "d"))
    unit, word = next((unit, word) for limit, unit, word in units if size < limit)
    return f"{size // unit:.0f} {word} ago" if away_s >= 0 else f"in {size // unit:.0f} {word}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> Any:
    """A table, or a sentence when there is nothing to show."""
    if not rows:
        return Text(empty, style="dim")
    made = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*map(plain, row))
    return made


def pairs(title: str, values: Mapping[str, Any]) -> Any:
    """Names and values under each other."""
    made = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in values.items():
        made.add_row(name, plain(value))
    return made
