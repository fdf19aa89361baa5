"""The mailbox of an account over a real store: read, marked, listed, and searched from where it may begin."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from homing.engine.mailbox import Mailbox, Mark, Start, record_marks
from homing.engine.polling import PollingRule
from homing.model.clock import BORN_SHIFT, id_at, now_ms
from homing.model.errors import StoreUnavailable
from homing.model.mms import Mms
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from homing.store.mailbox import StoreMails
from homing.wire.mail import MailWriter
from homing.wire.mail_id import event_of, mail_id
from homing.wire.mail_pieces import MailPieces
from tests.engine.far import World, a_store
from tests.store import rows
from tests.store.test_blobs import kept

DAY_MS = 86_400_000
LATE_MS = 600_000


def no_content(sha256: str) -> Any:
    raise FileNotFoundError(sha256)


class Far:
    """A mailbox over the world of the engine's tests."""

    def __init__(self, world: World, **changes: Any) -> None:
        self.world = world
        self.store = StoreMails(world.database)
        self.mailbox = Mailbox(
            store=self.store,
            journal=world.journal,
            threads=ThreadPoolExecutor(2),
            writer=MailWriter("sms.example.net"),
            polling=PollingRule(120),
            **{
                "retention_ms": 30 * DAY_MS,
                "late_ms": LATE_MS,
                "max_session": 1000,
                "open_content": no_content,
            }
            | changes,
        )

    def receive(self, count: int, age_ms: int = DAY_MS) -> list[int]:
        first = id_at(now_ms() - age_ms)
        with self.world.database.writing() as connection:
            for number in range(count):
                rows.add_message(connection, first + number)
        return [first + number for number in range(count)]

    def marks(self) -> dict[int, tuple[bool, bool]]:
        with self.world.database.reading() as connection:
            return {
                row.event: (row.is_read, row.is_deleted)
                for row in connection.execute(select(t.mailbox_marks))
            }


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]:
    """Runs a test in the world of the engine, on its loop."""

    def running(main: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async def inside() -> None:
            world = World(a_store(tmp_path))
            try:
                await main(world)
            finally:
                world.stop()
                world.database.close()

        asyncio.run(inside())

    return running


Run = Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]


def ids(mails: Any) -> list[int]:
    return [mail.event.id for mail in mails]


