"""The sweep of contents: what is over goes, what may be retrieved stays, and nothing is lost in between."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from homing.engine.contents import ORPHAN_S, Chosen, ContentReader, Contents, Spool
from homing.model.delivery import DeliveryState
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content
from homing.store import content_sweep as module
from homing.store import tables as t
from homing.store.content_sweep import AFTER_PUSH_MS, LOOK_AGAIN_MS, ORPHANS_EVERY_MS, ContentSweep
from homing.store.database import Database
from tests.store import rows
from tests.store.shelves import DiskShelf, Parts, Shelf, kept, read, spooled

HOUR_MS = 3_600_000
DELIVERED, DEAD = int(DeliveryState.DELIVERED), int(DeliveryState.DEAD)


def never() -> bool:
    return False


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def disk(tmp_path: Path) -> DiskShelf:
    return DiskShelf(tmp_path)


def a_content(shelf: Shelf, name: str = "a") -> str:
    """An old one, that no row speaks of yet."""
    sha256 = kept(shelf.contents, _parts(name)).sha256
    shelf.age(sha256, time.time() - 2 * ORPHAN_S)
    return sha256


def _parts(name: str) -> Parts:
    return ((f"{name}.txt", "text/plain", b"hello"),)


def speak_of(database: Database, sha256: str, event: int = 1, *, over_for_ms: int = 0, **values: Any) -> None:
    """A row whose time has been over for so long."""
    with database.writing() as connection:
        rows.add_content(connection, event, sha256, expires_at_ms=now_ms() - over_for_ms, **values)


def spoken_of(database: Database) -> list[tuple[int, int]]:
    """Events that have a content, and until when."""
    c = t.contents.c
    with database.reading() as connection:
        found = connection.execute(select(c.event, c.expires_at_ms).order_by(c.event))
        return [(row.event, row.expires_at_ms) for row in found]


# --- rows whose time is over ---


def test_what_is_over_goes_with_its_content(database: Database, shelf: Shelf) -> None:
    over, stays = a_content(shelf, "a"), a_content(shelf, "b")
    speak_of(database, over, 1)
    speak_of(database, stays, 2, over_for_ms=-HOUR_MS)
    sweep = ContentSweep(database, shelf.contents)
    assert sweep.run(now_ms(), never) == (1, 1, 0)
    assert [event for event, _until in spoken_of(database)] == [2]
    assert shelf.names() == [stays]
    assert sweep.run(now_ms(), never) == (0, 0, 0)


def test_a_content_stays_while_another_event_has_it(database: Database, disk: DiskShelf) -> None:
    sha256 = a_content(disk)
    speak_of(database, sha256, 1)
    speak_of(database, sha256, 2, account="other", over_for_ms=-1 * HOUR_MS)
    speak_of(database, sha256, 3, account="", over_for_ms=-2 * HOUR_MS)
    sweep = ContentSweep(database, disk.contents)
    at_ms = now_ms()
    for later_ms, left in ((0, [2, 3]), (HOUR_MS, [3])):
        assert sweep.run(at_ms + later_ms, never) == (1, 0, 0)
        assert [event for event, _until in spoken_of(database)] == left
        assert disk.names() == [sha256]
    assert sweep.run(at_ms + 2 * HOUR_MS, never) == (1, 1, 0)
    assert disk.names() == []


def test_a_content_stays_while_a_push_is_pending_and_a_day_after_it(
    database: Database, disk: DiskShelf
) -> None:
    sha256 = a_content(disk)
    speak_of(database, sha256)
    with database.writing() as connection:
        rows.add_message(connection, 1)
        rows.add_delivery(connection, 1, 1, state=DELIVERED, finished_at_ms=1)
        rows.add_delivery(connection, 1, 2)
        rows.add_delivery(connection, 1, 3, state=DEAD, finished_at_ms=now_ms())
    sweep = ContentSweep(database, disk.contents)
    at_ms = now_ms()
    assert sweep.run(at_ms, never) == (0, 0, 0)
    assert spoken_of(database) == [(1, at_ms + LOOK_AGAIN_MS)]
    pushed_at_ms = at_ms + HOUR_MS // 2
    with database.writing() as connection:
        d = t.deliveries.c
        connection.execute(
            update(t.deliveries).where(d.endpoint == 2).values(state=DELIVERED, finished_at_ms=pushed_at_ms)
        )
    assert sweep.run(at_ms + LOOK_AGAIN_MS, never) == (0, 0, 0)
    assert spoken_of(database) == [(1, pushed_at_ms + AFTER_PUSH_MS)]
    assert sweep.run(pushed_at_ms + AFTER_PUSH_MS - 1, never) == (0, 0, 0)
    assert disk.names() == [sha256]
    assert sweep.run(pushed_at_ms + AFTER_PUSH_MS, never) == (1, 1, 0)
    assert disk.names() == []


@pytest.mark.parametrize(
    "delivery",
    [{"state": DEAD}, {"state": DELIVERED, "finished_at_ms": now_ms() - AFTER_PUSH_MS}],
    ids=["dead", "delivered a day ago"],
)
def test_what_nobody_waits_for_keeps_no_content(
    database: Database, disk: DiskShelf, delivery: dict[str, Any]
) -> None:
    speak_of(database, a_content(disk))
    with database.writing() as connection:
        rows.add_delivery(connection, 1, 1, **{"finished_at_ms": now_ms()} | delivery)
        rows.add_delivery(connection, 2, 1)  # of another event
        rows.add_submission(connection, 3)
    assert ContentSweep(database, disk.contents).run(now_ms(), never) == (1, 1, 0)


def test_a_submission_that_waits_to_be_sent_keeps_its_content(database: Database, disk: DiskShelf) -> None:
    speak_of(database, a_content(disk))
    with database.writing() as connection:
        rows.add_submission(connection, 1)
    sweep = ContentSweep(database, disk.contents)
    at_ms = now_ms()
    assert sweep.run(at_ms, never) == (0, 0, 0)
    assert spoken_of(database) == [(1, at_ms + LOOK_AGAIN_MS)]
    with database.writing() as connection:
        connection.execute(update(t.submissions).values(status="SENT"))
    assert sweep.run(at_ms + LOOK_AGAIN_MS, never) == (1, 1, 0)


def test_many_go_in_chunks_and_rest_may_stop_it(
    database: Database, disk: DiskShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    monkeypatch.setattr(module, "REMOVALS", 2)
    for n in range(8):
        speak_of(database, a_content(disk, str(n)), n, over_for_ms=1000 - n)
    with database.writing() as connection:
        rows.add_delivery(connection, 0, 1)
    sweep = ContentSweep(database, disk.contents)
    for wanted in ((2, 2, 0), (3, 2, 0)):  # 0 stays; of 3, 4 and 5 one is left when it is told to stop
        calls = iter([False, True])
        assert sweep.run(now_ms(), lambda calls=calls: next(calls, True)) == wanted  # type: ignore[misc]
    assert sweep.run(now_ms(), never) == (2, 3, 0)
    assert [event for event, _until in spoken_of(database)] == [0]
    assert len(disk.names()) == 1


# --- contents without rows ---


def test_orphans_go_and_what_is_spoken_of_or_young_stays(database: Database, shelf: Shelf) -> None:
    orphan, spoken = a_content(shelf, "a"), a_content(shelf, "b")
    young = kept(shelf.contents, _parts("c")).sha256
    speak_of(database, spoken, over_for_ms=-HOUR_MS)
    spooled(shelf.contents)
    sweep = ContentSweep(database, shelf.contents)
    at_ms = now_ms()
    assert sweep.run(at_ms, never) == (0, 1, 0)
    assert shelf.names() == sorted((spoken, young))
    assert orphan not in shelf.names()
    speak_of(database, spoken, 2, over_for_ms=-5 * HOUR_MS)
    assert sweep.run(at_ms + 2 * ORPHANS_EVERY_MS, never) == (1, 1, 1)
    assert shelf.names() == [spoken]
    assert shelf.on_their_way() == 0


def test_orphans_are_looked_for_at_the_start_and_then_every_hour(
    database: Database, disk: DiskShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    made = [a_content(disk, str(n)) for n in range(7)]
    watched = Watched(disk.contents)
    sweep = ContentSweep(database, watched)
    at_ms = now_ms()
    calls = iter([False, False, False, True])
    assert sweep.run(at_ms, lambda: next(calls, True)) == (0, 3, 0)
    assert sweep.run(at_ms + 1, never) == (0, 4, 0)  # it was not done
    assert watched.listed == 2
    assert sorted(watched.asked) == sorted(made)
    a_content(disk, "another")
    assert sweep.run(at_ms + ORPHANS_EVERY_MS, never) == (0, 0, 0)
    assert sweep.run(at_ms + 1 + ORPHANS_EVERY_MS, never) == (0, 1, 0)
    assert watched.listed == 3


# --- trouble, and crashes ---


def test_trouble_with_the_content_store_leaves_orphans_that_go_later(
    database: Database, disk: DiskShelf
) -> None:
    names = sorted(a_content(disk, name) for name in "ab")
    for event, name in enumerate(names):
        speak_of(database, name, event)
    watched = Watched(disk.contents)
    sweep = ContentSweep(database, watched)
    at_ms = now_ms()
    watched.before_remove = _gone_away
    assert sweep.run(at_ms, never) == (2, 0, 0)
    assert sweep.trouble == "the content store: gone away"
    assert (spoken_of(database), disk.names()) == ([], names)
    assert watched.asked == names[:1]  # the others would not go either
    assert sweep.run(at_ms + 10_000, never) == (0, 0, 0)
    assert sweep.trouble
    watched.before_remove = lambda _name: None
    assert sweep.run(at_ms + module.AFTER_TROUBLE_MS, never) == (0, 2, 0)
    assert sweep.trouble is None
    assert disk.names() == []


def test_a_store_that_is_away_is_trouble_from_the_start(database: Database, shelf: Shelf) -> None:
    sweep = ContentSweep(database, shelf.broken())
    assert sweep.run(now_ms(), never) == (0, 0, 0)
    assert sweep.trouble is not None
    assert sweep.trouble.startswith("the content store: ")


def test_trouble_with_the_database_is_raised(
    database: Database, disk: DiskShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> Any:
        raise StoreUnavailable("disk full")

    speak_of(database, a_content(disk))
    monkeypatch.setattr(database, "writing", gone)
    sweep = ContentSweep(database, disk.contents)
    with pytest.raises(StoreUnavailable, match="disk full"):
        sweep.run(now_ms(), never)
    assert sweep.trouble is None


def test_a_row_goes_before_its_content(database: Database, disk: DiskShelf) -> None:
    """Who dies in between leaves a content without a row."""
    sha256 = a_content(disk)
    speak_of(database, sha256)
    watched = Watched(disk.contents)
    seen: list[tuple[list[Any], list[str]]] = []
    watched.before_remove = lambda _name: seen.append((spoken_of(database), disk.names()))
    ContentSweep(database, watched).run(now_ms(), never)
    assert seen == [([], [sha256])]


# --- races ---


def arrive(database: Database, contents: Contents, event: int = 77) -> str:
    """An MMS is kept, and then its row is written, as intake and submission do."""
    sha256 = kept(contents, _parts("a")).sha256
    with database.writing() as connection:
        rows.add_content(connection, event, sha256, expires_at_ms=now_ms() + 24 * HOUR_MS)
    return sha256


@pytest.mark.parametrize("is_orphan", [True, False], ids=["an orphan", "a row whose time is over"])
def test_what_comes_again_just_before_it_is_taken_away_stays(
    database: Database, shelf: Shelf, is_orphan: bool
) -> None:
    """The sweep has looked, and found no row: now there is one."""
    sha256 = a_content(shelf)
    if not is_orphan:
        speak_of(database, sha256)
    watched = Watched(shelf.contents)
    watched.before_remove = lambda _name: arrive(database, shelf.another())
    assert ContentSweep(database, watched).run(now_ms(), never).removed == 0
    assert watched.asked == [sha256]
    assert [event for event, _until in spoken_of(database)] == [77]
    assert read(shelf.contents, sha256)


def test_what_is_kept_and_has_no_row_yet_stays(database: Database, shelf: Shelf) -> None:
    sha256 = a_content(shelf)
    speak_of(database, sha256)
    kept(shelf.another(), _parts("a"))
    assert ContentSweep(database, shelf.contents).run(now_ms(), never) == (1, 0, 0)
    with database.writing() as connection:
        rows.add_content(connection, 77, sha256, expires_at_ms=now_ms() + HOUR_MS)
    assert read(shelf.contents, sha256)


@pytest.mark.parametrize("turn", range(5))
def test_whoever_is_first_what_has_a_row_has_a_content(database: Database, shelf: Shelf, turn: int) -> None:
    """Two nodes sweep while a third takes the same MMS again, at the same moment."""
    sha256 = a_content(shelf)
    if turn % 2:
        speak_of(database, sha256)
    sweeps = [ContentSweep(database, shelf.another()) for _ in range(2)]
    at_ms = now_ms()
    start = threading.Barrier(3)
    failed: list[BaseException] = []

    def run(do: Callable[[], object]) -> None:
        start.wait()
        try:
            do()
        except BaseException as error:
            failed.append(error)

    doings: list[Callable[[], object]] = [lambda: arrive(database, shelf.another())]
    doings += [lambda sweep=sweep: sweep.run(at_ms, never) for sweep in sweeps]  # type: ignore[misc]
    threads = [threading.Thread(target=run, args=(each,)) for each in doings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [sweep.trouble for sweep in sweeps] == [None, None]
    assert [event for event, _until in spoken_of(database)] == [77]
    assert read(shelf.contents, sha256)


def test_nodes_that_sweep_at_once_take_each_row_once(database: Database, disk: DiskShelf) -> None:
    names = [a_content(disk, str(n)) for n in range(30)]
    with database.writing() as connection:
        for event in range(600):
            rows.add_content(connection, event, names[event % 30], expires_at_ms=event)
            if event % 4 == 0:
                rows.add_delivery(connection, event, 1)
    sweeps = [ContentSweep(database, disk.another()) for _ in range(3)]
    start = threading.Barrier(3)
    found = []

    def run(sweep: ContentSweep) -> None:
        start.wait()
        found.append(sweep.run(now_ms(), never))

    threads = [threading.Thread(target=run, args=(sweep,)) for sweep in sweeps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.expired for each in found) == 450
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(t.contents)) == 150
    assert disk.names() == sorted({names[event % 30] for event in range(0, 600, 4)})


class Watched:
    """A content store, and what it is asked."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.before_remove: Callable[[str], object] = lambda _name: None
        self.asked: list[str] = []
        self.listed = 0

    def spool(self) -> Spool:
        return self._contents.spool()

    def keep(self, spool: Spool, chosen: list[Chosen]) -> Content:  # type: ignore[override]
        return self._contents.keep(spool, chosen)

    def open(self, sha256: str) -> ContentReader:
        return self._contents.open(sha256)

    def remove(self, sha256: str, now_s: float) -> bool:
        self.asked.append(sha256)
        self.before_remove(sha256)
        return self._contents.remove(sha256, now_s)

    def old_names(self, now_s: float) -> Iterator[str]:
        self.listed += 1
        return self._contents.old_names(now_s)

    def clear_leftovers(self, now_s: float) -> int:
        return self._contents.clear_leftovers(now_s)


def _gone_away(_name: str) -> None:
    raise StoreUnavailable("the content store: gone away")
