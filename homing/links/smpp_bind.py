"""One of a link's binds: connects, is bound, and after every end connects again, until it is stopped.

Waits between attempts double from ``reconnect_min_s`` to ``reconnect_max_s``; a line that was bound and
of use is opened again within ``reconnect_min_s``. What goes wrong is kept as ``last_error`` and logged
with the status name; no credential is part of it.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Any, Final, Literal

import structlog

from homing.links.smpp_connection import Connection, Owner
from homing.links.smpp_options import SmppOptions
from homing.model.clock import now_ms
from homing.wire import smpp_codes as codes
from homing.wire.smpp_values import Bind

log = structlog.get_logger(__name__)

Kind = Literal["transceiver", "transmitter", "receiver"]
BindState = Literal["bound", "connecting", "down"]
"""``connecting`` until the SMSC has answered the bind; ``down`` while the next attempt is waited for."""

_COMMAND_IDS: Final = {
    "transceiver": codes.BIND_TRANSCEIVER,
    "transmitter": codes.BIND_TRANSMITTER,
    "receiver": codes.BIND_RECEIVER,
}
_SHARE: Final = (0.6, 0.9)
"""Of a wait, drawn by chance: binds that fell together do not come back together, and what is promised to
happen within a wait still has time to happen."""


class SmppBind:
    """See the module. ``on_change`` is called when the state has changed."""

    def __init__(
        self,
        kind: Kind,
        owner: Owner,
        options: SmppOptions,
        context: Callable[[], ssl.SSLContext | None],
        on_change: Callable[[], None],
    ) -> None:
        self.kind = kind
        self._owner = owner
        self._options = options
        self._context = context
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.connection: Connection | None = None
        self.state: BindState = "down"
        self.since_ms = now_ms()
        self.binds = 0
        """How often it was bound."""
        self.last_error = ""
        self.failed_ms = 0
        """When the last error was."""

    @property
    def in_flight(self) -> int:
        return 0 if self.connection is None else self.connection.session.outstanding

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, unbind_s: float) -> None:
        """Unbind, wait for the answer to that, close; connect no more."""
        self._stopping = True
        connection = self.connection
        if connection is not None and connection.was_bound.done() and not connection.is_over.done():
            connection.unbind()
            await asyncio.wait({connection.is_over}, timeout=unbind_s)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if connection is not None:
            connection.end("stopped")
        self._change("down")

    async def _run(self) -> None:
        wait = WaitBetween(self._options.reconnect_min_s, self._options.reconnect_max_s)
        while True:
            self._change("connecting")
            try:
                lasted_s, carried = await self._live()
            except Exception as error:
                # Whatever it is, a bind that nobody opens again would be worse.
                log.exception("bind_failed", link=self._options.name)
                self._fail(type(error).__name__)
                if self.connection is not None:
                    self.connection.end(self.last_error)
                lasted_s, carried = None, 0
            self._change("down")
            if self._stopping:
                return
            wait_s = wait.after(lasted_s, carried)
            log.warning(
                "link_down",
                link=self._options.name,
                bind=self.kind,
                why=self.last_error,
                again_in_s=round(wait_s, 3),
            )
            await asyncio.sleep(wait_s)

    async def _live(self) -> tuple[float | None, int]:
        """One connection, to its end: how long it was bound (None = never), and what it carried."""
        options = self._options
        loop = asyncio.get_running_loop()
        connection = self.connection = Connection(self._owner, options, self._request())
        try:
            async with asyncio.timeout(options.bind_timeout_s):
                await self._connect(loop, connection)
                either: set[asyncio.Future[Any]] = {connection.was_bound, connection.is_over}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            connection.end(f"not bound within {options.bind_timeout_s:g} s")
        except (OSError, UnicodeError) as error:
            connection.end(_said(error))
        if not connection.was_bound.done():
            self._fail(connection.is_over.result())
            return None, 0
        bound_at_s = loop.time()
        self.binds += 1
        self._change("bound")
        log.info("link_bound", link=options.name, bind=self.kind)
        await asyncio.wait({connection.is_over})  # which, unlike await, leaves it alone when cancelled
        if not self._stopping:
            self._fail(connection.is_over.result())
        return loop.time() - bound_at_s, connection.carried

    async def _connect(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        options, context = self._options, self._context()
        secured: dict[str, Any] = {}
        if context is not None:
            secured = {"ssl": context, "server_hostname": options.tls_server_name or options.host}
        await loop.create_connection(lambda: connection, options.host, options.port, **secured)

    def _request(self) -> Bind:
        options = self._options
        return Bind(
            command_id=_COMMAND_IDS[self.kind],
            system_id=options.system_id,
            password=options.password,
            system_type=options.system_type,
        )

    def _fail(self, why: str) -> None:
        self.last_error = why
        self.failed_ms = now_ms()

    def _change(self, state: BindState) -> None:
        if state != self.state:
            self.state = state
            self.since_ms = now_ms()
            self._on_change()


class WaitBetween:
    """How long to wait before the next attempt. Decides, and waits for nobody."""

    def __init__(self, min_s: float, max_s: float) -> None:
        self._min_s = min_s
        self._max_s = max(min_s, max_s)
        self._next_s = min_s

    def after(self, lasted_s: float | None, carried: int) -> float:
        """After a connection that was bound for so long (None = never) and carried so many messages.

        An SMSC that grants a bind only to drop it at once is waited for like one that refuses.
        """
        if lasted_s is not None and (carried or lasted_s >= self._min_s):
            self._next_s = self._min_s
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._max_s)
        return wait_s * random.uniform(*_SHARE)  # noqa: S311


def _said(error: Exception) -> str:
    """What the system says, without its error's number."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
