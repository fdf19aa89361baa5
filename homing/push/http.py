"""The HTTP push transport: requests as octets in, answers out, without a task, future or timer for each.

Requests that hold a content of an MMS are read while they are sent, on connections of their own
(``streaming.py``).

Connections are kept alive and pooled by scheme, host and port; each was made to an address that had
been checked (``addresses.py``), and TLS is verified for the host's name. One deadline covers waiting for a
connection, head and body. Redirects are answers. The caller limits how much is under way; nothing is
queued here but what waits for its connection. Nothing that fails raises: it is an ``Answer`` with an error.
"""

import asyncio
import ssl
from time import monotonic
from typing import NamedTuple

from homing.engine.contents import OpenContent
from homing.model.delivery import ANSWER_CAP, Answer
from homing.push.addresses import ForbiddenAddress, Lookup, Resolver, system_lookup
from homing.push.connection import Connection, Counters, Done, Pool, Push, hand_over
from homing.push.dialling import describe_failure, dial, read_source
from homing.push.streaming import StreamingConnection, Streams, no_content
from homing.wire.streamed import Streamed
from homing.wire.target import Target

SWEEP_S = 0.25
"""How often deadlines are looked at, and so by how much they may be missed."""


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS as pushes want it: verified, with the system's authorities and those of ``ca_file``."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])  # RFC 7301 §6
    return context


class _Streaming(NamedTuple):
    """Stands for the connections to a target that requests in pieces are sent on."""

    target: Target


class HttpPush:
    """Sends pushes. All calls and callbacks belong to the thread of the running loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        ssl_context: ssl.SSLContext | None = None,
        source_address: str | None = None,
        allow_private_networks: bool = False,
        expect_s: float = 10.0,
        give_up_s: float = 60.0,
        connect_s: float = 10.0,
        idle_s: float = 30.0,
        max_answer_bytes: int = 65_536,
        kept_bytes: int = ANSWER_CAP,
        open_content: OpenContent = no_content,
        lookup: Lookup = system_lookup,
    ) -> None:
        """``kept_bytes``: of the body of an answer. ``open_content``: for requests that are ``Streamed``."""
        self._loop = loop
        self.ssl_context = ssl_context or client_context()
        """Used by connections from now on; may be exchanged when certificates are reloaded."""
        self._source = read_source(source_address)
        self._resolver = Resolver(allow_private_networks=allow_private_networks, lookup=lookup)
        self._expect_s = expect_s
        self._give_up_s = give_up_s
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._body_cap = max_answer_bytes
        self._kept_bytes = kept_bytes
        self._streams = Streams(open_content)
        self._pools: dict[Target | _Streaming, Pool] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.counters = Counters()

    def send(self, target: Target, request: bytes | Streamed, token: object, done: Done) -> None:
        """Sends one request; ``done(token, answer)`` is called once, later."""
        key = target if type(request) is bytes else _Streaming(target)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._make_pool(key, target)
        idle = pool.idle
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                connection.start(request, token, done, monotonic(), False)
                return
        pool.wait(Push(request, token, done, monotonic()))

    @property
    def in_flight(self) -> int:
        """Pushes under way, those that wait for a connection included."""
        return sum(
            len(pool.waiting) + sum(each.is_busy for each in pool.connections)
            for pool in self._pools.values()
        )

    @property
    def open_connections(self) -> int:
        return sum(len(pool.connections) for pool in self._pools.values())

    async def close(self, drain_s: float = 0.0) -> None:
        """Waits up to ``drain_s`` for what is under way, then closes everything.

        What is still under way then is abandoned: its ``done`` is not called, it spent no attempt.
        """
        until_s = monotonic() + drain_s
        while self.in_flight and monotonic() < until_s:  # noqa: ASYNC110  (nothing counts them one by one)
            await asyncio.sleep(0.02)
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for pool in self._pools.values():
            pool.waiting.clear()
            for connection in tuple(pool.connections):
                connection.abandon()
        self._pools.clear()
        await self._streams.close()

    def _make_pool(self, key: "Target | _Streaming", target: Target) -> Pool:
        if self._is_closed:
            raise RuntimeError("the push transport is closed")
        pool = self._pools[key] = Pool(target, self._open_one, is_streaming=key is not target)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)
        return pool

    def _sweep(self) -> None:
        """Ends what has passed its deadline and closes what has been idle for long."""
        now_s = monotonic()
        given_up_s = now_s - self._give_up_s
        idle_since_s = now_s - self._idle_s
        for key, pool in list(self._pools.items()):
            for connection in [c for c in pool.connections if c.is_busy and c.since_s <= given_up_s]:
                connection.fail("timeout", congested=True)
            while pool.waiting and pool.waiting[0].started_s <= given_up_s:
                self._fail_first(pool, "timeout", congested=True)
            if pool.idle and pool.idle[0].since_s <= idle_since_s:
                for connection in [each for each in pool.idle if each.since_s <= idle_since_s]:
                    pool.forget(connection)
                    connection.close()
            if not (pool.connections or pool.waiting or pool.connecting):
                del self._pools[key]
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep) if self._pools else None

    def _fail_first(self, pool: Pool, error: str, *, congested: bool) -> None:
        push = pool.waiting.popleft()
        took_ms = int((monotonic() - push.started_s) * 1000)
        answer = Answer(status=None, body=b"", length=0, took_ms=took_ms, error=error, congested=congested)
        hand_over(push.done, push.token, answer)

    def _open_one(self, pool: Pool) -> None:
        if self._is_closed:
            return
        pool.connecting += 1
        task = self._loop.create_task(self._open(pool))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, pool: Pool) -> None:
        """Opens one connection and hands it over, or fails the push that has waited longest."""
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await self._dial(pool)
            if connection.transport.is_closing():
                raise ConnectionResetError
        except Exception as error:
            pool.connecting -= 1
            if len(pool.waiting) > pool.connecting:
                forbidden = isinstance(error, ForbiddenAddress)
                self._fail_first(pool, describe_failure(error), congested=not forbidden)
        else:
            pool.connecting -= 1
            pool.connections.add(connection)
            pool.release(connection)

    async def _dial(self, pool: Pool) -> Connection:
        return await dial(
            pool.target,
            lambda: self._make_connection(pool),
            resolver=self._resolver,
            source=self._source,
            context=self.ssl_context,
            connect_s=self._connect_s,
        )

    def _make_connection(self, pool: Pool) -> Connection:
        settings = (pool, self.counters, self._expect_s, self._body_cap, self._kept_bytes)
        return StreamingConnection(self._streams, *settings) if pool.is_streaming else Connection(*settings)
