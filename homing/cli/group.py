"""``homing group``: named lists of recipients that a customer sends to at once."""

from typing import Annotated, Any

import typer

from homing.cli.opening import opened
from homing.cli.options import Config, Json
from homing.cli.output import print_pairs, show, table

app = typer.Typer(help="Groups of recipients.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the group; case makes no difference.")]
Account = Annotated[str, typer.Option("--account", metavar="A", help="Whose group it is.")]
Members = Annotated[
    list[str] | None, typer.Option("--member", metavar="N", help="A number; may be repeated.")
]


@app.command(epilog="Example: homing group add friends --account acme --member 447700900001")
def add(
    name: Name, account: Account, member: Members = None, config: Config = None, as_json: Json = False
) -> None:
    """Make a group, with its first members."""
    from homing.store import groups

    with opened(config) as (_settings, database), database.writing() as connection:
        kept = groups.add_group(connection, account, name, member or ())
        document = _document(connection, account, kept)
    _show(as_json, document)


@app.command("list", epilog="Example: homing group list --account acme")
def list_(
    account: Annotated[str | None, typer.Option(metavar="A", help="Only this account's.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List groups, and how many members they have."""
    from homing.store import customers, groups

    with opened(config) as (_settings, database), database.reading() as connection:
        if account is not None:
            customers.account_named(connection, account)
        rows = groups.counts(connection, account)
    items = [{"account": owner, "name": name, "members": count} for owner, name, count in rows]
    empty = "There is no group yet: homing group add NAME --account A --member N"
    columns = ("account", "name", "members")
    show(as_json, {"items": items}, lambda to: to.print(table("Groups", columns, rows, empty)))


@app.command("show", epilog="Example: homing group show friends --account acme")
def show_(name: Name, account: Account, config: Config = None, as_json: Json = False) -> None:
    """Show a group with its members."""
    with opened(config) as (_settings, database), database.reading() as connection:
        document = _document(connection, account, name)
    _show(as_json, document)


@app.command(
    "add-members", epilog="Example: homing group add-members friends --account acme --member 447700900003"
)
def add_members(
    name: Name, account: Account, member: Members = None, config: Config = None, as_json: Json = False
) -> None:
    """Add members; those that are there already stay."""
    from homing.store import groups

    with opened(config) as (_settings, database), database.writing() as connection:
        groups.add_members(connection, account, name, member or ())
        document = _document(connection, account, name)
    _show(as_json, document)


@app.command(
    "remove-members",
    epilog="Example: homing group remove-members friends --account acme --member 447700900003",
)
def remove_members(
    name: Name, account: Account, member: Members = None, config: Config = None, as_json: Json = False
) -> None:
    """Take members away."""
    from homing.store import groups

    with opened(config) as (_settings, database), database.writing() as connection:
        groups.remove_members(connection, account, name, member or ())
        document = _document(connection, account, name)
    _show(as_json, document)


@app.command(epilog="Example: homing group remove friends --account acme")
def remove(name: Name, account: Account, config: Config = None, as_json: Json = False) -> None:
    """Remove a group; nothing is sent and nothing recalled."""
    from homing.store import groups

    with opened(config) as (_settings, database), database.writing() as connection:
        document = _document(connection, account, name)
        groups.remove_group(connection, account, name)
    show(as_json, document, lambda to: to.print(f"Group {document['name']} of {account} is gone."))


def _document(connection: Any, account: str, name: str) -> dict[str, Any]:
    from homing.store import groups

    kept = groups.group_named(connection, account, name)
    return {
        "account": account,
        "name": kept,
        "members": list(groups.group_members(connection, account, kept)),
    }


def _show(as_json: bool, document: dict[str, Any]) -> None:
    shown = document | {"members": ", ".join(document["members"]) or "none"}
    show(as_json, document, lambda to: print_pairs(to, f"Group {document['name']}", shown))
