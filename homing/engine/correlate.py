"""Correlation: which submission a receipt speaks of, and what the customer hears because of it.

Runs inside the journal's transactions, so that an answer to a submission and the receipts about it are
seen in one order. A receipt finds its segment within one SMSC account (``scope``), over any bind, in any
spelling of the id. One that outran its answer is parked and matched when the answer is recorded, or by
the sweep. The submission's status is folded from all its segments; nothing steps back from a final
status, and what repeats or is late ends here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from homing.engine.directory import Directory
from homing.engine.fanout import FanOut
from homing.engine.matching import Matching, key_of, keys_of, of_answer, spelling_of
from homing.engine.ports import Transaction
from homing.engine.rows import (
    Row,
    ledger_of_report,
    parked_receipt_of,
    parked_row,
    receipt_row,
    report_row,
)
from homing.model.clock import Ids
from homing.model.delivery import Delivery
from homing.model.report import Receipt, Report, Status, fold, is_final, may_follow
from homing.wire.message_id import Spelling, candidates, canonical


class ArrivedReceipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A receipt as a link read it, and of which SMSC account it speaks."""

    scope: str
    link: str
    at_ms: int
    receipt: Receipt


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The network's final answer to one segment: taken (with its id) or refused."""

    submission: int
    segment: int
    scope: str
    link: str
    at_ms: int
    status: Status
    """SENT, or REJECTED."""
    reason: str
    link_message_id: str = ""
    segment_count: int = 1
    """Of the submission. Whether all are answered the store knows: some may have been in a former life."""


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one receipt or answer: the deliveries now held in memory, and how the id was spelled."""

    held: tuple[Delivery, ...] = ()
    spelling: Spelling | None = None
    parked: bool = False


_NOTHING = Matched()
_UNTOLD = frozenset({Status.ACCEPTED, Status.SENT})
_STATUS = {status.value: status for status in Status}
_SENT = Status.SENT.value


class _Case:
    """One submission while receipts and answers about it are applied."""

    __slots__ = ("reports_made", "row", "segments", "status")

    def __init__(self, row: Any, segments: dict[int, tuple[Status, str]]) -> None:
        self.row = row
        self.segments = segments
        self.status = _STATUS[row.status]
        self.reports_made: int = row.report_count

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
        if folded in _UNTOLD or not may_follow(folded, self.status):
            return None
        return folded if self.is_answered() or is_final(folded) else None


class _Written:
    """Rows of one call, gathered so that each table gets one statement."""

    __slots__ = ("changed", "deliveries", "ledger", "parked", "receipts", "reports", "segments", "unparked")

    def __init__(self) -> None:
        self.receipts: list[Row] = []
        self.segments: dict[tuple[int, int], Row] = {}
        self.changed: dict[int, Row] = {}
        self.reports: list[Row] = []
        self.ledger: list[Row] = []
        self.deliveries: list[Row] = []
        self.parked: list[Row] = []
        self.unparked: list[int] = []

    def flush(self, transaction: Transaction) -> None:
        transaction.insert_receipts(self.receipts)
        transaction.change_segments(list(self.segments.values()))
        transaction.change_submissions(list(self.changed.values()))
        transaction.insert_reports(self.reports)
        transaction.insert_ledger(self.ledger)
        transaction.insert_deliveries(self.deliveries)
        transaction.park_receipts(self.parked)
        transaction.unpark_receipts(self.unparked)


class Correlator:
    """The journal's handlers for receipts and answers."""

    def __init__(
        self, *, ids: Ids, directory: Callable[[], Directory], fan_out: FanOut, is_alone: bool = False
    ) -> None:
        """``is_alone``: no other node parks receipts in this store."""
        self._ids = ids
        self._directory = directory
        self._fan_out = fan_out
        self._matching = Matching()
        self._is_alone = is_alone
        self._may_be_parked = True
        """Whether the store may hold parked receipts: else no answer need ask for its own."""
        self._spellings: dict[str, dict[Spelling, int]] = {}
        """By link, how the ids of its receipts had to be read."""
        self.matched = 0
        self.repeated = 0
        self.parked = 0
        self.unparked = 0

    def unmatched(self) -> tuple[int, int]:
        """All receipts so far, and how many of them have found no submission yet."""
        return self.matched + self.parked - self.unparked, self.parked - self.unparked

    def usual_spelling(self, link: str) -> Spelling | None:
        """How the ids in a link's receipts mostly have to be read; None = none has matched yet."""
        counts = self._spellings.get(link)
        return None if counts is None else max(counts, key=counts.__getitem__)

    def record_receipts(self, transaction: Transaction, items: list[ArrivedReceipt]) -> list[Matched]:
        """Match each receipt or park it; nothing is dropped but what says nothing new."""
        found = self._find(transaction, items)
        cases = self._cases(transaction, [match[0] for match in found if match is not None])
        written = _Written()
        results = []
        for item, match in zip(items, found, strict=True):
            if match is None:
                self.parked += 1
                self._may_be_parked = True
                key = canonical(item.receipt.message_ids[0]) if item.receipt.message_ids else ""
                written.parked.append(
                    parked_row(self._ids.next(), item.scope, key, item.link, item.at_ms, item.receipt)
                )
                results.append(Matched(parked=True))
                continue
            row, spelling = match
            results.append(self._apply(item, cases[row.submission], row.number, spelling, written))
        written.flush(transaction)
        return results

    def record_answers(self, transaction: Transaction, items: list[Answered]) -> list[Matched]:
        """Record what the network answered to segments, and apply receipts that came before the answer."""
        transaction.insert_segments(
            [
                (
                    a.submission, a.segment, a.link, a.scope, a.link_message_id, canonical(a.link_message_id),
                    _SENT if a.status is Status.SENT else a.status.value, a.reason, a.at_ms,
                )
                for a in items
            ]
        )  # fmt: skip
        transaction.mark_sent(
            [(_SENT, "sent", a.link, a.at_ms, a.submission) for a in items if a.segment_count == 1]
        )
        early = self._early_receipts(transaction, items) if self._may_be_parked else {}
        if not early and all(a.segment_count == 1 and a.status is Status.SENT for a in items):
            return [_NOTHING] * len(items)
        return self._apply_answers(transaction, items, early)

    def sweep_parked(
        self, transaction: Transaction, rows: Sequence[Any], *, are_all: bool = False
    ) -> list[Matched]:
        """Try parked receipts once more: for answers that another node recorded.

        ``are_all`` = there are no others in the store.
        """
        if are_all and not rows and self._is_alone:
            self._may_be_parked = False
        items = [_unparked(row) for row in rows]
        found = self._find(transaction, items)
        cases = self._cases(transaction, [match[0] for match in found if match is not None])
        written = _Written()
        results = []
        for row, item, match in zip(rows, items, found, strict=True):
            if match is None:
                results.append(_NOTHING)
                continue
            written.unparked.append(row.id)
            self.unparked += 1
            segment, spelling = match
            results.append(self._apply(item, cases[segment.submission], segment.number, spelling, written))
        written.flush(transaction)
        return results

    def give_up(self, transaction: Transaction, rows: Sequence[Any], at_ms: int) -> list[Matched]:
        """End as UNKNOWN the submissions that no receipt came for."""
        cases = self._cases(transaction, [_WithId(row) for row in rows])
        written = _Written()
        results = []
        for row in rows:
            held = self._report(cases[row.id], Status.UNKNOWN, "no_receipt", "", at_ms, written)
            results.append(Matched(held=tuple(held)))
        written.flush(transaction)
        return results

    def _find(
        self, transaction: Transaction, items: Sequence[ArrivedReceipt]
    ) -> list[tuple[Any, Spelling] | None]:
        """Per receipt the segment it is about, and how its id had to be read."""
        known: dict[tuple[str, str], list[Any]] = {}
        plain = [(item.scope, key) for item in items if (key := key_of(item.receipt))]
        self._look_up(transaction, known, plain)
        found = [self._matching.choose_as_it_stands(item, known) for item in items]
        asked = {at: keys_of(items[at].receipt) for at, match in enumerate(found) if match is None}
        wanted = [(items[at].scope, key) for at, keys in asked.items() for key, _ in keys]
        self._look_up(transaction, known, [pair for pair in wanted if pair not in known])
        for at, keys in asked.items():
            found[at] = self._matching.choose(items[at], keys, known)
        return found

    @staticmethod
    def _look_up(
        transaction: Transaction, known: dict[tuple[str, str], list[Any]], wanted: Iterable[tuple[str, str]]
    ) -> None:
        """Add to ``known`` the segments with these ids, by scope and id; nothing is an answer too."""
        by_scope: dict[str, set[str]] = {}
        for scope, key in wanted:
            by_scope.setdefault(scope, set()).add(key)
            known[scope, key] = []
        for scope, keys in by_scope.items():
            for row in transaction.segments_by_link_id(scope, keys):
                known[scope, row.id_key].append(row)

    @staticmethod
    def _cases(transaction: Transaction, rows: Iterable[Any]) -> dict[int, _Case]:
        rows = list(rows)
        several = {row.submission for row in rows if row.segment_count > 1 or isinstance(row, _WithId)}
        statuses: dict[int, dict[int, tuple[Status, str]]] = {}
        for segment in transaction.segments_of(several) if several else ():
            of_submission = statuses.setdefault(segment.submission, {})
            of_submission[segment.number] = (_STATUS[segment.status], segment.reason)
        cases: dict[int, _Case] = {}
        for row in rows:
            if row.submission not in cases:
                segments = statuses.get(row.submission, {})
                if row.submission not in several:
                    segments = {row.number: (_STATUS[row.segment_status], "")}
                cases[row.submission] = _Case(row, segments)
        return cases

    def _apply(
        self, item: ArrivedReceipt, case: _Case, number: int, spelling: Spelling, written: _Written
    ) -> Matched:
        """One receipt: kept raw always; moves its segment, and perhaps the submission, forward."""
        receipt = item.receipt
        self.matched += 1
        counts = self._spellings.get(item.link)
        if counts is None:  # whole at once: the loop reads it while the journal's thread counts
            counts = self._spellings[item.link] = dict.fromkeys(Spelling, 0)
        counts[spelling] += 1
        written.receipts.append(
            receipt_row(
                self._ids.next(), case.row.submission, number, item.link, item.at_ms, spelling.value, receipt
            )
        )
        if spelling is not Spelling.same:
            self._matching.remember(receipt, case.row.submission, number)
        before = case.segments.get(number, (Status.SENT, ""))[0]
        if not may_follow(receipt.status, before):
            self.repeated += 1
            return Matched(spelling=spelling)
        case.segments[number] = (receipt.status, receipt.reason)
        submission = case.row.submission
        written.segments[submission, number] = (
            receipt.status.value, receipt.reason, item.at_ms, submission, number,
        )  # fmt: skip
        held = self._tell(case, receipt.reason, receipt.err, item.at_ms, written)
        return Matched(held=tuple(held), spelling=spelling)

    def _tell(self, case: _Case, latest: str, err: str, at_ms: int, written: _Written) -> list[Delivery]:
        """Report what the segments have come to, when that is a step."""
        status = case.step()
        if status is None:
            return []
        return self._report(case, status, _reason_of(case, status, latest), err, at_ms, written)

    def _report(
        self, case: _Case, status: Status, reason: str, err: str, at_ms: int, written: _Written
    ) -> list[Delivery]:  # fmt: skip
        """The submission has come to a new status: report, ledger entry, deliveries."""
        row = case.row
        case.status = status
        case.reports_made += 1
        report = Report(
            id=self._ids.next(), at_ms=at_ms, account=row.account, submission=row.submission,
            sender=row.sender, recipient=row.recipient, status=status, reason=reason, err=err,
            sequence=case.reports_made, report_bits=row.report_bits, note=row.note, parts=row.segment_count,
        )  # fmt: skip
        written.changed[row.submission] = (status.value, reason, case.reports_made, row.submission)
        written.reports.append(report_row(report))
        written.ledger.append(ledger_of_report(report, row.subaccount))
        held: list[Delivery] = []
        self._fan_out.bear(
            report, "report", report.account, self._directory().report_endpoints(report),
            written.deliveries, held,
        )  # fmt: skip
        return held

    def _early_receipts(
        self, transaction: Transaction, items: Iterable[Answered]
    ) -> dict[tuple[str, str], list[Any]]:
        """Parked receipts whose segment has just been recorded, by scope and any key of theirs."""
        wanted: dict[str, set[str]] = {}
        for a in items:
            if a.link_message_id:
                wanted.setdefault(a.scope, set()).update(key for key, _ in candidates(a.link_message_id))
        early: dict[tuple[str, str], list[Any]] = {}
        for scope, keys in wanted.items():
            for row in transaction.parked_receipts(scope, keys):
                early.setdefault((scope, row.id_key), []).append(row)
        return early

    def _apply_answers(
        self, transaction: Transaction, items: list[Answered], early: dict[tuple[str, str], list[Any]]
    ) -> list[Matched]:
        """Answers that say more than that one message was taken, and receipts that came before theirs."""
        rows = {row.id: row for row in transaction.submissions_by_id({a.submission for a in items})}
        cases = self._cases(transaction, [_WithId(row) for row in rows.values()])
        sent = []
        for a in items:
            case = cases.get(a.submission)
            if case is not None and case.status is Status.ACCEPTED and case.is_answered():
                case.status = Status.SENT
                sent.append((_SENT, "sent", a.link, a.at_ms, a.submission))
        transaction.mark_sent(sent)
        written = _Written()
        results = []
        for a in items:
            case = cases.get(a.submission)
            if case is None:
                results.append(_NOTHING)
                continue
            held = self._tell(case, a.reason, "", a.at_ms, written)
            spelling = None
            for parked in of_answer(a, case.row, early):
                written.unparked.append(parked.id)
                self.unparked += 1
                item = _unparked(parked)
                match = self._apply(item, case, a.segment, spelling_of(item, a), written)
                held += match.held
                spelling = match.spelling
            results.append(Matched(held=tuple(held), spelling=spelling))
        written.flush(transaction)
        return results


class _WithId:
    """A submissions row seen as one that joins a segment: its id is called ``submission``."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self.submission: int = row.id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _reason_of(case: _Case, folded: Status, latest: str) -> str:
    """The reason of the first segment, in order, that brought this status about."""
    for number in sorted(case.segments):
        status, reason = case.segments[number]
        if status is folded and reason:
            return reason
    return latest


def _unparked(row: Any) -> ArrivedReceipt:
    return ArrivedReceipt(
        scope=row.scope,
        link=row.link,
        at_ms=row.at_ms,
        receipt=parked_receipt_of(row),
    )
