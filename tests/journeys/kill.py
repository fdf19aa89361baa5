"""The kill harness: SIGKILL at random instants while traffic flows both ways.

The network (the simulator, here outside the node) and the customer (a server and a submitter of this
process) keep their own records, and these are the proof. After every restart what was promised before the
kill must come within 2 s; at the end every acknowledged deliver_sm was pushed, every answered SMSSend was
submitted and reported, and a repeated push carries the event id of the first.

    python -m tests.journeys.kill --kills 50 --seed 7
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homing.links.simulator import Simulator
from tests.journeys.far import NodeProcess, Push, Receiver, config, enrol, free_port, receiving, sqlite_url

SETTLE_S = 2.0
"""What was promised before a kill is kept within this time after the node is ready again."""
TOLERATED_S = 30.0
"""How long the harness looks before it says what is missing."""
SENDERS = 4


@dataclass
class Tally:
    """What a run came to."""

    kills: int = 0
    submitted: int = 0
    received: int = 0
    pushes: int = 0
    repeated_pushes: int = 0
    repeated_submits: int = 0
    settle_s: list[float] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        worst, mean = max(self.settle_s), sum(self.settle_s) / len(self.settle_s)
        return (
            f"{self.kills} kills; {self.received} messages acknowledged, "
            f"{self.submitted} submissions answered, {self.pushes} pushes\n"
            f"lost: {len(self.missing)}; stuck or wrong: {len(self.wrong)}; repeated pushes: "
            f"{self.repeated_pushes} (same event id), repeated submit_sm: {self.repeated_submits}\n"
            f"promised before a kill, kept after the restart: mean {mean:.2f} s, worst {worst:.2f} s"
        )


class Owed:
    """What was promised and has not come yet. Reads only what is new in the far sides' records."""

    def __init__(self, network: Simulator, receiver: Receiver, answered: dict[str, str]) -> None:
        self._network = network
        self._receiver = receiver
        self._answered = answered
        self._read = [0, 0, 0, 0]
        self._came: set[str] = set()
        self._due: set[str] = set()

    def now(self) -> set[str]:
        for push in self._new(0, self._receiver.pushes):
            said = push.fields["smsmsg"]
            self._comes(f"message {said}" if "bits" in push.fields else f"report of {said.split()[1]}")
        for text in self._new(1, self._network.submitted_texts):
            self._comes(f"submission {text}")
        for text in self._new(2, self._network.acknowledged_texts):
            self._is_due(f"message {text}")
        for smsid, text in self._new(3, list(self._answered.items())):
            self._is_due(f"submission {text}")
            self._is_due(f"report of {smsid}")
        return set(self._due)

    def _new(self, which: int, record: Sequence[Any]) -> Sequence[Any]:
        start, self._read[which] = self._read[which], len(record)
        return record[start:]

    def _comes(self, what: str) -> None:
        self._came.add(what)
        self._due.discard(what)

    def _is_due(self, what: str) -> None:
        if what not in self._came:
            self._due.add(what)


