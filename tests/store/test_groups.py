"""Groups: named lists of an account's own, whatever their case."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from homing.model.errors import Refusal
from homing.store import customers, groups
from homing.store.database import Database
from tests.store.test_customers import an_account


@pytest.fixture
def written(database: Database) -> Database:
    with database.writing() as connection:
        for name in ("acme", "other"):
            customers.add_account(connection, an_account(name))
        groups.add_group(
            connection, "acme", " Friends ", ["+44 7700 900001", "00447700900002", "447700900001"]
        )
        groups.add_group(connection, "other", "friends")
    return database


def refused(database: Database, function: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(Refusal) as refusal, database.writing() as connection:
        function(connection, *arguments)
    return refusal.value.kind


def members(connection: Connection, name: str = "FRIENDS", account: str = "acme") -> list[str]:
    return list(groups.group_members(connection, account, name))


def test_members_are_kept_once_and_found_in_any_case(written: Database) -> None:
    with written.writing() as connection:
        assert members(connection) == ["447700900001", "447700900002"]
        assert groups.add_members(connection, "acme", "friends", ["447700900002", "447700900003"]) == 1
        assert groups.remove_members(connection, "acme", "Friends", ["447700900001", "447700900009"]) == 1
        assert members(connection) == ["447700900002", "447700900003"]
        assert members(connection, account="other") == []
        assert groups.counts(connection) == [("acme", "Friends", 2), ("other", "friends", 0)]
        assert groups.counts(connection, "other") == [("other", "friends", 0)]


def test_a_group_goes_with_its_members(written: Database) -> None:
    with written.writing() as connection:
        assert groups.remove_group(connection, "acme", "friends") == "Friends"
        assert groups.groups(connection, "acme") == []
        groups.add_group(connection, "acme", "friends")
        assert members(connection) == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("acme", "friends"), "conflict"),
        (("acme", " "), "invalid"),
        (("acme", "x" * 65), "invalid"),
        (("acme", "a\nb"), "invalid"),
        (("nobody", "x"), "not_found"),
        (("acme", "x", ["12"]), "invalid"),
        (("acme", "x", ["Bank"]), "invalid"),
    ],
)
def test_what_cannot_be_a_group(written: Database, arguments: tuple[Any, ...], kind: str) -> None:
    assert refused(written, groups.add_group, *arguments) == kind
    with written.reading() as connection:
        assert list(groups.groups(connection, "acme")) == ["Friends"]


def test_what_is_not_there(written: Database) -> None:
    for function in (groups.group_members, groups.remove_group, groups.group_named):
        assert refused(written, function, "acme", "foes") == "not_found"
    assert refused(written, groups.add_members, "acme", "foes", ["447700900001"]) == "not_found"


def test_a_group_has_a_bound(written: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_MEMBERS", 3)
    monkeypatch.setattr(groups, "MOST_GROUPS", 1)
    many = ["447700900001", "447700900003", "447700900004"]
    assert refused(written, groups.add_members, "acme", "friends", many) == "conflict"
    assert refused(written, groups.add_group, "acme", "more") == "conflict"
