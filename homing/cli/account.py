"""``homing account``: customers and their credentials."""

from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console

from homing.cli.opening import opened
from homing.cli.options import Config, Json
from homing.cli.output import print_pairs, show, state, table

app = typer.Typer(help="Customers and their credentials.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")]
What = Literal["password", "inbound-password", "api-key"]


AMOUNTS_BELOW = 1e12
"""Balances far from where a sum loses hundredths, or becomes infinite."""


def _amount(amount: float | None) -> float | None:
    if amount is not None and not abs(amount) < AMOUNTS_BELOW:  # NaN is not below anything
        raise typer.BadParameter(f"an amount is below {AMOUNTS_BELOW:.0f}")
    return amount


@app.command(epilog="Example: homing account add acme --password s3cret")
def add(
    name: Name,
    password: Annotated[str | None, typer.Option(help="API password; made when left out.")] = None,
    inbound_password: Annotated[
        str | None, typer.Option(help="Password for retrieving MMS; made when left out.")
    ] = None,
    credits: Annotated[
        float | None,
        typer.Option(min=0, callback=_amount, help="First credits; without it the account is unlimited."),
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="Only these addresses may use SMSSend.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Add a customer. The secrets are shown once."""
    from homing.engine.enrol import make_account
    from homing.store import customers

    with opened(config) as (settings, database):
        account, secrets = make_account(
            name,
            password=password,
            inbound_password=inbound_password,
            metered=credits is not None,
            allowed_addresses=customers.parse_networks(allow or ()),
        )
        with database.writing() as connection:
            customers.add_account(connection, account)
            if credits is not None:
                customers.add_credit(connection, name, credits, "first credits", settings.node.id)
    document = {"name": name, **msgspec.structs.asdict(secrets)}

    def people(to: Console) -> None:
        print_pairs(to, f"Account {name}", document)
        to.print("[yellow]The passwords and the API key are not shown again.[/]")

    show(as_json, document, people)


@app.command("list", epilog="Example: homing account list")
def list_(config: Config = None, as_json: Json = False) -> None:
    """List all customers."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.reading() as connection:
        items = [_document(connection, account) for account in customers.accounts(connection)]

    def people(to: Console) -> None:
        rows = [
            (
                each["name"],
                state("disabled" if each["disabled"] else "enabled"),
                "unlimited" if each["credits"] is None else f"{each['credits']:g}",
                len(each["endpoints"]),
                ", ".join(each["numbers"]),
            )
            for each in items
        ]
        columns = ("name", "state", "credits", "endpoints", "numbers")
        empty = "There is no account yet: homing account add NAME"
        to.print(table("Accounts", columns, rows, empty, folds=["numbers"]))

    show(as_json, {"items": items}, people)


@app.command("show", epilog="Example: homing account show acme")
def show_(name: Name, config: Config = None, as_json: Json = False) -> None:
    """Show a customer: token, signature, credits, endpoints, numbers."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.reading() as connection:
        document = _document(connection, customers.account_named(connection, name))
    _show(as_json, document)


@app.command(epilog="Example: homing account disable acme")
def disable(name: Name, config: Config = None, as_json: Json = False) -> None:
    """Refuse a customer's logins and park his deliveries; nothing is lost."""
    _change(name, config, as_json, disabled=True)


@app.command(epilog="Example: homing account enable acme")
def enable(name: Name, config: Config = None, as_json: Json = False) -> None:
    """Let a disabled customer in again; what waited for him goes out."""
    _change(name, config, as_json, disabled=False)


@app.command(epilog="Example: homing account allow acme 192.0.2.7 198.51.100.0/24")
def allow(
    name: Name,
    networks: Annotated[
        list[str] | None, typer.Argument(metavar="NETWORK…", help="Addresses or networks; none = any.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say from which addresses a customer may use SMSSend and bulksend."""
    from homing.store.customers import parse_networks

    _change(name, config, as_json, allowed_addresses=parse_networks(networks or ()))


@app.command(epilog="Example: homing account rotate acme --what api-key")
def rotate(
    name: Name,
    what: Annotated[What, typer.Option(help="Which secret.")] = "password",
    value: Annotated[str | None, typer.Option(help="The new password; made when left out.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give a customer a new secret; the former one ends at once."""
    from homing.engine import enrol
    from homing.store import customers

    with opened(config) as (_settings, database), database.writing() as connection:
        account, secret = enrol.rotate(customers.account_named(connection, name), what, value)
        customers.change_account(connection, account)
    document = {"name": name, what.replace("-", "_"): secret}
    show(as_json, document, lambda to: print_pairs(to, f"Account {name}", document))


@app.command(
    epilog="Example: homing account credit acme 500 --note 'invoice 17'",
    context_settings={"ignore_unknown_options": True},
)
def credit(
    name: Name,
    amount: Annotated[
        float,
        typer.Argument(metavar="±N", callback=_amount, help="Credits to add, or to take with a minus."),
    ],
    note: Annotated[str | None, typer.Option(help="Why; stands in the ledger.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Enter credits into the ledger. An account without a credit line stays unlimited."""
    from homing.store import customers

    with opened(config) as (settings, database), database.writing() as connection:
        balance = customers.add_credit(connection, name, amount, note, settings.node.id)
    document = {"name": name, "credits": balance}
    show(as_json, document, lambda to: to.print(f"{name} has {balance:g} credits."))


def _change(name: str, config: Any, as_json: bool, **changes: Any) -> None:
    from homing.store import customers

    with opened(config) as (_settings, database):
        with database.writing() as connection:
            account = customers.account_named(connection, name)
            customers.change_account(connection, msgspec.structs.replace(account, **changes))
        with database.reading() as connection:
            document = _document(connection, customers.account_named(connection, name))
    _show(as_json, document)


def _show(as_json: bool, document: dict[str, Any]) -> None:
    credits = "unlimited" if document["credits"] is None else f"{document['credits']:g}"
    title = f"Account {document['name']}"
    show(as_json, document, lambda to: print_pairs(to, title, document | {"credits": credits}))


def _document(connection: Any, account: Any) -> dict[str, Any]:
    from homing.engine.credentials import signature
    from homing.store import customers
    from homing.store.documents import time_text

    return {
        "name": account.name,
        "disabled": account.disabled,
        "token": account.token,
        "signature": signature(account.name, account.token, account.password_hash),
        "credits": customers.balance(connection, account.name) if account.metered else None,
        "allowed_addresses": list(account.allowed_addresses),
        "created_at": time_text(account.created_at_ms),
        "endpoints": [endpoint.id for endpoint in customers.endpoints(connection, account.name)],
        "numbers": [
            f"{number.number} {number.keyword}" if number.keyword else number.number
            for number in customers.numbers(connection, account.name)
        ],
    }
