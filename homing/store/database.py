"""Opening a store: SQLite in a data directory, or PostgreSQL by URL, with the settings durability asks for.

SQLite runs in WAL mode with ``synchronous=FULL``: a committed transaction survives kill -9 and power
loss. One connection writes (the journal's, or a command's); readers have their own and never block it.
What goes wrong (full, locked, read-only, gone) comes out as :class:`StoreUnavailable`.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Engine, create_engine, event, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from homing.model.errors import StoreUnavailable
from homing.store.tables import facts

BUSY_TIMEOUT_MS = 5_000
STATEMENTS_KEPT = 256
"""Texts that stay prepared on a connection: each hot statement has one for each number of rows."""
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA wal_autocheckpoint = 4000",  # pages: a checkpoint every 16 MiB instead of every 4
    "PRAGMA temp_store = MEMORY",
)


_WRITER_CACHE_KIB, _READER_CACHE_KIB = 8_192, 2_048
"""What SQLite keeps of the store itself; the system's own cache has the rest."""


class Database:
    """Connections to one store. Safe for use by several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {} if self.is_sqlite else {"paramstyle": "format"}
        if self.is_sqlite:
            options["connect_args"] = {
                "check_same_thread": False,
                "timeout": BUSY_TIMEOUT_MS / 1000,
                "cached_statements": STATEMENTS_KEPT,
            }
        self._writing = _engine(url, "IMMEDIATE", _WRITER_CACHE_KIB, poolclass=NullPool, **options)
        self._held = _engine(url, None, _WRITER_CACHE_KIB, poolclass=NullPool, **options)
        self._reading = _engine(url, "DEFERRED", _READER_CACHE_KIB, pool_size=4, max_overflow=4, **options)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction: commits at the end, rolls back on any exception."""
        with store_errors(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one ``sql.Transaction`` after another (the journal's), which begins them."""
        with store_errors(), self._held.connect() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view for questions."""
        with store_errors(), self._reading.connect() as connection:
            yield connection

    @property
    def dialect(self) -> Dialect:
        """What compiles statements for this store."""
        return self._writing.dialect

    def fact(self, name: str) -> int:
        """A single number of the store, 0 when unset."""
        with self.reading() as connection:
            return connection.scalar(select(facts.c.value).where(facts.c.name == name)) or 0

    def close(self) -> None:
        """Give back every pooled connection."""
        self._writing.dispose()
        self._held.dispose()
        self._reading.dispose()


@contextmanager
def store_errors() -> Iterator[None]:
    """Map what drivers raise about the state of the store to :class:`StoreUnavailable`."""
    try:
        yield
    except SQLAlchemyError as error:
        if is_store_trouble(error):
            raise StoreUnavailable(_plain(error)) from error
        raise
    except (sqlite3.Error, psycopg.Error, OSError) as error:
        if is_store_trouble(error):
            raise StoreUnavailable(str(error)) from error
        raise


def is_store_trouble(error: BaseException) -> bool:
    """Whether the store, not the statement or its values, is at fault: trying again later may succeed."""
    if isinstance(error, StoreUnavailable):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_store_trouble(error.orig))
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)):
        return False
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)):
        return True
    return isinstance(error, (sqlite3.Error, OSError))


def _plain(error: SQLAlchemyError) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn to WAL. SQLite does not wait where two do so to a new file at once: it tells one to try again."""
    until_s = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.01)


def _engine(url: str, begin: str | None, cache_kib: int, **options: Any) -> Engine:
    engine = create_engine(url, hide_parameters=True, **options)  # an error's text may reach a log
    if engine.dialect.name == "sqlite":

        def prepare(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
            _write_ahead(connection)
            for pragma in (*_PRAGMAS, f"PRAGMA cache_size = -{cache_kib}"):
                connection.execute(pragma).close()

        event.listen(engine, "connect", prepare)
        if begin is not None:
            event.listen(engine, "begin", lambda c: c.exec_driver_sql(f"BEGIN {begin}"))
    return engine
