"""Which PDU may be sent by whom in which state of an SMPP 3.4 session: two tables.

``TABLE_2_1`` is the specification's own, row for row, and binds what we send. ``TOLERATED`` is what
real peers send beyond it and is taken as well. What stands in neither is a protocol error.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import product
from typing import Final

from homing.wire import smpp_codes as codes


class Role(StrEnum):
    ESME = "ESME"
    """The client: asks to be bound."""
    SMSC = "SMSC"
    """The server: grants it."""


class State(StrEnum):
    """SMPP 3.4 §2.2; between unbound and disconnected we name one more."""

    OPEN = "OPEN"
    BOUND_TX = "BOUND_TX"
    BOUND_RX = "BOUND_RX"
    BOUND_TRX = "BOUND_TRX"
    UNBOUND = "UNBOUND"
    """The connection is still there; late answers are taken."""
    CLOSED = "CLOSED"


_OPEN = (State.OPEN,)
_TX = (State.BOUND_TX, State.BOUND_TRX)
_RX = (State.BOUND_RX, State.BOUND_TRX)
BOUND: Final = (State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX)
_ESME = (Role.ESME,)
_SMSC = (Role.SMSC,)
_BOTH = (Role.ESME, Role.SMSC)

Table = Mapping[int, tuple[tuple[State, ...], tuple[Role, ...]]]
"""By command id: the states in which it may be issued, and by whom."""

# SMPP 3.4 §2.3
TABLE_2_1: Final[Table] = {
    codes.BIND_TRANSMITTER: (_OPEN, _ESME),
    codes.BIND_TRANSMITTER_RESP: (_OPEN, _SMSC),
    codes.BIND_RECEIVER: (_OPEN, _ESME),
    codes.BIND_RECEIVER_RESP: (_OPEN, _SMSC),
    codes.BIND_TRANSCEIVER: (_OPEN, _ESME),
    codes.BIND_TRANSCEIVER_RESP: (_OPEN, _SMSC),
    codes.OUTBIND: (_OPEN, _SMSC),
    codes.UNBIND: (BOUND, _BOTH),
    codes.UNBIND_RESP: (BOUND, _BOTH),
    codes.SUBMIT_SM: (_TX, _ESME),
    codes.SUBMIT_SM_RESP: (_TX, _SMSC),
    codes.SUBMIT_MULTI: (_TX, _ESME),
    codes.SUBMIT_MULTI_RESP: (_TX, _SMSC),
    codes.DATA_SM: (BOUND, _BOTH),
    codes.DATA_SM_RESP: (BOUND, _BOTH),
    codes.DELIVER_SM: (_RX, _SMSC),
    codes.DELIVER_SM_RESP: (_RX, _ESME),
    codes.QUERY_SM: (_TX, _ESME),
    codes.QUERY_SM_RESP: (_TX, _SMSC),
    codes.CANCEL_SM: (_TX, _ESME),
    codes.CANCEL_SM_RESP: (_TX, _SMSC),
    codes.REPLACE_SM: ((State.BOUND_TX,), _ESME),
    codes.REPLACE_SM_RESP: ((State.BOUND_TX,), _SMSC),
    codes.ENQUIRE_LINK: (BOUND, _BOTH),
    codes.ENQUIRE_LINK_RESP: (BOUND, _BOTH),
    codes.ALERT_NOTIFICATION: (_RX, _SMSC),
    codes.GENERIC_NACK: (BOUND, _BOTH),
}

_UNBOUND = (State.UNBOUND,)
_EDGES = (State.OPEN, State.UNBOUND)

TOLERATED: Final[Table] = {
    # Some ask whether the line lives, or leave it, before they bind; unbinds of both sides cross.
    codes.ENQUIRE_LINK: (_EDGES, _BOTH),
    codes.ENQUIRE_LINK_RESP: (_EDGES, _BOTH),
    codes.GENERIC_NACK: (_EDGES, _BOTH),
    codes.UNBIND: (_EDGES, _BOTH),
    codes.UNBIND_RESP: (_EDGES, _BOTH),
    # Some send receipts on the very bind that submitted, a transmitter's too.
    codes.DELIVER_SM: ((State.BOUND_TX,), _SMSC),
    codes.ALERT_NOTIFICATION: ((State.BOUND_TX,), _SMSC),
    # What was under way when the other side unbound.
    codes.SUBMIT_SM_RESP: (_UNBOUND, _SMSC),
    codes.DELIVER_SM_RESP: ((State.BOUND_TX, State.UNBOUND), _ESME),
    codes.DATA_SM_RESP: (_UNBOUND, _BOTH),
}

NEXT_STATE: Final[Mapping[tuple[State, int], State]] = {
    (State.OPEN, codes.BIND_TRANSMITTER): State.BOUND_TX,
    (State.OPEN, codes.BIND_RECEIVER): State.BOUND_RX,
    (State.OPEN, codes.BIND_TRANSCEIVER): State.BOUND_TRX,
    (State.OPEN, codes.UNBIND): State.UNBOUND,
    (State.BOUND_TX, codes.UNBIND): State.UNBOUND,
    (State.BOUND_RX, codes.UNBIND): State.UNBOUND,
    (State.BOUND_TRX, codes.UNBIND): State.UNBOUND,
    (State.UNBOUND, codes.UNBIND): State.UNBOUND,
}
"""The state after a request was answered with ESME_ROK. Losing the connection leads to CLOSED from any."""


def _by_issuer(tables: Iterable[Table]) -> dict[tuple[Role, State], frozenset[int]]:
    allowed: dict[tuple[Role, State], set[int]] = {pair: set() for pair in product(Role, State)}
    for table in tables:
        for command_id, (states, roles) in table.items():
            for pair in product(roles, states):
                allowed[pair].add(command_id)
    return {pair: frozenset(command_ids) for pair, command_ids in allowed.items()}


MAY_SEND: Final = _by_issuer([TABLE_2_1])
"""By our role and state: the command ids that we may issue."""
TAKEN_FROM: Final = _by_issuer([TABLE_2_1, TOLERATED])
"""By the peer's role and the state: the command ids that are taken from it."""
