"""Submission: what is refused and why; durable, charged and remembered in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing.engine.submit import Accepted, Batch, Idempotency, Wish, compose
from homing.model.errors import Refusal, StoreUnavailable
from homing.model.message import Coding, Segment
from homing.store import customers
from homing.store import tables as t
from tests.engine.far import FarLink, World, a_store, a_submission

Scenario = Callable[[World], Awaitable[None]]
SEGMENTS = (Segment(coding=Coding.TEXT, text="hello"),)


def run(path: Path, scenario: Scenario) -> None:
    async def go() -> None:
        database = a_store(path)
        world = World(database)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("wish", "changed"),
    [
        ({"recipient": "+44 7700 900001"}, {"recipient": "447700900001"}),
        ({"recipient": "00447700900001"}, {"recipient": "447700900001"}),
        ({"sender": "+60999"}, {"sender": "60999"}),
        ({"sender": "Homing Ltd."}, {"sender": "Homing Ltd."}),
        ({"sender": "1" * 16}, {"sender": "1" * 16}),
        ({"report_bits": 255}, {"report_bits": 7}),
        ({"note": "n" * 200, "subaccount": "s" * 20}, {"note": "n" * 160, "subaccount": "s" * 10}),
        ({"note": "", "subaccount": ""}, {"note": None, "subaccount": None}),
    ],
)
def test_a_wish_becomes_a_submission(wish: dict[str, Any], changed: dict[str, Any]) -> None:
    made = compose(7, "acme", Wish(**({"recipient": "447700900001", "segments": SEGMENTS} | wish)))
    assert {name: getattr(made, name) for name in changed} == changed
    assert (made.id, made.account, made.segments) == (7, "acme", SEGMENTS)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"recipient": ""}, "recipient"),
        ({"recipient": "12"}, "recipient"),
        ({"recipient": "1" * 21}, "recipient"),
        ({"recipient": "44770O900001"}, "recipient"),
        ({"recipient": "\u0664\u0664\u0667\u0667"}, "recipient"),
        ({"segments": ()}, "no content"),
        ({"validity_s": 0}, "validity"),
        ({"sender": "1" * 17}, "more than 16 digits"),
        ({"sender": "twelve chars"}, "more than 11 characters"),
        ({"sender": "h\u00f6ming"}, "characters that no network takes"),
        ({"sender": "a\r\nb"}, "characters that no network takes"),
    ],
)
def test_what_is_wrong_is_named(wish: dict[str, Any], why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        compose(7, "acme", Wish(**({"recipient": "447700900001", "segments": SEGMENTS} | wish)))
    assert refused.value.kind == "invalid"


async def accept(world: World, *ids: int, segments: int = 1, **values: Any) -> Accepted | Exception:
    told: asyncio.Future[Accepted | Exception] = asyncio.get_running_loop().create_future()
    submissions = tuple(a_submission(id_, segments) for id_ in ids)
    made: dict[str, Any] = {"metered": False, "answer": b"%d" % (ids[0] if ids else 0)}
    batch = Batch(
        account=world.directory.accounts["acme"], submissions=submissions, **(made | values),
    )  # fmt: skip
    world.submit.accept(batch, told.set_result)
    return await told


def test_it_is_durable_and_in_the_ledger_before_the_answer(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        outcome = await accept(world, 1, 2, segments=2)
        assert isinstance(outcome, Accepted)
        assert [row.id for row in world.rows(t.submissions)] == [1, 2]
        assert [(row.id, row.kind, row.segments, row.credits) for row in world.rows(t.ledger)] == [
            (1, "submission", 2, None), (2, "submission", 2, None),
        ]  # fmt: skip
        again = await accept(world, 2, 3)
        assert isinstance(again, Exception), "an id stands for one submission"
        assert [row.id for row in world.rows(t.submissions)] == [1, 2]
        assert (world.submit.accepted, world.submit.refused) == (2, 1)

    run(tmp_path, scenario)


def test_credit_is_taken_for_every_segment_or_nothing_is_sent(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with world.database.writing() as connection:
            account = customers.account_named(connection, "acme")
            customers.change_account(connection, msgspec.structs.replace(account, metered=True))
            customers.add_credit(connection, "acme", 5.0, None, 1)
        assert isinstance(await accept(world, 1, 2, segments=2, metered=True), Accepted)
        refused = await accept(world, 3, segments=2, metered=True)
        assert isinstance(refused, Refusal)
        assert refused.kind == "no_credit"
        assert isinstance(await accept(world, 4, metered=True), Accepted)
        assert [row.id for row in world.rows(t.submissions)] == [1, 2, 4]
        assert sum(row.credits for row in world.rows(t.ledger)) == 0
        with world.database.reading() as connection:
            assert customers.balance(connection, "acme") == 0

    run(tmp_path, scenario)


def test_a_repeated_request_gets_its_first_answer_and_sends_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        key = Idempotency(face="rest", key="k", fingerprint="f")
        wrong = Refusal("invalid", "wrong")
        both = await asyncio.gather(accept(world, 1, idempotency=key), accept(world, 2, idempotency=key))
        assert [outcome.answer for outcome in both if isinstance(outcome, Accepted)] == [b"1", b"1"]
        repeated = await accept(world, idempotency=key, otherwise=wrong)
        assert isinstance(repeated, Accepted)
        other = msgspec.structs.replace(key, fingerprint="g")
        conflict = await accept(world, 3, idempotency=other)
        assert isinstance(conflict, Refusal)
        assert conflict.kind == "conflict"
        elsewhere = msgspec.structs.replace(key, face="form")
        assert await accept(world, idempotency=elsewhere, otherwise=wrong) is wrong
        assert isinstance(await accept(world, 4, idempotency=elsewhere), Accepted)
        assert [row.id for row in world.rows(t.submissions)] == [1, 4]

    run(tmp_path, scenario)


def test_each_use_may_renew_the_day_of_a_key(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        key = Idempotency(face="form", key="k", fingerprint="", renews=True)
        await accept(world, 1, idempotency=key)
        (before,) = world.rows(t.idempotency)
        await asyncio.sleep(0.002)
        await accept(world, 2, idempotency=key)
        (after,) = world.rows(t.idempotency)
        assert after.expires_at_ms > before.expires_at_ms
        assert bytes(after.answer) == b"1"

    run(tmp_path, scenario)


def test_it_goes_to_the_link_though_the_caller_fails_and_nowhere_when_it_is_not_stored(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        link = FarLink()
        world.outbox.add(link)

        def fail(_outcome: object) -> None:
            raise RuntimeError("the client is gone")

        account = world.directory.accounts["acme"]
        world.submit.accept(Batch(account=account, metered=False, submissions=(a_submission(1),)), fail)
        await world.settle()
        assert len(link.sent) == 1

        async def refused() -> None:
            def broken(_transaction: Any, _items: list[Any]) -> None:
                raise OSError("disk full")

            world.journal.write(broken, [None], lambda _results, _error: None)
            assert isinstance(await accept(world, 2), StoreUnavailable | Accepted)

        await refused()
        assert len(link.sent) == len(world.rows(t.submissions)), "sent if, and only if, it is stored"

    run(tmp_path, scenario)
