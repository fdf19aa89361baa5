"""``homing ledger``: the billing record of an account."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from homing.cli.opening import opened
from homing.cli.options import Config, Json
from homing.cli.output import plain, show, writing_stdout
from homing.model.errors import Refusal

app = typer.Typer(help="The billing record.", no_args_is_help=True)

COLUMNS = (
    "id", "at", "kind", "account", "reference", "from", "to", "network", "segments", "status", "note",
    "subaccount", "credits",
)  # fmt: skip


@app.callback()
def ledger() -> None:
    """The billing record."""


@app.command(epilog="Example: homing ledger export --account acme --month 2026-03 --csv march.csv")
def export(
    account: Annotated[str, typer.Option(help="Whose record.")],
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Which month, in UTC.")],
    csv_: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write CSV into this file; else to stdout.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Export submissions, reports, messages and credits of a month, oldest first."""
    from homing.store import customers
    from homing.store.reading import ledger_entries, month_of

    try:
        from_ms, until_ms = month_of(month)
    except Refusal as refusal:
        raise typer.BadParameter(refusal.text) from None
    with opened(config) as (_settings, database), database.reading() as connection:
        customers.account_named(connection, account)
        entries = ledger_entries(connection, account, from_ms, until_ms)
        if csv_ is not None:
            count = _write_file(csv_, entries)
            document = {"entries": count, "file": str(csv_)}
            show(as_json, document, lambda to: to.print(plain(f"{count} entries in {csv_}"), soft_wrap=True))
        elif as_json:
            show(as_json, {"items": list(entries)}, lambda _to: None)
        else:
            with writing_stdout():
                _write_csv(sys.stdout, entries)


def _write_file(path: Path, entries: Iterable[dict[str, Any]]) -> int:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            return _write_csv(file, entries)
    except OSError as error:
        raise Refusal("unavailable", f"{path} cannot be written: {error.strerror}") from None


def _write_csv(file: Any, entries: Iterable[dict[str, Any]]) -> int:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    count = 0
    for count, entry in enumerate(entries, 1):  # noqa: B007  (counts)
        writer.writerow({name: _harmless(value) for name, value in entry.items()})
    return count


def _harmless(value: Any) -> Any:
    """What a spreadsheet would take for a formula begins with an apostrophe: notes are customers' words."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
