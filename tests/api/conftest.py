"""A running gateway for every face's tests, with one account ``acme``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homing.store.create import open_store
from homing.store.database import Database
from tests.api.running import RunningGateway


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_store(f"sqlite:///{tmp_path / 'homing.db'}")
    yield opened
    opened.close()


@pytest.fixture
def records(database: Database) -> Any:
    """What the gateway reads stored things through; the form face needs none."""
    return None


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """Limits of the gateway that a module may set otherwise."""
    return {}


@pytest.fixture
def gateway(database: Database, records: Any, gateway_settings: dict[str, Any]) -> Iterator[RunningGateway]:
    made = RunningGateway(database, records, **gateway_settings)
    made.add_account("acme")
    with made.running():
        yield made
