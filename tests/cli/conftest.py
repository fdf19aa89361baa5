"""The command line as an operator has it: a configuration, a store, and ``homing`` run in this process."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from homing.cli import main
from homing.config import load
from homing.store.create import open_store
from homing.store.database import Database


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class Homing:
    """Runs commands on one configuration file."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.config = config
        self._capsys = capsys
        self._patch = patch

    def run(self, *arguments: object, stdin: str = "") -> Ran:
        """Run a command as the program does; ``--config`` is added."""
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--config", str(self.config)])
        out, err = self._capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        return Ran(status, out, err)

    def __call__(self, *arguments: object, stdin: str = "") -> str:
        """What a command prints that succeeds."""
        ran = self.run(*arguments, stdin=stdin)
        assert (ran.status, ran.err) == (0, ""), ran
        return ran.out

    def json(self, *arguments: object) -> Any:
        """The document of a command that succeeds."""
        return json.loads(self(*arguments, "--json"))

    def error(self, *arguments: object) -> str:
        """The line of a command that fails; with ``--json`` stdout stays empty too."""
        plain, as_json = self.run(*arguments), self.run(*arguments, "--json")
        assert (plain.status, as_json.status) == (1, 1), plain
        assert as_json.out == ""
        assert plain.err == as_json.err
        assert plain.err.startswith("error: ")
        assert plain.err.count("\n") == 1
        return plain.err.removeprefix("error: ").rstrip()

    def misuse(self, *arguments: object) -> str:
        """What is said of a wrong use."""
        ran = self.run(*arguments)
        assert (ran.status, ran.out) == (2, ""), ran
        return ran.err

    def open(self) -> Database:
        """The store that the commands work on."""
        return open_store(load(self.config, {}).node.store_url)


def config_text(store: str = "") -> str:
    lines = ["[push]", "allow_private_networks = true", "give_up_s = 3", "expect_s = 1", "lease_s = 5"]
    return "\n".join([*([f'[node]\nstore = "{store}"'] if store else []), *lines, ""])


@pytest.fixture
def homing(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Homing:
    config = tmp_path / "homing.toml"
    config.write_text(config_text())
    monkeypatch.chdir(tmp_path)
    return Homing(config, capsys, monkeypatch)


@pytest.fixture
def acme(homing: Homing) -> Homing:
    """A store in which an account ``acme`` has a number and an mx endpoint, 1."""
    homing("account", "add", "acme", "--password", "s3cret")
    homing("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/in")
    homing("number", "add", "60999", "--account", "acme")
    return homing


def items(document: Any, *fields: str) -> Sequence[tuple[Any, ...]]:
    """Some fields of each item of a list."""
    return [tuple(each[field] for field in fields) for each in document["items"]]
