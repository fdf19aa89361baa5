"""A statement that is run for each of many rows.

SQLite is given many rows in one statement, for each one costs more than a row. sqlite3 looks up how to adapt
what is neither number nor text, which costs more than to store it: so what is nothing in all rows (NULL, or
no octets) stands in the text and is not bound. A repeated row fills a statement up where that saves another
one. PostgreSQL's driver pipelines the rows. Rows are tuples, in the order of the parameters.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Protocol

Rows = Sequence[tuple[Any, ...]]

ROWS_PER_STATEMENT = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""How many rows SQLite is given at once, the most first: few texts, so that each is prepared once."""
_FILLED_UP = 6
"""A statement costs as much as so many rows: no more than these, or a quarter, are repeated to save one."""
_NOTHING: dict[Any, str] = {None: "NULL", b"": "x''"}

# What is bound all the same takes the short way: of the types that sqlite3 knows, these have no adapter.
sqlite3.register_adapter(type(None), lambda nothing: nothing)
sqlite3.register_adapter(bytes, bytearray)


class RowStatement(Protocol):
    def run(self, cursor: Any, rows: Rows) -> None:
        """Run it on the driver, for each row once."""


class PipelinedStatement:
    """One text, which the driver sends for all rows without waiting for each."""

    def __init__(self, text: str) -> None:
        self._text = text

    def run(self, cursor: Any, rows: Rows) -> None:
        if rows:
            cursor.executemany(self._text, rows)


class SeveralRowsStatement:
    """SQLite's: ``VALUES`` with many rows, of which a repeated one changes nothing."""

    def __init__(self, before: str, after: str = "", *, counts: bool = False) -> None:
        """The text before and after the rows. ``counts`` = every row must have its effect."""
        self._before = before
        self._after = after
        self._counts = counts
        self._shapes: dict[tuple[int, tuple[tuple[int, str], ...]], _Shape] = {}
        """By the width of a row, and the places in it that are nothing: a handful for each statement."""

    def run(self, cursor: Any, rows: Rows) -> None:
        at, left = 0, len(rows)
        while left:
            count = rows_at_once(left)
            these = rows[at : at + count]
            taken = len(these)
            text, values = self._shape(these).fill(these, count)
            cursor.execute(text, values)
            if self._counts and cursor.rowcount != taken:
                raise sqlite3.IntegrityError(f"{taken - cursor.rowcount} of {taken} rows were not new")
            at += taken
            left -= taken

    def _shape(self, rows: Rows) -> "_Shape":
        first = rows[0]
        places = [at for at, value in enumerate(first) if value is None or value == b""]
        nothing = tuple((at, _NOTHING[first[at]]) for at in places if are_all(first[at], rows, at))
        shape = self._shapes.get((len(first), nothing))
        if shape is None:
            shape = _Shape(self._before, self._after, len(first), dict(nothing))
            self._shapes[len(first), nothing] = shape
        return shape


class _Shape:
    """A statement in which some places of each row are nothing."""

    def __init__(self, before: str, after: str, width: int, nothing: dict[int, str]) -> None:
        row = f"({', '.join(nothing.get(at, '?') for at in range(width))})"
        self._texts = {
            count: f"{before} {', '.join(repeat(row, count))} {after}" for count in ROWS_PER_STATEMENT
        }
        bound = [at for at in range(width) if at not in nothing]
        self._bound: Callable[[Any], Sequence[Any]] | None = None
        if len(bound) < width:
            # A slice, for itemgetter gives a single value as it is.
            self._bound = itemgetter(*bound) if len(bound) > 1 else itemgetter(slice(bound[0], bound[0] + 1))

    def fill(self, rows: Rows, count: int) -> tuple[str, tuple[Any, ...]]:
        """The text for that many rows, and the values to bind; the last row is repeated."""
        bound: Sequence[Sequence[Any]] = rows if self._bound is None else [*map(self._bound, rows)]
        missing = count - len(rows)
        if missing:
            bound = [*bound, *repeat(bound[-1], missing)]
        return self._texts[count], tuple(chain.from_iterable(bound))


def are_all(value: object, rows: Rows, at: int) -> bool:
    """Whether all rows have this value in one place."""
    return [row[at] for row in rows].count(value) == len(rows)


def rows_at_once(left: int) -> int:
    """How many rows the next statement should have: all that are left, unless too many would be filled up."""
    most = ROWS_PER_STATEMENT[0]
    if left >= most:
        return most
    less = 1 << (left.bit_length() - 1)
    more = 2 * less
    return more if left > less and more - left <= max(_FILLED_UP, left // 4) else less
