"""Customers in the store: accounts, their endpoints and numbers, made and changed by commands and faces.

Every change raises the directory's version in the same transaction; running nodes watch that number and
read everything anew. What cannot be done is a :class:`Refusal` whose text may be shown.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from homing.engine.directory import Directory, MakeLinks, normalise_number
from homing.model.account import Account, Endpoint, Number
from homing.model.clock import id_beside, now_ms
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal
from homing.model.networks import is_carrier_code, is_network_code, network_of
from homing.store import tables as t
from homing.store.database import Database
from homing.store.sql import DIRECTORY_VERSION

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
ENDPOINT_REMOVED = "endpoint removed"
"""The error of deliveries that were pending at an endpoint when it was removed."""
END_LIMIT = 5_000
"""Deliveries ended in one transaction, so that a running node never waits long for the store."""
PENDING: Any = literal_column(str(int(DeliveryState.PENDING)))  # SQLite's partial indexes want to read it


def load_directory(
    database: Database, former: Directory | None = None, links: MakeLinks | None = None
) -> Directory:
    """Accounts, endpoints and numbers as they stand now; ``former`` lends what has not changed."""
    with database.reading() as connection:
        version = connection.scalar(select(t.facts.c.value).where(t.facts.c.name == DIRECTORY_VERSION)) or 0
        return Directory(
            accounts(connection), endpoints(connection), numbers(connection), version, former, links
        )


def _changed(connection: Connection) -> None:
    f = t.facts
    connection.execute(update(f).where(f.c.name == DIRECTORY_VERSION).values(value=f.c.value + 1))


# --- accounts ---


def add_account(connection: Connection, account: Account) -> None:
    """Write a new account. A metered one can send nothing until ``add_credit``."""
    if not ACCOUNT_NAME.fullmatch(account.name):
        raise Refusal("invalid", "an account name is 1 to 64 letters, digits, dots, dashes and underscores")
    if _account_row(connection, account.name) is not None:
        raise Refusal("conflict", f"account {account.name} exists already")
    try:
        connection.execute(
            insert(t.accounts).values(
                **_account_values(account),
                name=account.name,
                created_at_ms=account.created_at_ms or now_ms(),
            )
        )
    except IntegrityError:
        raise Refusal("conflict", f"account {account.name} exists already") from None
    _changed(connection)


def change_account(connection: Connection, account: Account) -> None:
    """Write everything of an account but its name."""
    a = t.accounts
    changed = connection.execute(update(a).where(a.c.name == account.name).values(**_account_values(account)))
    if not changed.rowcount:
        raise Refusal("not_found", f"there is no account {account.name}")
    _changed(connection)


def account_named(connection: Connection, name: str) -> Account:
    """One account, or a refusal."""
    row = _account_row(connection, name)
    if row is None:
        raise Refusal("not_found", f"there is no account {name}")
    return _account(row)


def accounts(connection: Connection) -> list[Account]:
    """Every account by name."""
    return [_account(row) for row in connection.execute(select(t.accounts).order_by(t.accounts.c.name))]


def parse_networks(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks in CIDR form, as they are kept."""
    found = []
    for address in addresses:
        try:
            found.append(str(ipaddress.ip_network(address.strip(), strict=False)))
        except ValueError:
            raise Refusal("invalid", f"not an address or network: {address}") from None
    return tuple(dict.fromkeys(found))


def add_credit(
    connection: Connection, name: str, credits: float, note: str | None, node: int, id_: int | None = None
) -> float:
    """Enter a change of the balance into the ledger; returns the new balance. Unlimited ones have one too.

    ``id_`` is that of the entry; without one it is made as for a command beside this node.
    """
    account_named(connection, name)
    b = t.balances
    changed = connection.execute(update(b).where(b.c.account == name).values(credits=b.c.credits + credits))
    if not changed.rowcount:
        connection.execute(insert(b).values(account=name, credits=credits))
    entry = {
        "id": id_beside(node, now_ms()) if id_ is None else id_,
        "kind": "credit",
        "account": name,
        "sender": "",
        "recipient": "",
        "segments": 0,
        "note": note,
        "credits": credits,
    }
    connection.execute(insert(t.ledger).values(**entry))
    return balance(connection, name) or 0.0


