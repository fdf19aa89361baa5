"""``homing demo``: the main job, shown on one machine in a minute.

A node with its built-in network simulators, a sample receiver in the customer's place, and a customer who
submits over HTTP: every report, reply and MMS is shown as it is pushed, the MMS retrieved and unpacked.
Everything is on loopback and in a temporary directory that is removed at the end. ``--once`` ends after one of
each; exit 1 when one is missing.
"""

import asyncio
import queue
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote_plus, urljoin

import uvloop
from rich.console import Console
from rich.panel import Panel

from homing.cli import demo_mms
from homing.cli.demo_mms import MmsPush
from homing.config import HttpSettings, LogSettings, NodeSettings, PushSettings, Settings
from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.model.account import Number
from homing.node.node import Node
from homing.observe import configure_logging
from homing.receiver import ANSWER, MessagePush, NotAPush, ReportPush, parse_push
from homing.store import customers
from homing.store.create import open_store

PASSWORD = "demo-password"  # noqa: S105  (of an account that lives for a minute on loopback)
SHORT_CODE = "60999"
USUAL_PORT = 8080
WAIT_S = 30.0
"""How long one of each may take."""

STEPS = (
    ("447700900123", "Your table is booked for 8 pm"),
    ("447700900950", "Reply YES to confirm your visit"),
    ("447700900900", "This phone cannot be reached"),
)
"""Recipient and text of what the customer submits; the last digits decide the fate in the simulator."""

Push = ReportPush | MessagePush | MmsPush


class _Receiver(BaseHTTPRequestHandler):
    """What a customer would run: read the push, keep it, answer 200 with a body."""

    protocol_version = "HTTP/1.1"
    pushes: "queue.Queue[Push]"

    def do_GET(self) -> None:
        try:
            is_mms = self.path.startswith(demo_mms.PATH)
            self.pushes.put(demo_mms.read_push(self.path) if is_mms else parse_push(self.path))
            status, body = 200, ANSWER
        except (NotAPush, ValueError) as error:
            status, body = 400, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The demo shows the pushes itself."""


class Demo:
    """The customer's side and the screen. ``url`` is the node's."""

    def __init__(self, console: Console, url: str, pushes: "queue.Queue[Push]") -> None:
        self._console = console
        self._url = url
        self._pushes = pushes
        self.submitted = 0
        self.reports = 0
        self.messages = 0
        self.pictures = 0

    def introduce(self, receiver_url: str) -> None:
        target = f"{self._url}/SMSSend?user=demo&pass={PASSWORD}&smsto=447700900950&smsmsg=Hello&report=7"
        self._console.print(
            Panel(
                f"node      [cyan]{self._url}[/]  (simulated network, temporary store)\n"
                f"receiver  [cyan]{receiver_url}[/]  (the customer's application)",
                title="Homing demo",
                border_style="blue",
                expand=False,
            )
        )
        self._console.print(f"Try it: [green]curl '{target}'[/]\n", soft_wrap=True, highlight=False)

    def submit(self, recipient: str, text: str) -> None:
        query = f"user=demo&pass={PASSWORD}&smsto={recipient}&smsfrom={SHORT_CODE}&report=7"
        target = f"{self._url}/SMSSend?{query}&smsmsg={quote_plus(text)}"
        try:
            with urllib.request.urlopen(target, timeout=10) as answer:  # noqa: S310  (our own node)
                smsid = answer.read().decode("ascii")
        except (OSError, urllib.error.URLError) as error:
            self._console.print(f"[red]SMSSend failed: {error}[/]")
            return
        self.submitted += 1
        self._say("blue", "submitted", f"{smsid}  to {recipient}: {text}")

    def show(self, wait_s: float) -> None:
        """Show pushes as they come, for some time or until there was one of each."""
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            try:
                push = self._pushes.get(timeout=min(left, 0.5))
            except queue.Empty:
                continue
            if isinstance(push, ReportPush):
                self.reports += 1
                colour = "green" if push.status == "DELIVERED" else "yellow"
                self._say(colour, "report", f"{push.submission}  {push.status}  (event {push.id})")
            elif isinstance(push, MmsPush) and push.is_mms:
                self._retrieve(push)
            else:
                self.messages += 1
                text = push.says if isinstance(push, MmsPush) else push.text
                self._say("magenta", "received", f"from {push.sender} to {push.recipient}: {text}")
            if self.has_all and self.is_satisfied:
                return

    def bring_mms(self) -> None:
        """Let a phone send a picture."""
        if not demo_mms.bring(self._url, SHORT_CODE):
            self._console.print("[red]The node did not take the MMS.[/]")

    def _retrieve(self, push: MmsPush) -> None:
        """What a customer does with an MMS: fetch it by its id, and unpack it."""
        self._say("magenta", "MMS", f"{push.id}  from {push.sender} to {push.recipient}: {push.says}")
        try:
            parts = demo_mms.retrieve(self._url, "demo", push.id)
        except (OSError, urllib.error.URLError) as error:
            self._console.print(f"[red]RetrieveMMS failed: {error}[/]")
            return
        self.pictures += sum(part.content_type.startswith("image/") for part in parts)
        listed = ", ".join(f"{part.name} ({part.size:,})" for part in parts)
        self._say("cyan", "retrieved", f"{push.id}  {listed}")

    is_satisfied = False
    """Whether to return from ``show`` as soon as there was one of each."""

    @property
    def has_all(self) -> bool:
        return bool(self.submitted and self.reports >= len(STEPS) and self.messages and self.pictures)

    @property
    def tally(self) -> str:
        return (
            f"{self.submitted} submitted, {self.reports} reports, {self.messages} replies, "
            f"{self.pictures} pictures."
        )

    def _say(self, colour: str, word: str, text: str) -> None:
        at = time.strftime("%H:%M:%S")
        self._console.print(f"[dim]{at}[/]  [{colour}]{word:<10}[/] {text}", soft_wrap=True, highlight=False)


def run(*, once: bool, console: Console) -> int:
    """Show it; the exit status."""
    configure_logging("warning")
    pushes: queue.Queue[Push] = queue.Queue()
    handler = type("Receiver", (_Receiver,), {"pushes": pushes})
    with tempfile.TemporaryDirectory(prefix="homing-demo-") as directory, _serving(handler) as receiver:
        receiver_url = f"http://127.0.0.1:{receiver}/in"
        settings = _settings(Path(directory))
        _enrol_customer(settings, receiver_url)
        with _running_node(settings) as port:
            demo = Demo(console, f"http://127.0.0.1:{port}", pushes)
            demo.introduce(receiver_url)
            return _once(demo, console) if once else _go_on(demo, console)


def _once(demo: Demo, console: Console) -> int:
    demo.is_satisfied = True
    for recipient, text in STEPS:
        demo.submit(recipient, text)
    demo.bring_mms()
    demo.show(WAIT_S)
    if demo.has_all:
        console.print("[green]One of each came home: report, reply, MMS.[/]")
        return 0
    console.print(f"[red]Missing: {demo.tally}[/]")
    return 1


def _go_on(demo: Demo, console: Console) -> int:
    console.print("[dim]Ctrl-C ends it.[/]")
    try:
        while True:
            for recipient, text in STEPS:
                demo.submit(recipient, text)
                demo.show(4.0)
            demo.bring_mms()
            demo.show(4.0)
    except KeyboardInterrupt:
        console.print(f"\n{demo.tally}")
    return 0


def _settings(directory: Path) -> Settings:
    return Settings(
        node=NodeSettings(data_dir=directory, drain_s=2.0),
        http=HttpSettings(listen=f"127.0.0.1:{_port_for_http()}"),
        push=PushSettings(allow_private_networks=True),
        log=LogSettings(level="warning"),
    )


def _port_for_http() -> int:
    """The usual port, or any free one when it is in use."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            free: int = probe.getsockname()[1]
            return free
    raise OSError("no port is free on 127.0.0.1")


