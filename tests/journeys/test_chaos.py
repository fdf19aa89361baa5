"""Every fault switch for fifty messages, and every fate, at once over one node, in the MX format.

Each switch is a network of its own behind a link of its own, so that what a link learns can be seen too.
"""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from homing.links.simulator import Simulator
from homing.links.simulator_fates import FATES, FAULTS, Fate, Faults
from homing.model.report import FINAL, Status
from homing.store import tables as t
from homing.store.create import open_store
from tests.journeys.far import (
    PASSWORD,
    NodeProcess,
    Receiver,
    config,
    enrol,
    free_port,
    receiving,
    sqlite_url,
)
from tests.links.smsc import until

MESSAGES = 50
LINK = """
[[link]]
name = "{name}"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "journey"
password = "journey"
binds = 2
window = 50
reconnect_min_s = 0.1
reconnect_max_s = 0.3
prefixes = ["{prefix}"]
"""
SPELLINGS = {
    "hex-answer": "decimal_to_hex",
    "hex-receipt": "hex_to_decimal",
    "padded": "same",
    "letter-case": "same",
    "uuid": "same",
    "lost": None,
}
"""What a link has learned of how its network spells ids."""
TOLD = {Status.BUFFERED, Status.DELIVERED, Status.FAILED, Status.REJECTED}
"""What the MX format has a word for."""
REPLY_PARTS = {None: 0, "short": 1, "long_shuffled": 3, "long_repeated": 3}


class Ward(NamedTuple):
    """A network with one fault (or none, for the fates of its numbers), and who is sent to over it."""

    name: str
    network: Simulator
    prefix: str
    fates: dict[str, Fate]


def wards() -> list[Ward]:
    made = []
    for n, (switch, digits) in enumerate(FAULTS.items()):
        prefix = f"4477{n:02d}"
        network = Simulator(latency_ms=5, report_delay_ms=20, faults=Faults.parse([switch]))
        numbers = {f"{prefix}000{m:03d}": FATES[digits] for m in range(MESSAGES)}
        made.append(Ward(switch, network, prefix, numbers))
    numbers = {f"447900000{digits}": fate for digits, fate in FATES.items()}
    return [*made, Ward("smsc", Simulator(latency_ms=5, report_delay_ms=20), "4479", numbers)]


