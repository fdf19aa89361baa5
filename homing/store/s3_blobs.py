"""Contents of MMS where S3 is spoken: written once, under the hash of what is in them, and never changed.

A message that comes in is spooled on the node's own disk, and its content zip is made there; ``keep`` returns
when the service has acknowledged it. An object is never written over: each upload of a content is one of
its own, ``<sha256>/<random>.zip``, and any of them is the content. So whoever takes an old one away can never
take a new one, though S3 knows no delete that looks at the time first. One that is young enough is not
written again; a new one takes the place of the old.

It needs what every such service gives since 2020: who lists after an upload sees it. Requests are bounded in
time and number. Everything here blocks and is called in threads. A service that cannot be reached, refuses or
makes no sense is ``StoreUnavailable``, with a text that shows no key and no address.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from homing.engine.contents import ORPHAN_S, Chosen, Spool, check_name
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content
from homing.store.spool import DiskSpool, Incoming

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

READ_AHEAD: Final = 1_048_576
"""Octets that are fetched at least, so that a content that is streamed takes few requests."""
UPLOAD_PART: Final = 5_242_880
"""Octets; a larger content is uploaded in parts, the smallest that S3 takes."""
UPLOADS_AT_ONCE: Final = 2
"""Parts of one content under way, and in memory."""
PAGE: Final = 1_000
FRESH_S: Final = ORPHAN_S / 4
"""A younger content is not written again: until any node takes it for an orphan there is time enough for a
row, though their clocks may each be off by as much as S3 bears, a quarter of an hour."""
_RETRIES: Final["RetryConfig"] = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=15),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}
_KEY: Final = re.compile(r"([0-9a-f]{64})/[0-9a-f]{16}\.zip")
_STATUS: Final = re.compile(r"status code: (\d{3}(?: [A-Za-z]+)*)")
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")


class S3Blobs:
    """Contents in a bucket. Adapter of ``engine.contents.Contents``."""

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        endpoint: str = "",
        region: str = "us-east-1",
        access_key_id: str = "",
        secret_access_key: str = "",
        timeout_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``url``: ``s3://bucket/prefix``; ``directory``: of what is on its way.

        Without an access key there is that of the environment, or of the machine. ``timeout_s`` bounds one
        request; an answer may pause for a third of it.
        """
        place = urlsplit(url)
        self._incoming = Incoming(directory / "incoming")
        self._clock = clock
        client: ClientConfig = {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(5.0, timeout_s)),
            "read_timeout": timedelta(seconds=timeout_s / 3),
            "timeout": timedelta(seconds=timeout_s),
            "user_agent": "Homing",
        }
        config: S3Config = {"region": region, "disable_bulk_delete": True}  # which not every service speaks
        if endpoint:
            config["endpoint"] = endpoint.rstrip("/")
        key: S3Credential = {
            "access_key_id": access_key_id, "secret_access_key": secret_access_key, "token": None,
            "expires_at": None,
        }  # fmt: skip
        self._store = S3Store(
            place.netloc,
            prefix=place.path.strip("/") or None,
            config=config,
            client_options=client,
            retry_config=_RETRIES,
            # Not in the configuration, where a session token of the environment would be mixed with it.
            credential_provider=(lambda: key) if access_key_id else None,
        )

    def spool(self) -> DiskSpool:
        """A place for a message that begins to come in."""
        return self._incoming.spool()

    def keep(self, spool: Spool, chosen: Sequence[Chosen]) -> Content:
        """Make the content of some parts of a spool, and upload it unless it is there and young."""
        with self._incoming.zip_of(spool, chosen) as made:
            sha256 = made.content.sha256
            former = self._objects(sha256)
            began_s = self._clock()
            if any(_age_s(each, began_s) < FRESH_S for each in former):
                return made.content
            with _service():
                obstore.put(
                    self._store,
                    f"{sha256}/{secrets.token_hex(8)}.zip",
                    made.path,
                    chunk_size=UPLOAD_PART,
                    max_concurrency=UPLOADS_AT_ONCE,
                )
            if self._clock() - began_s >= FRESH_S:  # the service counts its age from the beginning
                raise StoreUnavailable("the content store: the upload took too long")
        with suppress(StoreUnavailable):  # one too many does no harm
            self._delete(former)
        return made.content

    def open(self, sha256: str) -> "S3Reader":
        """A content; ``FileNotFoundError`` when it is gone."""
        found = self._newest(sha256)
        if found is None:
            raise FileNotFoundError(sha256)
        return S3Reader(self._store, found, lambda: self._newest(sha256))

    def remove(self, sha256: str, now_s: float) -> bool:
        """Take a content away that no row speaks of; one that was just written stays. Whether it is gone."""
        found = self._objects(sha256)
        old = [each for each in found if _age_s(each, now_s) >= ORPHAN_S]
        self._delete(old)
        return bool(old) and len(old) == len(found)

    def old_names(self, now_s: float) -> Iterator[str]:
        """Contents that are old enough to be orphans, in the order of their names."""
        last = ""
        with _service():
            for page in obstore.list(self._store, chunk_size=PAGE):
                for each in page:
                    key = _KEY.fullmatch(each["path"])
                    if key and key[1] != last and _age_s(each, now_s) >= ORPHAN_S:
                        last = key[1]
                        yield last

    def clear_leftovers(self, now_s: float) -> int:
        """Take away what was on its way when this node died. How many went."""
        return self._incoming.clear_leftovers(now_s)

    def _objects(self, sha256: str) -> "list[ObjectMeta]":
        with _service():
            pages = obstore.list(self._store, prefix=check_name(sha256), chunk_size=PAGE)
            return [each for page in pages for each in page if _KEY.fullmatch(each["path"])]

    def _newest(self, sha256: str) -> "ObjectMeta | None":
        return max(self._objects(sha256), key=lambda each: each["last_modified"], default=None)

    def _delete(self, objects: "Sequence[ObjectMeta]") -> None:
        with _service():
            for each in objects:
                obstore.delete(self._store, each["path"])


