"""What a command opens: configuration and store, and how its errors become words and an exit status."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from homing.cli.output import printable
from homing.config import ConfigError, Settings, find_file, load
from homing.model.errors import Refusal, StoreUnavailable

if TYPE_CHECKING:
    from homing.store.database import Database


def read_settings(config: Path | None) -> Settings:
    """The settings that a command works with."""
    return load(find_file(config, os.environ), os.environ)


@contextmanager
def opened(config: Path | None) -> Iterator[tuple[Settings, "Database"]]:
    """The settings, and their store, created when it is empty; a node may run on it or not."""
    from homing.store.create import open_store

    settings = read_settings(config)
    database = open_store(settings.node.store_url)
    try:
        yield settings, database
    finally:
        database.close()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what may be expected to go wrong into lines on stderr and exit status 1."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            say_error(str(problem))
        sys.exit(1)
    except Refusal as refusal:
        say_error(refusal.text)
        sys.exit(1)
    except StoreUnavailable as error:
        say_error(f"the store cannot be used: {error}")
        sys.exit(1)
    except Exception as error:
        from homing.store.create import StoreOutdated

        if not isinstance(error, StoreOutdated):
            raise
        say_error(str(error))
        sys.exit(1)


def say_error(text: str) -> None:
    """One line on stderr, red for people."""
    _say("error", text, "red")


def say_warning(text: str) -> None:
    """One line on stderr, yellow for people; the command goes on."""
    _say("warning", text, "yellow")


def _say(what: str, text: str, style: str) -> None:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"{what}: {printable(text)}", style=style, markup=False
    )
