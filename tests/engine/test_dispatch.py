"""Dispatch: every delivery gets its attempts, in its order, within its window; nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from sqlalchemy import update

from homing.engine import claiming
from homing.engine import destination as destination_module
from homing.engine import dispatch as module
from homing.engine.fanout import FanOut
from homing.engine.intake import Arrival
from homing.engine.outcomes import record_outcomes
from homing.engine.rows import message_row
from homing.model.account import Endpoint
from homing.model.clock import now_ms
from homing.model.delivery import Answer, Delivery
from homing.model.message import Coding, ReceivedMessage
from homing.store import customers, replay
from homing.store import tables as t
from tests.engine.far import BROKEN, LEASE_MS, OK, REFUSED, World, a_store, an_endpoint

Scenario = Callable[[World], Awaitable[None]]
GONE = Answer(status=410, body=b"gone", length=4, took_ms=1)


def run(path: Path, scenario: Scenario, *endpoints: Endpoint, **limits: Any) -> None:
    async def go() -> None:
        database = a_store(path, *(endpoints or (an_endpoint(),)))
        world = World(database, **limits)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


async def receive(world: World, *texts: str) -> None:
    """Messages of phones, durable and offered."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    arrivals = [Arrival(sender="447700900001", recipient="60999", coding=Coding.TEXT, text=x) for x in texts]
    world.intake.take("sim", arrivals, told.set_result)
    assert await told is None
    await asyncio.sleep(0)


