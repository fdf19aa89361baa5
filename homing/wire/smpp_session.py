"""One SMPP 3.4 session, of either role, without a socket: octets in, events and octets out.

Promises: whole PDUs come out as a batch, in order, however the octets were cut. What the protocol
answers by itself is in ``data_to_send`` at once (enquire_link, also while busy or not yet bound,
unbind, and whatever is unreadable, unknown or out of place); a message is answered only when the
owner says so, after it was stored. Each answer finds its message again by an opaque token.

Goes wrong: nothing that a peer sends raises. A PDU that cannot be taken is a ``PeerError`` and the
session lives; only ``FramingLost`` and ``LinkSilent`` end it. What the owner may not do raises
``ProtocolError`` and leaves the session as it was. What is kept of the input is less than one PDU.

Use: after every ``receive_data`` take ``next_events`` and ``data_to_send``; at ``next_timer_ms``
call ``tick``; when the connection is gone call ``close``. Times are milliseconds of one clock that
never goes back.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from homing.wire import smpp_codes as codes
from homing.wire.smpp_codes import RESPONSE, CommandStatus, Tag, command_name
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
from homing.wire.smpp_pdu import (
    HEADER,
    HEADER_LENGTH,
    MESSAGE_READERS,
    READERS,
    encode,
    encode_deliver_sm_resps,
    encode_message,
    encode_message_resp,
    encode_simple,
    read_message_resp,
)
from homing.wire.smpp_states import BOUND, MAY_SEND, NEXT_STATE, TAKEN_FROM, Role, State
from homing.wire.smpp_tlv import Tlvs
from homing.wire.smpp_values import (
    INTERFACE_VERSION,
    AlertNotification,
    Bind,
    BindResp,
    MessageResp,
    Outbind,
    PduError,
    ShortMessage,
    Simple,
)

PDU_CAP: Final = 65_536
"""Octets of the longest PDU that is taken; more means that the framing is lost."""
LAST_SEQUENCE: Final = 0x7FFFFFFF  # SMPP 3.4 §5.1.4

_LENGTH_OCTETS: Final = 4
_MESSAGE_RESPS: Final = frozenset({codes.SUBMIT_SM_RESP, codes.DELIVER_SM_RESP, codes.DATA_SM_RESP})
_BINDS: Final = frozenset({codes.BIND_TRANSMITTER, codes.BIND_RECEIVER, codes.BIND_TRANSCEIVER})
_PASSED_ON: Final = {
    pair: {command_id: reader for command_id, reader in MESSAGE_READERS.items() if command_id in taken}
    for pair, taken in TAKEN_FROM.items()
}
"""By the peer's role and the state: how to read what goes to the owner as it is."""


class ProtocolError(Exception):
    """What the owner asked for is not allowed now; names the command, our role and the state."""

    def __init__(self, command_id: int, role: Role, state: State, why: str = "is not allowed") -> None:
        super().__init__(f"{command_name(command_id)} {why}: {role} in {state}")
        self.command_id = command_id
        self.role = role
        self.state = state


