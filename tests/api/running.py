"""The faces as they run in a node: the real application on a real listener, over a real store.

The server has its own loop in a thread, so tests are plain functions with plain clients. Nothing sends: what
is accepted stays in the store, where the tests look for it.
"""

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import uvicorn
import uvloop
from sqlalchemy import Table, select

from homing.api.direct import DirectProtocol
from homing.api.gateway import Gateway, Health
from homing.api.login import Logins
from homing.api.mms_send import MmsSending
from homing.api.plain import Receive, Scope, Send
from homing.api.routes import Application
from homing.engine.contents import Contents, OpenContent
from homing.engine.credentials import hash_api_key, hash_password, make_token
from homing.engine.directory import Directory
from homing.engine.fanout import Claim
from homing.engine.mailbox import Mailbox
from homing.engine.mms_content import Limits
from homing.engine.polling import PollingRule
from homing.engine.rows import submission_of
from homing.engine.submit import Submit
from homing.model.account import Account, Endpoint
from homing.model.clock import Ids
from homing.model.delivery import Answer
from homing.model.message import Submission
from homing.push.fetch import Fetcher
from homing.store import tables as t
from homing.store.customers import add_account, change_account, load_directory
from homing.store.database import Database
from homing.store.journal import Journal
from homing.store.mailbox import StoreMails
from homing.store.sub_accounts import StoreSubAccounts
from homing.wire.content_link import ContentLinks, link_key
from homing.wire.mail import MailWriter

FAILURES_PER_MIN = 10
MAX_BULK = 1000
MAX_BODY_BYTES = 65_536
MAX_PART_BYTES = 2_000_000
MAX_MESSAGE_BYTES = 3_000_000
FETCH_S = 2.0
LINK_S = 3600
PASSWORD = "s3cret"
INBOUND_PASSWORD = "inb0und"


_hashed = functools.cache(hash_password)  # made to be slow, and every test needs one


class CountingApplication(Application):
    """Counts the requests that go the usual way."""

    usual = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.usual += 1
        await super().__call__(scope, receive, send)


class RunningGateway:
    """One gateway at ``url``. What a test may turn: ``health``, ``time_s``, ``tested`` and the accounts."""

    def __init__(self, database: Database, records: Any, contents: Contents, **settings: Any) -> None:
        self.database = database
        self.directory = Directory()
        self.health = Health(store_trouble=None, listening=True, draining=False, links=[])
        self.time_s = 0.0
        self.tested = Answer(status=200, body=b"OK", length=2, took_ms=7)
        self.ids = Ids(0)
        self.contents = contents
        self._records = records
        self.open_content: OpenContent = contents.open
        """How what an MMS carries is opened for mails."""
        self._threads = ThreadPoolExecutor(2)
        self._settings = settings

    @contextlib.contextmanager
    def running(self) -> Iterator["RunningGateway"]:
        bound = socket.create_server(("127.0.0.1", 0))
        self.port: int = bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        started = threading.Event()
        thread = threading.Thread(target=lambda: uvloop.run(self._serve(bound, started)))
        thread.start()
        assert started.wait(30)
        try:
            with httpx.Client(base_url=self.url, timeout=30) as self.client:
                yield self
        finally:
            self._loop.call_soon_threadsafe(self._end)
            thread.join()

    def _end(self) -> None:
        self._server.should_exit = True

    async def _serve(self, bound: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self.journal = Journal(self.database, self._loop)
        self.journal.start()
        self.gateway = gateway = self._gateway()
        self.application = CountingApplication(gateway)
        config = uvicorn.Config(
            self.application,
            http=DirectProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._loop.call_soon(started.set)  # the socket listens already: who comes early waits
        await self._server.serve([bound])
        gateway.logins.close()
        self._threads.shutdown()
        self.journal.stop()

    def _gateway(self) -> Gateway:
        settings = {
            "max_bulk": MAX_BULK,
            "max_body_bytes": MAX_BODY_BYTES,
            "trusted_proxies": (),
            "relays": {},
        }
        return Gateway(
            directory=lambda: self.directory,
            submit=Submit(
                journal=self.journal,  # type: ignore[arg-type]
                claim=Claim(node=0, life=1, lease_ms=60_000),
                has_room=lambda submission: False,
                offer=lambda submissions, until_ms: None,
            ),
            ids=self.ids,
            logins=Logins(lambda: self.directory, FAILURES_PER_MIN, clock=lambda: self.time_s),
            records=self._records,
            mailbox=Mailbox(
                store=StoreMails(self.database),
                journal=self.journal,  # type: ignore[arg-type]
                threads=self._threads,
                writer=MailWriter("homing.invalid"),
                open_content=lambda sha256: self.open_content(sha256),
                polling=PollingRule(120, clock=lambda: self.time_s),
                retention_ms=30 * 86_400_000,
                late_ms=600_000,
                max_session=1000,
            ),
            contents=self.contents,
            links=self.links,
            test_endpoint=self._test_endpoint,
            check_url=lambda url: ("a forbidden address",) if "10.0.0.1" in url else (),
            sub_accounts=StoreSubAccounts(self.database, self.ids.next),
            mms=MmsSending(
                contents=self.contents,
                threads=self._threads,
                fetch=Fetcher(allow_private_networks=True, give_up_s=FETCH_S).fetch,
                limits=Limits(part=MAX_PART_BYTES, message=MAX_MESSAGE_BYTES),
                retention_ms=7 * 86_400_000,
            ),
            has_relay=True,
            health=lambda: self.health,
            is_draining=lambda: self.health.draining,
            metrics=lambda: b"homing_things_total 1\n",
            **settings | self._settings,
        )

    def links(self, account: Account) -> ContentLinks:
        """What makes the links of an account."""
        return ContentLinks(base_url=self.url, key=link_key(account.api_key_hash), life_s=LINK_S)

    async def _test_endpoint(self, endpoint: Endpoint) -> Answer:
        return self.tested

    # --- what tests do beside asking ---

    def add_account(self, name: str, **values: Any) -> Account:
        """An account with the passwords above and the API key ``key-of-NAME``."""
        made = {
            "name": name,
            "password_hash": _hashed(PASSWORD),
            "inbound_password_hash": _hashed(INBOUND_PASSWORD),
            "api_key_hash": hash_api_key(f"key-of-{name}"),
            "token": make_token(),
        }
        account = Account(**made | values)
        with self.database.writing() as connection:
            add_account(connection, account)
        self.reload()
        return account

    def change_account(self, account: Account, **changes: Any) -> Account:
        changed = msgspec.structs.replace(account, **changes)
        with self.database.writing() as connection:
            change_account(connection, changed)
        self.reload()
        return changed

    def reload(self) -> None:
        """Read the customers anew, as a node does when they have changed."""
        self.directory = load_directory(self.database, self.directory)

    def rows(self, table: Table) -> Sequence[Any]:
        with self.database.reading() as connection:
            return connection.execute(select(table).order_by(*table.primary_key)).all()

    def submissions(self) -> list[Submission]:
        """What was accepted, in the order of its ids."""
        return [submission_of(row) for row in self.rows(t.submissions)]

    def talk(self, octets: bytes) -> bytes:
        """Write to the listener as it stands, and read until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(octets)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer
