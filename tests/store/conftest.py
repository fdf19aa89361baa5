"""A store of each kind: every test that asks for ``database`` runs on SQLite and on PostgreSQL.

So does every test that asks for ``shelf``, on each content store.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from homing.store.create import open_store
from homing.store.database import Database
from tests.s3 import running_s3
from tests.store.shelves import DiskShelf, S3Shelf, Shelf

_buckets = itertools.count(1)


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


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 service, started once per session, on first use."""
    with running_s3() as endpoint:
        yield endpoint


@pytest.fixture(params=["disk", "s3"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    """An empty content store, with what its tests need to know of it."""
    if request.param == "disk":
        return DiskShelf(tmp_path)
    return S3Shelf(request.getfixturevalue("s3_endpoint"), f"bucket-{next(_buckets)}", tmp_path)
