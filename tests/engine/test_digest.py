"""Digests: what comes within a period of the clock leaves together at its end, and never twice in one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homing.engine import claiming
from homing.engine import dispatch as module
from homing.engine.intake import Arrival
from homing.model.delivery import Answer
from homing.model.message import Coding
from homing.store import tables as t
from homing.wire.push_mail import MailTarget, read_posting
from tests.engine.far import REFUSED, World, a_store, an_endpoint

MINUTE_MS = 60_000
TAKEN = Answer(status=250, body=b"queued", length=6, took_ms=1)
DIGEST = an_endpoint(format="email", url="", email="ann@ox.test", digest_min=5, unknown_as=None)


class Clock:
    """The clocks of dispatch, moved by the test: it begins a minute after the next hour."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hour_ms = 3_600_000
        self.wall_ms = (module.now_ms() // hour_ms + 1) * hour_ms + MINUTE_MS
        self.steady_s = 1000.0
        for each in (module, claiming):
            monkeypatch.setattr(each, "now_ms", lambda: self.wall_ms)
        monkeypatch.setattr(module, "monotonic", lambda: self.steady_s)

    def go_on(self, minutes: float) -> None:
        self.wall_ms += round(minutes * MINUTE_MS)
        self.steady_s += minutes * 60


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def run(path: Path, *lives: Callable[[World], Awaitable[None]], **limits: Any) -> None:
    """Each life is a node that starts on the same store."""

    async def go() -> None:
        database = a_store(path, DIGEST)
        for life in lives:
            world = World(database, life=module.now_ms(), **limits)
            world.customer.answers = lambda _request: TAKEN
            try:
                await life(world)
            finally:
                world.dispatch.stop()
                await world.settle()
                world.stop()
        database.close()

    asyncio.run(go())


async def receive(world: World, *texts: str) -> None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    arrivals = [Arrival(sender="447700900001", recipient="60999", coding=Coding.TEXT, text=x) for x in texts]
    world.intake.take("sim", arrivals, told.set_result)
    assert await told is None
    await tick(world)


async def tick(world: World, times: int = 4) -> None:
    for _ in range(times):
        world.dispatch.tick()
        await world.settle()


def texts(world: World) -> list[str]:
    found = []
    for target, request in world.customer.pushed:
        assert isinstance(target, MailTarget)
        assert target.digest_min == 5
        message = read_posting(request).message
        assert message is not None
        found.append(message.text)
    return found


def test_what_comes_within_a_period_leaves_together_at_its_end(tmp_path: Path, clock: Clock) -> None:
    async def life(world: World) -> None:
        await receive(world, "a", "b")
        clock.go_on(2)
        await receive(world, "c")
        assert texts(world) == []
        assert world.dispatch.in_memory == 0  # they wait in the store
        clock.go_on(2.01)
        await tick(world)
        assert texts(world) == ["a", "b", "c"]
        await receive(world, "d")
        clock.go_on(4.9)
        await tick(world)
        assert texts(world) == ["a", "b", "c"]
        clock.go_on(0.1)
        await tick(world)
        assert texts(world) == ["a", "b", "c", "d"]
        assert [(row.state, row.attempt) for row in world.rows(t.deliveries)] == [(1, 1)] * 4

    run(tmp_path, life)


def test_a_node_that_starts_again_sends_no_second_one_in_a_period(tmp_path: Path, clock: Clock) -> None:
    async def first(world: World) -> None:
        await receive(world, "a")
        clock.go_on(4.01)
        await tick(world)
        assert texts(world) == ["a"]
        await receive(world, "b")

    async def second(world: World) -> None:
        await tick(world)
        await receive(world, "c")
        clock.go_on(4.9)
        await tick(world)
        assert texts(world) == []
        clock.go_on(0.1)
        await tick(world)
        assert sorted(texts(world)) == ["b", "c"]

    run(tmp_path, first, second)


def test_many_leave_at_once_however_few_are_read_at_a_time(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_MAX", 50)

    async def life(world: World) -> None:
        await receive(world, *(f"t{n}" for n in range(500)))
        world.customer.holds = True
        clock.go_on(4.01)
        await tick(world, 20)
        assert texts(world) == [f"t{n}" for n in range(500)]
        for answer in world.customer.waiting:
            answer(TAKEN)
        await world.settle()
        assert {row.state for row in world.rows(t.deliveries)} == {1}

    run(tmp_path, life)


def test_what_a_relay_in_trouble_did_not_take_comes_again_whole_in_a_later_period(
    tmp_path: Path, clock: Clock
) -> None:
    async def life(world: World) -> None:
        names = [f"t{n}" for n in range(100)]
        await receive(world, *names)
        world.customer.answers = lambda _request: REFUSED
        clock.go_on(4.01)
        await tick(world)
        assert texts(world) == names
        world.customer.answers = lambda _request: TAKEN
        await receive(world, "later")
        clock.go_on(4.9)
        await tick(world)
        assert texts(world) == names
        clock.go_on(0.1)
        await tick(world)
        assert sorted(texts(world)[100:]) == sorted([*names, "later"])
        assert {(row.state, row.attempt) for row in world.rows(t.deliveries)} == {(1, 2), (1, 1)}
        clock.go_on(5)
        await tick(world)
        assert len(texts(world)) == 201

    run(tmp_path, life)
