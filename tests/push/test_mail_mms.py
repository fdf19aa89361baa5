"""MMS by e-mail through a real relay: with their pictures, no faster than it takes them, or not at all."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from homing.engine.contents import ContentReader
from homing.model.message import ReceivedMessage
from homing.model.mms import Mms
from homing.push.mail import MailPusher
from homing.store.blobs import LocalBlobs
from homing.wire.push_mail import MailPush
from tests.push.relay import Handler, relay
from tests.push.test_mail import ENDPOINT, Sender, run
from tests.store.test_blobs import kept
from tests.wire.test_mail import MESSAGE, REPORT, changed

PICTURE = os.urandom(5 * 1_048_576 + 1)
TEXT = "Look\n.here\n"


class Store:
    """A content store on disk, with an MMS."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = LocalBlobs(directory)
        self.open: Callable[[str], ContentReader] = self.blobs.open

    def mms(self, picture: bytes = PICTURE) -> ReceivedMessage:
        files = (("p.jpg", "image/jpeg", picture), ("t.txt", "text/plain", TEXT.encode()))
        content = kept(self.blobs, files)
        mms = Mms(subject="Hols", content=content, expires_at_ms=1_702_592_000_000)
        made: ReceivedMessage = changed(MESSAGE, text=TEXT, mms=mms)
        return made

    def file_of(self, message: ReceivedMessage) -> Path:
        assert message.mms is not None
        sha256 = message.mms.content.sha256
        return self.directory / sha256[:2] / f"{sha256}.zip"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mms")


def files_of(mail: EmailMessage) -> dict[str | None, Any]:
    return {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_parts()}


@pytest.mark.parametrize("ehlo", ["", "502 what is that"])
def test_it_arrives_with_its_pictures(store: Store, ehlo: str) -> None:
    handler = Handler()
    handler.replies = {"EHLO": [ehlo]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open, connections=1)
            assert (await sender.send(store.mms())).status == 250
            assert (await sender.send(REPORT, 2)).status == 250
            assert (await sender.send(store.mms(b""), 3)).status == 250
            assert sender.pusher.connections_opened == 1
            await sender.pusher.close()

        run(main)
    mail, report, empty = handler.parsed()
    assert files_of(mail)["p.jpg"] == PICTURE
    assert files_of(mail)["t.txt"] == TEXT.encode()
    assert files_of(empty)["p.jpg"] == b""
    said = files_of(mail)[None].replace(b"\r\n", b"\n")
    assert said.startswith(f"{TEXT}\nAttached:\np.jpg (image/jpeg, 5242881 octets)\n".encode())
    assert (mail["Subject"], mail["To"], mail["Homing-Attempt"]) == ("Hols", "ann@ox.test", "1")
    assert report["X-Homing-Kind"] == "report"


def test_the_relay_is_told_its_size(store: Store) -> None:
    with relay(largest=6_000_000) as (handler, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open)
            answer = await sender.send(store.mms())
            assert answer.status == 552
            assert MailPush.is_refused(answer)
            assert (await sender.send(store.mms(PICTURE[:4_000_000]), 2)).status == 250
            assert sender.pusher.connections_opened == 1
            await sender.pusher.close()

        run(main)
        ((_, _, octets),) = handler.mails
        assert handler.options == [f"SIZE={len(octets)}"]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "is_final"), [("552 too large", True), ("554 no", True), ("451 try later", False)]
)
def test_a_reply_to_it_is_its_answer(store: Store, command: str, reply: str, is_final: bool) -> None:
    handler = Handler()
    handler.replies = {command: [reply, ""]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open)
            answer = await sender.send(store.mms(PICTURE[:300_000]))
            assert answer.status == int(reply[:3])
            assert answer.body == reply[4:].encode()
            assert MailPush.is_refused(answer) is is_final
            assert (await sender.send(store.mms(PICTURE[:300_000]), 2)).status == 250
            assert sender.pusher.connections_opened == 1
            await sender.pusher.close()

        run(main)
        assert len(handler.mails) == 1