def balance(connection: Connection, name: str) -> float | None:
    """Credits left; None when no credit was ever entered."""
    credits: float | None = connection.scalar(
        select(t.balances.c.credits).where(t.balances.c.account == name)
    )
    return credits


def _account_row(connection: Connection, name: str) -> Any:
    return connection.execute(select(t.accounts).where(t.accounts.c.name == name)).first()


def _account(row: Any) -> Account:
    return Account(
        name=row.name,
        password_hash=row.password_hash,
        inbound_password_hash=row.inbound_password_hash,
        api_key_hash=row.api_key_hash,
        token=row.token,
        disabled=row.disabled,
        metered=row.metered,
        allowed_addresses=tuple(json.loads(row.allowed_addresses)),
        created_at_ms=row.created_at_ms,
    )


def _account_values(account: Account) -> dict[str, Any]:
    return {
        "password_hash": account.password_hash,
        "inbound_password_hash": account.inbound_password_hash,
        "api_key_hash": account.api_key_hash,
        "token": account.token,
        "disabled": account.disabled,
        "metered": account.metered,
        "allowed_addresses": json.dumps(account.allowed_addresses),
    }


# --- endpoints ---


def add_endpoint(connection: Connection, endpoint: Endpoint) -> int:
    """Write a new endpoint (its ``id`` is given here and returned)."""
    account_named(connection, endpoint.account)
    made = msgspec.structs.replace(endpoint, id=0, created_at_ms=endpoint.created_at_ms or now_ms())
    inserted = connection.execute(
        insert(t.endpoints).values(account=made.account, definition=msgspec.json.encode(made))
    )
    _changed(connection)
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def change_endpoint(connection: Connection, endpoint: Endpoint) -> None:
    """Write a new definition of an endpoint that is there."""
    e = t.endpoints
    changed = connection.execute(
        update(e)
        .where(e.c.id == endpoint.id, e.c.removed_at_ms.is_(None))
        .values(definition=msgspec.json.encode(endpoint))
    )
    if not changed.rowcount:
        raise Refusal("not_found", f"there is no endpoint {endpoint.id}")
    _changed(connection)


def remove_endpoint(connection: Connection, id_: int) -> None:
    """Remove an endpoint. ``end_deliveries`` sees to what is pending there."""
    e = t.endpoints
    removed = connection.execute(
        update(e).where(e.c.id == id_, e.c.removed_at_ms.is_(None)).values(removed_at_ms=now_ms())
    )
    if not removed.rowcount:
        raise Refusal("not_found", f"there is no endpoint {id_}")
    _changed(connection)


def removed_with_pending(connection: Connection) -> list[int]:
    """Removed endpoints at which deliveries are still pending: a node may bear some until it has noticed."""
    e, d = t.endpoints.c, t.deliveries.c
    is_pending = select(d.event).where(d.endpoint == e.id, d.state == PENDING).limit(1).exists()
    return list(connection.scalars(select(e.id).where(e.removed_at_ms.is_not(None), is_pending)))


def end_deliveries(connection: Connection, endpoint: int, limit: int = END_LIMIT) -> int:
    """Turn some of what is pending at a removed endpoint into dead letters; returns how many."""
    d = t.deliveries
    these = select(d.c.event).where(d.c.endpoint == endpoint, d.c.state == PENDING).limit(limit)
    ended = connection.execute(
        update(d)
        .where(d.c.endpoint == endpoint, d.c.state == PENDING, d.c.event.in_(these.scalar_subquery()))
        .values(
            state=int(DeliveryState.DEAD),
            attempt=d.c.attempt - 1,  # the one that was due is not made any more
            error=ENDPOINT_REMOVED,
            finished_at_ms=now_ms(),
            claim_node=None,
            claim_life=None,
        )
    )
    return ended.rowcount


def endpoint_with_id(connection: Connection, id_: int) -> Endpoint:
    """One endpoint, or a refusal."""
    e = t.endpoints.c
    row = connection.execute(select(t.endpoints).where(e.id == id_, e.removed_at_ms.is_(None))).first()
    if row is None:
        raise Refusal("not_found", f"there is no endpoint {id_}")
    return _endpoint(row)


