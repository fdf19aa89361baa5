"""A store of each kind: every test that asks for ``database`` runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homing.store.create import open_store
from homing.store.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, as it stands in a configuration."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'homing.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url.replace("postgresql+psycopg:", "postgresql:")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A store with every table and no row."""
    opened = open_store(store_url)
    yield opened
    opened.close()
