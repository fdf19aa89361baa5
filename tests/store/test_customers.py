"""Accounts, endpoints and numbers: what was written is read again, and every change is noticed."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from homing.model.account import Account, Endpoint, Number
from homing.model.errors import Refusal
from homing.store import customers
from homing.store import tables as t
from homing.store.database import Database
from homing.store.sql import Transaction
from homing.store.statements import Statements
from tests.store import rows


def an_account(name: str = "acme", **values: Any) -> Account:
    return Account(
        name=name,
        password_hash="p",
        inbound_password_hash="i",
        api_key_hash=f"key of {name}",
        token=f"token of {name}",
        created_at_ms=1,
        **values,
    )


def an_endpoint(account: str = "acme", **values: Any) -> Endpoint:
    return Endpoint(
        id=0,
        account=account,
        events=("report",),
        format="mx",
        url="http://a.test/",
        created_at_ms=1,
        **values,
    )


def test_accounts_come_back_as_they_were_written(database: Database) -> None:
    written = [
        an_account("a", allowed_addresses=("10.0.0.0/8",), metered=True),
        an_account("b", disabled=True),
    ]
    with database.writing() as connection:
        for account in written:
            customers.add_account(connection, account)
        changed = msgspec.structs.replace(
            written[0], password_hash="new", disabled=True, allowed_addresses=()
        )
        customers.change_account(connection, changed)
    with database.reading() as connection:
        assert customers.accounts(connection) == [changed, written[1]]
        assert customers.account_named(connection, "b") == written[1]
        with pytest.raises(Refusal, match="no account nobody"):
            customers.account_named(connection, "nobody")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a" * 65, "a\n"])
def test_account_names_are_plain(database: Database, name: str) -> None:
    with database.writing() as connection, pytest.raises(Refusal, match="an account name is"):
        customers.add_account(connection, an_account(name))


def test_a_name_is_given_once(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account())
    with pytest.raises(Refusal, match="exists already") as caught:
        with database.writing() as connection:
            customers.add_account(connection, an_account())
    assert caught.value.kind == "conflict"


def test_networks_are_kept_in_one_form() -> None:
    kept = customers.parse_networks(["192.0.2.7", "10.1.2.3/8", "2001:db8::1/32", "10.0.0.0/8"])
    assert kept == ("192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32")
    with pytest.raises(Refusal):
        customers.parse_networks(["nowhere"])


def test_credit_is_entered_and_summed(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account(metered=True))
        assert customers.balance(connection, "acme") is None
        assert customers.add_credit(connection, "acme", 10, None, node=3) == 10
        assert customers.add_credit(connection, "acme", -2.5, "back", node=3) == 7.5
    with database.writing() as connection:
        transaction = Transaction(connection, Statements(database))
        assert transaction.charge("acme", 7)
        assert not transaction.charge("acme", 1)
        assert customers.balance(connection, "acme") == 0.5
        with pytest.raises(Refusal):
            customers.add_credit(connection, "nobody", 1, None, node=0)


def test_endpoints_come_back_as_they_were_written(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account())
        first = customers.add_endpoint(connection, an_endpoint())
        second = customers.add_endpoint(
            connection,
            an_endpoint(rate_per_s=2.5, headers=(("X-A", "b"),), secrets=("whsec_x",), unknown_as="FAILED"),
        )
        paused = msgspec.structs.replace(an_endpoint(), id=first, paused=True)
        customers.change_endpoint(connection, paused)
        with pytest.raises(Refusal, match="no account nobody"):
            customers.add_endpoint(connection, an_endpoint("nobody"))
    with database.reading() as connection:
        assert customers.endpoints(connection, "other") == []
        assert customers.endpoints(connection, "acme") == customers.endpoints(connection)
        assert customers.endpoint_with_id(connection, first) == paused
        assert customers.endpoint_with_id(connection, second).headers == (("X-A", "b"),)
        assert first != second


def test_what_is_pending_at_a_removed_endpoint_ends_dead(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account())
        gone = customers.add_endpoint(connection, an_endpoint())
        other = customers.add_endpoint(connection, an_endpoint())
        for number in range(5):
            rows.add_message(connection, number + 1)
            rows.add_delivery(connection, number + 1, gone, attempt=3)
            rows.add_delivery(connection, number + 1, other)
        rows.add_message(connection, 9)
        rows.add_delivery(connection, 9, gone, state=1)
    with database.writing() as connection:
        customers.remove_endpoint(connection, gone)
        with pytest.raises(Refusal):
            customers.remove_endpoint(connection, gone)
        with pytest.raises(Refusal):
            customers.change_endpoint(connection, an_endpoint())
        with pytest.raises(Refusal):
            customers.endpoint_with_id(connection, gone)
        assert customers.removed_with_pending(connection) == [gone]
        assert [customers.end_deliveries(connection, gone, 3) for _ in range(3)] == [3, 2, 0]
        assert customers.removed_with_pending(connection) == []
        found = rows.deliveries(connection)
    assert {
        (row.state, row.attempt, row.error) for row in found if row.endpoint == gone and row.event < 9
    } == {(2, 2, "endpoint removed")}
    assert {row.state for row in found if row.endpoint == other} == {0}
    assert [row.state for row in found if row.event == 9] == [1]


def test_old_secrets_end_when_their_time_is_over(database: Database) -> None:
    rotated = an_endpoint(secrets=("new", "old"), old_secrets_until_ms=1000)
    with database.writing() as connection:
        customers.add_account(connection, an_account())
        id_ = customers.add_endpoint(connection, rotated)
        customers.add_endpoint(connection, an_endpoint(secrets=("kept", "both")))
        assert customers.expire_secrets(connection, 999) == 0
        assert customers.expire_secrets(connection, 1000) == 1
        assert customers.expire_secrets(connection, 2000) == 0
        assert customers.endpoint_with_id(connection, id_).secrets == ("new",)


def test_a_number_belongs_to_one_account_per_keyword(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account("a"))
        customers.add_account(connection, an_account("b"))
        for number in (
            Number(number="+44 7700 900001", account="a", network="NET", carrier_code="23415"),
            Number(number="0060999", account="a"),
            Number(number="60999", account="b", keyword=" Straße "),
        ):
            customers.add_number(connection, number)
        made = customers.add_number(connection, Number(number="60998", account="a", carrier_code="23420"))
        assert made.network == "THREEUK"
        assert connection.scalar(select(t.numbers.c.network).where(t.numbers.c.number == "60998")) is None
        assert customers.remove_number(connection, "60998", None).network == "THREEUK"  # as it is read
        assert customers.numbers(connection) == [
            Number(number="447700900001", account="a", network="NET", carrier_code="23415"),
            Number(number="60999", account="a"),
            Number(number="60999", account="b", keyword="strasse"),
        ]
        for taken, owner in [(Number(number="60999", account="b"), "a"),
                             (Number(number="60999", account="a", keyword="STRASSE"), "b")]:  # fmt: skip
            with pytest.raises(Refusal, match=f"belongs to account {owner}"):
                customers.add_number(connection, taken)
        for wrong in (
            Number(number="shop", account="a"),
            Number(number="1", account="a", keyword="two words"),
            Number(number="1", account="nobody"),
        ):
            with pytest.raises(Refusal):
                customers.add_number(connection, wrong)
        assert customers.remove_number(connection, "+60999", "strasse").account == "b"
        assert [number.number for number in customers.numbers(connection, "b")] == []
        with pytest.raises(Refusal, match="belongs to nobody"):
            customers.remove_number(connection, "60999", "strasse")


def test_every_change_is_one_that_nodes_notice(database: Database) -> None:
    seen = [database.fact("directory_version")]
    id_ = 0

    def add_endpoint(connection: Any) -> None:
        nonlocal id_
        id_ = customers.add_endpoint(connection, an_endpoint(secrets=("a", "b"), old_secrets_until_ms=5))

    for change in (
        lambda c: customers.add_account(c, an_account()),
        lambda c: customers.change_account(c, an_account(disabled=True)),
        add_endpoint,
        lambda c: customers.expire_secrets(c, 9),
        lambda c: customers.change_endpoint(c, msgspec.structs.replace(an_endpoint(), id=id_, paused=True)),
        lambda c: customers.remove_endpoint(c, id_),
        lambda c: customers.add_number(c, Number(number="1", account="acme")),
        lambda c: customers.remove_number(c, "1", None),
    ):
        with database.writing() as connection:
            change(connection)
        seen.append(database.fact("directory_version"))
    assert seen == sorted(set(seen))


def test_the_directory_is_read_whole(database: Database) -> None:
    with database.writing() as connection:
        customers.add_account(connection, an_account())
        kept = customers.add_endpoint(connection, an_endpoint())
        gone = customers.add_endpoint(connection, an_endpoint())
        customers.remove_endpoint(connection, gone)
        customers.add_number(connection, Number(number="60999", account="acme", keyword="win"))
    directory = customers.load_directory(database)
    assert directory.version == database.fact("directory_version")
    assert list(directory.accounts) == ["acme"]
    assert list(directory.endpoints) == [kept]
    owner = directory.owner("60999", "WIN a car")
    assert owner is not None
    assert owner.account == "acme"
    again = customers.load_directory(database, directory)
    assert again.formats[kept] is directory.formats[kept]
