"""Content stores of each kind, as the tests of all of them need them: made, aged, spoiled, looked into."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from homing.engine.contents import Chosen, Contents, Spool
from homing.model.mms import Content
from homing.store.blobs import LocalBlobs
from homing.store.s3_blobs import S3Blobs
from tests import s3

Parts = Sequence[tuple[str, str, bytes]]
PARTS: Parts = (
    ("pic.jpg", "image/jpeg", os.urandom(600_000)),
    ("words.txt", "text/plain", b"Hi"),
    ("e.txt", "text/plain", b""),
)
KEY_ID, KEY = "a-key-of-tests", "its-s3cret"


class Shelf(Protocol):
    contents: Contents

    def another(self) -> Contents:
        """What another node has of the same store."""

    def broken(self) -> Contents:
        """One that is of no use, though a message can still be spooled."""

    def age(self, sha256: str, written_at_s: float) -> None:
        """Make a content look as if it was written then."""

    def names(self) -> list[str]:
        """Contents that are there."""

    def on_their_way(self) -> int:
        """Files of messages that come in."""


class DiskShelf:
    def __init__(self, path: Path) -> None:
        self._path = path / "content"
        self.contents: Contents = LocalBlobs(self._path)

    def another(self) -> Contents:
        return LocalBlobs(self._path)

    def broken(self) -> Contents:
        made = LocalBlobs(self._path.with_name("broken"))
        for value in range(256):
            (self._path.with_name("broken") / f"{value:02x}").write_text("in the way")
        return made

    def age(self, sha256: str, written_at_s: float) -> None:
        os.utime(self._path / sha256[:2] / f"{sha256}.zip", (written_at_s, written_at_s))

    def names(self) -> list[str]:
        return sorted(each.stem for each in self._path.glob("??/*"))

    def on_their_way(self) -> int:
        return len(list((self._path / "incoming").iterdir()))


class S3Shelf:
    def __init__(self, endpoint: str, bucket: str, path: Path) -> None:
        self._endpoint = endpoint
        self.bucket = bucket
        self._path = path / "node"
        s3.make_bucket(endpoint, bucket)
        self.contents: Contents = self.made()

    def made(self, **options: object) -> S3Blobs:
        given = {"endpoint": self._endpoint, "access_key_id": KEY_ID, "secret_access_key": KEY} | options
        return S3Blobs(f"s3://{self.bucket}/mms/here", self._path, **given)  # type: ignore[arg-type]

    def another(self) -> Contents:
        return self.made()

    def broken(self) -> Contents:
        with s3.running_s3() as gone:
            pass
        return self.made(endpoint=gone)

    def age(self, sha256: str, written_at_s: float) -> None:
        s3.set_time(self.bucket, f"mms/here/{sha256}/", datetime.fromtimestamp(written_at_s, UTC))

    def names(self) -> list[str]:
        return sorted({key.split("/")[2] for key in s3.keys(self.bucket)})

    def on_their_way(self) -> int:
        return len(list((self._path / "incoming").iterdir()))


def spooled(contents: Contents, parts: Parts = PARTS) -> tuple[Spool, list[Chosen]]:
    """A message that has come in."""
    spool = contents.spool()
    chosen = []
    for name, content_type, octets in parts:
        for at in range(0, len(octets), 100_000):
            spool.write(octets[at : at + 100_000])
        chosen.append(Chosen(name=name, content_type=content_type, piece=spool.end_part()))
    return spool, chosen


def kept(contents: Contents, parts: Parts = PARTS) -> Content:
    """A message that has come in, and is kept."""
    spool, chosen = spooled(contents, parts)
    content = contents.keep(spool, chosen)
    spool.close()
    return content


def read(contents: Contents, sha256: str, size: int = 100_000) -> bytes:
    """The whole content, read so many octets at a time."""
    reader = contents.open(sha256)
    try:
        octets = b""
        while piece := reader.read(len(octets), size):
            octets += piece
        return octets
    finally:
        reader.close()
