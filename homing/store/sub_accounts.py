"""Sub-accounts in the store: who made whom, their devices, and credits that move between them.

Each change is one transaction, so what is refused has changed nothing. The adapter of
``engine.sub_accounts.SubAccounts``.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from homing.engine.sub_accounts import MOST_SUB_ACCOUNTS, AccountProblem, Code, DeviceKind
from homing.model.account import Account, Endpoint, Profile
from homing.model.errors import Refusal
from homing.store import customers
from homing.store import tables as t
from homing.store.database import Database

_s, _d = t.sub_accounts.c, t.devices.c


class StoreSubAccounts:
    """``SubAccounts`` of one store, for any thread."""

    def __init__(self, database: Database, new_id: Callable[[], int]) -> None:
        """``new_id`` makes ids of ledger entries."""
        self._database = database
        self._new_id = new_id

    def profile(self, account: str) -> Profile | None:
        with self._database.reading() as connection:
            octets = connection.scalar(select(_s.profile).where(_s.account == account))
        return None if octets is None else msgspec.json.decode(octets, type=Profile)

    def add(self, parent: str, account: Account, profile: Profile) -> None:
        with self._database.writing() as connection:
            _expect_maker(connection, parent)
            code = profile.sms_in.casefold()
            _expect_unused(connection, _s.email, profile.email.casefold(), "EMAIL_ADDRESS_IN_USE")
            _expect_unused(connection, _s.sms_in, code, "SMSIN_IN_USE")
            _expect_unused(connection, _s.web_text, profile.web_text.casefold(), "WEBTEXT_IN_USE")
            try:
                customers.add_account(connection, account)
            except Refusal as refusal:
                raise AccountProblem("USERNAME_IN_USE", refusal.text) from None
            connection.execute(
                insert(t.sub_accounts).values(
                    account=account.name, parent=parent, email=profile.email.casefold(), sms_in=code,
                    web_text=profile.web_text.casefold(), profile=msgspec.json.encode(profile),
                )
            )  # fmt: skip
            if code:
                _share_numbers(connection, parent, account.name, code)

    def register_device(
        self, parent: str, name: str, device: str, kind: DeviceKind, endpoint: Endpoint | None
    ) -> None:
        with self._database.writing() as connection:
            _expect_own(connection, parent, name)
            if connection.scalar(select(_d.account).where(_d.device == device)) is not None:
                raise AccountProblem("DEVICE_IN_USE", f"{device} is registered already")
            connection.execute(insert(t.devices).values(device=device, kind=kind, account=name))
            if endpoint is not None:
                customers.add_endpoint(connection, endpoint)

    def transfer(self, parent: str, name: str, credits: float, note: str) -> None:
        with self._database.writing() as connection:
            _expect_own(connection, parent, name)
            giver = customers.account_named(connection, parent)
            balance = connection.scalar(
                select(t.balances.c.credits).where(t.balances.c.account == parent).with_for_update()
            )
            if giver.metered and round((balance or 0.0) - credits, 4) < 0:
                raise AccountProblem("GENERAL_ERROR", "there are not enough credits")
            for account, change, said in (
                (parent, -credits, f"to {name}"),
                (name, credits, f"from {parent}"),
            ):
                customers.add_credit(connection, account, change, note or said, 0, self._new_id())


def _expect_maker(connection: Connection, parent: str) -> None:
    """Only accounts of the operator make others, and not without end."""
    if connection.scalar(select(_s.parent).where(_s.account == parent)) is not None:
        raise AccountProblem("UNAUTHORIZED_ACCESS", "this account cannot have users of its own")
    count = connection.scalar(select(func.count()).select_from(t.sub_accounts).where(_s.parent == parent))
    if (count or 0) >= MOST_SUB_ACCOUNTS:
        raise AccountProblem("GENERAL_ERROR", f"an account has at most {MOST_SUB_ACCOUNTS} users")


def _expect_own(connection: Connection, parent: str, name: str) -> None:
    """Whoever is not the maker does not learn whether the name exists."""
    if connection.scalar(select(_s.parent).where(_s.account == name)) != parent:
        raise AccountProblem("UNAUTHORIZED_ACCESS", "this account has no such user")


def _expect_unused(connection: Connection, column: Any, value: str, code: Code) -> None:
    if value and connection.scalar(select(_s.account).where(column == value).limit(1)) is not None:
        raise AccountProblem(code, f"{value} belongs to another user")


def _share_numbers(connection: Connection, parent: str, name: str, code: str) -> None:
    """Messages to the maker's numbers that begin with ``+CODE`` are the user's."""  # upside.md §6.2
    for number in customers.numbers(connection, parent):
        if number.keyword is None:
            try:
                customers.add_number(
                    connection, msgspec.structs.replace(number, account=name, keyword=f"+{code}")
                )
            except Refusal as refusal:
                raise AccountProblem("SMSIN_IN_USE", refusal.text) from None