async def send_to_all(node: NodeProcess, numbers: list[str]) -> dict[str, str]:
    """One broadcast; returns the id that was answered for each number."""
    body = (
        f"user=acme&pass={PASSWORD}&smsfrom=60999&smsmsg=Hello&report=7&smsto={'%0A'.join(numbers)}".encode()
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", node.http_port)
    writer.write(
        b"POST /sms/v1/bulksend HTTP/1.1\r\nHost: node\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200")
    return dict(zip(numbers, answer.decode().splitlines(), strict=True))


def reports(receiver: Receiver) -> dict[str, list[str]]:
    """By submission, the words of its reports, each event once."""
    said: dict[str, list[str]] = {}
    for pushes in receiver.by_event.values():
        word, *rest = pushes[0].fields["smsmsg"].split()
        if word == "REPORT":
            said.setdefault(rest[0], []).append(rest[1])
    return said


def is_told(words: list[str], expected: Status) -> bool:
    finals = [word for word in words if Status(word) in FINAL]
    return finals == [expected] if expected in FINAL else bool(words) and not finals


def statuses(node: NodeProcess) -> dict[str, str]:
    """What the trace of each number's submission says."""
    database = open_store(sqlite_url(node))
    try:
        with database.reading() as connection:
            rows = connection.execute(sa.select(t.submissions.c.recipient, t.submissions.c.status)).all()
            return {row.recipient: row.status for row in rows}
    finally:
        database.close()


def test_every_switch_and_every_fate_ends_in_the_right_report(tmp_path: Path) -> None:
    asyncio.run(run(tmp_path))


async def run(directory: Path) -> None:
    all_wards = wards()
    ports = [await ward.network.start("127.0.0.1", 0) for ward in all_wards]
    links = "".join(
        LINK.format(name=ward.name, port=port, prefix=ward.prefix)
        for ward, port in zip(all_wards[:-1], ports, strict=False)
    )
    http_port = free_port()
    node = NodeProcess(
        directory, http_port, config(http_port, ports[-1], link=f'binds = 2\nprefixes = ["4479"]{links}')
    )
    async with receiving() as receiver:
        enrol(sqlite_url(node), "acme", receiver.url)
        await node.start()
        try:
            fates = {number: fate for ward in all_wards for number, fate in ward.fates.items()}
            ids = await send_to_all(node, list(fates))
            await judge_reports(receiver, node, ids, fates)
            await judge_links(node, all_wards)
            await judge_counters(node)
        finally:
            assert await node.stop() == 0, node.log.read_text()[-4000:]
    for ward in all_wards:
        assert ward.network.taken >= sum(fate.refused is None for fate in ward.fates.values()), ward.name
        await ward.network.stop()


async def judge_reports(
    receiver: Receiver, node: NodeProcess, ids: dict[str, str], fates: dict[str, Fate]
) -> None:
    told = {ids[number]: fate.expected for number, fate in fates.items() if fate.expected in TOLD}
    replies = sum(REPLY_PARTS[fate.reply] for fate in fates.values())
    said: dict[str, list[str]] = {}

    def is_complete(r: Receiver) -> bool:
        if len(r.by_event) < len(told) + replies:
            return False
        said.update(reports(r))
        return len(said) >= len(told) and sum(map(len, said.values())) + replies <= len(r.by_event)

    try:
        await receiver.until(is_complete, 60)
        await until(
            lambda: (
                not [
                    number
                    for number, status in statuses(node).items()
                    if status != (fates[number].expected or Status.SENT)
                ]
            ),
            20,
        )
    finally:
        said.update(reports(receiver))
        missing = Counter(
            fates[number].about
            for number, id_ in ids.items()
            if (expected := told.get(id_)) is not None and not is_told(said.get(id_, []), expected)
        )
        assert not missing
    # UNKNOWN has no MX word, and what nothing was heard of has no report: the trace alone says so.
    assert said.keys() == told.keys()
    # A line that breaks may bring one twice; parts that a phone repeats come once.
    pushed = [pushes[0].fields for pushes in receiver.by_event.values()]
    messages = {
        (fields["smsfrom"], fields.get("smsudh"), fields["smsmsg"]) for fields in pushed if "bits" in fields
    }
    assert len(messages) == replies


async def judge_links(node: NodeProcess, all_wards: list[Ward]) -> None:
    links: dict[str, dict[str, Any]] = {
        link["name"]: link for link in json.loads((await node.get("/readyz"))[1])["links"]
    }
    assert {ward.name for ward in all_wards} <= links.keys()
    assert {name: links[name]["id_spelling"] for name in SPELLINGS} == SPELLINGS
    assert links["early"]["unmatched_receipts"]
    assert links["drop"]["reconnects"] > 0
    assert links["throttled"]["throttled"] == 2 * MESSAGES
    assert links["queue-full"]["throttled"] == MESSAGES


async def judge_counters(node: NodeProcess) -> None:
    """What comes again tells nobody anything, so that only the counters say when all of it has come."""
    at_least = {
        "homing_receipts_repeated_total": MESSAGES,  # twice; of two binds, what goes back may be in order
        "homing_segments_throttled_total": 3 * MESSAGES,
        "homing_parts_repeated_total": MESSAGES + 1,
    }
    counted: dict[str, float] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while not counted or any(counted[name] < count for name, count in at_least.items()):
                lines = (await node.get("/metrics"))[1].splitlines()
                counted = {n: float(v) for n, v in (x.rsplit(" ", 1) for x in lines if x[0] != "#")}
    assert {name: counted[name] for name in at_least if counted[name] < at_least[name]} == {}
