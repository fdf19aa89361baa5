"""The nine words of the Upside services for the status of a message, and which of them we say when.

Total over our statuses and any reason. Their words look like those of SMPP and mean something else:
``UNDELIV`` is not final there, ``UNKNOWN`` is (upside.md §5.4). ``docs/reference/push-upside.md`` shows them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from homing.model.report import Status


class UpsideStatus(StrEnum):
    """Their words, exactly so spelled."""

    DELIVRD = "DELIVRD"
    ERROR = "ERROR"
    FAILED = "FAILED"
    REJECTD = "REJECTD"
    SENT = "SENT"
    UNDELIV = "UNDELIV"
    UNDETRM = "UNDETRM"
    UNIDNTFY = "UNIDNTFY"
    UNKNOWN = "UNKNOWN"


TERMINAL: Final[frozenset[UpsideStatus]] = frozenset(
    set(UpsideStatus) - {UpsideStatus.SENT, UpsideStatus.UNDELIV, UpsideStatus.UNDETRM}
)

BY_REASON: Final[Mapping[tuple[Status, str], tuple[UpsideStatus, str]]] = {
    (Status.FAILED, "deleted"): (UpsideStatus.ERROR, "somebody took it out of the network: nobody tried"),
    (Status.FAILED, "skipped"): (UpsideStatus.ERROR, "the network passed over it: nobody tried"),
    (Status.REJECTED, "esme_rinvdstadr"): (UpsideStatus.UNIDNTFY, "the network knows no such number"),
}
"""What a reason makes of a status, before ``BY_STATUS``; and why."""

BY_STATUS: Final[Mapping[Status, tuple[UpsideStatus, str]]] = {
    Status.ACCEPTED: (UpsideStatus.SENT, "on its way; seen by GetDLR only"),
    Status.SENT: (UpsideStatus.SENT, "the network has it; seen by GetDLR only"),
    Status.BUFFERED: (UpsideStatus.SENT, "in progress, and may end without a word"),
    Status.DELIVERED: (UpsideStatus.DELIVRD, "the phone has it"),
    Status.FAILED: (UpsideStatus.FAILED, "tried, and given up: expired, undeliverable, barred"),
    Status.REJECTED: (UpsideStatus.REJECTD, "the network refused it"),
    Status.UNKNOWN: (UpsideStatus.UNKNOWN, "the network said nothing, or nothing that can be read"),
}

NEVER_SAID: Final[Mapping[UpsideStatus, str]] = {
    UpsideStatus.UNDELIV: "the network goes on trying: networks say that as any other progress",
    UpsideStatus.UNDETRM: "the same; what is undetermined for good is UNKNOWN",
}
"""Words that a receiver should know all the same, and why they do not come from here."""


def upside_status(status: Status, reason: str) -> UpsideStatus:
    """Their word for a status and its reason."""
    return BY_REASON.get((status, reason), BY_STATUS[status])[0]
