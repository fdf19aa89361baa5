"""The direct way of a request: for the one that comes thousands of times a second, without a task of its own.

uvicorn makes a scope, a cycle, a task and two writes of each request, which costs more than all that
``SMSSend`` does. A request for a direct target goes straight to its face instead, with a function to call
when there is an answer; that is one write. All others, and whatever is unusual about a request (a body, an
expectation, a connection to be closed, a login to be verified first, a client that reads slowly), go
uvicorn's way. uvicorn keeps the connection in either case: to it a direct request is a cycle like others, so
order, limits and the end of a server are as it sees to them.

What goes wrong: a face that fails is asked again the usual way, where its failure is logged and answered.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from homing.api.plain import CLOSE, CONTENT_TYPE, Headers
from homing.api.protocol import EscapingProtocol

Reply = Callable[[int, bytes, Headers], None]
"""Takes status, body and headers beside type and length; called once, at any time."""


class DirectFace(Protocol):
    def __call__(
        self,
        query: bytes,
        client: tuple[str, int] | None,
        headers: Iterable[tuple[bytes, bytes]],
        reply: Reply,
    ) -> bool:
        """Take a request and answer it, now or later; ``client`` and ``headers`` as in an ASGI scope.

        False = not taken: it has to go the usual way.
        """


_UNUSUAL: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})

TRANSPORT = "homing.transport"
"""Where a request's scope has its transport: for whoever must know that an answer has left."""


class _Nobody:
    """The event of a cycle that no task waits for."""

    def set(self) -> None:
        pass


class _DirectCycle:
    """The direct request under way on a connection, or the last one, as uvicorn's protocol sees it.

    One object for all of them: a request that comes while another is under way goes the usual way.
    """

    __slots__ = (
        "_dated",
        "_heads",
        "_protocol",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
    )

    message_event = _Nobody()

    def __init__(self, protocol: "DirectProtocol") -> None:
        self._protocol = protocol
        self._dated: list[tuple[bytes, bytes]] | None = None
        self._heads: dict[int, bytes] = {}
        self.response_complete = True
        self.disconnected = False
        self.keep_alive = True
        self.more_body = False

    def reply(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Answer the request under way."""
        self.response_complete = True
        protocol = self._protocol
        transport = protocol.transport
        if self.disconnected or transport.is_closing():
            return
        if not self.keep_alive:
            headers += CLOSE
        rest = _joined(headers) if headers else b""
        transport.write(b"%s%d\r\n%s\r\n%s" % (self._head(status), len(body), rest, body))
        if not self.keep_alive:
            transport.close()
        protocol.on_response_complete()

    def _head(self, status: int) -> bytes:
        """An answer up to the length of its body."""
        dated = self._protocol.server_state.default_headers
        if dated is not self._dated:  # uvicorn makes them anew every second
            self._dated = dated
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            fields = _joined([*dated, (b"content-type", CONTENT_TYPE)])
            head = self._heads[status] = b"%s%scontent-length: " % (STATUS_LINE[status], fields)
        return head


class DirectProtocol(EscapingProtocol):
    """A connection that knows the direct targets of its application (its attribute ``direct``, by path)."""

    _faces: Mapping[bytes, DirectFace]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._faces = getattr(self.app, "direct", {})
        self._direct = _DirectCycle(self)
        self._reply = self._direct.reply

    def on_message_begin(self) -> None:
        # The rest of what uvicorn does here waits until the request is known to go its way.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        if not self._is_taken():
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            cast(dict[str, Any], self.scope)[TRANSPORT] = self.transport
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
            super().on_headers_complete()

    def _is_taken(self) -> bool:
        """Whether this request has gone the direct way."""
        path, _, query = self.url.partition(b"?")
        face = self._faces.get(path)
        if face is None or b"#" in query or not self._is_usual() or self._is_busy():
            return False
        former, cycle = self.cycle, self._direct
        self.cycle = cast(RequestResponseCycle, cycle)
        cycle.response_complete = False
        try:
            if face(query, self.client, self.headers, self._reply):
                return True
        except Exception:
            if cycle.response_complete:
                raise
        cycle.response_complete = True
        self.cycle = former
        return False

    def _is_usual(self) -> bool:
        """Whether a request is all in its target, and the connection stays."""
        parser = self.parser
        if parser.get_method() != b"GET" or not parser.should_keep_alive():
            return False
        names = dict(self.headers)
        if not _UNUSUAL.isdisjoint(names):
            return False
        return b"connection" not in names or parser.get_http_version() == "1.1"

    def _is_busy(self) -> bool:
        """Whether a request has to wait, or is to be refused for the number of others."""
        limit = self.limit_concurrency
        return (
            (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or (limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit))
        )


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % field for field in fields])
