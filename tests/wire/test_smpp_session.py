"""The SMPP session: framing, states, answers by itself, window, sequence numbers, timers."""

import struct
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.wire import smpp_codes as codes
from homing.wire.smpp_codes import CommandStatus, Tag
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
from homing.wire.smpp_pdu import READERS, encode, encode_deliver_sm_resps, encode_message_resp, encode_simple
from homing.wire.smpp_session import PDU_CAP, ProtocolError, Session
from homing.wire.smpp_states import BOUND, MAY_SEND, NEXT_STATE, TABLE_2_1, TAKEN_FROM, TOLERATED, Role, State
from homing.wire.smpp_values import (
    AlertNotification,
    Bind,
    BindResp,
    MessageResp,
    Outbind,
    ShortMessage,
    Simple,
)

BIND = {
    State.BOUND_TX: codes.BIND_TRANSMITTER,
    State.BOUND_RX: codes.BIND_RECEIVER,
    State.BOUND_TRX: codes.BIND_TRANSCEIVER,
}
MT = ShortMessage(codes.SUBMIT_SM, source_addr="60777", dest_addr="447700900123", short_message=b"Hi")


def deliver(sequence: int = 9, command_id: int = codes.DELIVER_SM) -> ShortMessage:
    text = b"" if command_id == codes.DATA_SM else b"Hello"
    return ShortMessage(
        command_id, sequence, source_addr="447700900123", dest_addr="60777", short_message=text
    )


def feed(session: Session, data: bytes, now_ms: int = 0) -> list[Event]:
    session.receive_data(data, now_ms)
    return session.next_events()


def session_in(role: Role, state: State, **options: float) -> Session:
    """A session that came to this state by what may happen, with nothing left to send."""
    session = Session(role, now_ms=0, **options)  # type: ignore[arg-type]
    bind = Bind(command_id=BIND.get(state, codes.BIND_TRANSCEIVER), sequence=1, system_id="me")
    if state is State.CLOSED:
        session.close()
    elif state is not State.OPEN:
        if role is Role.ESME:
            session.send_bind(bind, 0)
            feed(session, encode_simple(bind.command_id | codes.RESPONSE, 1))
        else:
            feed(session, encode(bind))
            session.accept_bind("SMSC")
        if state is State.UNBOUND:
            feed(session, encode_simple(codes.UNBIND, 2))
    session.data_to_send()
    assert session.state is state
    return session


def esme(**options: float) -> Session:
    return session_in(Role.ESME, State.BOUND_TRX, **options)


# Binding


@pytest.mark.parametrize("state", BOUND)
def test_an_esme_binds(state: State) -> None:
    session = Session(Role.ESME, now_ms=0)
    bind = Bind(command_id=BIND[state], system_id="me", password="pw")
    session.send_bind(bind, 0)
    assert session.state is State.OPEN
    assert session.data_to_send() == encode(
        Bind(command_id=BIND[state], sequence=1, system_id="me", password="pw")
    )
    assert session.data_to_send() == b""
    answer = encode(BindResp(command_id=BIND[state] | codes.RESPONSE, sequence=1, system_id="SMSC"))
    assert feed(session, answer) == [Bound(state=state, system_id="SMSC")]
    assert session.state is state


@pytest.mark.parametrize("sequence", [1, 0, 77])
def test_a_bind_is_answered_whatever_number_the_answer_bears(sequence: int) -> None:
    session = Session(Role.ESME, now_ms=0)
    session.send_bind(Bind(command_id=codes.BIND_RECEIVER, system_id="me"), 0)
    assert feed(session, encode_simple(codes.BIND_RECEIVER_RESP, sequence)) == [
        Bound(state=State.BOUND_RX, system_id="")
    ]


