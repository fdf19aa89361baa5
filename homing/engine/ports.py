"""The ports of the engine: what it needs of the world, as small protocols with their contracts.

Every adapter of a port runs the port's conformance suite in ``tests/``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from homing.model.account import Endpoint
from homing.model.delivery import Answer
from homing.model.message import Medium, Submission
from homing.wire.push_mail import MailTarget
from homing.wire.streamed import Streamed
from homing.wire.target import Target

Rows = Sequence[tuple[Any, ...]]
Row = Any
"""A row of a question: attributes are the columns named in the method's contract."""


class Transaction(Protocol):
    """What a journal handler may ask and write. Rows to insert are tuples in the table's column order."""

    def insert_messages(self, rows: Rows) -> None: ...
    def insert_reports(self, rows: Rows) -> None: ...
    def insert_deliveries(self, rows: Rows) -> None: ...
    def insert_ledger(self, rows: Rows) -> None: ...

    def insert_contents(self, rows: Rows) -> None:
        """Rows (account, sha256, event, expires_at_ms): what is spoken of stays in the content store."""

    def insert_submissions(self, rows: Rows) -> None: ...
    def insert_segments(self, rows: Rows) -> None: ...
    def mark_sent(self, rows: Rows) -> None:
        """Rows (status, reason, link, sent_at_ms, id): only what is still ACCEPTED moves."""

    def change_submissions(self, rows: Rows) -> None:
        """Rows (status, reason, report_count, id)."""

    def change_segments(self, rows: Rows) -> None:
        """Rows (status, reason, at_ms, submission, number)."""

    def waiting_submissions(
        self, now_ms: int, node: int, life: int, after: tuple[int, int], limit: int
    ) -> Sequence[Row]:
        """Those that may be sent now and are nobody's, after a (not_before_ms, id), in that order."""

    def claim_submissions(self, rows: Rows) -> None:
        """Rows (claim_node, claim_life, claim_until_ms, id)."""

    def submissions_by_id(self, ids: Iterable[int]) -> Sequence[Row]: ...
    def segments_of(self, submissions: Iterable[int]) -> Sequence[Row]:
        """Rows with submission, number, status, reason."""

    def links_awaiting_receipts(self) -> Sequence[str]:
        """Every link that a submission awaits a receipt from, also one that is configured no more."""

    def overdue_submissions(self, link: str, before_ms: int, limit: int) -> Sequence[Row]: ...

    def segments_by_link_id(self, scope: str, keys: Iterable[str]) -> Sequence[Row]:
        """Rows with submission, number, id_key, segment_status and the submission's columns."""

    def insert_receipts(self, rows: Rows) -> None: ...
    def has_receipt(self, submission: int, reason: str) -> bool:
        """Whether a receipt with this reason is known already."""

    def park_receipts(self, rows: Rows) -> None: ...
    def parked_receipts(self, scope: str, keys: Iterable[str]) -> Sequence[Row]: ...
    def all_parked_receipts(self, after_id: int, limit: int) -> Sequence[Row]: ...
    def unpark_receipts(self, ids: Sequence[int]) -> None: ...
    def expire_parked_receipts(self, before_ms: int) -> int: ...

    def part_groups(self, keys: Iterable[str]) -> Sequence[Row]: ...
    def insert_part_groups(self, rows: Rows) -> None: ...
    def insert_parts(self, rows: Rows) -> None: ...
    def messages_of_group(self, group: int) -> Sequence[Row]: ...
    def finish_part_groups(self, ids: Sequence[int]) -> None: ...
    def due_part_groups(self, now_ms: int, limit: int) -> Sequence[Row]: ...
    def forget_part_groups(self, ids: Sequence[int]) -> None: ...
    def assign_messages(self, account: str, ids: Sequence[int]) -> None: ...

    def finish_deliveries(self, rows: Rows) -> None:
        """Rows (state, status, error, answer, took_ms, finished_at_ms, event, endpoint, attempt)."""

    def retry_deliveries(self, rows: Rows) -> None:
        """Rows (next attempt, next_attempt_at_ms, claim_node, claim_life, event, endpoint, attempt)."""

    def move_claims(self, rows: Rows) -> None:
        """Rows (next_attempt_at_ms, claim_node, claim_life, event, endpoint, attempt)."""

    def insert_attempts(self, rows: Rows) -> None: ...
    def due_deliveries(self, endpoint: int, now_ms: int, limit: int) -> Sequence[Row]:
        """Rows with event, kind, attempt, first_attempt; locked until the end of the transaction."""

    def reclaim_former_life(self, node: int, life: int, now_ms: int, until_ms: int) -> int: ...
    def endpoints_with_due(self, now_ms: int) -> Sequence[int]: ...
    def messages_by_id(self, ids: Iterable[int]) -> Sequence[Row]: ...
    def reports_by_id(self, ids: Iterable[int]) -> Sequence[Row]: ...

    def pause_endpoint(self, endpoint: int, reason: str) -> None:
        """Park what is due there until somebody resumes it; raises the directory's version."""

    def mark_mails(self, rows: Rows) -> None:
        """Rows (account, event, is_read, is_deleted): what is deleted stays deleted."""

    def lower_unread(self, account: str, event: int) -> None:
        """An event is unread again: searches begin no later than there."""

    def advance_mailbox(self, account: str, former: tuple[int, int, int], start: tuple[int, int]) -> None:
        """From (unread_from, kept_from, version) to (unread_from, kept_from), if it still stands so."""

    def charge(self, account: str, credits: float) -> bool: ...
    def recall(self, account: str, face: str, key: str, now_ms: int) -> Row: ...
    def remember(
        self, account: str, face: str, key: str, fingerprint: str, answer: bytes, until_ms: int
    ) -> None: ...


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One segment on its way to a link."""

    submission: Submission
    number: int
    """1, 2, …: its place in ``submission.segments``."""


class Link(Protocol):
    """A connection towards a network that takes submissions."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str:
        """The SMSC account within which its message ids are unique."""

    @property
    def medium(self) -> Medium:
        """Which messages it carries."""

    @property
    def prefixes(self) -> Sequence[str]:
        """Recipients it is preferred for; empty = any."""

    @property
    def is_bound(self) -> bool: ...

    def room(self) -> int:
        """How many segments it takes now (window and throughput)."""

    def submit(self, batch: Sequence[Outgoing]) -> None:
        """Send. Each is told later, once: answered or lost, to the ``LinkListener``."""


