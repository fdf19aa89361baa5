"""Fetching from customers' servers of every temper: real sockets, the address rules of pushes."""

import asyncio
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from homing.model.errors import Refusal, StoreUnavailable
from homing.push.fetch import HEAD_CAP, LONGEST_URL, Fetcher
from homing.push.http import client_context
from tests.push.customer import Behave, customer, free_port

MOST = 1_000_000
CONTENT = bytes(range(256)) * 2000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
GOOD = HEAD % len(CONTENT) + CONTENT
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


def fetcher(**changes: Any) -> Fetcher:
    return Fetcher(**({"allow_private_networks": True, "give_up_s": 10.0} | changes))


async def fetched(url: str, most: int = MOST, **changes: Any) -> bytes:
    found = bytearray()

    async def take(octets: bytes) -> None:
        assert octets
        found.extend(octets)

    await fetcher(**changes).fetch(url, take, most)
    return bytes(found)


async def refused(url: str, **changes: Any) -> str:
    with pytest.raises(Refusal) as told:
        await fetched(url, **changes)
    assert told.value.text.startswith("url: ")
    assert "s3cret" not in told.value.text
    return f"{told.value.kind}: {told.value.text}"


def closing(octets: bytes) -> Behave:
    """Answer with these octets and close."""

    async def behave(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(octets)
        await writer.drain()
        writer.close()
        raise ConnectionError

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        GOOD,
        b"HTTP/1.1 102 Processing\r\n\r\n" + GOOD,
        CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT),
        CHUNKED + b"".join(b"800\r\n%b\r\n" % CONTENT[at : at + 0x800] for at in range(0, 512_000, 0x800))
        + b"0\r\n\r\n",
        closing(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT),
        closing(b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n\r\n" + CONTENT),
    ],
)  # fmt: skip
def test_a_body_comes_through_however_it_is_framed(behave: Behave | bytes) -> None:
    async def main() -> None:
        async with customer(behave) as server:
            url = f"http://127.0.0.1:{server.port}/mms/ä.zip?user=acme&pass=s3cret#top"
            assert await fetched(url) == CONTENT
            (request,) = server.requests
            assert request.startswith(b"GET /mms/%C3%A4.zip?user=acme&pass=s3cret HTTP/1.1\r\n")
            head = request.lower()
            assert head.count(b"\r\nhost: 127.0.0.1:%d\r\n" % server.port) == 1
            assert b"\r\naccept-encoding: identity\r\n" in head
            assert b"\r\nconnection: close\r\n" in head

    run(main())


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "invalid: url: it answered 404"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "invalid: url: it answered 204"),
        (b"HTTP/1.1 206 Part\r\nContent-Length: 1\r\n\r\nx", "invalid: url: it answered 206"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
            "invalid: url: it answered 302; redirects are not followed",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
            "invalid: url: the answer has a content encoding",
        ),
        (HEAD % (MOST + 1), "too_long: url: the answer is longer than 1000000 octets"),
        (HEAD % 10**15, "too_long: url: the answer is longer than 1000000 octets"),
        (closing(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MOST + 1)), "too_long: url: the answer is longer than"),
        (
            CHUNKED + b"%x\r\n" % (MOST + 1) + bytes(MOST + 1),
            "too_long: url: the answer is longer than 1000000 octets",
        ),
        (closing(b""), "invalid: url: closed before the end of the answer"),
        (closing(HEAD % 10 + b"x"), "invalid: url: closed before the end of the answer"),
        (closing(CHUNKED + b"1\r\nx\r\n"), "invalid: url: closed before the end of the answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "invalid: url: the answer is not HTTP"),
        (HEAD.replace(b"%d", b"-1"), "invalid: url: the answer is not HTTP"),
        (HEAD.replace(b"%d", b"9" * 5000), "invalid: url: the answer is not HTTP"),
        (CHUNKED + b"xyz\r\n", "invalid: url: the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_CAP * 2, "invalid: url: the answer is not HTTP"),
        (b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n", "invalid: url: the answer is not HTTP"),
        (
            b"HTTP/1.1 102 Processing\r\n\r\n" * 2000,
            "invalid: url: the answer comes in too many small pieces",
        ),
        (CHUNKED + b"1\r\nx\r\n" * 2000, "invalid: url: the answer comes in too many small pieces"),
    ],
)
def test_what_is_no_content_is_said(behave: Behave | bytes, words: str) -> None:
    async def main() -> None:
        async with customer(behave) as server:
            assert (await refused(f"http://127.0.0.1:{server.port}/?pass=s3cret")).startswith(words)
            assert len(server.requests) == 1

    run(main())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "the URL must begin with http:// or https://"),
        ("ftp://host/", "the URL must begin with http:// or https://"),
        ("file:///etc/passwd", "the URL must begin with http:// or https://"),
        ("http://acme:s3cret@host/", "user and password do not belong in the URL"),
        ("http://ho st/", "the URL holds a blank or a control character"),
        ("http://host\r\nX: y/", "the URL holds a blank or a control character"),
        ("http://[::1/", "the URL has an unreadable host or port"),
        ("http:///x", "the URL has no host"),
        ("http://host/" + "x" * LONGEST_URL, "it is longer than 4096 characters"),
        ("http://169.254.169.254/latest", "forbidden address 169.254.169.254 (metadata service)"),
        ("http://[::ffff:127.0.0.1]/", "forbidden address ::ffff:127.0.0.1 (v4-mapped)"),
        ("http://nowhere.invalid/", "name not found"),
    ],
)
def test_urls_that_lead_nowhere(url: str, words: str) -> None:
    async def main() -> None:
        assert await refused(url) == f"invalid: url: {words}"

    run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"])
