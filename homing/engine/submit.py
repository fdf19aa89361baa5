"""Submission: the one door through which every face and command sends.

``compose`` checks what a customer asked for and makes the submission, or refuses with a reason that may
be shown to him. ``Submit`` makes a batch durable before its ids are answered: charged, entered into the
ledger, remembered under its idempotency key, all in the transaction that it shares with others.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from homing.engine.directory import normalise_number
from homing.engine.fanout import Claim
from homing.engine.ports import Journal, Transaction
from homing.engine.prices import DECIMALS, Prices
from homing.engine.rows import ledger_of_submission, submission_row
from homing.model.account import Account
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.message import Coding, Segment, Submission
from homing.model.mms import Mms
from homing.model.report import READ_REPORT_BIT

NOTE_LENGTH = 160
SUBACCOUNT_LENGTH = 10
"""Characters kept; the excess is cut off, not refused (mx §2.2)."""

ALL_REPORTS = 7
MMS_SEGMENTS = (Segment(coding=Coding.TEXT),)
"""An MMS is one network message, whatever is in it."""
QUICK = 500
"""A batch of more submissions takes its time to write, and nobody is to wait behind it."""
_RECIPIENT_DIGITS = range(3, 21)
_NUMERIC_SENDER_DIGITS = 16
_ALPHANUMERIC_SENDER_LENGTH = 11


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer asks for, as a face understood it; text already made into segments."""

    recipient: str
    segments: tuple[Segment, ...]
    sender: str = ""
    report_bits: int = 0
    validity_s: int | None = None
    flash: bool = False
    note: str | None = None
    subaccount: str | None = None
    single_shot: bool = False
    not_before_ms: int = 0
    mms: Mms | None = None
    """Of an MMS: its content, kept already. The segments are ``MMS_SEGMENTS`` then."""


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """A key under which a request counts once within 24 h."""

    face: str
    key: str
    fingerprint: str
    """Of the request: the same key with another fingerprint is a conflict. Empty = any is the same."""
    renews: bool = False
    """Whether each reuse starts the 24 h again."""


IDEMPOTENCY_MS = 24 * 3_600_000


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Submissions of one request, and the answer that they get once they are durable."""

    account: Account
    metered: bool
    submissions: tuple[Submission, ...]
    answer: bytes = b""
    idempotency: Idempotency | None = None
    otherwise: Refusal | None = None
    """What is wrong with the request; it is refused unless it repeats one that was not."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Durable: ``answer`` may go out."""

    answer: bytes
    submissions: tuple[Submission, ...]
    """Empty when the request was a repetition: nothing was sent, the first answer counts."""


def compose(id_: int, account: str, wish: Wish) -> Submission:
    """Check a wish and make the submission. Raises :class:`Refusal` naming what is wrong."""
    recipient = normalise_number(wish.recipient)
    if not (recipient.isascii() and recipient.isdigit()) or len(recipient) not in _RECIPIENT_DIGITS:
        raise Refusal("invalid", f"recipient is not a number in international form: {wish.recipient[:32]!r}")
    if not wish.segments:
        raise Refusal("invalid", "the message has no content")
    if wish.validity_s is not None and wish.validity_s <= 0:
        raise Refusal("invalid", f"validity is not a positive number of seconds: {wish.validity_s}")
    return Submission(
        id=id_,
        account=account,
        sender=_sender(wish.sender),
        recipient=recipient,
        segments=wish.segments,
        report_bits=wish.report_bits & (ALL_REPORTS if wish.mms is None else ALL_REPORTS | READ_REPORT_BIT),
        validity_s=wish.validity_s,
        flash=wish.flash,
        note=wish.note[:NOTE_LENGTH] if wish.note else None,
        subaccount=wish.subaccount[:SUBACCOUNT_LENGTH] if wish.subaccount else None,
        single_shot=wish.single_shot,
        not_before_ms=wish.not_before_ms,
        mms=wish.mms,
    )


def _sender(sender: str) -> str:
    """The originator as the network gets it; empty = the link's own."""
    number = normalise_number(sender)
    if number.isascii() and number.isdigit():
        if len(number) > _NUMERIC_SENDER_DIGITS:
            raise Refusal("invalid", f"originator has more than {_NUMERIC_SENDER_DIGITS} digits")
        return number
    if len(number) > _ALPHANUMERIC_SENDER_LENGTH:
        raise Refusal(
            "invalid", f"alphanumeric originator has more than {_ALPHANUMERIC_SENDER_LENGTH} characters"
        )
    if not (number.isascii() and number.isprintable()):
        raise Refusal("invalid", "originator has characters that no network takes")
    return number


