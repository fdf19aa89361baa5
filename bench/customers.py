"""Customers in a node's store, made by the code behind the commands: commands would take minutes."""

from pathlib import Path

from bench.farside import FarSide
from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.model.account import Number
from homing.store import customers
from homing.store.create import open_store

PASSWORD = "bench"
PREFIX = "4478"
WELL = 248
"""Customers from 0 on that are well; then comes one who is slow, and one whose port refuses."""
SLOW, DEAD = WELL, WELL + 1
COUNT = WELL + 2
CONNECTIONS = 50
"""Towards the customer of the saturated works, the same for node and relay; others have the default."""


def store_path(directory: Path) -> Path:
    return directory / "data" / "homing.db"


def number_of(index: int) -> str:
    return f"{PREFIX}{index:08d}"


def enrol_all(directory: Path, far: FarSide) -> None:
    """Customer 0 has the endpoint with id 1, and so on."""
    store_path(directory).parent.mkdir(parents=True, exist_ok=True)
    database = open_store(f"sqlite:///{store_path(directory)}")
    try:
        with database.writing() as connection:
            for index in range(COUNT):
                name = f"customer{index}"
                port = {SLOW: far.slow, DEAD: far.dead}.get(index, far.ports[index % len(far.ports)])
                wish = EndpointWish(
                    account=name,
                    events=("report", "message"),
                    format="mx",
                    url=f"http://127.0.0.1:{port}/in",
                    concurrency=CONNECTIONS if index == 0 else 16,
                )
                account, _secrets = make_account(name, password=PASSWORD)
                customers.add_account(connection, account)
                customers.add_endpoint(connection, make_endpoint(wish, lambda _url: ()))
                customers.add_number(connection, Number(number=number_of(index), account=name))
    finally:
        database.close()