@pytest.mark.parametrize(
    "answer",
    [
        encode_simple(codes.BIND_TRANSCEIVER_RESP, 1, 0x0E),
        encode_simple(codes.GENERIC_NACK, 1, 0x0E),
        encode_simple(codes.GENERIC_NACK, 0, 0x0E),
    ],
)
def test_a_refused_bind_may_be_tried_again(answer: bytes) -> None:
    session = Session(Role.ESME, now_ms=0)
    session.send_bind(Bind(command_id=codes.BIND_TRANSCEIVER, system_id="me"), 0)
    with pytest.raises(ProtocolError, match="not allowed twice"):
        session.send_bind(Bind(command_id=codes.BIND_RECEIVER, system_id="me"), 0)
    assert feed(session, answer) == [BindRefused(status=0x0E)]
    assert session.state is State.OPEN
    session.send_bind(Bind(command_id=codes.BIND_TRANSCEIVER, system_id="me"), 0)
    assert feed(session, encode_simple(codes.BIND_TRANSCEIVER_RESP, 2)) == [
        Bound(state=State.BOUND_TRX, system_id="")
    ]


@pytest.mark.parametrize("state", BOUND)
def test_an_smsc_grants_a_bind(state: State) -> None:
    session = Session(Role.SMSC, now_ms=0)
    bind = Bind(command_id=BIND[state], sequence=5, system_id="customer", password="pw")
    assert feed(session, encode(bind)) == [bind]
    assert session.data_to_send() == b""
    session.accept_bind("homing")
    expected = BindResp(
        command_id=BIND[state] | codes.RESPONSE,
        sequence=5,
        system_id="homing",
        tlvs={Tag.SC_INTERFACE_VERSION: b"\x34"},
    )
    assert session.data_to_send() == encode(expected)
    assert session.state is state
    with pytest.raises(ProtocolError, match="answers nothing"):
        session.accept_bind("homing")


def test_an_smsc_sends_no_tlvs_to_an_older_esme() -> None:
    session = Session(Role.SMSC, now_ms=0)
    feed(
        session,
        encode(Bind(command_id=codes.BIND_RECEIVER, sequence=5, system_id="x", interface_version=0x33)),
    )
    session.accept_bind("homing")
    answer = BindResp(command_id=codes.BIND_RECEIVER_RESP, sequence=5, system_id="homing")
    assert session.data_to_send() == encode(answer)


def test_an_smsc_refuses_a_bind_and_a_second_one_while_it_thinks() -> None:
    session = Session(Role.SMSC, now_ms=0)
    first = Bind(command_id=codes.BIND_TRANSCEIVER, sequence=5, system_id="x")
    second = Bind(command_id=codes.BIND_RECEIVER, sequence=6, system_id="y")
    events = feed(session, encode(first) + encode(second) + encode(MT))
    assert events[0] == first
    assert [event.status for event in events[1:] if isinstance(event, PeerError)] == [0x05, 0x04]
    assert session.data_to_send() == encode_simple(codes.BIND_RECEIVER_RESP, 6, 0x05) + encode_simple(
        codes.SUBMIT_SM_RESP, 0, 0x04
    )
    session.refuse_bind(CommandStatus.ESME_RINVPASWD)
    assert session.data_to_send() == encode_simple(codes.BIND_TRANSCEIVER_RESP, 5, 0x0E)
    assert session.state is State.OPEN
    assert feed(session, encode(second)) == [second]


def test_a_bind_on_a_bound_session() -> None:
    session = session_in(Role.SMSC, State.BOUND_TX)
    (event,) = feed(session, encode(Bind(command_id=codes.BIND_RECEIVER, sequence=6, system_id="y")))
    assert isinstance(event, PeerError)
    assert session.data_to_send() == encode_simple(codes.BIND_RECEIVER_RESP, 6, CommandStatus.ESME_RALYBND)
    assert session.state is State.BOUND_TX


# The states


