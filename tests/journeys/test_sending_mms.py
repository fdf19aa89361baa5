"""SendMMS at a whole node: what was answered is there after kill -9, and what was refused left nothing."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from homing.engine.rows import submission_of
from homing.model.message import Submission
from homing.store import tables as t
from homing.store.create import open_store
from tests.journeys.far import PASSWORD, NodeProcess, sqlite_url

PARAMETERS = {
    "user": "acme",
    "pass": PASSWORD,
    "to": "447700900001",
    "from": "60999",
    "deliveryreport": "true",
    "readreport": "true",
}


def packed(text: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zip_:
        zip_.writestr("manifest", "words.txt=text/plain\n")
        zip_.writestr("words.txt", text)
    return made.getvalue()


def stored(node: NodeProcess) -> list[Submission]:
    database = open_store(sqlite_url(node))
    try:
        with database.reading() as connection:
            rows = connection.execute(select(t.submissions).order_by(t.submissions.c.id)).all()
        return [submission_of(row) for row in rows]
    finally:
        database.close()


def texts(node: NodeProcess, submissions: list[Submission]) -> list[str]:
    """What the contents of submissions say, read from the disk."""
    found = []
    for submission in submissions:
        assert submission.mms is not None
        sha256 = submission.mms.content.sha256
        octets = (node.directory / "data" / "mms" / sha256[:2] / f"{sha256}.zip").read_bytes()
        assert hashlib.sha256(octets).hexdigest() == sha256
        with zipfile.ZipFile(io.BytesIO(octets)) as zip_:
            found.append(zip_.read("words.txt").decode())
    return found


def on_their_way(node: NodeProcess) -> list[Path]:
    return list((node.directory / "data" / "mms" / "incoming").iterdir())


def test_what_was_answered_survives_a_kill(journey: Callable[..., Any]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = packed(b"by url")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async def run() -> None:
        async with journey() as j:
            customer = await asyncio.start_server(serve, "127.0.0.1", 0)
            url = f"http://127.0.0.1:{customer.sockets[0].getsockname()[1]}/mms.zip"
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{j.node.http_port}") as client:
                first = await client.get("/SendMMS", params=PARAMETERS | {"url": url})
                files = {"mms.zip": packed(b"by upload")}
                second = await client.post("/SendMMS", data=PARAMETERS, files=files)
                await j.node.kill()
            customer.close()
            submissions = stored(j.node)
            assert [f"{s.id}" for s in submissions] == [first.text, second.text]
            assert [(s.medium, s.report_bits) for s in submissions] == [("mms", 15)] * 2
            assert texts(j.node, submissions) == ["by url", "by upload"]
            assert on_their_way(j.node) == []
            await j.node.start()
            assert [s.id for s in stored(j.node)] == [s.id for s in submissions]

    asyncio.run(run())


def test_limits_are_those_of_the_configuration(journey: Callable[..., Any]) -> None:
    async def run() -> None:
        async with journey(more="[mms]\nmax_part_bytes = 2000\nmax_message_bytes = 3000\n") as j:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{j.node.http_port}") as client:
                files = {"mms.zip": packed(b"x" * 2001)}
                response = await client.post("/SendMMS", data=PARAMETERS, files=files)
            assert (response.status_code, response.text) == (413, "'words.txt' is longer than 2000 octets")
            assert stored(j.node) == []
            assert on_their_way(j.node) == []
            assert PASSWORD not in j.node.log.read_text()

    asyncio.run(run())
