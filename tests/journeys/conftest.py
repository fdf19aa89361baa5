"""Whole nodes for the journeys: network and customer live in this process, the node in its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from homing.links.simulator import Simulator
from tests.journeys.far import NodeProcess, Receiver, config, enrol, free_port, receiving, sqlite_url


class Journey:
    """A node between its far sides."""

    def __init__(self, node: NodeProcess, network: Simulator, receiver: Receiver) -> None:
        self.node = node
        self.network = network
        self.receiver = receiver


@pytest.fixture
def journey(tmp_path: Path) -> Callable[..., Any]:
    """``async with journey(push="…", answer=…) as j``: everything up, account ``acme`` with one endpoint."""

    @asynccontextmanager
    async def make(
        *,
        answer: Any = None,
        push: str = "",
        link: str = "",
        node: str = "",
        more: str = "",
        url: str | None = None,
        network: Any = None,
        **wish: Any,
    ) -> AsyncIterator[Journey]:
        network = network or Simulator(latency_ms=2, report_delay_ms=20, keeps_records=True)
        smsc_port = await network.start("127.0.0.1", 0)
        http_port = free_port()
        process = NodeProcess(
            tmp_path, http_port, config(http_port, smsc_port, push=push, link=link, node=node, more=more)
        )
        async with receiving(answer) as receiver:
            enrol(sqlite_url(process), "acme", receiver.url if url is None else url, **wish)
            await process.start()
            try:
                yield Journey(process, network, receiver)
            finally:
                assert await process.stop() == 0, process.log.read_text()[-4000:]
                await network.stop()

    return make
