"""An MMS from a link to a customer: durable, dispatched, and pushed whole, over real sockets and stores."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homing.engine.mms_intake import ArrivedMms
from homing.model.account import Endpoint
from homing.model.mms import Content
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from tests.engine.far import World, a_store, an_endpoint
from tests.push.customer import transport
from tests.push.uploads import Far, Serve, keep, octets_of, server

Scenario = Callable[[World, Far, Content], Awaitable[None]]


def answering(*statuses: int) -> Serve:
    """A server that answers with these, one for each request, and then with 200."""

    async def serve(
        far: Far, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int
    ) -> None:
        far.bodies.append(await reader.readexactly(length))
        status = statuses[far.requests - 1] if far.requests <= len(statuses) else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nOK" % status)

    return serve


def run(path: Path, scenario: Scenario, *statuses: int) -> None:
    blobs = LocalBlobs(path / "mms")

    async def go() -> None:
        content = keep(blobs, b"\xff\xd8 a picture" * 40_000)
        async with server(answering(*statuses)) as far, transport(open_content=blobs.open) as push:
            url = f"http://127.0.0.1:{far.target.port}/in"
            database = a_store(path, mms_endpoint(url=url))
            world = World(database, pusher=push, retry_s=[0.01, 0.01])
            try:
                await scenario(world, far, content)
                assert all(octets_of(blobs, content) in body for body in far.bodies)
            finally:
                world.stop()
                database.close()

    asyncio.run(go())


def mms_endpoint(**values: Any) -> Endpoint:
    made = {"format": "mx-mms", "method": "multipart", "charset": "utf-8", "unknown_as": None}
    return an_endpoint(events=("message", "mms-report"), **made | values)


async def receive(world: World, content: Content) -> None:
    """As a link hands over what a phone sent."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    arrived = ArrivedMms(
        sender="447700900001", recipients=("60999",), to=("60999",), subject="Hi", content=content
    )
    world.mms_intake.take("mm7", arrived, told.set_result)
    assert await told is None


async def settled(world: World) -> Any:
    """The one delivery, when it is pending no more."""

    async def wait() -> Any:
        while True:
            world.dispatch.tick()
            await world.settle()
            (row,) = world.rows(t.deliveries)
            if row.state:
                return row

    return await asyncio.wait_for(wait(), 20)


@pytest.mark.parametrize("failures", [0, 1])
def test_an_mms_is_pushed_with_its_content_and_again_when_it_was_not_taken(
    tmp_path: Path, failures: int
) -> None:
    async def scenario(world: World, far: Far, content: Content) -> None:
        await receive(world, content)
        row = await settled(world)
        assert (row.state, row.attempt, row.answer) == (1, 1 + failures, b"OK")
        assert len(far.bodies) == 1 + failures
        assert re.sub(rb"expiry.*", b"", far.bodies[0], flags=re.DOTALL) == re.sub(
            rb"expiry.*", b"", far.bodies[-1], flags=re.DOTALL
        )
        assert str(row.event).encode() in far.bodies[0]
        assert world.dispatch.delivered == 1

    run(tmp_path, scenario, *[500] * failures)


def test_a_content_that_is_gone_is_a_failed_attempt_that_says_so(tmp_path: Path) -> None:
    async def scenario(world: World, far: Far, content: Content) -> None:
        await receive(world, Content(sha256="0" * 64, size=content.size, parts=content.parts))
        row = await settled(world)
        assert (row.state, row.attempt) == (2, 3)
        assert far.requests == 0
        assert [each.error for each in world.rows(t.attempts)] == ["the content is gone"] * 3

    run(tmp_path, scenario)
