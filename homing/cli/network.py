"""``homing links``, ``homing simulate`` and ``homing simulator``: the side of the networks."""

import asyncio
import signal
from typing import Annotated

import typer
from rich.console import Console

from homing.cli.opening import opened, read_settings
from homing.cli.options import Config, Json
from homing.cli.output import ago, show, state, table
from homing.model.errors import Refusal

simulate = typer.Typer(help="Let simulated phones do something.", no_args_is_help=True)


def links(config: Config = None, as_json: Json = False) -> None:
    """Show the links of the running nodes: bound or not, since when, rates, unmatched receipts."""
    from homing.model.clock import now_ms
    from homing.store.reading import link_states

    with opened(config) as (settings, database), database.reading() as connection:
        items = link_states(connection, [(link.name, link.kind) for link in settings.link], now_ms())

    def people(to: Console) -> None:
        rows = [
            (
                each["name"], each["kind"], each["node"], state(each["state"]), ago(each.get("since")),
                f"{sum(bind['state'] == 'bound' for bind in each['binds'])}/{len(each['binds'])}",
                each.get("window"), each.get("sent_per_s"), each.get("received_per_s"),
                each.get("unmatched_receipts"), each.get("id_spelling"),
                each.get("last_error") or each.get("why"),
            )
            for each in items
        ]  # fmt: skip
        columns = (
            "name", "kind", "node", "state", "since", "binds", "window", "sent/s", "received/s",
            "unmatched", "ids", "last error",
        )  # fmt: skip
        to.print(table("Links", columns, rows, "There is no link.", folds=["last error"]))

    show(as_json, {"items": items}, people)


def networks(
    country: Annotated[
        str | None, typer.Option(metavar="CC", help="Only those of this country, in two letters.")
    ] = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """List the codes of mobile networks, with their MCC and MNC where these are known."""
    del config  # the table is a part of the program
    from homing.model.networks import NETWORKS

    wanted = None if country is None else country.upper()
    found = [network for network in NETWORKS if wanted in (None, network.country)]
    items = [{**network._asdict(), "carrier_codes": list(network.carrier_codes)} for network in found]
    rows = [(each.code, each.country, each.name, " ".join(each.carrier_codes) or None) for each in found]
    columns = ("code", "country", "network", "MCC and MNC")
    empty = f"The table has no network of {wanted}."
    show(
        as_json,
        {"items": items},
        lambda to: to.print(table("Networks", columns, rows, empty, folds=["MCC and MNC"])),
    )


@simulate.command("message", epilog="Example: homing simulate message --from 447700900123 --to 60999 'Hello'")
def simulate_message(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the phone writes.")],
    from_: Annotated[str, typer.Option("--from", metavar="NUMBER", help="The phone.")],
    to: Annotated[str, typer.Option(metavar="NUMBER", help="One of your numbers.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send a message from a simulated phone, through the running node's simulator."""
    from homing.engine.directory import normalise_number
    from homing.store import reading

    with opened(config) as (settings, database):
        if not any(link.kind == "simulator" for link in settings.link):
            raise Refusal("invalid", "no link of this configuration is a simulator")
        with database.writing() as connection:
            id_ = reading.simulate_message(
                connection, normalise_number(from_), normalise_number(to), text, settings.node.id
            )
    document = {"id": str(id_)}
    show(as_json, document, lambda out: out.print("A running node's simulator takes it within a second."))


def simulator(
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen; 127.0.0.1:2775 by default.")
    ] = None,
    password: Annotated[
        str | None, typer.Option(help="The password clients must bind with; any by default.")
    ] = None,
    latency_ms: Annotated[
        int | None, typer.Option(min=0, help="Time to answer a submission; 10 by default.")
    ] = None,
    report_delay_ms: Annotated[
        int | None, typer.Option(min=0, help="Time from the answer to the receipt; 500 by default.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=SHARE]", help="A fault that strikes messages, a share of 0 to 1 of them."
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run the network simulator alone, an SMSC for tests; Ctrl-C ends it.

    What is left out stands in the section [simulator] of the configuration.
    """
    from homing.config import host_and_port
    from homing.links.simulator import Simulator
    from homing.links.simulator_fates import Faults

    set_ = read_settings(config).simulator
    listen = listen or set_.listen or "127.0.0.1:2775"
    try:
        host, port = host_and_port(listen)
        faults = Faults.parse(fault or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

    async def run() -> None:
        made = Simulator(
            latency_ms=set_.latency_ms if latency_ms is None else latency_ms,
            report_delay_ms=set_.report_delay_ms if report_delay_ms is None else report_delay_ms,
            password=password,
            faults=faults,
        )
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        bound = await made.start(host, port)
        at = f"SMPP simulator at {host}:{bound}. Ctrl-C ends it."
        show(as_json, {"host": host, "port": bound}, lambda to: to.print(at))
        await told.wait()
        await made.stop()

    try:
        asyncio.run(run())
    except OSError as error:
        raise Refusal("invalid", f"cannot listen at {listen}: {error.strerror or error}") from None
