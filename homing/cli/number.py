"""``homing number``: whose numbers and short codes are whose."""

from typing import Annotated, Any

import typer
from rich.console import Console

from homing.cli.opening import opened, say_warning
from homing.cli.options import Config, Json
from homing.cli.output import print_pairs, show, table

app = typer.Typer(help="Numbers and short codes, and whose they are.", no_args_is_help=True)

Digits = Annotated[str, typer.Argument(metavar="NUMBER", help="Short code, or number in international form.")]
Keyword = Annotated[
    str | None,
    typer.Option(
        help="Only messages that begin with this word, in any case; the others are the plain owner's."
    ),
]


@app.command(epilog="Example: homing number add 60999 --account acme --keyword STOP")
def add(
    number: Digits,
    account: Annotated[str, typer.Option(help="The account it belongs to.")],
    keyword: Keyword = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Code that its messages carry: one of homing networks."),
    ] = None,
    carrier_code: Annotated[
        str | None, typer.Option(metavar="MCCMNC", help="The network's MCC and MNC.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give a number, or a keyword on a shared one, to a customer."""
    from homing.model.account import Number
    from homing.model.networks import doubt_about
    from homing.store import customers

    with opened(config) as (_settings, database), database.writing() as connection:
        made = customers.add_number(
            connection,
            Number(
                number=number, account=account, keyword=keyword, network=network, carrier_code=carrier_code
            ),
        )
    doubt = doubt_about(made.network)
    if doubt is not None:
        say_warning(doubt)
    document = _document(made)
    show(as_json, document, lambda to: print_pairs(to, f"Number {made.number}", document))


@app.command("list", epilog="Example: homing number list --account acme")
def list_(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List numbers and their owners."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.reading() as connection:
        if account is not None:
            customers.account_named(connection, account)
        items = [_document(number) for number in customers.numbers(connection, account)]

    def people(to: Console) -> None:
        columns = ("number", "keyword", "account", "network", "carrier_code")
        rows = [[each[column] for column in columns] for each in items]
        empty = "There is no number yet: homing number add NUMBER --account NAME"
        to.print(table("Numbers", columns, rows, empty))

    show(as_json, {"items": items}, people)


@app.command(epilog="Example: homing number remove 60999 --keyword STOP")
def remove(number: Digits, keyword: Keyword = None, config: Config = None, as_json: Json = False) -> None:
    """Take a number from its account. Messages to it are kept, unrouted."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.writing() as connection:
        document = _document(customers.remove_number(connection, number, keyword))
    show(as_json, document, lambda to: to.print(f"{document['number']} belongs to nobody now."))


def _document(number: Any) -> dict[str, Any]:
    return {
        "number": number.number,
        "keyword": number.keyword,
        "account": number.account,
        "network": number.network,
        "carrier_code": number.carrier_code,
    }
