"""A running gateway for every face's tests, with one account ``acme``."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homing.engine.contents import Contents
from homing.store.blobs import LocalBlobs
from homing.store.create import open_store
from homing.store.database import Database
from homing.store.records import StoreRecords
from tests.api.running import RunningGateway


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with every table and no row, to be copied: quicker than to make it anew."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database(empty_store: Path, tmp_path: Path) -> Iterator[Database]:
    path = shutil.copy(empty_store, tmp_path / "homing.db")
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def records(database: Database) -> StoreRecords:
    """What the gateway reads stored things through."""
    return StoreRecords(database, rest=lambda: None)


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """Where the gateway has what MMS carry."""
    return LocalBlobs(tmp_path / "mms")


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """Limits of the gateway that a module may set otherwise."""
    return {}


@pytest.fixture
def gateway(
    database: Database, records: Any, contents: Contents, gateway_settings: dict[str, Any]
) -> Iterator[RunningGateway]:
    made = RunningGateway(database, records, contents, **gateway_settings)
    made.add_account("acme")
    with made.running():
        yield made
