"""What every test may ask for by name."""

import itertools
from collections.abc import Iterator

import pytest

from tests.postgres import empty_database, running_postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The SQLAlchemy URL of a real PostgreSQL server, started once per session, on first use."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database of this test's own."""
    with empty_database(postgres_url, f"test_{next(_numbers)}") as url:
        yield url
