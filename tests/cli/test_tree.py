"""Every command explains itself, takes the common options, and stands in the reference with all it takes."""

import re
from collections.abc import Iterator

import pytest
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from homing.cli import app
from tests.cli.shapes import sections
from tests.docs.pages import page


def commands(group: TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*words, name))
        else:
            assert isinstance(command, TyperCommand)
            yield " ".join((*words, name)), command


def groups(group: TyperGroup) -> Iterator[TyperGroup]:
    yield group
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from groups(command)


def root() -> TyperGroup:
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return command


ROOT = root()
COMMANDS = dict(commands(ROOT))
COMMON = {"--config", "--json", "--help"}
WITHOUT_COMMON = {"demo"}
"""Needs no configuration, and is made to be looked at."""


def options(command: TyperCommand) -> set[str]:
    found = set()
    for parameter in command.params:
        if isinstance(parameter, TyperOption):
            found.update(parameter.opts)
    return found


def test_there_are_as_many_commands_as_were_counted() -> None:
    assert len(COMMANDS) == 41


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_explains_itself_with_an_example_of_itself(words: str) -> None:
    command = COMMANDS[words]
    assert command.help
    assert command.epilog is not None
    assert command.epilog.startswith(f"Example: homing {words}")
    for parameter in command.params:
        assert getattr(parameter, "help", None) or parameter.name == "help", parameter.name


@pytest.mark.parametrize("words", COMMANDS.keys() - WITHOUT_COMMON)
def test_a_command_takes_the_common_options(words: str) -> None:
    assert COMMON - {"--help"} <= options(COMMANDS[words])


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_stands_in_the_reference_with_every_option_and_argument(words: str) -> None:
    text = sections()[words]
    command = COMMANDS[words]
    assert f"```sh\n{(command.epilog or '').removeprefix('Example: ')}\n```" in text
    for option in options(command) - COMMON:
        assert re.search(rf"`{option}(?=[`\s])", text), option
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            metavar = parameter.metavar or ""
            assert re.search(rf"`homing {words} .*{re.escape(metavar)}.*?`", text), metavar


@pytest.mark.parametrize("words", COMMANDS)
def test_the_reference_names_no_option_that_is_not_there(words: str) -> None:
    named = set(re.findall(r"(?:^\| |, )`(--[a-z-]+)", sections()[words], re.MULTILINE))
    assert named <= options(COMMANDS[words])


def test_the_reference_names_no_command_that_is_not_there() -> None:
    assert set(sections()) == set(COMMANDS)


def test_the_common_options_are_explained_once() -> None:
    head = page("commands.md").partition("\n### ")[0]
    assert [option for option in COMMON if f"| `{option}" not in head] == []


def test_every_group_explains_itself() -> None:
    assert [group.name for group in groups(ROOT) if not group.help] == []