class Harness:
    """One node, its far sides, and what each of them has seen."""

    def __init__(
        self, node: NodeProcess, network: Simulator, receiver: Receiver, chance: random.Random
    ) -> None:
        self.node = node
        self.network = network
        self.receiver = receiver
        self.chance = chance
        self.answered: dict[str, str] = {}
        """smsid -> the text of the submission, for every 200."""
        self._owed = Owed(network, receiver, self.answered)
        self.phone_texts = 0
        self.is_flowing = True

    async def submit(self, sender: int) -> None:
        """A customer who sends one message after the other, and notes what was answered."""
        number = 0
        while self.is_flowing:
            number += 1
            text = f"s{sender}x{number}"
            status, body = await self.node.send(f"4477009{sender}0{number % 899:03d}", text)
            if status == 200:
                self.answered[body] = text
            else:
                await asyncio.sleep(0.02)

    async def receive(self) -> None:
        """Phones that send, faster and slower."""
        while self.is_flowing:
            for _ in range(self.chance.randint(1, 10)):
                self.phone_texts += 1
                self.network.send_message("447700900123", "60999", f"m{self.phone_texts}")
            await asyncio.sleep(self.chance.uniform(0.02, 0.1))

    def owed(self) -> set[str]:
        """What was promised so far and has not come yet: messages, submissions, reports."""
        return self._owed.now()

    async def settle(self, owed: set[str], limit_s: float) -> tuple[float, set[str]]:
        """How long it takes until nothing of ``owed`` is owed any more, and what still is at the limit."""
        began = time.monotonic()
        changed = self.receiver.changed  # the last of everything that is owed is a push
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s), changed:
                await changed.wait_for(lambda: not owed & self.owed())
        return time.monotonic() - began, owed & self.owed()

    async def kill_once(self, tally: Tally) -> None:
        """Let traffic flow for a moment, kill, restart, and see what was promised kept."""
        await asyncio.sleep(self.chance.uniform(0.05, 0.6))
        await self.node.kill()
        tally.kills += 1
        owed = self.owed()
        await self.node.start()
        took_s, left = await self.settle(owed, TOLERATED_S)
        tally.settle_s.append(took_s)
        if left:
            tally.wrong.append(f"after kill {tally.kills}: {len(left)} still owed, e.g. {sorted(left)[:3]}")


def judge(harness: Harness, tally: Tally) -> None:
    """Read the records of both far sides."""
    tally.missing = sorted(harness.owed())
    tally.submitted = len(harness.answered)
    tally.received = len(set(harness.network.acknowledged_texts))
    tally.pushes = len(harness.receiver.pushes)
    tally.repeated_submits = len(harness.network.submitted_texts) - len(set(harness.network.submitted_texts))
    events_of: dict[str, set[str]] = {}
    for push in harness.receiver.pushes:
        events_of.setdefault(_said(push), set()).add(push.event)
    for event, pushes in harness.receiver.by_event.items():
        tally.repeated_pushes += len(pushes) - 1
        if len({_said(push) for push in pushes}) != 1:
            tally.wrong.append(f"event {event} said different things")
    acknowledged_once = {
        text for text in harness.network.acknowledged_texts if harness.network.attempts[text] == 1
    }
    for said, events in events_of.items():
        if len(events) > 1 and said in acknowledged_once:
            tally.wrong.append(f"{said} was sent once and pushed under several event ids: {events}")


def _said(push: Push) -> str:
    return push.fields["smsmsg"]


async def run(kills: int, seed: int, directory: Path, *, say: bool = False) -> Tally:
    """The whole run; ``tally.missing`` and ``tally.wrong`` must be empty."""
    chance = random.Random(seed)
    network = Simulator(latency_ms=2, report_delay_ms=20, keeps_records=True)
    smsc_port = await network.start("127.0.0.1", 0)
    http_port = free_port()
    node = NodeProcess(directory, http_port, config(http_port, smsc_port, link="window = 50"))
    tally = Tally()
    async with receiving() as receiver:
        enrol(sqlite_url(node), "acme", receiver.url)
        await node.start()
        harness = Harness(node, network, receiver, chance)
        flows = [asyncio.ensure_future(harness.submit(number)) for number in range(SENDERS)]
        flows.append(asyncio.ensure_future(harness.receive()))
        for number in range(kills):
            await harness.kill_once(tally)
            if say:
                print(f"kill {number + 1}: kept after {tally.settle_s[-1]:.2f} s", flush=True)
        harness.is_flowing = False
        await asyncio.gather(*flows)
        await harness.settle(harness.owed(), TOLERATED_S)
        judge(harness, tally)
        await node.stop()
    await network.stop()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="homing-kill-") as directory:
        tally = asyncio.run(run(options.kills, options.seed, Path(directory), say=True))
    print(tally)
    for line in (*tally.missing[:20], *tally.wrong[:20]):
        print(line)
    return 1 if tally.missing or tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
