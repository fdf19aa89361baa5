"""kill -9 at random instants while MMS come in: every 1000 ends in a push whose content is there, whole."""

import asyncio
import io
import random
import zipfile
from pathlib import Path

import pytest

from tests.journeys.far import (
    PASSWORD,
    NodeProcess,
    Push,
    Receiver,
    config,
    enrol,
    free_port,
    receiving,
    sqlite_url,
)
from tests.journeys.relay import LINK, FarRelay, picture_of

KILLS = 30
RELAYS = 3
TOLERATED_S = 30.0


class MmsHarness:
    """A node, an MMS relay, and a customer who retrieves what he is told of."""

    def __init__(self, node: NodeProcess, receiver: Receiver, chance: random.Random) -> None:
        self.node = node
        self.relay = FarRelay(node)
        self.receiver = receiver
        self.chance = chance
        self.is_flowing = True
        self.retrieved: set[str] = set()
        self.wrong: list[str] = []

    async def send(self, line: int) -> None:
        """One message after the other; what was not acknowledged is sent again."""
        number = 0
        while self.is_flowing:
            number += 1
            await self.send_one(f"T{line}x{number}", self.chance.choice((200, 20_000, 300_000)))

    async def send_one(self, transaction: str, size: int) -> None:
        while self.is_flowing:
            if await self.relay.deliver(transaction, size=size) == 1000:
                return
            await asyncio.sleep(0.02)

    def missing(self) -> set[str]:
        """What was acknowledged and has not been pushed."""
        return self.relay.acknowledged - {push.fields["subject"] for push in self.receiver.pushes}

    async def settle(self) -> set[str]:
        owed = self.missing()
        try:
            async with asyncio.timeout(TOLERATED_S), self.receiver.changed:
                await self.receiver.changed.wait_for(lambda: not owed & self.missing())
        except TimeoutError:
            pass
        return owed & self.missing()

    async def retrieve(self, push: Push) -> None:
        """The content of a push is the picture that the phone sent."""
        query = f"user=acme&pass={PASSWORD}&id={push.fields['id']}"
        status, body = await self.node.get(f"/RetrieveMMS?{query}")
        subject = push.fields["subject"]
        if status != 200:
            self.wrong.append(f"{subject} cannot be retrieved: {status}")
            return
        with zipfile.ZipFile(io.BytesIO(body.encode("latin-1"))) as content:
            octets = content.read("pic.jpg")
        if octets != picture_of(subject, len(octets) - 4) or len(octets) - 4 not in (200, 20_000, 300_000):
            self.wrong.append(f"{subject} is another picture")
        self.retrieved.add(subject)


async def run(directory: Path, kills: int, seed: int) -> MmsHarness:
    chance = random.Random(seed)
    http_port = free_port()
    node = NodeProcess(directory, http_port, config(http_port, free_port(), more=LINK))
    async with receiving() as receiver:
        enrol(sqlite_url(node), "acme", receiver.url, events=("message",), format="mx-mms")
        await node.start()
        harness = MmsHarness(node, receiver, chance)
        flows = [asyncio.ensure_future(harness.send(line)) for line in range(RELAYS)]
        for number in range(kills):
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            await node.kill()
            await node.start()
            left = await harness.settle()
            if left:
                harness.wrong.append(f"after kill {number + 1}: {sorted(left)[:3]} still owed")
        harness.is_flowing = False
        await asyncio.gather(*flows)
        await harness.settle()
        for push in {push.fields["subject"]: push for push in receiver.pushes}.values():
            await harness.retrieve(push)
        assert await node.stop() == 0
    return harness


@pytest.mark.timeout(600)
def test_kill_at_any_instant_loses_no_mms(tmp_path: Path) -> None:
    harness = asyncio.run(run(tmp_path, KILLS, 11))
    pushed = len(harness.receiver.pushes)
    print(f"{len(harness.relay.acknowledged)} acknowledged of {harness.relay.sent} sent, {pushed} pushes")
    assert harness.wrong == []
    assert harness.missing() == set()
    assert harness.retrieved >= harness.relay.acknowledged
    assert len(harness.relay.acknowledged) > KILLS
    events: dict[str, set[str]] = {}
    for push in harness.receiver.pushes:
        events.setdefault(push.fields["subject"], set()).add(push.event)
    assert max(map(len, events.values())) == 1  # what is sent again is known, whatever became of the answer
