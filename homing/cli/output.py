"""How commands show things: one JSON document, or tables and lines for people.

People are shown what phones, networks and customers' servers said: it is never taken for markup, and no
control character of it reaches the terminal. Ids and secrets are never broken in two: what does not fit side
by side stands under each other. When stdout takes nothing any more, the command has failed.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from homing.model.errors import Refusal

STATE_STYLES: Mapping[str, str] = {
    "delivered": "green", "DELIVERED": "green", "bound": "green", "enabled": "green",
    "pending": "yellow", "BUFFERED": "yellow", "SENT": "cyan", "ACCEPTED": "cyan", "connecting": "yellow",
    "dead": "red", "FAILED": "red", "REJECTED": "red", "UNKNOWN": "magenta", "down": "red",
    "paused": "yellow", "disabled": "red",
}  # fmt: skip


NARROWEST = 10
"""Columns that free text is folded to before a table gives up."""


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Fail in one line when stdout is full, and in silence when nobody reads any more."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not be tried again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(1) from None
        raise Refusal("unavailable", f"stdout cannot be written: {error.strerror}") from None


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
    with writing_stdout():
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


class _Listing:
    """A table without its empty columns; where that is too wide, each row as names and values."""

    def __init__(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], folds: Sequence[str]
    ) -> None:
        cells = [[plain(value) for value in row] for row in rows]
        kept = [at for at in range(len(columns)) if any(row[at].plain for row in cells)]
        self._title = Text(title, "bold")
        self._columns = [columns[at] for at in kept]
        self._rows = [[row[at] for at in kept] for row in cells]
        self._folds = folds

    def __rich_console__(self, to: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self._title
        least = Measurement.get(to, options.update(width=10_000), self._table(NARROWEST))
        if least.minimum <= options.max_width:
            yield self._table()
            return
        for row in self._rows:
            yield ""
            yield _pairs(zip(self._columns, row, strict=True))

    def _table(self, width: int | None = None) -> Table:
        made = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        for column in self._columns:
            if column in self._folds:
                made.add_column(column, overflow="fold", width=width)
            else:
                made.add_column(column, no_wrap=True)
        for row in self._rows:
            made.add_row(*row)
        return made


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    empty: str,
    *,
    folds: Sequence[str] = (),
) -> RenderableType:
    """Rows under columns, or a sentence when there is nothing to show; only columns of ``folds`` fold."""
    return _Listing(title, columns, rows, folds) if rows else Text(empty, style="dim")


def print_pairs(to: Console, title: str, values: Mapping[str, Any]) -> None:
    """Names and values under each other, without those that are not set; each in one line, to be copied."""
    set_ = {name: value for name, value in values.items() if value not in (None, "", [], ())}
    to.print(Text(title, "bold"), soft_wrap=True)
    width = max(map(len, set_), default=0) + 2
    for name, value in set_.items():
        to.print(Text.assemble(("  " + name.ljust(width), "dim"), plain(value)), soft_wrap=True)


def _pairs(values: Iterable[tuple[str, Text]]) -> Table:
    made = Table(show_header=False, box=None, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values:
        if value.plain:
            made.add_row(name, value)
    return made
