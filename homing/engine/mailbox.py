"""The mailbox: the pull side of an account, one for SOAP, POP3 and REST, over the events that are stored.

Nothing is copied: a mail *is* a received message or a report that was asked for, and a mark says that the
customer has read or deleted it. Marks are durable before they are answered. Reading happens in threads, the
journal writes.

Everything here is called on the loop. What cannot be read or written is ``StoreUnavailable``.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence, Set
from concurrent.futures import Executor
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from homing.engine.contents import OpenContent
from homing.engine.mail_chunks import read_chunks
from homing.engine.polling import PollingRule
from homing.engine.ports import Journal, Transaction
from homing.model.clock import BORN_SHIFT, id_at, now_ms
from homing.model.mail import Entry, Mail
from homing.model.message import ReceivedMessage
from homing.wire.mail import MailWriter
from homing.wire.mail_id import mail_id
from homing.wire.mail_pieces import MailPieces, WrittenMail

T = TypeVar("T")

PAGE: Final = 300
"""Mails in one page, as the documents of the interface say (upside.md §4.4)."""
COUNT_LIMIT: Final = 100_000
"""Unread mails are counted up to here."""
FIRST_MAILS: Final = 200
"""Mails of a drop that are written out with its listing; the others when they are asked for."""
HANDED_S: Final = 2.0
"""Who reads a mailbox waits so long for a reader before him to have taken his mails."""
_MANY: Final = 500
"""Marks that take their time to write."""
_WORTH: Final = 60_000 << BORN_SHIFT
"""The beginning of a search is moved when it is worth a write: by a minute of ids."""

Which = Literal["unread", "kept"]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where the searches of one mailbox begin, as they were when it was read."""

    unread_from: int = 0
    kept_from: int = 0
    version: int = 0


class MailStore(Protocol):
    """What is asked of the store. Methods block and are called in threads."""

    def start(self, account: str) -> Start: ...

    def mails(
        self, account: str, which: Which, from_id: int, limit: int, *, newest_first: bool = False
    ) -> Sequence[Mail]:
        """Mails from an id on, the oldest (or the newest) first."""

    def entries(self, account: str, which: Which, from_id: int, limit: int) -> Sequence[Entry]:
        """The same without contents, the oldest first."""

    def count_unread(self, account: str, from_id: int, limit: int) -> int: ...

    def mails_by_id(self, account: str, ids: Sequence[int]) -> Sequence[Mail]:
        """Those of some ids that stand in the mailbox and are not deleted, in any order."""

    def kept_contents(self, account: str, messages: Sequence[ReceivedMessage]) -> Set[int]:
        """Which of some MMS have their content still; their ids."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer does with one mail."""

    account: str
    event: int
    is_read: bool
    is_deleted: bool = False


