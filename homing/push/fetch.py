"""What lies at a customer's URL, fetched for him: one GET, its body handed on as it comes.

The address rules are those of pushes (``addresses.py``): the name is resolved, every address of it is
checked, and the connection goes to a checked one. No redirect is followed, no encoding is undone, no
connection is kept. One time limit covers all of it, and a body that is longer than asked for is not read to
its end.

What goes wrong is a ``Refusal`` whose text begins with ``url:`` and may be shown to the customer. It never
repeats the URL: URLs carry credentials here.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, cast

import h11

from homing import __version__
from homing.model.errors import Refusal
from homing.push.addresses import ForbiddenAddress, Lookup, Resolver, system_lookup
from homing.push.dialling import describe_failure, dial, read_source
from homing.push.http import client_context
from homing.wire.target import Target, read_url

LONGEST_URL: Final = 4096
HEAD_CAP: Final = 65_536
_READ_AT_ONCE: Final = 65_536
_CONNECT_S: Final = 10.0
_FEW: Final = 1000
"""So many pieces of a body may be as small as they like."""
_SMALLEST_MEAN: Final = 64
"""Octets of a piece, on the average, when there are more: each costs more than its octets."""

Take = Callable[[bytes], Awaitable[None]]


class _Stream(asyncio.StreamReaderProtocol):
    """A connection whose octets wait to be read, a bounded number of them."""

    transport: asyncio.BaseTransport

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=_READ_AT_ONCE)
        super().__init__(self.reader)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport = transport


class Fetcher:
    """Fetches what customers name. For the thread of the running loop."""

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        source_address: str | None = None,
        allow_private_networks: bool = False,
        give_up_s: float = 30.0,
        lookup: Lookup = system_lookup,
    ) -> None:
        self.ssl_context = ssl_context or client_context()
        """Used from now on; may be exchanged when certificates are reloaded."""
        self._source = read_source(source_address)
        self._resolver = Resolver(allow_private_networks=allow_private_networks, lookup=lookup)
        self._give_up_s = give_up_s

    async def fetch(self, url: str, take: Take, most: int) -> None:
        """Hand the body on to ``take``, piece by piece: at most so many octets."""
        target, path = _read(url)
        try:
            async with asyncio.timeout(self._give_up_s):
                await self._fetch(target, path, take, most)
        except TimeoutError:
            raise _wrong(f"no whole answer within {self._give_up_s:g} s") from None

    async def _fetch(self, target: Target, path: str, take: Take, most: int) -> None:
        try:
            stream = await dial(
                target, _Stream, resolver=self._resolver, source=self._source, context=self.ssl_context,
                connect_s=_CONNECT_S,
            )  # fmt: skip
        except (OSError, ForbiddenAddress, UnicodeError) as error:
            raise _wrong(describe_failure(error)) from None
        transport = cast(asyncio.Transport, stream.transport)
        try:
            connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_CAP)
            request = h11.Request(method="GET", target=path, headers=_headers(target))
            transport.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            await _hand_on(connection, stream.reader, take, most)
        finally:
            transport.abort()


def _read(url: str) -> tuple[Target, str]:
    if len(url) > LONGEST_URL:
        raise _wrong(f"it is longer than {LONGEST_URL} characters")
    try:
        return read_url(url)
    except ValueError as problem:
        raise _wrong(str(problem).partition(";")[0]) from None  # what follows is about endpoints


def _headers(target: Target) -> list[tuple[str, str]]:
    return [
        ("Host", target.authority),
        ("User-Agent", f"Homing/{__version__}"),
        ("Accept", "application/zip, */*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]


async def _hand_on(connection: h11.Connection, reader: asyncio.StreamReader, take: Take, most: int) -> None:
    """Read the answer to its end."""
    count = size = 0
    while True:
        event = await _next_event(connection, reader)
        count += 1
        if isinstance(event, h11.EndOfMessage):
            return
        if isinstance(event, h11.Data):
            size += len(event.data)
            if size > most:
                raise _too_long(most)
            await take(bytes(event.data))
        elif isinstance(event, h11.Response):
            _check_head(event, most)
        elif not isinstance(event, h11.InformationalResponse):
            raise _wrong("the answer is not HTTP")
        if count > _FEW and size < count * _SMALLEST_MEAN:
            raise _wrong("the answer comes in too many small pieces")


async def _next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    is_over = False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            words = "closed before the end of the answer" if is_over else "the answer is not HTTP"
            raise _wrong(words) from None
        if event is not h11.NEED_DATA:
            return event
        try:
            octets = await reader.read(_READ_AT_ONCE)
        except OSError:
            raise _wrong("closed before the end of the answer") from None
        is_over = not octets
        connection.receive_data(octets)


def _check_head(response: h11.Response, most: int) -> None:
    status = response.status_code
    if status != 200:
        redirect = "; redirects are not followed" if 300 <= status < 400 else ""
        raise _wrong(f"it answered {status}{redirect}")
    for name, value in response.headers:
        if name == b"content-encoding" and value.lower() != b"identity":
            raise _wrong("the answer has a content encoding")
        if name == b"content-length" and int(value) > most:
            raise _too_long(most)


def _wrong(words: str) -> Refusal:
    return Refusal("invalid", f"url: {words}")


def _too_long(most: int) -> Refusal:
    return Refusal("too_long", f"url: the answer is longer than {most} octets")
