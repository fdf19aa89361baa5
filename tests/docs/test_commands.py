"""Every ``homing`` command that a page shows exists, with the options and arguments that it is given."""

import re
import shlex

import pytest
from typer.core import TyperGroup
from typer.exceptions import TyperException
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
    command = get_command(app)
    rest = ["1" if word == "ENDPOINT" else word for word in arguments]  # the reader puts an id there
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in command.commands, f"{block}: there is no command {name}"
        command = command.commands[name]
    if rest not in (["--help"], ["--version"]):
        assert not isinstance(command, TyperGroup), f"{block}: a command is missing"
        command.make_context(command.name, rest)  # UsageError when it is wrong


def test_many_are_shown() -> None:
    assert len(SHOWN) > 40


@pytest.mark.parametrize(
    "arguments", [["acount", "list"], ["account"], ["account", "list", "--all"], ["account", "show"]]
)
def test_what_is_no_command_is_seen(arguments: list[str]) -> None:
    with pytest.raises((AssertionError, TyperException)):
        test_every_command_shown_can_be_given(SHOWN[0][0], arguments)
