"""Dispatch: gives each due delivery a slot of its destination's window, and records how the attempt came out.

The destination is the endpoint: each has its own queue, window and pause, so a slow or dead customer
holds up nobody else, and what waits for him in memory is bounded; the rest stays in the store and is
read when there is room. Time spent throttled, paused or behind a dead destination spends no attempt.

Runs on the loop. Outcomes of one turn of the loop are recorded together; nothing here makes a task, a
timer or a statement per delivery.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from random import random
from time import monotonic

import structlog

from homing.engine.claiming import Claimed, Claiming, find_due
from homing.engine.destination import Destination
from homing.engine.directory import Directory
from homing.engine.fanout import Claim, due_at_birth
from homing.engine.outcomes import DEAD, DELIVERED, Outcomes, attempt_row, finished_row, record_outcomes
from homing.engine.ports import Journal, Pusher
from homing.engine.schedule import decide
from homing.model.account import Endpoint
from homing.model.clock import now_ms
from homing.model.delivery import (
    Answer,
    Delivery,
    Refused,
    Retry,
)
from homing.model.errors import StoreUnavailable

log = structlog.get_logger(__name__)

STORE_RETRY_S = 1.0
FLUSH_S = 0.005
"""Outcomes wait this long for company: nobody is kept waiting by them, and a commit costs more than a row."""
POLL_S = 1.0
"""How often the store is asked who has something due: work of commands, other nodes, and lapsed leases."""
READ_MIN, READ_MAX = 64, 500
"""Deliveries claimed in one read of the store for one destination."""
GONE_HOLD_S = 10.0
"""An endpoint that is gone gets nothing meanwhile; by then the store has paused it, and every node knows."""
IDLE_S = 30.0
"""What has had nothing to do for so long is forgotten, so that memory is for those who are busy."""
UNRECORDED_LIMIT = 10_000
"""Outcomes waiting for a store in trouble; beyond it no further attempt is made."""

_by_endpoint = attrgetter("endpoint")


class Dispatch:
    """Implements ``engine.ports.Room``. ``tick`` is called ten times a second."""

    def __init__(
        self,
        *,
        journal: Journal,
        directory: Callable[[], Directory],
        claim: Claim,
        pusher: Pusher,
        retry_s: dict[str, Sequence[float]],
        give_up_ms: int,
        max_in_memory: int,
        max_per_endpoint: int,
        call_soon: Callable[..., object],
        call_later: Callable[..., object],
    ) -> None:
        self._journal = journal
        self._directory = directory
        self._claiming = Claiming(claim)
        self._pusher = pusher
        self._retry_s = retry_s
        self._give_up_ms = give_up_ms
        self._max = max_in_memory
        self._max_per_endpoint = max_per_endpoint
        self._call_soon = call_soon
        self._call_later = call_later
        self._destinations: dict[int, Destination] = {}
        self._outcomes = Outcomes()
        self._flush_due = False
        self._unrecorded = 0
        self._failing = 0
        self._next_poll_s = 0.0
        self._next_idle_s = 0.0
        self._polling = False
        self._stopped = False
        self.in_memory = 0
        self.in_flight = 0
        self.delivered = 0
        self.retried = 0
        self.dead = 0

    # --- room and offers: what was just written ---

    def room_for(self, endpoint: Endpoint, count: int) -> int:
        """How many of so many deliveries made now may be held in memory, the first ones.

        The others wait in the store, in their turn.
        """
        destination = self._destinations.get(endpoint.id)
        if destination is None:
            directory = self._directory()
            if self._stopped or directory.is_parked(endpoint):
                return 0
            is_plain = endpoint.concurrency > 1 and endpoint.digest_min is None
            if is_plain and count <= min(self._max - self.in_memory, self._max_per_endpoint):
                return count
            destination = self._destinations.setdefault(endpoint.id, self._make(endpoint, directory))
            if destination.is_ordered:
                # Older ones may be there, of a former life or from before it was forgotten.
                destination.in_store = True
        room = self._max_per_endpoint - len(destination.queue)
        if room > self._max - self.in_memory:
            room = self._max - self.in_memory
        if (
            destination.in_store
            or destination.window.is_dead
            or destination.hold_until_s
            or ((destination.reading or room < count) and destination.is_ordered)
            or destination.is_parked
            or self._stopped
        ):
            room = 0
        if room >= count:
            return count
        destination.in_store = True
        return max(room, 0)

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries that are committed and claimed, and start what the windows allow."""
        now = now_ms()
        self.in_memory += len(deliveries)
        for id_, group in groupby(deliveries, _by_endpoint):
            destination = self._destination(id_)
            if destination is None or destination.is_parked or self._stopped:  # since they were made
                for delivery in group:
                    self._release(delivery)
            elif (destination.in_store or destination.hold_until_s) and destination.is_ordered:
                # Since they were made, an older one has gone back to the store.
                self._settle_first(destination)
                for delivery in group:
                    self._release(delivery, True)
            else:
                destination.queue.extend(group)
                self._pump(destination, now)

    def tick(self) -> None:
        """Probe, drain, refill: whatever is due by time rather than by an event."""
        now = now_ms()
        now_s = monotonic()
        if now_s >= self._next_poll_s and not self._polling and not self._stopped:
            self._polling = True
            self._next_poll_s = now_s + POLL_S
            self._journal.write(find_due, [now], self._polled, last=True)
        for destination in list(self._destinations.values()):
            if not destination.is_idle:
                self._pump(destination, now)
        if now_s >= self._next_idle_s:
            self._next_idle_s = now_s + IDLE_S
            self._forget_idle()

    def directory_changed(self) -> None:
        """Take over new limits; give up what is held for endpoints that are gone or parked."""
        directory = self._directory()
        for id_, destination in list(self._destinations.items()):
            endpoint = directory.endpoints.get(id_)
            if endpoint is None or directory.is_parked(endpoint):
                # Attempts under way count for the window if it is resumed before they end.
                self._release_queue(destination)
                destination.is_parked = True
                if not destination.window.in_flight:
                    del self._destinations[id_]
                continue
            if destination.is_parked:
                destination.is_parked = False
                destination.in_store = True
            destination.format = directory.formats[id_]
            if endpoint != destination.endpoint:
                destination.take_over(endpoint)
        self._next_poll_s = 0.0

    def stop(self) -> None:
        """Start no further attempt; give back what is queued. Attempts in flight still end."""
        self._stopped = True
        for destination in list(self._destinations.values()):
            self._release_queue(destination)

    # --- one destination ---

    def _destination(self, id_: int) -> Destination | None:
        """That of an endpoint that may be pushed to."""
        destination = self._destinations.get(id_)
        if destination is None:
            directory = self._directory()
            endpoint = directory.endpoints.get(id_)
            if endpoint is not None and not directory.is_parked(endpoint):
                destination = self._destinations[id_] = self._make(endpoint, directory)
        else:
            destination.is_used = True
        return destination

    @staticmethod
    def _make(endpoint: Endpoint, directory: Directory) -> Destination:
        made = Destination(endpoint, directory.formats[endpoint.id])
        made.wait_for_digest(now_ms(), monotonic())
        return made

    def _forget_idle(self) -> None:
        for id_, destination in list(self._destinations.items()):
            if destination.is_used:
                destination.is_used = False
            elif destination.is_idle:
                del self._destinations[id_]

    def _pump(self, destination: Destination, now: int) -> None:
        """Start what the window allows, then see to more if the queue runs low."""
        if self._stopped or self._unrecorded > UNRECORDED_LIMIT:
            return
        if destination.is_parked:
            if not destination.window.in_flight:
                self._destinations.pop(destination.endpoint.id, None)
            return
        if destination.hold_until_s:
            if monotonic() < destination.hold_until_s:
                return
            destination.hold_until_s = 0.0
            destination.in_store = True
        destination.is_used = True
        queue = destination.queue
        if queue:
            ended_ms = now + self._give_up_ms
            for _ in range(min(len(queue), destination.window.room(now))):
                if queue[0].lease_until_ms < ended_ms:
                    # An attempt might outlive the lease: claim it anew, and in its order all behind it.
                    self._release_queue(destination)
                    break
                self._start(destination, queue.popleft(), now)
        if (destination.in_store or destination.next_due_ms is not None) and not destination.reading:
            self._refill(destination, now)

    def _start(self, destination: Destination, delivery: Delivery, now: int) -> None:
        destination.window.sent()
        self.in_flight += 1
        format_ = destination.format
        try:
            request = format_.render(delivery.event, delivery.attempt, now)
        except Exception as error:  # the endpoint may have changed: what is not wanted cannot be rendered
            log.warning("event_not_rendered", endpoint=delivery.endpoint, event_id=delivery.event.id)
            answer = Answer(status=None, body=b"", length=0, took_ms=0, error=f"not rendered: {error!r}")
            self._call_soon(self._answered, (destination, delivery), answer)
            return
        self._pusher.send(format_.target, request, (destination, delivery), self._answered)

    def _answered(self, token: tuple[Destination, Delivery], answer: Answer) -> None:
        """An attempt has ended: note its outcome, let the window learn, go on."""
        destination, delivery = token
        now = now_ms()
        self.in_flight -= 1
        self.in_memory -= 1
        outcomes = self._outcomes
        outcomes.held += 1
        if destination.format.judge(answer):  # also when the endpoint is gone meanwhile
            destination.window.succeeded(now)
            self.delivered += 1
            outcomes.finished.append(finished_row(DELIVERED, delivery, answer, now))
        else:
            self._failed(destination, delivery, answer, now)
        if not self._flush_due:
            self._flush_soon()
        self._pump(destination, now)

    def _failed(self, destination: Destination, delivery: Delivery, answer: Answer, now: int) -> None:
        window = destination.window
        endpoint = destination.endpoint
        # A digest is one mail: it has no window to learn, and the clock spaces what is tried again.
        window.failed(now, answer.congested and endpoint.digest_min is None)
        nth = delivery.attempt - delivery.first_attempt + 1
        outcome = decide(endpoint.format, nth, answer, now, self._retry_s[endpoint.format], random)
        self._outcomes.attempts.append(attempt_row(delivery, answer, now))
        if isinstance(outcome, Refused):
            self.dead += 1
            self._outcomes.finished.append(finished_row(DEAD, delivery, answer, now))
            if outcome.endpoint_gone:
                self._outcomes.gone.append(endpoint.id)
                destination.hold_until_s = monotonic() + GONE_HOLD_S
                self._release_queue(destination)
        else:
            assert isinstance(outcome, Retry)
            self._retry(destination, delivery, outcome)
        if window.is_dead:
            self._release_queue(destination)

    def _retry(self, destination: Destination, delivery: Delivery, outcome: Retry) -> None:
        self.retried += 1
        due = outcome.at_ms
        if destination.is_ordered:
            # In the store it keeps its place in the order; the destination itself waits.
            destination.hold_until_s = max(destination.hold_until_s, monotonic() + (due - now_ms()) / 1000)
            self._settle_first(destination)
            self._release_queue(destination)
            due = due_at_birth(delivery.event.id, now_ms())
        elif destination.next_due_ms is None or due < destination.next_due_ms:
            destination.next_due_ms = due
        self._outcomes.retried.append(
            (delivery.attempt + 1, due, None, None, delivery.event.id, delivery.endpoint, delivery.attempt)
        )

    def _release_queue(self, destination: Destination) -> None:
        if destination.queue:
            destination.in_store = True
            if destination.is_ordered:
                self._settle_first(destination)
            for delivery in destination.queue:
                self._release(delivery, destination.is_ordered)
            destination.queue.clear()

    def _settle_first(self, destination: Destination) -> None:
        """Nothing is read for an ordered destination before the store has what is now given back."""
        destination.settling += 1
        self._outcomes.settling.append(destination)
        self._flush_soon()

    def _release(self, delivery: Delivery, is_ordered: bool = False) -> None:
        """Give a claim back without an attempt: the event waits in the store, in the order of its birth."""
        self.in_memory -= 1
        now = now_ms()
        if delivery.lease_until_ms <= now and not is_ordered:
            return  # it is due again by itself, and may be another node's by now
        event = delivery.event.id
        self._outcomes.released.append(
            (due_at_birth(event, now), None, None, event, delivery.endpoint, delivery.attempt)
        )
        self._flush_soon()

    # --- the store: recording and refilling ---

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        outcomes, self._outcomes = self._outcomes, Outcomes()
        self._unrecorded += outcomes.held
        self._record(outcomes)

    @property
    def unrecorded(self) -> int:
        """How many outcomes, or whether claims given back, are on their way to the store."""
        return self._unrecorded + (self._outcomes.held or 1 if self._flush_due else 0)

    def _record(self, outcomes: Outcomes, *, again: bool = False) -> None:
        def committed(_results: object, error: Exception | None) -> None:
            is_trouble = isinstance(error, StoreUnavailable)
            self._failing += is_trouble - again
            if error is not None:
                log.error("outcomes_not_recorded", outcomes=outcomes.held, error=str(error))
            if is_trouble:
                self._call_later(STORE_RETRY_S, partial(self._record, outcomes, again=True))
            else:  # what no store takes is let go: the leases end, and it is tried again
                self._unrecorded -= outcomes.held
                for destination in outcomes.settling:
                    destination.settling -= 1

        self._journal.write(record_outcomes, [outcomes], committed)

    def _refill(self, destination: Destination, now: int) -> None:
        """Read more for a destination when it can be sent to and its queue runs low."""
        window = destination.window
        due = destination.in_store or (destination.next_due_ms is not None and destination.next_due_ms <= now)
        if not due or not window.can_send(now) or len(destination.queue) > window.size:
            return
        if destination.settling or self._failing:
            return  # the store does not know yet what was tried
        # However much others hold, a window full may go on: the slow must not take the place of the quick.
        room = max(self._max - self.in_memory, 0 if destination.queue else int(window.size))
        room = min(room, self._max_per_endpoint - len(destination.queue))
        limit = 1 if window.is_dead else min(room, READ_MAX, max(READ_MIN, int(window.size) * 16))
        if limit <= 0:
            return
        destination.reading = True
        destination.in_store = False
        destination.next_due_ms = None

        def claimed(results: list[Claimed] | None, _error: Exception | None) -> None:
            destination.reading = False
            if results is None:
                destination.in_store = True
                return
            deliveries, more = results[0]
            destination.in_store = destination.in_store or more
            self.in_memory += len(deliveries)
            destination.queue.extend(deliveries)
            if destination.is_parked or self._stopped:
                self._release_queue(destination)
            else:
                self._pump(destination, now_ms())
                if not (destination.in_store or destination.reading):
                    destination.wait_for_digest(now_ms(), monotonic())

        self._journal.write(self._claiming.claim_due, [(destination.endpoint.id, limit)], claimed, last=True)

    def _polled(self, results: list[Sequence[int]] | None, _error: Exception | None) -> None:
        self._polling = False
        directory = self._directory()
        for id_ in results[0] if results else ():
            endpoint = directory.endpoints.get(id_)
            if endpoint is None or directory.is_parked(endpoint):
                continue
            destination = self._destination(id_)
            if destination is not None:
                destination.in_store = True