class LinkListener(Protocol):
    """What a link tells the engine about submissions; called on the loop, in batches."""

    def answered(self, link: Link, answers: Sequence[tuple[Outgoing, int, str]]) -> None:
        """(segment, SMPP command_status, link message id)."""

    def lost(self, link: Link, segments: Sequence[Outgoing], *, last: bool = False) -> None:
        """Sent, and no answer came (timeout, dropped line): sent again, with ``last`` after the others."""

    def ready(self, link: Link) -> None:
        """Bound, or has room again."""

    def unbound(self, link: Link) -> None:
        """Not bound any more; called after ``lost``."""


Handler = Callable[[Any, list[Any]], list[Any] | None]
Done = Callable[[list[Any] | None, Exception | None], None]


class Journal(Protocol):
    """Durable writing. Nothing is told before the commit."""

    def write(self, handler: Handler, items: Sequence[Any], done: Done, *, last: bool = False) -> None:
        """Run ``handler(transaction, items)`` in the next transaction, then ``done`` on the loop.

        With ``last`` the handler sees everything that was handed over before it.
        """


class Pusher(Protocol):
    """Towards customers: makes one attempt, and tells how it went exactly once, on the loop."""

    def send(
        self,
        target: Target | MailTarget,
        request: bytes | Streamed,
        token: object,
        done: Callable[[Any, Answer], None],
    ) -> None:
        """Never raises; whatever goes wrong is an ``Answer`` with an error. ``done(token, answer)``."""


class Room(Protocol):
    """Whether deliveries made now can be held in memory for their endpoint, or are left to the store."""

    def room_for(self, endpoint: Endpoint, count: int) -> int:
        """How many of so many may be held: the first ones. Knows from then on that the others are not."""
