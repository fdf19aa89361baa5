"""Fan-out: the deliveries that one event is due in, one per endpoint that wants it.

A delivery is *born claimed*: its row says attempt 1 and a lease of this node, and it is already in the
node's memory, so that the first attempt needs neither a second read nor a second write. Where there is no
room in memory (a dead or slow endpoint, a full node) it is born free and due, and waits in the store.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from homing.engine.ports import Room
from homing.model.account import Endpoint
from homing.model.clock import made_at_ms, now_ms
from homing.model.delivery import Delivery, DeliveryState, Event

Rows = list[tuple[Any, ...]]
_PENDING = int(DeliveryState.PENDING)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """In whose name this node holds work: node id, incarnation, and for how long at a time."""

    node: int
    life: int
    """Milliseconds since the epoch at which this node started: no two lives are the same."""
    lease_ms: int


class FanOut:
    """Makes deliveries, on the loop and in the journal's thread; a stale answer about room is fine."""

    def __init__(self, claim: Claim, room: Room) -> None:
        self._claim = claim
        self._room = room

    def bear(
        self, event: Event, kind: str, account: str, endpoints: Iterable[Endpoint],
        rows: Rows, held: list[Delivery],
    ) -> None:  # fmt: skip
        """Append a row per endpoint to ``rows``, and to ``held`` what this node will push at once."""
        self.bear_all((event,), kind, account, endpoints, rows, held)

    def bear_all(
        self, events: Sequence[Event], kind: str, account: str, endpoints: Iterable[Endpoint],
        rows: Rows, held: list[Delivery],
    ) -> None:  # fmt: skip
        """The same for several events of one account that are due at the same endpoints, in their order.

        ``held`` gets them endpoint by endpoint.
        """
        claim, now = self._claim, now_ms()
        node, life, until = claim.node, claim.life, now + claim.lease_ms
        for endpoint in endpoints:
            id_ = endpoint.id
            room = self._room.room_for(endpoint, len(events))
            for event in events[:room]:
                held.append(
                    Delivery(endpoint=id_, event=event, attempt=1, first_attempt=1, lease_until_ms=until)
                )
                rows.append(
                    (
                        event.id, id_, kind, account, _PENDING, 1, 1, until, node, life,
                        None, None, None, None, None,
                    )
                )  # fmt: skip
            for event in events[room:]:
                rows.append(
                    (
                        event.id, id_, kind, account, _PENDING, 1, 1, due_at_birth(event.id, now), None, None,
                        None, None, None, None, None,
                    )
                )  # fmt: skip


def due_at_birth(event: int, now_ms: int) -> int:
    """When an event is due that nobody holds: in the store they come in the order of their birth.

    Ids do not go back with the wall clock, but what is due must not wait for it to catch up.
    """
    return min(made_at_ms(event), now_ms)
