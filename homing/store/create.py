"""Creating a store and bringing it up to date: revisions in ``migrations/``, run by alembic.

An empty store is created by whoever opens it first; two who come at once do it one after the other.
One that is behind is only changed when asked to; one that is ahead belongs to a newer Homing and is
left alone. Both are refused with :class:`StoreOutdated`. All steps of a change are one transaction.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from homing.model.errors import StoreUnavailable
from homing.store.database import Database

REVISIONS = ("0001", "0002", "0003")
"""Every revision in order; the last one is what this program needs."""

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgres", "postgresql+psycopg")
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x686F6D696E67
"""Number of the advisory lock (PostgreSQL) under which a store is changed."""


class StoreOutdated(Exception):
    """The store is of another revision than this program; the text says what to do."""


def open_store(url: str, *, migrate: bool = False) -> Database:
    """Open the store at a URL of the configuration, created when it is empty."""
    database = Database(prepared_url(url))
    try:
        found = revision(database)
        if found is None or (migrate and found != REVISIONS[-1]):
            upgrade(database)
            found = revision(database)
        if found != REVISIONS[-1]:
            raise StoreOutdated(_explain(found))
    except BaseException:
        database.close()
        raise
    return database


def revision(database: Database) -> str | None:
    """The revision of a store; None when it is empty."""
    with database.reading() as connection:
        return _revision(connection)


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring a store to the newest revision, in one transaction; returns the former and the present one."""
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        found = _revision(connection)
        if found is not None and found not in REVISIONS:
            raise StoreOutdated(_explain(found))
        if found != REVISIONS[-1]:
            from alembic import command

            command.upgrade(alembic_config(connection), REVISIONS[-1])
        return found, REVISIONS[-1]


def alembic_config(connection: Connection | None = None) -> Any:
    """What alembic needs to know; ``connection`` has begun the transaction that everything happens in."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _explain(found: str | None) -> str:
    if found in REVISIONS:
        return (
            f"the store is at revision {found}, this Homing needs {REVISIONS[-1]}: "
            "stop all nodes and run `homing migrate`"
        )
    return f"the store is at revision {found}, which this Homing does not know: it belongs to a newer one"


def prepared_url(url: str) -> str:
    """The URL with our PostgreSQL driver, and the directory of a SQLite file in place."""
    parsed = _read(url)
    if parsed.drivername not in _DRIVERS:
        raise StoreUnavailable(f"there is no driver {parsed.drivername}, write postgresql://")
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if parsed.drivername.startswith("sqlite"):
        if not parsed.database or parsed.database == ":memory:":
            raise StoreUnavailable("its URL names no file, as sqlite:///homing.db does")
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            _touch(Path(parsed.database))
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{parsed.database}: {error}") from error
    return url


def _read(url: str) -> URL:
    """The URL in its parts. What follows an @ of a password is taken for the host, and must not be shown."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        raise StoreUnavailable("its URL cannot be read; an @ in a password is written %40")
    return parsed


def _touch(path: Path) -> None:
    """Make the file of a new store readable by its owner only: it holds what people wrote."""
    if not path.exists():
        path.touch(mode=0o600)
