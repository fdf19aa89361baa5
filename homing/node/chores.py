"""What a node does by the clock: ticks of the engine on the loop, chores in the journal, upkeep in a thread.

A chore that is still under way is not begun again. What fails is logged and done again at its next turn.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from homing.engine.correlate import Correlator
from homing.engine.ports import Journal, Transaction
from homing.engine.reassembly import Reassembly
from homing.model.clock import now_ms
from homing.model.delivery import Delivery

log = structlog.get_logger(__name__)

PAGE = 200
"""Rows that one chore handles in one transaction."""
GIVE_UP_PAGE = 1_000
"""The same for submissions without a receipt: a network that sends none must be kept up with."""
NO_RECEIPT_MS = 72 * 3_600_000
"""How long a receipt is waited for where no link says otherwise."""

Offer = Callable[[Sequence[Delivery]], None]


class Clockwork:
    """Calls things again and again until it is stopped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def every(self, wait_s: float, do: Callable[[], None]) -> None:
        """Call ``do`` now and then ``wait_s`` after each call has come back."""
        key = len(self._timers)

        def turn() -> None:
            try:
                do()
            except Exception:
                log.exception("chore_failed", chore=getattr(do, "__qualname__", "?"))
            self._timers[key] = self._loop.call_later(wait_s, turn)

        self._timers[key] = self._loop.call_soon(turn)  # type: ignore[assignment]

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()


class Chore:
    """One handler that is run in the journal, never twice at once."""

    def __init__(
        self,
        journal: Journal,
        handler: Callable[[Transaction, Any], Any],
        done: Callable[[Any], None],
        given: Callable[[], Any] = lambda: None,
    ) -> None:
        """``given`` is asked on the loop each time; ``done`` gets the result on the loop after the commit."""
        self._journal = journal
        self._handler = handler
        self._done = done
        self._given = given
        self._is_under_way = False

    def __call__(self) -> None:
        if not self._is_under_way:
            self._is_under_way = True
            self._journal.write(self._run, [self._given()], self._committed, last=True)

    def _run(self, transaction: Transaction, items: list[Any]) -> list[Any]:
        return [self._handler(transaction, given) for given in items]

    def _committed(self, results: list[Any] | None, error: Exception | None) -> None:
        self._is_under_way = False
        if results is None:
            log.warning("chore_not_done", chore=self._handler.__qualname__, error=str(error))
        else:
            self._done(results[0])


class Sweeps:
    """What did not come in its time: submissions of receipts, receipts of submissions, parts of messages."""

    def __init__(
        self, correlator: Correlator, reassembly: Reassembly, no_receipt_ms: dict[str, int], keep_ms: int
    ) -> None:
        """``no_receipt_ms``: by link, how long a submission may hear nothing; ``keep_ms`` of parked ones."""
        self._correlator = correlator
        self._reassembly = reassembly
        self._no_receipt_ms = no_receipt_ms
        self._keep_ms = keep_ms
        self._cursor = 0
        self.expired = 0

    def sweep_parked(self, transaction: Transaction, _given: None) -> list[Delivery]:
        """Try a page of parked receipts once more, and drop what has been kept long enough."""
        is_first = self._cursor == 0
        rows = transaction.all_parked_receipts(self._cursor, PAGE)
        self._cursor = rows[-1].id if len(rows) == PAGE else 0
        matched = self._correlator.sweep_parked(transaction, rows, are_all=is_first and not self._cursor)
        self.expired += transaction.expire_parked_receipts(now_ms() - self._keep_ms)
        return [delivery for each in matched for delivery in each.held]

    def give_up(self, transaction: Transaction, _given: None) -> list[Delivery]:
        """End as UNKNOWN what no receipt came for."""
        at_ms = now_ms()
        held: list[Delivery] = []
        longest_ms = max(self._no_receipt_ms.values(), default=NO_RECEIPT_MS)
        for link in transaction.links_awaiting_receipts():
            wait_ms = self._no_receipt_ms.get(link, longest_ms)  # it may be configured no more
            rows = transaction.overdue_submissions(link, at_ms - wait_ms, GIVE_UP_PAGE)
            for matched in self._correlator.give_up(transaction, rows, at_ms) if rows else ():
                held += matched.held
        return held

    def hand_over_parts(self, transaction: Transaction, _given: None) -> list[Delivery]:
        """Hand over what there is of long messages whose time is up."""
        return self._reassembly.hand_over_due(transaction, now_ms())