SPECIFICATION = """
bind_transmitter      OPEN                        Yes No
bind_transmitter_resp OPEN                        No  Yes
bind_receiver         OPEN                        Yes No
bind_receiver_resp    OPEN                        No  Yes
bind_transceiver      OPEN                        Yes No
bind_transceiver_resp OPEN                        No  Yes
outbind               OPEN                        No  Yes
unbind                BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
unbind_resp           BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
submit_sm             BOUND_TX,BOUND_TRX          Yes No
submit_sm_resp        BOUND_TX,BOUND_TRX          No  Yes
submit_multi          BOUND_TX,BOUND_TRX          Yes No
submit_multi_resp     BOUND_TX,BOUND_TRX          No  Yes
data_sm               BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
data_sm_resp          BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
deliver_sm            BOUND_RX,BOUND_TRX          No  Yes
deliver_sm_resp       BOUND_RX,BOUND_TRX          Yes No
query_sm              BOUND_TX,BOUND_TRX          Yes No
query_sm_resp         BOUND_TX,BOUND_TRX          No  Yes
cancel_sm             BOUND_TX,BOUND_TRX          Yes No
cancel_sm_resp        BOUND_TX,BOUND_TRX          No  Yes
replace_sm            BOUND_TX                    Yes No
replace_sm_resp       BOUND_TX                    No  Yes
enquire_link          BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
enquire_link_resp     BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
alert_notification    BOUND_RX,BOUND_TRX          No  Yes
generic_nack          BOUND_TX,BOUND_RX,BOUND_TRX Yes Yes
"""


def test_the_table_is_that_of_the_specification() -> None:
    rows = {}
    for line in SPECIFICATION.split("\n")[1:-1]:
        name, states, by_esme, by_smsc = line.split()
        issuers = [role for role, yes in ((Role.ESME, by_esme), (Role.SMSC, by_smsc)) if yes == "Yes"]
        rows[name] = (set(states.split(",")), set(issuers))
    names = codes.COMMAND_NAMES
    assert rows == {
        names[command_id]: ({str(state) for state in states}, set(roles))
        for command_id, (states, roles) in TABLE_2_1.items()
    }
    assert TOLERATED.keys() <= TABLE_2_1.keys() == names.keys()
    assert all(key in MAY_SEND and MAY_SEND[key] <= TAKEN_FROM[key] for key in product(Role, State))


SAMPLES = {
    codes.BIND_TRANSMITTER: encode(Bind(command_id=codes.BIND_TRANSMITTER, sequence=9, system_id="x")),
    codes.BIND_RECEIVER: encode(Bind(command_id=codes.BIND_RECEIVER, sequence=9, system_id="x")),
    codes.BIND_TRANSCEIVER: encode(Bind(command_id=codes.BIND_TRANSCEIVER, sequence=9, system_id="x")),
    codes.OUTBIND: encode(Outbind(sequence=9, system_id="x")),
    codes.SUBMIT_SM: encode(deliver(9, codes.SUBMIT_SM)),
    codes.DELIVER_SM: encode(deliver(9)),
    codes.DATA_SM: encode(deliver(9, codes.DATA_SM)),
    codes.ALERT_NOTIFICATION: encode(AlertNotification(sequence=9)),
}


@pytest.mark.parametrize("command_id", sorted(READERS), ids=codes.command_name)
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
@pytest.mark.parametrize("role", list(Role))
def test_what_is_not_in_the_table_is_answered_and_the_session_lives(
    role: Role, state: State, command_id: int
) -> None:
    session = session_in(role, state)
    peer = Role.SMSC if role is Role.ESME else Role.ESME
    events = feed(session, SAMPLES.get(command_id, encode_simple(command_id, 9)))
    errors = [event for event in events if isinstance(event, PeerError)]
    if command_id in TAKEN_FROM[peer, state]:
        assert not errors
        return
    (error,) = errors
    assert error.sequence == 9
    assert codes.command_name(command_id) in error.text
    assert f"{peer} in {state}" in error.text
    assert session.state is state
    sent = session.data_to_send()
    if command_id & codes.RESPONSE:
        assert sent == b""
    else:
        bound_already = command_id in BIND.values() and state in BOUND
        assert error.status == (
            CommandStatus.ESME_RALYBND if bound_already else CommandStatus.ESME_RINVBNDSTS
        )
        _, answered_by, status, sequence = struct.unpack_from(">IIII", sent)
        one_way = command_id in (codes.OUTBIND, codes.ALERT_NOTIFICATION)
        assert answered_by == (codes.GENERIC_NACK if one_way else command_id | codes.RESPONSE)
        assert (status, sequence) == (error.status, 9)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("role", list(Role))
