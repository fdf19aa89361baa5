"""A node's links as its configuration says: both kinds beside each other, and the simulators they are at."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from homing.config import LinkSettings, Settings, load
from homing.node.networks import Networks
from homing.node.own_url import relay_url
from tests.links.far_relay import Stock, ids
from tests.links.smsc import Engine, outgoing, until


class NoIntake:
    """Nothing comes in here."""

    def take(self, *_: Any) -> None: ...
    def take_receipts(self, *_: Any) -> None: ...


async def started(settings: Settings, stock: Stock, engine: Engine, port: int | None = None) -> Networks:
    networks = Networks(settings)
    await networks.start(
        engine, NoIntake(), lambda _link: None, open_content=stock.blobs.open, received={},
        http_port=port,  # type: ignore[arg-type]
    )  # fmt: skip
    return networks


def test_a_newcomer_has_a_link_for_each_medium_and_both_take_messages(tmp_path: Path) -> None:
    async def main() -> None:
        engine, stock = Engine(), Stock(tmp_path)
        networks = await started(load(None, {}), stock, engine)
        sms, mms = networks.links
        assert [(link.name, link.medium, link.scope) for link in networks.links] == [
            ("sim", "sms", "sim@simulator"), ("mms", "mms", "mms@mm7"),
        ]  # fmt: skip
        await until(lambda: sms.is_bound and mms.is_bound)
        sms.submit([outgoing(id=1)])
        mms.submit([stock.outgoing(2)])
        await until(lambda: len(engine.answers) == 2)
        assert sorted(ids([each for each, _, _ in engine.answers])) == [1, 2]
        assert [status for _, status, _ in engine.answers] == [0, 0]
        assert {link.status()["kind"] for link in networks.links} == {"simulator", "mm7"}
        networks.reload_tls()
        await networks.stop_links(1)
        await networks.stop_simulators()

    uvloop.run(main())


def test_without_such_a_link_there_is_no_simulator(tmp_path: Path) -> None:
    async def main() -> None:
        link = LinkSettings(name="ee", kind="mm7", user="u", password="p")
        networks = await started(Settings(link=(link,)), Stock(tmp_path), Engine())
        assert (networks.simulator, networks.mmsc) == (None, None)
        assert [each.status()["state"] for each in networks.links] == ["bound"]
        await networks.stop_links(1)
        await networks.stop_simulators()

    uvloop.run(main())


def test_the_simulated_mmsc_reports_to_this_node_as_the_links_user(tmp_path: Path) -> None:
    async def main() -> None:
        asked: list[str] = []

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = LinkSettings(name="mms", kind="mm7", submit_url="simulator", user="u", password="p")
        settings = load(None, {"HOMING_SIMULATOR__REPORT_DELAY_MS": "0"})
        engine, stock = Engine(), Stock(tmp_path)
        networks = await started(Settings(link=(link,), simulator=settings.simulator), stock, engine, port)
        networks.links[0].submit([stock.outgoing()])
        await until(lambda: asked)
        assert asked[0].startswith("POST /mm7/mms HTTP/1.1\r\n")
        assert "Authorization: Basic dTpw\r\n" in asked[0]
        async with httpx.AsyncClient() as client:
            said = await client.post(f"http://127.0.0.1:{networks.mmsc_port}/mms", content=b"x")
            assert said.status_code == 401, "others cannot use it"
        await networks.stop_links(1)
        await networks.stop_simulators()
        server.close()

    uvloop.run(main())


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/mm7/mms"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080/mm7/mms"),
        ("[::]:8080", "http://[::1]:8080/mm7/mms"),
        ("localhost:8080", "http://localhost:8080/mm7/mms"),
    ],
)
def test_a_node_is_reached_from_its_own_machine(listen: str, url: str) -> None:
    settings = load(None, {"HOMING_HTTP__LISTEN": listen})
    assert relay_url(settings, "mms", 8080) == url
