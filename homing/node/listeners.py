"""The HTTP listeners: plain and TLS side by side, in the node's own loop, over uvicorn.

Promises bounds that uvicorn does not keep by itself: a connection that says nothing, does not end its
request, or does not take its answer, is closed after the idle time, and a head has a size. A body has as much
longer as its octets need at ``LEAST_RATE``. What goes wrong: an address that cannot be
listened at is an ``OSError`` of :func:`bind` that names it; the start is refused.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from homing.api.direct import DirectProtocol

HEAD_CAP = 65_536
"""Octets of a request's line and headers."""
LEAST_RATE = 10_000
"""Octets per second at which a long body may come in."""


class BoundedProtocol(DirectProtocol):
    """A connection of the faces. Its clock runs whenever it is the client's turn to speak."""

    _head_octets = 0
    _is_in_head = True
    _until_s: float | None = None
    """Until when the client is waited for; None while it waits for us."""
    _stuck_since_s: float | None = None
    """Since when the client takes nothing of its answer."""
    _look_again: asyncio.TimerHandle | None = None
    """One timer for all requests: setting one for each would cost more than to look once too often."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._until_s = self.loop.time() + self.timeout_keep_alive
        self._look_again = self.loop.call_later(self.timeout_keep_alive, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_octets += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_octets > HEAD_CAP and not self.transport.is_closing():
            self.send_400_response(f"The head of the request is longer than {HEAD_CAP} octets.")
        elif self._until_s is not None and not self._is_in_head:
            self._until_s += len(data) / LEAST_RATE

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since_s = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since_s = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._until_s = self.loop.time() + self.timeout_keep_alive

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.cycle is None or not self.cycle.response_complete:
            self._until_s = None
        self._is_in_head = True
        self._head_octets = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn does it, but for the timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._until_s = self.loop.time() + self.timeout_keep_alive

    def _look(self) -> None:
        now_s = self.loop.time()
        until_s = now_s + self.timeout_keep_alive if self._until_s is None else self._until_s
        if self._stuck_since_s is not None and now_s >= self._stuck_since_s + self.timeout_keep_alive:
            self.transport.abort()  # closing would wait for what it does not take
        elif now_s >= until_s:
            self.timeout_keep_alive_handler()
        else:
            self._look_again = self.loop.call_at(until_s, self._look)


class _Server(uvicorn.Server):
    """Says when it listens. Signals are the node's own matter."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """One address that is listened at."""

    def __init__(
        self,
        app: Callable[..., Any],
        bound: socket.socket,
        *,
        tls: tuple[Path, Path] | None,
        max_connections: int,
        idle_timeout_s: int,
    ) -> None:
        """``tls`` is the certificate chain and its key; None = plain HTTP."""
        self._socket = bound
        self._tls = tls
        self.context = None if tls is None else server_context(*tls)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=max_connections,
                timeout_keep_alive=idle_timeout_s,
                ssl_context_factory=_giving(self.context),
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def is_listening(self) -> bool:
        return self._server.started and self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Returns when connections are taken."""
        self._task = asyncio.get_running_loop().create_task(self._server.serve([self._socket]))
        listening = asyncio.ensure_future(self._server.listening.wait())
        await asyncio.wait((self._task, listening), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()

    def reload(self) -> None:
        """Use the certificate and key as they now are for connections from now on."""
        if self.context is not None and self._tls is not None:
            self.context.load_cert_chain(*self._tls)

    async def stop(self, drain_s: float) -> None:
        """Take no more connections, let requests under way end within this time, close."""
        self._server.config.timeout_graceful_shutdown = max(1, round(drain_s))
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def _giving(context: ssl.SSLContext | None) -> Callable[..., ssl.SSLContext] | None:
    """What uvicorn asks for a context, when there is TLS at all."""
    return None if context is None else lambda _config, _default: context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or later with our certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address; the error says which one cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen at {host}:{port}: {error.strerror}") from None
    return bound
