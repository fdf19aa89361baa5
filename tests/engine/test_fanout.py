"""Fan-out: one delivery per endpoint, held where there is room and left to the store where there is none."""

from typing import Any

from homing.engine.fanout import Claim, FanOut
from homing.model.account import Endpoint
from homing.model.delivery import Delivery
from homing.model.message import Coding, ReceivedMessage
from homing.store import tables as t
from tests.engine.far import an_endpoint

NOW = 1_800_000_000_000
MESSAGE = ReceivedMessage(
    id=5, at_ms=NOW, link="sim", sender="1", recipient="2", account="acme", coding=Coding.TEXT, text="a"
)


class RoomForOdd:
    def has_room(self, endpoint: Endpoint) -> bool:
        return endpoint.id % 2 == 1


def test_a_delivery_is_born_claimed_or_free_and_due() -> None:
    rows: list[tuple[Any, ...]] = []
    held: list[Delivery] = []
    fan_out = FanOut(Claim(node=3, life=9, lease_ms=75_000), RoomForOdd())
    fan_out.bear(MESSAGE, "message", "acme", [an_endpoint(id=n) for n in (1, 2, 3)], NOW, rows, held)
    names = [column.name for column in t.deliveries.columns]
    made = [dict(zip(names, row, strict=True)) for row in rows]
    assert [(d["endpoint"], d["next_attempt_at_ms"], d["claim_node"], d["claim_life"]) for d in made] == [
        (1, NOW + 75_000, 3, 9), (2, NOW, None, None), (3, NOW + 75_000, 3, 9),
    ]  # fmt: skip
    assert {(d["event"], d["kind"], d["account"], d["state"], d["attempt"]) for d in made} == {
        (5, "message", "acme", 0, 1)
    }
    assert [(d.endpoint, d.event, d.attempt, d.lease_until_ms) for d in held] == [
        (n, MESSAGE, 1, NOW + 75_000) for n in (1, 3)
    ]
    fan_out.bear(MESSAGE, "message", "acme", [], NOW, rows, held)
    assert (len(rows), len(held)) == (3, 2)
