"""The gateways that get the work: a Homing node, the bare relay, and Kannel where it is installed.

Each one is started on an empty directory, with nothing but what its documentation tells a user to write.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from bench import process
from bench.customers import enrol_all, store_path
from bench.farside import BenchError, FarSide
from bench.stored import fill

WINDOW = 200


class Gateway:
    """A running gateway under measurement."""

    name: str
    http_port = 0
    target = ""
    """The request target of a submission, with the holes of ``far/client.c``; empty = takes none."""

    def __init__(self, far: FarSide, directory: Path) -> None:
        self.far = far
        self.directory = directory
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        raise BenchError(f"{self.name} cannot be started")

    def spawn(self, command: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        log = self.directory / f"{Path(command[0]).name}.log"
        with log.open("ab") as output:
            started = subprocess.Popen(
                command, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, cwd=self.directory
            )
        self.processes.append(started)
        return started

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self.processes]

    def __enter__(self) -> Self:
        try:
            self.start()
            self.far.wait_for_bind()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for each in reversed(self.processes):
            process.end(each)


class Node(Gateway):
    """A Homing node on its defaults, with its customers; and with a past, when ``stored`` says so."""

    name = "homing"
    target = "/SMSSend?user=customer0&pass=bench&smsto=@T&smsfrom=60999&report=7&smsmsg=B@M+your+code+is+4711"
    stored = 0
    """Events delivered before it starts."""
    undelivered = 0
    """Events that wait in the store when it starts."""
    more = ""
    """Further sections of its configuration."""

    def start(self) -> None:
        self.http_port = process.free_port()
        (self.directory / "homing.toml").write_text(
            f"""
[node]
data_dir = "data"

[http]
listen = "127.0.0.1:{self.http_port}"

[push]
allow_private_networks = true

[[link]]
name = "far"
kind = "smpp"
host = "127.0.0.1"
port = {self.far.smsc}
system_id = "bench"
password = "bench"
bind = "transceiver"
window = {WINDOW}

{self.more}
"""
        )
        enrol_all(self.directory, self.far)
        self.fill()
        command = str(Path(sys.executable).parent / "homing")
        self.started_at_s = time.monotonic()
        node = self.spawn([command, "serve", "--config", "homing.toml"])
        process.wait_for_ok(f"http://127.0.0.1:{self.http_port}/readyz", node, timeout_s=60)

    def fill(self) -> None:
        """Put a past into its store."""
        if self.stored:
            fill(store_path(self.directory), self.stored, delivered=True)
        if self.undelivered:
            fill(store_path(self.directory), self.undelivered, delivered=False)


class Relay(Gateway):
    """The bare relay, ``limit.py``."""

    name = "bare relay"

    def start(self) -> None:
        program = str(Path(__file__).with_name("limit.py"))
        ports = [str(self.far.smsc), str(self.far.ports[0])]
        self.spawn([sys.executable, program, *ports, str(self.directory / "store.db")], subprocess.PIPE)

    def __exit__(self, *_: object) -> None:
        for each in self.processes:
            if each.stdin:
                each.stdin.close()
            process.end(each)


class Kannel(Gateway):
    """Kannel as installed: one bearerbox, one smsbox, warnings logged, an SMSC window as large as ours."""

    name = "kannel"
    target = (
        "/cgi-bin/sendsms?username=bench&password=bench&from=60999&to=@T&text=B@M+your+code+is+4711"
        "&dlr-mask=3&dlr-url=http%3A%2F%2F127.0.0.1%3A{sink}%2Fdlr%3Fsmsfrom%3D@T%26smsmsg%3DREPORT%2B1%2B%25d"
    )
    store = ""

    @staticmethod
    def is_installed() -> bool:
        return all(shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin") for name in KANNEL_PROGRAMS)

    def start(self) -> None:
        bearerbox, smsbox = (
            shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin") or name for name in KANNEL_PROGRAMS
        )
        admin, boxes, self.http_port = (process.free_port() for _ in range(3))
        self.target = self.target.replace("{sink}", str(self.far.ports[0]))
        (self.directory / "spool").mkdir()
        (self.directory / "kannel.conf").write_text(
            KANNEL_CONF.format(
                admin=admin,
                boxes=boxes,
                http=self.http_port,
                smsc=self.far.smsc,
                sink=self.far.ports[0],
                window=WINDOW,
                store=self.store.format(directory=self.directory),
            )
        )
        started = self.spawn([bearerbox, "-v", "4", "kannel.conf"])
        process.wait_for_port(boxes, started)
        process.wait_for_port(self.http_port, self.spawn([smsbox, "-v", "4", "kannel.conf"]))


class KannelSpool(Kannel):
    """The same with its durable store."""

    name = "kannel spool"
    store = "store-type = spool\nstore-location = {directory}/spool"


KANNEL_PROGRAMS = ("bearerbox", "smsbox")
KANNEL_CONF = """
group = core
admin-port = {admin}
admin-password = bench
smsbox-port = {boxes}
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
log-file = bearerbox-kannel.log
log-level = 2
{store}

group = smsc
smsc = smpp
smsc-id = far
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
global-sender = 60999
log-file = smsbox-kannel.log
log-level = 2

group = sendsms-user
username = bench
password = bench

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{sink}/in?smsfrom=%p&smsto=%P&smsid=%I&smsmsg=%a"
max-messages = 0
catch-all = true
"""
