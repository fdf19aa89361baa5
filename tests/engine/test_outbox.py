"""The outbox: what is durable is sent, routed, sent again, rested for, and given back."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homing.engine import outbox as module
from homing.model.clock import now_ms
from homing.model.mms import Content, Mms
from homing.store import tables as t
from tests.engine.far import LEASE_MS, FarLink, World, a_store, a_submission

OK, THROTTLED, QUEUE_FULL, WRONG_NUMBER = 0, 0x58, 0x14, 0x0B

Scenario = Callable[[World], Awaitable[None]]


def run(path: Path, scenario: Scenario, *links: FarLink, **limits: Any) -> None:
    async def go() -> None:
        database = a_store(path)
        world = World(database, **limits)
        for link in links:
            world.outbox.add(link)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


def answer(world: World, link: FarLink, status: int = OK, prefix: str = "id") -> None:
    """Answer everything that waits."""
    answers = [
        (o, status, f"{prefix}{o.submission.id}.{o.number}" if not status else "") for o in link.take()
    ]
    world.outbox.answered(link, answers)


def sent(link: FarLink) -> list[tuple[int, int]]:
    return [(outgoing.submission.id, outgoing.number) for outgoing in link.sent]


def test_a_submission_is_sent_when_it_is_durable_and_done_when_every_segment_is_answered(
    tmp_path: Path,
) -> None:
    link = FarLink(room=2)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2, 2))
        assert sent(link) == [(1, 1), (2, 1)], "no more than there is room for"
        answer(world, link)
        assert sent(link) == [(1, 1), (2, 1), (2, 2)]
        await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "ACCEPTED"]
        answer(world, link)
        await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "SENT"]
        assert [row.id_key for row in world.rows(t.segments)] == ["id1.1", "id2.1", "id2.2"]
        assert world.outbox.waiting == 0

    run(tmp_path, scenario, link)


@pytest.mark.parametrize(
    ("bound", "recipient", "taken"),
    [
        ("all", "447700900001", "uk"),
        ("all", "447999900001", "mobile"),
        ("all", "33600000000", "first"),
        ("first second", "447999900001", "first"),
        ("second uk", "33600000000", "second"),
        ("uk", "33600000000", None),
        ("", "33600000000", None),
    ],
)
def test_the_longest_prefix_of_a_bound_link_takes_it(
    tmp_path: Path, bound: str, recipient: str, taken: str | None
) -> None:
    links = [FarLink("uk", ["44"]), FarLink("first"), FarLink("second"), FarLink("mobile", ["33", "4479"])]
    links[3].prefixes = ["4479"]
    for link in links:
        link.is_bound = bound == "all" or link.name in bound.split()

    async def scenario(world: World) -> None:
        await world.send(a_submission(1, recipient=recipient))
        assert [link.name for link in links if link.sent] == ([taken] if taken else [])
        assert [row.claim_node for row in world.rows(t.submissions)] == [1 if taken else None]

    run(tmp_path, scenario, *links)


@pytest.mark.parametrize("bound", ["all", "sms", "mms"])
def test_each_medium_has_links_of_its_own(tmp_path: Path, bound: str) -> None:
    links = [FarLink("sms", ["44"]), FarLink("mms"), FarLink("mms-uk", ["44"]), FarLink("rest")]
    for link in links[1:3]:
        link.medium = "mms"
    for link in links:
        link.is_bound = bound in ("all", link.medium)

    async def scenario(world: World) -> None:
        mms = Mms(content=Content(sha256="0" * 64, size=1), expires_at_ms=1)
        await world.send(
            a_submission(1), a_submission(2, mms=mms), a_submission(3, recipient="33600000000", mms=mms)
        )
        world.outbox.tick()
        await world.settle()
        expected = {"sms": [(1, 1)], "mms": [(3, 1)], "mms-uk": [(2, 1)], "rest": []}
        for link in links:
            assert sent(link) == (expected[link.name] if link.is_bound else []), link.name
        for link in links:
            answer(world, link)
            link.is_bound = True
        world.outbox.tick()
        await world.settle()
        assert [sent(link) for link in links] == list(expected.values()), "also what waited in the store"

    run(tmp_path, scenario, *links)


def test_what_waits_in_the_store_is_taken_when_a_link_is_bound(tmp_path: Path) -> None:
    link = FarLink(room=5000)
    link.is_bound = False

    async def scenario(world: World) -> None:
        await world.send(*(a_submission(n) for n in range(1, module.PAGE * 2 + 11)))
        world.outbox.tick()
        assert not link.sent
        link.is_bound = True
        world.outbox.tick()
        await world.settle()
        assert [number for number, _ in sent(link)] == [*range(1, module.PAGE * 2 + 11)], "in one tick"

    run(tmp_path, scenario, link, max_submissions=5000)


def test_memory_is_bounded_and_filled_again(tmp_path: Path) -> None:
    link = FarLink(room=2)

    async def scenario(world: World) -> None:
        for n in range(1, 8):
            await world.send(a_submission(n))
        assert world.outbox.waiting == 3
        for _ in range(5):
            answer(world, link)
            await world.settle()
            world.outbox.tick()
            await world.settle()
            assert world.outbox.waiting <= 3
        assert sorted(sent(link)) == [(n, 1) for n in range(1, 8)]

    run(tmp_path, scenario, link, max_submissions=3)


def test_what_is_scheduled_is_sent_in_its_time(tmp_path: Path) -> None:
    link = FarLink()

    async def scenario(world: World) -> None:
        await world.send(
            a_submission(1, not_before_ms=now_ms() + 3_600_000), a_submission(2, not_before_ms=1)
        )
        world.outbox.tick()
        await world.settle()
        assert sent(link) == [(2, 1)]

    run(tmp_path, scenario, link)


@pytest.mark.parametrize("status", [THROTTLED, QUEUE_FULL])
def test_a_throttled_link_rests_and_the_segment_is_sent_again(
    tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = FarLink(room=1)
    clock = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2))
        answer(world, link, status)
        assert sent(link) == [(1, 1)]
        for wait_s in (0.5, 1.0, 2.0):
            count = len(link.sent)
            clock[0] += wait_s - 0.01
            world.outbox.tick()
            assert len(link.sent) == count, "it rests"
            clock[0] += 0.02
            world.outbox.tick()
            assert sent(link)[count:] == [(1, 1)], "and nothing overtakes"
            answer(world, link, status)
        clock[0] += 30
        world.outbox.tick()
        answer(world, link)
        assert sent(link)[-1] == (2, 1)
        await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "ACCEPTED"]
        assert world.outbox.throttled == 4

    run(tmp_path, scenario, link)


def test_a_refusal_is_final_and_reported(tmp_path: Path) -> None:
    link = FarLink()

    async def scenario(world: World) -> None:
        await world.send(a_submission(1))
        answer(world, link, WRONG_NUMBER)
        await world.settle()
        assert [(row.status, row.reason) for row in world.rows(t.reports)] == [
            ("REJECTED", "esme_rinvdstadr")
        ]
        assert world.outbox.waiting == 0

    run(tmp_path, scenario, link)


def test_what_got_no_answer_is_sent_again_first(tmp_path: Path) -> None:
    link = FarLink(room=2)

    async def scenario(world: World) -> None:
        await world.send(*(a_submission(n) for n in (1, 2, 3)))
        world.outbox.lost(link, link.take())
        world.outbox.ready(link)
        assert sent(link) == [(1, 1), (2, 1), (1, 1), (2, 1)]
        assert world.outbox.resent == 2

    run(tmp_path, scenario, link)


def test_another_link_takes_over_or_the_store_does(tmp_path: Path) -> None:
    first, second = FarLink("first", room=1), FarLink("second", room=9)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1, 2), a_submission(2))
        answer(world, first)  # 1.1 is answered, 1.2 is under way, 2.1 waits
        first.is_bound = False
        world.outbox.lost(first, first.take())
        world.outbox.unbound(first)
        assert sorted(sent(second)) == [(1, 2), (2, 1)], "only what has no answer"
        second.is_bound = False
        world.outbox.lost(second, second.take())
        world.outbox.unbound(second)
        await world.settle()
        assert world.outbox.waiting == 0
        assert [row.claim_node for row in world.rows(t.submissions)] == [None, None]
        first.is_bound = True
        first.window = 9
        world.outbox.tick()
        await world.settle()
        assert sent(first)[2:] == [(1, 2), (2, 1)], "what was answered before stands in the store"
        answer(world, first)
        await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "SENT"]

    run(tmp_path, scenario, first, second)


def test_a_link_may_tell_late_what_it_could_not_send(tmp_path: Path) -> None:
    first, second = FarLink("first", room=1), FarLink("second", room=9)

    async def scenario(world: World) -> None:
        second.is_bound = False
        await world.send(a_submission(1), a_submission(2), a_submission(3, 2))
        under_way = first.take()
        first.is_bound = False
        world.outbox.unbound(first)
        await world.settle()
        world.outbox.lost(first, under_way)  # after it was unbound: still held here, and given back now
        world.outbox.answered(first, [(under_way[0], THROTTLED, "")])
        await world.settle()
        assert world.outbox.waiting == 0
        second.is_bound = True
        world.outbox.tick()
        await world.settle()
        world.outbox.lost(first, under_way)  # another link has it
        world.outbox.unbound(first)
        assert sent(second) == [(1, 1), (2, 1), (3, 1), (3, 2)]
        # An answer about one segment of what is not held is no answer about the others.
        world.outbox.stop()

    run(tmp_path, scenario, first, second)


def test_a_late_answer_does_not_speak_for_other_segments(tmp_path: Path) -> None:
    link = FarLink(room=1)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1, 2))
        under_way = link.take()
        link.is_bound = False
        world.outbox.unbound(link)
        world.outbox.answered(link, [(under_way[0], OK, "late")])
        await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["ACCEPTED"]
        link.is_bound = True
        world.outbox.tick()
        await world.settle()
        assert sent(link)[1:] == [(1, 2)]

    run(tmp_path, scenario, link)


def test_the_next_life_sends_only_what_was_not_answered(tmp_path: Path) -> None:
    async def go() -> None:
        database = a_store(tmp_path)
        for life, expected in ((1, [(1, 1), (1, 2), (1, 3), (2, 1)]), (2, [(1, 2), (1, 3), (2, 1)])):
            link = FarLink()
            world = World(database, life=life)
            world.outbox.add(link)
            if life == 1:
                await world.send(a_submission(1, 3), a_submission(2))
                assert sent(link) == expected
                world.outbox.answered(link, [(link.take()[0], OK, "a")])
            else:
                world.outbox.tick()
                await world.settle()
                assert sent(link) == expected
                answer(world, link)
            await world.settle()
            world.stop()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "SENT"]
        database.close()

    asyncio.run(go())


def test_claims_of_what_waits_long_are_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = FarLink(room=1)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2))
        before = [row.claim_until_ms for row in world.rows(t.submissions)]
        world.outbox.tick()
        await world.settle()
        assert [row.claim_until_ms for row in world.rows(t.submissions)] == before
        later = now_ms() + LEASE_MS * 2 // 3
        monkeypatch.setattr(module, "now_ms", lambda: later)
        world.outbox.tick()
        await world.settle()
        assert [row.claim_until_ms for row in world.rows(t.submissions)] == [later + LEASE_MS] * 2
        assert sent(link) == [(1, 1)]

    run(tmp_path, scenario, link)


def test_answers_are_kept_while_the_store_is_in_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = FarLink()
    monkeypatch.setattr(module, "STORE_RETRY_S", 0.01)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2, 2))
        record = world.correlator.record_answers
        broken = [2]

        def failing(transaction: Any, items: Any) -> Any:
            if broken[0]:
                broken[0] -= 1
                raise OSError("disk full")
            return record(transaction, items)

        monkeypatch.setattr(world.correlator, "record_answers", failing)
        answer(world, link)
        assert world.outbox.waiting == 2
        for _ in range(3):  # two retries of 10 ms, each before its own commit
            await world.settle()
        assert world.outbox.waiting == 0
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "SENT"]
        assert len(link.sent) == 3

    run(tmp_path, scenario, link)


def test_an_answer_that_no_store_takes_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = FarLink()
    monkeypatch.setattr(module, "STORE_RETRY_S", 0.01)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2), a_submission(3))
        record = world.correlator.record_answers

        def refusing(transaction: Any, items: Any) -> Any:
            if any(item.submission == 2 for item in items):
                raise ValueError("no store takes this")
            return record(transaction, items)

        monkeypatch.setattr(world.correlator, "record_answers", refusing)
        answer(world, link)
        for _ in range(3):
            await world.settle()
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "ACCEPTED", "SENT"]
        assert (world.outbox.waiting, len(link.sent)) == (1, 3), "and is not sent again and again"

    run(tmp_path, scenario, link)


def test_a_node_that_stops_sends_nothing_more(tmp_path: Path) -> None:
    link = FarLink(room=1)

    async def scenario(world: World) -> None:
        await world.send(a_submission(1), a_submission(2))
        world.outbox.stop()
        answer(world, link)
        await world.send(a_submission(3))
        world.outbox.tick()
        await world.settle()
        assert sent(link) == [(1, 1)]
        assert [row.status for row in world.rows(t.submissions)] == ["SENT", "ACCEPTED", "ACCEPTED"]
        assert world.rows(t.submissions)[2].claim_node is None

    run(tmp_path, scenario, link)