def test_the_owner_may_send_only_what_the_table_has(role: Role, state: State) -> None:
    for command_id in (codes.SUBMIT_SM, codes.DELIVER_SM, codes.DATA_SM):
        session = session_in(role, state)
        if command_id in MAY_SEND[role, state]:
            session.send_message(ShortMessage(command_id), "token", 0)
            assert session.outstanding == 1
        else:
            with pytest.raises(ProtocolError, match=f"{role} in {state}"):
                session.send_message(ShortMessage(command_id), "token", 0)
            assert (session.outstanding, session.data_to_send()) == (0, b"")
    session = session_in(role, state)
    if state in BOUND:
        session.unbind(0)
    else:
        with pytest.raises(ProtocolError):
            session.unbind(0)
    assert session.state is state
    if state is not State.OPEN or role is Role.SMSC:
        with pytest.raises(ProtocolError):
            session_in(role, state).send_bind(Bind(command_id=codes.BIND_RECEIVER, system_id="x"), 0)


def test_real_smscs_are_taken_as_they_are() -> None:
    receipt, data = deliver(3), deliver(4, codes.DATA_SM)
    for state in BOUND:  # receipts on the very bind that submitted
        session = session_in(Role.ESME, state)
        assert feed(session, encode(receipt) + encode(data)) == [receipt, data]
        session.answer_all([receipt, data])
        assert session.data_to_send() == encode_deliver_sm_resps([3]) + encode_message_resp(
            codes.DATA_SM_RESP, 4
        )


def test_unbind_of_the_peer_is_answered_and_late_answers_are_taken() -> None:
    session = esme()
    sequence = session.send_message(MT, "a", 0)
    message = deliver()
    assert feed(session, encode(message) + encode_simple(codes.UNBIND, 5)) == [message, Unbound(by_peer=True)]
    session.data_to_send()
    assert session.room == 0
    assert feed(session, encode_message_resp(codes.SUBMIT_SM_RESP, sequence, 0, "1")) == [
        MessageAnswered("a", sequence, 0, "1")
    ]
    session.answer_all([message])
    assert session.data_to_send() == encode_deliver_sm_resps([9])


def test_unbind_of_our_own() -> None:
    session = esme()
    session.unbind(0)
    assert session.data_to_send() == encode_simple(codes.UNBIND, 2)
    assert (session.room, session.state) == (0, State.BOUND_TRX)
    with pytest.raises(ProtocolError):
        session.unbind(0)
    message = deliver()
    assert feed(session, encode(message)) == [message]
    assert feed(session, encode_simple(codes.UNBIND_RESP, 2)) == [Unbound(by_peer=False)]
    assert session.state is State.UNBOUND


def test_unbinds_that_cross_and_one_answered_by_a_nack() -> None:
    session = esme()
    session.unbind(0)
    assert feed(session, encode_simple(codes.UNBIND, 5)) == [Unbound(by_peer=True)]
    assert feed(session, encode_simple(codes.UNBIND_RESP, 2)) == []
    session = esme()
    session.unbind(0)
    assert feed(session, encode_simple(codes.GENERIC_NACK, 2, 3)) == [Unbound(by_peer=False)]
    assert feed(session, encode_simple(codes.UNBIND_RESP, 2)) == [
        Unmatched(pdu=Simple(command_id=codes.UNBIND_RESP, sequence=2))
    ]


def test_the_next_state_of_every_request_that_moves_the_session() -> None:
    assert {state for state, _ in NEXT_STATE} == set(State) - {State.CLOSED}
    for command_id in BIND.values():
        assert [state for state, moved_by in NEXT_STATE if moved_by == command_id] == [State.OPEN]


def test_outbind_and_alert_notification_are_passed_on() -> None:
    outbind = Outbind(sequence=1, system_id="SMSC", password="pw")
    assert feed(session_in(Role.ESME, State.OPEN), encode(outbind)) == [outbind]
    alert = AlertNotification(sequence=1, source_addr="447700900123", esme_addr="60777")
    session = session_in(Role.ESME, State.BOUND_RX)
    assert feed(session, encode(alert)) == [alert]
    assert session.data_to_send() == b""


