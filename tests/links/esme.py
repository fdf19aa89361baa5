"""A client of an SMSC for tests: binds over a real socket, submits, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from homing.links.simulator import Simulator
from homing.wire import smpp_codes as codes
from homing.wire.smpp_events import BindRefused, Bound, Event, MessageAnswered, MessageUnanswered
from homing.wire.smpp_session import Session
from homing.wire.smpp_states import Role
from homing.wire.smpp_values import Bind, ShortMessage
from tests.links.smsc import until


class Esme(asyncio.Protocol):
    """One bind. ``log`` has all that came, in order."""

    transport: Any

    def __init__(self, answer: Callable[[ShortMessage], int | None]) -> None:
        self.session = Session(Role.ESME, now_ms=0, window=10_000, enquire_link_s=0)
        self._answer = answer
        self.log: list[Event] = []
        self.is_bound = False
        self.is_gone = False

    @property
    def deliveries(self) -> list[ShortMessage]:
        return [event for event in self.log if isinstance(event, ShortMessage)]

    @property
    def answers(self) -> list[MessageAnswered]:
        return [event for event in self.log if isinstance(event, MessageAnswered)]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.session.receive_data(data, 0)
        for event in self.session.next_events():
            self.log.append(event)
            if isinstance(event, Bound):
                self.is_bound = True
            elif isinstance(event, ShortMessage) and (status := self._answer(event)) is not None:
                self.session.answer(event, status)
        self.flush()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_gone = True
        self.is_bound = False
        self.log += self.session.close()

    def submit(self, *messages: ShortMessage) -> None:
        for message in messages:
            self.session.send_message(message, message, 0)
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.session.data_to_send())

    @property
    def refusal(self) -> int | None:
        """The status by which the bind was refused."""
        return next((event.status for event in self.log if isinstance(event, BindRefused)), None)

    @property
    def unanswered(self) -> list[MessageUnanswered]:
        return [event for event in self.log if isinstance(event, MessageUnanswered)]


class Clients:
    """Makes binds to one simulator."""

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self._port = port
        self.all: list[Esme] = []

    async def connect(self, answer: Callable[[ShortMessage], int | None] = lambda _message: 0) -> Esme:
        loop = asyncio.get_running_loop()
        _, esme = await loop.create_connection(lambda: Esme(answer), "127.0.0.1", self._port)
        self.all.append(esme)
        return esme

    async def bind(
        self,
        answer: Callable[[ShortMessage], int | None] = lambda _message: 0,
        *,
        system_id: str = "acme",
        password: str = "",
        command_id: int = codes.BIND_TRANSCEIVER,
    ) -> Esme:
        """Returns when the simulator has answered."""
        esme = await self.connect(answer)
        esme.session.send_bind(Bind(command_id=command_id, system_id=system_id, password=password), 0)
        esme.flush()
        await until(lambda: esme.is_bound or esme.refusal is not None)
        return esme


@asynccontextmanager
async def clients(**options: Any) -> AsyncIterator[Clients]:
    """A simulator that is quick unless told otherwise, and its clients."""
    simulator = Simulator(**({"latency_ms": 2, "report_delay_ms": 10, "seed": 1} | options))
    made = Clients(simulator, await simulator.start("127.0.0.1", 0))
    try:
        yield made
    finally:
        for esme in made.all:
            esme.transport.abort()
        await simulator.stop()


def submission(number: str, text: bytes = b"Hi", **changes: Any) -> ShortMessage:
    """A submit_sm that asks for a receipt."""
    values: dict[str, Any] = {
        "source_addr": "60999",
        "dest_ton": 1,
        "dest_npi": 1,
        "dest_addr": number,
        "registered_delivery": 1,
        "short_message": text,
    }
    return ShortMessage(codes.SUBMIT_SM, **(values | changes))
