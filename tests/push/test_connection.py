"""One connection by itself: what it remembers of a server changes nothing of what it hears from it."""

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from homing.model.delivery import Answer
from homing.push.connection import USUAL_CAP, Connection, Counters, Pool
from homing.wire.target import Target

TARGET = Target(scheme="http", host="127.0.0.1", port=9)
PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n",
        b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length: 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Upgrade: x\r\n",
        b"2\r\nOK\r\n0\r\n\r\n",
        b"\r\n\r\nabcd",
        b"\r\n",
        b"\r",
        b"H",
    ]
)
READS = st.lists(PIECES, min_size=1, max_size=4).map(b"".join)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
CUT = st.integers(1, len(GOOD) - 1).map(lambda at: [GOOD[:at], GOOD[at:]])
LATER = st.sampled_from([[GOOD], [GOOD.replace(b"4", b"%d" % (len(GOOD) + 2)), GOOD, b"\r\n"]])
SAID = st.one_of(READS.map(lambda read: [read]), CUT, LATER, st.lists(READS, min_size=1, max_size=3))


class Line:
    """A transport that goes nowhere: whether it was closed is all that can be seen of it."""

    def __init__(self) -> None:
        self.is_closed = False

    def write(self, _: bytes) -> None:
        assert not self.is_closed

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def hear(answers: list[list[bytes]], *, remembers: bool) -> list[Any]:
    """What is told of pushes that are answered so, one after the other, on a new line when one was closed."""
    told: list[Any] = []

    def done(_: object, answer: Answer) -> None:
        told.append((answer.status, answer.body, answer.length, answer.retry_after, answer.congested))
        told.append(answer.error)

    pool = Pool(TARGET, lambda _: None)
    line = Line()
    line.abort()
    for reads in answers:
        if line.is_closed:
            connection, line = Connection(pool, Counters(), 10.0, 65_536), Line()
            connection.connection_made(cast(asyncio.Transport, line))
        connection.start(b"GET", None, done, 0.0, False)
        for data in reads:
            if not remembers:
                pool.usual = b""
            if not line.is_closed:
                connection.data_received(data)
        told.append((line.is_closed, connection.is_busy, len(pool.idle)))
        if connection.is_busy:
            line.abort()
            connection.connection_lost(None)
        pool.waiting.clear()
        pool.idle.clear()
    return told


@given(st.lists(SAID, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1))))
def test_what_a_server_says_again_is_heard_as_before(
    said: list[list[bytes]], order: list[tuple[int, int]]
) -> None:
    answers = [said[at % len(said)][first:] for at, first in order]
    assert hear(answers, remembers=True) == hear(answers, remembers=False)


def test_only_what_is_short_is_remembered() -> None:
    pool = Pool(TARGET, lambda _: None)
    connection = Connection(pool, Counters(), 10.0, 65_536)
    connection.connection_made(cast(asyncio.Transport, Line()))
    for body, is_remembered in ((b"x" * USUAL_CAP, False), (b"", True)):
        connection.start(b"GET", None, lambda _token, _answer: None, 0.0, False)
        data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        connection.data_received(data)
        assert (pool.usual == data) is is_remembered
