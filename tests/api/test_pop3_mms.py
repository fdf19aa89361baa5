"""MMS over POP3: real sockets, contents on a real disk, and little in memory however large they are."""

import os
import poplib
import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import msgspec
import pytest
import trustme
from sqlalchemy import delete

from homing.engine.mail_chunks import READ
from homing.model.clock import now_ms
from homing.model.mms import Content, Mms
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from tests.api.running import PASSWORD, RunningGateway
from tests.api.test_pop3_server import FIRST, Far, forgive, log_in, said, wait_for
from tests.store import rows
from tests.store.test_blobs import kept

PICTURE = os.urandom(5 * 1_048_576 + 1)
TEXT = b"Look\n.here"


class MmsFar(Far):
    """POP3 servers, and MMS among the messages."""

    def __init__(self, gateway: RunningGateway, authority: trustme.CA, directory: Path) -> None:
        super().__init__(gateway, authority)
        self.directory = directory
        self.blobs = LocalBlobs(directory)
        gateway.open_content = self.blobs.open

    def add_mms(self, number: int, picture: bytes = PICTURE) -> Content:
        """One after so many messages."""
        files = (
            ("p.jpg", "image/jpeg", picture),
            ("t.txt", "text/plain", TEXT),
            ("s.smil", "application/smil", b"<smil/>"),
        )
        content = kept(self.blobs, files)
        mms = msgspec.msgpack.encode(Mms(subject="Hols", content=content, expires_at_ms=now_ms()))
        row = {
            "account": "acme",
            "sha256": content.sha256,
            "event": FIRST + number,
            "expires_at_ms": now_ms(),
        }
        with self.gateway.database.writing() as connection:
            rows.add_message(connection, FIRST + number, text=TEXT.decode(), mms=mms)
            connection.execute(t.contents.insert().values(row))
        return content

    def file_of(self, content: Content) -> Path:
        return self.directory / content.sha256[:2] / f"{content.sha256}.zip"

    def forget_contents(self) -> None:
        with self.gateway.database.writing() as connection:
            connection.execute(delete(t.contents))

    def talk_to(self, port: int, commands: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(f"USER acme\r\nPASS {PASSWORD}\r\n{commands}".encode())
        return connection


def read_to_the_end(connection: socket.socket) -> bytes:
    answer = bytearray()
    while piece := connection.recv(1_048_576):
        answer += piece
    return bytes(answer)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def far(gateway: RunningGateway, authority: trustme.CA, tmp_path: Path) -> Iterator[MmsFar]:
    made = MmsFar(gateway, authority, tmp_path / "mms")
    yield made
    made.stop()


def files_of(lines: list[bytes]) -> dict[str | None, object]:
    mail = message_from_bytes(b"".join(line + b"\r\n" for line in lines), policy=default)
    return {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_parts()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_tls", [False, True])
def test_an_mms_among_sms(far: MmsFar, is_tls: bool) -> None:
    far.fill(2)
    far.add_mms(2)
    port = far.serve(is_tls=is_tls)
    client: poplib.POP3 = (
        poplib.POP3_SSL("localhost", port, context=far.trusting, timeout=20)
        if is_tls
        else poplib.POP3("127.0.0.1", port, timeout=20)
    )
    client.user("acme")
    client.pass_(PASSWORD)
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert client.stat() == (3, sum(sizes))
    for number in (3, 1, 3, 2):
        answer, lines, _ = client.retr(number)
        assert answer == b"+OK %d octets" % sizes[number - 1]
        assert sum(len(line) + 2 for line in lines) == sizes[number - 1]
        if number == 3:
            files = files_of(lines)
            assert (files["p.jpg"], files["t.txt"], files["s.smil"]) == (PICTURE, TEXT, b"<smil/>")
            assert str(files[None]).startswith("b'Look\\r\\n.here\\r\\n")
            whole = lines
    body = whole.index(b"") + 1
    for count in (0, 1, 30, 1000):
        assert client.top(3, count)[1] == whole[: body + count]
    client.dele(3)
    client.quit()
    assert far.marks() == {FIRST: (True, False), FIRST + 1: (True, False), FIRST + 2: (True, True)}
    assert far.servers[0].retrieved == 8


def test_pipelined_commands_wait_for_it(far: MmsFar) -> None:
    far.fill(2)
    far.add_mms(2, PICTURE[:700_000])
    with far.talk_to(
        far.serve(), "RETR 1\r\nRETR 3\r\nTOP 3 1\r\nNOOP\r\nRETR 2\r\nDELE 3\r\nQUIT\r\n"
    ) as connection:
        answer = read_to_the_end(connection)
    first, mms, top, *rest = answer.split(b"\r\n.\r\n")
    assert b"text 0" in first
    assert len(mms) > 900_000
    assert top.startswith(b"+OK\r\n")
    assert rest[0].startswith(b"+OK\r\n+OK ")
    assert b"text 1" in rest[0]
    assert answer.endswith(b".\r\n+OK message 3 deleted\r\n+OK good bye\r\n")
    assert far.marks()[FIRST + 2] == (True, True)


def test_who_does_not_read_is_given_no_more(far: MmsFar) -> None:
    far.add_mms(0, os.urandom(16 * 1_048_576))
    read = 0
    opened = far.blobs.open

    def counting(sha256: str) -> object:
        reader = opened(sha256)
        inner = reader.read

        def reading(offset: int, size: int) -> bytes:
            nonlocal read
            read += size
            return inner(offset, size)

        reader.read = reading  # type: ignore[method-assign]
        return reader

    far.gateway.open_content = counting  # type: ignore[assignment]
    port = far.serve()
    with far.talk_to(port, "RETR 1\r\nQUIT\r\n") as connection:
        wait_for(lambda: any(not session._may_write.is_set() for session in far.servers[0].sessions))
        (session,) = far.servers[0].sessions
        assert session._transport is not None
        assert session._transport.get_write_buffer_size() < READ
        assert read < 15 * 1_048_576  # the rest is in the sockets
        answer = read_to_the_end(connection)
    assert answer.endswith(b"\r\n.\r\n+OK good bye\r\n")
    assert far.marks() == {FIRST: (True, False)}


def test_who_takes_nothing_is_not_waited_for(far: MmsFar) -> None:
    far.add_mms(0, os.urandom(16 * 1_048_576))
    with far.talk_to(far.serve(idle_timeout_s=0.3), "RETR 1\r\nDELE 1\r\nQUIT\r\n"):
        wait_for(lambda: far.servers[0].accepted == 1 and not far.servers[0].sessions)
        wait_for(lambda: not far.gateway.gateway.mailbox._locked)
    assert far.marks() == {}
    forgive(far)
    log_in(far.servers[0].ports[0]).close()  # the mailbox is free


def test_who_goes_in_the_middle_frees_the_mailbox(far: MmsFar) -> None:
    far.add_mms(0)
    port = far.serve()
    with far.talk_to(port, "RETR 1\r\nDELE 1\r\nQUIT\r\n") as connection:
        read = 0
        while read < 100_000:
            read += len(connection.recv(100_000))
    wait_for(lambda: not far.gateway.gateway.mailbox._locked)
    assert far.marks() == {}
    forgive(far)
    log_in(port).quit()


def test_a_content_that_breaks_off_is_no_mail(far: MmsFar) -> None:
    content = far.add_mms(0)
    os.truncate(far.file_of(content), content.size // 2)
    with far.talk_to(far.serve(), "RETR 1\r\nDELE 1\r\nQUIT\r\n") as connection:
        answer = read_to_the_end(connection)
    assert len(answer) > content.size // 2
    assert b"\r\n.\r\n" not in answer
    assert b"-ERR" not in answer
    assert far.marks() == {}
    forgive(far)
    log_in(far.servers[0].ports[0]).quit()


def test_a_content_that_is_not_there(far: MmsFar) -> None:
    far.file_of(far.add_mms(0)).unlink()
    client = log_in(far.serve())
    assert said(lambda: client.retr(1)).startswith("-ERR [SYS/TEMP]")
    assert client.top(1, 0)[1][-1] == b""  # which needs none
    client.quit()
    assert far.marks() == {}


def test_what_goes_while_a_session_lasts_is_another_mail_in_the_next(far: MmsFar) -> None:
    far.fill(250)
    far.add_mms(250)
    client = log_in(far.serve())
    size = int(client.list(251).split()[2])
    far.forget_contents()
    assert said(lambda: client.retr(251)).startswith("-ERR [SYS/TEMP]")
    assert client.retr(250)[1][-2] == b"text 249"
    client.quit()
    forgive(far)
    client = log_in(far.servers[0].ports[0])
    assert int(client.list(251).split()[2]) < size
    lines = client.retr(251)[1]
    assert b"X-Homing-Mms-Content: gone" in lines
    assert b"p.jpg (image/jpeg, 5242881 octets)" in lines
    client.quit()


def test_a_server_that_stops_in_the_middle(far: MmsFar) -> None:
    far.add_mms(0, os.urandom(16 * 1_048_576))
    with far.talk_to(far.serve(), "RETR 1\r\nDELE 1\r\nQUIT\r\n") as connection:
        wait_for(lambda: any(not session._may_write.is_set() for session in far.servers[0].sessions))
        far.run(far.servers[0].stop(0.1))
        answer = read_to_the_end(connection)
    assert b"\r\n.\r\n" not in answer
    assert b"-ERR" not in answer
    assert far.marks() == {}
