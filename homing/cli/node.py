"""``homing init``, ``serve``, ``check``, ``migrate`` and ``demo``: the node itself."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from homing.cli.opening import read_settings, say_warning
from homing.cli.options import Config, Json
from homing.cli.output import plain, show
from homing.config import advice, find_file, load, template
from homing.config import check as check_file
from homing.model.errors import Refusal


def init(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="HOMING_CONFIG",
            show_envvar=False,
            help="The file to write; else HOMING_CONFIG, else ./homing.toml.",
        ),
    ] = Path("homing.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a configuration file with every key, commented, with its unit and default."""
    if config.exists() and not force:
        raise Refusal("conflict", f"{config} exists already; --force writes over it")
    try:
        # It will hold passwords.
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(template())
    except OSError as error:
        raise Refusal("invalid", f"{config} cannot be written: {error.strerror}") from None
    said = plain(f"{config} is written. Then: homing check")
    show(as_json, {"file": str(config)}, lambda to: to.print(said, soft_wrap=True))


def serve(
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring an older store up to date first.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run a node until SIGTERM or Ctrl-C; SIGHUP reads certificates again."""
    settings = read_settings(config)
    from homing.node import serve as run

    def ready(ports: Sequence[int], pop3_ports: Sequence[int]) -> None:
        if as_json:
            said = {"node": settings.node.id, "ports": list(ports), "pop3_ports": list(pop3_ports)}
            show(as_json, said, lambda _to: None)

    raise typer.Exit(run(settings, migrate=migrate, ready=ready))


def check(config: Config = None, as_json: Json = False) -> None:
    """Check the configuration, and say all that is wrong with it, with line and key."""
    file = find_file(config, os.environ)
    problems = check_file(file, os.environ)
    warnings: list[str] = []
    if not problems:
        from homing.node.contents import doubts

        settings = load(file, os.environ)
        warnings = [*advice(settings), *doubts(settings)]
    document = {
        "file": None if file is None else str(file),
        "ok": not problems,
        "problems": [problem._asdict() for problem in problems],
        "warnings": warnings,
    }

    def people(to: Console) -> None:
        for problem in problems:
            print(problem, file=sys.stderr)
        for warning in warnings:
            say_warning(warning)
        if not problems:
            to.print(plain(f"{file or 'the defaults'}: nothing is wrong"), soft_wrap=True)

    show(as_json, document, people)
    raise typer.Exit(1 if problems else 0)


def migrate(config: Config = None, as_json: Json = False) -> None:
    """Bring the store to the newest revision; stop all nodes before."""
    from homing.store.create import prepared_url, upgrade
    from homing.store.database import Database

    database = Database(prepared_url(read_settings(config).node.store_url))
    try:
        former, present = upgrade(database)
    finally:
        database.close()
    document = {"from": former, "to": present}
    said = f"The store is at revision {present}." if former == present else f"{former or 'empty'} → {present}"
    show(as_json, document, lambda to: to.print(said))


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after one of each; exit 1 when one is missing.")
    ] = False,
) -> None:
    """Show the main job: submissions, and their reports and replies coming home; Ctrl-C ends it."""
    from homing.cli.demo import run

    raise typer.Exit(run(once=once, console=Console()))
