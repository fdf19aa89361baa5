"""The command line. One module for each noun; this one only hangs them into the tree.

Every command takes ``--config`` and ``--json`` and exits with 0 (done), 1 (failed) or 2 (wrong use). They
work on the store, with or without a running node. What takes long to import is imported when needed.
"""

import sys
from collections.abc import Sequence

import typer

from homing import __version__
from homing.cli import account, deliveries, endpoint, group, ledger, mms, network, node, number, submission
from homing.cli.opening import plain_errors, say_error

app = typer.Typer(
    name="homing",
    help="SMS gateway for the return path: delivery reports and received messages come home, durably.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog="Example: homing init")(node.init)
app.command(epilog="Example: homing check --config homing.toml")(node.check)
app.command(epilog="Example: homing serve --config homing.toml")(node.serve)
app.command(epilog="Example: homing migrate --config homing.toml")(node.migrate)
app.command(epilog="Example: homing demo --once")(node.demo)
app.add_typer(account.app, name="account")
app.add_typer(endpoint.app, name="endpoint")
app.add_typer(number.app, name="number")
app.add_typer(group.app, name="group")
app.command(epilog="Example: homing send --account acme --from 60999 --to 447700900123 'Hello'")(
    submission.send
)
app.command(epilog="Example: homing trace 913270060443762688")(submission.trace)
app.add_typer(deliveries.deliveries, name="deliveries")
app.add_typer(deliveries.messages, name="messages")
app.command(epilog="Example: homing replay --account acme --since 2h")(deliveries.replay)
app.command(epilog="Example: homing links")(network.links)
app.command(epilog="Example: homing networks --country GB")(network.networks)
app.add_typer(ledger.app, name="ledger")
network.simulate.command(
    "mms", epilog="Example: homing simulate mms --from 447700900123 --to 60999 --subject Hello photo.jpg"
)(mms.simulate_mms)
app.add_typer(network.simulate, name="simulate")
app.command(epilog="Example: homing simulator --listen 127.0.0.1:2775 --fault twice=0.1")(network.simulator)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"homing {__version__}")
        raise typer.Exit()


@app.callback()
def homing(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
) -> None:
    """SMS gateway for the return path: delivery reports and received messages come home, durably."""


@network.simulate.callback()
def _simulate() -> None:
    """Let simulated phones do something."""


@deliveries.deliveries.callback()
def _deliveries() -> None:
    """Events that are due, or were, at endpoints."""


@deliveries.messages.callback()
def _messages() -> None:
    """Messages that phones have sent."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry of the program."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not all(map(_is_text, given)):
        say_error("an argument is not UTF-8")
        sys.exit(2)
    with plain_errors():
        app(args=given)
    sys.exit(0)


def _is_text(argument: str) -> bool:
    """Octets that are not UTF-8 come as surrogates, which neither the store nor JSON can hold."""
    return not any("\ud800" <= character <= "\udfff" for character in argument)
