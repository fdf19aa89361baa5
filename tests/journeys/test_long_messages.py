"""Long messages over a whole node: parts for ``mx`` endpoints, the joined text once for ``json`` ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from homing.engine.enrol import EndpointWish, make_endpoint
from homing.links.simulator import Simulator, _Due
from homing.links.simulator_fates import FATES
from homing.links.simulator_receipts import from_phone
from homing.model.account import Number
from homing.store import customers
from homing.store.create import open_store
from tests.journeys.far import NodeProcess, Receiver, config, enrol, free_port, receiving, sqlite_url
from tests.links.smsc import until

PHONE = "447700900123"
REPLY = "A long reply from a phone. " * 12 + "End"
LONG = "Vote now: " + "Grüße für €5, " * 29
PARTS = 3
LATE_S = 1.0
"""How long a part is waited for where one is to be missing."""


class Phones(Simulator):
    """A network that loses, repeats and reorders parts as it is told."""

    def send_parts(self, recipient: str, text: str, numbers: Iterable[int], reference: int) -> None:
        parts = from_phone(PHONE, recipient, text, reference)
        assert len(parts) == PARTS
        for number in numbers:
            self._enqueue(_Due(parts[number - 1], text))
        self.pump()


class Running:
    """A node whose number 60999 belongs to ``acme``, and with the keyword VOTE to ``votes``."""

    def __init__(self, node: NodeProcess, network: Phones, receivers: dict[str, Receiver]) -> None:
        self.node = node
        self.network = network
        self.parts = receivers["acme mx"]
        self.whole = receivers["acme json"]
        self.vote_parts = receivers["votes mx"]
        self.vote_whole = receivers["votes json"]


@asynccontextmanager
async def running(directory: Path, reassembly_s: float = 60) -> AsyncIterator[Running]:
    network = Phones(latency_ms=2, report_delay_ms=20)
    http_port = free_port()
    smsc_port = await network.start("127.0.0.1", 0)
    node = NodeProcess(
        directory, http_port, config(http_port, smsc_port) + f"[intake]\nreassembly_s = {reassembly_s}\n"
    )
    async with receiving() as a, receiving() as b, receiving() as c, receiving() as d:
        receivers = {"acme mx": a, "acme json": b, "votes mx": c, "votes json": d}
        enrol(sqlite_url(node), "acme", a.url, events=("message",))
        enrol(sqlite_url(node), "votes", c.url, events=("message",), number=None)
        database = open_store(sqlite_url(node))
        with database.writing() as connection:
            for account, receiver in (("acme", b), ("votes", d)):
                wish = EndpointWish(account=account, events=("message",), format="json", url=receiver.url)
                customers.add_endpoint(connection, make_endpoint(wish, lambda _url: ()))
            customers.add_number(connection, Number(number="60999", account="votes", keyword="vote"))
        database.close()
        await node.start()
        try:
            yield Running(node, network, receivers)
        finally:
            assert await node.stop() == 0, node.log.read_text()[-4000:]
            await network.stop()


def parts_of(receiver: Receiver) -> dict[int, str]:
    """What an ``mx`` endpoint got of a long message: number of the part -> its text."""
    pushed = [pushes[0].fields for pushes in receiver.by_event.values()]
    numbered = [(int(fields["smsudh"][-2:], 16), fields["smsmsg"]) for fields in pushed if "smsudh" in fields]
    assert len({fields["smsudh"][:-2] for fields in pushed if "smsudh" in fields}) <= 1
    assert len(dict(numbered)) == len(numbered)
    return dict(sorted(numbered))


def joined(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(pushes[0].body) for pushes in receiver.by_event.values()]


async def nothing_more_comes(r: Running, *receivers: Receiver) -> None:
    """What is sent last comes last, and nothing but it."""
    counts = [len(receiver.by_event) for receiver in receivers]
    r.network.send_message(PHONE, "60999", "vote short" if r.vote_parts in receivers else "short")
    for receiver, count in zip(receivers, counts, strict=True):
        await receiver.until(lambda rec: b"short" in rec.pushes[-1].path.encode() + rec.pushes[-1].body)
        assert len(receiver.by_event) == count + 1


@pytest.mark.parametrize(
    "digits", [digits for digits, fate in FATES.items() if fate.reply not in (None, "short")]
)
def test_a_long_reply_comes_in_parts_and_joined(tmp_path: Path, digits: str) -> None:
    async def run() -> None:
        async with running(tmp_path) as r:
            assert (await r.node.send(f"447700900{digits}", "Hello"))[0] == 200
            await r.parts.until(lambda rec: len(parts_of(rec)) == PARTS)
            await r.whole.until(lambda rec: len(rec.by_event) == 1)
            assert "".join(parts_of(r.parts).values()) == REPLY
            (message,) = joined(r.whole)
            assert (message["text"], message["from"], message["to"]) == (
                REPLY,
                f"447700900{digits}",
                "60999",
            )
            assert (message["parts"], message["expected_parts"], message["partial"]) == (PARTS, PARTS, False)
            await nothing_more_comes(r, r.parts, r.whole)

    asyncio.run(run())


def test_what_there_is_goes_out_as_partial_and_a_late_part_is_not_lost(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, LATE_S) as r:
            r.network.send_parts("60998", LONG, [3, 1], 7)  # nobody's number
            text = LONG.replace("Vote", "Hello")
            r.network.send_parts("60999", text, [3, 1], 8)
            await r.parts.until(lambda rec: len(rec.by_event) == 2)
            assert not r.whole.pushes
            await r.whole.until(lambda rec: len(rec.by_event) == 1)
            there = parts_of(r.parts)
            (message,) = joined(r.whole)
            assert message["text"] == there[1] + there[3]
            assert (message["parts"], message["expected_parts"], message["partial"]) == (2, PARTS, True)
            assert r.whole.pushes[0].at - r.parts.pushes[0].at >= LATE_S * 0.9
            r.network.send_parts("60999", text, [2], 8)
            await r.parts.until(lambda rec: len(rec.by_event) == PARTS)
            assert "".join(parts_of(r.parts).values()) == text
            await r.whole.until(lambda rec: len(rec.by_event) == 2)
            assert joined(r.whole)[1]["text"] == parts_of(r.parts)[2]
            assert joined(r.whole)[1]["partial"] is True
            await nothing_more_comes(r, r.parts, r.whole)

    asyncio.run(run())


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 2, 1, 3, 1)])
def test_the_first_part_says_whose_a_message_is(tmp_path: Path, order: tuple[int, ...]) -> None:
    async def run() -> None:
        async with running(tmp_path) as r:
            r.network.send_parts("60999", LONG, order, 9)
            await r.vote_parts.until(lambda rec: len(rec.by_event) == PARTS)
            await r.vote_whole.until(lambda rec: len(rec.by_event) == 1)
            assert "".join(parts_of(r.vote_parts).values()) == LONG
            assert [message["text"] for message in joined(r.vote_whole)] == [LONG]
            await nothing_more_comes(r, r.vote_parts, r.vote_whole)
            assert r.parts.pushes == r.whole.pushes == []

    asyncio.run(run())


def test_without_its_first_part_a_message_goes_to_the_owner_of_the_number(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, LATE_S) as r:
            r.network.send_parts("60999", LONG, [2, 3], 10)
            await r.parts.until(lambda rec: len(rec.by_event) == 2)
            await r.whole.until(lambda rec: len(rec.by_event) == 1)
            assert list(parts_of(r.parts)) == [2, 3]
            assert joined(r.whole)[0]["text"] == "".join(parts_of(r.parts).values())
            assert r.vote_parts.pushes == r.vote_whole.pushes == []

    asyncio.run(run())


def test_parts_wait_for_each_other_over_a_crash(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as r:
            r.network.send_parts("60999", LONG, [3, 2], 11)
            await until(lambda: r.network.acknowledged == 2)
            await r.node.kill()
            await r.node.start()
            r.network.send_parts("60999", LONG, [1], 11)
            await r.vote_parts.until(lambda rec: len(rec.by_event) == PARTS)
            await r.vote_whole.until(lambda rec: len(rec.by_event) == 1)
            assert "".join(parts_of(r.vote_parts).values()) == LONG
            assert joined(r.vote_whole)[0]["text"] == LONG

    asyncio.run(run())
