"""Multimedia messages: what one is made of, and what becomes of one that was sent.

An MMS has one content zip, kept in the content store; its parts are pieces of it, found by name, offset and
length, so that each can be read without unpacking.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from homing.model.report import Status


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part, in the order of the message."""

    name: str
    """Of its file in the zip; safe on any file system, and unique."""
    content_type: str
    """Media type without parameters; text is in UTF-8."""
    size: int
    """Octets."""
    offset: int
    """Where its octets begin in the zip, which keeps them as they are."""
    sha256: str
    """In hex."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The content zip of a message."""

    sha256: str
    """In hex; also the name under which the content store keeps it."""
    size: int
    parts: tuple[Part, ...] = ()


class Mms(msgspec.Struct, frozen=True, kw_only=True):
    """What an MMS has that an SMS has not."""

    subject: str = ""
    to: tuple[str, ...] = ()
    """All recipients that it shows, as numbers or addresses; ours is one of them."""
    cc: tuple[str, ...] = ()
    content: Content
    expires_at_ms: int
    """Until then the content can be retrieved."""


class MmsOutcome(NamedTuple):
    """What a word of the network means."""

    status: Status
    reason: str
    number: int
    """Of the MX interface. mx §11"""


DELIVERY_WORDS: Final[Mapping[str, MmsOutcome]] = {
    "deferred": MmsOutcome(Status.BUFFERED, "deferred", 1),
    "unreachable": MmsOutcome(Status.BUFFERED, "unreachable", 1),
    "indeterminate": MmsOutcome(Status.UNKNOWN, "indeterminate", 2),
    "unrecognised": MmsOutcome(Status.UNKNOWN, "unrecognised", 2),
    "retrieved": MmsOutcome(Status.DELIVERED, "retrieved", 3),
    "expired": MmsOutcome(Status.FAILED, "expired", 4),
    "rejected": MmsOutcome(Status.REJECTED, "rejected", 5),
    "notsupported": MmsOutcome(Status.REJECTED, "not_supported", 5),
    "forwarded": MmsOutcome(Status.BUFFERED, "forwarded", 6),
}
"""MMStatus of delivery reports, in lower case. Every other word is ``indeterminate``."""

READ_WORDS: Final[Mapping[str, MmsOutcome]] = {
    "read": MmsOutcome(Status.DELIVERED, "read", 7),
    "deleted without being read": MmsOutcome(Status.DELIVERED, "deleted_unread", 8),
    "deleted": MmsOutcome(Status.DELIVERED, "deleted_unread", 8),
    "indeterminate": MmsOutcome(Status.DELIVERED, "read_indeterminate", 9),
    "expired": MmsOutcome(Status.DELIVERED, "read_expired", 10),
}
"""MMStatus of read reports, in lower case: the message was delivered in any case."""

NUMBER_OF_REASON: Final[Mapping[str, int]] = {
    outcome.reason: outcome.number for outcome in (*DELIVERY_WORDS.values(), *READ_WORDS.values())
}
"""The number of the MX interface for the reason of a report."""
_NUMBER_OF_STATUS: Final[Mapping[Status, int]] = {
    Status.ACCEPTED: 1, Status.SENT: 1, Status.BUFFERED: 1, Status.DELIVERED: 3, Status.FAILED: 4,
    Status.REJECTED: 5, Status.UNKNOWN: 2,
}  # fmt: skip


def delivery_outcome(word: str) -> MmsOutcome:
    """What a delivery report says."""
    folded = word.strip().lower().replace("unrecognized", "unrecognised")
    return DELIVERY_WORDS.get(folded, DELIVERY_WORDS["indeterminate"])


def read_outcome(word: str) -> MmsOutcome:
    """What a read report says."""
    return READ_WORDS.get(word.strip().lower(), READ_WORDS["indeterminate"])


def mms_number(status: Status, reason: str) -> int:
    """The status of an MMS report in the MX interface, 1 to 10. mx §11"""
    return NUMBER_OF_REASON.get(reason, _NUMBER_OF_STATUS[status])


def is_read_report(number: int) -> bool:
    """Whether this number is one of a read report, type 2; else it is a delivery report, type 1."""
    return number >= READ_WORDS["read"].number
