"""Intake: durable, then told; with one delivery for every endpoint that wants it, and none for others."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from homing.engine.correlate import ArrivedReceipt
from homing.engine.intake import Arrival
from homing.model.account import Endpoint, Number
from homing.model.clock import now_ms
from homing.model.errors import StoreUnavailable
from homing.model.message import Coding
from homing.store import tables as t
from tests.engine.far import FarLink, World, a_receipt, a_store, a_submission, an_endpoint

Scenario = Callable[[World], Awaitable[None]]
NUMBERS = (
    Number(number="60999", account="other", keyword="win"),
    Number(number="60777", account="acme", network="NET"),
    Number(number="60666", account="acme", keyword="only"),
)


def run(path: Path, scenario: Scenario, *endpoints: Endpoint) -> None:
    async def go() -> None:
        database = a_store(path, *(endpoints or (an_endpoint(),)), numbers=NUMBERS)
        world = World(database)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


def an_arrival(words: str = "hello", recipient: str = "60999", **values: Any) -> Arrival:
    return Arrival(sender="447700900001", recipient=recipient, coding=Coding.TEXT, text=words, **values)


async def take(world: World, *arrivals: Arrival) -> Exception | None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    world.intake.take("sim", arrivals, told.set_result)
    return await told


async def take_receipts(world: World, *receipts: Any) -> Exception | None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    items = [ArrivedReceipt(scope="s", link="sim", at_ms=now_ms(), receipt=receipt) for receipt in receipts]
    world.intake.take_receipts("sim", items, told.set_result)
    return await told


@pytest.mark.parametrize(
    ("recipient", "words", "account", "network"),
    [
        ("60999", "hello", "acme", "link's"),
        ("60999", "WIN a prize", "other", "link's"),
        ("60999", "winner", "acme", "link's"),
        ("60777", "", "acme", "NET"),
        ("60666", "Only\nthis", "acme", "link's"),
        ("60666", "else", None, "link's"),
        ("60111", "nobody's", None, "link's"),
    ],
)
def test_the_number_and_its_first_word_say_whose_message_it_is(
    tmp_path: Path, recipient: str, words: str, account: str | None, network: str
) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, an_arrival(words, recipient, network="link's")) is None
        (row,) = world.rows(t.messages)
        assert (row.account, row.network, row.text) == (account, network, words)
        assert [entry.account for entry in world.rows(t.ledger)] == ([account] if account else [])
        assert len(world.rows(t.deliveries)) == (account == "acme")
        assert world.intake.unrouted == (account is None)

    run(tmp_path, scenario)


def test_every_endpoint_that_wants_it_gets_one_delivery(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, an_arrival(), an_arrival()) is None
        assert [row.endpoint for row in world.rows(t.deliveries)] == [1, 3, 1, 3]
        assert world.intake.received == 2
        await world.settle()
        assert len(world.customer.pushed) == 4

    run(
        tmp_path, scenario, an_endpoint(), an_endpoint(events=("report",)),
        an_endpoint(format="json", method="post"), an_endpoint(account="other"),
    )  # fmt: skip


def test_nothing_is_pushed_before_it_is_durable_nor_answered_well_when_it_is_not(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.database._writing.dispose()
        with world.database.connection() as other:
            other.execute(text("DROP TABLE ledger"))
            other.commit()
        errors = [await take(world, an_arrival()), await take_receipts(world, a_receipt("DELIVRD", "1"))]
        assert isinstance(errors[0], StoreUnavailable)
        await world.settle()
        assert not world.rows(t.messages)
        assert not world.customer.pushed
        assert world.intake.received == 0
        assert errors[1] is None, "each write stands for itself"

    run(tmp_path, scenario)


def test_what_is_claimed_is_pushed_also_when_the_caller_fails(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        def fail(_error: Exception | None) -> None:
            raise RuntimeError("the line is gone")

        world.intake.take("sim", [an_arrival()], fail)
        link = FarLink()
        world.outbox.add(link)
        await world.send(a_submission(1))
        world.outbox.answered(link, [(link.take()[0], 0, "7f")])
        await world.settle()
        receipt = a_receipt("DELIVRD", "7f")
        world.intake.take_receipts(
            "sim", [ArrivedReceipt(scope="s", link="sim", at_ms=now_ms(), receipt=receipt)], fail
        )
        await world.settle()
        assert len(world.customer.pushed) == 2

    run(tmp_path, scenario)


def test_what_receipts_teach_about_a_link_is_shown(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        link = FarLink()
        world.outbox.add(link)
        assert world.intake.learned("sim") == {"id_spelling": None, "unmatched_receipts": 0}
        await world.send(a_submission(1), a_submission(2))
        world.outbox.answered(link, [(o, 0, f"{o.submission.id}7A") for o in link.take()])
        await world.settle()
        receipts = [a_receipt("DELIVRD", str(int(f"{n}7A", 16))) for n in (1, 2)]
        assert await take_receipts(world, *receipts, a_receipt("DELIVRD", "zz")) is None
        assert world.intake.learned("sim") == {"id_spelling": "decimal_to_hex", "unmatched_receipts": 1}
        await world.settle()
        assert len(world.customer.pushed) == 2

    run(tmp_path, scenario)


def test_receipts_that_outran_their_answers_teach_too(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        link = FarLink()
        world.outbox.add(link)
        await world.send(a_submission(1))
        assert await take_receipts(world, a_receipt("DELIVRD", str(0x17A))) is None
        assert world.intake.learned("sim") == {"id_spelling": None, "unmatched_receipts": 1}
        world.outbox.answered(link, [(link.take()[0], 0, "17A")])
        await world.settle()
        assert world.intake.learned("sim") == {"id_spelling": "decimal_to_hex", "unmatched_receipts": 1}

    run(tmp_path, scenario)
