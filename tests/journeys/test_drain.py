"""The signals of a running node: SIGTERM drains, SIGHUP reads certificates; customers change meanwhile."""

import asyncio
import json
import os
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from homing.links.simulator import Simulator
from homing.model.account import Number
from homing.store import customers
from homing.store.create import open_store
from homing.wire.smpp_events import Unbound
from tests.journeys.far import OK, NodeProcess, Push, Receiver, enrol, free_port, receiving, sqlite_url
from tests.links.smsc import until

DRAIN_S = 5.0
"""As configured by ``far.config``."""
EFFECT_S = 2.0
"""A change of customers is heard of within this."""


def texts(receiver: Receiver) -> list[str]:
    return [push.fields["smsmsg"] for push in receiver.pushes]


async def terminate(node: NodeProcess) -> None:
    assert node.process is not None
    node.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(2):
        while not json.loads((await node.get("/readyz"))[1])["draining"]:
            pass


async def ended(node: NodeProcess) -> int:
    assert node.process is not None
    return await node.process.wait()


def watch_unbinds(network: Simulator) -> list[Unbound]:
    """What every line of now will hear of an unbind."""
    heard: list[Unbound] = []
    for line in network.lines:

        def take(events: Any, take: Callable[[Any], None] = line._take) -> None:
            heard.extend(event for event in events if isinstance(event, Unbound))
            take(events)

        line._take = take  # type: ignore[method-assign]
    return heard


def test_sigterm_finishes_what_is_under_way_and_loses_nothing(journey: Callable[..., Any]) -> None:
    released = asyncio.Event()
    network = Simulator(latency_ms=300, report_delay_ms=20, keeps_records=True)

    async def hold(push: Push) -> bytes:
        if push.fields["smsmsg"].startswith("held"):
            await released.wait()
        return OK

    async def run() -> None:
        async with journey(answer=hold, network=network, link="binds = 2") as j:
            for number in range(30):  # more than the first window: the others wait in memory
                network.send_message("447700900123", "60999", f"held{number}")
            sent = await asyncio.gather(*(j.node.send(f"4477009000{n:02d}", f"sent{n}") for n in range(40)))
            assert {status for status, _smsid in sent} == {200}
            await j.receiver.until(lambda r: len(r.pushes) >= 5)
            unbinds = watch_unbinds(network)
            assert len(network.lines) == 2
            await terminate(j.node)
            network.send_message("447700900123", "60999", "meanwhile")
            await until(lambda: network.attempts["meanwhile"] > 1 or not network.lines)
            await until(lambda: not network.lines)
            # As long as it takes, customers and balancers are told, not left before a closed door.
            assert (await j.node.send("447700900050", "late"))[0] == 503
            assert (await j.node.get("/readyz"))[0] == 503
            began = time.monotonic()
            released.set()
            assert await ended(j.node) == 0, j.node.log.read_text()[-4000:]
            assert time.monotonic() - began < DRAIN_S
            assert unbinds == [Unbound(by_peer=True)] * 2
            await j.node.start()
            owed = {f"held{number}" for number in range(30)} | {"meanwhile"}
            owed |= {f"REPORT {smsid} DELIVERED" for _status, smsid in sent}
            await j.receiver.until(lambda r: set(texts(r)) >= owed)
            assert sorted(texts(j.receiver)) == sorted(owed)  # each once: what was under way had its end
            assert sorted(network.submitted_texts) == sorted(f"sent{number}" for number in range(40))

    asyncio.run(run())


def test_whoever_does_not_answer_holds_the_end_up_no_longer_than_configured(
    journey: Callable[..., Any],
) -> None:
    network = Simulator(latency_ms=60_000, report_delay_ms=20)

    stalled: list[Push] = []

    def stall(push: Push) -> bytes | None:
        if push.fields["smsmsg"] != "stalled" or stalled:
            return OK
        stalled.append(push)
        return None

    async def run() -> None:
        async with journey(answer=stall, network=network) as j:
            network.send_message("447700900123", "60999", "stalled")
            assert (await j.node.send("447700900001", "unanswered"))[0] == 200
            await j.receiver.until(lambda r: len(r.pushes) == 1)
            await until(lambda: network._timers)
            began = time.monotonic()
            await terminate(j.node)
            assert await ended(j.node) == 0, j.node.log.read_text()[-4000:]
            assert DRAIN_S - 1 < time.monotonic() - began < DRAIN_S + 3
            network._latency_s = 0.002
            await j.node.start()
            ready = asyncio.get_running_loop().time()
            await j.receiver.until(lambda r: len(r.pushes) == 3)
            first, again = next(p for p in j.receiver.by_event.values() if len(p) == 2)
            assert first.fields == again.fields
            assert (first.attempt, again.attempt) == (1, 1)  # it was cut off by us: that is no attempt
            assert again.at - ready < 2

    asyncio.run(run())


