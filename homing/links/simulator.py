"""The built-in network: an SMPP server that takes submissions, reports on them, and lets phones write.

What becomes of a message is the matter of ``simulator_fates.py``. A message or receipt that a client has
not acknowledged is sent again: at once over the next line when its line broke, after a moment when the answer
was an error. Nothing outlives the process. What clients cause is kept in bounded memory: a submission above
``UNDER_WAY_LIMIT`` is answered ESME_RMSGQFUL, a connection above ``LINES_LIMIT`` is closed at once.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from homing.links.simulator_fates import Fate, Faults, fate_of
from homing.links.simulator_line import Line
from homing.links.simulator_receipts import from_phone, receipt, spell_id, text_of
from homing.model.clock import now_ms
from homing.model.report import Status, read_word
from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_values import ShortMessage

RETRY_S: Final = 0.2
"""After a client's temporary error a delivery is sent again when this has passed."""
SLOWER: Final = 10
"""How many times longer a slow receipt takes."""
STEP_S: Final = 0.05
"""Between two things that must be seen in their order: an early receipt, the answer, a line that breaks."""
UNDER_WAY_LIMIT: Final = 100_000
"""Submissions to be answered or reported on, and deliveries that no client has been sent."""
LINES_LIMIT: Final = 200

_ON_FAILURE_ONLY: Final = 2  # SMPP 3.4 §5.2.17
_SUCCESSES: Final = frozenset({Status.DELIVERED, Status.BUFFERED})


class _Due(msgspec.Struct):
    """A message or receipt on its way to a client."""

    message: ShortMessage
    text: str
    """What a phone wrote; empty for a receipt."""
    system_id: str | None = None
    """Whose it is; None = whoever is bound first."""
    avoid: Line | None = None
    """The line it must not take while there is another."""


