"""An MMS from the network to the customer, over real sockets: told by GET and retrieved, or pushed whole."""

import asyncio
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from bench.process import rss_mib
from tests.journeys.far import (
    PASSWORD,
    NodeProcess,
    Receiver,
    config,
    enrol,
    free_port,
    receiving,
    sqlite_url,
)
from tests.journeys.relay import LINK, FarRelay, picture_of
from tests.links.relay import deliver, request
from tests.links.test_mm7_server import JPEG, NESTED, SMIL

PARTS = {
    "start.smil": SMIL.replace(b"cid:one", b"one.jpg"),
    "one.jpg": JPEG,
    "hello.txt": "Grüße".encode(),
}
LARGE = 10_000_000
AT_ONCE = 200
MIB_EACH = 4.0


def parts_of(octets: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(octets)) as content:
        names = content.namelist()
        assert names[0] == "manifest"
        return {name: content.read(name) for name in names[1:]}


class Site:
    """A node with an MM7 link, HTTP and HTTPS, and a relay."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(directory / "key.pem")
        for n, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(directory / "chain.pem", append=n > 0)
        self.tls = ssl.create_default_context()
        authority.configure_trust(self.tls)
        self.http_port, self.tls_port = free_port(), free_port()
        text = config(self.http_port, free_port(), more=LINK).replace(
            "[http]",
            f'[http]\nlisten_tls = "127.0.0.1:{self.tls_port}"\ntls_certificate = "chain.pem"\n'
            'tls_key = "key.pem"',
        )
        self.node = NodeProcess(directory, self.http_port, text)
        self.relay = FarRelay(self.node)

    async def retrieve(self, id_: str, *, tls: bool = False) -> bytes:
        url = f"https://localhost:{self.tls_port}" if tls else f"http://127.0.0.1:{self.http_port}"
        async with httpx.AsyncClient(verify=self.tls, timeout=30) as client:
            answer = await client.get(
                f"{url}/RetrieveMMS", params={"user": "acme", "pass": PASSWORD, "id": id_}
            )
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
        return answer.content


async def pushed(receiver: Receiver, count: int = 1) -> None:
    await receiver.until(lambda r: len(r.pushes) >= count)


def test_told_by_get_and_retrieved_over_http_and_https(tmp_path: Path) -> None:
    async def go() -> None:
        site = Site(tmp_path)
        async with receiving() as receiver:
            enrol(sqlite_url(site.node), "acme", receiver.url, events=("message",), format="mx-mms")
            await site.node.start()
            assert await site.relay.post(request(deliver(), NESTED)) == 1000
            await pushed(receiver)
            fields = receiver.pushes[0].fields
            assert (fields["type"], fields["from"], fields["to"]) == ("2", "447700900123", "60999")
            assert parts_of(await site.retrieve(fields["id"])) == PARTS
            assert parts_of(await site.retrieve(fields["id"], tls=True)) == PARTS
            assert await site.node.stop() == 0

    asyncio.run(go())


@contextmanager
def serving(requests: list[dict[str, Any]], came: threading.Event) -> Iterator[int]:
    """A customer who leaves forms to a framework."""

    @Request.application  # type: ignore[arg-type]
    def application(asked: Request) -> Response:
        requests.append(
            {
                "form": asked.form.to_dict(flat=False),
                **{name: file.read() for name, file in asked.files.items()},
            }
        )
        came.set()
        return Response("OK")

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()


def test_pushed_whole_to_a_framework(tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = []
    came = threading.Event()

    async def go(port: int) -> None:
        site = Site(tmp_path)
        enrol(
            sqlite_url(site.node), "acme", f"http://127.0.0.1:{port}/in", events=("message",),
            format="mx-mms", method="multipart",
        )  # fmt: skip
        await site.node.start()
        to = "<m:To><m:Number>60999</m:Number><m:Number displayOnly='true'>447700900007</m:Number></m:To>"
        assert await site.relay.post(request(deliver(to=to), NESTED)) == 1000
        assert await asyncio.to_thread(came.wait, 30)
        assert await site.node.stop() == 0

    with serving(requests, came) as port:
        asyncio.run(go(port))
    (got,) = requests
    assert parts_of(got["mms.zip"]) == PARTS
    assert (got["form"]["to"], got["form"]["subject"], got["form"]["type"]) == (
        ["60999", "447700900007"], ["Hé"], ["2"],
    )  # fmt: skip


async def grown(node: NodeProcess, *transfers: Any) -> float:
    """MiB by which the node's memory grew at most while something was on its way."""
    assert node.process is not None
    before = rss_mib(node.process.pid)
    most = before
    under_way = asyncio.gather(*transfers)
    while not under_way.done():
        await asyncio.wait((under_way,), timeout=0.01)
        most = max(most, rss_mib(node.process.pid))
    await under_way
    return most - before


@pytest.mark.timeout(300)
def test_large_ones_take_little_memory_in_every_direction(tmp_path: Path) -> None:
    async def go() -> None:
        site = Site(tmp_path)
        async with receiving() as receiver:
            enrol(sqlite_url(site.node), "acme", receiver.url, events=("message",), format="mx-mms")
            enrol(
                sqlite_url(site.node), "whole", receiver.url, number="60998", events=("message",),
                format="mx-mms", method="multipart",
            )  # fmt: skip
            await site.node.start()
            relay = site.relay
            await asyncio.gather(*(relay.deliver(f"warm{n}", size=100_000) for n in range(4)))
            await pushed(receiver, 4)
            came_in = await grown(site.node, *(relay.deliver(f"in{n}", size=LARGE) for n in range(4)))
            went_out = await grown(
                site.node, *(relay.deliver(f"out{n}", size=LARGE, to="60998") for n in range(4)),
                pushed(receiver, 12),
            )  # fmt: skip
            assert len(relay.acknowledged) == 12
            whole = [push for push in receiver.pushes if push.body]
            assert len(whole) == 4
            assert all(any(picture_of(f"out{n}", LARGE) in push.body for push in whole) for n in range(4))
            id_ = next(p.fields["id"] for p in receiver.pushes if p.fields.get("subject") == "in0")
            answers: list[bytes] = []

            async def retrieve() -> None:
                octets = await site.retrieve(id_)
                answers.append(octets[:100] + octets[-100:] + str(len(octets)).encode())

            given = await grown(site.node, *(retrieve() for _ in range(AT_ONCE)))
            assert len(answers) == AT_ONCE
            assert len(set(answers)) == 1
            print(
                f"MiB for each of 10 MB: in {came_in / 4:.2f}, out {went_out / 4:.2f}, "
                f"{AT_ONCE} retrieved at once {given / AT_ONCE:.2f}"
            )
            assert came_in / 4 < MIB_EACH
            assert went_out / 4 < MIB_EACH
            assert given / AT_ONCE < MIB_EACH
            assert await site.node.stop() == 0

    asyncio.run(go())
