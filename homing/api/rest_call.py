"""One call of the REST face: what came in, read once and strictly, and what goes out.

Unknown fields and parameters are refused by name, because a misspelt wish that is silently dropped is a
message sent wrongly. What blocks runs in threads, few at a time, so that nobody's questions stop the loop.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import anyio.to_thread
import msgspec
from anyio import CapacityLimiter

from homing.api.gateway import Gateway
from homing.api.plain import Headers, Receive, Scope, header, read_body
from homing.api.problem import ProblemKind
from homing.model.account import Account
from homing.model.clock import LARGEST_ID
from homing.model.errors import Refusal

READERS: Final = 4
"""Calls that use the store at once; the pool of readers has as many connections."""
_LONGEST_ENDPOINT_ID: Final = 9
_MOST_PARAMETERS: Final = 50
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Failure(Exception):
    """A problem that only HTTP knows."""

    def __init__(self, kind: ProblemKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: ProblemKind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes out when nothing is wrong. ``body`` is a value of the route's answer, or its JSON."""

    body: Any = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Threads:
    """Where blocking work runs: questions beside each other, replays one after the other."""

    asking: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READERS))
    replaying: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of an account that is known."""

    gateway: Gateway
    account: Account
    address: str
    scope: Scope
    receive: Receive
    path: dict[str, str]
    threads: Threads

    async def ask(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run something of ``Records`` in a thread."""
        return await anyio.to_thread.run_sync(
            lambda: function(*arguments, **named), limiter=self.threads.asking
        )

    async def replay(self, function: Callable[..., T], *arguments: Any) -> T:
        """The same for replays, which can take long."""
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.threads.replaying)

    def query(self, kind: type[T]) -> T:
        """The parameters of the query, as a struct that refuses unknown ones."""
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode("latin-1"),
                keep_blank_values=True,
                max_num_fields=_MOST_PARAMETERS,
            )
        except ValueError:
            raise Refusal("invalid", f"more than {_MOST_PARAMETERS} parameters") from None
        return _read(lambda: msgspec.convert(dict(pairs), kind, strict=False))

    async def body_octets(self) -> bytes:
        """The body as it came, when it says that it is JSON or says nothing."""
        media = header(self.scope, b"content-type").partition(b";")[0].strip()
        if media not in (b"application/json", b""):
            raise Failure("unreadable_body", "send the body as application/json")
        if header(self.scope, b"content-encoding") not in (b"", b"identity"):
            raise Failure("unreadable_body", "send the body without content encoding")
        return await read_body(self.scope, self.receive, self.gateway.max_body_bytes)

    async def body(self, kind: type[T]) -> T:
        """The body as a struct."""
        return read_json(await self.body_octets(), kind)

    @property
    def id(self) -> int:
        """The id in the path, of a submission, report or message."""
        text = self.path["id"]
        if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > LARGEST_ID:
            raise Refusal("not_found", "there is nothing with this id")
        return int(text)

    @property
    def endpoint(self) -> int:
        """The id in the path, of an endpoint."""
        text = self.path["id"]
        if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_ENDPOINT_ID:
            raise Refusal("not_found", "there is no endpoint with this id")
        return int(text)


Handler = Callable[[Call], Awaitable[Reply]]


def read_json(octets: bytes, kind: type[T]) -> T:
    """A body as a struct; what is wrong with it is named."""
    return _read(lambda: msgspec.json.decode(octets, type=kind))


def _read(reading: Callable[[], T]) -> T:
    try:
        return reading()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a ValidationError is one as well
        raise Refusal("invalid", str(error)) from None


def milliseconds(at: datetime) -> int:
    """A time of a request, which always names its zone, as it is kept."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def shown(document: Any, kind: type[T]) -> T:
    """A document of the store as the answer that the route promises, no field more."""
    return msgspec.convert(document, kind)
