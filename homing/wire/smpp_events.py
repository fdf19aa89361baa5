"""What an SMPP session tells its owner, beside the PDUs that are passed on as they are."""

from typing import Any

import msgspec

from homing.wire.smpp_states import State
from homing.wire.smpp_tlv import Tlvs
from homing.wire.smpp_values import (
    AlertNotification,
    Bind,
    BindResp,
    MessageResp,
    Outbind,
    ShortMessage,
    Simple,
)


class Bound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The SMSC granted our bind."""

    state: State
    system_id: str
    tlvs: Tlvs | None = None


class BindRefused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The SMSC refused our bind. The session is still open; another may be tried."""

    status: int


class MessageAnswered(msgspec.Struct, frozen=True, gc=False):
    """The peer answered a message that we sent; a generic_nack counts as an answer without an id.

    Made by position: there is one for every message sent.
    """

    token: Any
    """What the owner gave with the message."""
    sequence: int
    status: int
    message_id: str
    tlvs: Tlvs | None = None


class MessageUnanswered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """No answer came in time; the place in the window is free again. A late answer is ``Unmatched``."""

    token: Any
    sequence: int


class Unmatched(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer to nothing that is waited for: too late, twice, or with a sequence number of its own."""

    pdu: MessageResp | BindResp | Simple


class PeerError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The peer sent what cannot be taken and, unless it was an answer, was told so by ``status``."""

    command_id: int
    sequence: int
    status: int
    text: str


class FramingLost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the next PDU begins is unknown. Send what there is to send, close, connect again."""

    text: str


class LinkSilent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What had to come did not come in time. Close, connect again."""

    text: str


class Unbound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The session is over in peace. Send what there is to send and close."""

    by_peer: bool


Event = (
    ShortMessage
    | Bind
    | Outbind
    | AlertNotification
    | Bound
    | BindRefused
    | MessageAnswered
    | MessageUnanswered
    | Unmatched
    | PeerError
    | FramingLost
    | LinkSilent
    | Unbound
)
