"""The pull side: mailboxes emptied by POP3 in many sessions at once, and the inbox of SOAP.

What is given is a node of its own whose 200 customers have mails, reports and messages by halves. The
programs that collect are in this process, on one core; the node has the other.
"""

import asyncio
import re
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench import process
from bench.customers import PASSWORD, number_of, store_path
from bench.farside import BenchError, Result
from bench.gateways import Node
from bench.stages import running
from bench.stored import COUNTED, DAY_MS, submission_content
from homing.model.clock import id_at, now_ms

SESSIONS = 200
PAGES = 20
"""Full answers of the SOAP inbox of one customer."""
PAGE = 300
LIMIT_S = 120.0
MAILS = (
    "INSERT INTO messages SELECT :first + i, :at_ms, 'far', '447700' || printf('%06d', i), :number, :account,"
    " 7, 'B' || i || ' your code is 4711', x'', x'', NULL, 1, 1, NULL, NULL, NULL FROM n",
    "INSERT INTO submissions SELECT :first + :count + i, :account, '60999', '447700' || printf('%06d', i),"
    " :content, 1, 7, NULL, 0, 0, NULL, NULL, 0, 'DELIVERED', 'delivered', 1, 'far', :at_ms, 0, 1, 0, NULL"
    " FROM n",
    "INSERT INTO reports SELECT :first + 2 * :count + i, :first + :count + i, :account, :at_ms, 'DELIVERED',"
    " 'delivered', '000', 1 FROM n",
)


class Pulled(Node):
    """A node with mailboxes that may be asked at any time."""

    mails = 0
    """Of each customer."""
    customers = SESSIONS
    """Who have mails."""

    def start(self) -> None:
        self.pop3_port = process.free_port()
        self.more = f'[pop3]\nlisten = "127.0.0.1:{self.pop3_port}"\n[mailbox]\npoll_interval_s = 0\n'
        super().start()

    def fill(self) -> None:
        fill(store_path(self.directory), self.customers, self.mails)


