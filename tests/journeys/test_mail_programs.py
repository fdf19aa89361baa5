"""Mail programs empty a mailbox of a thousand mixed events: whole, killed half-way, and from a killed node.

A program that the machine does not have is not tried, but continuous integration must have them all.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import trustme
from sqlalchemy import Connection, func, select

from homing.model.clock import id_at, now_ms
from homing.model.message import Coding
from homing.model.report import REPORT_BIT, Status
from homing.store import tables as t
from homing.store.create import open_store
from tests.journeys.far import PASSWORD, NodeProcess, config, enrol, free_port, sqlite_url
from tests.journeys.mail_programs import PROGRAMS, Account, Program, inbox
from tests.programs import is_to_be_tried
from tests.store import rows

MAILS = 1000
HALF_WAY = 250_000
"""Octets from the node: somewhat less than half of those of a mailbox."""
FOUND = [name for name in PROGRAMS if name == "poplib" or is_to_be_tried(name)]
STATUSES = tuple(status.value for status in Status if REPORT_BIT.get(status))


def add_events(connection: Connection, first: int) -> set[str]:
    """Messages of every coding and reports of every status, by turns; their ids."""
    texts = ("plain", "two\nlines\n.with a dot\n.\n", "häßlich €", "你好", "x" * 1530, "")
    for n in range(0, MAILS, 2):
        if n % 10 == 8:
            rows.add_message(
                connection, first + n, coding=int(Coding.DATA), text="", data=bytes(range(n % 140))
            )
        else:
            rows.add_message(connection, first + n, text=f"{n} {texts[n % len(texts)]}")
        rows.add_submission(connection, first + n, note=f"order {n}\r\nBcc: x@ox.test")
        rows.add_report(connection, first + n + 1, first + n, status=STATUSES[n // 2 % len(STATUSES)])
    return {str(first + n) for n in range(MAILS)}


class Mailbox:
    """A node with a mailbox, and one program that collects it into its home."""

    def __init__(self, node: NodeProcess, ports: tuple[int, int], ca_file: Path, home: Path) -> None:
        self.node = node
        self.ports = ports
        self.ca_file = ca_file
        self.home = home
        self._first = id_at(now_ms() - 86_400_000)
        inbox(home).mkdir(parents=True)
        for each in ("cur", "tmp"):
            (home / "mails" / each).mkdir()

    def fill(self) -> set[str]:
        """A thousand events, younger than those before, and no file left of those."""
        for file in inbox(self.home).iterdir():
            file.unlink()
        self._first += 1 << 34
        database = open_store(sqlite_url(self.node))
        with database.writing() as connection:
            ids = add_events(connection, self._first)
        database.close()
        return ids

    def left(self) -> int:
        """Mails that nobody has deleted."""
        database = open_store(sqlite_url(self.node))
        with database.reading() as connection:
            events = sum(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (t.messages, t.reports)
            )
            deleted = select(func.count()).select_from(t.mailbox_marks).where(t.mailbox_marks.c.is_deleted)
            left: int = events - connection.execute(deleted).scalar_one()
        database.close()
        return left

    def collected(self) -> Counter[str]:
        """How often each event has come; every mail must be whole and every copy the same."""
        found: dict[str, set[str]] = {}
        counts: Counter[str] = Counter()
        for file in inbox(self.home).iterdir():
            mail = message_from_bytes(file.read_bytes(), policy=policy.default)
            id_ = mail["X-Homing-Id"]
            assert id_, file.read_bytes()
            assert "Bcc" not in mail
            found.setdefault(id_, set()).add(mail["Message-ID"] + mail.get_content().replace("\r\n", "\n"))
            counts[id_] += 1
        assert {len(contents) for contents in found.values()} <= {1}
        return counts

    def said(self) -> str:
        """What the program said, the end of it."""
        return (self.home / "log").read_text()[-4000:]

    async def collect(
        self,
        program: Program,
        account: Account,
        kill: Callable[[asyncio.subprocess.Process], None] | None = None,
    ) -> int:
        """Run the program once; ``kill`` is called half-way. Its exit status."""
        async with between(self.ports[account.security == "tls"]) as way:
            command = program.prepare(account._replace(port=way.port), self.home)
            with (self.home / "log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, "HOME": str(self.home), "FETCHMAILUSER": account.user},
                )  # fmt: skip
                if kill is not None:
                    way.halfway = lambda: kill(process)
                async with asyncio.timeout(120):
                    return await process.wait()


class Way:
    """A proxy between a program and the node, which counts what comes back."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self.octets = 0
        self.halfway: Callable[[], None] | None = None

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._pass(reader, far_writer),
            self._pass(far_reader, writer, counts=True),
            return_exceptions=True,
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False
    ) -> None:
        try:
            while octets := await reader.read(4096):
                self.octets += len(octets) if counts else 0
                if self.octets > HALF_WAY and self.halfway is not None:
                    halfway, self.halfway = self.halfway, None
                    halfway()
                writer.write(octets)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def between(port: int) -> AsyncIterator[Way]:
    way = Way(port)
    server = await asyncio.start_server(way.take, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def mailbox(path: Path, authority: trustme.CA) -> AsyncIterator[Mailbox]:
    certificate = authority.issue_cert("localhost", common_name="localhost")
    chain, key, ca_file = path / "chain.pem", path / "key.pem", path / "ca.pem"
    certificate.private_key_pem.write_to_path(key)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    authority.cert_pem.write_to_path(ca_file)
    ports = free_port(), free_port()
    http_port = free_port()
    more = f"""
[pop3]
listen = "127.0.0.1:{ports[0]}"
listen_tls = "127.0.0.1:{ports[1]}"
tls_certificate = "{chain}"
tls_key = "{key}"

[mailbox]
poll_interval_s = 0
"""
    node = NodeProcess(path, http_port, config(http_port, free_port(), more=more))
    enrol(sqlite_url(node), "acme", "http://127.0.0.1:9/")
    await node.start()
    try:
        yield Mailbox(node, ports, ca_file, path / "home")
    finally:
        assert await node.stop() == 0, node.log.read_text()[-4000:]


async def collect_whole(box: Mailbox, program: Program, account: Account) -> None:
    ids = box.fill()
    assert await box.collect(program, account) == 0, box.said()
    assert box.collected() == Counter(ids)
    assert box.left() == 0


async def collect_after(
    box: Mailbox, program: Program, account: Account, kill: Callable[[asyncio.subprocess.Process], None]
) -> None:
    """A session that is broken off deletes nothing (RFC 1939 §6): what has come, comes again, the same."""
    ids = box.fill()
    assert await box.collect(program, account, kill) != 0
    before = box.collected()
    assert 0 < before.total() < MAILS
    assert box.left() == MAILS
    if not await box.node.is_ready():
        await box.node.start()
    assert await box.collect(program, account) == 0, box.said()
    after = box.collected()
    assert set(after) == ids
    assert {id_ for id_, copies in after.items() if copies > 1} <= set(before)
    assert max(after.values()) <= 2
    assert box.left() == 0


@pytest.mark.parametrize("name", FOUND)
def test_a_program_empties_a_mailbox_also_of_a_node_that_is_killed(
    tmp_path: Path, authority: trustme.CA, name: str
) -> None:
    async def run() -> None:
        async with mailbox(tmp_path, authority) as box:
            account = Account(0, "plain", box.ca_file, "acme", PASSWORD)
            await collect_whole(box, PROGRAMS[name], account)
            await collect_after(box, PROGRAMS[name], account, lambda _program: box.node.signal_kill())

    asyncio.run(run())


@pytest.mark.parametrize("name", FOUND)
def test_a_program_empties_a_mailbox_by_tls_also_when_it_is_killed(
    tmp_path: Path, authority: trustme.CA, name: str
) -> None:
    async def run() -> None:
        async with mailbox(tmp_path, authority) as box:
            account = Account(0, PROGRAMS[name].secured, box.ca_file, "acme", PASSWORD)
            await collect_whole(box, PROGRAMS[name], account)
            await collect_after(box, PROGRAMS[name], account, lambda program: program.kill())

    asyncio.run(run())
