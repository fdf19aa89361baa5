"""The built-in network: an SMPP server that takes submissions, reports on them, and lets phones write.

What becomes of a message is the matter of ``simulator_fates.py``. A message or receipt that a client has
not acknowledged is sent again: at once over the next line when its line broke, after a moment when the answer
was an error. Nothing outlives the process. What is kept in memory is bounded: submissions above
``QUEUE_LIMIT`` waiting deliveries are answered ESME_RMSGQFUL.
"""

import asyncio
import time
from collections import Counter, deque
from random import Random

import msgspec

from homing.links.simulator_fates import Fate, Faults, fate_of
from homing.links.simulator_line import Line
from homing.links.simulator_receipts import from_phone, receipt, spell_id, text_of
from homing.model.clock import now_ms
from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_values import ShortMessage

RETRY_S = 0.2
"""After a client's temporary error a delivery is sent again when this has passed."""
SLOWER = 10
"""How many times longer a slow receipt takes."""
QUEUE_LIMIT = 100_000


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
        self._queue: deque[_Due] = deque()
        self._put_off: Counter[tuple[str, str]] = Counter()
        self._dropped: set[tuple[str, str]] = set()
        self._server: asyncio.Server | None = None
        self.lines: list[Line] = []
        self.taken = 0
        self.acknowledged = 0
        self.submitted_texts: list[str] = []
        """Texts of all submissions that were taken, repeats too (``keeps_records``)."""
        self.acknowledged_texts: list[str] = []
        """Texts of phones that a client has acknowledged (``keeps_records``)."""
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
        """A phone writes; goes out as soon as a client is bound that can receive."""
        self._reference += 1
        for part in from_phone(sender, recipient, text, self._reference):
            self._queue.append(_Due(part, text))
        self.pump()

    @property
    def waiting(self) -> int:
        """Messages and receipts that no client has been sent yet."""
        return len(self._queue)

    # --- what lines tell ---

    def submitted(self, line: Line, message: ShortMessage) -> None:
        """A client submits: answer it and report on it, each in its time."""
        key = (message.dest_addr, text_of(message))
        fate = fate_of(message.dest_addr, self._faults, self._chance)
        if len(self._queue) >= QUEUE_LIMIT:
            self._answer_later(line, message, CommandStatus.ESME_RMSGQFUL)
            return
        if self._put_off[key] < len(fate.put_off):
            self._put_off[key] += 1
            self._answer_later(line, message, fate.put_off[self._put_off[key] - 1])
            return
        self._put_off.pop(key, None)
        if fate.refused is not None:
            self._answer_later(line, message, fate.refused)
            return
        if fate.drop == "before_answer" and key not in self._dropped:
            self._dropped.add(key)
            self._loop.call_later(self._latency_s, line.drop)
            return
        self._accept(line, message, fate, key)

    def answered(self, due: _Due, status: int) -> None:
        """A client answered a message or receipt: it has it, or it comes again."""
        if status == CommandStatus.ESME_ROK:
            self.acknowledged += 1
            if self._keeps_records and due.text:
                self.acknowledged_texts.append(due.text)
        else:
            self._loop.call_later(RETRY_S, self._send_again, due)

    def unanswered(self, due: _Due) -> None:
        """The line broke, or no answer came: it is the next to go out."""
        self._queue.appendleft(due)

    def pump(self) -> None:
        """Send what waits over the lines that have room."""
        held: list[_Due] = []
        touched: set[Line] = set()
        while self._queue and any(line.can_receive for line in self.lines):
            due = self._queue.popleft()
            line = self._line_for(due)
            if line is None:
                held.append(due)
                continue
            if self._keeps_records and due.text:
                self.attempts[due.text] += 1
            line.deliver(due.message, due)
            touched.add(line)
        self._queue.extendleft(reversed(held))
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

    def _accept(self, line: Line, message: ShortMessage, fate: Fate, key: tuple[str, str]) -> None:
        self.taken += 1
        if self._keeps_records:
            self.submitted_texts.append(key[1])
        self._last_id += 1
        number = self._last_id
        if fate.is_early:
            self._report(line, message, fate, number)
            self._loop.call_later(self._latency_s + 0.05, self._answer, line, message, 0, number, fate)
            return
        self._answer_later(line, message, 0, number, fate)
        drops = fate.drop == "after_answer" and key not in self._dropped
        if drops:
            self._dropped.add(key)
            self._loop.call_later(self._latency_s + 0.02, line.drop)
        if message.registered_delivery & 0x03 or fate.reply:  # SMPP 3.4 §5.2.17
            wait_s = self._latency_s + self._report_delay_s * (SLOWER if fate.is_slow else 1)
            wait_s += 0.05 if drops else 0.0
            self._loop.call_later(wait_s, self._report, line, message, fate, number)

    def _answer_later(
        self, line: Line, message: ShortMessage, status: int, number: int = 0, fate: Fate | None = None
    ) -> None:
        if self._latency_s:
            self._loop.call_later(self._latency_s, self._answer, line, message, status, number, fate)
        else:
            self._answer(line, message, status, number, fate)

    @staticmethod
    def _answer(line: Line, message: ShortMessage, status: int, number: int, fate: Fate | None) -> None:
        id_ = "" if fate is None else spell_id(number, fate.answer_spelling)
        line.session.answer(message, status, id_)
        line.flush()

    def _report(self, line: Line, message: ShortMessage, fate: Fate, number: int) -> None:
        """The receipts of a message one after the other, then what the phone replies."""
        id_ = spell_id(number, fate.receipt_spelling)
        if message.registered_delivery & 0x03:
            for word in fate.words:
                written = receipt(fate.form, id_, number, word, message, now_ms())
                avoid = line if fate.on_other_bind else None
                self._queue.append(_Due(written, "", system_id=line.system_id, avoid=avoid))
        if fate.reply is not None:
            self._reply(message, fate)
        self.pump()

    def _reply(self, message: ShortMessage, fate: Fate) -> None:
        sender, recipient = message.dest_addr, message.source_addr
        if fate.reply == "short":
            self.send_message(sender, recipient, "Thank you")
            return
        text = f"{'A long reply from a phone. ' * 12}End"
        self._reference += 1
        parts = from_phone(sender, recipient, text, self._reference)
        order = [parts[-1], *parts[:-1]] if fate.reply == "long_shuffled" else [*parts[:2], *parts[1:]]
        self._queue.extend(_Due(part, text) for part in order)

    def _send_again(self, due: _Due) -> None:
        self._queue.append(due)
        self.pump()
