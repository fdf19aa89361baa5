"""How commands show things: no empty columns, ids in one piece, and a stdout that takes nothing."""

import io
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from homing.cli.output import ago, print_pairs, printable, table
from tests.cli.test_program import PROGRAM, environment, run

ID = "913260270443762688-1"
ROWS = [(ID, None, "dead", "connect refused by everybody"), ("7-2", "", "delivered", 200)]


def shown(thing: Any, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(thing)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def listing(width: int) -> list[str]:
    return shown(
        table("Things", ("id", "nothing", "state", "answer"), ROWS, "None.", folds=["answer"]), width
    )


def test_a_table_has_no_empty_column() -> None:
    title, head, line, *rows = listing(80)
    assert (title, head) == ("Things", "id                    state      answer")
    assert set(line) == {"─"}
    assert rows == [
        f"{ID}  dead       connect refused by everybody",
        "7-2                   delivered  200",
    ]


def test_free_text_folds_and_ids_do_not() -> None:
    lines = listing(45)
    assert f"{ID}  dead       connect" in lines
    assert max(map(len, lines)) <= 45


def test_what_does_not_fit_stands_under_each_other() -> None:
    assert listing(40)[2:6] == [
        f"id      {ID}",
        "state   dead",
        "answer  connect refused by everybody",
        "",
    ]


def test_nothing_is_a_sentence() -> None:
    assert shown(table("Things", ("id",), [], "None."), 80) == ["None."]


def test_pairs_are_in_one_line_and_without_what_is_not_set() -> None:
    out = io.StringIO()
    values = {"secret": "x" * 64, "none": None, "empty": [], "no": False, "zero": 0, "list": ["a", "b\n"]}
    print_pairs(Console(file=out, width=20), "Thing", values)
    assert out.getvalue().splitlines() == [
        "Thing",
        "  secret  " + "x" * 64,
        "  no      no",
        "  zero    0",
        r"  list    a, b\n",
    ]


def test_no_control_character_reaches_the_terminal() -> None:
    assert printable("a\x1b[31m\u202e\x9bж 😀") == r"a\x1b[31m\u202e\x9bж 😀"


@pytest.mark.parametrize(
    ("away", "said"),
    [(5, "5 s ago"), (300, "5 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"), (-65, "in 64 s")],
)
def test_times_are_said_as_people_think_of_them(away: int, said: str) -> None:
    assert ago((datetime.now(UTC) - timedelta(seconds=away)).isoformat()) == said


COMMANDS = [
    ("account", "list"),
    ("account", "list", "--json"),
    ("ledger", "export", "--account", "acme", "--month", "2026-01"),
    ("check",),
    ("send", "Hello", "--account", "acme", "--to", "447700900123"),
]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("used")
    assert run(directory, "account", "add", "acme").returncode == 0
    return directory


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_stdout_is_a_failure_in_one_line(used: Path, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, *command], cwd=used, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (
        1,
        "error: stdout cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_left_is_no_traceback(used: Path, command: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [*PROGRAM, *command], cwd=used, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")
