"""The outbox: durable submissions on their way to a link, until the network has answered every segment.

A submission takes the bound link for its medium with the longest matching prefix, else the first bound one
without prefixes; when none is bound it waits in the store, claimed by nobody. What is held in memory is
bounded; the rest stays in the store and is read when there is room. A temporary answer (throttled, queue
full) is never final: the link rests a moment and the segment is sent again. A segment whose answer never came
is sent again too: at least once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import msgspec
import structlog

from homing.engine.correlate import Answered, Correlator, Matched
from homing.engine.fanout import Claim
from homing.engine.ports import Journal, Link, Outgoing, Transaction
from homing.engine.rows import submission_of
from homing.model.clock import now_ms
from homing.model.delivery import Delivery
from homing.model.errors import StoreUnavailable
from homing.model.message import Medium, Submission
from homing.model.report import Status
from homing.wire.submit_answer import read_command_status

log = structlog.get_logger(__name__)

REST_MIN_MS = 500
REST_MAX_MS = 30_000
"""How long a link rests after a temporary answer: doubling while they keep coming."""
STORE_RETRY_S = 1.0
PAGE = 500
"""Submissions claimed, or claims renewed, in one transaction."""


class _Held(msgspec.Struct):
    """A submission in memory: which segments still need an answer."""

    submission: Submission
    missing: set[int]
    lane: "_Lane"
    until_ms: int
    """When our claim ends, unless it is renewed."""


class _Lane(msgspec.Struct):
    """What waits for one link, and whether the link rests."""

    link: Link
    queue: deque[Outgoing]
    rest_until_s: float = 0.0
    """By the clock that never goes back."""
    rest_ms: int = REST_MIN_MS


class Outbox:
    """Runs on the loop; ``tick`` is called twice a second. Is the ``LinkListener`` of every link."""

    def __init__(
        self,
        *,
        journal: Journal,
        correlator: Correlator,
        claim: Claim,
        offer: Callable[[Sequence[Delivery]], None],
        call_soon: Callable[..., object],
        call_later: Callable[..., object],
        max_in_memory: int,
    ) -> None:
        self._journal = journal
        self._correlator = correlator
        self._claim = claim
        self._offer = offer
        self._call_soon = call_soon
        self._call_later = call_later
        self._max = max_in_memory
        self._lanes: dict[str, _Lane] = {}
        self._routes: dict[Medium, list[tuple[str, _Lane]]] = {"sms": [], "mms": []}
        """Every prefix of every lane, the longest first; of equal ones the lane that was added first."""
        self._pump_due = False
        self._held: dict[int, _Held] = {}
        self._cursor = (0, 0)
        self._reading = False
        self._stopped = False
        self.throttled = 0
        self.resent = 0

    def add(self, link: Link) -> None:
        """Take a link into the order of routing. A link needs its listener first, so they come later."""
        lane = self._lanes[link.name] = _Lane(link=link, queue=deque())
        routes = self._routes[link.medium]
        routes += [(prefix, lane) for prefix in link.prefixes or ("",)]
        routes.sort(key=lambda route: -len(route[0]))

    def has_room(self, submission: Submission) -> bool:
        """Whether a submission made now is held in memory, or left to the store."""
        return (
            not self._stopped
            and (not submission.not_before_ms or submission.not_before_ms <= now_ms())
            and len(self._held) < self._max
            and self._route(submission.recipient, submission.medium) is not None
        )

    def take(self, submissions: Sequence[Submission], until_ms: int) -> None:
        """Hold durable, claimed submissions and send them as their link has room.

        Not at once: all that one commit brings leaves together.
        """
        released = [
            s for s in submissions if not self._place(s, set(range(1, len(s.segments) + 1)), until_ms)
        ]
        self._release(released)
        if not self._pump_due:
            self._pump_due = True
            self._call_soon(self._pump_all)

    def tick(self) -> None:
        """Wake links that have rested, renew claims, and read what waits in the store."""
        self._pump_all()
        self._renew()
        self._read()

    def _read(self) -> None:
        room = self._max - len(self._held)
        if (
            not (self._reading or self._stopped)
            and room > 0
            and any(x.link.is_bound for x in self._lanes.values())
        ):
            self._reading = True
            self._journal.write(self._claim_waiting, [min(room, PAGE)], self._claimed, last=True)

    def stop(self) -> None:
        """Send nothing more; what is unsent stays in the store for the next life."""
        self._stopped = True

    @property
    def waiting(self) -> int:
        """Submissions held in memory."""
        return len(self._held)

    # --- what links tell ---

    def ready(self, link: Link) -> None:
        self._pump(self._lanes[link.name])

    def unbound(self, link: Link) -> None:
        """Another link may take what waited for this one; else it goes back to the store."""
        lane = self._lanes[link.name]
        waiting = dict.fromkeys(outgoing.submission.id for outgoing in lane.queue)
        lane.queue.clear()
        released = []
        for id_ in waiting:
            held = self._held.pop(id_, None)
            if held is not None and not self._place(held.submission, held.missing, held.until_ms):
                released.append(held.submission)
        self._release(released)
        self._pump_all()

    def lost(self, link: Link, segments: Sequence[Outgoing], *, last: bool = False) -> None:
        self.resent += len(segments)
        lane = self._lanes[link.name]
        waiting = len(lane.queue)
        self._put_back(lane, segments)
        if last:
            lane.queue.rotate(waiting - len(lane.queue))
        if not link.is_bound:
            self.unbound(link)  # it may be told late: then another link takes them as well

    def _put_back(self, lane: _Lane, segments: Sequence[Outgoing]) -> None:
        """Queue again, in front, what is still to be sent here: some may have gone another way meanwhile."""
        held = self._held
        lane.queue.extendleft(
            outgoing
            for outgoing in reversed(segments)
            if (known := held.get(outgoing.submission.id)) is not None and known.lane is lane
        )

    def answered(self, link: Link, answers: Sequence[tuple[Outgoing, int, str]]) -> None:
        """Sort a batch of answers: temporary ones go back to the queue, the others are recorded."""
        lane = self._lanes[link.name]
        at_ms = now_ms()
        final: list[Answered] = []
        again: list[Outgoing] = []
        for outgoing, command_status, message_id in answers:
            kind, reason = read_command_status(command_status)
            if kind == "retry":
                again.append(outgoing)
                continue
            submission = outgoing.submission
            held = self._held.get(submission.id)
            if held is not None:
                held.missing.discard(outgoing.number)
            final.append(
                Answered(
                    submission=submission.id,
                    segment=outgoing.number,
                    scope=link.scope,
                    link=link.name,
                    at_ms=at_ms,
                    status=Status.SENT if kind == "sent" else Status.REJECTED,
                    reason=reason,
                    link_message_id=message_id,
                    segment_count=len(submission.segments),
                )
            )
        if again:
            self._rest(lane, again)
        elif final:
            lane.rest_ms = REST_MIN_MS
        if final:
            self._record(final)
        self._pump(lane)

    # --- inside ---

    def _record(self, final: list[Answered]) -> None:
        """Write answers; while the store is in trouble they are kept and tried again."""

        def committed(results: list[Matched] | None, error: Exception | None) -> None:
            if results is None:
                log.error("answers_not_recorded", answers=len(final), error=str(error))
                # One that the store refuses must not hold up the others; to send it again would not help.
                alone = not isinstance(error, StoreUnavailable)
                for part in [[each] for each in final] if alone else [final]:
                    self._call_later(STORE_RETRY_S, self._record, part)
                return
            for answered in final:
                held = self._held.get(answered.submission)
                if held is not None and not held.missing:
                    del self._held[answered.submission]
            for matched in results:
                if matched.held:
                    self._offer(matched.held)

        self._journal.write(self._correlator.record_answers, final, committed)

    def _rest(self, lane: _Lane, again: list[Outgoing]) -> None:
        self.throttled += len(again)
        self._put_back(lane, again)
        now_s = monotonic()
        if now_s >= lane.rest_until_s:
            lane.rest_until_s = now_s + lane.rest_ms / 1000
            self._call_later(lane.rest_ms / 1000, self._pump, lane)
            lane.rest_ms = min(lane.rest_ms * 2, REST_MAX_MS)
        if not lane.link.is_bound:
            self.unbound(lane.link)

    def _pump_all(self) -> None:
        self._pump_due = False
        for lane in self._lanes.values():
            self._pump(lane)

    def _pump(self, lane: _Lane) -> None:
        queue = lane.queue
        if self._stopped or not queue or not lane.link.is_bound or monotonic() < lane.rest_until_s:
            return
        room = min(lane.link.room(), len(queue))
        if room > 0:
            lane.link.submit([queue.popleft() for _ in range(room)])

    def _route(self, recipient: str, medium: Medium) -> _Lane | None:
        """The bound link with the longest matching prefix, else the first bound one without prefixes."""
        for prefix, lane in self._routes[medium]:
            if recipient.startswith(prefix) and lane.link.is_bound:
                return lane
        return None

    def _place(self, submission: Submission, missing: set[int], until_ms: int) -> bool:
        lane = self._route(submission.recipient, submission.medium)
        if lane is None or self._stopped:
            return False
        self._held[submission.id] = _Held(
            submission=submission, missing=missing, lane=lane, until_ms=until_ms
        )
        lane.queue.extend(Outgoing(submission=submission, number=number) for number in sorted(missing))
        return True

    def _renew(self) -> None:
        """Keep claims on what waits long, before another node takes it. Held in the order of their ends."""
        at_ms = now_ms()
        claim = self._claim
        ending: list[_Held] = []
        for held in self._held.values():
            if held.until_ms - at_ms > claim.lease_ms // 2 or len(ending) == PAGE:
                break
            ending.append(held)
        rows = []
        for held in ending:
            id_ = held.submission.id
            held.until_ms = at_ms + claim.lease_ms
            self._held[id_] = self._held.pop(id_)
            rows.append((claim.node, claim.life, held.until_ms, id_))
        if rows:
            self._journal.write(_write_claims, rows, _ignore, last=True)

    def _release(self, submissions: Sequence[Submission]) -> None:
        """Give claims back: no bound link takes these now."""
        if submissions:
            rows = [(None, None, 0, submission.id) for submission in submissions]
            self._journal.write(_write_claims, rows, _ignore, last=True)

    def _claim_waiting(self, transaction: Transaction, limits: list[int]) -> list[Any]:
        """In the journal: claim a page of what waits; pages go round, so that nobody is starved."""
        at_ms = now_ms()
        claim = self._claim
        rows = transaction.waiting_submissions(at_ms, claim.node, claim.life, self._cursor, limits[0])
        is_full = len(rows) == limits[0]
        self._cursor = (rows[-1].not_before_ms, rows[-1].id) if is_full else (0, 0)
        taken = [
            row
            for row in rows
            if row.id not in self._held
            and self._route(row.recipient, "sms" if row.mms is None else "mms") is not None
        ]
        until = at_ms + claim.lease_ms
        transaction.claim_submissions([(claim.node, claim.life, until, row.id) for row in taken])
        answered: dict[int, set[int]] = {}
        for segment in transaction.segments_of([row.id for row in taken if row.segment_count > 1]):
            answered.setdefault(segment.submission, set()).add(segment.number)
        claimed = [
            (submission_of(row), set(range(1, row.segment_count + 1)) - answered.get(row.id, set()), until)
            for row in taken
        ]
        return [(claimed, bool(taken) and is_full)]

    def _claimed(self, results: list[Any] | None, _error: Exception | None) -> None:
        self._reading = False
        if results is None:
            return
        claimed, is_full = results[0]
        released = []
        for submission, missing, until_ms in claimed:
            if submission.id not in self._held and not self._place(submission, missing, until_ms):
                released.append(submission)
        self._release(released)
        self._pump_all()
        if is_full and not released:
            self._read()


def _write_claims(transaction: Transaction, rows: list[Any]) -> None:
    transaction.claim_submissions(rows)


def _ignore(_results: object, error: Exception | None) -> None:
    if error is not None:
        log.warning("claims_not_written", error=str(error))  # their lease ends by itself
