"""Intake of MMS: what a phone sent, its content on disk already, becomes durable with its deliveries.

An MMS may be to several numbers: each account that owns one of them gets one message, and all share the
content. One that is to nobody of ours is kept as unrouted. A relay that heard no answer sends again; what it
repeats within a day is known by its transaction id and what it says, and written once.
"""

from collections.abc import Callable, Sequence

import msgspec

from homing.engine.directory import Directory
from homing.engine.fanout import FanOut
from homing.engine.ports import Journal, Transaction
from homing.engine.rows import Row, ledger_of_message, message_row
from homing.engine.submit import IDEMPOTENCY_MS
from homing.model.account import Number
from homing.model.clock import Ids, now_ms
from homing.model.delivery import Delivery
from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Content, Mms

UNROUTED = ""
"""In place of an account, where a row needs one."""


class ArrivedMms(msgspec.Struct, frozen=True, kw_only=True):
    """One MMS as a link read it: numbers normalised, its content kept."""

    sender: str
    recipients: tuple[str, ...]
    """Those it is delivered to here; at least one."""
    to: tuple[str, ...] = ()
    """All that it shows as recipients, and as recipients of copies."""
    cc: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    """What its text parts say."""
    content: Content
    network: str | None = None
    carrier_code: str | None = None
    transaction: str = ""
    """By which the relay names the request; empty = nothing tells a repetition."""

    @property
    def fingerprint(self) -> str:
        """What it says; the same again under one transaction is a repetition."""
        return "\0".join((self.sender, *self.recipients, self.subject, self.content.sha256))


class _Arrived(msgspec.Struct, frozen=True, kw_only=True):
    link: str
    at_ms: int
    mms: ArrivedMms


class MmsIntake:
    """Takes MMS from links; offers what is held in memory for pushing to ``offer``."""

    def __init__(
        self,
        *,
        journal: Journal,
        ids: Ids,
        directory: Callable[[], Directory],
        fan_out: FanOut,
        offer: Callable[[Sequence[Delivery]], None],
        retention_ms: int,
    ) -> None:
        """``retention_ms``: how long a content can be retrieved."""
        self._journal = journal
        self._ids = ids
        self._directory = directory
        self._fan_out = fan_out
        self._offer = offer
        self._retention_ms = retention_ms
        self.received = 0
        self.repeated = 0
        self.unrouted = 0

    def take(self, link: str, mms: ArrivedMms, done: Callable[[Exception | None], None]) -> None:
        """Make one durable, then ``done(None)``; ``done(error)`` when nothing of it was written."""

        def committed(results: list[list[Delivery] | None] | None, error: Exception | None) -> None:
            if results is None:
                done(error)
                return
            held = results[0]
            if held is None:
                self.repeated += 1
            else:
                self.received += 1
            try:
                done(None)
            finally:  # whatever a link makes of it, what is claimed is ours to push
                if held:
                    self._offer(held)

        arrived = _Arrived(link=link, at_ms=now_ms(), mms=mms)
        self._journal.write(self._write, [arrived], committed, last=True)

    def _write(self, transaction: Transaction, items: list[_Arrived]) -> list[list[Delivery] | None]:
        """In the journal: per MMS what is due at once; None = it is a repetition."""
        results: list[list[Delivery] | None] = []
        for item in items:
            is_new = not self._is_repeated(transaction, item)
            results.append(self._write_one(transaction, item) if is_new else None)
        return results

    def _is_repeated(self, transaction: Transaction, item: _Arrived) -> bool:
        mms = item.mms
        if not mms.transaction:
            return False
        face = f"mm7 {item.link}"
        row = transaction.recall(UNROUTED, face, mms.transaction, item.at_ms)
        if row is not None and row.fingerprint == mms.fingerprint:
            return True
        until_ms = item.at_ms + IDEMPOTENCY_MS
        transaction.remember(UNROUTED, face, mms.transaction, mms.fingerprint, b"", until_ms)
        return False

    def _write_one(self, transaction: Transaction, item: _Arrived) -> list[Delivery]:
        directory = self._directory()
        expires_at_ms = item.at_ms + self._retention_ms
        messages: list[ReceivedMessage] = []
        ledger: list[Row] = []
        deliveries: list[Row] = []
        held: list[Delivery] = []
        for recipient, owner in _owners(directory, item.mms):
            message = _message(self._ids.next(), item, recipient, owner, expires_at_ms)
            messages.append(message)
            if owner is None:
                self.unrouted += 1
                continue
            ledger.append(ledger_of_message(message, owner.account))
            endpoints = directory.mms_endpoints(owner.account, message)
            self._fan_out.bear(message, "message", owner.account, endpoints, deliveries, held)
        sha256 = item.mms.content.sha256
        transaction.insert_messages([message_row(message) for message in messages])
        transaction.insert_contents([(m.account or UNROUTED, sha256, m.id, expires_at_ms) for m in messages])
        transaction.insert_ledger(ledger)
        transaction.insert_deliveries(deliveries)
        return held


def _owners(directory: Directory, mms: ArrivedMms) -> list[tuple[str, Number | None]]:
    """Each account that owns a recipient, with the first one that it owns; else the first of all, unowned."""
    owners: dict[str, tuple[str, Number | None]] = {}
    for recipient in mms.recipients:
        owner = directory.owner(recipient, mms.text or mms.subject)
        if owner is not None:
            owners.setdefault(owner.account, (recipient, owner))
    return list(owners.values()) or [(mms.recipients[0], None)]


def _message(
    id_: int, item: _Arrived, recipient: str, owner: Number | None, expires_at_ms: int
) -> ReceivedMessage:
    a = item.mms
    mms = Mms(subject=a.subject, to=a.to, cc=a.cc, content=a.content, expires_at_ms=expires_at_ms)
    network, carrier_code = a.network, a.carrier_code
    if owner is not None:
        network, carrier_code = owner.network or network, owner.carrier_code or carrier_code
    return ReceivedMessage(
        id=id_, at_ms=item.at_ms, link=item.link, sender=a.sender, recipient=recipient,
        account=None if owner is None else owner.account, coding=Coding.TEXT, text=a.text, network=network,
        carrier_code=carrier_code, mms=mms,
    )  # fmt: skip
