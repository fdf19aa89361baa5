"""The first steps of the README and of the tutorial, typed as they stand: a report and a reply come home."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.docs.pages import ROOT, blocks

BIN = Path(sys.executable).parent
_DONE_ELSEWHERE = ("git ", "cd ", "make ", ". ")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Terminal:
    """Runs the lines of a page in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._node, self._receiver = free_port(), free_port()
        self._environment = {name: value for name, value in os.environ.items() if "HOMING" not in name} | {
            "PATH": f"{BIN}:{os.environ['PATH']}", "HOMING_HTTP__LISTEN": f"127.0.0.1:{self._node}",
        }  # fmt: skip
        self._running: list[subprocess.Popen[str]] = []
        self._id = ""
        self.heard: Iterator[str] = iter(())

    def type(self, line: str) -> str:
        """Do what a line says; returns what it printed."""
        line = line.replace("8081", str(self._receiver)).replace("8080", str(self._node))
        words = [self._id if word == "ID" else word for word in shlex.split(line)]
        match words:
            case ["export", *variables]:
                self._environment.update(variable.split("=", 1) for variable in variables)
                return ""
            case ["python", "docs/tutorial/receiver.py"]:
                program = self._directory / "receiver.py"
                text = (ROOT / "docs" / "tutorial" / "receiver.py").read_text()
                program.write_text(text.replace("8081", str(self._receiver)))
                receiver = self._start(sys.executable, str(program))
                assert receiver.stdout is not None
                self.heard = iter(receiver.stdout.readline, "")
                self._await(self._receiver)
                return ""
            case ["homing", "serve"]:
                self._start(*words)
                self._await(self._node)
                return ""
            case ["curl", url]:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return self._noting_id(answer.read().decode())
        ran = subprocess.run(
            words, cwd=self._directory, env=self._environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        return self._noting_id(ran.stdout) if words[1] == "send" else ran.stdout

    def hear(self, wanted: str) -> str:
        """The first line of the receiver that holds this."""
        return next(line for line in self.heard if wanted in line)

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()

    def _start(self, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            words, cwd=self._directory, env=self._environment, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._running.append(process)
        return process

    def _await(self, port: int) -> None:
        """Until something listens there, and a node is ready."""
        pause = Event()
        for _ in range(300):
            try:
                if port == self._node:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                else:
                    socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                pause.wait(0.1)
        pytest.fail(f"nothing listens at {port}")

    def _noting_id(self, printed: str) -> str:
        found = re.search(r"\d{10,}", printed)
        assert found is not None, printed
        self._id = found[0]
        return printed


@contextmanager
def terminal(directory: Path) -> Iterator[Terminal]:
    made = Terminal(directory)
    try:
        yield made
    finally:
        made.close()


def lines_of(page: Path) -> list[str]:
    lines = [line for block in blocks("sh") if block.page == page for line in block.text.splitlines()]
    return [line for line in lines if not line.startswith(_DONE_ELSEWHERE)]


def test_the_steps_of_the_readme(tmp_path: Path) -> None:
    with terminal(tmp_path) as t:
        for line in lines_of(ROOT / "README.md"):
            printed = t.type(line)
        assert "DELIVERED" in printed
        heard = {t.hear("447700900123").split(" ")[0] for _ in range(2)}
        assert heard == {"report", "message"}


def test_the_steps_of_the_tutorial(tmp_path: Path) -> None:
    steps = lines_of(ROOT / "docs" / "tutorial" / "first-reports.md")
    until = next(n for n, line in enumerate(steps) if line.startswith("homing simulate")) + 1
    with terminal(tmp_path) as t:
        for line in steps[:until]:
            printed = t.type(line)
            if line.startswith("curl"):
                assert f": {printed} to 447700900123 is DELIVERED" in t.hear("report")
        assert "Hello yourself" in t.hear("message")
        shutil.copy(tmp_path / "receiver.py", tmp_path / "again.py")
        assert [line.split()[:2] for line in steps[until:]] == [
            ["homing", "send"], ["homing", "deliveries"], ["homing", "replay"],
        ]  # fmt: skip
