"""Long received messages: parts in any order, repeated, mixed up, late, and on numbers with keywords."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.engine.intake import Arrival
from homing.model.account import Number
from homing.model.clock import now_ms
from homing.model.message import Coding
from homing.store import tables as t
from homing.wire.gsm import Concatenation
from tests.engine.far import World, a_store, an_endpoint

Scenario = Callable[[World], Awaitable[None]]
JOINED = an_endpoint(events=("message",), parts="joined")
SEPARATE = an_endpoint(events=("message",), parts="separate")


def part(
    text: str, number: int, total: int, reference: int = 7, width: int = 8, **values: Any
) -> Arrival:  # fmt: skip
    made: dict[str, Any] = {
        "sender": "447700900001", "recipient": "60999", "coding": Coding.TEXT, "text": text,
        "concatenation": Concatenation(reference, total, number, width),
    }  # fmt: skip
    return Arrival(**(made | values))


def run(path: Path, scenario: Scenario, numbers: Iterable[Number] = (), **limits: Any) -> None:
    async def go() -> None:
        database = a_store(path, JOINED, SEPARATE, numbers=numbers)
        world = World(database, **limits)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


async def take(world: World, *arrivals: Arrival) -> None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    world.intake.take("sim", arrivals, told.set_result)
    assert await told is None


async def hand_over(world: World, at_ms: int | None = None) -> None:
    await world.write(
        lambda tr: world.reassembly.hand_over_due(tr, now_ms() + 61_000 if at_ms is None else at_ms)
    )


def joined(world: World) -> list[tuple[str, int, int]]:
    """Text, parts and expected parts of what the customer who wants whole messages is to get."""
    messages = {row.id: row for row in world.rows(t.messages)}
    found = [messages[row.event] for row in world.rows(t.deliveries) if row.endpoint == 1]
    return [(row.text, row.parts, row.expected_parts) for row in found]


def separate(world: World) -> list[str]:
    messages = {row.id: row for row in world.rows(t.messages)}
    return [messages[row.event].text for row in world.rows(t.deliveries) if row.endpoint == 2]


@settings(max_examples=25, deadline=None)
@given(
    order=st.lists(st.integers(1, 5), max_size=6).flatmap(
        lambda repeated: st.permutations([1, 2, 3, 4, 5, *repeated])
    ),
    cuts=st.sets(st.integers(1, 10)),
)
def test_any_order_with_repetitions_over_any_reads_gives_one_message(
    order: list[int], cuts: set[int]
) -> None:
    async def scenario(world: World) -> None:
        batch: list[Arrival] = []
        for at, number in enumerate(order):
            if at in cuts and batch:
                await take(world, *batch)
                batch = []
            batch.append(part(f"<{number}>", number, 5))
        await take(world, *batch)
        assert joined(world) == [("<1><2><3><4><5>", 5, 5)]
        assert sorted(separate(world)) == [f"<{n}>" for n in range(1, 6)]
        assert (world.reassembly.joined, world.reassembly.repeated) == (1, len(order) - 5)
        assert len(world.rows(t.ledger)) == 5, "network messages are what is billed"
        await hand_over(world)
        assert len(joined(world)) == 1
        assert not world.rows(t.part_groups)
        assert not world.rows(t.parts)

    with tempfile.TemporaryDirectory() as name:
        run(Path(name), scenario)


def test_what_differs_in_one_thing_is_another_message(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(
            world,
            part("a", 1, 2), part("b", 1, 2, width=16), part("c", 1, 2, reference=8), part("d", 1, 3),
            part("e", 1, 2, sender="447700900002"),
        )  # fmt: skip
        assert joined(world) == []
        await take(world, part("B", 2, 2, width=16))
        await take(world, part("A", 2, 2))
        await take(world, part("E", 2, 2, sender="447700900002"))
        assert sorted(joined(world)) == [("aA", 2, 2), ("bB", 2, 2), ("eE", 2, 2)]

    run(tmp_path, scenario)


def test_a_reference_that_is_used_again_begins_another_message(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(world, part("a", 1, 2), part("b", 2, 2))
        await take(world, part("c", 1, 2))
        await take(world, part("d", 2, 2))
        assert joined(world) == [("ab", 2, 2), ("cd", 2, 2)]

    run(tmp_path, scenario)


def test_what_is_there_is_handed_over_when_the_time_is_up(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(world, part("a", 1, 3), part("c", 3, 3))
        await hand_over(world, now_ms())
        assert joined(world) == []
        await hand_over(world)
        assert joined(world) == [("ac", 2, 3)]
        await take(world, part("b", 2, 3))
        await hand_over(world)
        assert joined(world) == [("ac", 2, 3), ("b", 1, 3)], "nothing is thrown away"
        assert world.reassembly.partial == 2

    run(tmp_path, scenario)


def test_parts_wait_for_the_first_to_say_whose_they_are(tmp_path: Path) -> None:
    numbers = [Number(number="60888", account="acme", keyword="go"), Number(number="60888", account="other")]

    async def scenario(world: World) -> None:
        await take(world, part("c", 3, 3, recipient="60888"), part("b", 2, 3, recipient="60888"))
        assert separate(world) == []
        await take(world, part("Go a", 1, 3, recipient="60888"))
        assert sorted(separate(world)) == ["Go a", "b", "c"]
        assert joined(world) == [("Go abc", 3, 3)]
        # Without the first, the owner of the number gets it.
        await take(world, part("z", 2, 2, reference=9, recipient="60888"))
        await hand_over(world)
        assert [row.account for row in world.rows(t.messages) if row.text == "z"] == ["other", "other"]

    run(tmp_path, scenario, numbers)


def test_parts_of_nobody_are_kept(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(world, part("a", 1, 2, recipient="60111"), part("b", 2, 2, recipient="60111"))
        assert [(row.account, row.text) for row in world.rows(t.messages)].count((None, "ab")) == 1
        assert not world.rows(t.deliveries)

    run(tmp_path, scenario)


def test_texts_and_data_join_as_what_they_are(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(
            world,
            part("", 1, 2, coding=Coding.DATA, data=b"\x01"),
            part("", 2, 2, coding=Coding.DATA, data=b"\x02"),
            part("a", 1, 2, 8), part("\u4e2d", 2, 2, 8, coding=Coding.UNICODE, data=b"\x4e\x2d"),
            part("\ufffd", 1, 2, 9, coding=Coding.UNICODE, data=b"\xd8\x3d"),
            part("\ufffda", 2, 2, 9, coding=Coding.UNICODE, data=b"\xde\x00\0a"),
        )  # fmt: skip
        whole = [row for row in world.rows(t.messages) if row.parts == 2]
        assert [(row.coding, row.text, row.data) for row in whole] == [
            (Coding.DATA, "", b"\x01\x02"),
            (Coding.UNICODE, "a\u4e2d", "a\u4e2d".encode("utf-16-be")),
            (Coding.UNICODE, "\U0001f600a", "\U0001f600a".encode("utf-16-be")),
        ]

    run(tmp_path, scenario)


def test_a_group_goes_on_in_the_next_life(tmp_path: Path) -> None:
    async def go() -> None:
        database = a_store(tmp_path, JOINED)
        for life, number in ((1, 2), (2, 1)):
            world = World(database, life=life)
            await take(world, part("ab"[number - 1], number, 2))
            world.stop()
        assert joined(world) == [("ab", 2, 2)]
        database.close()

    asyncio.run(go())
