"""One connection of a client to the simulator: an SMPP session of the SMSC's role on a socket.

Everything that is due after a time of its own hangs on the simulator's clock; a line has one timer.
Bounded: ``WINDOW`` deliveries without an answer, and nothing more is read from a client that does not
read what it is answered. What a line leaves unanswered when it ends goes back to the simulator.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_events import (
    Event,
    FramingLost,
    LinkSilent,
    MessageAnswered,
    MessageUnanswered,
    Unbound,
)
from homing.wire.smpp_session import Session
from homing.wire.smpp_states import Role, State
from homing.wire.smpp_values import Bind, ShortMessage

if TYPE_CHECKING:
    from homing.links.simulator import Simulator

WINDOW: Final = 100
"""Messages and receipts under way on one line without an answer."""
ANSWER_S: Final = 10.0
"""What has no answer in this time is sent again."""


class Line(asyncio.Protocol):
    """A client, from its connection to its end."""

    transport: Any  # uvloop's own class is no asyncio.Transport

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._loop = asyncio.get_running_loop()
        self.session = Session(Role.SMSC, now_ms=self._now_ms(), window=WINDOW, response_timeout_s=ANSWER_S)
        self.system_id = ""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0

    @property
    def can_receive(self) -> bool:
        return self.session.state in (State.BOUND_RX, State.BOUND_TRX) and self.session.room > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self._simulator.opened(self):
            self.flush()
        else:
            self.drop()

    def data_received(self, data: bytes) -> None:
        self.session.receive_data(data, self._now_ms())
        self._take(self.session.next_events())

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # The oldest is to be the first again.
        for unanswered in reversed(self.session.close()):
            self._simulator.unanswered(unanswered.token)
        self._simulator.closed(self)

    def deliver(self, message: ShortMessage, token: Any) -> None:
        """Send a message or receipt; the simulator is told of its answer."""
        self.session.send_message(message, token, self._now_ms())

    def flush(self) -> None:
        """Write what the session has to say, and see when it next has something to do."""
        octets = self.session.data_to_send()
        if octets and not self.transport.is_closing():
            self.transport.write(octets)
        self._set_timer()

    def drop(self) -> None:
        """The line breaks."""
        self.transport.abort()

    def _take(self, events: list[Event]) -> None:
        ends = False
        for event in events:
            match event:
                case ShortMessage():
                    self._simulator.submitted(self, event)
                case MessageAnswered():
                    self._simulator.answered(event.token, event.status)
                case MessageUnanswered():
                    self._simulator.unanswered(event.token)
                case Bind():
                    self._take_bind(event)
                case Unbound() | FramingLost() | LinkSilent():
                    ends = True
        self._simulator.pump()
        self.flush()
        if ends:
            self.transport.close()

    def _take_bind(self, bind: Bind) -> None:
        wanted = self._simulator.password
        if wanted is not None and bind.password != wanted:
            self.session.refuse_bind(CommandStatus.ESME_RINVPASWD)
            return
        self.system_id = bind.system_id
        self.session.accept_bind("simulator")

    def _tick(self) -> None:
        self._timer = None
        self._take(self.session.tick(self._now_ms()))

    def _set_timer(self) -> None:
        """One that is due too early is left: it looks again."""
        due_ms = self.session.next_timer_ms()
        if self._timer is not None:
            if due_ms is not None and self._timer_ms <= due_ms:
                return
            self._timer.cancel()
            self._timer = None
        if due_ms is not None:
            self._timer_ms = due_ms
            self._timer = self._loop.call_at(due_ms / 1000 + 0.001, self._tick)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)
