"""MMS as intake leaves them behind: the content kept, the message and the row that speaks of the content."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert

from homing.engine.contents import Chosen, Contents
from homing.model.mms import Content, Mms
from homing.store import tables as t
from tests.store import rows

EXPIRES_AT_MS = 1_700_000_900_000
Given = tuple[str, str, bytes]
PICTURE: Given = ("pic.jpg", "image/jpeg", os.urandom(300_000))
WORDS: Given = ("words.txt", "text/plain", "Grüße".encode())
EMPTY: Given = ("empty.txt", "text/plain", b"")
PARTS = (PICTURE, WORDS, EMPTY)


def keep(contents: Contents, parts: Sequence[Given] = PARTS) -> Content:
    """Put parts into the content store."""
    spool = contents.spool()
    chosen = []
    for name, content_type, octets in parts:
        spool.write(octets)
        chosen.append(Chosen(name=name, content_type=content_type, piece=spool.end_part()))
    content = contents.keep(spool, chosen)
    spool.close()
    return content


def an_mms(content: Content, **values: Any) -> Mms:
    made: dict[str, Any] = {
        "subject": "Holiday", "to": ("60999", "447700900002"), "cc": ("a@b.test",),
        "expires_at_ms": EXPIRES_AT_MS,
    }  # fmt: skip
    return Mms(content=content, **made | values)


def add_mms(
    connection: Connection, id_: int, content: Content, account: str | None = "acme", **values: Any
) -> None:
    """A received MMS."""
    octets = msgspec.msgpack.encode(an_mms(content))
    rows.add_message(connection, id_, account, **{"mms": octets, "text": "Grüße"} | values)
    speak_of(connection, id_, content, account)


def add_sent_mms(connection: Connection, id_: int, content: Content, account: str = "acme") -> None:
    """A submitted MMS."""
    rows.add_submission(connection, id_, account, mms=msgspec.msgpack.encode(an_mms(content)))
    speak_of(connection, id_, content, account)


def speak_of(connection: Connection, id_: int, content: Content, account: str | None = "acme") -> None:
    """The row that keeps a content retrievable."""
    row = {"account": account or "", "sha256": content.sha256, "event": id_, "expires_at_ms": EXPIRES_AT_MS}
    connection.execute(insert(t.contents).values(row))