# Answers by itself


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
@pytest.mark.parametrize("role", list(Role))
def test_enquire_link_is_answered_in_every_state(role: Role, state: State) -> None:
    session = session_in(role, state)
    assert feed(session, encode_simple(codes.ENQUIRE_LINK, 0x7FFFFFFF)) == []
    assert session.data_to_send() == encode_simple(codes.ENQUIRE_LINK_RESP, 0x7FFFFFFF)


def test_enquire_link_is_answered_between_messages_that_are_not_answered_yet() -> None:
    session = esme()
    messages = [deliver(sequence) for sequence in range(1, 4)]
    data = encode_simple(codes.ENQUIRE_LINK, 8).join(map(encode, messages))
    assert feed(session, data) == messages
    assert session.data_to_send() == encode_simple(codes.ENQUIRE_LINK_RESP, 8) * 2


@pytest.mark.parametrize("command_id", [0, 0x0A, 0x00010200, 0x800000FF, 0xFFFFFFFF, codes.QUERY_SM])
def test_unknown_commands_are_nacked(command_id: int) -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    (event,) = feed(session, encode_simple(command_id, 9) + encode_simple(codes.ENQUIRE_LINK, 10))
    assert isinstance(event, PeerError)
    assert event.status == CommandStatus.ESME_RINVCMDID
    assert session.data_to_send() == encode_simple(codes.GENERIC_NACK, 9, 3) + encode_simple(
        codes.ENQUIRE_LINK_RESP, 10
    )


def test_an_unreadable_body_is_refused_and_the_bind_lives() -> None:
    session = esme()
    message = deliver()
    octets = encode(message)
    bad = struct.pack(">I", len(octets) - 2) + octets[4:-2]
    alert = struct.pack(">IIII", 18, codes.ALERT_NOTIFICATION, 0, 10) + b"ab"
    events = feed(session, bad + octets + alert)
    assert [type(event) for event in events] == [PeerError, ShortMessage, PeerError]
    assert session.data_to_send() == encode_deliver_sm_resps([9], 1) + encode_simple(
        codes.GENERIC_NACK, 10, 1
    )
    assert session.state is State.BOUND_TRX
    server = session_in(Role.SMSC, State.OPEN)
    (event,) = feed(server, struct.pack(">IIII", 18, codes.BIND_RECEIVER, 0, 3) + b"ab")
    assert isinstance(event, PeerError)
    assert "bind_receiver ends within its mandatory fields: from ESME in OPEN" in event.text
    assert server.data_to_send() == encode_simple(codes.BIND_RECEIVER_RESP, 3, 1)


# Framing


