"""One connection to an SMSC with the session on it: from the bind request until it is gone.

One read of the socket is one batch: its owner hears at most once of messages and once of answers, and
everything that is to be said because of it leaves in one write. Nothing is made for a message but what
the codec makes. What goes wrong ends the connection, once: the owner gets what it will never have an
answer for, and why; connecting again is the bind's matter (``smpp_bind.py``).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from homing.engine.ports import Outgoing
from homing.links.smpp_options import SmppOptions
from homing.links.smpp_spelling import spell
from homing.wire.smpp_codes import CommandStatus, status_name
from homing.wire.smpp_events import (
    BindRefused,
    Bound,
    Event,
    FramingLost,
    LinkSilent,
    MessageAnswered,
    MessageUnanswered,
    PeerError,
    Unbound,
    Unmatched,
)
from homing.wire.smpp_session import Session
from homing.wire.smpp_states import BOUND, Role, State
from homing.wire.smpp_values import AlertNotification, Bind, Outbind, ShortMessage

UNANSWERED_CAP: Final = 5_000
"""Received and not yet stored: beyond this nothing is read, until half of them are answered."""
CLOSE_S: Final = 2.0
"""How long a closed connection may take to hand over what was written, before it is cut off."""
AFTER_PAUSE_MS: Final = 1_000
"""So long after a pause of reading nobody is called silent: what he said is being read now."""

_SENDERS: Final = (State.BOUND_TX, State.BOUND_TRX)

Answers = list[tuple[Outgoing, int, str]]


class Owner(Protocol):
    """The link, as its connections know it; called on the loop, at most once of each for one read."""

    def bound(self, connection: "Connection") -> None: ...
    def received(self, connection: "Connection", pdus: list[ShortMessage]) -> None: ...
    def answered(self, connection: "Connection", answers: Answers) -> None: ...
    def has_room(self, connection: "Connection") -> None: ...
    def told(self, connection: "Connection", event: Event) -> None:
        """Something that is counted, and changes nothing."""

    def ended(self, connection: "Connection", lost: list[Outgoing]) -> None:
        """``lost``: sent, never to be answered. Nothing follows."""


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, owner: Owner, options: SmppOptions, bind: Bind) -> None:
        self._owner = owner
        self._options = options
        self._bind = bind
        self._loop = loop = asyncio.get_running_loop()
        self._clock: Callable[[], float] = loop.time
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._patient_until_ms = 0
        self._leaving = ""
        self._flush_due = False
        self.session = Session(
            Role.ESME,
            now_ms=self.now_ms(),
            window=options.window,
            enquire_link_s=options.enquire_link_s,
            response_timeout_s=options.response_timeout_s,
        )
        self.is_sender = False
        """Bound, and submissions may be sent on it."""
        self.unanswered = 0
        """Messages and receipts received whose answer waits for the store."""
        self.carried = 0
        """Answers and messages that came: a connection that was of use."""
        self.was_bound: asyncio.Future[None] = loop.create_future()
        self.is_over: asyncio.Future[str] = loop.create_future()
        """Why the connection ended."""

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    # What the link does

    def room(self) -> int:
        """How many segments may be sent now."""
        return 0 if self._writing_paused or not self.is_sender else self.session.room

    def send(self, batch: Sequence[Outgoing]) -> list[Outgoing]:
        """Send within ``room``; returns what cannot be written in a PDU."""
        session, options, now_ms = self.session, self._options, self.now_ms()
        unwritable: list[Outgoing] = []
        for outgoing in batch:
            try:
                session.send_message(spell(outgoing, options), outgoing, now_ms)
            except ValueError:
                unwritable.append(outgoing)
        self._flush_soon()
        self._set_timer()
        return unwritable

    def answer(self, pdus: Sequence[ShortMessage], error: Exception | None) -> None:
        """Answer what was received: taken, or to be sent again later."""
        # SMPP 3.4 §5.1.3
        self.session.answer_all(
            pdus, CommandStatus.ESME_ROK if error is None else CommandStatus.ESME_RX_T_APPN
        )
        self.unanswered -= len(pdus)
        self._flush_soon()
        if self._reading_paused and self.unanswered * 2 <= UNANSWERED_CAP and not self.is_over.done():
            self._reading_paused = False
            self._transport.resume_reading()
            self._patient_until_ms = self.now_ms() + AFTER_PAUSE_MS
            self._set_timer()
        if self._leaving and not self.unanswered:
            self.end(self._leaving)

    def unbind(self) -> None:
        """Ask to part; the connection is over when the SMSC has answered."""
        if self.session.state in BOUND:
            self.session.unbind(self.now_ms())
            self._flush()
        else:
            self.end("unbound before it was bound")

    def end(self, why: str, lost: Sequence[Outgoing] = ()) -> None:
        """Hand over what is written, close, and tell the owner what is lost. Once; later calls do nothing."""
        if self.is_over.done():
            return
        self._flush()
        left = [*lost, *(unanswered.token for unanswered in self.session.close())]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._loop.call_later(CLOSE_S, self._transport.abort)
        self.is_over.set_result(why)
        self._owner.ended(self, left)

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.session.send_bind(self._bind, self.now_ms())
        self._flush()

    def data_received(self, data: bytes) -> None:
        session = self.session
        session.receive_data(data, self.now_ms())
        events = session.next_events()
        if events:
            self._take(events)
        self._flush()

    def eof_received(self) -> bool:
        return False  # SMPP has no half-closed session

    def connection_lost(self, error: Exception | None) -> None:
        self.end(str(error) if error is not None else "the SMSC closed the connection")

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self.room():
            self._owner.has_room(self)

    # Inside

    def _take(self, events: list[Event]) -> None:
        """Sort what one read brought; what ends the session comes last, whatever order it came in."""
        received: list[ShortMessage] = []
        answers: Answers = []
        others: list[Event] = []
        for event in events:
            kind = type(event)
            if kind is ShortMessage:
                received.append(event)  # type: ignore[arg-type]
            elif kind is MessageAnswered:
                answers.append((event.token, event.status, event.message_id))  # type: ignore[union-attr]
            else:
                others.append(event)
        if others and any(type(event) is Bound for event in others):
            self._become_bound()
        self.carried += len(received) + len(answers)
        if answers:  # first: a receipt that came with them then finds its segment recorded
            self._owner.answered(self, answers)
        if received:
            self.unanswered += len(received)
            if self.unanswered > UNANSWERED_CAP and not self._reading_paused:
                self._pause_reading()
            self._owner.received(self, received)
        for event in others:
            self._hear(event)

    def _pause_reading(self) -> None:
        self._reading_paused = True
        self._transport.pause_reading()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _become_bound(self) -> None:
        self.is_sender = self.session.state in _SENDERS
        if not self.was_bound.done():
            self.was_bound.set_result(None)
        self._set_timer()
        self._owner.bound(self)

    def _hear(self, event: Event) -> None:
        match event:
            case BindRefused():
                self.end(f"bind refused: {status_name(event.status)}")
            case FramingLost():
                self.end(f"framing lost: {event.text}")
            case Unbound(by_peer=True) if self.unanswered:
                # What the store is about to have must not come again.
                self._leaving = "unbound by the SMSC"
                self._loop.call_later(CLOSE_S, self.end, self._leaving)
            case Unbound():
                self.end("unbound by the SMSC" if event.by_peer else "unbound")
            case LinkSilent():
                self.end(event.text)
            case PeerError() | Unmatched() | AlertNotification() | Outbind():
                self._owner.told(self, event)
            case _:
                pass

    def _flush_soon(self) -> None:
        """Write once for all that this turn of the loop has to say: a write costs more than a message."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        data = self.session.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _set_timer(self) -> None:
        """See to it that the session is ticked in time; a tick too many does no harm, so none is put off.

        Before it is bound there is no timer: the bind has its own limit. While we do not read, silence
        is our own doing.
        """
        due_ms = self.session.next_timer_ms()
        if due_ms is None or self._reading_paused or not self.was_bound.done():
            return
        due_s = max(due_ms, self._patient_until_ms) / 1000
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        events = self.session.tick(self.now_ms())
        lost = [event.token for event in events if type(event) is MessageUnanswered]
        if lost:
            self.end(f"no answer within {self._options.response_timeout_s:g} s", lost)
            return
        for event in events:
            self._hear(event)
        self._flush()
        self._set_timer()