def test_private_addresses_are_refused_and_never_connected_to(host: str) -> None:
    async def main() -> None:
        async with customer(GOOD) as server:
            told = await refused(f"http://{host}:{server.port}/", allow_private_networks=False)
            assert "url: forbidden address" in told
            assert "(loopback)" in told
            assert server.peers == []

    run(main())


def test_a_name_is_looked_up_once_and_all_its_addresses_are_checked() -> None:
    asked: list[str] = []

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", "10.0.0.1"]

    async def main() -> None:
        told = await refused("http://rebind.example/", allow_private_networks=False, lookup=lookup)
        assert told == "invalid: url: forbidden address 10.0.0.1 (private)"
        assert asked == ["rebind.example"]

    run(main())


def test_the_next_address_of_a_name_is_tried() -> None:
    async def lookup(_host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def main() -> None:
        async with customer(GOOD) as server:
            assert await fetched(f"http://two.example:{server.port}/", lookup=lookup) == CONTENT
            assert f"host: two.example:{server.port}".encode() in server.requests[0].lower()

    run(main())


def test_it_leaves_from_the_address_that_firewalls_know() -> None:
    async def main() -> None:
        async with customer(GOOD) as server:
            url = f"http://127.0.0.1:{server.port}/"
            assert await fetched(url, source_address="127.0.0.9") == CONTENT
            assert server.peers == ["127.0.0.9"]
            assert "connect failed" in await refused(url, source_address="::1")

    run(main())


def test_nobody_listens() -> None:
    async def main() -> None:
        assert await refused(f"http://127.0.0.1:{free_port()}/") == "invalid: url: connect refused"

    run(main())


@pytest.mark.parametrize("octets", [b"", HEAD % 10, HEAD % 10 + b"x", CHUNKED])
def test_one_limit_of_time_is_for_all_of_it(octets: bytes) -> None:
    async def main() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def behave(writer: asyncio.StreamWriter, _: int) -> None:
            writers.append(writer)
            writer.write(octets)

        async with customer(behave) as server:
            told = await refused(f"http://127.0.0.1:{server.port}/", give_up_s=0.3)
            assert told == "invalid: url: no whole answer within 0.3 s"
            await asyncio.wait_for(writers[0].wait_closed(), 10)  # the server closes when we have gone

    run(main())


def test_trouble_of_the_taker_is_its_own() -> None:
    async def main() -> None:
        async def take(_octets: bytes) -> None:
            raise StoreUnavailable("the content store: full")

        async with customer(GOOD) as server:
            with pytest.raises(StoreUnavailable):
                await fetcher().fetch(f"http://127.0.0.1:{server.port}/", take, MOST)

    run(main())


def test_a_slow_taker_holds_the_sender_back() -> None:
    async def main() -> None:
        sent = 0
        go = asyncio.Event()

        async def behave(writer: asyncio.StreamWriter, _: int) -> None:
            nonlocal sent
            writer.write(HEAD % 50_000_000)
            for _ in range(500):
                writer.write(bytes(100_000))
                await writer.drain()
                sent += 100_000

        async def take(_octets: bytes) -> None:
            await go.wait()

        async with customer(behave) as server:
            url = f"http://127.0.0.1:{server.port}/"
            fetching = asyncio.ensure_future(fetcher().fetch(url, take, 50_000_000))
            before = -1
            while sent == 0 or sent != before:  # until the sender stands still
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 30_000_000
            go.set()
            await fetching
            assert sent == 50_000_000

    run(main())


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_https_is_verified_for_the_name(authority: trustme.CA, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)

    async def lookup(_host: str) -> list[str]:
        return ["127.0.0.1"]

    async def main() -> None:
        trusting = client_context(str(path))
        async with customer(GOOD, tls=server_tls(authority, "good.example")) as server:
            url = f"https://good.example:{server.port}/"
            assert await fetched(url, ssl_context=trusting, lookup=lookup) == CONTENT
            told = await refused(url.replace("good", "bad"), ssl_context=trusting, lookup=lookup)
            assert told.startswith("invalid: url: tls: ")
            assert (await refused(url, lookup=lookup)).startswith("invalid: url: tls: ")
            assert len(server.requests) == 1

    run(main())


def test_a_body_that_ends_with_a_tls_connection(authority: trustme.CA, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)

    async def main() -> None:
        tls = server_tls(authority, "127.0.0.1")
        async with customer(closing(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT), tls=tls) as server:
            url = f"https://127.0.0.1:{server.port}/"
            assert await fetched(url, ssl_context=client_context(str(path))) == CONTENT

    run(main())