def _enrol_customer(settings: Settings, receiver_url: str) -> None:
    """What ``homing account add``, ``endpoint add`` and ``number add`` do."""
    database = open_store(settings.node.store_url)
    account, _secrets = make_account("demo", password=PASSWORD, inbound_password=demo_mms.INBOUND_PASSWORD)
    reports = EndpointWish(account="demo", events=("report",), format="mx", url=receiver_url)
    messages = EndpointWish(
        account="demo", events=("message",), format="mx-mms",
        url=urljoin(receiver_url, demo_mms.PATH),
    )  # fmt: skip
    try:
        with database.writing() as connection:
            customers.add_account(connection, account)
            for wish in (reports, messages):
                customers.add_endpoint(connection, make_endpoint(wish, lambda _url: ()))
            customers.add_number(connection, Number(number=SHORT_CODE, account="demo"))
    finally:
        database.close()


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The receiver on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _running_node(settings: Settings) -> Iterator[int]:
    """A node in a thread with its own loop; yields its HTTP port when its link is bound."""
    started: queue.Queue[int | BaseException] = queue.Queue()
    ended: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        node = Node(settings, open_store(settings.node.store_url))
        told = asyncio.Event()
        ended.append((asyncio.get_running_loop(), told))
        try:
            await node.start()
        except BaseException as error:
            started.put(error)
            raise
        started.put(node.listeners[0].port)
        await told.wait()
        await node.stop()

    def run_loop() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(live())

    thread = Thread(target=run_loop, daemon=True)
    thread.start()
    port = started.get(timeout=WAIT_S)
    if isinstance(port, BaseException):
        raise port
    try:
        yield port
    finally:
        loop, told = ended[0]
        loop.call_soon_threadsafe(told.set)
        thread.join(WAIT_S)
