"""Fan-out: one delivery per endpoint, held where there is room and left to the store where there is none."""

from typing import Any

from homing.engine.fanout import Claim, FanOut, due_at_birth
from homing.model.account import Endpoint
from homing.model.clock import Ids, made_at_ms, now_ms
from homing.model.delivery import Delivery
from homing.model.message import Coding, ReceivedMessage
from homing.store import tables as t
from tests.engine.far import an_endpoint

IDS = Ids(3)
MESSAGE = ReceivedMessage(
    id=IDS.next(),
    at_ms=1,
    link="sim",
    sender="1",
    recipient="2",
    account="acme",
    coding=Coding.TEXT,
    text="a",
)


class RoomForOdd:
    def has_room(self, endpoint: Endpoint) -> bool:
        return endpoint.id % 2 == 1


def test_a_delivery_is_born_claimed_or_free_and_due() -> None:
    rows: list[tuple[Any, ...]] = []
    held: list[Delivery] = []
    fan_out = FanOut(Claim(node=3, life=9, lease_ms=75_000), RoomForOdd())
    before = now_ms()
    fan_out.bear(MESSAGE, "message", "acme", [an_endpoint(id=n) for n in (1, 2, 3)], rows, held)
    names = [column.name for column in t.deliveries.columns]
    made = [dict(zip(names, row, strict=True)) for row in rows]
    assert [(d["endpoint"], d["claim_node"], d["claim_life"]) for d in made] == [
        (1, 3, 9), (2, None, None), (3, 3, 9),
    ]  # fmt: skip
    assert made[1]["next_attempt_at_ms"] == made_at_ms(MESSAGE.id), "in its turn among those that wait"
    assert {(d["event"], d["kind"], d["account"], d["state"], d["attempt"]) for d in made} == {
        (MESSAGE.id, "message", "acme", 0, 1)
    }
    assert [(d.endpoint, d.event, d.attempt) for d in held] == [(1, MESSAGE, 1), (3, MESSAGE, 1)]
    for delivery, row in zip(held, (made[0], made[2]), strict=True):
        assert delivery.lease_until_ms == row["next_attempt_at_ms"]
        assert before <= delivery.lease_until_ms - 75_000 <= now_ms()
    fan_out.bear(MESSAGE, "message", "acme", [], rows, held)
    assert (len(rows), len(held)) == (3, 2)


def test_what_is_due_does_not_wait_for_a_clock_that_stepped_back() -> None:
    id_ = IDS.next()
    assert due_at_birth(id_, made_at_ms(id_) + 5) == made_at_ms(id_)
    assert due_at_birth(id_, made_at_ms(id_) - 3_600_000) == made_at_ms(id_) - 3_600_000
