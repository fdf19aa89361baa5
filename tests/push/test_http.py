"""The push transport against real servers of every temper, on the loop that a node runs on."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.delivery import ANSWER_CAP, Answer
from homing.push.http import client_context
from homing.wire.target import Target
from tests.push.customer import OK, ask, customer, free_port, transport

PIECES = [
    OK,
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"\r\n",
    b"Content-Length: 3\r\n",
    b"\r\n\r\nabc",
    b"2\r\nOK\r\n",
    b"0\r\n\r\n",
]


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


def writes(*pieces: bytes, close: bool = False, pause_s: float = 0.002) -> Callable[..., Awaitable[None]]:
    """A behaviour: these pieces one after the other, perhaps the end of the connection."""

    async def behave(writer: asyncio.StreamWriter, _: int) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if close:
            writer.close()
            await writer.wait_closed()
            raise ConnectionError

    return behave


def one_answer(behave: Any, **changes: Any) -> Answer:
    """What one push to such a server comes to."""
    found: list[Answer] = []

    async def main() -> None:
        async with customer(behave) as server, transport(**changes) as push:
            found.append(await ask(push, server.target()))
            assert push.in_flight == 0

    run(main())
    return found[0]


@pytest.mark.parametrize(
    ("octets", "status", "body"),
    [
        (OK, 200, b"OK"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 1\r\n\r\nx", 302, b"x"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx", 500, b"x"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n1;a\r\n!\r\n0\r\nT: 1\r\n\r\n",
            200,
            b"OK!",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, 200, b"OK"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK", 200, b"OK"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK", 200, b"OK"),
        (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n\xff\x00", 200, b"\xff\x00"),
    ],
)
def test_answers(octets: bytes, status: int, body: bytes) -> None:
    whole = one_answer(octets)
    drip = one_answer(writes(*(octets[at : at + 1] for at in range(len(octets))), pause_s=0))
    for answer in (whole, drip):
        assert (answer.status, answer.body, answer.length, answer.error) == (status, body, len(body), None)
        assert not answer.congested


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_body_that_ends_with_the_connection(version: bytes) -> None:
    answer = one_answer(writes(b"HTTP/" + version + b" 200 OK\r\n\r\nO", b"K", close=True))
    assert (answer.status, answer.body, answer.error) == (200, b"OK", None)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_servers_are_congested_and_say_when_to_come_again(status: int) -> None:
    answer = one_answer(b"HTTP/1.1 %d X\r\nretry-AFTER: 120\r\nContent-Length: 0\r\n\r\n" % status)
    assert (answer.status, answer.congested, answer.retry_after) == (status, True, "120")


def test_only_the_head_of_the_answer_itself_says_when_to_come_again() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nRetry-After: 9\r\n\r\n"
    head, end = b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n", b"0\r\nRetry-After: 5\r\n\r\n"
    assert one_answer(hints + head + b"\r\n" + end).retry_after is None
    assert one_answer(writes(hints, head, b"Retry-", b"After: 7\r\n\r\n", end)).retry_after == "7"


def test_a_length_in_what_goes_before_an_answer_is_not_that_of_the_answer() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nContent-Length: 1\r\n\r\n"
    answer = one_answer(writes(hints, b"HTTP/1.1 200 OK\r\n\r\nO", b"K", close=True))
    assert (answer.status, answer.body, answer.error) == (200, b"OK", None)


def test_a_long_body_is_an_answer_and_the_connection_is_closed() -> None:
    async def main() -> None:
        body = b"x" * 1_000_000
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        async with customer(octets) as server, transport() as push:
            for _ in range(2):
                answer = await ask(push, server.target())
                assert (answer.status, answer.error) == (200, None)
                assert answer.body == b"x" * ANSWER_CAP
                assert 65_536 < answer.length < len(body)
            assert len(server.peers) == 2

    run(main())


def test_an_endless_body_is_an_answer_too() -> None:
    async def behave(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()
            await asyncio.sleep(0)

    assert one_answer(behave).status == 200


def test_the_first_octets_of_a_body_are_kept() -> None:
    body = bytes(range(256)) * 4
    answer = one_answer(
        writes(b"HTTP/1.1 400 No\r\nContent-Length: 1024\r\n\r\n", body[:300], body[300:700], body[700:])
    )
    assert (answer.length, answer.body) == (1024, body[:ANSWER_CAP])


@pytest.mark.parametrize(
    ("behave", "error", "congested"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP", False),
        (b"\x00\xff\x15\x03", "the answer is not HTTP", False),
        (
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "the answer is not HTTP",
            False,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "the answer is not HTTP", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the answer is not HTTP", False),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, "the head of the answer is too long", False),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, "the head of the answer is too long", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, "the head of the answer is too long", False),
        (writes(close=True), "closed before the answer", True),
        (writes(b"HTTP/1.1 200 OK\r\n", close=True), "closed in the middle of the answer", True),
        (
            writes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO", close=True),
            "closed in the middle of the answer",
            True,
        ),
        (
            writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", close=True),
            "closed in the middle of the answer",
            True,
        ),
    ],
)
def test_what_is_no_answer(behave: Any, error: str, congested: bool) -> None:
    answer = one_answer(behave)
    assert (answer.status, answer.error, answer.congested) == (None, error, congested)


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", *(b"x" for _ in range(20))),
    ],
)
def test_a_stall_is_given_up_wherever_it_comes(pieces: tuple[bytes, ...]) -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> None:
        await writes(*pieces, pause_s=0.05)(writer, number)
        await asyncio.sleep(30)

    began = time.monotonic()
    answer = one_answer(behave, give_up_s=0.4)
    assert (answer.status, answer.error, answer.congested) == (None, "timeout", True)
    assert 400 <= answer.took_ms < 1200
    assert time.monotonic() - began < 3


def test_slow_answers_are_good_and_counted() -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(0.15 if number == 2 else 0)
        writer.write(OK)

    async def main() -> None:
        async with customer(behave) as server, transport(expect_s=0.1) as push:
            assert [(await ask(push, server.target())).status for _ in range(3)] == [200, 200, 200]
            assert push.counters.slow == 1

    run(main())


def test_connections_are_kept_and_the_last_one_is_used_first() -> None:
    async def main() -> None:
        async with customer() as server, transport() as push:
            await asyncio.gather(*(ask(push, server.target()) for _ in range(5)))
            assert len(server.peers) <= 5
            opened = push.counters.opened
            for _ in range(20):
                await ask(push, server.target())
            assert push.counters.opened == opened
            assert len(server.requests) == 25

    run(main())


def test_there_are_never_more_connections_than_pushes() -> None:
    async def behave(writer: asyncio.StreamWriter, _: int) -> None:
        await asyncio.sleep(0.005)
        writer.write(OK)

    async def main() -> None:
        async with customer(behave) as server, transport() as push:
            lanes = [_in_turn(push, server.target(), 20) for _ in range(4)]
            await asyncio.gather(*lanes)
            assert len(server.requests) == 80
            assert push.counters.opened <= 4

    async def _in_turn(push: Any, target: Target, count: int) -> None:
        for _ in range(count):
            await ask(push, target)

    run(main())


def test_the_next_push_may_be_sent_by_the_one_who_hears_of_the_last() -> None:
    async def main() -> None:
        async with customer() as server, transport() as push:
            ended = asyncio.Event()

            def done(left: Any, answer: Answer) -> None:
                assert answer.status == 200
                if left:
                    push.send(server.target(), b"GET / HTTP/1.1\r\n\r\n", left - 1, done)
                else:
                    ended.set()

            push.send(server.target(), b"GET / HTTP/1.1\r\n\r\n", 50, done)
            await asyncio.wait_for(ended.wait(), 10)
            assert push.counters.opened == 1

    run(main())


def test_idle_connections_are_closed() -> None:
    async def main() -> None:
        async with customer() as server, transport(idle_s=0.2) as push:
            await ask(push, server.target())
            assert push.open_connections == 1
            await asyncio.sleep(0.8)
            assert push.open_connections == 0
            assert (await ask(push, server.target())).status == 200

    run(main())


def test_a_kept_connection_that_the_server_closed_costs_no_attempt() -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 2:  # read, and closed without a word
            writer.transport.abort()
            raise ConnectionError
        writer.write(OK)

    async def main() -> None:
        async with customer(behave) as server, transport() as push:
            for _ in range(3):
                assert (await ask(push, server.target())).status == 200
            assert push.counters.stale == 1
            assert (len(server.requests), len(server.peers)) == (4, 2)

    run(main())


def test_it_is_sent_again_only_once() -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> None:
        if number > 1:
            writer.transport.abort()
            raise ConnectionError
        writer.write(OK)

    async def main() -> None:
        async with customer(behave) as server, transport() as push:
            await ask(push, server.target())
            answer = await ask(push, server.target())
            assert (answer.error, answer.congested) == ("closed before the answer", True)
            assert len(server.requests) == 3

    run(main())


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async def main() -> None:
        async with customer(writes(OK, close=True)) as server, transport() as push:
            for _ in range(3):
                assert (await ask(push, server.target())).status == 200
                await asyncio.sleep(0.02)
            assert len(server.peers) == 3
            assert push.counters.stale == 0

    run(main())


def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    async def main() -> None:
        async with customer(OK + OK) as server, transport() as push:
            for _ in range(3):
                assert (await ask(push, server.target())).status == 200
            assert len(server.peers) == 3
        async with customer(writes(OK, OK, pause_s=0.02)) as server, transport() as push:
            for _ in range(2):
                assert (await ask(push, server.target())).status == 200
                await asyncio.sleep(0.05)
            assert len(server.peers) == 2

    run(main())


def test_a_refused_connection() -> None:
    async def main() -> None:
        target = Target(scheme="http", host="127.0.0.1", port=free_port())
        async with transport() as push:
            answers = await asyncio.gather(*(ask(push, target) for _ in range(10)))
            assert {(each.status, each.error, each.congested) for each in answers} == {
                (None, "connect refused", True)
            }

    run(main())


def test_a_server_that_does_not_take_the_connection() -> None:
    async def main() -> None:
        with contextlib.closing(socket.socket()) as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = [await asyncio.open_connection("127.0.0.1", port)]
            target = Target(scheme="http", host="127.0.0.1", port=port)
            async with transport(connect_s=0.3, give_up_s=2) as push:
                answers = await asyncio.gather(*(ask(push, target) for _ in range(4)))
                assert answers[-1].congested
                assert {each.error for each in answers} <= {"connect timeout", "timeout"}
            for _, writer in fillers:
                writer.transport.abort()

    run(main())


def test_an_unknown_name() -> None:
    async def main() -> None:
        async def lookup(host: str) -> list[str]:
            raise socket.gaierror(-2, "Name or service not known")

        async with transport(lookup=lookup) as push:
            answer = await ask(push, Target(scheme="http", host="no.example", port=80))
            assert (answer.error, answer.congested) == ("name not found", True)

    run(main())


def test_forbidden_addresses_are_not_connected_to() -> None:
    async def main() -> None:
        async with customer() as server, transport(allow_private_networks=False) as push:
            for host in ("127.0.0.1", "localhost", "127.1", "2130706433"):
                answer = await ask(push, server.target(host))
                assert answer.status is None
                assert answer.error is not None
                assert answer.error.startswith(("forbidden address 127.0.0.1", "forbidden address ::1"))
                assert not answer.congested
            assert server.peers == []
        async with transport() as push:
            answer = await ask(push, Target(scheme="http", host="169.254.169.254", port=80))
            assert answer.error == "forbidden address 169.254.169.254 (metadata service)"

    run(main())


def test_the_checked_address_is_connected_to_with_the_name_of_the_host() -> None:
    async def main() -> None:
        async def lookup(host: str) -> list[str]:
            return ["127.0.0.1"]

        async with customer() as server, transport(lookup=lookup) as push:
            target = server.target("hook.example")
            assert (await ask(push, target)).status == 200
            assert f"Host: hook.example:{server.port}".encode() in server.requests[0]

    run(main())


def test_the_next_address_is_tried() -> None:
    async def main() -> None:
        async def lookup(host: str) -> list[str]:
            return ["127.0.0.2", "127.0.0.1"]

        async with customer(OK) as server, transport(lookup=lookup) as push:
            for _ in range(2):
                assert (await ask(push, server.target("hook.example"))).status == 200

    run(main())


def test_ipv6() -> None:
    async def main() -> None:
        async with customer(host="::1") as server, transport() as push:
            assert (await ask(push, server.target("::1"))).status == 200
            assert server.peers == ["::1"]

    run(main())


def test_the_source_address_is_bound() -> None:
    async def main() -> None:
        async with customer() as server:
            async with transport(source_address="127.0.0.9") as push:
                assert (await ask(push, server.target())).status == 200
            assert server.peers == ["127.0.0.9"]
            async with transport(source_address="::1") as push:
                answer = await ask(push, server.target())
                assert answer.error == "connect failed: cannot assign requested address"

    run(main())


def test_close_waits_for_what_is_under_way_and_abandons_the_rest() -> None:
    async def main() -> None:
        async def behave(writer: asyncio.StreamWriter, number: int) -> None:
            await asyncio.sleep(0.1 if number == 1 else 30)
            writer.write(OK)

        heard: list[Answer] = []
        async with customer(behave) as server, transport() as push:
            for _ in range(2):
                push.send(server.target(), b"GET / HTTP/1.1\r\n\r\n", None, lambda _, a: heard.append(a))
                await asyncio.sleep(0.03)
            await push.close(drain_s=0.4)
            assert [answer.status for answer in heard] == [200]
            with pytest.raises(RuntimeError):
                push.send(server.target(), b"", None, lambda _, a: None)

    run(main())


def test_one_who_fails_to_listen_harms_nobody() -> None:
    async def main() -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))

        def done(_: object, answer: Answer) -> None:
            raise ValueError("not listening")

        async with customer() as server, transport() as push:
            push.send(server.target(), b"GET / HTTP/1.1\r\n\r\n", None, done)
            await asyncio.sleep(0.1)
            assert (await ask(push, server.target())).status == 200
            assert len(server.peers) == 1
        assert len(problems) == 1

    run(main())


@settings(max_examples=100, deadline=None)
@given(
    head=st.sampled_from(
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    ),
    octets=st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join),
)
def test_whatever_a_server_says_there_is_one_answer(head: bytes, octets: bytes) -> None:
    answer = one_answer(writes(head + octets, close=True, pause_s=0))
    assert (answer.status is None) == (answer.error is not None)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestTls:
    def serve(self, authority: trustme.CA, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return context

    def trust(self, authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return client_context(str(path))

    @pytest.mark.parametrize("host", ["hook.example", "127.0.0.1"])
    def test_a_good_certificate(self, authority: trustme.CA, tmp_path: Path, host: str) -> None:
        async def lookup(_: str) -> list[str]:
            return ["127.0.0.1"]

        async def main() -> None:
            context = self.trust(authority, tmp_path)
            tls = self.serve(authority, host)
            async with (
                customer(tls=tls) as server,
                transport(ssl_context=context, lookup=lookup) as push,
            ):
                for _ in range(3):
                    assert (await ask(push, server.target(host))).status == 200
                assert len(server.peers) == 1

        run(main())

    def test_a_body_that_ends_with_the_connection(self, authority: trustme.CA, tmp_path: Path) -> None:
        async def main() -> None:
            behave = writes(b"HTTP/1.0 200 OK\r\n\r\nOK", close=True)
            tls = self.serve(authority, "127.0.0.1")
            async with (
                customer(behave, tls=tls) as server,
                transport(ssl_context=self.trust(authority, tmp_path)) as push,
            ):
                answer = await ask(push, server.target())
                assert (answer.status, answer.body) == (200, b"OK")

        run(main())

    def test_bad_certificates(self, authority: trustme.CA, tmp_path: Path) -> None:
        async def main() -> None:
            async with customer(tls=self.serve(authority, "127.0.0.1")) as server, transport() as push:
                answer = await ask(push, server.target())
                assert answer.error is not None
                assert answer.error.startswith("tls: ")
                assert answer.congested
                assert server.requests == []
            context = self.trust(authority, tmp_path)
            tls = self.serve(authority, "other.example")
            async with customer(tls=tls) as server, transport(ssl_context=context) as push:
                answer = await ask(push, server.target())
                assert "certificate is not valid for '127.0.0.1'" in (answer.error or "")
                assert server.requests == []

        run(main())

    def test_a_server_without_tls(self) -> None:
        async def main() -> None:
            async with customer() as server, transport(connect_s=1) as push:
                answer = await ask(push, Target(scheme="https", host="127.0.0.1", port=server.port))
                assert answer.error is not None
                assert answer.error.startswith(("tls: ", "connect"))
                assert answer.congested

        run(main())
