"""A node: starts what the configuration names, keeps it going, and ends it without losing anything.

Start: store, engine, listeners, links; what this node's former life had claimed is taken up at once. End
(``stop``): nothing new is taken, what is in flight may finish within ``drain_s``, binds are unbound,
everything that is known is committed. What cannot be started is an error that says why.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from homing.api.gateway import Gateway, Health
from homing.api.login import Logins
from homing.api.routes import Application
from homing.config import Settings, host_and_port
from homing.engine.ports import Transaction
from homing.links.mm7_server import Mm7Server
from homing.model.account import Endpoint
from homing.model.clock import now_ms
from homing.model.delivery import Answer
from homing.node.alarms import Alarms, UnmatchedWatch
from homing.node.chores import Chore, Clockwork
from homing.node.contents import content_links
from homing.node.core import Core
from homing.node.listeners import Listener, bind
from homing.node.metrics import exposition
from homing.node.mms_sending import mms_sending
from homing.node.networks import Networks
from homing.node.pop3 import Pop3
from homing.node.relays import make_receivers, make_relays
from homing.push.addresses import check_url
from homing.store import upkeep
from homing.store.content_sweep import ContentSweep
from homing.store.customers import load_directory
from homing.store.database import Database
from homing.store.records import StoreRecords
from homing.store.sql import DIRECTORY_VERSION
from homing.store.sql import Transaction as StoreTransaction
from homing.store.sub_accounts import StoreSubAccounts
from homing.wire.sample_event import prepare_sample, sample_event

log = structlog.get_logger(__name__)

DISPATCH_TICK_S = 0.1
OUTBOX_TICK_S = 0.5
WATCH_S = 0.5
"""How often the store is asked whether customers have changed, and whether a phone is to be simulated."""
STATES_S = 1.0
PARTS_S = 1.0
PARKED_S = 5.0
GIVE_UP_S = 1.0
UPKEEP_S = 10.0
ALARM_S = 60.0


class Node:
    """One running gateway process."""

    core: Core
    receivers: Mapping[str, Mm7Server]
    alarms: Alarms
    pop3: Pop3

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._loop = asyncio.get_running_loop()
        self.core = Core(settings, database, self._loop)
        self.networks = Networks(settings)
        self.alarms = Alarms()
        self.listeners: list[Listener] = []
        self._clockwork = Clockwork(self._loop)
        self._is_draining = False
        self._logins = Logins(lambda: self.core.directory, settings.submit.login_failures_per_min)
        self.receivers = make_receivers(settings, self.core, lambda: self._is_draining)
        self._watching: asyncio.Task[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._content_sweep = ContentSweep(database, self.core.contents)

    async def start(self) -> None:
        """Returns when everything listens; links go on connecting by themselves."""
        core = self.core
        bound = self._bind_all()
        self.pop3 = Pop3(self._settings, core.mailbox, self._logins)
        core.journal.start()
        self._ask_for_claims()
        app = Application(self._gateway())
        http = self._settings.http
        for sock, tls in bound:
            listener = Listener(
                app,
                sock,
                tls=tls,
                max_connections=http.max_connections,
                idle_timeout_s=http.idle_timeout_s,
            )
            self.listeners.append(listener)
            await listener.start()
        await self.pop3.start()
        await self.networks.start(
            core.outbox,
            core.intake,
            core.outbox.add,
            open_content=core.contents.open,
            received={name: each.counters for name, each in self.receivers.items()},
            http_port=next((each.port for each in self.listeners if each.context is None), None),
        )
        self._wind_up()
        log.info(
            "node_started",
            node=self._settings.node.id,
            http=[f"{'https' if each.context else 'http'} port {each.port}" for each in self.listeners],
            pop3=self.pop3.server.ports,
            links=[link.name for link in self.networks.links],
        )

    async def stop(self) -> None:
        """Drain and end."""
        drain_s = self._settings.node.drain_s
        core = self.core
        self._is_draining = True
        log.info("node_draining", drain_s=drain_s, pushes=core.dispatch.in_flight)
        core.outbox.stop()
        core.dispatch.stop()
        until_s = self._loop.time() + drain_s
        await asyncio.gather(self.networks.stop_links(drain_s), core.pusher.close(drain_s))
        # Last: until now whoever submits is told to try again, and /readyz says why.
        left_s = until_s - self._loop.time()
        await asyncio.gather(
            self.pop3.server.stop(left_s), *(listener.stop(left_s) for listener in self.listeners)
        )
        self._clockwork.stop()
        await self.networks.stop_simulators()
        await asyncio.gather(
            *(task for task in (self._watching, self._upkeep) if task), return_exceptions=True
        )
        await self._settle()
        core.journal.stop()
        self._logins.close()
        core.mms_threads.shutdown(wait=False, cancel_futures=True)
        core.threads.shutdown(wait=False, cancel_futures=True)
        self._database.close()
        log.info("node_stopped")

    def reload(self) -> None:
        """Read certificates and keys again; what cannot be read leaves the former ones in use."""
        try:
            for listener in self.listeners:
                listener.reload()
            self.pop3.reload()
            self.networks.reload_tls()
            self.core.pusher.reload()
        except OSError as error:  # ssl.SSLError is one
            log.error("certificates_not_reloaded", error=str(error))
        else:
            log.info("certificates_reloaded")

    def health(self) -> Health:
        return Health(
            store_trouble=self.core.journal.trouble,
            listening=bool(self.listeners)
            and all(each.is_listening for each in self.listeners)
            and self.pop3.server.is_listening,
            draining=self._is_draining,
            links=self.link_states(),
        )

    def link_states(self) -> list[dict[str, Any]]:
        """The status of every link, with what correlation has learned about it."""
        return [{**link.status(), **self.core.intake.learned(link.name)} for link in self.networks.links]

    async def test_endpoint(self, endpoint: Endpoint) -> Answer:
        """Push a marked sample event, once; nothing of it is kept."""
        format_ = prepare_sample(endpoint)
        event = sample_event(endpoint, self.core.ids.next(), now_ms())
        answered: asyncio.Future[Answer] = self._loop.create_future()

        def done(_token: Any, answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.core.pusher.send(format_.target, format_.render(event, 1, now_ms()), None, done)
        return await answered

    # --- parts of the start ---

    def _bind_all(self) -> list[tuple[Any, Any]]:
        http = self._settings.http
        bound: list[tuple[Any, Any]] = []
        if http.listen:
            bound.append((bind(*host_and_port(http.listen)), None))
        if http.listen_tls:
            assert http.tls_certificate is not None
            assert http.tls_key is not None
            bound.append((bind(*host_and_port(http.listen_tls)), (http.tls_certificate, http.tls_key)))
        return bound

    def _gateway(self) -> Gateway:
        settings, core = self._settings, self.core
        allow_private = settings.push.allow_private_networks
        return Gateway(
            directory=lambda: core.directory,
            submit=core.submit,
            ids=core.ids,
            logins=self._logins,
            records=StoreRecords(self._database),
            mailbox=core.mailbox,
            contents=core.contents,
            links=lambda account: content_links(settings, account),
            sub_accounts=StoreSubAccounts(self._database, core.ids.next),
            relays=make_relays(settings, self.receivers),
            mms=mms_sending(settings, core),
            test_endpoint=self.test_endpoint,
            check_url=lambda url: check_url(url, allow_private_networks=allow_private),
            has_relay=bool(settings.smtp.host),
            health=self.health,
            is_draining=lambda: self._is_draining,
            metrics=lambda: exposition(self),
            max_bulk=settings.submit.max_bulk,
            max_body_bytes=settings.http.max_body_bytes,
            trusted_proxies=settings.http.trusted_proxies,
        )

    def _ask_for_claims(self) -> None:
        self.core.journal.write(self._take_up, [now_ms()], self._taken_up, last=True)

    def _take_up(self, transaction: Transaction, items: list[int]) -> list[int]:
        """In the journal: what our former life had claimed falls due now."""
        claim = self.core.claim
        return [
            transaction.reclaim_former_life(claim.node, claim.life, at, at + claim.lease_ms) for at in items
        ]

    def _taken_up(self, results: list[int] | None, error: Exception | None) -> None:
        if results is None:
            log.error("claims_not_taken_up", error=str(error))
            self._loop.call_later(1.0, self._ask_for_claims)
        else:
            if results[0]:
                log.info("claims_taken_up", deliveries=results[0])
            self.core.dispatch.directory_changed()  # asks the store at once

    def _wind_up(self) -> None:
        """Everything that happens by the clock."""
        core, every = self.core, self._clockwork.every
        offer, sweeps, journal = core.dispatch.offer, core.sweeps, core.journal
        every(DISPATCH_TICK_S, core.dispatch.tick)
        every(OUTBOX_TICK_S, core.outbox.tick)
        every(WATCH_S, self._watch)
        every(STATES_S, Chore(journal, self._write_states, _nothing, self.link_states))
        every(PARTS_S, Chore(journal, sweeps.hand_over_parts, offer))
        every(PARKED_S, Chore(journal, sweeps.sweep_parked, offer))
        every(GIVE_UP_S, Chore(journal, sweeps.give_up, offer))
        every(UPKEEP_S, self._keep_up)
        if self.networks.simulator is not None:
            every(WATCH_S, Chore(journal, _take_simulated, self.networks.simulate))
        watch = UnmatchedWatch(
            self.alarms, self._settings.intake.unmatched_alarm_share, core.correlator.unmatched
        )
        every(ALARM_S, watch.look)

    # --- by the clock ---

    def _watch(self) -> None:
        trouble = self.core.journal.trouble
        self.alarms.set("store_unavailable", trouble)
        if self._watching is None or self._watching.done():
            self._watching = self._loop.create_task(self._watch_directory())

    async def _watch_directory(self) -> None:
        """Read customers anew when a command or another node has changed them."""
        former = self.core.directory

        def look() -> Any:
            if self._database.fact(DIRECTORY_VERSION) == former.version:
                return None
            return load_directory(self._database, former)

        try:
            found = await asyncio.to_thread(look)
        except Exception as error:
            log.warning("customers_not_read", error=str(error))
            return
        if found is not None:
            self.core.directory = found
            self.core.dispatch.directory_changed()

    def _keep_up(self) -> None:
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = self._loop.create_task(self._run_upkeep())

    async def _run_upkeep(self) -> None:
        settings = self._settings
        try:
            await asyncio.to_thread(
                upkeep.run_once,
                self._database,
                event_retention_d=settings.node.event_retention_d,
                dead_retention_d=settings.push.dead_retention_d,
                mailbox_retention_d=settings.mailbox.retention_d,
                contents=self._content_sweep,
                now_ms=now_ms(),
                rest=lambda: upkeep.rest_a_moment() or self._is_draining,
            )
        except Exception as error:
            log.warning("upkeep_not_done", error=str(error))
        self.alarms.set("contents_unavailable", self._content_sweep.trouble)

    def _write_states(self, transaction: Transaction, states: list[dict[str, Any]]) -> None:
        assert isinstance(transaction, StoreTransaction)
        upkeep.write_link_states(transaction.connection, self._settings.node.id, states, now_ms())

    async def _settle(self) -> None:
        """Wait until every outcome is recorded, or the store refuses."""
        settled = asyncio.Event()

        def look() -> None:
            if self.core.dispatch.unrecorded == 0 or self.core.journal.trouble:
                settled.set()
            else:
                self._loop.call_later(0.01, look)

        look()
        await settled.wait()


def _nothing(_result: object) -> None:
    """For chores that only write."""


def _take_simulated(transaction: Transaction, _given: None) -> Sequence[tuple[str, str, str]]:
    assert isinstance(transaction, StoreTransaction)
    return upkeep.take_simulated_messages(transaction.connection)