class S3Reader:
    """One content, open for reading. When its object goes while another has the same, that one is read."""

    def __init__(self, store: S3Store, found: "ObjectMeta", again: "Callable[[], ObjectMeta | None]") -> None:
        self._store = store
        self._path = found["path"]
        self._size = found["size"]
        self._again = again
        self._held = (0, b"")
        """What was fetched last, and where it begins."""

    def read(self, offset: int, size: int) -> bytes:
        """So many octets from there on; fewer at the end of the content."""
        end = min(offset + size, self._size)
        if offset >= end:
            return b""
        begin, held = self._held
        if not begin <= offset <= end <= begin + len(held):
            begin, held = offset, self._fetch(offset, min(max(end, offset + READ_AHEAD), self._size))
            self._held = begin, held
        return held[offset - begin : end - begin]

    def close(self) -> None:
        self._held = (0, b"")

    def _fetch(self, start: int, end: int) -> bytes:
        with _service():
            try:
                return obstore.get_range(self._store, self._path, start=start, end=end).to_bytes()
            except FileNotFoundError:
                found = self._again()
                if found is None:
                    raise StoreUnavailable("the content store: the content went while it was read") from None
                self._path = found["path"]
                return obstore.get_range(self._store, self._path, start=start, end=end).to_bytes()


def _age_s(found: "ObjectMeta", now_s: float) -> float:
    return now_s - found["last_modified"].timestamp()


@contextmanager
def _service() -> Iterator[None]:
    """Map what goes wrong to :class:`StoreUnavailable`; the library's own text is long, and has addresses."""
    try:
        yield
    except (BaseError, OSError) as error:
        text = str(error)
        status, code = _STATUS.search(text), _CODE.search(text)
        if status is None:
            said = "the S3 service does not answer, or there is no access key"
        else:
            said = f"the S3 service answers {status[1]}" + (f", {code[1]}" if code else "")
        raise StoreUnavailable(f"the content store: {said}") from None