class Submit:
    """Makes batches durable. ``offer`` takes what this node holds in memory for sending."""

    def __init__(
        self,
        *,
        journal: Journal,
        claim: Claim,
        has_room: Callable[[Submission], bool],
        offer: Callable[[Sequence[Submission], int], None],
        prices: Prices | None = None,
    ) -> None:
        """``prices`` of metered accounts; None = a credit for each segment."""
        self._journal = journal
        self._claim = claim
        self._has_room = has_room
        self._offer = offer
        self._prices = prices or Prices()
        self.accepted = 0
        self.refused = 0

    def accept(self, batch: Batch, done: Callable[[Accepted | Exception], None]) -> None:
        """Write a batch; ``done`` gets :class:`Accepted`, a :class:`Refusal`, or the store's error."""
        held = all(map(self._has_room, batch.submissions))
        until = now_ms() + self._claim.lease_ms

        def committed(results: list[Accepted | Refusal] | None, error: Exception | None) -> None:
            outcome = results[0] if results is not None else error
            assert outcome is not None
            if isinstance(outcome, Accepted):
                self.accepted += len(outcome.submissions)
            else:
                self.refused += 1
            try:
                done(outcome)
            finally:
                if held and isinstance(outcome, Accepted) and outcome.submissions:
                    self._offer(outcome.submissions, until)

        claim = (self._claim.node, self._claim.life, until) if held else UNCLAIMED
        is_large = len(batch.submissions) > QUICK
        self._journal.write(self._record, [(batch, claim)], committed, last=is_large)

    def _record(self, transaction: Transaction, items: list[Any]) -> list[Accepted | Refusal]:
        """In the journal."""
        return record_submissions(transaction, items, self._prices)


UNCLAIMED: tuple[None, None, int] = (None, None, 0)


def _cost(prices: Prices, submission: Submission) -> float:
    if submission.mms is not None:
        return round(prices.mms, DECIMALS)
    return round(len(submission.segments) * prices.of(submission.recipient), DECIMALS)


def record_submissions(
    transaction: Transaction, items: list[tuple[Batch, tuple[int | None, int | None, int]]], prices: Prices
) -> list[Accepted | Refusal]:
    """In the journal: each batch is repeated, refused for want of credit, or written."""
    rows, ledger, contents = [], [], []
    results: list[Accepted | Refusal] = []
    for batch, claim in items:
        known = _earlier(transaction, batch)
        if known is not None:
            results.append(known)
            continue
        if batch.otherwise is not None:
            results.append(batch.otherwise)
            continue
        costs = [_cost(prices, s) for s in batch.submissions] if batch.metered else None
        credits = round(sum(costs), DECIMALS) if costs else 0.0
        if credits and not transaction.charge(batch.account.name, credits):
            results.append(Refusal("no_credit", "not enough credit"))
            continue
        for number, submission in enumerate(batch.submissions):
            rows.append(submission_row(submission, claim))
            ledger.append(ledger_of_submission(submission, None if costs is None else -costs[number]))
            if submission.mms is not None:
                mms = submission.mms
                contents.append((submission.account, mms.content.sha256, submission.id, mms.expires_at_ms))
        if batch.idempotency is not None:
            _remember(transaction, batch, batch.idempotency, batch.answer)
        results.append(Accepted(answer=batch.answer, submissions=batch.submissions))
    transaction.insert_submissions(rows)
    transaction.insert_ledger(ledger)
    transaction.insert_contents(contents)
    return results


def _earlier(transaction: Transaction, batch: Batch) -> Accepted | Refusal | None:
    """What was answered the first time to a request with this idempotency key."""
    i = batch.idempotency
    if i is None:
        return None
    row = transaction.recall(batch.account.name, i.face, i.key, now_ms())
    if row is None:
        return None
    if row.fingerprint != i.fingerprint:
        return Refusal("conflict", "this idempotency key was used for another request within 24 h")
    if i.renews:
        _remember(transaction, batch, i, bytes(row.answer))
    return Accepted(answer=bytes(row.answer), submissions=())


def _remember(transaction: Transaction, batch: Batch, i: Idempotency, answer: bytes) -> None:
    until = now_ms() + IDEMPOTENCY_MS
    transaction.remember(batch.account.name, i.face, i.key, i.fingerprint, answer, until)
