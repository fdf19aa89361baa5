"""Every ``homing`` command that a page shows exists, with the options and arguments that it is given."""

import re
import shlex

import click
import pytest
from typer.main import get_command

from homing.cli import app
from tests.docs.pages import Block, blocks

_COMMAND = re.compile(r"(?:^|/bin/)homing (?!<)")


def commands(block: Block) -> list[list[str]]:
    """The arguments of each call of ``homing`` in a block; a line that ends in a backslash goes on."""
    found = []
    for line in block.text.replace("\\\n", " ").replace("$(date -u +%F)", "2026-03-04").splitlines():
        match = _COMMAND.search(line.removeprefix("$ "))
        if match:
            found.append(shlex.split(line.removeprefix("$ ")[match.end() :], comments=True))
    return found


SHOWN = [(block, arguments) for block in (*blocks("sh"), *blocks("ini")) for arguments in commands(block)]


@pytest.mark.parametrize(("block", "arguments"), SHOWN, ids=[f"{b} {' '.join(a)}" for b, a in SHOWN])
def test_every_command_shown_can_be_given(block: Block, arguments: list[str]) -> None:
    command: click.Command = get_command(app)
    context = click.Context(command, info_name="homing")
    rest = list(arguments)
    while isinstance(command, click.Group):
        command.make_context(command.name, list(rest), parent=context.parent, resilient_parsing=True)
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{block}: there is no command {name}"
        command = found
        context = click.Context(command, info_name=name, parent=context)
    command.make_context(command.name, rest, parent=context.parent)  # UsageError when it is wrong


def test_many_are_shown() -> None:
    assert len(SHOWN) > 40
