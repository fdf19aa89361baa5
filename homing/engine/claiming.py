"""Claiming: what is due at endpoints, read from the store with its events, in this node's name.

Handlers of the journal. A claim is a lease: until it ends, nobody else makes the attempt. It spends none.
"""

from collections.abc import Sequence
from typing import Any

from homing.engine.fanout import Claim
from homing.engine.ports import Transaction
from homing.engine.rows import message_of, report_of
from homing.model.clock import now_ms
from homing.model.delivery import Delivery, Event

Claimed = tuple[list[Delivery], bool]
"""Deliveries of one endpoint, the longest due first, and whether more may be due there."""


class Claiming:
    """Claims in the name of one node."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def claim_due(self, transaction: Transaction, items: list[tuple[int, int]]) -> list[Claimed]:
        """Per (endpoint, limit): claim what is due and read the events."""
        now = now_ms()
        until = now + self._claim.lease_ms
        found = [
            (endpoint, limit, transaction.due_deliveries(endpoint, now, limit)) for endpoint, limit in items
        ]
        transaction.move_claims(
            [
                (until, self._claim.node, self._claim.life, row.event, endpoint, row.attempt)
                for endpoint, _limit, rows in found
                for row in rows
            ]
        )
        events = _read_events(transaction, [row for _endpoint, _limit, rows in found for row in rows])
        return [
            (
                [
                    Delivery(
                        endpoint=endpoint,
                        event=events[row.event],
                        attempt=row.attempt,
                        first_attempt=row.first_attempt,
                        lease_until_ms=until,
                    )
                    for row in rows
                    if row.event in events
                ],
                len(rows) == limit,
            )
            for endpoint, limit, rows in found
        ]


def find_due(transaction: Transaction, items: list[int]) -> list[Sequence[int]]:
    """Per moment: the endpoints at which something is due."""
    return [transaction.endpoints_with_due(at_ms) for at_ms in items]


def _read_events(transaction: Transaction, rows: Sequence[Any]) -> dict[int, Event]:
    messages = [row.event for row in rows if row.kind == "message"]
    reports = [row.event for row in rows if row.kind in ("report", "mms-report")]
    events: dict[int, Event] = {row.id: message_of(row) for row in transaction.messages_by_id(messages)}
    events.update({row.id: report_of(row) for row in transaction.reports_by_id(reports)})
    return events
