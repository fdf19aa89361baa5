"""Groups of recipients in the store: named lists of numbers of an account, to send to all of them at once.

Names are kept as they were written and found without regard to case. What cannot be done is a
:class:`Refusal` whose text may be shown.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, insert, select

from homing.engine.directory import normalise_number
from homing.model.errors import Refusal
from homing.store import tables as t
from homing.store.customers import account_named

MOST_MEMBERS = 10_000
MOST_GROUPS = 1_000
_LONGEST_NAME = 64
_DIGITS = range(3, 21)

_g, _m = t.groups.c, t.group_members.c


def add_group(connection: Connection, account: str, name: str, members: Iterable[str] = ()) -> str:
    """Write a new group with these members; returns its name as it is kept."""
    account_named(connection, account)
    kept = name.strip()
    if not (0 < len(kept) <= _LONGEST_NAME and kept.isprintable()):
        raise Refusal("invalid", f"the name of a group is 1 to {_LONGEST_NAME} printable characters")
    names = groups(connection, account)
    if kept.casefold() in map(str.casefold, names):
        raise Refusal("conflict", f"account {account} has a group {kept} already")
    if len(names) >= MOST_GROUPS:
        raise Refusal("conflict", f"an account has at most {MOST_GROUPS} groups")
    connection.execute(insert(t.groups).values(account=account, name=kept))
    add_members(connection, account, kept, members)
    return kept


def remove_group(connection: Connection, account: str, name: str) -> str:
    """Take a group away, with its list; returns its name."""
    kept = group_named(connection, account, name)
    connection.execute(delete(t.group_members).where(_m.account == account, _m.group_name == kept))
    connection.execute(delete(t.groups).where(_g.account == account, _g.name == kept))
    return kept


def groups(connection: Connection, account: str) -> Sequence[str]:
    """The names of an account's groups."""
    return connection.scalars(select(_g.name).where(_g.account == account).order_by(_g.name)).all()


def counts(connection: Connection, account: str | None = None) -> Sequence[tuple[str, str, int]]:
    """(account, name, how many members) of every group, of one account or of all."""
    question = (
        select(_g.account, _g.name, func.count(_m.number).label("members"))
        .select_from(
            t.groups.outerjoin(t.group_members, (_m.account == _g.account) & (_m.group_name == _g.name))
        )
        .group_by(_g.account, _g.name)
        .order_by(_g.account, _g.name)
    )
    if account is not None:
        question = question.where(_g.account == account)
    return [(row.account, row.name, row.members) for row in connection.execute(question)]


def group_named(connection: Connection, account: str, name: str) -> str:
    """The name of a group as it is kept, or a refusal."""
    wanted = name.strip().casefold()
    for kept in groups(connection, account):
        if kept.casefold() == wanted:
            return kept
    raise Refusal("not_found", f"account {account} has no group {name[:_LONGEST_NAME]}")


def group_members(connection: Connection, account: str, name: str) -> Sequence[str]:
    """The numbers of a group, in the order of their digits."""
    kept = group_named(connection, account, name)
    return connection.scalars(
        select(_m.number).where(_m.account == account, _m.group_name == kept).order_by(_m.number)
    ).all()


def add_members(connection: Connection, account: str, name: str, members: Iterable[str]) -> int:
    """Write members that are not there yet; returns how many that were."""
    known = set(group_members(connection, account, name))
    kept = group_named(connection, account, name)
    new = sorted({_number(member) for member in members} - known)
    if len(known) + len(new) > MOST_MEMBERS:
        raise Refusal("conflict", f"a group has at most {MOST_MEMBERS} members")
    if new:
        rows = [{"account": account, "group_name": kept, "number": number} for number in new]
        connection.execute(insert(t.group_members), rows)
    return len(new)


def remove_members(connection: Connection, account: str, name: str, members: Iterable[str]) -> int:
    """Take members away; returns how many were there."""
    kept = group_named(connection, account, name)
    gone = 0
    for number in {_number(member) for member in members}:
        this = (_m.account == account) & (_m.group_name == kept) & (_m.number == number)
        gone += connection.execute(delete(t.group_members).where(this)).rowcount
    return gone


def _number(text: str) -> str:
    number = normalise_number(text)
    if not (number.isascii() and number.isdigit()) or len(number) not in _DIGITS:
        raise Refusal("invalid", f"not a number: {text[:40]}")
    return number