def fill(path: Path, customers: int, each: int) -> None:
    """Mails of yesterday for the first customers, messages and reports by halves."""
    content = submission_content()
    at_ms = now_ms() - DAY_MS
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for index in range(customers):
            values = {
                "first": id_at(at_ms + index * 1000), "at_ms": at_ms, "count": each // 2,
                "number": number_of(index), "account": f"customer{index}", "content": content,
            }  # fmt: skip
            for statement in MAILS:
                connection.execute(COUNTED + statement, values)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Session(asyncio.Protocol):
    """One mail program: logs in when it is told to, then retrieves all, ``depth`` commands ahead."""

    def __init__(self, account: str, depth: int) -> None:
        self._account = account
        self._depth = depth
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._told: asyncio.Future[bytes] | None = None
        self._retrieving: asyncio.Future[None] | None = None
        self._last = 0
        self.asked = 0
        self.retrieved = 0
        self.octets = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        for waiting in (self._told, self._retrieving):
            if waiting is not None and not waiting.done():
                waiting.set_exception(BenchError("a POP3 session was closed"))

    async def command(self, text: str) -> str:
        """One command with an answer of one line; "" waits for the greeting."""
        self._told = self._loop.create_future()
        if text:
            self._transport.write(f"{text}\r\n".encode())
        else:
            self._answer()
        said = (await self._told).decode()
        if not said.startswith("+OK"):
            raise BenchError(f"POP3 answered {text.split(' ')[0]} with {said.strip()}")
        return said

    async def log_in(self) -> int:
        await self.command("")
        await self.command(f"USER {self._account}")
        await self.command(f"PASS {PASSWORD}")
        return int((await self.command("STAT")).split()[1])

    def retrieve(self, count: int) -> asyncio.Future[None]:
        self._retrieving = self._loop.create_future()
        self._last = count
        self._ask()
        return self._retrieving

    def _ask(self) -> None:
        begin, end = self.asked, min(self._last, self.retrieved + self._depth)
        if end > begin:
            self.asked = end
            self._transport.write(b"".join(b"RETR %d\r\n" % (n + 1) for n in range(begin, end)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._retrieving is None:
            self._answer()
            return
        end = self._buffer.rfind(b"\r\n.\r\n")
        if end < 0:
            return
        whole = bytes(self._buffer[: end + 5])
        del self._buffer[: end + 5]
        self.octets += len(whole)
        self.retrieved += whole.count(b"\r\n.\r\n")
        if self.retrieved >= self._last:
            self._retrieving.set_result(None)
            self._retrieving = None
        elif self.asked - self.retrieved <= self._depth // 2:
            self._ask()

    def _answer(self) -> None:
        end = self._buffer.find(b"\n")
        if self._told is not None and not self._told.done() and end >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            self._told.set_result(line)


async def _collect(port: int, depth: int) -> Result:
    """All sessions log in, and when all have, all retrieve; then all are closed without deleting."""
    loop = asyncio.get_running_loop()
    began_s = time.perf_counter()
    sessions = []
    async with asyncio.timeout(LIMIT_S):
        for index in range(SESSIONS):
            _, session = await loop.create_connection(
                lambda index=index: Session(f"customer{index}", depth), "127.0.0.1", port
            )
            sessions.append(session)
        counts = await asyncio.gather(*(session.log_in() for session in sessions))
        retrieving_s = time.perf_counter()
        await asyncio.gather(*(s.retrieve(count) for s, count in zip(sessions, counts, strict=True)))
        ended_s = time.perf_counter()
        await asyncio.gather(*(session.command("QUIT") for session in sessions))
    retrieved = sum(session.retrieved for session in sessions)
    return {
        "retrieved": retrieved,
        "octets": sum(session.octets for session in sessions),
        "log_in_s": round(retrieving_s - began_s, 2),
        "per_s": round(retrieved / (ended_s - retrieving_s)),
    }


def pop3(mails: int, runs: int) -> Result:
    """Messages retrieved a second in 200 sessions at once: one at a time in each, and eight ahead."""

    class Full(Pulled):
        pass

    Full.mails = mails
    with running(Full) as node:
        assert isinstance(node, Full)
        found: Result = {"sessions": SESSIONS, "mails_each": mails}
        for name, depth in (("one_by_one", 1), ("pipelined", 8)):
            each = [uvloop.run(_collect(node.pop3_port, depth)) for _ in range(runs)]
            found[name] = each
            found[f"{name}_per_s"] = statistics.median(run["per_s"] for run in each)
        found["peak_mib"] = round(process.peak_mib(node.pids), 1)
        return found


TOKEN = re.compile("<Token>(.*)</Token>.*<Signature>(.*)</Signature>", re.DOTALL)


def soap(pages: int = PAGES) -> Result:
    """How long a full answer of GetNewInboxMessages takes, from the request to its last octet."""

    class Full(Pulled):
        mails = PAGE * pages
        customers = 1

    with (
        running(Full) as node,
        httpx.Client(base_url=f"http://127.0.0.1:{node.http_port}", timeout=30) as ask,
    ):
        login = {"username": "customer0", "password": PASSWORD}
        credentials = TOKEN.search(ask.post("/soap/Authentication.asmx/GetParameters", data=login).text)
        if credentials is None:
            raise BenchError("GetParameters gave no credentials")
        body = (
            '<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
            f'<soap:Body><GetNewInboxMessages xmlns="{namespace(ask)}"><token>{credentials[1]}</token>'
            f"<signature>{credentials[2]}</signature></GetNewInboxMessages></soap:Body></soap:Envelope>"
        )
        took_ms, octets = [], 0
        for _ in range(pages):
            began_s = time.perf_counter()
            answer = ask.post("/soap/SMS.asmx", content=body, headers={"Content-Type": "text/xml"})
            took_ms.append((time.perf_counter() - began_s) * 1000)
            octets = len(answer.content)
            if answer.text.count("<messageid>") != PAGE:
                raise BenchError(f"a page of the inbox held {answer.text.count('<messageid>')} messages")
        return {
            "messages": PAGE,
            "octets": octets,
            "median_ms": round(statistics.median(took_ms), 1),
            "worst_ms": round(max(took_ms), 1),
        }


def namespace(ask: httpx.Client) -> str:
    found = re.search('targetNamespace="([^"]+)"', ask.get("/soap/SMS.asmx?WSDL").text)
    if found is None:
        raise BenchError("the WSDL has no namespace")
    return found[1]
