"""Far sides for the SMPP link: an SMSC on a real socket, and what stands for the engine around the link."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from homing.engine.correlate import ArrivedReceipt
from homing.engine.intake import Arrival
from homing.engine.ports import Link, Outgoing
from homing.links.smpp import SmppLink
from homing.links.smpp_options import SmppOptions
from homing.model.message import Coding, Segment, Submission
from homing.wire.smpp_codes import DATA_SM, DELIVER_SM, CommandStatus
from homing.wire.smpp_events import Event, FramingLost, MessageAnswered, Unbound
from homing.wire.smpp_session import Session
from homing.wire.smpp_states import Role
from homing.wire.smpp_values import Bind, ShortMessage

PASSWORD = "s3cr3t"


class Line(asyncio.Protocol):
    """One connection that the SMSC was opened."""

    def __init__(self, smsc: "Smsc") -> None:
        self.smsc = smsc
        self.session = Session(Role.SMSC, now_ms=0, window=1_000_000, enquire_link_s=0)
        self.transport: Any = None
        self.bind: Bind | None = None
        self.submits: list[ShortMessage] = []
        self.answers: list[MessageAnswered] = []
        """To what it delivered."""
        self.events: list[Event] = []
        self.octets = b""
        """All that came."""
        self.is_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.smsc.lines.append(self)

    def data_received(self, data: bytes) -> None:
        self.octets += data
        if self.smsc.is_deaf:
            return
        self.session.receive_data(data, 0)
        for event in self.session.next_events():
            match event:
                case Bind():
                    self._take_bind(event)
                case ShortMessage():
                    self.submits.append(event)
                    self.smsc.on_submit(self, event)
                case MessageAnswered():
                    self.answers.append(event)
                case _:
                    self.events.append(event)
        self.flush()
        for event in self.events:
            if isinstance(event, FramingLost) or (isinstance(event, Unbound) and event.by_peer):
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True

    def _take_bind(self, bind: Bind) -> None:
        self.bind = bind
        if not self.smsc.binds_answered:
            return
        if bind.password == PASSWORD:
            self.session.accept_bind("smsc")
        else:
            self.session.refuse_bind(CommandStatus.ESME_RINVPASWD)

    def answer(self, message: ShortMessage, status: int = 0, message_id: str = "") -> None:
        self.session.answer(message, status, message_id)
        self.flush()

    def deliver(self, *messages: ShortMessage) -> None:
        """All in one write."""
        for message in messages:
            self.session.send_message(message, message, 0)
        self.flush()

    def write(self, octets: bytes) -> None:
        self.transport.write(octets)

    def flush(self) -> None:
        self.transport.write(self.session.data_to_send())


def accept(line: Line, message: ShortMessage) -> None:
    line.session.answer(message, 0, f"id-{message.sequence}")


def keep_silent(_line: Line, _message: ShortMessage) -> None:
    pass


class Smsc:
    """Accepts binds with ``PASSWORD``; answers submissions as ``on_submit`` does."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        """Every connection ever opened, in order."""
        self.on_submit: Callable[[Line, ShortMessage], None] = accept
        self.binds_answered = True
        self.is_deaf = False
        """Answers nothing at all, not even enquire_link."""
        self.port = 0
        self.server: asyncio.Server | None = None

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Line(self), "127.0.0.1", self.port, ssl=tls)
        self.port = self.server.sockets[0].getsockname()[1]

    async def deafen(self) -> None:
        """Take no more connections, and drop those that there are."""
        assert self.server is not None
        self.server.close()
        for line in self.lines:
            line.transport.abort()
        await self.server.wait_closed()

    @property
    def bound(self) -> list[Line]:
        """Lines that were asked to bind and still stand."""
        return [line for line in self.lines if line.bind is not None and not line.is_gone]

    @property
    def submits(self) -> list[ShortMessage]:
        return [message for line in self.lines for message in line.submits]


class Engine:
    """What a link has told: as its listener, and as the intake that it hands to."""

    def __init__(self) -> None:
        self.answers: list[tuple[Outgoing, int, str]] = []
        self.answer_batches = 0
        self.losses: list[Outgoing] = []
        self.told: list[str] = []
        """``ready``, ``lost``, ``unbound`` in their order."""
        self.arrivals: list[Arrival] = []
        self.receipts: list[ArrivedReceipt] = []
        self.batches: list[int] = []
        self.held: list[Callable[[Exception | None], None]] | None = None
        """When a list: the store is busy, and these wait for its word."""
        self.error: Exception | None = None
        self.queue: list[Outgoing] = []
        """Given to the link as it has room."""

    def answered(self, link: Link, answers: Sequence[tuple[Outgoing, int, str]]) -> None:
        assert answers
        self.answers += answers
        self.answer_batches += 1
        self.pump(link)

    def lost(self, link: Link, segments: Sequence[Outgoing], *, last: bool = False) -> None:
        assert segments
        self.losses += segments
        self.told.append("lost")

    def ready(self, link: Link) -> None:
        self.told.append("ready")
        self.pump(link)

    def unbound(self, link: Link) -> None:
        assert not link.is_bound
        self.told.append("unbound")

    def pump(self, link: Link) -> None:
        room = link.room()
        if room and self.queue:
            batch, self.queue = self.queue[:room], self.queue[room:]
            link.submit(batch)

    def take_messages(
        self, link: str, arrivals: Sequence[Arrival], done: Callable[[Exception | None], None]
    ) -> None:
        assert link == "smsc"
        self.arrivals += arrivals
        self._done(len(arrivals), done)

    def take_receipts(
        self, link: str, receipts: Sequence[ArrivedReceipt], done: Callable[[Exception | None], None]
    ) -> None:
        assert link == "smsc"
        self.receipts += receipts
        self._done(len(receipts), done)

    def _done(self, size: int, done: Callable[[Exception | None], None]) -> None:
        self.batches.append(size)
        if self.held is None:
            done(self.error)
        else:
            self.held.append(done)


QUICK = SmppOptions(
    name="smsc",
    host="127.0.0.1",
    port=0,
    system_id="homing",
    password=PASSWORD,
    reconnect_min_s=0.1,
    reconnect_max_s=0.4,
    bind_timeout_s=5.0,
)


@asynccontextmanager
async def far_side(
    *, tls: ssl.SSLContext | None = None, wait: bool = True, **changes: Any
) -> AsyncIterator[tuple[Smsc, SmppLink, Engine]]:
    """An SMSC, a link that is bound to it unless told not to ``wait``, and the engine behind the link."""
    smsc, engine = Smsc(), Engine()
    await smsc.listen(tls)
    link = SmppLink(
        msgspec.structs.replace(QUICK, port=smsc.port, tls=tls is not None, **changes),
        listener=engine,
        take_messages=engine.take_messages,
        take_receipts=engine.take_receipts,
    )
    link.start()
    try:
        if wait:
            expected = link.options.binds * (2 if link.options.bind == "transmitter+receiver" else 1)
            await until(lambda: all(bind["state"] == "bound" for bind in link.status()["binds"]))
            assert len(smsc.bound) == expected
        yield smsc, link, engine
    finally:
        engine.held = None
        await link.stop(0)
        await smsc.deafen()


async def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Return as soon as something holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  (what it waits for happens on either side)
            await asyncio.sleep(0.002)


def outgoing(
    text: str = "Hi", *, number: int = 1, segments: tuple[Segment, ...] | None = None, **changes: Any
) -> Outgoing:
    """A segment of a submission."""
    values: dict[str, Any] = {
        "id": 1,
        "account": "acme",
        "sender": "447700900001",
        "recipient": "447700900123",
        "segments": segments or (Segment(coding=Coding.TEXT, text=text),),
    }
    return Outgoing(submission=Submission(**(values | changes)), number=number)


def batch(count: int) -> list[Outgoing]:
    """Segments of as many submissions, told apart by their id."""
    return [outgoing(f"text {id_}", id=id_) for id_ in range(1, count + 1)]


def mo(text: bytes = b"Hello", **changes: Any) -> ShortMessage:
    """A deliver_sm as phones cause it."""
    values: dict[str, Any] = {
        "source_ton": 1,
        "source_npi": 1,
        "source_addr": "447700900123",
        "dest_addr": "60777",
        "short_message": text,
    }
    return ShortMessage(DELIVER_SM, **(values | changes))


def data_sm(**changes: Any) -> ShortMessage:
    return msgspec.structs.replace(mo(b""), command_id=DATA_SM, **changes)