class Session:
    """See the module. ``token`` is the owner's own, of any type, and comes back untouched."""

    def __init__(
        self,
        role: Role,
        *,
        now_ms: int,
        window: int = 10,
        enquire_link_s: float = 30.0,
        response_timeout_s: float = 10.0,
        first_sequence: int = 1,
    ) -> None:
        """``enquire_link_s`` of 0 never asks. An SMSC gives its peer the response timeout to bind."""
        self.role = role
        self.state = State.OPEN
        self.window = window
        self._peer = Role.SMSC if role is Role.ESME else Role.ESME
        self._enquire_link_ms = round(enquire_link_s * 1000)
        self._response_timeout_ms = round(response_timeout_s * 1000)
        self._sequence = first_sequence
        self._chunks: list[bytes] = []
        self._size = 0
        self._wanted = _LENGTH_OCTETS
        """Fewer octets than this cannot bring another event."""
        self._out: list[bytes] = []
        self._outstanding: dict[int, tuple[Any, int]] = {}
        """Messages sent and not answered, oldest first: sequence -> (token, sent_ms)."""
        self._pending: dict[int, tuple[int, int]] = {}
        """The session's own requests not answered: command id -> (sequence, sent_ms)."""
        self._bind: Bind | None = None
        self._opened_ms = self._received_ms = self._heard_ms = now_ms

    @property
    def outstanding(self) -> int:
        """How many messages wait for their answer."""
        return len(self._outstanding)

    @property
    def room(self) -> int:
        """How many more messages may be sent now."""
        if self.state not in BOUND or codes.UNBIND in self._pending:
            return 0
        return max(0, self.window - len(self._outstanding))

    # Octets in

    def receive_data(self, data: bytes, now_ms: int) -> None:
        if self.state is not State.CLOSED:
            self._chunks.append(data)
            self._size += len(data)
            self._received_ms = now_ms

    def next_events(self) -> list[Event]:
        """Everything that the octets received so far say."""
        events: list[Event] = []
        size = self._size
        if size < self._wanted:
            return events
        buffer = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        passed_on = _PASSED_ON[self._peer, self.state]
        at = 0
        while size - at >= HEADER_LENGTH:
            length, command_id, status, sequence = HEADER.unpack_from(buffer, at)
            end = at + length
            if end > size or length < HEADER_LENGTH or length > PDU_CAP:
                break
            try:
                reader = passed_on.get(command_id)
                if reader is not None:
                    events.append(reader(buffer, at + HEADER_LENGTH, end, command_id, status, sequence))
                elif command_id in _MESSAGE_RESPS and sequence in self._outstanding:
                    # What is outstanding was sent while bound, so it may be answered.
                    resp = read_message_resp(buffer, at + HEADER_LENGTH, end, command_id, status, sequence)
                    token = self._outstanding.pop(sequence)[0]
                    events.append(MessageAnswered(token, sequence, status, resp.message_id, resp.tlvs))
                else:
                    event = self._take(buffer, at + HEADER_LENGTH, end, command_id, status, sequence)
                    if event is not None:
                        events.append(event)
                    passed_on = _PASSED_ON[self._peer, self.state]
            except PduError as error:
                events.append(self._refuse(command_id, sequence, error.status, error.text))
            at = end
        if at:
            self._heard_ms = self._received_ms
            # Any whole PDU shows that the peer lives; busy ones answer enquire_link behind a long queue.
            self._pending.pop(codes.ENQUIRE_LINK, None)
        self._keep(buffer[at:], events)
        return events

    def _keep(self, rest: bytes, events: list[Event]) -> None:
        """Keep what is not a whole PDU yet, or see that it will never be one."""
        self._chunks = [rest] if rest else []
        self._size = len(rest)
        self._wanted = _LENGTH_OCTETS
        if self._size < _LENGTH_OCTETS:
            return
        self._wanted = int.from_bytes(rest[:_LENGTH_OCTETS], "big")
        if not HEADER_LENGTH <= self._wanted <= PDU_CAP:
            # SMPP 3.4 §4.3.1: the sequence number is NULL when the PDU cannot be decoded
            self._out.append(encode_simple(codes.GENERIC_NACK, 0, CommandStatus.ESME_RINVCMDLEN))
            events.append(FramingLost(text=f"command_length is {self._wanted}"))
            self._end()

    def _take(
        self, buffer: bytes, at: int, end: int, command_id: int, status: int, sequence: int
    ) -> Event | None:
        reader = READERS.get(command_id)
        if reader is None:  # SMPP 3.4 §3.3
            return self._refuse(command_id, sequence, CommandStatus.ESME_RINVCMDID, "is not known here")
        if command_id not in TAKEN_FROM[self._peer, self.state]:
            bound_already = command_id in _BINDS and self.state in BOUND
            answer = CommandStatus.ESME_RALYBND if bound_already else CommandStatus.ESME_RINVBNDSTS
            return self._refuse(command_id, sequence, answer, "is not allowed")
        pdu = reader(buffer, at, end, command_id, status, sequence)
        match pdu:
            case MessageResp():
                return self._answered(pdu, pdu.status, pdu.message_id, pdu.tlvs)
            case Simple():
                return self._take_simple(pdu)
            case BindResp():
                return self._take_bind_resp(pdu)
            case Bind() if self._bind is not None:
                return self._refuse(command_id, sequence, CommandStatus.ESME_RALYBND, "is not allowed twice")
            case Bind():
                self._bind = pdu
                return pdu
            case Outbind() | AlertNotification():
                return pdu
        return None

    def _take_simple(self, pdu: Simple) -> Event | None:
        command_id = pdu.command_id
        if command_id == codes.ENQUIRE_LINK:
            self._out.append(encode_simple(codes.ENQUIRE_LINK_RESP, pdu.sequence))
            return None
        if command_id == codes.ENQUIRE_LINK_RESP:
            return None
        if command_id == codes.UNBIND:
            self._out.append(encode_simple(codes.UNBIND_RESP, pdu.sequence))
            self._bind = None
            self.state = NEXT_STATE[self.state, codes.UNBIND]
            return Unbound(by_peer=True)
        if command_id == codes.UNBIND_RESP:
            return self._unbind_answered() if codes.UNBIND in self._pending else Unmatched(pdu=pdu)
        return self._take_nack(pdu)

    def _take_nack(self, pdu: Simple) -> Event | None:
        """A generic_nack answers whatever request bears its number; with none (0), our bind if that waits."""
        status = pdu.status or int(CommandStatus.ESME_RUNKNOWNERR)
        for command_id, (sequence, _) in self._pending.items():
            if pdu.sequence != sequence and not (command_id in _BINDS and pdu.sequence == 0):
                continue
            if command_id == codes.UNBIND:
                return self._unbind_answered()
            del self._pending[command_id]
            return BindRefused(status=status) if command_id in _BINDS else None
        return self._answered(pdu, status, "", None)

    def _take_bind_resp(self, pdu: BindResp) -> Event:
        # There is only one that it can answer, so its own command id and sequence number do not matter.
        bind = next((command_id for command_id in self._pending if command_id in _BINDS), None)
        if bind is None:
            return Unmatched(pdu=pdu)
        del self._pending[bind]
        if pdu.status:
            return BindRefused(status=pdu.status)
        self.state = NEXT_STATE[self.state, bind]
        return Bound(state=self.state, system_id=pdu.system_id, tlvs=pdu.tlvs)

    def _answered(
        self, pdu: MessageResp | Simple, status: int, message_id: str, tlvs: Tlvs | None
    ) -> MessageAnswered | Unmatched:
        sent = self._outstanding.pop(pdu.sequence, None)
        if sent is None:
            return Unmatched(pdu=pdu)
        return MessageAnswered(sent[0], pdu.sequence, status, message_id, tlvs)

    def _unbind_answered(self) -> Event | None:
        del self._pending[codes.UNBIND]
        if self.state is State.UNBOUND:  # both sides unbound at once; said already
            return None
        self.state = NEXT_STATE[self.state, codes.UNBIND]
        return Unbound(by_peer=False)

    def _refuse(self, command_id: int, sequence: int, status: int, why: str) -> PeerError:
        """Say to the peer that its PDU is not taken, in the response that fits; an answer has none."""
        response = command_id | RESPONSE
        if command_id == codes.DELIVER_SM:
            self._out.append(encode_deliver_sm_resps((sequence,), status))
        elif command_id not in READERS or response not in READERS:
            self._out.append(encode_simple(codes.GENERIC_NACK, sequence, status))
        elif command_id != response:
            self._out.append(encode_simple(response, sequence, status))
        text = f"{command_name(command_id)} {why}: from {self._peer} in {self.state}"
        return PeerError(command_id=command_id, sequence=sequence, status=status, text=text)

    # Octets out

    def data_to_send(self) -> bytes:
        """All that is to be written now; each octet is handed out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def send_bind(self, bind: Bind, now_ms: int) -> None:
        """Ask to be bound. ``Bound``, ``BindRefused`` or ``LinkSilent`` follows."""
        if self._pending.keys() & _BINDS:
            raise ProtocolError(bind.command_id, self.role, self.state, "is not allowed twice")
        self._check(bind.command_id)
        self._out.append(encode(msgspec.structs.replace(bind, sequence=self._sequence)))
        self._pending[bind.command_id] = (self._next_sequence(), now_ms)

    def accept_bind(self, system_id: str) -> None:
        """Grant the ``Bind`` that came last."""
        bind = self._answer_bind()
        # SMPP 3.4 §3.4: no TLVs to those who do not know them yet
        tlvs = {int(Tag.SC_INTERFACE_VERSION): bytes([INTERFACE_VERSION])}
        self._out.append(
            encode(
                BindResp(
                    command_id=bind.command_id | RESPONSE,
                    sequence=bind.sequence,
                    system_id=system_id,
                    tlvs=tlvs if bind.interface_version >= INTERFACE_VERSION else None,
                )
            )
        )
        self.state = NEXT_STATE[self.state, bind.command_id]

    def refuse_bind(self, status: int) -> None:
        """Refuse the ``Bind`` that came last; the peer may try again until its time is over."""
        bind = self._answer_bind()
        self._out.append(encode_simple(bind.command_id | RESPONSE, bind.sequence, status))

    def send_message(self, message: ShortMessage, token: Any, now_ms: int) -> int:
        """Send one message under the sequence number that is returned; see ``room`` before.

        ``MessageAnswered`` or ``MessageUnanswered`` follows with the token, unless ``close`` returns it.
        ``ValueError`` when the message does not fit its fields.
        """
        self._check(message.command_id)
        if not self.room:
            raise ProtocolError(message.command_id, self.role, self.state, f"has no room in {self.window}")
        self._out.append(encode_message(message, self._sequence))
        sequence = self._next_sequence()
        self._outstanding[sequence] = (token, now_ms)
        return sequence

    def answer(self, message: ShortMessage, status: int = 0, message_id: str = "") -> None:
        """Answer one message that came in; when the session has ended, nothing happens."""
        if self.state is State.CLOSED:
            return
        if message.command_id == codes.DELIVER_SM:
            self._out.append(encode_deliver_sm_resps((message.sequence,), status))
        else:
            command_id = message.command_id | RESPONSE
            self._out.append(encode_message_resp(command_id, message.sequence, status, message_id))

    def answer_all(self, messages: Sequence[ShortMessage], status: int = 0) -> None:
        """Answer a batch of deliver_sm and data_sm alike."""
        if self.state is State.CLOSED:
            return
        delivered = [message.sequence for message in messages if message.command_id == codes.DELIVER_SM]
        self._out.append(encode_deliver_sm_resps(delivered, status))
        if len(delivered) < len(messages):
            for message in messages:
                if message.command_id != codes.DELIVER_SM:
                    self.answer(message, status)

    def unbind(self, now_ms: int) -> None:
        """Ask to part. What is outstanding may still be answered; ``Unbound`` or ``LinkSilent`` follows."""
        if codes.UNBIND in self._pending:
            raise ProtocolError(codes.UNBIND, self.role, self.state, "is not allowed twice")
        self._ask(codes.UNBIND, now_ms)

    def close(self) -> list[MessageUnanswered]:
        """The connection is gone, or is to go: the messages that will have no answer, oldest first."""
        left = [
            MessageUnanswered(token=token, sequence=sequence)
            for sequence, (token, _) in self._outstanding.items()
        ]
        self._outstanding.clear()
        self._end()
        return left

    # Time

    def next_timer_ms(self) -> int | None:
        """When ``tick`` has something to do at the earliest; None = not before something else happens."""
        if self.state is State.CLOSED:
            return None
        since = [sent_ms for _, sent_ms in self._pending.values()]
        if self._outstanding:
            since.append(next(iter(self._outstanding.values()))[1])
        if self._awaits_bind():
            since.append(self._opened_ms)
        timers = [min(since) + self._response_timeout_ms] if since else []
        if self._asks_when_idle():
            timers.append(self._heard_ms + self._enquire_link_ms)
        return min(timers, default=None)

    def tick(self, now_ms: int) -> list[Event]:
        """Ask an idle peer whether it lives, and say what did not come in time. SMPP 3.4 §7.2"""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        oldest_ms = now_ms - self._response_timeout_ms
        while self._outstanding:
            sequence, (token, sent_ms) = next(iter(self._outstanding.items()))
            if sent_ms > oldest_ms:
                break
            del self._outstanding[sequence]
            events.append(MessageUnanswered(token=token, sequence=sequence))
        late = [
            command_name(command_id) for command_id, (_, sent) in self._pending.items() if sent <= oldest_ms
        ]
        if late:
            events.append(LinkSilent(text=f"no answer to {', '.join(late)}"))
            self._end()
        elif self._awaits_bind() and self._opened_ms <= oldest_ms:
            events.append(LinkSilent(text="no bind"))
            self._end()
        elif self._asks_when_idle() and now_ms >= self._heard_ms + self._enquire_link_ms:
            self._ask(codes.ENQUIRE_LINK, now_ms)
        return events

    def _awaits_bind(self) -> bool:
        return self.role is Role.SMSC and self.state is State.OPEN and self._bind is None

    def _asks_when_idle(self) -> bool:
        return self._enquire_link_ms > 0 and self.state in BOUND and codes.ENQUIRE_LINK not in self._pending

    def _check(self, command_id: int) -> None:
        if command_id not in MAY_SEND[self.role, self.state]:
            raise ProtocolError(command_id, self.role, self.state)

    def _ask(self, command_id: int, now_ms: int) -> None:
        self._check(command_id)
        sequence = self._next_sequence()
        self._out.append(encode_simple(command_id, sequence))
        self._pending[command_id] = (sequence, now_ms)

    def _answer_bind(self) -> Bind:
        bind, self._bind = self._bind, None
        if bind is None:
            raise ProtocolError(codes.BIND_TRANSCEIVER | RESPONSE, self.role, self.state, "answers nothing")
        return bind

    def _next_sequence(self) -> int:
        sequence = self._sequence
        self._sequence = sequence % LAST_SEQUENCE + 1  # SMPP 3.4 §5.1.4: from 1, never 0
        return sequence

    def _end(self) -> None:
        self.state = State.CLOSED
        self._chunks = []
        self._size = 0
        self._pending.clear()
        self._bind = None
