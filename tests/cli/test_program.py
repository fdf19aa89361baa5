"""``homing`` as a process: exit statuses, one document on stdout, signals, and a quick start."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homing.links.simulator_fates import FAULTS
from tests.cli.conftest import Homing, config_text
from tests.cli.shapes import as_documented

PROGRAM = (sys.executable, "-m", "homing")


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "HOMING" not in name} | more


def run(cwd: Path, *arguments: str | bytes, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@contextmanager
def running(cwd: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*PROGRAM, *arguments], cwd=cwd, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_document(process: "subprocess.Popen[str]") -> object:
    """The first document that a process prints, while it runs."""
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if line == "}\n":
            break
    return json.loads(lines)


def test_statuses_and_streams(tmp_path: Path) -> None:
    done = run(tmp_path, "account", "add", "acme", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["name"] == "acme"
    failed = run(tmp_path, "account", "add", "acme", "--json")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "error: account acme exists already\n"
    wrong = run(tmp_path, "account", "add", "acme", "--nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr
    assert run(tmp_path, "account", "show").returncode == 2
    assert run(tmp_path, "no-such-command").returncode == 2
    assert run(tmp_path, "account", "show", b"\xff").returncode == 2


def test_help_and_version_come_without_what_is_slow_to_import(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.startswith("homing ")
    assert "delivery reports" in run(tmp_path, "--help").stdout
    probe = "import sys; import homing.cli; print([m for m in %r if m in sys.modules])"
    slow = ("sqlalchemy", "uvicorn", "starlette", "argon2", "lxml", "phonenumbers", "uvloop", "structlog")
    loaded = subprocess.run(
        [sys.executable, "-c", probe % (slow,)], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"HOMING_NODE__STORE": "postgresql://nobody@127.0.0.1:1/homing"}, "the store cannot be used: "),
        ({"HOMING_NODE__STORE": "sqlite:////proc/no/homing.db"}, "the store cannot be used: /proc/no"),
        (
            {"HOMING_NODE__STORE": "postgresql://u:x@h:hunter2@h/x"},
            "the store cannot be used: its URL cannot",
        ),
        ({"HOMING_NODE__STORE": "postgresql://u:x@hunter2@h/x"}, "the store cannot be used: its URL cannot"),
        ({"HOMING_NODE__STORE": "postgresql://h:port/homing"}, "the store cannot be used: its URL"),
        ({"HOMING_NODE__STORE": "postgresql+psycopg2://h/x"}, "the store cannot be used: there is no driver"),
        ({"HOMING_NODE__STORE": "sqlite://"}, "the store cannot be used: its URL names no file"),
        ({"HOMING_NODE__STORE": "sqlite:///:memory:"}, "the store cannot be used: its URL names no file"),
        ({"HOMING_PUSH__LEASE_S": "soon"}, "environment: HOMING_PUSH__LEASE_S: "),
        ({"HOMING_CONFIG": "gone.toml"}, "gone.toml: cannot be read: "),
    ],
)
def test_what_the_world_does_wrong_is_said_in_a_line(tmp_path: Path, more: dict[str, str], said: str) -> None:
    ran = run(tmp_path, "account", "list", "--json", **more)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"error: {said}")
    assert ran.stderr.count("\n") == 1
    assert "nobody@" not in ran.stderr
    assert "hunter2" not in ran.stderr


def test_every_problem_of_a_configuration_is_a_line(homing: Homing) -> None:
    homing.config.write_text("[node]\nid = 5000\nnonsense = 1\n\n[push]\ngive_up_s = -1\n")
    ran = homing.run("account", "list")
    assert (ran.status, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error"] * len(lines)
    assert {2, 3, 6} <= {int(line.split("homing.toml:")[1].split(":")[0]) for line in lines}
    checked = homing.run("check", "--json")
    assert checked.status == 1
    document = json.loads(checked.out)
    assert as_documented("check", document)
    assert not document["ok"]
    assert len(document["problems"]) == len(lines)
    assert homing.run("check").err.splitlines() == [line.removeprefix("error: ") for line in lines]


def test_what_may_be_a_slip_is_a_warning(homing: Homing) -> None:
    homing.config.write_text('[[link]]\nname = "sim"\nkind = "simulator"\nnetwork = "O2UK"\n')
    document = homing.json("check")
    assert (document["ok"], document["problems"]) == (True, [])
    assert document["warnings"] == ["link sim: O2UK is not in the table of networks; it is used as it stands"]
    ran = homing.run("check")
    assert (ran.status, ran.err) == (0, f"warning: {document['warnings'][0]}\n")
    homing.config.write_text('[[link]]\nname = "sim"\nkind = "simulator"\nnetwork = "o2-uk"\n')
    assert homing.run("check").status == 1


def test_a_directory_of_contents_that_cannot_be_made_is_a_warning_and_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "homing.toml").write_text('[mms]\ndirectory = "file/mms"\n')
    checked = run(tmp_path, "check")
    assert checked.returncode == 0
    assert checked.stderr == f"warning: contents of MMS: {tmp_path / 'file'} is no directory\n"
    ran = run(tmp_path, "serve", "--json")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "node_not_started" in ran.stderr
    assert "the content store: Not a directory" in ran.stderr
    assert "Traceback" not in ran.stderr


# --- init, migrate ---


def test_init_writes_a_configuration_that_is_right(homing: Homing, tmp_path: Path) -> None:
    made = tmp_path / "new.toml"
    document = json.loads(run(tmp_path, "init", "--json", HOMING_CONFIG=str(made)).stdout)
    assert document == {"file": str(made)}
    assert made.stat().st_mode & 0o077 == 0
    assert run(tmp_path, "check", "--config", str(made)).stdout == f"{made}: nothing is wrong\n"
    homing.config = made
    assert "exists already" in homing.error("init")
    made.write_text("x")
    assert "homing check" in homing("init", "--force")
    assert made.read_text() != "x"
    homing.config = tmp_path / "gone" / "homing.toml"
    assert "cannot be written: No such file" in homing.error("init")
    assert json.loads(run(tmp_path, "check", "--json").stdout)["ok"] is True


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrate_makes_a_store_or_leaves_it(
    homing: Homing, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_database").replace("postgresql+psycopg:", "postgresql:")
        homing.config.write_text(config_text(url))
    assert homing.json("migrate") == {"from": None, "to": "0003"}
    assert homing.json("migrate") == {"from": "0003", "to": "0003"}
    assert "at revision 0003" in homing("migrate")
    database = homing.open()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for command in (("migrate",), ("account", "list")):
        assert "belongs to a newer one" in homing.error(*command)


# --- what runs until it is told to end ---


def test_a_node_tells_its_port_and_heeds_commands_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "homing.toml").write_text(config_text() + '[http]\nlisten = "127.0.0.1:0"\n')
    with running(tmp_path, "serve", "--json") as node:
        document = first_document(node)
        assert as_documented("serve", document)
        assert isinstance(document, dict)
        with urllib.request.urlopen(f"http://127.0.0.1:{document['ports'][0]}/readyz", timeout=10) as ready:
            assert ready.status == 200
        added = run(tmp_path, "account", "add", "acme", "--json")
        assert json.loads(added.stdout)["name"] == "acme"
        node.send_signal(signal.SIGTERM)
        rest, _ = node.communicate(timeout=60)
        assert (node.returncode, rest) == (0, "")


def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    with running(tmp_path, "simulator", "--listen", "127.0.0.1:0", "--json") as other:
        taken = first_document(other)
        assert isinstance(taken, dict)
        listen = f"127.0.0.1:{taken['port']}"
        ran = run(tmp_path, "serve", "--json", HOMING_HTTP__LISTEN=listen)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert f"cannot listen at {listen}" in ran.stderr
        assert "Traceback" not in ran.stderr
        again = run(tmp_path, "simulator", "--listen", listen)
        assert again.returncode == 1
        assert again.stderr.startswith(f"error: cannot listen at {listen}: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_simulator_listens_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    fault = next(iter(FAULTS))
    with running(tmp_path, "simulator", "--listen", "127.0.0.1:0", "--json", "--fault", fault) as simulator:
        document = first_document(simulator)
        assert as_documented("simulator", document)
        assert isinstance(document, dict)

        async def connect() -> None:
            _, writer = await asyncio.open_connection(document["host"], document["port"])
            writer.close()

        asyncio.run(connect())
        simulator.send_signal(number)
        rest, err = simulator.communicate(timeout=30)
        assert (simulator.returncode, rest, err) == (0, "", "")