class _Advance(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    former: Start
    start: Start


class DropEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One mail of a POP3 session."""

    id: int
    uid: str
    size: int
    """Octets of the whole mail, line ends as CRLF."""


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """What one POP3 session sees, the oldest first; it does not change while the session lasts."""

    entries: Sequence[DropEntry]
    has_more: bool
    """There is more than one session lists."""
    first: Mapping[int, WrittenMail]
    """The first mails, written out already."""


class HandOut:
    """Mails on their way to a customer. They are read when he has them all; until then other readers wait."""

    def __init__(self, mailbox: "Mailbox", account: str, ids: Sequence[int]) -> None:
        self._mailbox = mailbox
        self._account = account
        self._ids = ids
        self.began_s = time.monotonic()
        self.ended = asyncio.Event()

    async def taken(self) -> None:
        """He has them: durable when it returns."""
        await self._mailbox.mark(self._account, read=self._ids)

    def close(self) -> None:
        """Whether he has them or not, nobody waits any more."""
        self.ended.set()


class Mailbox:
    """All mailboxes of one store."""

    def __init__(
        self,
        *,
        store: MailStore,
        journal: Journal,
        threads: Executor,
        writer: MailWriter,
        open_content: OpenContent,
        polling: PollingRule,
        retention_ms: int,
        late_ms: int,
        max_session: int,
    ) -> None:
        """``writer`` makes a mail of an event, always the same one while the content of an MMS is kept.

        ``late_ms``: how much later than its id an event may still come into the store.
        """
        self._store = store
        self._journal = journal
        self._threads = threads
        self._writer = writer
        self._open_content = open_content
        self.polling = polling
        self._retention_ms = retention_ms
        self._late_ms = late_ms
        self.max_session = max_session
        self._locked: set[str] = set()
        self._handed: dict[str, HandOut] = {}

    # --- the polling rule, and the lock of POP3 ---

    def poll(self, account: str) -> float:
        """0 = this account may look for news now; else the seconds it has to wait."""
        return self.polling.poll(f"mailbox {account}")

    def emptied_page(self, account: str) -> None:
        """A poll brought as much as it may, or what it brought was dealt with: the next need not wait."""
        self.polling.forgive(f"mailbox {account}")

    def poll_tracking(self, account: str, submission: int) -> float:
        """The same for the status of one submission."""
        return self.polling.poll(f"tracking {account} {submission}")

    def lock(self, account: str) -> bool:
        """Take the mailbox for one POP3 session; False = another has it."""  # RFC 1939 §4
        if account in self._locked:
            return False
        self._locked.add(account)
        return True

    def unlock(self, account: str) -> None:
        self._locked.discard(account)

    # --- reading ---

    def hand_out(self, account: str, mails: Sequence[Mail]) -> HandOut:
        """Say that mails are on their way; the caller closes it in the end."""
        made = self._handed[account] = HandOut(self, account, [mail.event.id for mail in mails])
        return made

    async def _start(self, account: str) -> Start:
        """Where to begin, when what was handed out before is marked; nobody waits long for a slow client."""
        handed = self._handed.get(account)
        if handed is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANDED_S - (time.monotonic() - handed.began_s)):
                    await handed.ended.wait()
            if self._handed.get(account) is handed:
                del self._handed[account]
        return await self._ask(self._store.start, account)

    async def count_unread(self, account: str) -> int:
        """How many mails are unread, up to ``COUNT_LIMIT``."""
        start = await self._start(account)
        return await self._ask(self._store.count_unread, account, self._from(start.unread_from), COUNT_LIMIT)

    async def unread(self, account: str, limit: int = PAGE) -> Sequence[Mail]:
        """The oldest unread mails."""
        start = await self._start(account)
        found = await self._ask(self._store.mails, account, "unread", self._from(start.unread_from), limit)
        self._advance(account, start, unread_from=found[0].event.id if found else None)
        return found

    async def latest_unread(self, account: str) -> Mail | None:
        """The youngest unread mail."""
        start = await self._start(account)
        found = await self._ask(
            lambda: self._store.mails(account, "unread", self._from(start.unread_from), 1, newest_first=True)
        )
        return found[0] if found else None

    async def page(self, account: str, which: Which, after: int, limit: int) -> Sequence[Mail]:
        """Mails younger than an event, the oldest first."""
        start = await self._start(account)
        begin = start.unread_from if which == "unread" else start.kept_from
        return await self._ask(self._store.mails, account, which, max(self._from(begin), after + 1), limit)

    async def mail(self, account: str, event: int) -> Mail | None:
        """One mail that is there."""
        found = await self.mails_of(account, [event])
        return found[0] if found else None

    async def mails_of(self, account: str, events: Sequence[int]) -> Sequence[Mail]:
        """Those of some events that are there, the oldest first."""
        begin = self._from(0)
        wanted = sorted({event for event in events if event >= begin})
        found = await self._ask(self._store.mails_by_id, account, wanted) if wanted else ()
        return sorted(found, key=lambda mail: mail.event.id)

    async def drop(self, account: str) -> Drop:
        """What a POP3 session lists: everything that is kept, as mails."""
        start = await self._start(account)
        drop = await self._ask(self._drop, account, self._from(start.kept_from))
        self._advance(account, start, kept_from=drop.entries[0].id if drop.entries else None)
        return drop

    async def mails(self, account: str, ids: Sequence[int]) -> Mapping[int, WrittenMail]:
        """Some mails of a drop as they are sent, by the ids of their events."""
        return await self._ask(self._written, account, ids)

    def chunks(self, mail: MailPieces) -> AsyncGenerator[bytes, None]:
        """The octets of a mail in pieces; ``mail_chunks`` says what goes wrong. The caller closes it."""
        return read_chunks(mail, self._open_content, self._threads)

    def _drop(self, account: str, from_id: int) -> Drop:
        """In a thread."""
        found = self._store.entries(account, "kept", from_id, self.max_session + 1)
        ids = [entry.id for entry in found[: self.max_session]]
        entries: list[DropEntry] = []
        first: Mapping[int, WrittenMail] = {}
        for begin in range(0, len(ids), FIRST_MAILS):
            page = ids[begin : begin + FIRST_MAILS]
            written = self._written(account, page)
            first = first or written
            entries += [
                DropEntry(id=id_, uid=mail_id(id_), size=len(written[id_])) for id_ in page if id_ in written
            ]
        return Drop(entries=entries, has_more=len(found) > self.max_session, first=first)

    def _written(self, account: str, ids: Sequence[int]) -> Mapping[int, WrittenMail]:
        write = self._writer.write
        events = [mail.event for mail in self._store.mails_by_id(account, ids)]
        written: dict[int, WrittenMail] = {event.id: write(event) for event in events}
        of_mms = [event for event in events if type(event) is ReceivedMessage and event.mms is not None]
        if of_mms:
            kept = self._store.kept_contents(account, of_mms)
            written |= {event.id: self._writer.write_mms(event) for event in of_mms if event.id in kept}
        return written

    def _from(self, begin: int) -> int:
        """No search begins before the retention does."""
        return max(begin, id_at(now_ms() - self._retention_ms))

    async def _ask(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    # --- writing ---

    async def mark(
        self,
        account: str,
        *,
        read: Sequence[int] = (),
        unread: Sequence[int] = (),
        deleted: Sequence[int] = (),
    ) -> int:
        """Mark mails that are there; durable when it returns. Returns how many."""
        gone = set(deleted)
        marks = [
            *(Mark(account=account, event=id_, is_read=True) for id_ in read if id_ not in gone),
            *(Mark(account=account, event=id_, is_read=False) for id_ in unread if id_ not in gone),
            *(Mark(account=account, event=id_, is_read=True, is_deleted=True) for id_ in sorted(gone)),
        ]
        if marks:
            await self._write(record_marks, marks)
        return len(marks)

    def _advance(
        self, account: str, former: Start, *, unread_from: int | None = 0, kept_from: int | None = 0
    ) -> None:
        """Remember where the next search may begin; None = nothing was found. Nobody waits for it."""
        settled = id_at(now_ms() - self._late_ms)  # what comes later than its id is younger than this
        begins = [
            max(was, settled if found is None else min(found, settled))
            for was, found in ((former.unread_from, unread_from), (former.kept_from, kept_from))
        ]
        start = msgspec.structs.replace(former, unread_from=begins[0], kept_from=begins[1])
        if begins[0] - former.unread_from > _WORTH or begins[1] - former.kept_from > _WORTH:
            advance = _Advance(account=account, former=former, start=start)
            self._journal.write(record_advances, [advance], lambda _results, _error: None)

    async def _write(self, handler: Callable[[Any, list[Any]], None], items: Sequence[Any]) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(_results: object, error: Exception | None) -> None:
            if written.done():
                return
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

        self._journal.write(handler, items, done, last=len(items) > _MANY)
        await written


def record_marks(transaction: Transaction, items: list[Mark]) -> None:
    """In the journal: the last mark of a mail counts, but what is deleted stays so."""
    marks: dict[tuple[str, int], Mark] = {}
    for mark in items:
        key = mark.account, mark.event
        former = marks.get(key)
        is_deleted = mark.is_deleted or (former is not None and former.is_deleted)
        marks[key] = msgspec.structs.replace(mark, is_deleted=is_deleted)
    transaction.mark_mails([(m.account, m.event, m.is_read, m.is_deleted) for m in marks.values()])
    lowest: dict[str, int] = {}
    for mark in marks.values():
        if not mark.is_read:
            lowest[mark.account] = min(mark.event, lowest.get(mark.account, mark.event))
    for account, event in lowest.items():
        transaction.lower_unread(account, event)


def record_advances(transaction: Transaction, items: list[_Advance]) -> None:
    """In the journal: nothing moves when somebody else has moved it meanwhile."""
    for item in items:
        former, start = item.former, item.start
        transaction.advance_mailbox(
            item.account,
            (former.unread_from, former.kept_from, former.version),
            (start.unread_from, start.kept_from),
        )
