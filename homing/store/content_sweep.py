"""The sweep of contents: what an MMS carried goes when its time is over, and when no event has it any more.

A row of ``contents`` says that an event has a content, which can be retrieved while the row stands. When its
time is over the row goes first, and after the commit the content, if no other row names it: so a crash
leaves contents without rows, never rows without contents. Contents without rows are looked for at the start
and then now and then, once they are old enough that no row of theirs can be on its way.

A row stays beyond its time while a push of its event is pending, a day and an hour after one has succeeded,
and while its submission waits to be sent. Several nodes may sweep one store. Trouble with the content store
is noted in ``trouble`` and ends this turn; trouble with the database is raised.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from homing.engine.contents import Contents
from homing.model.delivery import DeliveryState
from homing.model.errors import StoreUnavailable
from homing.model.report import Status
from homing.store import tables as t
from homing.store.database import Database

CHUNK = 500
"""Rows that one transaction looks at, and names that are looked up at once."""
REMOVALS = 20
"""Contents that are taken away between two rests."""
AFTER_PUSH_MS: Final = 25 * 3_600_000
"""A customer has a day to retrieve what he was told of, and an hour for clocks that differ. mx §11"""
LOOK_AGAIN_MS: Final = 3_600_000
"""A row that waits for something is looked at again so much later."""
ORPHANS_EVERY_MS: Final = 3_600_000
AFTER_TROUBLE_MS: Final = 60_000

# SQLite uses a partial index only for a condition it can read, not for a bound value.
_PENDING: Any = literal_column(str(int(DeliveryState.PENDING)))
_DELIVERED: Any = literal_column(str(int(DeliveryState.DELIVERED)))
_c, _d, _s = t.contents.c, t.deliveries.c, t.submissions.c


class Rest(Protocol):
    def __call__(self) -> bool:
        """Called between transactions: may wait, and says whether to stop."""


class SweptContents(NamedTuple):
    """How many of each have gone."""

    expired: int = 0
    """Rows."""
    removed: int = 0
    """Contents, out of the content store."""
    leftovers: int = 0
    """What was on its way when a node died."""


class _ContentStoreTrouble(Exception):
    pass


class ContentSweep:
    """Sweeps one content store, again and again, in any one thread."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._database = database
        self._contents = contents
        self._orphans_due_ms = 0
        self._expired = self._removed = self._leftovers = 0
        self.trouble: str | None = None
        """Why the content store was of no use when it was last needed here."""

    def run(self, now_ms: int, rest: Rest) -> SweptContents:
        """Everything that is due. ``now_ms`` was taken before anything is looked at, so that what is
        written meanwhile counts as new."""
        self._expired = self._removed = self._leftovers = 0
        try:
            self._expire(now_ms, rest)
            if now_ms >= self._orphans_due_ms and self._sweep_orphans(now_ms, rest):
                self._orphans_due_ms = now_ms + ORPHANS_EVERY_MS
        except _ContentStoreTrouble as error:
            self.trouble = str(error)
            self._orphans_due_ms = now_ms + AFTER_TROUBLE_MS
        return SweptContents(self._expired, self._removed, self._leftovers)

    # --- rows whose time is over ---

    def _expire(self, now_ms: int, rest: Rest) -> None:
        while not rest():
            with self._database.reading() as connection:
                if connection.execute(expired_page(now_ms, 1)).first() is None:
                    return
            with self._database.writing() as connection:
                looked_at, names = _expire_rows(connection, now_ms)
            self._expired += len(names)
            self._remove(sorted(set(names)), now_ms, rest)
            if looked_at < CHUNK:
                return

    # --- contents without rows ---

    def _sweep_orphans(self, now_ms: int, rest: Rest) -> bool:
        """Whether all were looked at."""
        now_s = now_ms / 1000
        if rest():
            return False
        with self._content_store():
            self._leftovers += self._contents.clear_leftovers(now_s)
        names = self._contents.old_names(now_s)
        while not rest():
            with self._content_store():
                page = list(islice(names, CHUNK))
            orphans = sorted(set(page) - self._spoken_of(page))
            self._remove(orphans, now_ms, rest)
            if len(page) < CHUNK:
                return True
        return False

    def _remove(self, names: Sequence[str], now_ms: int, rest: Rest) -> None:
        """Take away those that no row names, each asked for just before."""
        for at in range(0, len(names), REMOVALS):
            if at and rest():
                return  # they are found as orphans
            few = names[at : at + REMOVALS]
            spoken_of = self._spoken_of(few)
            for name in few:
                if name not in spoken_of:
                    # One that is kept again meanwhile stays: its row may come a moment after we asked.
                    with self._content_store():
                        self._removed += self._contents.remove(name, now_ms / 1000)

    def _spoken_of(self, names: Sequence[str]) -> set[str]:
        with self._database.reading() as connection:
            return set(connection.scalars(select(_c.sha256).where(_c.sha256.in_(names)).distinct()))

    @contextmanager
    def _content_store(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            raise _ContentStoreTrouble(str(error)) from error
        self.trouble = None


def expired_page(now_ms: int, limit: int) -> Select[Any]:
    """Rows whose time is over, the longest first, and what keeps them."""
    is_of_event = _d.event == _c.event
    is_pending = exists().where(is_of_event, _d.state == _PENDING)
    is_waiting = exists().where(_s.id == _c.event, _s.status == Status.ACCEPTED.value)
    delivered_at_ms = (
        select(func.max(_d.finished_at_ms))
        .where(is_of_event, _d.state == _DELIVERED)
        .correlate(t.contents)
        .scalar_subquery()
    )
    return (
        select(
            t.contents,
            (is_pending | is_waiting).label("is_awaited"),
            delivered_at_ms.label("delivered_at_ms"),
        )
        .where(_c.expires_at_ms <= now_ms)
        .order_by(_c.expires_at_ms)
        .limit(limit)
    )


def _expire_rows(connection: Connection, now_ms: int) -> tuple[int, list[str]]:
    """Of one page, how many rows there were, and the contents of those that went."""
    page = expired_page(now_ms, CHUNK).with_for_update(of=t.contents, skip_locked=True)
    rows = connection.execute(page).all()
    gone, moved = [], []
    for row in rows:
        key = {"of_account": row.account, "of_sha256": row.sha256, "of_event": row.event}
        until_ms = _stays_until_ms(row, now_ms)
        if until_ms is None:
            gone.append(key)
        else:
            moved.append(key | {"until_ms": until_ms})
    this = and_(
        _c.account == bindparam("of_account"),
        _c.sha256 == bindparam("of_sha256"),
        _c.event == bindparam("of_event"),
    )
    if gone:
        connection.execute(delete(t.contents).where(this), gone)
    if moved:
        connection.execute(update(t.contents).where(this).values(expires_at_ms=bindparam("until_ms")), moved)
    return len(rows), [key["of_sha256"] for key in gone]


def _stays_until_ms(row: Any, now_ms: int) -> int | None:
    """None = it goes."""
    if row.is_awaited:
        return now_ms + LOOK_AGAIN_MS
    until_ms: int = (row.delivered_at_ms or 0) + AFTER_PUSH_MS
    return until_ms if until_ms > now_ms else None
