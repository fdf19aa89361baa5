"""What a reader copies works: Python compiles, configuration is valid, receivers receive real pushes."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from homing.config import check
from homing.model.account import Endpoint
from homing.model.delivery import Event
from homing.wire.push import prepare
from tests.docs.events import MESSAGE, REPORT
from tests.docs.pages import ROOT, Block, blocks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_configuration_is_valid(block: Block, tmp_path: Path) -> None:
    text = block.text
    for name in ("tls/fullchain.pem", "tls/privkey.pem", "store.url"):
        text = text.replace(f"/etc/homing/{name}", name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("postgresql://homing:password@db.example.net/homing")
    for name in ("smsc.password", "relay.password", "s3.key"):
        (tmp_path / name).write_text("s3cret\n")
    (tmp_path / "homing.toml").write_text(text)
    assert check(tmp_path / "homing.toml", {}) == []


def test_the_receiver_of_the_tutorial_is_the_one_in_the_file() -> None:
    (shown,) = (b for b in blocks("python") if b.page.name == "first-reports.md")
    assert shown.text == (ROOT / "docs" / "tutorial" / "receiver.py").read_text()


def push(port: int, format_: str, event: Event) -> bytes:
    """Push an event as Homing renders it; the answer as it was received."""
    secrets = (SECRET,) if format_ == "json" else ()
    to = Endpoint(
        id=1, account="acme", events=("report", "message"), format=format_,  # type: ignore[arg-type]
        url=f"http://127.0.0.1:{port}/in", secrets=secrets,
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(prepare(to).render(event, 1, int(time.time() * 1000)))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_receiver_of_the_tutorial_takes_pushes(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = tmp_path / "receiver.py"
    text = (ROOT / "docs" / "tutorial" / "receiver.py").read_text()
    listens = f'server = HTTPServer(("127.0.0.1", {port}), Receiver)\nprint("listens", flush=True)\nserver'
    program.write_text(text.replace('HTTPServer(("127.0.0.1", 8081), Receiver)', listens))
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            assert receiver.stdout.readline() == "listens\n"
            assert push(port, "mx", REPORT).endswith(b"\r\n\r\nOK")
            assert receiver.stdout.readline() == "report 2: 1 to 447700900123 is DELIVERED\n"
            assert push(port, "mx", MESSAGE).endswith(b"\r\n\r\nOK")
            assert receiver.stdout.readline() == "message 3: 447700900123 says 'Ж'\n"
        finally:
            receiver.kill()


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(application: Callable[..., Any]) -> Iterator[int]:
    with make_server("127.0.0.1", 0, application, handler_class=_Silent) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("format_", "place", "rows"),
    [
        ("mx", 0, [(2, "1 DELIVERED"), (3, "Ж")]),
        ("json", 1, [("2", "report.delivered"), ("3", "message.received")]),
    ],
)
def test_the_receivers_of_the_how_to_keep_each_event_once(
    format_: str, place: int, rows: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMING_SECRETS", SECRET)
    block = [b for b in blocks("python") if b.page.name == "receive-pushes.md"][place]
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    with serving(names["application"]) as port:
        for event in (REPORT, MESSAGE, REPORT):
            assert push(port, format_, event).split(b" ")[1] in (b"200", b"204")
        monkeypatch.setitem(globals(), "SECRET", "whsec_" + "A" * 32)
        if format_ == "json":
            assert push(port, format_, MESSAGE).split(b" ")[1] == b"401"
    kept = names["db"].execute("SELECT * FROM events ORDER BY id").fetchall()
    names["db"].close()
    assert [row[:2] for row in kept] == rows
