"""Fan-out: one delivery per endpoint, held where there is room and left to the store where there is none."""

from typing import Any

import msgspec

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
    def room_for(self, endpoint: Endpoint, count: int) -> int:
        return min(count, 2) if endpoint.id % 2 == 1 else 0


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


def test_of_a_batch_the_first_are_held_as_far_as_there_is_room() -> None:
    rows: list[tuple[Any, ...]] = []
    held: list[Delivery] = []
    fan_out = FanOut(Claim(node=3, life=9, lease_ms=75_000), RoomForOdd())
    events = [msgspec.structs.replace(MESSAGE, id=IDS.next()) for _ in range(3)]
    fan_out.bear_all(events, "message", "acme", [an_endpoint(id=n) for n in (1, 2)], rows, held)
    names = [column.name for column in t.deliveries.columns]
    made = [dict(zip(names, row, strict=True)) for row in rows]
    assert [(d["event"], d["endpoint"], d["claim_node"]) for d in made] == [
        (event.id, endpoint, 3 if (endpoint, at) in {(1, 0), (1, 1)} else None)
        for endpoint in (1, 2)
        for at, event in enumerate(events)
    ]
    assert [(d.endpoint, d.event) for d in held] == [(1, events[0]), (1, events[1])]
    assert made[2]["next_attempt_at_ms"] == made_at_ms(events[2].id)
