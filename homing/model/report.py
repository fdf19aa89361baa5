"""Reports: the one total vocabulary of status, the network's words for it, and the fold.

The mapping is data (the words of the SMPP 3.4 appendix and of real networks); a word that is
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

_NOTHING_SAID: frozenset[Status] = frozenset({Status.ACCEPTED, Status.SENT})

REPORT_BIT: Mapping[Status, int] = {
    Status.BUFFERED: 1,
    Status.DELIVERED: 2,
    Status.FAILED: 4,
    Status.REJECTED: 4,
    Status.UNKNOWN: 7,  # asked for by any bit; whether a format has a word for it is the endpoint's matter
}


READ_REASONS: frozenset[str] = frozenset({"read", "deleted_unread", "read_indeterminate", "read_expired"})
"""Reasons of read reports of an MMS, which say that it was delivered in any case (``model/mms.py``)."""
READ_REPORT_BIT = 8

NO_OVERRIDES: Mapping[str, Status] = {}

WORDS: Mapping[str, tuple[Status, str]] = {
    "DELIVRD": (Status.DELIVERED, "delivered"),
    "DELIVERED": (Status.DELIVERED, "delivered"),
    "EXPIRED": (Status.FAILED, "expired"),
    "DELETED": (Status.FAILED, "deleted"),
    "UNDELIV": (Status.FAILED, "undeliverable"),
    "UNDELIVRD": (Status.FAILED, "undeliverable"),
    "FAILED": (Status.FAILED, "failed"),
    "BARRED": (Status.FAILED, "barred"),
    "ZEROBAL": (Status.FAILED, "no_balance"),
    "REJECTD": (Status.REJECTED, "rejected"),
    "REJECTED": (Status.REJECTED, "rejected"),
    "DND_REJECTED": (Status.REJECTED, "dnd"),
    "ENROUTE": (Status.BUFFERED, "enroute"),
    "ACCEPTD": (Status.BUFFERED, "accepted"),
    "ACCEPTED": (Status.BUFFERED, "accepted"),
    "ACKED": (Status.BUFFERED, "acknowledged"),
    "SCHEDULED": (Status.BUFFERED, "scheduled"),
    "BUFFERED": (Status.BUFFERED, "buffered"),
    "UNKNOWN": (Status.UNKNOWN, "unknown"),
}
"""The network's words, as status and reason. Every other word is UNKNOWN, ``unreadable``."""

STATES: Mapping[int, tuple[tuple[str, ...], Status, str]] = {
    # SMPP 3.4 §5.2.28; 0 and 9 are those of version 5
    0: (("SCHEDULED",), Status.BUFFERED, "scheduled"),
    1: (("ENROUTE",), Status.BUFFERED, "enroute"),
    2: (("DELIVRD", "DELIVERED"), Status.DELIVERED, "delivered"),
    3: (("EXPIRED",), Status.FAILED, "expired"),
    4: (("DELETED",), Status.FAILED, "deleted"),
    5: (("UNDELIV", "UNDELIVERABLE"), Status.FAILED, "undeliverable"),
    6: (("ACCEPTD", "ACCEPTED"), Status.BUFFERED, "accepted"),
    7: (("UNKNOWN",), Status.UNKNOWN, "unknown"),
    8: (("REJECTD", "REJECTED"), Status.REJECTED, "rejected"),
    9: (("SKIPPED",), Status.FAILED, "skipped"),
}
"""``message_state`` by number: the words it stands for, status and reason."""

_UNREADABLE = (Status.UNKNOWN, "unreadable")


def read_word(word: str, overrides: Mapping[str, Status] = NO_OVERRIDES) -> tuple[Status, str]:
    """Status and reason of a network's word, in any case. ``overrides`` (of the link) win over the table."""
    meaning = WORDS.get(word) or WORDS.get(word.strip().upper(), _UNREADABLE)
    return _overridden(meaning, (word,), overrides) if overrides else meaning


def read_state(number: int, overrides: Mapping[str, Status] = NO_OVERRIDES) -> tuple[Status, str]:
    """Status and reason of a ``message_state``. Overrides by its number win over those by its words."""
    state = STATES.get(number)
    words, meaning = (state[0], state[1:]) if state else ((), _UNREADABLE)
    return _overridden(meaning, (str(number), *words), overrides) if overrides else meaning


def _overridden(
    meaning: tuple[Status, str], words: Iterable[str], overrides: Mapping[str, Status]
) -> tuple[Status, str]:
    folded = {key.strip().casefold(): status for key, status in overrides.items()}
    for word in words:
        status = folded.get(word.strip().casefold())
        if status is not None:
            # The table's reason belongs to the table's status; another status has only its own name.
            return meaning if status is meaning[0] else (status, status.lower())
    return meaning


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
    is_mms: bool = False
    """It is about an MMS, and may be a read report."""


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
    """The status of a submission from those of all its segments, in whatever order they stand.

    Failed as soon as one is (REJECTED only when all that failed were rejected), delivered when all
    are, UNKNOWN when all are final and none failed. While one is still on its way: BUFFERED as soon
    as any is past SENT, else the least advanced step.
    """
    statuses = frozenset(segments)
    if len(statuses) == 1:
        return next(iter(statuses))
    if not statuses:
        return Status.ACCEPTED
    if Status.FAILED in statuses:
        return Status.FAILED
    if Status.REJECTED in statuses:
        return Status.REJECTED
    if statuses <= FINAL:
        return Status.UNKNOWN if Status.UNKNOWN in statuses else Status.DELIVERED
    if statuses <= _NOTHING_SAID:
        return Status.ACCEPTED
    return Status.BUFFERED


def is_wanted(report: Report) -> bool:
    """Whether the ``report`` bits of its submission ask for this report."""
    bit = READ_REPORT_BIT if report.reason in READ_REASONS else REPORT_BIT.get(report.status, 0)
    return bool(bit & report.report_bits)