def endpoints(connection: Connection, account: str | None = None) -> list[Endpoint]:
    """Every endpoint that has not been removed, of one account or of all."""
    e = t.endpoints.c
    question = select(t.endpoints).where(e.removed_at_ms.is_(None)).order_by(e.id)
    if account is not None:
        question = question.where(e.account == account)
    return [_endpoint(row) for row in connection.execute(question)]


def expire_secrets(connection: Connection, at_ms: int) -> int:
    """Drop the old signing secrets whose time is over; returns of how many endpoints."""
    expired = [endpoint for endpoint in endpoints(connection) if 0 < endpoint.old_secrets_until_ms <= at_ms]
    for endpoint in expired:
        kept = msgspec.structs.replace(endpoint, secrets=endpoint.secrets[:1], old_secrets_until_ms=0)
        change_endpoint(connection, kept)
    return len(expired)


def _endpoint(row: Any) -> Endpoint:
    made = msgspec.json.decode(row.definition, type=Endpoint)
    return msgspec.structs.replace(made, id=row.id)


# --- numbers ---


def add_number(connection: Connection, number: Number) -> Number:
    """Write a number, normalised; a number (with this keyword) belongs to one account."""
    account_named(connection, number.account)
    digits = normalise_number(number.number)
    if not (digits.isascii() and digits.isdigit()):  # nothing else ever comes from a network
        raise Refusal("invalid", f"not a number: {number.number}")
    keyword = (number.keyword or "").strip().casefold()
    if len(keyword.split()) > 1:
        raise Refusal("invalid", "a keyword is one word")
    if number.network is not None and not is_network_code(number.network):
        raise Refusal("invalid", f"a network code is of upper-case letters and digits, not {number.network}")
    if number.carrier_code is not None and not is_carrier_code(number.carrier_code):
        raise Refusal("invalid", f"MCC and MNC are 5 or 6 digits, not {number.carrier_code}")
    made = msgspec.structs.replace(number, number=digits, keyword=keyword or None)
    n = t.numbers
    owner = connection.scalar(select(n.c.account).where(n.c.number == digits, n.c.keyword == keyword))
    if owner is not None:
        raise Refusal("conflict", f"{_spell(made)} belongs to account {owner} already")
    connection.execute(
        insert(n).values(
            number=digits,
            keyword=keyword,
            account=made.account,
            network=made.network,
            carrier_code=made.carrier_code,
        )
    )
    _changed(connection)
    return _with_network(made)


def remove_number(connection: Connection, number: str, keyword: str | None) -> Number:
    """Take a number (with this keyword) from its account."""
    n = t.numbers
    digits, word = normalise_number(number), (keyword or "").strip().casefold()
    this = (n.c.number == digits) & (n.c.keyword == word)
    row = connection.execute(select(n).where(this)).first()
    if row is None:
        named = _spell(Number(number=digits, account="", keyword=word or None))
        raise Refusal("not_found", f"{named} belongs to nobody")
    connection.execute(delete(n).where(this))
    _changed(connection)
    return _number(row)


def numbers(connection: Connection, account: str | None = None) -> Sequence[Number]:
    """Every number, of one account or of all."""
    n = t.numbers.c
    question = select(t.numbers).order_by(n.number, n.keyword)
    if account is not None:
        question = question.where(n.account == account)
    return [_number(row) for row in connection.execute(question)]


def _number(row: Any) -> Number:
    return _with_network(
        Number(
            number=row.number,
            account=row.account,
            keyword=row.keyword or None,
            network=row.network,
            carrier_code=row.carrier_code,
        )
    )


def _with_network(number: Number) -> Number:
    """Without a network code of its own a number has that of its MCC and MNC: as the table says today."""
    if number.network is not None:
        return number
    return msgspec.structs.replace(number, network=network_of(number.carrier_code))


def _spell(number: Number) -> str:
    return f"number {number.number}" + (f" with keyword {number.keyword}" if number.keyword else "")
