"""A mail in pieces, read out: its octets in chunks, with no more in memory than one read of the content.

A content that is gone is ``FileNotFoundError`` before the first chunk; one that cannot be read, or is shorter
than it was, is ``StoreUnavailable``, in the middle too.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Executor
from typing import Final

from homing.engine.contents import ContentReader, OpenContent
from homing.model.errors import StoreUnavailable
from homing.wire.mail_pieces import LINE_OCTETS, MailPieces, encoded
from homing.wire.streamed import Slice

CHUNK: Final = LINE_OCTETS * 768
"""Octets of the content in one chunk; in base64 58 KiB."""
READ: Final = CHUNK * 5
"""Octets that are read at once: a store may be far away."""


async def read_chunks(
    mail: MailPieces, open_content: OpenContent, threads: Executor | None = None
) -> AsyncGenerator[bytes, None]:
    """The octets of the mail, each chunk whole lines, read in threads. The caller closes it."""
    loop = asyncio.get_running_loop()
    chunks = mail_chunks(mail, open_content)
    try:
        while (octets := await loop.run_in_executor(threads, next, chunks, None)) is not None:
            yield octets
    finally:
        with contextlib.suppress(ValueError):  # a thread is reading still: it closes what it leaves
            chunks.close()


def mail_chunks(mail: MailPieces, open_content: OpenContent) -> Generator[bytes, None, None]:
    """The same in a thread. Keeps the content open until it is done or closed."""
    if not any(isinstance(piece, Slice) for piece in mail.pieces):
        yield from (piece for piece in mail.pieces if isinstance(piece, bytes))
        return
    reader = open_content(mail.sha256)
    try:
        for piece in mail.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from _encoded_slice(piece, reader)
    finally:
        reader.close()


def _encoded_slice(piece: Slice, reader: ContentReader) -> Generator[bytes, None, None]:
    end = piece.offset + piece.size
    for begin in range(piece.offset, end, READ):
        size = min(READ, end - begin)
        octets = memoryview(reader.read(begin, size))
        if len(octets) != size:
            raise StoreUnavailable("a content is shorter than it was")
        for at in range(0, size, CHUNK):
            yield encoded(octets[at : at + CHUNK])
