"""The direct way of a request: for the one that comes thousands of times a second, without a task of its own.

uvicorn makes a scope, a cycle, a task and two writes of each request, which costs more than all that
``SMSSend`` does. A request for a direct target goes straight to its face instead, with a function to call
when there is an answer; that is one write. All others, and whatever is unusual about a request (a body, an
expectation, a login to be verified first, a client that reads slowly), go uvicorn's way. uvicorn keeps
the connection in either case: to it a direct request is a cycle like others, so order, limits and the end of
a server are as it sees to them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from homing.api.plain import CONTENT_TYPE, Headers
from homing.api.protocol import EscapingProtocol

Reply = Callable[[int, bytes, Headers], None]
"""Takes status, body and headers beside type and length; called once, at any time."""


class DirectFace(Protocol):
    def __call__(self, query: bytes, request: Mapping[str, Any], reply: Reply) -> bool:
        """Take a request and answer it, now or later; ``request`` has ASGI's ``client`` and ``headers``.

        False = not taken: it has to go the usual way.
        """


_UNUSUAL: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})


class _Nobody:
    """The event of a cycle that no task waits for."""

    def set(self) -> None:
        pass


class _DirectCycle:
    """A direct request under way, as uvicorn's protocol sees it."""

    __slots__ = ("disconnected", "keep_alive", "more_body", "response_complete")

    message_event = _Nobody()

    def __init__(self) -> None:
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.more_body = False


class DirectProtocol(EscapingProtocol):
    """A connection that knows the direct targets of its application (its attribute ``direct``, by path)."""

    _faces: Mapping[bytes, DirectFace]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._faces = getattr(self.app, "direct", {})

    def on_message_begin(self) -> None:
        # The rest of what uvicorn does here waits until the request is known to go its way.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        if not self._is_taken():
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
            super().on_headers_complete()

    def _is_taken(self) -> bool:
        """Whether this request has gone the direct way."""
        path, mark, query = self.url.partition(b"?")
        face = self._faces.get(path) if mark else None
        if (
            face is None
            or self.parser.get_method() != b"GET"
            or self.parser.get_http_version() != "1.1"
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or (self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency)
            or not _UNUSUAL.isdisjoint([name for name, _ in self.headers])
        ):
            return False
        former, cycle = self.cycle, _DirectCycle()
        self.cycle = cast(RequestResponseCycle, cycle)

        def reply(status: int, body: bytes, headers: Headers = ()) -> None:
            cycle.response_complete = True
            if cycle.disconnected or self.transport.is_closing():
                return
            closes = not cycle.keep_alive or (b"connection", b"close") in headers
            self.transport.write(self._answer(status, body, headers, closes))
            if closes:
                self.transport.close()
            self.on_response_complete()

        if face(query, {"client": self.client, "headers": self.headers}, reply):
            return True
        self.cycle = former
        return False

    def _answer(self, status: int, body: bytes, headers: Headers, closes: bool) -> bytes:
        fields = [*self.server_state.default_headers, (b"content-type", CONTENT_TYPE)]
        fields += ((b"content-length", b"%d" % len(body)), *headers)
        if closes and (b"connection", b"close") not in headers:
            fields.append((b"connection", b"close"))
        return b"%s%s\r\n%s" % (STATUS_LINE[status], _joined(fields), body)


def _joined(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % field for field in fields])
