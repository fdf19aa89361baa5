"""Prices, and the balance that is always the sum of the ledger."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from homing.engine.prices import Prices
from homing.engine.submit import UNCLAIMED, Accepted, Batch, record_submissions
from homing.model.account import Account
from homing.model.clock import Ids
from homing.model.errors import Refusal
from homing.store import customers
from homing.store import tables as t
from homing.store.sql import Transaction
from homing.store.statements import Statements
from tests.engine.far import a_store, a_submission

PRICES = Prices(1.0, {"44": 0.8, "447": 0.0333, "1": 0.1, "9": 0.0})
NUMBERS = ("33600900001", "442079460001", "447700900001", "12085550100", "919812300001")


@pytest.mark.parametrize(("number", "price"), list(zip(NUMBERS, (1.0, 0.8, 0.0333, 0.1, 0.0), strict=True)))
def test_the_longest_prefix_wins(number: str, price: float) -> None:
    assert PRICES.of(number) == price
    assert Prices().of(number) == 1.0


STEPS = st.lists(
    st.lists(st.tuples(st.sampled_from(NUMBERS), st.integers(1, 4)), max_size=4)
    | st.integers(-1000, 50_000).map(lambda number: number / 10_000),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_balance_is_the_sum_of_the_ledger(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[list[tuple[str, int]] | float]
) -> None:
    database = a_store(tmp_path_factory.mktemp("store"))
    ids, expected = Ids(1), 0.0
    account = Account(
        name="acme", password_hash="", inbound_password_hash="", api_key_hash="", token="", metered=True
    )
    for step in steps:
        if isinstance(step, float):
            with database.writing() as connection:
                customers.add_credit(connection, "acme", step, None, 0, ids.next())
            expected = round(expected + step, 4)
            continue
        submissions = tuple(a_submission(ids.next(), count, recipient=number) for number, count in step)
        cost = round(sum(round(count * PRICES.of(number), 4) for number, count in step), 4)
        batch = Batch(account=account, metered=True, submissions=submissions)
        with database.connection() as connection, Transaction(connection, Statements(database)) as writing:
            (outcome,) = record_submissions(writing, [(batch, UNCLAIMED)], PRICES)
        if cost == 0 or cost <= expected:
            assert isinstance(outcome, Accepted)
            expected = round(expected - cost, 4)
        else:
            assert isinstance(outcome, Refusal)
            assert outcome.kind == "no_credit"
    with database.reading() as connection:
        total = connection.scalar(select(func.sum(t.ledger.c.credits)).where(t.ledger.c.account == "acme"))
        balance = customers.balance(connection, "acme")
    assert round(total or 0.0, 4) == round(balance or 0.0, 4) == expected
    database.close()


def test_an_account_without_a_credit_line_pays_nothing(tmp_path: Path) -> None:
    database = a_store(tmp_path)
    account = Account(name="acme", password_hash="", inbound_password_hash="", api_key_hash="", token="")
    batch = Batch(account=account, metered=False, submissions=(a_submission(1),))
    with database.connection() as connection, Transaction(connection, Statements(database)) as writing:
        (outcome,) = record_submissions(writing, [(batch, UNCLAIMED)], PRICES)
    assert isinstance(outcome, Accepted)
    with database.reading() as connection:
        assert connection.scalars(select(t.ledger.c.credits)).all() == [None]
    database.close()


def test_the_last_exact_credit_is_enough(tmp_path: Path) -> None:
    database = a_store(tmp_path)
    with database.writing() as connection:
        for _ in range(10):
            customers.add_credit(connection, "acme", 0.1, None, 0)
            connection.execute(delete(t.ledger))
    with database.connection() as connection, Transaction(connection, Statements(database)) as writing:
        assert [writing.charge("acme", 0.3) for _ in range(4)] == [True, True, True, False]
        assert writing.charge("acme", 0.1)
    database.close()
