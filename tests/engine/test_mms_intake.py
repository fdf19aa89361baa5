"""Intake of MMS: one message for each account, durable and spoken of; repetitions are written once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from homing.engine.mms_intake import ArrivedMms
from homing.engine.rows import message_of
from homing.model.account import Number
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content, Part
from homing.store import tables as t
from tests.engine.far import World, a_store, an_endpoint

Scenario = Callable[[World], Awaitable[None]]
CONTENT = Content(
    sha256="ab" * 32, size=500,
    parts=(Part(name="a.gif", content_type="image/gif", size=9, offset=80, sha256="cd" * 32),),
)  # fmt: skip
NUMBERS = (
    Number(number="60888", account="other", network="NET", carrier_code="23415"),
    Number(number="60777", account="acme"),
    Number(number="60999", account="other", keyword="win"),
)


def run(path: Path, scenario: Scenario) -> None:
    async def go() -> None:
        json = an_endpoint(format="json", unknown_as=None, events=("message",))
        database = a_store(path, an_endpoint(), json, numbers=NUMBERS)
        world = World(database)
        try:
            await scenario(world)
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


def an_mms(*recipients: str, **values: Any) -> ArrivedMms:
    made: dict[str, Any] = {
        "sender": "447700900001", "recipients": recipients or ("60999",), "to": ("60999", "447700900002"),
        "cc": ("447700900003",), "subject": "Hé", "text": "hello", "content": CONTENT, "transaction": "T1",
    }  # fmt: skip
    return ArrivedMms(**(made | values))


async def take(world: World, mms: ArrivedMms) -> Exception | None:
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    world.mms_intake.take("mms", mms, told.set_result)
    return await told


def test_all_of_it_is_written(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, an_mms()) is None
        (row,) = world.rows(t.messages)
        message = message_of(row)
        assert message.mms is not None
        assert (message.account, message.sender, message.recipient, message.text, message.link) == (
            "acme", "447700900001", "60999", "hello", "mms",
        )  # fmt: skip
        assert (message.mms.subject, message.mms.to, message.mms.cc) == (
            "Hé", ("60999", "447700900002"), ("447700900003",),
        )  # fmt: skip
        assert message.mms.content == CONTENT
        assert message.mms.expires_at_ms == message.at_ms + 7 * 86_400_000
        (content,) = world.rows(t.contents)
        assert tuple(content) == ("acme", CONTENT.sha256, message.id, message.mms.expires_at_ms)
        (entry,) = world.rows(t.ledger)
        assert (entry.kind, entry.account, entry.id) == ("message", "acme", message.id)
        # The mx format has no words for an MMS; json has.
        assert [(row.event, row.endpoint, row.kind) for row in world.rows(t.deliveries)] == [
            (message.id, 2, "message")
        ]
        await world.settle()
        assert len(world.customer.pushed) == 1

    run(tmp_path, scenario)


def test_each_account_gets_one_and_all_share_the_content(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, an_mms("447700900002", "60777", "60888", "60999")) is None
        messages = world.rows(t.messages)
        assert [(row.account, row.recipient, row.network, row.carrier_code) for row in messages] == [
            ("acme", "60777", None, None), ("other", "60888", "NET", "23415"),
        ]  # fmt: skip
        assert [row.account for row in world.rows(t.contents)] == ["acme", "other"]

    run(tmp_path, scenario)


@pytest.mark.parametrize("values", [{"text": "WIN now"}, {"text": "", "subject": "win"}])
def test_a_keyword_stands_in_the_text_or_else_in_the_subject(tmp_path: Path, values: dict[str, str]) -> None:
    async def scenario(world: World) -> None:
        await take(world, an_mms(**values))
        assert [row.account for row in world.rows(t.messages)] == ["other"]

    run(tmp_path, scenario)


def test_what_is_to_nobody_is_kept(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, an_mms("447700900009", "447700900008")) is None
        assert [(row.account, row.recipient) for row in world.rows(t.messages)] == [(None, "447700900009")]
        assert [row.account for row in world.rows(t.contents)] == [""]
        assert (world.rows(t.ledger), world.rows(t.deliveries)) == ([], [])
        assert world.mms_intake.unrouted == 1

    run(tmp_path, scenario)


def test_a_repetition_is_written_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        answers = await asyncio.gather(*(take(world, an_mms()) for _ in range(3)))
        assert answers == [None] * 3
        assert len(world.rows(t.messages)) == len(world.rows(t.deliveries)) == 1
        assert (world.mms_intake.received, world.mms_intake.repeated) == (1, 2)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "447700900002"}, {"subject": "other"}, {"recipients": ("60777",)}, {"transaction": "T2"},
        {"content": msgspec.structs.replace(CONTENT, sha256="ef" * 32)},
    ],
)  # fmt: skip
def test_what_says_something_else_is_another_one(tmp_path: Path, change: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        await take(world, an_mms())
        await take(world, an_mms(**change))
        assert len(world.rows(t.messages)) == 2

    run(tmp_path, scenario)


def test_without_a_transaction_nothing_is_a_repetition(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await take(world, an_mms(transaction=""))
        await take(world, an_mms(transaction=""))
        assert len(world.rows(t.messages)) == 2

    run(tmp_path, scenario)


def test_when_the_store_refuses_nothing_is_written_and_that_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await world.write(lambda tx: tx.connection.execute(text("PRAGMA query_only = ON")) and None)
        assert isinstance(await take(world, an_mms()), StoreUnavailable)
        assert world.rows(t.messages) == world.rows(t.contents) == []
        assert await take(world, an_mms()) is None  # on a fresh connection
        assert len(world.rows(t.messages)) == 1

    run(tmp_path, scenario)
