"""The main job over real sockets: SMSSend to report push, phone to message push, and what refuses a push."""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.journeys.far import OK, Push

SEED_NAMES = {"smsfrom", "smsmsg", "smsto", "shortcode", "smsid", "smsdate"}
"""The parameters in the example of the delivery report interface."""


async def command(journey: Any, *words: str) -> Any:
    """What a command of the operator prints with --json."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "homing"), *words, "--config", str(journey.node.config), "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)


def test_a_report_comes_home_as_the_seed_shows_it(journey: Callable[..., Any]) -> None:
    async def run() -> None:
        async with journey(number="913") as j:
            status, smsid = await j.node.get(
                "/SMSSend?user=acme&pass=journey&smsto=447931123456&smsfrom=913&smsmsg=Hello&report=7"
            )
            assert (status, smsid.isdigit()) == (200, True)
            await j.receiver.until(lambda r: len(r.pushes) == 1)
            (push,) = j.receiver.pushes
            fields = push.fields
            assert push.path.startswith("/in?")
            assert set(fields) - {"reason"} == SEED_NAMES
            assert fields["smsmsg"] == f"REPORT {smsid} DELIVERED"
            assert (fields["smsfrom"], fields["smsto"], fields["shortcode"]) == ("447931123456", "913", "913")
            assert fields["smsid"] == push.event != smsid
            # In the request, as in the example: blanks are +, colons %3A.
            assert re.search(r"[?&]smsdate=\d{4}-\d\d-\d\d\+\d\d%3A\d\d%3A\d\d(&|$)", push.path)
            said = datetime.strptime(fields["smsdate"], "%Y-%m-%d %H:%M:%S")
            london = datetime.now(ZoneInfo("Europe/London")).replace(tzinfo=None)
            assert abs(london - said) < timedelta(minutes=1)

    asyncio.run(run())


def test_a_message_comes_home(journey: Callable[..., Any]) -> None:
    async def run() -> None:
        async with journey() as j:
            j.network.send_message("447700900123", "60999", "Grüße €5")
            await j.receiver.until(lambda r: len(r.pushes) == 1)
            fields = j.receiver.pushes[0].fields
            assert fields["smsmsg"] == "Grüße €5"
            assert (fields["smsfrom"], fields["smsto"], fields["bits"]) == ("447700900123", "60999", "7")
            trace = await command(j, "trace", fields["smsid"])
            assert trace["message"]["text"] == "Grüße €5"
            assert [d["state"] for d in trace["deliveries"]] == ["delivered"]

    asyncio.run(run())


ANSWERS = {
    "447700900001": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "447700900002": b"HTTP/1.1 204 No Content\r\n\r\n",
    "447700900003": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nOK",
    "447700900004": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
    "447700900005": None,  # never answers: given up at 60 s
}
SHOWN = {
    "447700900001": {"status": 200, "answer": ""},
    "447700900002": {"status": 204, "answer": ""},
    "447700900003": {"status": 302, "answer": "OK"},
    "447700900004": {"status": 500, "answer": "oops"},
    "447700900005": {"status": None, "error": "timeout"},
}


def test_whatever_is_no_success_is_tried_again_and_traced(journey: Callable[..., Any]) -> None:
    """An empty 200, 204, 302, 500 and a stall, each by the default rules but with a short first wait."""

    def answer(push: Push) -> bytes | None:
        return ANSWERS[push.fields["smsfrom"]] if push.attempt == 1 else OK

    async def run() -> None:
        async with journey(push="mx_retry_s = [0.5, 1]", answer=answer, concurrency=64) as j:
            ids = {to: (await j.node.send(to, "Hello"))[1] for to in ANSWERS}
            await j.receiver.until(lambda r: len(r.pushes) == 2 * len(ANSWERS), 75)
            for pushes in j.receiver.by_event.values():
                assert [push.attempt for push in pushes] == [1, 2]
                assert pushes[0].fields == pushes[1].fields
            stalled = next(
                p for p in j.receiver.by_event.values() if p[0].fields["smsfrom"] == "447700900005"
            )
            assert 59 <= stalled[1].at - stalled[0].at <= 64
            for to, smsid in ids.items():
                (delivery,) = (await command(j, "trace", smsid))["deliveries"]
                first, second = delivery["attempts"]
                assert {key: first[key] for key in SHOWN[to]} == SHOWN[to]
                assert (second["status"], second["answer"], delivery["state"]) == (200, "OK", "delivered")

    asyncio.run(run())


def test_a_refused_connection_is_tried_again_and_traced(journey: Callable[..., Any]) -> None:
    async def run() -> None:
        async with journey(push="mx_retry_s = [0.3, 0.3, 60]") as j:
            closed = await command(
                j, "endpoint", "add", "acme", "--events", "report", "--format", "mx",
                "--url", "http://127.0.0.1:9/in",
            )  # fmt: skip
            await asyncio.sleep(2)  # a change takes effect in a running node within 2 s
            _status, smsid = await j.node.send("447700900001", "Hello")
            async with asyncio.timeout(20):
                while True:
                    deliveries = (await command(j, "trace", smsid))["deliveries"]
                    refused = [d for d in deliveries if d["endpoint"] == closed["id"]]
                    if refused and len(refused[0]["attempts"]) >= 2:
                        break
            assert refused[0]["state"] == "pending"
            attempts = refused[0]["attempts"]
            assert [(a["number"], a["error"]) for a in attempts[:2]] == [
                (1, "connect refused"),
                (2, "connect refused"),
            ]
            assert [d["state"] for d in deliveries if d["endpoint"] != closed["id"]] == ["delivered"]

    asyncio.run(run())
