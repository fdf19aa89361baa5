"""A case: one submission while receipts and answers about it are applied, and the rows that come of it.

For ``engine/correlate.py``, within one transaction of the journal.
"""

from typing import Any

from homing.engine.ports import Transaction
from homing.engine.rows import Row
from homing.model.report import Status, fold, is_final, may_follow

UNTOLD = frozenset({Status.ACCEPTED, Status.SENT})
STATUS = {status.value: status for status in Status}


class Case:
    """One submission while receipts and answers about it are applied."""

    __slots__ = ("reads", "reason", "reports_made", "row", "segments", "status")

    def __init__(self, row: Any, segments: dict[int, tuple[Status, str]]) -> None:
        self.row = row
        self.segments = segments
        self.status = STATUS[row.status]
        self.reason: str = row.reason
        self.reports_made: int = row.report_count
        self.reads: set[str] = set()
        """Read reports that were told in this transaction."""

    def fold(self) -> Status:
        """Of all segments; those without an answer yet are ACCEPTED."""
        if self.row.segment_count == 1 and self.segments:
            return next(iter(self.segments.values()))[0]
        missing = self.row.segment_count - len(self.segments)
        return fold([status for status, _reason in self.segments.values()] + [Status.ACCEPTED] * missing)

    def is_answered(self) -> bool:
        """Whether the network has answered every segment."""
        return len(self.segments) >= int(self.row.segment_count)

    def step(self) -> Status | None:
        """The status to which the segments move the submission; None when there is nothing to say.

        While a segment is still to be sent it stays ACCEPTED, which is what sends the segment after a
        restart; only a final status goes ahead of that.
        """
        folded = self.fold()
        if folded in UNTOLD or not may_follow(folded, self.status):
            return None
        return folded if self.is_answered() or is_final(folded) else None


class Written:
    """Rows of one call, gathered so that each table gets one statement."""

    __slots__ = (
        "changed", "deliveries", "ledger", "parked", "receipts", "reports", "segments", "transaction",
        "unparked",
    )  # fmt: skip

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.receipts: list[Row] = []
        self.segments: dict[tuple[int, int], Row] = {}
        self.changed: dict[int, Row] = {}
        self.reports: list[Row] = []
        self.ledger: list[Row] = []
        self.deliveries: list[Row] = []
        self.parked: list[Row] = []
        self.unparked: list[int] = []

    def flush(self) -> None:
        transaction = self.transaction
        transaction.insert_receipts(self.receipts)
        transaction.change_segments(list(self.segments.values()))
        transaction.change_submissions(list(self.changed.values()))
        transaction.insert_reports(self.reports)
        transaction.insert_ledger(self.ledger)
        transaction.insert_deliveries(self.deliveries)
        transaction.park_receipts(self.parked)
        transaction.unpark_receipts(self.unparked)


class WithId:
    """A row of submissions, as one that joins a segment: its id is called ``submission``."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self.submission: int = row.id
        self.is_mms = row.mms is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def reason_of(case: Case, folded: Status, latest: str) -> str:
    """The reason of the first segment, in order, that brought this status about."""
    for number in sorted(case.segments):
        status, reason = case.segments[number]
        if status is folded and reason:
            return reason
    return latest