class Simulator:
    """See the module. Runs on the loop that ``start`` was awaited on."""

    def __init__(
        self,
        *,
        latency_ms: int = 10,
        report_delay_ms: int = 500,
        password: str | None = None,
        seed: int | None = None,
        faults: Faults | None = None,
        keeps_records: bool = False,
    ) -> None:
        """``password`` None takes any; ``keeps_records`` remembers every text for tests."""
        self._latency_s = latency_ms / 1000
        self._report_delay_s = report_delay_ms / 1000
        self.password = password
        self._faults = faults or Faults()
        self._chance = Random(seed)  # noqa: S311  (plays with fates, keeps no secret)
        self._keeps_records = keeps_records
        # Ids go on over restarts, so that a client with an old store never meets one again.
        self._last_id = time.time_ns() // 1_000_000 << 8
        self._reference = 0
        self._queues: dict[str | None, deque[_Due]] = {}
        """By system_id, so that what waits for one client holds up no other; none is empty."""
        self._timers = 0
        self._tries: Counter[tuple[str, bytes]] = Counter()
        """How often a message that is to be sent again was put off, or lost with its line."""
        self._server: asyncio.Server | None = None
        self.lines: list[Line] = []
        self.taken = 0
        """Submissions answered with an id."""
        self.acknowledged = 0
        """Messages and receipts that clients have."""
        self.sent_again = 0
        """Messages and receipts that clients were sent and did not acknowledge."""
        self.submitted_texts: list[str] = []
        """Texts of all submissions that were taken, repeats too (``keeps_records``)."""
        self.acknowledged_texts: list[str] = []
        """Texts of phones that a client has acknowledged, once for each part (``keeps_records``)."""
        self.attempts: Counter[str] = Counter()
        """How often each text of a phone was sent (``keeps_records``)."""

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system chooses when it is 0."""
        self._loop = asyncio.get_running_loop()
        self._server = await self._loop.create_server(lambda: Line(self), host, port)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Close every line and the listener; what waits is gone."""
        if self._server is not None:
            self._server.close()
            for line in list(self.lines):
                line.drop()
            await self._server.wait_closed()

    def send_message(self, sender: str, recipient: str, text: str) -> None:
        """A phone writes; goes out as soon as a client is bound that can receive.

        ``ValueError`` when no phone can send that. How much may wait is the caller's matter.
        """
        self._reference += 1
        for part in from_phone(sender, recipient, text, self._reference):
            self._enqueue(_Due(part, text))
        self.pump()

    @property
    def waiting(self) -> int:
        """Messages and receipts that no client has been sent yet, or that are to be sent again."""
        return sum(map(len, self._queues.values()))

    # --- what lines tell ---

    def opened(self, line: Line) -> bool:
        """Whether there is room for one more."""
        if len(self.lines) >= LINES_LIMIT:
            return False
        self.lines.append(line)
        return True

    def closed(self, line: Line) -> None:
        if line in self.lines:
            self.lines.remove(line)
        self.pump()

    def submitted(self, line: Line, message: ShortMessage) -> None:
        """A client submits: answer it and report on it, each in its time."""
        if self._timers + self.waiting >= UNDER_WAY_LIMIT:
            line.session.answer(message, CommandStatus.ESME_RMSGQFUL)
            return
        fate = fate_of(message.dest_addr, self._faults, self._chance)
        key = (message.dest_addr, message.octets)
        tries = self._tries[key]
        if tries < len(fate.put_off):
            self._count_try(key)
            self._after(self._latency_s, self._answer, line, message, fate.put_off[tries])
        elif fate.drop == "before_answer" and not tries:
            self._count_try(key)
            self._after(self._latency_s, line.drop)
        else:
            self._tries.pop(key, None)
            if fate.refused is None:
                self._accept(line, message, fate)
            else:
                self._after(self._latency_s, self._answer, line, message, fate.refused)

    def answered(self, due: _Due, status: int) -> None:
        """A client answered a message or receipt: it has it, or it comes again."""
        if status == CommandStatus.ESME_ROK:
            self.acknowledged += 1
            if self._keeps_records and due.text:
                self.acknowledged_texts.append(due.text)
        else:
            self.sent_again += 1
            self._after(RETRY_S, self._send_again, due)

    def unanswered(self, due: _Due) -> None:
        """The line broke, or no answer came: it is the next to go out."""
        self.sent_again += 1
        self._queues.setdefault(due.system_id, deque()).appendleft(due)

    def pump(self) -> None:
        """Send what waits over the lines that have room."""
        touched: set[Line] = set()
        for system_id, queue in list(self._queues.items()):
            while queue and (line := self._line_for(queue[0])) is not None:
                due = queue.popleft()
                if self._keeps_records and due.text:
                    self.attempts[due.text] += 1
                line.deliver(due.message, due)
                touched.add(line)
            if not queue:
                del self._queues[system_id]
        for line in touched:
            line.flush()

    # --- inside ---

    def _line_for(self, due: _Due) -> Line | None:
        able = [
            line
            for line in self.lines
            if line.can_receive and (due.system_id is None or line.system_id == due.system_id)
        ]
        others = [line for line in able if line is not due.avoid]
        return min(others or able, key=lambda line: line.session.outstanding, default=None)

    def _accept(self, line: Line, message: ShortMessage, fate: Fate) -> None:
        self.taken += 1
        if self._keeps_records:
            self.submitted_texts.append(text_of(message))
        self._last_id += 1
        number = self._last_id
        answer = (self._answer, line, message, 0, spell_id(number, fate.answer_spelling))
        report = (self._report, line, message, fate, number)
        if fate.is_early:
            self._report(*report[1:])
            self._after(self._latency_s + STEP_S, *answer)
            return
        self._after(self._latency_s, *answer)
        wait_s = self._latency_s + self._report_delay_s * (SLOWER if fate.is_slow else 1)
        if fate.drop == "after_answer":
            self._after(self._latency_s + STEP_S, line.drop)
            wait_s += 2 * STEP_S
        self._after(wait_s, *report)

    def _after(self, wait_s: float, do: Callable[..., None], *arguments: Any) -> None:
        if wait_s:
            self._timers += 1
            self._loop.call_later(wait_s, self._do, do, arguments)
        else:
            do(*arguments)

    def _do(self, do: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._timers -= 1
        do(*arguments)

    def _count_try(self, key: tuple[str, bytes]) -> None:
        if len(self._tries) >= UNDER_WAY_LIMIT:  # of clients that do not send again
            self._tries.clear()
        self._tries[key] += 1

    @staticmethod
    def _answer(line: Line, message: ShortMessage, status: int, message_id: str = "") -> None:
        line.session.answer(message, status, message_id)
        line.flush()

    def _report(self, line: Line, message: ShortMessage, fate: Fate, number: int) -> None:
        """The receipts of a message one after the other, then what the phone replies."""
        id_ = spell_id(number, fate.receipt_spelling)
        for word in _words_wanted(fate, message.registered_delivery):
            written = receipt(fate.form, id_, number, word, message, now_ms())
            avoid = line if fate.on_other_bind else None
            self._enqueue(_Due(written, "", system_id=line.system_id, avoid=avoid))
        if fate.reply is not None:
            self._reply(message, fate)
        self.pump()

    def _reply(self, message: ShortMessage, fate: Fate) -> None:
        text = "Thank you" if fate.reply == "short" else f"{'A long reply from a phone. ' * 12}End"
        self._reference += 1
        parts = from_phone(message.dest_addr, message.source_addr, text, self._reference)
        if fate.reply == "long_shuffled":
            parts = [parts[-1], *parts[:-1]]
        elif fate.reply == "long_repeated":
            parts = [*parts[:2], *parts[1:]]
        for part in parts:
            self._enqueue(_Due(part, text))

    def _send_again(self, due: _Due) -> None:
        self._enqueue(due)
        self.pump()

    def _enqueue(self, due: _Due) -> None:
        self._queues.setdefault(due.system_id, deque()).append(due)


def _words_wanted(fate: Fate, registered_delivery: int) -> tuple[str, ...]:
    wanted = registered_delivery & 0x03  # SMPP 3.4 §5.2.17
    if wanted == _ON_FAILURE_ONLY:
        return tuple(word for word in fate.words if read_word(word)[0] not in _SUCCESSES)
    return fate.words if wanted else ()
