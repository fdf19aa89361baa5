"""Builds and drives the far sides (``far/*.c``): SMSC, customers and submitting program in one process.

The C programs are compiled on first use into ``bench/build`` (kept out of the repository). What goes wrong:
no C compiler, which ends the run with a sentence, and a far side that does not answer in time.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
BUILD = HERE / "build"
FLAGS = ["-O2", "-Wall", "-Wextra", "-std=gnu17"]
PROGRAMS = {
    "far": ["main.c", "work.c", "net.c", "smsc.c", "sink.c", "client.c"],
    "mirror": ["mirror.c", "net.c"],
}
LIMIT_MS = 50_000

Result = dict[str, Any]


class BenchError(Exception):
    """The run cannot go on; the text says why, in a sentence for the user."""


def build(name: str) -> Path:
    """The path of a C program, compiled when it is older than any source."""
    program, sources = BUILD / name, [HERE / "far" / source for source in PROGRAMS[name]]
    newest = max(path.stat().st_mtime for path in (HERE / "far").iterdir())
    if program.exists() and program.stat().st_mtime > newest:
        return program
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise BenchError("the bench needs a C compiler: apt-get install gcc libc6-dev")
    BUILD.mkdir(exist_ok=True)
    done = subprocess.run(
        [compiler, *FLAGS, "-o", str(program), *map(str, sources)], capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(f"{compiler} failed:\n{done.stderr}")
    return program


class Talker:
    """A program that speaks one JSON document a line and ends with its standard input."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = self.listen()

    def listen(self) -> Result:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.process.args!r} ended with {self.process.wait(10)}")
        answer: Result = json.loads(line)
        if "error" in answer:
            raise BenchError(f"the far side refused the work: {answer['error']}")
        return answer

    def tell(self, line: str) -> Result:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.listen()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FarSide(Talker):
    """SMSC and customers, listening; ``received`` and ``loop`` give a gateway its work and await the end."""

    def __init__(self, ports: int = 1) -> None:
        super().__init__([str(build("far")), str(ports)])
        self.smsc: int = self.hello["smsc"]
        self.ports: list[int] = self.hello["ports"]
        self.slow: int = self.hello["slow"]
        self.dead: int = self.hello["dead"]

    def wait_for_bind(self, timeout_s: int = 20) -> None:
        if not self.tell(f"bound timeout_s={timeout_s}")["bound"]:
            raise BenchError(f"nobody bound within {timeout_s} s")

    def received(self, **options: int) -> Result:
        """N phones write to the customers: deliver_sm to push."""
        return self.tell(line("received", options))

    def loop(self, port: int, target: str, **options: int) -> Result:
        """N submissions, each of which gets its receipt: request to report push."""
        return self.tell(f"{line('loop', options)} port={port} target={target}")


def line(word: str, options: dict[str, int]) -> str:
    return " ".join(
        [word, *(f"{name}={value}" for name, value in ({"limit_ms": LIMIT_MS} | options).items())]
    )


class Mirror(Talker):
    """A gateway in C that keeps nothing: shows what the far sides themselves can carry."""

    def __init__(self, far: FarSide) -> None:
        super().__init__([str(build("mirror")), str(far.smsc), str(far.ports[0])])
        self.port: int = self.hello["port"]