class Time:
    """The clocks of dispatch, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ms = now_ms()
        self.steady_s = 1000.0
        for each in (module, claiming):
            monkeypatch.setattr(each, "now_ms", lambda: self.wall_ms)
        monkeypatch.setattr(module, "monotonic", lambda: self.steady_s)

    def go_on(self, seconds: float) -> None:
        self.wall_ms += round(seconds * 1000)
        self.steady_s += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def tick(world: World, times: int = 2) -> None:
    for _ in range(times):
        world.dispatch.tick()
        await world.settle()


def states(world: World) -> list[tuple[int, int]]:
    return [(row.state, row.attempt) for row in world.rows(t.deliveries)]


def change(world: World, id_: int, **values: Any) -> None:
    """What a command does to an endpoint, noticed at once."""
    with world.database.writing() as connection:
        found = customers.endpoint_with_id(connection, id_)
        customers.change_endpoint(connection, msgspec.structs.replace(found, **values))
    world.reload()


def test_what_is_written_is_pushed_at_once_and_recorded(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await receive(world, "a", "b")
        await world.settle()
        assert world.customer.texts() == ["a", "b"]
        assert states(world) == [(1, 1), (1, 1)]
        assert world.rows(t.deliveries)[0].answer == b"ok"
        d = world.dispatch
        assert (d.in_memory, d.in_flight, d.unrecorded, d.delivered) == (0, 0, 0, 2)

    run(tmp_path, scenario)


def test_a_failed_attempt_is_tried_again_in_its_time_until_the_last(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.answers = lambda _request: BROKEN
        await receive(world, "a")
        await world.settle()
        assert states(world) == [(0, 2)]
        await tick(world)
        assert len(world.customer.pushed) == 1
        for attempt, wait_s in ((2, 34), (3, 67)):
            time.go_on(wait_s)
            await tick(world)
            assert len(world.customer.pushed) == attempt
        assert states(world) == [(2, 3)]
        assert [row.number for row in world.rows(t.attempts)] == [1, 2, 3]
        time.go_on(1000)
        await tick(world)
        assert len(world.customer.pushed) == 3
        with world.database.writing() as connection:
            key = (world.rows(t.deliveries)[0].event, 1)
            assert replay.replay(connection, [key], time.wall_ms) == 1
        world.customer.answers = lambda _request: OK
        await tick(world)
        time.go_on(1)
        await tick(world)
        assert states(world) == [(1, 4)]

    run(tmp_path, scenario)


def test_a_dead_destination_gets_probes_and_spends_no_attempt_of_what_waits(
    tmp_path: Path, time: Time
) -> None:
    async def scenario(world: World) -> None:
        world.customer.answers = lambda _request: REFUSED
        await receive(world, *(f"{n}" for n in range(50)))
        await world.settle()
        tried = len(world.customer.pushed)
        assert 5 <= tried <= 10, "the window and what it let through before it closed"
        await receive(world, "later")
        for _ in range(4):
            time.go_on(5)
            await tick(world)
        assert tried < len(world.customer.pushed) <= tried + 4, "one probe at a time"
        assert Counter(attempt for _state, attempt in states(world))[1] >= 51 - len(world.customer.pushed)
        assert world.dispatch.in_memory == 0
        world.customer.answers = lambda _request: OK
        for _ in range(20):
            time.go_on(10)
            await tick(world)
        assert {state for state, _ in states(world)} == {1}
        assert max(attempt for _state, attempt in states(world)) <= 3

    run(tmp_path, scenario, retry_s=[5] * 20)


def test_the_window_bounds_what_is_under_way_and_memory_what_is_held(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        for n in range(40):
            await receive(world, f"{n}")
        assert len(world.customer.waiting) == 4
        assert world.dispatch.in_memory == 4 + 10, "the rest is in the store"
        assert [row.claim_node for row in world.rows(t.deliveries)].count(None) == 26
        time.go_on(1)
        while world.customer.waiting:
            waiting, world.customer.waiting = world.customer.waiting, []
            assert len(waiting) <= 4
            for done in waiting:
                done(OK)
            await world.settle()
        assert sorted(world.customer.texts(), key=int) == [f"{n}" for n in range(40)]

    run(tmp_path, scenario, an_endpoint(concurrency=4), max_per_endpoint=10)


def test_one_slow_customer_holds_up_no_other(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, "slow")
        world.customer.holds = False
        change(world, 1, paused=True)
        with world.database.writing() as connection:
            customers.add_endpoint(connection, an_endpoint(events=("message",)))
        world.reload()
        await receive(world, "a", "b")
        await world.settle()
        assert world.customer.texts() == ["slow", "a", "b"]

    run(tmp_path, scenario)


@pytest.mark.parametrize("fails", [BROKEN, REFUSED])
def test_an_ordered_customer_gets_everything_in_order(tmp_path: Path, time: Time, fails: Answer) -> None:
    failing = {"2": 2, "5": 1}

    def answers(request: bytes) -> Answer:
        text = str(request).split("smsmsg=")[1].split("&")[0].split(" ")[0]
        if failing.get(text):
            failing[text] -= 1
            return fails
        return OK

    async def scenario(world: World) -> None:
        world.customer.answers = answers
        for n in range(4):
            await receive(world, f"{n}")
        await world.settle()
        for n in range(4, 9):
            await receive(world, f"{n}")
            await world.settle()
            time.go_on(3)
            await tick(world, 1)
        for _ in range(30):
            time.go_on(7)
            await tick(world)
        assert world.customer.texts() == [*"01222345", *"5678"]
        assert {state for state, _ in states(world)} == {1}

    run(tmp_path, scenario, an_endpoint(concurrency=1), retry_s=[5] * 20, max_per_endpoint=3)


def test_an_ordered_customer_gets_his_order_also_from_the_next_life(tmp_path: Path) -> None:
    async def go() -> None:
        database = a_store(tmp_path, an_endpoint(concurrency=1))
        world = World(database, life=1, max_per_endpoint=2)
        world.customer.holds = True
        await receive(world, "0")
        await tick(world)  # before the first one it looks whether older ones wait
        for n in range(1, 9):
            await receive(world, f"{n}")
        assert len(world.customer.pushed) == 1
        world.stop()
        world = World(database, life=2, max_per_endpoint=2)
        at = now_ms()
        taken = await world.write(lambda tr: tr.reclaim_former_life(1, 2, at, at + LEASE_MS))
        assert 1 <= taken <= 3
        await receive(world, "9")
        for _ in range(9):
            await tick(world, 1)
            world.dispatch.directory_changed()
        assert world.customer.texts() == [*"0123456789"]
        world.stop()
        database.close()

    asyncio.run(go())


def test_leases_that_end_in_the_queue_are_claimed_anew_in_order(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        for n in range(5):
            await receive(world, f"{n}")
        time.go_on(1)
        await tick(world)
        assert world.dispatch.in_memory == 5
        time.go_on(LEASE_MS / 1000 - 59)  # less is left than an attempt may take
        world.customer.waiting.pop()(OK)
        world.customer.holds = False
        for _ in range(4):
            await tick(world)
            time.go_on(1)
        assert world.customer.texts() == [*"01234"]
        assert states(world) == [(1, 1)] * 5

    run(tmp_path, scenario, an_endpoint(concurrency=1))


@pytest.mark.parametrize("how", ["paused", "disabled", "removed"])
def test_what_is_parked_spends_no_attempt_and_what_is_resumed_goes_on(
    tmp_path: Path, time: Time, how: str
) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, *(f"{n}" for n in range(8)))
        account = world.directory.accounts["acme"]
        if how == "paused":
            change(world, 1, paused=True)
        else:
            with world.database.writing() as connection:
                if how == "removed":
                    customers.remove_endpoint(connection, 1)
                else:
                    customers.change_account(connection, msgspec.structs.replace(account, disabled=True))
            world.reload()
        for done in world.customer.waiting:
            done(BROKEN)  # what was under way ends as it does
        await receive(world, "late")
        time.go_on(100)
        await tick(world, 3)
        assert len(world.customer.pushed) == 5
        assert world.dispatch.in_memory == 0
        assert sorted(states(world)) == [(0, 1)] * (3 if how == "removed" else 4) + [(0, 2)] * 5
        if how == "removed":
            return
        world.customer.holds = False
        if how == "paused":
            change(world, 1, paused=False)
        else:
            with world.database.writing() as connection:
                customers.change_account(connection, account)
            world.reload()
        time.go_on(2)
        await tick(world, 4)
        assert sorted(states(world)) == [(1, 1)] * 4 + [(1, 2)] * 5

    run(tmp_path, scenario)


def test_what_is_committed_after_the_pause_is_given_back(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        arrival = Arrival(sender="447700900001", recipient="60999", coding=Coding.TEXT, text="a")
        world.intake.take("sim", [arrival], told.set_result)
        change(world, 1, paused=True)
        await told
        await world.settle()
        assert not world.customer.pushed
        assert [row.claim_node for row in world.rows(t.deliveries)] == [None]

    run(tmp_path, scenario)


def test_gone_ends_one_and_parks_the_others(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.answers = lambda _request: GONE
        await receive(world, *(f"{n}" for n in range(20)))
        for _ in range(3):
            await receive(world, "more")
            await tick(world)
        world.reload()
        time.go_on(60)
        await tick(world, 3)
        assert len(world.customer.pushed) == 5, "those that were under way"
        assert Counter(states(world)) == {(2, 1): 5, (0, 1): 18}
        endpoint = world.directory.endpoints[1]
        assert (endpoint.paused, endpoint.disabled_reason) == (True, "the endpoint answered 410 Gone")

    run(tmp_path, scenario, an_endpoint(format="json", method="post"))


def test_a_rate_spends_no_attempt(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        await receive(world, *(f"{n}" for n in range(6)))
        await world.settle()
        assert len(world.customer.pushed) == 1
        for count in range(2, 7):
            time.go_on(100)  # longer than a lease
            await tick(world, 3)
            assert len(world.customer.pushed) == count
        assert states(world) == [(1, 1)] * 6
        assert len(set(world.customer.texts())) == 6

    run(tmp_path, scenario, an_endpoint(rate_per_s=0.011))


def test_outcomes_are_kept_and_nothing_is_read_while_the_store_is_in_trouble(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STORE_RETRY_S", 0.01)
    record = record_outcomes
    broken = [3]

    def failing(transaction: Any, items: Any) -> Any:
        if broken[0]:
            broken[0] -= 1
            raise OSError("disk full")
        return record(transaction, items)

    monkeypatch.setattr(module, "record_outcomes", failing)

    async def scenario(world: World) -> None:
        await receive(world, "a")
        await world.settle()
        assert world.dispatch.unrecorded == 1
        time.go_on(200)
        await tick(world, 6)
        assert world.dispatch.unrecorded == 0
        assert states(world) == [(1, 1)]
        assert world.customer.texts() == ["a"], "though its lease ended meanwhile"

    run(tmp_path, scenario)


def test_what_cannot_be_rendered_is_a_failed_attempt(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, *"abcdef")
        change(world, 1, events=("report",))
        formats = dict(world.directory.formats)

        class Unable:
            target = formats[1].target
            judge = staticmethod(formats[1].judge)

            def render(self, *_: Any) -> bytes:
                raise KeyError("no word for it")

        world.directory.formats = cast(Any, {1: Unable()})
        world.dispatch.directory_changed()
        for done in world.customer.waiting:
            done(OK)
        await world.settle()
        assert sorted(states(world)) == [(0, 2)] + [(1, 1)] * 5
        assert world.rows(t.attempts)[0].error == "not rendered: KeyError('no word for it')"
        assert world.dispatch.in_flight == 0

    run(tmp_path, scenario)


def test_idle_destinations_are_forgotten_and_busy_ones_are_not(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        await receive(world, "a")
        await world.settle()
        known = world.dispatch._destinations
        for seconds, left in ((1, 1), (31, 0)):
            time.go_on(seconds)
            await tick(world)
            assert len(known) == left
        world.customer.answers = lambda _request: BROKEN
        await receive(world, "b")
        await world.settle()
        for _ in range(3):
            time.go_on(9)
            await tick(world)
        assert len(known) == 1
        assert isinstance(known[1], destination_module.Destination)

    run(tmp_path, scenario)


def test_a_wall_clock_that_steps_back_stops_nothing(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        await receive(world, "a")
        await tick(world)
        time.wall_ms -= 3_600_000
        time.steady_s += 2
        with world.database.writing() as connection:
            customers.add_endpoint(connection, an_endpoint())
        world.reload()
        await world.write(
            lambda tr: tr.insert_deliveries(
                [(world.rows(t.messages)[0].id, 2, "message", "acme", 0, 1, 1, 1, *[None] * 7)]
            )
        )
        await tick(world)
        assert len(world.customer.pushed) == 2, "work of others is still looked for"

    run(tmp_path, scenario)


def test_a_node_that_stops_gives_back_what_it_has_not_tried(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, *(f"{n}" for n in range(8)))
        world.dispatch.stop()
        assert world.dispatch.unrecorded, "a claim to give back is worth waiting for"
        await receive(world, "late")
        for done in world.customer.waiting:
            done(OK)
        await world.settle()
        assert world.dispatch.unrecorded == 0
        assert Counter((row.state, row.claim_node) for row in world.rows(t.deliveries)) == {
            (1, 1): 5, (0, None): 4,
        }  # fmt: skip

    run(tmp_path, scenario)


def test_an_outcome_that_no_store_takes_is_let_go_and_stops_nobody(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [True]

    def spoiled(transaction: Any, items: Any) -> Any:
        if wrong:
            raise ValueError("no store takes this")
        return record_outcomes(transaction, items)

    monkeypatch.setattr(module, "record_outcomes", spoiled)

    async def scenario(world: World) -> None:
        await receive(world, "a")
        await world.settle()
        assert (world.dispatch.unrecorded, states(world)) == (0, [(0, 1)])
        wrong.clear()
        time.go_on(2 * LEASE_MS / 1000)
        with world.database.writing() as connection:
            connection.execute(update(t.deliveries).values(next_attempt_at_ms=1))  # its lease has ended
        await tick(world, 4)
        assert (world.customer.texts(), states(world)) == (["a", "a"], [(1, 1)])

    run(tmp_path, scenario)


def test_a_success_counts_also_when_the_endpoint_has_gone_meanwhile(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, "a")
        with world.database.writing() as connection:
            customers.remove_endpoint(connection, 1)
        world.reload()
        world.customer.waiting.pop()(OK)
        await world.settle()
        assert states(world) == [(1, 1)]

    run(tmp_path, scenario)


def test_who_is_slow_does_not_take_the_room_of_who_is_quick(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        for n in range(9):
            await receive(world, f"slow{n}")
        assert world.dispatch.in_memory == 6, "all that may be held"
        assert len(world.customer.waiting) == 2
        change(world, 1, events=("report",))
        with world.database.writing() as connection:
            customers.add_endpoint(connection, an_endpoint(events=("message",)))
        world.reload()
        world.customer.holds = False
        await receive(world, *(f"quick{n}" for n in range(20)))
        for _ in range(6):
            time.go_on(1)
            await tick(world)
        assert sum(text.startswith("quick") for text in world.customer.texts()) == 20

    run(tmp_path, scenario, an_endpoint(concurrency=2), max_in_memory=6)


def test_what_is_committed_after_an_older_one_failed_waits_behind_it(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        await receive(world, "0")
        time.go_on(1)
        await tick(world)
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        arrivals = [
            Arrival(sender="447700900001", recipient="60999", coding=Coding.TEXT, text=text) for text in "12"
        ]
        world.intake.take("sim", arrivals, told.set_result)
        world.customer.waiting.pop()(BROKEN)
        assert await told is None
        world.customer.holds = False
        await world.settle()
        assert [row.claim_node for row in world.rows(t.deliveries)] == [None] * 3
        time.go_on(7)
        for _ in range(3):
            await tick(world)
            time.go_on(1)
        assert world.customer.texts() == [*"0012"]

    run(tmp_path, scenario, an_endpoint(concurrency=1), retry_s=[5] * 20)


def test_a_pause_does_not_let_the_next_overtake_what_is_under_way(tmp_path: Path, time: Time) -> None:
    async def scenario(world: World) -> None:
        world.customer.holds = True
        for n in range(3):
            await receive(world, f"{n}")
        time.go_on(1)
        await tick(world)
        for paused in (True, False):
            change(world, 1, paused=paused)
            await tick(world)
        assert world.customer.texts() == ["0"]
        world.customer.holds = False
        world.customer.waiting.pop()(BROKEN)
        time.go_on(7)
        await tick(world)
        assert world.customer.texts() == [*"0012"]
        world.customer.holds = True
        await receive(world, "3")
        change(world, 1, paused=True)
        world.customer.waiting.pop()(OK)
        await tick(world)
        assert not world.dispatch._destinations

    run(tmp_path, scenario, an_endpoint(concurrency=1), retry_s=[5] * 20)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_of_a_batch_as_many_are_held_as_there_is_room_for_and_the_others_follow(
    tmp_path: Path, time: Time, concurrency: int
) -> None:
    async def scenario(world: World) -> None:
        fan_out = FanOut(world.claim, world.dispatch)
        texts = [f"{n}" for n in range(30)]
        messages = [
            ReceivedMessage(
                id=world.ids.next(), at_ms=time.wall_ms, link="sim", sender="1", recipient="60999",
                account="acme", coding=Coding.TEXT, text=text,
            )
            for text in texts
        ]  # fmt: skip
        rows: list[tuple[Any, ...]] = []
        held: list[Delivery] = []
        endpoint = world.directory.endpoints[1]
        fan_out.bear_all(messages, "message", "acme", [endpoint], rows, held)
        assert len(held) == (0 if concurrency == 1 else 10)
        assert world.dispatch.room_for(endpoint, 1) == 0, "nothing overtakes what waits in the store"
        world.customer.holds = True
        await world.write(lambda tr: tr.insert_messages([message_row(message) for message in messages]))
        await world.write(lambda tr: tr.insert_deliveries(rows))
        world.dispatch.offer(held)
        assert world.dispatch.in_memory == len(held)
        while len(world.customer.pushed) < len(texts):
            assert world.dispatch.in_memory <= 10 + concurrency
            assert len(world.customer.waiting) <= concurrency
            if world.customer.waiting:
                world.customer.waiting.pop(0)(OK)
            time.go_on(1)
            await tick(world, 1)
        assert sorted(world.customer.texts(), key=int) == texts
        assert concurrency > 1 or world.customer.texts() == texts
        assert set(states(world)) <= {(0, 1), (1, 1)}

    run(tmp_path, scenario, an_endpoint(concurrency=concurrency), max_per_endpoint=10)


def test_what_all_hold_together_bounds_what_a_batch_may_hold(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        endpoint = world.directory.endpoints[1]
        assert [world.dispatch.room_for(endpoint, count) for count in (1, 6, 0)] == [1, 6, 0]
        world.customer.holds = True
        await receive(world, "a", "b")
        assert world.dispatch.in_memory == 2
        assert world.dispatch.room_for(endpoint, 4) == 4
        assert world.dispatch.room_for(endpoint, 5) == 4, "as many as there is room for"
        assert world.dispatch.room_for(endpoint, 1) == 0, "and then none before those that wait"

    run(tmp_path, scenario, max_in_memory=6)
