"""Many rows in one statement: each has its effect once, whatever stands in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.store.row_statement import ROWS_PER_STATEMENT, SeveralRowsStatement, rows_at_once

MOST = ROWS_PER_STATEMENT[0]
VALUES = (
    st.none() | st.binary(max_size=3) | st.text(st.characters(codec="utf-8"), max_size=3) | st.integers(0, 9)
)


@pytest.fixture
def cursor() -> Iterator[sqlite3.Cursor]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
        yield connection.cursor()


@given(st.lists(st.tuples(VALUES, VALUES), max_size=40), st.integers(1, 9))
def test_every_row_is_there_as_it_was_given(values: list[tuple[object, object]], times: int) -> None:
    rows = [(at, *pair) for at, pair in enumerate(values * times)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
        SeveralRowsStatement("INSERT OR IGNORE INTO t VALUES", counts=True).run(connection.cursor(), rows)
        assert connection.execute("SELECT * FROM t ORDER BY id").fetchall() == rows
        changed = [(b, a, at) for at, a, b in rows]
        SeveralRowsStatement(
            "UPDATE t SET a = v.column1, b = v.column2 FROM (VALUES", ") AS v WHERE t.id = v.column3"
        ).run(connection.cursor(), changed)
        assert connection.execute("SELECT a, b, id FROM t ORDER BY id").fetchall() == changed


def test_rows_of_nothing_but_a_key(cursor: sqlite3.Cursor) -> None:
    rows = [(at, None, b"") for at in range(1, 4)]
    SeveralRowsStatement("INSERT OR IGNORE INTO t VALUES", counts=True).run(cursor, rows)
    assert cursor.execute("SELECT * FROM t").fetchall() == rows


def test_a_row_that_is_known_is_an_error_where_each_counts(cursor: sqlite3.Cursor) -> None:
    rows = [(at, "x", None) for at in range(7)]
    SeveralRowsStatement("INSERT OR IGNORE INTO t VALUES", counts=True).run(cursor, rows[:1])
    with pytest.raises(sqlite3.IntegrityError, match="1 of 7"):
        SeveralRowsStatement("INSERT OR IGNORE INTO t VALUES", counts=True).run(cursor, rows)
    SeveralRowsStatement("INSERT OR IGNORE INTO t VALUES").run(cursor, rows)
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (7,)


@given(st.integers(1, 2000))
def test_a_statement_has_a_known_number_of_rows_and_few_that_fill_it_up(left: int) -> None:
    statements = 0
    while left > 0:
        count = rows_at_once(left)
        assert count in ROWS_PER_STATEMENT
        assert count - left <= max(6, left // 4)
        assert count >= min(left, MOST) / 2
        left -= count
        statements += 1
    assert statements <= 2000 / MOST + 9
