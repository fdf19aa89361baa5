"""Sub-accounts: made, given devices and credits by their maker, and by nobody else."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from homing.engine.sub_accounts import AccountProblem, check_credits, check_profile
from homing.model.account import Number, Profile
from homing.model.clock import Ids
from homing.store import customers
from homing.store import tables as t
from homing.store.database import Database
from homing.store.sub_accounts import StoreSubAccounts
from tests.store.test_customers import an_account, an_endpoint

ANN = Profile(first_name="Ann", last_name="Ox", email="Ann@ox.test", sms_in="Ox", web_text="oxoxox")


@pytest.fixture
def subs(database: Database) -> StoreSubAccounts:
    with database.writing() as connection:
        for name in ("acme", "other"):
            customers.add_account(connection, an_account(name))
        customers.add_number(connection, Number(number="60999", account="acme"))
        customers.add_number(connection, Number(number="60998", account="other"))
    return StoreSubAccounts(database, Ids(0).next)


def problem(function: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(AccountProblem) as found:
        function(*arguments)
    return found.value.code


def balances(database: Database) -> dict[str, float]:
    """By account, of the balances, which are always the sums of the ledger."""
    g, b = t.ledger.c, t.balances.c
    with database.reading() as connection:
        sums = connection.execute(select(g.account, func.sum(g.credits)).group_by(g.account)).all()
        kept = {row.account: row.credits for row in connection.execute(select(b.account, b.credits))}
    assert {account: round(total, 4) for account, total in sums} == kept
    return kept


def test_an_account_is_made_with_its_profile_and_its_code(database: Database, subs: StoreSubAccounts) -> None:
    subs.add("acme", an_account("ann"), ANN)
    assert subs.profile("ann") == ANN
    assert subs.profile("acme") is None
    with database.reading() as connection:
        assert customers.account_named(connection, "ann").name == "ann"
        assert [(n.number, n.keyword) for n in customers.numbers(connection, "ann")] == [("60999", "+ox")]


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("ann", {}, "EMAIL_ADDRESS_IN_USE"),
        ("bob", {"email": "ANN@OX.TEST"}, "EMAIL_ADDRESS_IN_USE"),
        ("bob", {"email": "b@x.test"}, "SMSIN_IN_USE"),
        ("bob", {"email": "b@x.test", "sms_in": "oX2"}, "WEBTEXT_IN_USE"),
        ("ann", {"email": "b@x.test", "sms_in": "", "web_text": ""}, "USERNAME_IN_USE"),
        ("other", {"email": "b@x.test", "sms_in": "", "web_text": ""}, "USERNAME_IN_USE"),
    ],
)
def test_what_is_in_use_is_not_given_twice(
    database: Database, subs: StoreSubAccounts, name: str, changes: dict[str, str], code: str
) -> None:
    subs.add("acme", an_account("ann"), ANN)
    assert problem(subs.add, "acme", an_account(name), msgspec.structs.replace(ANN, **changes)) == code
    with database.reading() as connection:
        assert {account.name for account in customers.accounts(connection)} == {"acme", "other", "ann"}
        assert len(customers.numbers(connection, "ann")) == 1


def test_a_sub_account_makes_none(subs: StoreSubAccounts) -> None:
    subs.add("acme", an_account("ann"), ANN)
    bob = msgspec.structs.replace(ANN, email="b@x.test", sms_in="", web_text="")
    assert problem(subs.add, "ann", an_account("bob"), bob) == "UNAUTHORIZED_ACCESS"


def test_devices_belong_to_one_user(database: Database, subs: StoreSubAccounts) -> None:
    subs.add("acme", an_account("ann"), ANN)
    endpoint = an_endpoint("ann")
    subs.register_device("acme", "ann", "http://ann.test/in", "URL", endpoint)
    assert (
        problem(subs.register_device, "acme", "ann", "http://ann.test/in", "URL", endpoint) == "DEVICE_IN_USE"
    )
    assert problem(subs.register_device, "other", "ann", "x", "URL", endpoint) == "UNAUTHORIZED_ACCESS"
    assert problem(subs.register_device, "acme", "nobody", "x", "URL", endpoint) == "UNAUTHORIZED_ACCESS"
    with database.reading() as connection:
        assert len(customers.endpoints(connection, "ann")) == 1


def test_credits_move_and_none_are_made(database: Database, subs: StoreSubAccounts) -> None:
    subs.add("acme", an_account("ann"), ANN)
    subs.transfer("acme", "ann", 5, "")  # an unlimited account has what it gives
    assert balances(database) == {"acme": -5, "ann": 5}
    with database.writing() as connection:
        account = customers.account_named(connection, "acme")
        customers.change_account(connection, msgspec.structs.replace(account, metered=True))
        customers.add_credit(connection, "acme", 12.5, None, 0)
    assert problem(subs.transfer, "acme", "ann", 7.5001, "") == "GENERAL_ERROR"
    assert problem(subs.transfer, "other", "ann", 1, "") == "UNAUTHORIZED_ACCESS"
    subs.transfer("acme", "ann", 7.5, "for June")
    assert balances(database) == {"acme": 0, "ann": 12.5}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "INVALID_USERNAME"),
        ({"name": "a b"}, "INVALID_USERNAME"),
        ({"password": ""}, "INVALID_PASSWORD"),
        ({"password": "\n"}, "INVALID_PASSWORD"),
        ({"first_name": ""}, "INVALID_FISTNAME"),
        ({"last_name": "x" * 201}, "INVALID_LASTNAME"),
        ({"email": "ann"}, "INVALID_EMAIL_ADDRESS"),
        ({"email": "a@b\r\nc"}, "INVALID_EMAIL_ADDRESS"),
        ({"sms_in": "o x"}, "INVALID_SMSIN"),
        ({"web_text": "short"}, "INVALID_WEBTEXT"),
        ({"comment": "\x00"}, "INVALID_PARAMETER"),
    ],
)
def test_what_cannot_be_an_account_is_named(changes: dict[str, str], code: str) -> None:
    name, password = changes.pop("name", "ann"), changes.pop("password", "secret")
    assert problem(check_profile, name, password, msgspec.structs.replace(ANN, **changes)) == code
    check_profile("ann", "secret", ANN)


@pytest.mark.parametrize("credits", [0, -1, float("nan"), float("inf"), 1e10])
def test_only_an_amount_can_be_moved(credits: float) -> None:
    assert problem(check_credits, credits) == "INVALID_PARAMETER"
    check_credits(0.5)
