"""Mails in pieces, read out: in bounded chunks, from a real content store, and closed whatever happens."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from homing.engine.contents import ContentReader
from homing.engine.mail_chunks import CHUNK, READ, mail_chunks, read_chunks
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content
from homing.store.blobs import LocalBlobs
from homing.wire.mail_pieces import MailPieces, encoded, encoded_size
from homing.wire.streamed import Slice
from tests.store.test_blobs import kept

BIG = os.urandom(READ * 2 + CHUNK + 100)


class Watched:
    """A real reader; counts what is read of it, and whether it was closed."""

    def __init__(self, inner: ContentReader) -> None:
        self.inner = inner
        self.reads: list[int] = []
        self.closed = 0

    def read(self, offset: int, size: int) -> bytes:
        self.reads.append(size)
        return self.inner.read(offset, size)

    def close(self) -> None:
        self.closed += 1
        self.inner.close()


class Store:
    """A content store with one content, and its readers."""

    def __init__(self, directory: Path) -> None:
        self.blobs = LocalBlobs(directory)
        self.content: Content = kept(self.blobs, [("big.jpg", "image/jpeg", BIG)])
        self.readers: list[Watched] = []

    def open(self, sha256: str) -> ContentReader:
        self.readers.append(Watched(self.blobs.open(sha256)))
        return self.readers[-1]

    def mail(self, longer: int = 0) -> MailPieces:
        (part,) = self.content.parts
        slice_ = Slice(part.offset, part.size + longer)
        return MailPieces(sha256=self.content.sha256, pieces=(b"head\r\n", slice_, b"end\r\n"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mms")


def test_chunks_are_bounded_and_are_the_whole(store: Store) -> None:
    chunks = list(mail_chunks(store.mail(), store.open))
    assert b"".join(chunks) == b"head\r\n" + encoded(BIG) + b"end\r\n"
    assert max(map(len, chunks)) == encoded_size(CHUNK)
    assert all(chunk.endswith(b"\r\n") for chunk in chunks)
    (reader,) = store.readers
    assert reader.reads == [READ, READ, CHUNK + 100]
    assert reader.closed == 1


def test_a_mail_without_slices_needs_no_content(store: Store) -> None:
    mail = MailPieces(sha256="00" * 32, pieces=(b"head\r\n", b"end\r\n"))
    assert list(mail_chunks(mail, store.open)) == [b"head\r\n", b"end\r\n"]
    assert store.readers == []


def test_a_content_that_is_gone_is_said_before_anything_is_given(store: Store) -> None:
    mail = MailPieces(sha256="00" * 32, pieces=(b"head\r\n", Slice(0, 1)))
    with pytest.raises(FileNotFoundError):
        next(mail_chunks(mail, store.open))


def test_a_content_that_is_shorter_than_it_was(store: Store) -> None:
    chunks = mail_chunks(store.mail(longer=store.content.size), store.open)
    assert next(chunks) == b"head\r\n"
    with pytest.raises(StoreUnavailable, match="shorter"):
        list(chunks)
    assert store.readers[0].closed == 1


def test_who_stops_early_leaves_nothing_open(store: Store) -> None:
    async def main() -> None:
        async with aclosing(read_chunks(store.mail(), store.open)) as chunks:
            assert await anext(chunks) == b"head\r\n"
            assert len(await anext(chunks)) == encoded_size(CHUNK)

    asyncio.run(main())
    (reader,) = store.readers
    assert reader.reads == [READ]
    assert reader.closed == 1
