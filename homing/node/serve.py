"""``homing serve``: opens the store, runs a node on uvloop, obeys signals.

SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads certificates again.
"""

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence

import structlog
import uvloop

from homing.config import Settings, advice
from homing.model.errors import StoreUnavailable
from homing.node.node import Node
from homing.observe import configure_logging
from homing.store.create import StoreOutdated, open_store
from homing.store.database import Database

log = structlog.get_logger(__name__)


Ready = Callable[[Sequence[int], Sequence[int]], None]
"""Is told the ports of HTTP and of POP3 as soon as the node takes requests."""


def serve(settings: Settings, *, migrate: bool = False, ready: Ready = lambda _ports, _pop3: None) -> int:
    """Run a node until it is told to end; returns the exit status of the process."""
    configure_logging(settings.log.level, settings.log.format)
    try:
        database = open_store(settings.node.store_url, migrate=migrate or settings.node.migrate)
    except (StoreOutdated, StoreUnavailable) as error:
        log.error("store_not_opened", error=str(error))
        return 1
    # What lives from here on mostly lives until the end, and messages are not tracked: fewer, later rounds.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, database, ready))


async def _run(settings: Settings, database: Database, ready: Ready) -> int:
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    try:
        node = Node(settings, database)
    except StoreUnavailable as error:  # the directory of contents cannot be made
        log.error("node_not_started", error=str(error))
        return 1
    for warning in advice(settings):
        log.warning("configuration_to_look_at", why=warning)

    def end() -> None:
        if told_to_end.is_set():
            log.warning("node_ended_at_once")
            raise SystemExit(1)
        told_to_end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, node.reload)
    try:
        await node.start()
    except OSError as error:
        log.error("node_not_started", error=str(error))
        return 1
    ready([listener.port for listener in node.listeners], node.pop3.server.ports)
    await told_to_end.wait()
    await node.stop()
    return 0
