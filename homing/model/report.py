"""Reports: the one total vocabulary of status, the network's words for it, and the fold.

The mapping is data (``shared`` words of the SMPP 3.4 appendix and of real networks); a word that is
not in it is UNKNOWN with the raw word kept: never a failure, never delivered.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """What a submission (or one segment of it) has come to."""

    ACCEPTED = "ACCEPTED"
    """Ours to deliver."""
    SENT = "SENT"
    """The network took it."""
    BUFFERED = "BUFFERED"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    """Final; the network said nothing, or something unreadable."""


FINAL: frozenset[Status] = frozenset({Status.DELIVERED, Status.FAILED, Status.REJECTED, Status.UNKNOWN})

_PROGRESS: Mapping[Status, int] = {
    Status.ACCEPTED: 0,
    Status.SENT: 1,
    Status.BUFFERED: 2,
    Status.UNKNOWN: 3,
    Status.DELIVERED: 3,
    Status.FAILED: 3,
    Status.REJECTED: 3,
}

REPORT_BIT: Mapping[Status, int] = {
    Status.BUFFERED: 1,
    Status.DELIVERED: 2,
    Status.FAILED: 4,
    Status.REJECTED: 4,
    Status.UNKNOWN: 7,  # asked for by any bit; whether a format has a word for it is the endpoint's matter
}


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the network says about one segment, read by ``wire/receipt.py``; raw words kept."""

    message_ids: tuple[str, ...]
    """The link's message id as spelled: TLV first, then text; empty when none was readable."""
    status: Status
    word: str
    """The network's own word or ``state N``; empty when it gave none."""
    reason: str
    """Machine word, lower case: ``delivered``, ``expired``, ``undeliverable``, ``unreadable``, …"""
    err: str = ""
    """The network's error code as written, e.g. ``000``, ``00B``, or ``3:0021`` from the TLV."""
    done_at_ms: int | None = None
    recipient: str = ""
    """The number the receipt is about (the source address of the PDU), digits."""
    raw: bytes = b""
    """The text of the receipt as received."""


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the customer hears about a submission."""

    id: int
    """Its own id: the MX ``smsid`` of the report push, the event id of every push."""
    at_ms: int
    account: str
    submission: int
    sender: str
    """The originator of the submission."""
    recipient: str
    """The recipient of the submission."""
    status: Status
    reason: str
    err: str = ""
    sequence: int
    """1 for the first report about a submission, then 2, …"""
    report_bits: int
    note: str | None = None
    network: str | None = None
    parts: int = 1


def is_final(status: Status) -> bool:
    return status in FINAL


def may_follow(new: Status, old: Status) -> bool:
    """Whether a submission or segment may move from ``old`` to ``new``.

    Nothing steps back, nothing repeats, and nothing follows a final status, with one exception: a
    real final word may follow UNKNOWN, which only says that nobody knew.
    """
    if old is Status.UNKNOWN:
        return new in FINAL and new is not Status.UNKNOWN
    return _PROGRESS[new] > _PROGRESS[old]


def fold(segments: Iterable[Status]) -> Status:
    """The status of a submission from those of all its segments.

    Failed when one is (REJECTED only when all that failed were rejected), delivered when all are,
    UNKNOWN when all are final and none failed; otherwise the least advanced intermediate step.
    """
    statuses = list(segments)
    if not statuses:
        return Status.ACCEPTED
    if Status.FAILED in statuses:
        return Status.FAILED
    if Status.REJECTED in statuses:
        return Status.REJECTED
    if all(status is Status.DELIVERED for status in statuses):
        return Status.DELIVERED
    if all(status in FINAL for status in statuses):
        return Status.UNKNOWN
    if any(_PROGRESS[status] >= _PROGRESS[Status.BUFFERED] for status in statuses):
        return Status.BUFFERED
    return min(statuses, key=_PROGRESS.__getitem__)


def is_wanted(status: Status, report_bits: int) -> bool:
    """Whether the ``report`` bits of a submission ask for a report of this status."""
    return bool(REPORT_BIT.get(status, 0) & report_bits)
