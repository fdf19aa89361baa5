"""The engine of a node, put together: journal, correlation, intake, outbox, dispatch, submission.

Everything here runs on the loop, and in the journal's thread; nothing here knows of a socket but the pusher.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from homing.config import Settings
from homing.engine.correlate import Correlator
from homing.engine.directory import Directory
from homing.engine.dispatch import Dispatch
from homing.engine.fanout import Claim, FanOut
from homing.engine.intake import Intake
from homing.engine.mailbox import Mailbox
from homing.engine.mms_intake import MmsIntake
from homing.engine.outbox import Outbox
from homing.engine.polling import PollingRule
from homing.engine.prices import Prices
from homing.engine.reassembly import Reassembly
from homing.engine.submit import Submit
from homing.model.clock import Ids, now_ms
from homing.node.chores import Sweeps
from homing.node.contents import content_links, open_contents
from homing.node.pushers import Pushers
from homing.store.customers import load_directory
from homing.store.database import Database
from homing.store.journal import Journal
from homing.store.mailbox import StoreMails
from homing.store.reading import latest_id
from homing.wire.mail import MailWriter

SUBMISSIONS_IN_MEMORY = 20_000
"""Submissions held for sending; the others wait in the store."""
READERS = 2
"""Mailboxes read at once."""
MMS_THREADS = 4
"""Contents of MMS written at once."""
CLOCKS_APART_MS = 600_000
"""How far the clocks of nodes may be apart, and how long a transaction may take."""
DAY_MS = 86_400_000


class Core:
    """The pieces of the engine by name. ``directory`` is replaced whole when customers change."""

    def __init__(self, settings: Settings, database: Database, loop: asyncio.AbstractEventLoop) -> None:
        push = settings.push
        self.ids = Ids(settings.node.id, after=latest_id(database))
        self.directory: Directory = load_directory(
            database, links=lambda account: content_links(settings, account)
        )
        self.journal = Journal(database, loop)
        self._is_alone = database.is_sqlite  # which no two nodes can share
        self.claim = Claim(node=settings.node.id, life=now_ms(), lease_ms=round(push.lease_s * 1000))
        self.contents = open_contents(settings)
        self.pusher = Pushers(settings, loop, self.contents.open)
        self.dispatch = Dispatch(
            journal=self.journal,
            directory=self._directory,
            claim=self.claim,
            pusher=self.pusher,
            retry_s={
                "mx": push.mx_retry_s,
                "mx-mms": push.mx_retry_s,
                "json": push.json_retry_s,
                "upside": push.upside_retry_s,
                "email": push.email_retry_s,
            },
            give_up_ms=round(push.give_up_s * 1000),
            max_in_memory=push.max_in_memory,
            max_per_endpoint=push.max_in_memory_per_endpoint,
            call_soon=loop.call_soon,
            call_later=loop.call_later,
        )
        self.threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self.mms_threads = ThreadPoolExecutor(MMS_THREADS, thread_name_prefix="mms")
        self._connect_sides(settings, loop, database)

    def _connect_sides(self, settings: Settings, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        intake = settings.intake
        fan_out = FanOut(self.claim, self.dispatch)
        self.reassembly = Reassembly(
            ids=self.ids,
            directory=self._directory,
            fan_out=fan_out,
            reassembly_ms=round(intake.reassembly_s * 1000),
        )
        self.correlator = Correlator(
            ids=self.ids, directory=self._directory, fan_out=fan_out, is_alone=self._is_alone
        )
        self.intake = Intake(
            journal=self.journal,
            ids=self.ids,
            directory=self._directory,
            fan_out=fan_out,
            reassembly=self.reassembly,
            correlator=self.correlator,
            offer=self.dispatch.offer,
            call_soon=loop.call_soon,
        )
        self.mms_intake = MmsIntake(
            journal=self.journal,
            ids=self.ids,
            directory=self._directory,
            fan_out=fan_out,
            offer=self.dispatch.offer,
            retention_ms=round(settings.mms.retention_d * DAY_MS),
        )
        self.outbox = Outbox(
            journal=self.journal,
            correlator=self.correlator,
            claim=self.claim,
            offer=self.dispatch.offer,
            call_soon=loop.call_soon,
            call_later=loop.call_later,
            max_in_memory=SUBMISSIONS_IN_MEMORY,
        )
        self.mailbox = self._mailbox(settings, database)
        self.submit = Submit(
            journal=self.journal,
            claim=self.claim,
            has_room=self.outbox.has_room,
            offer=self.outbox.take,
            prices=Prices(settings.credits.price, settings.credits.prices, settings.credits.mms_price),
        )
        self.sweeps = Sweeps(
            self.correlator,
            self.reassembly,
            {link.name: round(link.no_receipt_after_h * 3_600_000) for link in settings.link},
            round(intake.parked_receipt_h * 3_600_000),
        )

    def _mailbox(self, settings: Settings, database: Database) -> Mailbox:
        box = settings.mailbox
        retention_d = min(box.retention_d, settings.node.event_retention_d)
        return Mailbox(
            store=StoreMails(database),
            journal=self.journal,
            threads=self.threads,
            writer=MailWriter(box.domain),
            open_content=self.contents.open,
            polling=PollingRule(box.poll_interval_s),
            retention_ms=retention_d * DAY_MS,
            late_ms=round(settings.intake.reassembly_s * 1000) + CLOCKS_APART_MS,
            max_session=box.max_session,
        )

    def _directory(self) -> Directory:
        return self.directory
