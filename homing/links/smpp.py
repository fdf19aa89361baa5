"""An SMPP 3.4 client link: one account at an SMSC, over one or more binds. The engine's port ``Link``.

Promises: what the SMSC sends is answered only after it was stored, and with a temporary error when it
could not be; of every segment that was submitted the listener is told once, answered or lost; a line
that drops is connected again. Windows are per bind, the throughput is over all of them.

What goes wrong is met by closing and connecting again; the counters and ``status`` show it. The
password is in no log and in no status.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heapify, heappop, heapreplace
from typing import Any, Final

import structlog

from homing.engine.correlate import ArrivedReceipt
from homing.engine.intake import Arrival
from homing.engine.ports import LinkListener, Outgoing
from homing.links.smpp_bind import BindState, Kind, SmppBind
from homing.links.smpp_connection import Answers, Connection
from homing.links.smpp_options import SmppOptions, tls_context
from homing.links.smpp_reading import Reader
from homing.links.smpp_status import Counters, Rates, time_text
from homing.links.throughput import Throughput
from homing.model.clock import now_ms
from homing.model.message import Medium
from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_events import Event, PeerError, Unmatched
from homing.wire.smpp_values import AlertNotification, Outbind, ShortMessage

log = structlog.get_logger(__name__)

UNBIND_S: Final = 2.0
"""How long the answer to an unbind is waited for."""

_KINDS: Final[dict[str, tuple[Kind, ...]]] = {
    "transceiver": ("transceiver",),
    "transmitter+receiver": ("transmitter", "receiver"),
}
# SMPP 3.4 §5.1.3
_THROTTLED: Final = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})

Stored = Callable[[Exception | None], None]
TakeMessages = Callable[[str, Sequence[Arrival], Stored], None]
TakeReceipts = Callable[[str, Sequence[ArrivedReceipt], Stored], None]


class SmppLink:
    """See the module. Everything happens on the loop that ``start`` is called on."""

    def __init__(
        self,
        options: SmppOptions,
        *,
        listener: LinkListener,
        take_messages: TakeMessages,
        take_receipts: TakeReceipts,
    ) -> None:
        self.options = options
        self.counters = Counters()
        self._listener = listener
        self._take_messages = take_messages
        self._take_receipts = take_receipts
        self._reader = Reader(options)
        self._context = tls_context(options)
        self._binds = [
            SmppBind(kind, self, options, lambda: self._context, self._note_state)
            for _ in range(options.binds)
            for kind in _KINDS[options.bind]
        ]
        self._senders: list[Connection] = []
        """Bound, and submissions may be sent on them."""
        self._throughput = Throughput(options.throughput_per_s, self._wake)
        self._sample_timer: asyncio.TimerHandle | None = None
        self._rates = Rates()
        self._stopping = False
        self._settled = asyncio.Event()
        self._store_fails = False
        self._state: BindState = "down"
        self._since_ms = now_ms()

    # The port

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def scope(self) -> str:
        return self.options.scope

    @property
    def medium(self) -> Medium:
        return "sms"

    @property
    def prefixes(self) -> Sequence[str]:
        return self.options.prefixes

    @property
    def is_bound(self) -> bool:
        """Whether some bind takes submissions."""
        return bool(self._senders)

    def room(self) -> int:
        if self._stopping:
            return 0
        return self._throughput.room(sum(sender.room() for sender in self._senders))

    def submit(self, batch: Sequence[Outgoing]) -> None:
        """Send, each on the bind with the least under way; what finds no room is told as lost."""
        shares, left = self._spread(batch)
        unwritable: list[Outgoing] = []
        for sender, share in shares:
            unwritable += sender.send(share)
        sent = len(batch) - len(left) - len(unwritable)
        self.counters.sent += sent
        self._throughput.take(sent)
        # Told later: the listener is in the middle of giving, and would give more.
        if unwritable:
            self.counters.unwritable += len(unwritable)
            refused = [(outgoing, int(CommandStatus.ESME_RINVMSGLEN), "") for outgoing in unwritable]
            asyncio.get_running_loop().call_soon(self._listener.answered, self, refused)
        if left:
            asyncio.get_running_loop().call_soon(self._listener.lost, self, left)

    # Life

    def start(self) -> None:
        """Begin to connect, on the running loop."""
        self._sample()
        for bind in self._binds:
            bind.start()

    async def stop(self, drain_s: float) -> None:
        """Take nothing new, wait up to ``drain_s`` for answers on both sides, unbind, close."""
        self._stopping = True
        self._settle()
        if not self._settled.is_set():
            try:
                await asyncio.wait_for(self._settled.wait(), drain_s)
            except TimeoutError:
                log.warning("link_not_drained", link=self.name, in_flight=self.in_flight)
        await asyncio.gather(*(bind.stop(UNBIND_S) for bind in self._binds))
        self._throughput.stop()
        if self._sample_timer is not None:
            self._sample_timer.cancel()

    def reload_tls(self) -> None:
        """Read the TLS files again, for connections from now on; when they are unusable the old ones stay."""
        try:
            self._context = tls_context(self.options)
        except OSError as error:
            log.error("tls_files_not_read", link=self.name, error=str(error))

    # What operators see

    @property
    def in_flight(self) -> int:
        """Segments sent and not answered."""
        return sum(bind.in_flight for bind in self._binds)

    @property
    def reconnects(self) -> int:
        """How often a bind was bound again."""
        return sum(max(0, bind.binds - 1) for bind in self._binds)

    def status(self) -> dict[str, Any]:
        """For ``homing links``; rates are means over some seconds, ``received_per_s`` with receipts."""
        counters = self.counters
        loop_s = asyncio.get_running_loop().time()
        sent_per_s, received_per_s = self._rates.per_s(
            loop_s, counters.sent, counters.received + counters.receipts
        )
        return {
            "name": self.name,
            "kind": self.options.kind,
            "state": self._state,
            "since": time_text(self._since_ms),
            "host": self.options.host,
            "port": self.options.port,
            "window": self.options.window,
            "in_flight": self.in_flight,
            "sent_per_s": sent_per_s,
            "received_per_s": received_per_s,
            **{name: getattr(counters, name) for name in counters.__slots__},
            "reconnects": self.reconnects,
            "last_error": max(self._binds, key=lambda bind: bind.failed_ms).last_error or None,
            "binds": [
                {
                    "type": bind.kind,
                    "state": bind.state,
                    "since": time_text(bind.since_ms),
                    "in_flight": bind.in_flight,
                }
                for bind in self._binds
            ],
        }

    # What connections tell

    def bound(self, connection: Connection) -> None:
        if connection.is_sender:
            self._senders.append(connection)
            self._note_state()
            self._listener.ready(self)

    def received(self, connection: Connection, pdus: list[ShortMessage]) -> None:
        if self._stopping:
            connection.answer(pdus, RuntimeError("stopping"))
            return
        arrivals, messages, receipts, receipt_pdus = self._reader.sort(pdus)
        if arrivals:
            self.counters.received += len(arrivals)
            self._take_messages(self.name, arrivals, partial(self._stored, connection, messages))
        if receipts:
            self.counters.receipts += len(receipts)
            self._take_receipts(self.name, receipts, partial(self._stored, connection, receipt_pdus))

    def answered(self, connection: Connection, answers: Answers) -> None:
        for _, status, _ in answers:
            if status in _THROTTLED:
                self.counters.throttled += 1
        self._listener.answered(self, answers)
        if self._stopping:
            self._settle()
        else:
            self.has_room(connection)

    def has_room(self, connection: Connection) -> None:
        if self.room():
            self._listener.ready(self)

    def told(self, connection: Connection, event: Event) -> None:
        match event:
            case PeerError():
                self.counters.peer_errors += 1
                log.debug("pdu_not_taken", link=self.name, why=event.text)
            case Unmatched():
                self.counters.unmatched_answers += 1
            case AlertNotification():
                self.counters.alerts += 1
            case Outbind():
                self.counters.outbinds += 1
                log.info("outbind", link=self.name, system_id=event.system_id)
            case _:
                pass

    def ended(self, connection: Connection, lost: list[Outgoing]) -> None:
        was_sender = connection in self._senders
        if was_sender:
            self._senders.remove(connection)
            self._note_state()
        if lost:
            self.counters.lost += len(lost)
            self._listener.lost(self, lost)
        if was_sender and not self._senders:
            self._listener.unbound(self)
        elif lost:
            self.has_room(connection)
        if self._stopping:
            self._settle()

    # Inside

    def _stored(self, connection: Connection, pdus: Sequence[ShortMessage], error: Exception | None) -> None:
        if error is not None:
            self.counters.refused += len(pdus)
            if not self._store_fails:
                log.error("received_not_stored", link=self.name, error=str(error))
        self._store_fails = error is not None
        connection.answer(pdus, error)
        if self._stopping:
            self._settle()

    def _spread(
        self, batch: Sequence[Outgoing]
    ) -> tuple[list[tuple[Connection, Sequence[Outgoing]]], Sequence[Outgoing]]:
        """Who sends what, and what nobody has room for."""
        senders = [sender for sender in self._senders if sender.room()] if not self._stopping else []
        if len(senders) == 1:
            room = senders[0].room()
            return [(senders[0], batch[:room])], batch[room:]
        shares: list[tuple[Connection, list[Outgoing]]] = [(sender, []) for sender in senders]
        rooms = [sender.room() for sender in senders]
        least = [(sender.session.outstanding, index) for index, sender in enumerate(senders)]
        heapify(least)
        for at, outgoing in enumerate(batch):
            if not least:
                return list(shares), batch[at:]
            outstanding, index = least[0]
            shares[index][1].append(outgoing)
            rooms[index] -= 1
            if rooms[index]:
                heapreplace(least, (outstanding + 1, index))
            else:
                heappop(least)
        return list(shares), ()

    def _wake(self) -> None:
        if self._senders and not self._stopping:
            self._listener.ready(self)

    def _settle(self) -> None:
        """Say that nothing is under way any more, in neither direction."""
        if not any(
            bind.connection is not None
            and not bind.connection.is_over.done()
            and (bind.connection.session.outstanding or bind.connection.unanswered)
            for bind in self._binds
        ):
            self._settled.set()

    def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        counters = self.counters
        self._rates.sample(loop.time(), counters.sent, counters.received + counters.receipts)
        self._sample_timer = loop.call_later(1.0, self._sample)

    def _note_state(self) -> None:
        """``bound`` when submissions can be sent, ``connecting`` while a bind tries, else ``down``."""
        state: BindState = "down"
        if self._senders:
            state = "bound"
        elif any(bind.state == "connecting" for bind in self._binds):
            state = "connecting"
        if state != self._state:
            self._state = state
            self._since_ms = now_ms()
