"""Intake: what phones sent and what networks report, from any link, becomes durable with its deliveries.

One call takes the *batch* that one read of a socket gave, and ``done`` is called after the commit (or
with the error, and then nothing was written): only then may the link answer the network. Whole messages
take the short way, decided on the loop and written as they are; parts of long ones go through
``engine/reassembly.py``, receipts through ``engine/correlate.py``, inside the same transaction.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from homing.engine.correlate import ArrivedReceipt, Correlator, Matched
from homing.engine.directory import Directory
from homing.engine.fanout import FanOut
from homing.engine.ports import Journal, Transaction
from homing.engine.reassembly import Part, Reassembly
from homing.engine.rows import Row, ledger_of_message, message_row
from homing.model.clock import Ids, now_ms
from homing.model.delivery import Delivery
from homing.model.message import Coding, ReceivedMessage
from homing.wire.gsm import Concatenation

OFFERED_AT_ONCE = 24
"""Deliveries of one commit that begin in one turn of the loop."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One received SMS as a link read it: numbers normalised, text decoded."""

    sender: str
    recipient: str
    coding: Coding
    text: str
    data: bytes = b""
    udh: bytes = b""
    concatenation: Concatenation | None = None
    """Which part it is, of the header (TS 23.040 §9.2.3.24.1) or of SAR TLVs, whose reference has 16 bits."""
    network: str | None = None
    carrier_code: str | None = None


class _Batch(msgspec.Struct):
    messages: list[Row]
    deliveries: list[Row]
    ledger: list[Row]
    held: list[Delivery]
    parts: list[Part]


class Intake:
    """Takes batches from links; offers what is held in memory for pushing to ``offer``."""

    def __init__(
        self,
        *,
        journal: Journal,
        ids: Ids,
        directory: Callable[[], Directory],
        fan_out: FanOut,
        reassembly: Reassembly,
        correlator: Correlator,
        offer: Callable[[Sequence[Delivery]], None],
        call_soon: Callable[..., object],
    ) -> None:
        self._journal = journal
        self._ids = ids
        self._directory = directory
        self._fan_out = fan_out
        self._reassembly = reassembly
        self._correlator = correlator
        self._offer = offer
        self._call_soon = call_soon
        self._parked: Counter[str] = Counter()
        """By link, receipts that were not matched when they came."""
        self.received = 0
        self.unrouted = 0

    def take(self, link: str, arrivals: Sequence[Arrival], done: Callable[[Exception | None], None]) -> None:
        """Make a batch durable, then ``done(None)``; ``done(error)`` when nothing of it was written."""
        at_ms = now_ms()
        directory = self._directory()
        batch = _Batch(messages=[], deliveries=[], ledger=[], held=[], parts=[])
        of_account: dict[str, list[ReceivedMessage]] = {}
        for id_, a in zip(self._ids.take(len(arrivals)), arrivals, strict=True):
            if a.concatenation is not None:
                batch.parts.append(Part(at_ms=at_ms, link=link, arrival=a))
                continue
            owner = directory.owner(a.recipient, a.text)
            message = ReceivedMessage(
                id=id_, at_ms=at_ms, link=link, sender=a.sender, recipient=a.recipient,
                account=None if owner is None else owner.account, coding=a.coding, text=a.text, data=a.data,
                udh=a.udh, network=a.network if owner is None else owner.network or a.network,
                carrier_code=a.carrier_code if owner is None else owner.carrier_code or a.carrier_code,
            )  # fmt: skip
            batch.messages.append(message_row(message))
            if owner is None:
                self.unrouted += 1
            else:
                batch.ledger.append(ledger_of_message(message, owner.account))
                of_account.setdefault(owner.account, []).append(message)
        for account, messages in of_account.items():
            endpoints = directory.message_endpoints(account, None)
            self._fan_out.bear_all(messages, "message", account, endpoints, batch.deliveries, batch.held)

        def committed(results: list[list[Delivery]] | None, error: Exception | None) -> None:
            if results is not None:
                self.received += len(arrivals)
            try:
                done(error)
            finally:  # whatever a link makes of it, what is claimed is ours to push
                if results is not None:
                    self._offer_soon(batch.held + results[0])

        self._journal.write(self._write, [batch], committed)

    def take_receipts(
        self, link: str, receipts: Sequence[ArrivedReceipt], done: Callable[[Exception | None], None]
    ) -> None:
        """Match a batch of receipts and make it durable; ``done`` as for messages."""

        def committed(results: list[Matched] | None, error: Exception | None) -> None:
            if results is None:
                done(error)
                return
            try:
                done(None)
            finally:
                self._offer_soon([delivery for matched in results for delivery in matched.held])
            self._parked[link] += sum(matched.parked for matched in results)

        self._journal.write(self._correlator.record_receipts, receipts, committed)

    def _offer_soon(self, held: Sequence[Delivery]) -> None:
        """Push when the networks have their answers: the next messages are on their way meanwhile."""
        if held:
            self._call_soon(self._offer_some, held)

    def _offer_some(self, held: Sequence[Delivery]) -> None:
        """A few at a time: to begin a push costs more than to take a message, and others want the loop."""
        self._offer(held[:OFFERED_AT_ONCE])
        self._offer_soon(held[OFFERED_AT_ONCE:])

    def learned(self, link: str) -> dict[str, Any]:
        """How receipts of a link were matched: the usual spelling of their ids, and how many had to wait."""
        usual = self._correlator.usual_spelling(link)
        return {
            "id_spelling": None if usual is None else usual.value,
            "unmatched_receipts": self._parked[link],
        }

    def _write(self, transaction: Transaction, batches: list[_Batch]) -> list[list[Delivery]]:
        """In the journal: write every batch; returns per batch what its parts made due."""
        if len(batches) == 1:
            whole = batches[0]
        else:
            whole = _Batch(messages=[], deliveries=[], ledger=[], held=[], parts=[])
            for batch in batches:
                whole.messages += batch.messages
                whole.deliveries += batch.deliveries
                whole.ledger += batch.ledger
        transaction.insert_messages(whole.messages)
        transaction.insert_deliveries(whole.deliveries)
        transaction.insert_ledger(whole.ledger)
        return [self._reassembly.join(transaction, b.parts) if b.parts else [] for b in batches]
