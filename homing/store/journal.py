"""The journal: everything that waits at one moment shares one transaction (group commit).

The event loop hands over *writes*: a handler, the items it is to write, and whom to tell. All that are
waiting make one group: each handler runs once over all of its items, the group is committed, and the loop
tells everyone. Nothing is told before the commit; when it fails, everyone in the group is told that instead,
and nothing of it was written. A handler that raises for reasons of its own spoils only its own write.

Where: commits, which wait for the disk, are made in a thread. On SQLite the handlers of quick writes run on
the loop: there they cost microseconds, while two threads that take the interpreter's lock from each other
at every statement would cost more than the statements. Writes that are to come *last* may take their
time, and run in the thread, as all do on PostgreSQL, where a statement waits for the network. Either way one
group is written after the other, so no two handlers ever run at once.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

from homing.model.errors import StoreUnavailable
from homing.store.database import Database, is_store_trouble
from homing.store.sql import Transaction
from homing.store.statements import Statements

log = structlog.get_logger(__name__)

GROUP_LIMIT = 1_000
"""Items in one transaction: keeps it short enough that nobody waits long behind it."""

Handler = Callable[[Transaction, list[Any]], list[Any] | None]
Done = Callable[[list[Any] | None, Exception | None], None]


class Loop(Protocol):
    """What the journal needs of an event loop."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object: ...
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


class _Group:
    """Writes that share a transaction, on their way through it."""

    __slots__ = ("is_begun", "spoiled", "writes")

    def __init__(self, writes: list[_Write]) -> None:
        self.writes = writes
        self.is_begun = False
        """The loop has begun the transaction, and run what is not to come last."""
        self.spoiled: Exception | None = None
        """What a handler raised on the loop; the transaction is to be rolled back."""


class Journal:
    """Owns the writing connection and its thread. ``write`` is for the loop's thread."""

    def __init__(self, database: Database, loop: Loop) -> None:
        self._database = database
        self._loop = loop
        self._statements = Statements(database)
        self._waiting: deque[_Write] = deque()
        self._is_busy = False
        """A group is on its way, or about to be: what comes waits for the next one."""
        self._transaction: Transaction | None = None
        """On the kept connection; None while there is none."""
        self._connection = ExitStack()
        self._to_thread: SimpleQueue[_Group | None] = SimpleQueue()
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
            while self._waiting:
                self._to_thread.put(self._take())
            self._to_thread.put(None)
        self._thread.join()

    def write(self, handler: Handler, items: Sequence[Any], done: Done, *, last: bool = False) -> None:
        """Run ``handler(transaction, items)`` in the next transaction, then ``done`` on the loop.

        The handler gets the items of every write that shares it, and returns one result per item or
        None. ``done(results, None)`` after the commit, or ``done(None, error)`` when nothing was written:
        :class:`StoreUnavailable` (try again) or what the handler raised. With ``last`` it runs after those
        of the transaction without, so that it sees whatever was handed over before it, and may be slow.
        """
        self._waiting.append(_Write(handler, items, done, last))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._turn)

    # --- on the loop ---

    def _turn(self) -> None:
        """Start the next group: on SQLite with the quick writes, if nobody else holds the store."""
        if not self._waiting:
            self._is_busy = False
            return
        group = self._take()
        transaction = self._transaction
        if transaction is not None and transaction.begin_at_once():
            group.is_begun = True
            try:
                _apply(transaction, (write for write in group.writes if not write.last))
            except Exception as error:
                group.spoiled = error
        self._to_thread.put(group)

    def _take(self) -> _Group:
        writes = [self._waiting.popleft()]
        size = len(writes[0].items)
        while self._waiting and size < GROUP_LIMIT:
            writes.append(self._waiting.popleft())
            size += len(writes[-1].items)
        return _Group(writes)

    def _tell_all(self, writes: list[_Write]) -> None:
        for write in writes:
            try:
                write.done(write.results, write.error)
            except Exception:
                log.exception("after_commit_failed", handler=getattr(write.handler, "__qualname__", "?"))
        self._loop.call_soon(self._turn)  # first they write what they were waiting to say

    # --- in the thread ---

    def _run(self) -> None:
        while (group := self._to_thread.get()) is not None:
            try:
                transaction = self._transaction or self._open()
            except Exception as error:
                self._fail(group.writes, error)
            else:
                self._finish(transaction, group)
            self._loop.call_soon_threadsafe(self._tell_all, group.writes)
        self._close()

    def _open(self) -> Transaction:
        connection = self._connection.enter_context(self._database.connection())
        self._transaction = transaction = Transaction(connection, self._statements)
        return transaction

    def _close(self) -> None:
        self._transaction = None
        try:
            self._connection.close()
        except Exception as error:  # it was broken
            log.warning("connection_not_closed", error=str(error))

    def _finish(self, transaction: Transaction, group: _Group) -> None:
        """Write what is not written yet, and commit; or say in each write why not."""
        writes = group.writes
        try:
            with transaction:
                if group.spoiled is not None:
                    raise group.spoiled
                if not group.is_begun:
                    _apply(transaction, (write for write in writes if not write.last))
                _apply(transaction, (write for write in writes if write.last))
        except Exception as error:
            if is_store_trouble(error):
                self._fail(writes, error)
                self._close()  # the next one gets a fresh connection: this one may be broken
            elif len(writes) > 1:
                self._finish_each(transaction, writes)
            else:
                writes[0].results, writes[0].error = None, error
                log.exception("write_failed", handler=getattr(writes[0].handler, "__qualname__", "?"))
        else:
            self.commits += 1
            self.written += len(writes)
            self.trouble = None

    def _finish_each(self, transaction: Transaction, writes: list[_Write]) -> None:
        """Each write by itself, because one of them spoils the others; after trouble of the store no more."""
        for at, write in enumerate(writes, 1):
            self._finish(transaction, _Group([write]))
            if self._transaction is None:
                self._fail(writes[at:], StoreUnavailable(self.trouble or ""))
                return

    def _fail(self, writes: list[_Write], error: Exception) -> None:
        self.trouble = str(error)
        for write in writes:
            write.results, write.error = None, StoreUnavailable(self.trouble)
        log.error("store_unavailable", error=self.trouble, writes=len(writes))


def _apply(transaction: Transaction, writes: Iterable[_Write]) -> None:
    """Run each handler once, over the items of all its writes, in the order of the first of each."""
    by_handler: dict[Handler, list[_Write]] = {}
    for write in writes:
        by_handler.setdefault(write.handler, []).append(write)
    for handler, asked in by_handler.items():
        if len(asked) == 1:
            asked[0].results = handler(transaction, list(asked[0].items))
            continue
        results = handler(transaction, [item for write in asked for item in write.items])
        if results is not None:
            start = 0
            for write in asked:
                write.results = results[start : start + len(write.items)]
                start += len(write.items)
