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

from homing.engine.case import STATUS, Case, WithId, Written, reason_of
from homing.engine.directory import Directory
from homing.engine.fanout import FanOut
from homing.engine.matching import Matching, key_of, keys_of, of_answer, spelling_of
from homing.engine.ports import Transaction
from homing.engine.rows import (
    ledger_of_report,
    parked_receipt_of,
    parked_row,
    receipt_row,
    report_row,
)
from homing.model.clock import Ids
from homing.model.delivery import Delivery
from homing.model.report import (
    READ_REASONS,
    READ_REPORT_BIT,
    Receipt,
    Report,
    Status,
    may_follow,
)
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
_SENT = Status.SENT.value


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
        written = Written(transaction)
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
        written.flush()
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
        written = Written(transaction)
        results = []
        for row, item, match in zip(rows, items, found, strict=True):
            if match is None:
                results.append(_NOTHING)
                continue
            written.unparked.append(row.id)
            self.unparked += 1
            segment, spelling = match
            results.append(self._apply(item, cases[segment.submission], segment.number, spelling, written))
        written.flush()
        return results

    def give_up(self, transaction: Transaction, rows: Sequence[Any], at_ms: int) -> list[Matched]:
        """End as UNKNOWN the submissions that no receipt came for."""
        cases = self._cases(transaction, [WithId(row) for row in rows])
        written = Written(transaction)
        results = []
        for row in rows:
            held = self._report(cases[row.id], Status.UNKNOWN, "no_receipt", "", at_ms, written)
            results.append(Matched(held=tuple(held)))
        written.flush()
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
    def _cases(transaction: Transaction, rows: Iterable[Any]) -> dict[int, Case]:
        rows = list(rows)
        several = {row.submission for row in rows if row.segment_count > 1 or isinstance(row, WithId)}
        statuses: dict[int, dict[int, tuple[Status, str]]] = {}
        for segment in transaction.segments_of(several) if several else ():
            of_submission = statuses.setdefault(segment.submission, {})
            of_submission[segment.number] = (STATUS[segment.status], segment.reason)
        cases: dict[int, Case] = {}
        for row in rows:
            if row.submission not in cases:
                segments = statuses.get(row.submission, {})
                if row.submission not in several:
                    segments = {row.number: (STATUS[row.segment_status], "")}
                cases[row.submission] = Case(row, segments)
        return cases

    def _apply(
        self, item: ArrivedReceipt, case: Case, number: int, spelling: Spelling, written: Written
    ) -> Matched:
        """One receipt: kept raw always; moves its segment, and perhaps the submission, forward."""
        receipt = item.receipt
        self.matched += 1
        counts = self._spellings.get(item.link)
        if counts is None:  # whole at once: the loop reads it while the journal's thread counts
            counts = self._spellings[item.link] = dict.fromkeys(Spelling, 0)
        counts[spelling] += 1
        is_read_report = receipt.reason in READ_REASONS and bool(case.row.is_mms)
        is_known = is_read_report and self._is_known_read(case, receipt, written)
        written.receipts.append(
            receipt_row(
                self._ids.next(), case.row.submission, number, item.link, item.at_ms, spelling.value, receipt
            )
        )
        if spelling is not Spelling.same:
            self._matching.remember(receipt, case.row.submission, number)
        if is_read_report:
            held = [] if is_known else self._tell_read(case, receipt, item.at_ms, written)
            return Matched(held=tuple(held), spelling=spelling)
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

    def _tell(self, case: Case, latest: str, err: str, at_ms: int, written: Written) -> list[Delivery]:
        """Report what the segments have come to, when that is a step."""
        status = case.step()
        if status is None:
            return []
        return self._report(case, status, reason_of(case, status, latest), err, at_ms, written)

    @staticmethod
    def _is_known_read(case: Case, receipt: Receipt, written: Written) -> bool:
        """Whether this read report has come before."""
        return receipt.reason in case.reads or written.transaction.has_receipt(
            case.row.submission, receipt.reason
        )

    def _tell_read(self, case: Case, receipt: Receipt, at_ms: int, written: Written) -> list[Delivery]:
        """A read report is told beside the status: it moves nothing, and comes before or after delivery."""
        case.reads.add(receipt.reason)
        if not case.row.report_bits & READ_REPORT_BIT:
            return []
        case.reports_made += 1
        row = case.row
        written.changed[row.submission] = (
            case.status.value, case.reason, case.reports_made, row.submission,
        )  # fmt: skip
        return self._make_report(case, receipt.status, receipt.reason, receipt.err, at_ms, written)

    def _report(
        self, case: Case, status: Status, reason: str, err: str, at_ms: int, written: Written
    ) -> list[Delivery]:  # fmt: skip
        """The submission has come to a new status: report, ledger entry, deliveries."""
        case.status = status
        case.reason = reason
        case.reports_made += 1
        submission = case.row.submission
        written.changed[submission] = (status.value, reason, case.reports_made, submission)
        return self._make_report(case, status, reason, err, at_ms, written)

    def _make_report(
        self, case: Case, status: Status, reason: str, err: str, at_ms: int, written: Written
    ) -> list[Delivery]:  # fmt: skip
        row = case.row
        report = Report(
            id=self._ids.next(), at_ms=at_ms, account=row.account, submission=row.submission,
            sender=row.sender, recipient=row.recipient, status=status, reason=reason, err=err,
            sequence=case.reports_made, report_bits=row.report_bits, note=row.note, parts=row.segment_count,
            is_mms=bool(row.is_mms),
        )  # fmt: skip
        written.reports.append(report_row(report))
        written.ledger.append(ledger_of_report(report, row.subaccount))
        held: list[Delivery] = []
        self._fan_out.bear(
            report, "mms-report" if report.is_mms else "report", report.account,
            self._directory().report_endpoints(report), written.deliveries, held,
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
        cases = self._cases(transaction, [WithId(row) for row in rows.values()])
        sent = []
        for a in items:
            case = cases.get(a.submission)
            if case is not None and case.status is Status.ACCEPTED and case.is_answered():
                case.status, case.reason = Status.SENT, "sent"
                sent.append((_SENT, "sent", a.link, a.at_ms, a.submission))
        transaction.mark_sent(sent)
        written = Written(transaction)
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
        written.flush()
        return results


def _unparked(row: Any) -> ArrivedReceipt:
    return ArrivedReceipt(
        scope=row.scope,
        link=row.link,
        at_ms=row.at_ms,
        receipt=parked_receipt_of(row),
    )
