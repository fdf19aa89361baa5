"""Every fate and every fault of the simulator ends in the right report, over a real node."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from homing.links.simulator import Simulator
from homing.links.simulator_fates import FATES, Faults
from tests.journeys.far import Receiver

LONG_REPLY = "A long reply from a phone. " * 12 + "End"
REPLIES = {"short": "Thank you", "long_shuffled": LONG_REPLY, "long_repeated": LONG_REPLY}

CHAOS = (
    "throttled=0.05", "queue-full=0.05", "drop=0.02", "drop-early=0.02", "slow=0.05", "early=0.1",
    "other-bind=0.1", "hex-answer=0.1", "hex-receipt=0.1", "padded=0.1", "twice=0.1", "back=0.1",
    "text-key=0.1", "short=0.1", "hex-err=0.1", "prefixed=0.1", "minimal=0.1", "no-text=0.1",
    "tlv-only=0.2", "bare=0.2", "payload=0.2", "ucs2=0.2", "uuid=0.2", "surrounded=0.2",
    "letter-case=0.2", "odd-octets=0.5",
)  # fmt: skip
"""Everything after which a message is delivered, often enough that each strikes."""


def events(receiver: Receiver, kind: str) -> list[dict[str, Any]]:
    """What was pushed, each event once."""
    made = [json.loads(pushes[0].body) for pushes in receiver.by_event.values()]
    return [event for event in made if event["type"].startswith(kind)]


def statuses(receiver: Receiver) -> dict[str, str]:
    """By recipient, what its newest report says."""
    reports = sorted(events(receiver, "report"), key=lambda event: event["sequence"])
    return {event["to"]: event["status"] for event in reports}


def test_every_fate_ends_in_the_report_of_its_table(journey: Callable[..., Any]) -> None:
    expected = {f"447700900{digits}": fate.expected for digits, fate in FATES.items()}
    told = {number: str(status) for number, status in expected.items() if status is not None}
    replies = {f"447700900{digits}": REPLIES[fate.reply] for digits, fate in FATES.items() if fate.reply}

    async def run() -> None:
        async with journey(format="json", link="binds = 2") as j:
            for number in expected:
                assert (await j.node.send(number, "Hello"))[0] == 200
            await j.receiver.until(
                lambda r: statuses(r) == told and len(events(r, "message")) >= len(replies), 60
            )
            assert {event["from"]: event["text"] for event in events(j.receiver, "message")} == replies
            assert len(events(j.receiver, "message")) == len(replies)
            finals = [event["smsid"] for event in events(j.receiver, "report") if event["final"]]
            assert len(finals) == len(set(finals))

    asyncio.run(run())


def test_whatever_strikes_ends_in_the_right_report(journey: Callable[..., Any]) -> None:
    numbers = [f"447700900{number:03d}" for number in range(300)]
    network = Simulator(
        latency_ms=2, report_delay_ms=20, seed=3, faults=Faults.parse(CHAOS), keeps_records=True
    )

    async def run() -> None:
        async with journey(format="json", link="binds = 3\nreconnect_max_s = 0.2", network=network) as j:
            for number in numbers:
                assert (await j.node.send(number, "Hello"))[0] == 200
            await j.receiver.until(lambda r: statuses(r) == dict.fromkeys(numbers, "DELIVERED"), 60)
            # A line that breaks before the answer may have a message submitted, and reported on, twice.
            assert network.taken >= len(numbers)

    asyncio.run(run())