@pytest.mark.parametrize("length", [0, 15, PDU_CAP + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_loses_the_framing_at_once(length: int) -> None:
    session = esme()
    session.send_message(MT, "a", 0)
    session.data_to_send()
    message = deliver()
    assert feed(session, encode(message) + struct.pack(">I", length)) == [
        message,
        FramingLost(text=f"command_length is {length}"),
    ]
    assert session.data_to_send() == encode_simple(codes.GENERIC_NACK, 0, CommandStatus.ESME_RINVCMDLEN)
    assert session.state is State.CLOSED
    assert feed(session, encode(message)) == []
    session.answer(message)
    session.answer_all([message])
    assert session.data_to_send() == b""
    assert session.next_timer_ms() is None
    assert session.tick(10**9) == []
    assert session.close() == [MessageUnanswered(token="a", sequence=2)]
    assert session.close() == []


def test_the_longest_pdu_is_taken() -> None:
    session = esme()
    message = ShortMessage(codes.DATA_SM, 9, tlvs={0x1400: b"x" * 40_000, 0x1401: b"y" * (PDU_CAP - 40_034)})
    octets = encode(message)
    assert len(octets) == PDU_CAP
    assert feed(session, octets[:-1]) == []
    assert feed(session, octets[-1:]) == [message]


def test_something_else_than_smpp_is_seen_by_its_first_octets() -> None:
    (event,) = feed(session_in(Role.SMSC, State.OPEN), b"GET / HTTP/1.1\r\n")
    assert isinstance(event, FramingLost)


STREAM = b"".join(
    [
        encode(deliver(1)),
        encode_simple(codes.ENQUIRE_LINK, 2),
        encode(deliver(3, codes.DATA_SM)),
        encode_simple(0x00010200, 4),
        encode_message_resp(codes.SUBMIT_SM_RESP, 2, 0, "6aad5"),
        encode_simple(codes.SUBMIT_SM_RESP, 3, 0x58),
        encode(MT),
        encode(deliver(5)),
        encode_simple(codes.UNBIND, 6),
    ]
)


def outcome(chunks: list[bytes], role: Role = Role.ESME) -> tuple[list[Event], bytes, State]:
    session = session_in(role, State.BOUND_TRX)
    for token in ("a", "b"):
        command_id = codes.SUBMIT_SM if role is Role.ESME else codes.DELIVER_SM
        session.send_message(ShortMessage(command_id), token, 0)
    session.data_to_send()
    events: list[Event] = []
    for chunk in chunks:
        events += feed(session, chunk)
    return events, session.data_to_send(), session.state


@pytest.mark.parametrize("tail", [b"", b"\0\0\0\x05", b"\0\0\0\x11\0"])
def test_octet_by_octet_is_the_same_as_all_at_once(tail: bytes) -> None:
    stream = STREAM + tail
    assert outcome([bytes([octet]) for octet in stream]) == outcome([stream])
    assert len(outcome([stream])[0]) >= 7


@given(st.lists(st.integers(0, len(STREAM)), max_size=8), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_cut_is_the_same_as_all_at_once(cuts: list[int], garbage: bool) -> None:
    stream = STREAM + b"\xff" * 20 * garbage
    edges = [0, *sorted(cuts), len(stream)]
    assert outcome([stream[a:b] for a, b in pairwise(edges)]) == outcome([stream])


frames = st.builds(
    lambda command_id, status, sequence, body: (
        struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body
    ),
    st.sampled_from([*sorted(codes.COMMAND_NAMES), 0x00010200]),
    st.sampled_from([0, 0, 0x58, 0xFFFFFFFF]),
    st.integers(0, 4) | st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=60),
)


@given(
    st.sampled_from(list(Role)),
    st.sampled_from(list(State)),
    st.lists(frames | st.binary(max_size=40), max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_nothing_that_comes_raises(role: Role, state: State, chunks: list[bytes]) -> None:
    session = session_in(role, state)
    for chunk in chunks:
        feed(session, chunk)
    session.data_to_send()
    session.tick(10**6)
    session.close()
    assert session.state is State.CLOSED


# Window and sequence numbers


def test_answers_come_back_with_their_tokens_in_any_order() -> None:
    session = esme(window=3)
    numbers = [session.send_message(MT, token, 0) for token in ("a", "b", "c")]
    assert (session.room, session.outstanding) == (0, 3)
    sent = session.data_to_send()
    assert sent == b"".join(
        encode(
            ShortMessage(codes.SUBMIT_SM, n, dest_addr=MT.dest_addr, source_addr="60777", short_message=b"Hi")
        )
        for n in numbers
    )
    with pytest.raises(ProtocolError, match="submit_sm has no room in 3: ESME in BOUND_TRX"):
        session.send_message(MT, "d", 0)
    answers = [
        encode_message_resp(codes.SUBMIT_SM_RESP, numbers[2], 0, "0000436949"),
        encode_message_resp(codes.SUBMIT_SM_RESP, numbers[0], 0x12345678),  # no body, no known status
        encode_simple(codes.GENERIC_NACK, numbers[1], 0x14),
    ]
    assert feed(session, b"".join(answers)) == [
        MessageAnswered("c", numbers[2], 0, "0000436949"),
        MessageAnswered("a", numbers[0], 0x12345678, ""),
        MessageAnswered("b", numbers[1], 0x14, ""),
    ]
    assert (session.room, session.outstanding) == (3, 0)


def test_a_nack_without_an_error_is_no_success() -> None:
    session = esme()
    sequence = session.send_message(MT, "a", 0)
    assert feed(session, encode_simple(codes.GENERIC_NACK, sequence)) == [
        MessageAnswered("a", sequence, CommandStatus.ESME_RUNKNOWNERR, "")
    ]


@pytest.mark.parametrize("sequence", [0, 1, 3, 0x80000002, 0xFFFFFFFF])
def test_an_answer_to_nothing_known_is_unmatched(sequence: int) -> None:
    session = esme()
    assert session.send_message(MT, "a", 0) == 2
    answer = MessageResp(codes.SUBMIT_SM_RESP, sequence, 0, "x")
    nack = Simple(command_id=codes.GENERIC_NACK, sequence=sequence, status=3)
    assert feed(session, encode(answer) + encode(nack)) == [Unmatched(pdu=answer), Unmatched(pdu=nack)]
    assert session.outstanding == 1


def test_a_message_is_answered_once() -> None:
    session = esme()
    sequence = session.send_message(MT, "a", 0)
    answer = MessageResp(codes.SUBMIT_SM_RESP, sequence, 0, "x")
    assert feed(session, encode(answer) * 2) == [
        MessageAnswered("a", sequence, 0, "x"),
        Unmatched(pdu=answer),
    ]


def test_requests_with_a_constant_sequence_number_are_each_answered_with_it() -> None:
    session = esme()
    messages = feed(session, encode(deliver(1)) * 3)
    assert len(messages) == 3
    session.answer_all([message for message in messages if isinstance(message, ShortMessage)], 0x64)
    assert session.data_to_send() == encode_deliver_sm_resps([1, 1, 1], 0x64)


def test_sequence_numbers_wrap_to_one() -> None:
    session = esme(first_sequence=0x7FFFFFFE, window=4)
    assert [session.send_message(MT, n, 0) for n in range(3)] == [0x7FFFFFFF, 1, 2]
    assert feed(session, encode_message_resp(codes.SUBMIT_SM_RESP, 0x7FFFFFFF, 0, "x")) == [
        MessageAnswered(0, 0x7FFFFFFF, 0, "x")
    ]


def test_a_message_that_does_not_fit_changes_nothing() -> None:
    session = esme()
    with pytest.raises(ValueError, match="NUL"):
        session.send_message(ShortMessage(codes.SUBMIT_SM, dest_addr="4477\0"), "a", 0)
    assert (session.outstanding, session.data_to_send()) == (0, b"")
    assert session.send_message(MT, "a", 0) == 2


def test_an_smsc_delivers_and_answers() -> None:
    session = session_in(Role.SMSC, State.BOUND_TRX)
    sequence = session.send_message(deliver(), "receipt", 0)
    assert session.data_to_send() == encode(deliver(sequence))
    submit = ShortMessage(codes.SUBMIT_SM, 7, dest_addr="447700900123", short_message=b"Hi")
    # deliver_sm_resp with an id that shall be empty, and without any body
    assert feed(
        session, encode(MessageResp(codes.DELIVER_SM_RESP, sequence, 0, "filled")) + encode(submit)
    ) == [
        MessageAnswered("receipt", sequence, 0, "filled"),
        submit,
    ]
    again = session.send_message(deliver(), "receipt", 0)
    assert feed(session, encode_simple(codes.DELIVER_SM_RESP, again)) == [
        MessageAnswered("receipt", again, 0, "")
    ]
    session.data_to_send()
    session.answer(submit, message_id="6aad5")
    session.answer(submit, CommandStatus.ESME_RTHROTTLED)
    assert session.data_to_send() == encode_message_resp(codes.SUBMIT_SM_RESP, 7, 0, "6aad5") + encode_simple(
        codes.SUBMIT_SM_RESP, 7, 0x58
    )


# Time


def test_a_message_without_answer_times_out_and_frees_its_place() -> None:
    session = esme(window=2, enquire_link_s=0, response_timeout_s=10)
    first = session.send_message(MT, "a", 1_000)
    second = session.send_message(MT, "b", 2_000)
    assert session.next_timer_ms() == 11_000
    assert session.tick(10_999) == []
    assert session.tick(11_000) == [MessageUnanswered(token="a", sequence=first)]
    assert (session.room, session.next_timer_ms()) == (1, 12_000)
    late = MessageResp(codes.SUBMIT_SM_RESP, first, 0, "x")
    assert feed(session, encode(late), 11_500) == [Unmatched(pdu=late)]
    assert session.tick(99_000) == [MessageUnanswered(token="b", sequence=second)]
    assert session.next_timer_ms() is None
    assert session.state is State.BOUND_TRX


def test_an_idle_peer_is_asked_and_its_silence_ends_the_session() -> None:
    session = esme(enquire_link_s=30, response_timeout_s=10)
    assert session.next_timer_ms() == 30_000
    assert session.tick(29_999) == []
    assert session.data_to_send() == b""
    assert session.tick(30_000) == []
    assert session.data_to_send() == encode_simple(codes.ENQUIRE_LINK, 2)
    assert session.next_timer_ms() == 40_000
    assert feed(session, encode_simple(codes.ENQUIRE_LINK_RESP, 2), 30_100) == []
    assert session.next_timer_ms() == 60_100
    session.tick(60_100)
    sequence = session.send_message(MT, "a", 60_200)
    assert session.tick(70_100) == [LinkSilent(text="no answer to enquire_link")]
    assert session.state is State.CLOSED
    assert session.close() == [MessageUnanswered(token="a", sequence=sequence)]


@pytest.mark.parametrize(
    "heard",
    [encode(deliver()), encode_simple(codes.GENERIC_NACK, 2, 3), encode_simple(codes.ENQUIRE_LINK_RESP, 99)],
)
def test_any_whole_pdu_shows_that_the_peer_lives(heard: bytes) -> None:
    session = esme(enquire_link_s=30, response_timeout_s=10)
    session.tick(30_000)
    feed(session, heard, 39_000)
    assert session.tick(40_000) == []
    assert session.next_timer_ms() == 69_000


def test_half_a_pdu_shows_nothing() -> None:
    session = esme(enquire_link_s=30, response_timeout_s=10)
    session.tick(30_000)
    for octet in range(9):
        assert feed(session, encode(deliver())[octet : octet + 1], 30_000 + octet * 1000) == []
    assert session.tick(40_000) == [LinkSilent(text="no answer to enquire_link")]


def test_a_bind_that_is_not_answered() -> None:
    session = Session(Role.ESME, now_ms=5_000, response_timeout_s=10)
    assert session.next_timer_ms() is None
    session.send_bind(Bind(command_id=codes.BIND_TRANSCEIVER, system_id="me"), 6_000)
    assert session.next_timer_ms() == 16_000
    assert session.tick(15_999) == []
    assert session.tick(16_000) == [LinkSilent(text="no answer to bind_transceiver")]


def test_an_unbind_that_is_not_answered() -> None:
    session = esme(response_timeout_s=10)
    session.unbind(0)
    assert session.tick(10_000) == [LinkSilent(text="no answer to unbind")]


def test_a_peer_that_does_not_bind_in_time() -> None:
    session = Session(Role.SMSC, now_ms=5_000, response_timeout_s=10)
    assert session.next_timer_ms() == 15_000
    feed(session, encode_simple(codes.ENQUIRE_LINK, 1), 14_000)
    assert session.tick(14_999) == []
    assert session.tick(15_000) == [LinkSilent(text="no bind")]


def test_the_time_that_the_owner_needs_to_decide_is_not_the_peers() -> None:
    session = Session(Role.SMSC, now_ms=0, response_timeout_s=10)
    feed(session, encode(Bind(command_id=codes.BIND_RECEIVER, sequence=1, system_id="x")), 9_000)
    assert session.next_timer_ms() is None
    assert session.tick(20_000) == []
    session.accept_bind("homing")
    assert session.state is State.BOUND_RX


def test_closing_twice_and_a_bind_that_was_decided_too_late() -> None:
    session = Session(Role.SMSC, now_ms=0)
    feed(session, encode(Bind(command_id=codes.BIND_RECEIVER, sequence=1, system_id="x")))
    assert session.close() == []
    with pytest.raises(ProtocolError, match="SMSC in CLOSED"):
        session.accept_bind("homing")
    assert session.close() == []
    assert session.data_to_send() == b""
