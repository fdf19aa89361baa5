"""Messages: what a customer sends (submission, segments) and what a phone sends (received message).

Numbers are E.164 digits without ``+``; an originator may also be alphanumeric or a short code.
"""

from enum import IntEnum
from typing import Literal

import msgspec

from homing.model.mms import Mms

LONGEST_SHORT_CODE = 8
"""Digits towards a network: a number as short as this is a short code, no international one is."""


Medium = Literal["sms", "mms"]


class Coding(IntEnum):
    """How the octets of a message are meant; the value is the MX parameter ``bits``."""

    TEXT = 7
    DATA = 8
    UNICODE = 16


class Segment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One network message of a submission, before a link spells it in its own alphabet."""

    coding: Coding
    text: str = ""
    """The characters, when ``coding`` is TEXT or UNICODE."""
    data: bytes = b""
    """The octets, when ``coding`` is DATA."""
    udh: bytes = b""
    """User data header including its length octet (TS 23.040 §9.2.3.24), or empty."""


class Submission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message that a customer sends through us (MT)."""

    id: int
    account: str
    sender: str
    recipient: str
    segments: tuple[Segment, ...]
    report_bits: int = 0
    """Which reports are wanted: 1 BUFFERED, 2 DELIVERED, 4 FAILED and REJECTED, 8 read reports of an MMS."""
    validity_s: int | None = None
    flash: bool = False
    note: str | None = None
    subaccount: str | None = None
    single_shot: bool = False
    not_before_ms: int = 0
    """Not sent before this time; 0 = at once."""
    mms: Mms | None = None
    """What an MMS carries; it has one segment, which is empty. None = an SMS."""

    @property
    def medium(self) -> Medium:
        return "sms" if self.mms is None else "mms"


class ReceivedMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a phone sent to one of our numbers (MO): an MMS, or an SMS: a single one, a part, a joined one."""

    id: int
    at_ms: int
    link: str
    sender: str
    recipient: str
    account: str | None
    """Whose number it is; None = nobody's: kept and visible as unrouted."""
    coding: Coding
    text: str
    """Decoded text; best effort for UNICODE, empty for DATA. Of an MMS what its text parts say."""
    data: bytes = b""
    """DATA: the octets. UNICODE: UTF-16BE. TEXT: empty."""
    udh: bytes = b""
    network: str | None = None
    """The sender's network, as configured on the link or the number."""
    parts: int = 1
    """How many network messages this one was joined from (1 for a part pushed by itself)."""
    expected_parts: int = 1
    """How many there should be; more than ``parts`` = partial."""
    carrier_code: str | None = None
    """MCC and MNC of the sender's network, as configured on the link or the number."""
    mms: Mms | None = None
    """What an MMS carries; None = an SMS."""


PartsMode = Literal["joined", "separate"]