def test_what_was_read_is_not_new_any_more(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(5)
        box = far.mailbox
        assert ids(await box.unread("acme", 3)) == made[:3]
        assert await box.mark("acme", read=made[:3]) == 3
        assert ids(await box.unread("acme")) == made[3:]
        assert await box.count_unread("acme") == 2
        latest = await box.latest_unread("acme")
        assert latest is not None
        assert latest.event.id == made[4]
        await box.mark("acme", unread=[made[0]], deleted=[made[4]])
        assert ids(await box.unread("acme")) == [made[0], made[3]]
        assert ids(await box.page("acme", "kept", 0, 10)) == made[:4]
        assert ids(await box.page("acme", "unread", made[0], 10)) == [made[3]]
        assert await box.mail("acme", made[4]) is None
        assert ids(await box.mails_of("acme", [made[3], made[0], 7])) == [made[0], made[3]]
        assert await box.count_unread("other") == 0
        assert await box.latest_unread("other") is None
        assert await box.mark("acme") == 0

    run(main)


def test_an_event_is_shown_until_its_retention_is_over(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        far.receive(2, age_ms=31 * DAY_MS)
        made = far.receive(2, age_ms=29 * DAY_MS)
        assert ids(await far.mailbox.unread("acme")) == made
        assert [entry.id for entry in (await far.mailbox.drop("acme")).entries] == made

    run(main)


def test_a_drop_lists_the_oldest_mails_with_their_sizes(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world, max_session=300)
        made = far.receive(301)
        drop = await far.mailbox.drop("acme")
        assert [entry.id for entry in drop.entries] == made[:300]
        assert [entry.uid for entry in drop.entries] == [mail_id(id_) for id_ in made[:300]]
        assert drop.has_more
        written = dict(await far.mailbox.mails("acme", made[200:300]))
        assert {entry.id: entry.size for entry in drop.entries} == {
            id_: len(octets) for id_, octets in {**drop.first, **written}.items()
        }
        await far.mailbox.mark("acme", deleted=made[:2])
        drop = await far.mailbox.drop("acme")
        assert [entry.id for entry in drop.entries] == made[2:]
        assert not drop.has_more
        assert (await far.mailbox.drop("other")).entries == []

    run(main)


def test_an_mms_is_listed_with_its_parts_while_they_are_kept(run: Run, tmp_path: Path) -> None:
    async def main(world: World) -> None:
        blobs = LocalBlobs(tmp_path / "mms")
        content = kept(blobs, [("pic.jpg", "image/jpeg", b"\xff" * 100_000)])
        far = Far(world, open_content=blobs.open)
        first, second, _ = far.receive(3)
        mms = msgspec.msgpack.encode(Mms(content=content, expires_at_ms=now_ms()))
        with world.database.writing() as connection:
            for id_ in (first, second):
                connection.execute(update(t.messages).where(t.messages.c.id == id_).values(mms=mms))
        await world.write(lambda tx: tx.insert_contents([("acme", content.sha256, first, now_ms())]))
        drop = await far.mailbox.drop("acme")
        pieces = drop.first[first]
        assert isinstance(pieces, MailPieces)
        octets = b"".join([chunk async for chunk in far.mailbox.chunks(pieces)])
        assert drop.entries[0].size == len(octets)
        gone = drop.first[second]
        assert isinstance(gone, bytes)
        assert b"X-Homing-Mms-Content: gone" in gone

    run(main)


def test_who_has_no_mms_is_not_asked_for_contents(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(3)
        with world.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE contents")
        assert list(await far.mailbox.mails("acme", made)) == made

    run(main)


def test_searches_begin_where_the_first_unread_and_the_first_kept_stand(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(4)
        await far.mailbox.mark("acme", read=[made[0]], deleted=made[:1])
        await far.mailbox.unread("acme")
        await world.settle()
        await far.mailbox.drop("acme")
        await world.settle()
        assert far.store.start("acme") == Start(unread_from=made[1], kept_from=made[1])
        await far.mailbox.mark("acme", unread=[made[1]], read=made[1:2])  # the last word counts
        assert far.store.start("acme") == Start(unread_from=made[1], kept_from=made[1], version=1)
        assert ids(await far.mailbox.unread("acme")) == made[1:]

    run(main)


def test_an_event_that_comes_late_is_found(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        assert await far.mailbox.unread("acme") == []
        await world.settle()
        begin = far.store.start("acme").unread_from
        assert id_at(now_ms() - LATE_MS) - begin < 60_000 << BORN_SHIFT
        made = far.receive(1, age_ms=LATE_MS - 5_000)
        assert ids(await far.mailbox.unread("acme")) == made

    run(main)


def test_what_becomes_unread_again_is_found_again(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(3)
        await far.mailbox.mark("acme", read=made)
        assert await far.mailbox.unread("acme") == []
        await world.settle()
        assert far.store.start("acme").unread_from > made[2]
        await far.mailbox.mark("acme", unread=[made[1]])
        assert ids(await far.mailbox.unread("acme")) == [made[1]]

    run(main)


def test_marks_of_one_transaction_are_written_in_their_order(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(2)

        def marked(event: int, is_read: bool, is_deleted: bool = False) -> Mark:
            return Mark(account="acme", event=event, is_read=is_read, is_deleted=is_deleted)

        await world.write(
            lambda transaction: record_marks(
                transaction,
                [
                    marked(made[0], True),
                    marked(made[0], False),
                    marked(made[1], True, True),
                    marked(made[1], False),
                ],
            )
        )
        assert far.marks() == {made[0]: (False, False), made[1]: (False, True)}

    run(main)


def test_nothing_is_said_when_marks_cannot_be_stored(run: Run) -> None:
    async def main(world: World) -> None:
        far = Far(world)
        made = far.receive(1)
        with world.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE mailbox_marks")
        with pytest.raises(Exception, match="mailbox_marks") as raised:
            await far.mailbox.mark("acme", read=made)
        assert isinstance(raised.value, StoreUnavailable)

    run(main)


def test_one_session_at_a_time_and_one_poll_in_the_interval(run: Run) -> None:
    async def main(world: World) -> None:
        box = Far(world).mailbox
        assert box.lock("acme")
        assert not box.lock("acme")
        assert box.lock("other")
        box.unlock("acme")
        box.unlock("acme")
        assert box.lock("acme")
        assert box.poll("acme") == 0
        assert box.poll("acme") > 0
        assert box.poll_tracking("acme", 1) == 0
        assert box.poll_tracking("acme", 1) > 0
        assert box.poll_tracking("acme", 2) == box.poll_tracking("other", 1) == 0
        box.emptied_page("acme")
        assert box.poll("acme") == 0

    run(main)


@pytest.mark.parametrize(
    "event", [id_at(1_600_000_000_000), id_at(1_700_000_000_123) + 4_194_303, (1 << 63) - 1]
)
def test_the_name_of_a_mail_is_made_of_its_event(event: int) -> None:
    assert event_of(mail_id(event)) == event
    assert event_of(f" {mail_id(event)} ") == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mail",
        "Mail1700000000000",
        "Mail1700000000000-4194304",
        "Mail0000000000000-1",
        "Mail99999999999999-1",
        "x",
    ],
)
def test_what_is_no_name_is_no_mail(text: str) -> None:
    assert event_of(text) is None
