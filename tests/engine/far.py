"""The far sides of the engine for its tests: a link and a pusher that record what they are given.

Everything between them is real: the journal with its thread, and a store of SQLite.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from homing.engine.correlate import Correlator
from homing.engine.directory import Directory
from homing.engine.dispatch import Dispatch
from homing.engine.fanout import Claim, FanOut
from homing.engine.intake import Intake
from homing.engine.mms_intake import MmsIntake
from homing.engine.outbox import Outbox
from homing.engine.ports import Outgoing, Pusher
from homing.engine.reassembly import Reassembly
from homing.engine.submit import Batch, Submit
from homing.model.account import Account, Endpoint, Number
from homing.model.clock import Ids, now_ms
from homing.model.delivery import Answer
from homing.model.errors import StoreUnavailable
from homing.model.message import Coding, Medium, Segment, Submission
from homing.model.report import Receipt, read_word
from homing.store import customers
from homing.store.create import open_store
from homing.store.database import Database
from homing.store.journal import Journal
from homing.wire.push_mail import MailTarget
from homing.wire.streamed import Streamed
from homing.wire.target import Target

OK = Answer(status=200, body=b"ok", length=2, took_ms=1)
BROKEN = Answer(status=500, body=b"no", length=2, took_ms=1)
REFUSED = Answer(status=None, body=b"", length=0, took_ms=1, error="connect refused", congested=True)
LEASE_MS = 75_000


class FarLink:
    """A link that takes what it is given, and answers when it is told to."""

    def __init__(
        self, name: str = "sim", prefixes: Sequence[str] = (), room: int = 100, scope: str = "s"
    ) -> None:
        self.name = name
        self.scope = scope
        self.prefixes = prefixes
        self.is_bound = True
        self.medium: Medium = "sms"
        self.window = room
        self.sent: list[Outgoing] = []
        """Everything, in order."""
        self.waiting: list[Outgoing] = []
        """Not answered yet."""

    def room(self) -> int:
        return self.window - len(self.waiting)

    def submit(self, batch: Sequence[Outgoing]) -> None:
        assert len(batch) <= self.room()
        self.sent += batch
        self.waiting += batch

    def take(self) -> list[Outgoing]:
        """What waits for an answer, which is to be given now."""
        waiting, self.waiting = self.waiting, []
        return waiting


class FarCustomer:
    """A pusher that answers what ``answers`` says, at once or (``holds``) when it is told to."""

    def __init__(self) -> None:
        self.pushed: list[tuple[Target | MailTarget, bytes | Streamed]] = []
        self.answers: Callable[[bytes | Streamed], Answer] = lambda _request: OK
        self.holds = False
        self.waiting: list[Callable[[Answer], None]] = []

    def send(
        self, target: Target | MailTarget, request: bytes | Streamed, token: object,
        done: Callable[[Any, Answer], None],
    ) -> None:  # fmt: skip
        self.pushed.append((target, request))
        if self.holds:
            self.waiting.append(lambda answer: done(token, answer))
        else:
            asyncio.get_running_loop().call_soon(done, token, self.answers(request))

    def texts(self) -> list[str]:
        """What the messages said, in the order of the pushes."""
        return [str(request).split("smsmsg=")[1].split("&")[0].split(" ")[0] for _t, request in self.pushed]


class World:
    """An engine over one store; ``next_life`` is a node that starts again on the same store."""

    def __init__(
        self, database: Database, *, node: int = 1, life: int | None = None, pusher: Pusher | None = None,
        **limits: Any,
    ) -> None:  # fmt: skip
        self.database = database
        self.limits = limits
        loop = asyncio.get_running_loop()
        self.ids = Ids(node)
        self.directory = customers.load_directory(database)
        self.journal = Journal(database, loop)
        self.claim = Claim(node=node, life=now_ms() if life is None else life, lease_ms=LEASE_MS)
        self.customer = FarCustomer()
        self.dispatch = Dispatch(
            journal=self.journal, directory=self.now, claim=self.claim, pusher=pusher or self.customer,
            retry_s={
                "mx": limits.get("retry_s", [30, 60]), "json": limits.get("retry_s", [5, 300]),
                "email": limits.get("retry_s", [5, 300]), "mx-mms": limits.get("retry_s", [30, 60]),
            },
            give_up_ms=60_000, max_in_memory=limits.get("max_in_memory", 1000),
            max_per_endpoint=limits.get("max_per_endpoint", 500), call_soon=loop.call_soon,
            call_later=loop.call_later,
        )  # fmt: skip
        fan_out = FanOut(self.claim, self.dispatch)
        self.reassembly = Reassembly(
            ids=self.ids, directory=self.now, fan_out=fan_out,
            reassembly_ms=limits.get("reassembly_ms", 60_000),
        )  # fmt: skip
        self.correlator = Correlator(
            ids=self.ids, directory=self.now, fan_out=fan_out, is_alone=database.is_sqlite
        )
        self.intake = Intake(
            journal=self.journal, ids=self.ids, directory=self.now, fan_out=fan_out,
            reassembly=self.reassembly, correlator=self.correlator, offer=self.dispatch.offer,
            call_soon=loop.call_soon,
        )  # fmt: skip
        self.mms_intake = MmsIntake(
            journal=self.journal, ids=self.ids, directory=self.now, fan_out=fan_out,
            offer=self.dispatch.offer, retention_ms=limits.get("mms_retention_ms", 7 * 86_400_000),
        )  # fmt: skip
        self.outbox = Outbox(
            journal=self.journal, correlator=self.correlator, claim=self.claim, offer=self.dispatch.offer,
            call_soon=loop.call_soon, call_later=loop.call_later,
            max_in_memory=limits.get("max_submissions", 1000),
        )  # fmt: skip
        self.submit = Submit(
            journal=self.journal, claim=self.claim, has_room=self.outbox.has_room, offer=self.outbox.take
        )
        self.journal.start()

    def now(self) -> Directory:
        return self.directory

    def reload(self) -> None:
        """Notice that customers have changed."""
        self.directory = customers.load_directory(self.database, self.directory)
        self.dispatch.directory_changed()

    async def settle(self) -> None:
        """Until everything written so far is committed and told, and everything that follows from that."""
        for _ in range(4):
            await asyncio.sleep(0.006)  # outcomes wait so long for company
            with suppress(StoreUnavailable):  # it may share a transaction that is made to fail
                await self.write(lambda _transaction: None)

    async def write(self, do: Callable[[Any], Any]) -> Any:
        """One write of the test's own in the journal: what it returned."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def done(results: Any, error: Exception | None) -> None:
            if error is not None:
                told.set_exception(error)
            else:
                told.set_result(results[0])

        self.journal.write(lambda transaction, items: [do(transaction) for _ in items], [None], done)
        return await told

    async def send(self, *submissions: Submission) -> None:
        """Submit as a face does."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        account = self.directory.accounts["acme"]
        self.submit.accept(Batch(account=account, metered=False, submissions=submissions), told.set_result)
        outcome = await told
        await asyncio.sleep(0)  # what a commit brings leaves at the end of that turn of the loop
        if isinstance(outcome, Exception):
            raise outcome

    def rows(self, table: Any, *order: Any) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(table).order_by(*(order or table.primary_key))).all())

    def stop(self) -> None:
        self.journal.stop()


def a_store(path: Path, *endpoints: Endpoint, numbers: Iterable[Number] = ()) -> Database:
    """A store with the account ``acme``, the number 60999 and these endpoints (ids 1, 2, …)."""
    database = open_store(f"sqlite:///{path / 'homing.db'}")
    with database.writing() as connection:
        for name in ("acme", "other"):
            customers.add_account(
                connection,
                Account(name=name, password_hash="", inbound_password_hash="", api_key_hash=name, token=name),
            )
        for number in (Number(number="60999", account="acme"), *numbers):
            customers.add_number(connection, number)
        for endpoint in endpoints:
            customers.add_endpoint(connection, endpoint)
    return database


def an_endpoint(**values: Any) -> Endpoint:
    made: dict[str, Any] = {
        "id": 0, "account": "acme", "events": ("report", "message"), "format": "mx",
        "url": "http://127.0.0.1:9/in", "created_at_ms": 1, "unknown_as": "UNKNOWN",
    }  # fmt: skip
    return Endpoint(**(made | values))


def a_submission(id_: int, segments: int = 1, **values: Any) -> Submission:
    made: dict[str, Any] = {
        "id": id_, "account": "acme", "sender": "60999", "recipient": "447700900001", "report_bits": 7,
        "segments": tuple(Segment(coding=Coding.TEXT, text=f"part {n}") for n in range(segments)),
    }  # fmt: skip
    return Submission(**(made | values))


def a_receipt(word: str, *ids: str, recipient: str = "447700900001") -> Receipt:
    status, reason = read_word(word)
    return Receipt(
        message_ids=ids, status=status, word=word, reason=reason, err="000", raw=word.encode(),
        recipient=recipient,
    )  # fmt: skip
