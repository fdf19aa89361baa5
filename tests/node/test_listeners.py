"""The listeners' bounds, on real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from homing.node.listeners import HEAD_CAP, Listener, bind

REQUEST = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(length).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listening(**changes: Any) -> AsyncIterator[Listener]:
    options = {"tls": None, "max_connections": 50, "idle_timeout_s": 1} | changes
    listener = Listener(echo, bind("127.0.0.1", 0), **options)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(1.0)


async def ask(port: int, octets: bytes, **options: Any) -> bytes:
    """What comes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    writer.write(octets)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("said", "octets"),
    [
        ("nothing", b""),
        ("half a head", REQUEST[:20]),
        ("half a body", b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 10\r\n\r\nabc"),
    ],
)
def test_who_does_not_end_a_request_is_left(said: str, octets: bytes) -> None:
    async def run() -> None:
        async with listening() as listener:
            assert await ask(listener.port, octets) == b""

    asyncio.run(run())


def test_a_kept_connection_answers_again_and_is_closed_when_idle() -> None:
    async def run() -> None:
        async with listening() as listener:
            said = await ask(listener.port, REQUEST + REQUEST)
            assert said.count(b"HTTP/1.1 200 OK") == 2

    asyncio.run(run())


def test_a_head_has_a_size() -> None:
    async def run() -> None:
        async with listening() as listener:
            said = await ask(listener.port, b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_CAP + 10))
            assert said.startswith(b"HTTP/1.1 400 ")

    asyncio.run(run())


def test_connections_above_the_limit_are_refused() -> None:
    async def run() -> None:
        async with listening(max_connections=2) as listener:
            _held, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            said = await ask(listener.port, REQUEST)
            assert said.startswith(b"HTTP/1.1 503 ")
            writer.close()

    asyncio.run(run())


def _issue(authority: trustme.CA, directory: Path) -> tuple[Path, Path]:
    made = authority.issue_cert("localhost")
    certificate, key = directory / "node.crt", directory / "node.key"
    made.cert_chain_pems[0].write_to_path(str(certificate))
    made.private_key_pem.write_to_path(str(key))
    return certificate, key


def test_a_new_certificate_is_used_after_reload(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = trustme.CA(), trustme.CA()
        tls = _issue(first, tmp_path)
        client = ssl.create_default_context()
        second.configure_trust(client)
        async with listening(tls=tls) as listener:
            with pytest.raises(ssl.SSLCertVerificationError):
                await ask(listener.port, REQUEST, ssl=client, server_hostname="localhost")
            _issue(second, tmp_path)
            listener.reload()
            said = await ask(listener.port, REQUEST, ssl=client, server_hostname="localhost")
            assert said.startswith(b"HTTP/1.1 200 OK")

    asyncio.run(run())


def test_an_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            bind("127.0.0.1", port)
