"""The journal: everything that waits at one moment shares one transaction (group commit).

The event loop hands over *writes*: a handler, the items it is to write, and whom to tell. One thread
takes all that are waiting, runs each handler once over all of its items, commits, and tells the loop
once. Nothing is told before the commit; when it fails, everyone in the group is told that instead, and
nothing of it was written. A handler that raises for reasons of its own spoils only its own write. Handlers
run in the order in which they were first asked for, but those that are to come last see all the others.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import structlog

from homing.model.errors import StoreUnavailable
from homing.store.database import Database, is_store_trouble
from homing.store.sql import Transaction
from homing.store.statements import Statements

log = structlog.get_logger(__name__)

GROUP_LIMIT = 4_000
"""Items in one transaction: keeps a commit short enough that nobody waits long behind it."""

Handler = Callable[[Transaction, list[Any]], list[Any] | None]
Done = Callable[[list[Any] | None, Exception | None], None]


class Loop(Protocol):
    """The one thing the journal needs of an event loop."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> object: ...


class _Write:
    __slots__ = ("done", "error", "handler", "items", "last", "results")

    def __init__(self, handler: Handler, items: Sequence[Any], done: Done, last: bool) -> None:
        self.handler = handler
        self.items = items
        self.done = done
        self.last = last
        self.results: list[Any] | None = None
        self.error: Exception | None = None


class Journal:
    """Owns the writing connection and its thread. ``write`` is for the loop's thread."""

    def __init__(self, database: Database, loop: Loop) -> None:
        self._database = database
        self._loop = loop
        self._statements = Statements(database)
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._stopped = False
        self.commits = 0
        self.written = 0
        self.trouble: str | None = None
        """Why the last transaction failed, None since one succeeded: shown by /readyz and the alarm."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what is waiting, then end the thread. Its last answers still reach the loop."""
        if not self._stopped:
            self._stopped = True
            self._queue.put(None)
        self._thread.join()

    def write(self, handler: Handler, items: Sequence[Any], done: Done, *, last: bool = False) -> None:
        """Run ``handler(transaction, items)`` in the next transaction, then ``done`` on the loop.

        The handler gets the items of every write that shares it, and returns one result per item or
        None. ``done(results, None)`` after the commit, or ``done(None, error)`` when nothing was written:
        :class:`StoreUnavailable` (try again) or what the handler raised. With ``last`` it runs after those
        of the transaction without, so that it sees whatever was handed over before it.
        """
        self._queue.put(_Write(handler, items, done, last))

    def _run(self) -> None:
        group, open_ = self._take()
        while group or open_:
            try:
                with self._database.connection() as connection:
                    transaction = Transaction(connection, self._statements)
                    while group or open_:
                        taken, group = group, []
                        if taken and not self._commit(transaction, taken):
                            break  # a fresh connection: this one may be broken
                        if open_:
                            group, open_ = self._take()
            except Exception as error:
                self.trouble = str(error)
                _fail(group, error)
                self._tell(group)
                group = []
            if open_ and not group:  # a connection is opened for somebody: trouble may have ended meanwhile
                group, open_ = self._take()

    def _take(self) -> tuple[list[_Write], bool]:
        """Wait for a write; return it with all that wait by now, and whether the journal stays open."""
        first = self._queue.get()
        if first is None:
            return [], False
        group = [first]
        size = len(first.items)
        while size < GROUP_LIMIT:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                return group, False
            group.append(following)
            size += len(following.items)
        return group, True

    def _commit(self, transaction: Transaction, group: list[_Write]) -> bool:
        """One transaction for the group; False when the store failed."""
        try:
            self._apply(transaction, group)
        except Exception as error:
            if is_store_trouble(error):
                _fail(group, error)
                self.trouble = str(error)
                self._tell(group)
                log.error("store_unavailable", error=str(error), writes=len(group))
                return False
            if len(group) > 1:
                return self._commit_each(transaction, group)
            group[0].results, group[0].error = None, error
            log.exception("write_failed", handler=getattr(group[0].handler, "__qualname__", "?"))
        else:
            self.commits += 1
            self.written += len(group)
            self.trouble = None
        self._tell(group)
        return True

    def _commit_each(self, transaction: Transaction, group: list[_Write]) -> bool:
        """Each write by itself, because one of them spoils the others; after trouble of the store no more."""
        for at, write in enumerate(group, 1):
            if not self._commit(transaction, [write]):
                rest = group[at:]
                _fail(rest, StoreUnavailable(self.trouble or ""))
                self._tell(rest)
                return False
        return True

    @staticmethod
    def _apply(transaction: Transaction, group: list[_Write]) -> None:
        first: dict[Handler, list[_Write]] = {}
        last: dict[Handler, list[_Write]] = {}
        for write in group:
            (last if write.last else first).setdefault(write.handler, []).append(write)
        with transaction:
            for handler, writes in (*first.items(), *last.items()):
                if len(writes) == 1:
                    writes[0].results = handler(transaction, list(writes[0].items))
                    continue
                results = handler(transaction, [item for write in writes for item in write.items])
                if results is not None:
                    start = 0
                    for write in writes:
                        write.results = results[start : start + len(write.items)]
                        start += len(write.items)

    def _tell(self, group: list[_Write]) -> None:
        if group:
            self._loop.call_soon_threadsafe(_tell_all, group)


def _fail(group: list[_Write], error: Exception) -> None:
    trouble = StoreUnavailable(str(error))
    for write in group:
        write.results, write.error = None, trouble


def _tell_all(group: list[_Write]) -> None:
    for write in group:
        try:
            write.done(write.results, write.error)
        except Exception:
            log.exception("after_commit_failed", handler=getattr(write.handler, "__qualname__", "?"))