@pytest.mark.parametrize("command", ["MAIL", "DATA"])
def test_a_relay_that_says_it_closes_is_come_back_to(store: Store, command: str) -> None:
    handler = Handler()
    handler.replies = {command: ["421 closing", ""]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open)
            answer = await sender.send(store.mms(b"x"))
            assert answer.status is None
            assert "421" in (answer.error or "")
            assert (await sender.send(store.mms(b"x"), 2)).status == 250
            await sender.pusher.close()

        run(main)


@pytest.mark.parametrize("has_store", [True, False])
def test_a_content_that_is_gone_is_said_to_be(store: Store, has_store: bool) -> None:
    message = store.mms(b"x")
    if has_store:
        store.file_of(message).unlink()
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open if has_store else None)
            assert (await sender.send(message)).status == 250
            await sender.pusher.close()

        run(main)
        (mail,) = handler.parsed()
        assert mail["X-Homing-Mms-Content"] == "gone"
        assert mail.get_content().startswith("Look\r\n.here\r\n\r\nThe parts of this MMS were kept until")


def test_a_content_that_cannot_be_read_to_its_end_is_not_sent(store: Store) -> None:
    message = store.mms()
    os.truncate(store.file_of(message), 2_000_000)
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port, open_content=store.open, connections=1)
            answer = await sender.send(message)
            assert answer.status is None
            assert answer.error == "a content is shorter than it was"
            assert (await sender.send(REPORT, 2)).status == 250
            assert sender.pusher.connections_opened == 2
            await sender.pusher.close()

        run(main)
        assert [mail["X-Homing-Kind"] for mail in handler.parsed()] == ["report"]


def test_a_digest_has_no_pictures(store: Store) -> None:
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port, changed(ENDPOINT, digest_min=5), open_content=store.open)
            assert (await sender.send(store.mms(b"x"))).status == 250
            await sender.pusher.close()

        run(main)
        (mail,) = handler.parsed()
        assert mail["Subject"] == "1 event: 1 mms"


# --- relays that are not as they should be ---


class Rude:
    """A relay that is polite up to DATA, and then does what it is told to."""

    def __init__(
        self, doing: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> None:
        self._doing = doing

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            writer.write(b"354 go on\r\n" if line == b"DATA\r\n" else b"250 ok\r\n")
            if line == b"DATA\r\n":
                await self._doing(reader, writer)
                break
        writer.close()


async def answered(store: Store, rude: Rude, **values: Any) -> tuple[Any, MailPusher]:
    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    sender = Sender(server.sockets[0].getsockname()[1], open_content=store.open, **values)
    answer = await sender.send(store.mms())
    await sender.pusher.close()
    server.close()
    return answer, sender.pusher


def test_a_relay_that_has_heard_enough_says_so_early(store: Store) -> None:
    async def enough(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1_000_000)
        writer.write(b"552 too large\r\n")
        await reader.read(-1)  # until we have closed

    async def main() -> None:
        answer, _ = await answered(store, Rude(enough))
        assert (answer.status, answer.body) == (552, b"too large")

    run(main)


def test_a_relay_that_goes_in_the_middle(store: Store) -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1_000_000)
        writer.transport.abort()

    async def main() -> None:
        answer, _ = await answered(store, Rude(gone))
        assert answer.status is None
        assert "the relay" in answer.error
        assert answer.congested

    run(main)


def test_a_relay_that_takes_nothing_is_given_up_and_little_was_read(store: Store) -> None:
    message = store.mms(os.urandom(20 * 1_048_576))
    closed = asyncio.Event()
    loop: asyncio.AbstractEventLoop
    read = 0

    class Counting:
        def __init__(self, inner: ContentReader) -> None:
            self._inner = inner

        def read(self, offset: int, size: int) -> bytes:
            nonlocal read
            read += size
            return self._inner.read(offset, size)

        def close(self) -> None:
            self._inner.close()
            loop.call_soon_threadsafe(closed.set)

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.wait_for(closed.wait(), 20)

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(Rude(silent), "127.0.0.1", 0, limit=1000)
        sender = Sender(
            server.sockets[0].getsockname()[1],
            open_content=lambda sha256: Counting(store.open(sha256)),
            give_up_s=1.5,
        )
        answer = await sender.send(message)
        assert answer.error == "timeout"
        await asyncio.wait_for(closed.wait(), 20)
        assert read < 15 * 1_048_576  # the rest of what was read is in the sockets
        await sender.pusher.close()
        server.close()

    run(main)