def test_a_second_signal_ends_at_once_and_loses_nothing(journey: Callable[..., Any]) -> None:
    def stall(_push: Push) -> bytes | None:
        return None if not restarted else OK

    restarted: list[bool] = []

    async def run() -> None:
        async with journey(answer=stall) as j:
            j.network.send_message("447700900123", "60999", "stalled")
            await j.receiver.until(lambda r: len(r.pushes) == 1)
            await terminate(j.node)
            j.node.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(ended(j.node), 2) == 1
            restarted.append(True)
            await j.node.start()
            await j.receiver.until(lambda r: len(r.pushes) == 2)
            assert len(j.receiver.by_event) == 1

    asyncio.run(run())


def test_sighup_reads_the_certificate_again(
    journey: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    certificate, key = tmp_path / "node.crt", tmp_path / "node.key"
    authorities = trustme.CA(), trustme.CA()

    def issue(authority: trustme.CA) -> None:
        made = authority.issue_cert("localhost")
        made.private_key_pem.write_to_path(str(key))
        made.cert_chain_pems[0].write_to_path(str(certificate))

    async def is_trusted(authority: trustme.CA) -> bool:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        try:
            _reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost"
            )
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    async def logged(node: NodeProcess, event: str) -> None:
        await until(lambda: event in node.log.read_text())

    async def run() -> None:
        async with journey() as j:
            assert await is_trusted(authorities[0])
            certificate.write_text("no certificate")
            os.kill(j.node.process.pid, signal.SIGHUP)
            await logged(j.node, "certificates_not_reloaded")
            assert await is_trusted(authorities[0])  # the former one serves on
            issue(authorities[1])
            os.kill(j.node.process.pid, signal.SIGHUP)
            await logged(j.node, "certificates_reloaded")
            assert await is_trusted(authorities[1])
            assert not await is_trusted(authorities[0])

    issue(authorities[0])
    monkeypatch.setenv("HOMING_HTTP__LISTEN_TLS", f"127.0.0.1:{port}")
    monkeypatch.setenv("HOMING_HTTP__TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("HOMING_HTTP__TLS_KEY", str(key))
    asyncio.run(run())


def test_changes_of_customers_take_effect_in_the_running_node(journey: Callable[..., Any]) -> None:
    async def takes_effect(is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(EFFECT_S):
            while True:
                if await is_so():
                    return
                await asyncio.sleep(0.05)

    async def run() -> None:
        async with journey() as j, receiving() as other:

            async def a_message_comes_to(receiver: Receiver, number: str) -> None:
                count = len(receiver.pushes)

                async def comes() -> bool:
                    j.network.send_message("447700900123", number, "Hello")
                    return len(receiver.pushes) > count

                await takes_effect(comes)

            async def send_is_answered(account: str, wanted: int) -> None:
                async def is_answered() -> bool:
                    status, _ = await j.node.send("447700900001", "Hi", account=account)
                    return bool(status == wanted)

                await takes_effect(is_answered)

            def change(do: Callable[[Any], object]) -> None:
                database = open_store(sqlite_url(j.node))
                with database.writing() as connection:
                    do(connection)
                database.close()

            endpoint = enrol(sqlite_url(j.node), "later", other.url, number="60500")
            await a_message_comes_to(other, "60500")
            await send_is_answered("later", 200)
            moved = msgspec.structs.replace(endpoint, url=j.receiver.url)
            change(lambda c: customers.change_endpoint(c, moved))
            await a_message_comes_to(j.receiver, "60500")
            change(lambda c: customers.change_endpoint(c, msgspec.structs.replace(moved, url=other.url)))
            change(lambda c: customers.add_number(c, Number(number="60501", account="later")))
            await a_message_comes_to(other, "60501")
            account = customers_account(j.node, "later")
            change(lambda c: customers.change_account(c, msgspec.structs.replace(account, disabled=True)))
            await send_is_answered("later", 403)

    asyncio.run(run())


def customers_account(node: NodeProcess, name: str) -> Any:
    database = open_store(sqlite_url(node))
    try:
        with database.reading() as connection:
            return customers.account_named(connection, name)
    finally:
        database.close()
