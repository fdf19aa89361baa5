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
from tests.programs import is_to_be_tried

BIN = Path(sys.executable).parent
_DONE_ELSEWHERE = ("git ", "cd ", "make ", ". ", "pip ")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


TUTORIAL = ROOT / "docs" / "tutorial"


class Terminal:
    """Runs the lines of a page in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._node, self._receiver, self._pop3, self._relay = (free_port() for _ in range(4))
        self._whole, self._php = free_port(), free_port()
        self._environment = {name: value for name, value in os.environ.items() if "HOMING" not in name} | {
            "PATH": f"{BIN}:{os.environ['PATH']}", "HOMING_HTTP__LISTEN": f"127.0.0.1:{self._node}",
        }  # fmt: skip
        self._running: list[subprocess.Popen[str]] = []
        self._id = ""
        self.heard: Iterator[str] = iter(())

    def type(self, line: str) -> str:
        """Do what a line says; returns what it printed."""
        line = self._with_ports(line)
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
            case ["python", path] if Path(path).name.startswith("receive_mms"):
                program = self._directory / Path(path).name
                program.write_text(self._with_ports((ROOT / path).read_text()))
                self._hear_from(sys.executable, str(program))
                self._await(self._whole if "multipart" in path else self._receiver)
                return ""
            case ["php", "-S", _, path]:
                program = self._directory / Path(path).name
                program.write_text(self._with_ports((ROOT / path).read_text()))
                self._hear_from(*words[:3], str(program))
                self._await(self._php)
                return ""
            case ["curl", "-o", file, url]:
                words = ["curl", "-s", "-o", file, url.replace("id=ID", f"id={self._id}")]
            case ["homing", "serve"]:
                self._start(*words)
                self._await(self._node)
                return ""
            case ["curl", url]:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    text: str = answer.read().decode()
                return self._noting_id(text) if "SMSSend" in url else text
            case ["python", "-m", "aiosmtpd", *_]:
                relay = self._start(sys.executable, "-u", *words[1:])
                assert relay.stdout is not None
                self.heard = iter(relay.stdout.readline, "")
                self._await(self._relay)
                return ""
            case ["python" | "php", path]:
                text = (ROOT / path).read_text()
                (self._directory / Path(path).name).write_text(self._with_ports(text))
                words[1] = Path(path).name
        ran = subprocess.run(
            words, cwd=self._directory, env=self._environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        return self._noting_id(ran.stdout) if words[1] == "send" else ran.stdout

    def _with_ports(self, text: str) -> str:
        for usual, own in (
            ("8081", self._receiver),
            ("8082", self._whole),
            ("8083", self._php),
            ("8080", self._node),
            ("8110", self._pop3),
            ("8025", self._relay),
        ):
            text = text.replace(usual, str(own))
        return text

    def _hear_from(self, *words: str) -> None:
        """Start a receiver that says what it gets."""
        receiver = self._start(*words)
        assert receiver.stdout is not None
        self.heard = iter(receiver.stdout.readline, "")

    def folders(self) -> list[Path]:
        """Where receivers of MMS have unpacked what they got."""
        return sorted((self._directory / "mms").iterdir())

    def until_delivered(self) -> None:
        """Wait until the report of what was sent has come."""
        for _ in range(100):
            if "DELIVERED" in self.type("homing trace ID"):
                return
        pytest.fail("no report came")

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


@pytest.mark.parametrize("language", ["python", *filter(is_to_be_tried, ["php"])])
def test_the_steps_of_collecting_by_soap(tmp_path: Path, language: str) -> None:
    with terminal(tmp_path) as t:
        printed = {}
        for line in lines_of(TUTORIAL / "collect-by-soap.md"):
            word = line.split(" ")[0]
            if word in ("python", "php"):
                if word != language:
                    continue
                t.until_delivered()
            printed[word] = t.type(line)
        new, confirmation, message = sorted(printed[language].splitlines())
        assert new == "2 new"
        assert re.fullmatch(r"confirmation: MTID\d+ to \+447700900123 is DELIVRD", confirmation)
        assert message == "message: +447700900123 says 'Hello yourself'"
        assert "<Signature>" in printed["curl"]


def test_the_steps_of_collecting_by_pop3(tmp_path: Path) -> None:
    with terminal(tmp_path) as t:
        for line in lines_of(TUTORIAL / "collect-by-pop3.md"):
            if line.startswith("python"):
                t.until_delivered()
            printed = t.type(line)
        count, *said = printed.splitlines()
        assert count == "2 mails"
        assert {re.sub(r"\d{15,}", "ID", each) for each in said} == {
            "report: ID is DELIVERED",
            "message: +447700900123@homing.invalid says 'Hello yourself'",
        }


@pytest.mark.parametrize("with_php", [False, *([True] if is_to_be_tried("php") else [])])
def test_the_steps_of_receiving_mms(tmp_path: Path, with_php: bool) -> None:
    steps = iter(lines_of(TUTORIAL / "receive-mms.md"))
    parts = ["picture.gif", "picture.jpg", "picture.png", "sound.amr", "film.3gp", "words.txt", "show.smil"]

    def until(t: Terminal, beginning: str) -> str:
        for line in steps:
            if line.startswith(("php", "homing endpoint add")) and "8083" in line and not with_php:
                continue
            printed = t.type(line)
            if line.startswith(beginning):
                return printed
        raise AssertionError(beginning)

    with terminal(tmp_path) as t:
        until(t, "homing simulate mms")
        assert t.hear("MMS") == "MMS from 447700900123: Look at this\n"
        assert set(t.hear("unpacked: ").split()[1:]) == {*parts, "manifest", "mms.zip"}
        until(t, "homing simulate message")
        assert t.hear("SMS") == "SMS from 447700900123: Did you see it?\n"
        (folder,) = t.folders()
        t._id = folder.name
        until(t, "curl")
        assert (tmp_path / "mms.zip").read_bytes() == (folder / "mms.zip").read_bytes()
        listed = until(t, "python -m zipfile")
        assert [part for part in parts if part not in listed] == []
        until(t, "homing simulate mms")
        assert set(t.hear("MMS").split()[3:]) >= {*parts, "manifest"}  # the first one unpacks there too
        if with_php:
            until(t, "homing simulate mms")
            for _ in range(2):
                assert set(t.hear("MMS").split()[3:]) >= {*parts, "manifest", "mms.zip"}


def test_the_steps_of_reports_by_email(tmp_path: Path) -> None:
    with terminal(tmp_path) as t:
        for line in lines_of(TUTORIAL / "reports-by-email.md"):
            t.type(line)
        heard = [t.hear("Subject: ") for _ in range(3)]
        assert sorted(heard) == [
            "Subject: DELIVERED: your SMS to +447700900000\n",
            "Subject: DELIVERED: your SMS to +447700900123\n",
            "Subject: SMS from +447700900123: Hello yourself\n",
        ]


@pytest.mark.parametrize(
    "name",
    ["collect_soap.py", "collect_pop3.py", "receive_mms.py", "receive_mms_multipart.py", "receive_mms.php"],
)
def test_programs_of_tutorials_are_those_in_the_files(name: str) -> None:
    shown = {block.text for language in ("python", "php") for block in blocks(language)}
    assert (TUTORIAL / name).read_text() in shown
