"""The direct way of ``SMSSend`` answers as the usual one does: letter by letter, in order, or not at all."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from homing.engine.credentials import hash_password
from homing.model.message import Submission
from tests.api.running import PASSWORD, RunningGateway

TO = "447700900001"

LINE = f"/SMSSend?user=acme&pass={PASSWORD}&smsto={TO}&smsmsg=".encode()


def get(text: bytes, headers: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"GET %s%s HTTP/%s\r\nHost: x\r\n%s\r\n" % (LINE, text, version, headers)


class Kept:
    """One connection that is kept; its requests are asked one after the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")

    def ask(self, request: bytes) -> tuple[bytes, list[bytes], bytes]:
        self._socket.sendall(request)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            assert line, "closed"
            head += line
        ((status, fields, _),) = heads_of(head)
        length = next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length"))
        return status, fields, self._file.read(length)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def heads_of(octets: bytes) -> list[tuple[bytes, list[bytes], bytes]]:
    """Status line, sorted headers without the date, and body of each answer."""
    answers = []
    while octets:
        head, _, octets = octets.partition(b"\r\n\r\n")
        status, *fields = head.lower().split(b"\r\n")
        length = next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length"))
        kept = sorted(field for field in fields if not field.startswith(b"date"))
        answers.append((status, kept, octets[:length]))
        assert any(field.startswith(b"date: ") for field in fields)
        octets = octets[length:]
    return answers


@pytest.fixture
def known(gateway: RunningGateway) -> RunningGateway:
    """The login has been verified: from now on it is taken directly."""
    assert gateway.talk(get(b"first", b"Connection: close\r\n")).startswith(b"HTTP/1.1 200 OK")
    return gateway


@pytest.fixture
def kept(known: RunningGateway) -> Iterator[Kept]:
    connection = Kept(known.port)
    yield connection
    connection.close()


USUALLY = b"Content-Length: 0\r\n"
"""Changes nothing about a request but the way that it goes."""


def stored(gateway: RunningGateway) -> list[Submission]:
    """What was accepted, without the ids."""
    return [msgspec.structs.replace(submission, id=0) for submission in gateway.submissions()]


def texts(gateway: RunningGateway) -> list[str]:
    return [submission.segments[0].text for submission in gateway.submissions()]


def test_both_ways_answer_alike(gateway: RunningGateway) -> None:
    usual, direct, closing = (gateway.talk(get(b"x") + get(b"y", b"Connection: close\r\n")) for _ in range(3))
    for answers in (usual, direct, closing):
        (kept, kept_fields, _), (last, last_fields, _) = heads_of(answers)
        assert kept == last == b"http/1.1 200 ok"
        assert kept_fields[1:] == [b"content-type: text/plain;charset=us-ascii"]
        assert b"connection: close" in last_fields
        assert b"connection: close" not in kept_fields


def test_it_goes_directly_whatever_a_kept_connection_calls_itself(known: RunningGateway, kept: Kept) -> None:
    before = known.application.usual
    for headers in (b"", b"Connection: keep-alive\r\nUser-Agent: x\r\nAccept: */*\r\n"):
        assert kept.ask(get(b"x", headers))[0] == b"http/1.1 200 ok"
        assert known.application.usual == before
    kept.ask(get(b"x", USUALLY))
    assert known.application.usual == before + 1


def test_requests_in_a_row_are_answered_in_order(known: RunningGateway) -> None:
    many = [b"%d" % n for n in range(20)]
    last = get(b"last", b"Connection: close\r\n")
    other = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = heads_of(known.talk(b"".join(map(get, many)) + other + get(b"after") + last))
    assert [status for status, _, _ in answers] == [b"http/1.1 200 ok"] * 23
    stored = {b"%d" % s.id: s.segments[0].text for s in known.submissions()}
    told = [stored.get(body, "other") for _, _, body in answers]
    assert told == [*(n.decode() for n in many), "other", "after", "last"]


def test_a_request_in_pieces_and_one_that_is_left(known: RunningGateway) -> None:
    with socket.create_connection(("127.0.0.1", known.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in get(b"pieces"):
            connection.sendall(bytes((octet,)))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    with socket.create_connection(("127.0.0.1", known.port), timeout=30) as connection:
        connection.sendall(get(b"left"))
    known.talk(get(b"after", b"Connection: close\r\n"))
    assert texts(known)[1] == "pieces"
    assert "after" in texts(known)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(b"x", b"Connection: close\r\n", b"1.0"), b"200"),
        (get(b"x", b"Content-Length: 1\r\nConnection: close\r\n") + b"y", b"200"),
        (get(b"x", b"Transfer-Encoding: chunked\r\nConnection: close\r\n") + b"1\r\ny\r\n0\r\n\r\n", b"200"),
        (get(b"x").replace(b"GET", b"HEAD").replace(b"Host", b"Connection: close\r\nHost"), b"405"),
        (get(b"x").replace(b"smsto", b"smsfor").replace(b"Host", b"Connection: close\r\nHost"), b"400"),
        (get(b"x").replace(b"pass=", b"pass=no").replace(b"Host", b"Connection: close\r\nHost"), b"403"),
    ],
)
def test_what_is_unusual_is_answered_as_ever(known: RunningGateway, request_: bytes, status: bytes) -> None:
    assert known.talk(request_).split()[1] == status


def test_what_is_wrong_is_said_directly_too(known: RunningGateway) -> None:
    wrong = get(b"x").replace(b"smsto", b"smsfor")
    answers = heads_of(known.talk(wrong + get(b"", b"Connection: close\r\n")))
    assert [(status.split()[1], body) for status, _, body in answers] == [
        (b"400", b"smsto is missing"),
        (b"400", b"no content: one of smsmsg, smsia5 and smsucs2 is needed"),
    ]


def test_a_login_that_changes_is_known_no_more(known: RunningGateway) -> None:
    account = known.directory.accounts["acme"]
    known.change_account(account, password_hash=hash_password("another"))
    assert known.talk(get(b"x", b"Connection: close\r\n")).split()[1] == b"403"
    known.change_account(known.directory.accounts["acme"], password_hash=account.password_hash)
    assert known.talk(get(b"x", b"Connection: close\r\n")).split()[1] == b"200"
    known.change_account(known.directory.accounts["acme"], disabled=True)
    assert known.talk(get(b"x", b"Connection: close\r\n")).split()[1] == b"403"


NAMES = b"smsmsg smsia5 smsucs2 smsudh smsfrom smsto bits split vp report flash note pass".split()
PIECES = [
    b"&",
    b"=",
    b"+",
    b"%",
    b"%41",
    b"%26",
    b"#",
    b"?",
    b"0",
    b"8",
    b"0A",
    b"x",
    b"%A4",
    b"\xa4",
    b"\xff",
]
PIECES += [b"&%s=" % name for name in NAMES]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
@example(rest=b"smsmsg=a#b")
@example(rest=b"smsmsg=a&smsmsg=b?c&vp=60")
@example(rest=b"smsmsg=%A4%e9+%zz\xa4")
@example(rest=b"&".join([b"a=1"] * 1001))
def test_both_ways_read_alike(known: RunningGateway, kept: Kept, rest: bytes) -> None:
    line = b"GET /SMSSend?user=acme&pass=%s&smsto=%s&%s HTTP/1.1\r\nHost: x\r\n" % (
        PASSWORD.encode(),
        TO.encode(),
        rest,
    )
    before = len(known.submissions())
    direct, usual = kept.ask(line + b"\r\n"), kept.ask(line + USUALLY + b"\r\n")
    assert direct[0] == usual[0]
    if direct[0].split()[1] == b"200":
        assert direct[2].isdigit()
        one, other = stored(known)[before:]
        assert one == other
    else:
        assert direct == usual


@pytest.mark.parametrize("gateway_settings", [{"trusted_proxies": ("127.0.0.1",)}])
@pytest.mark.parametrize("way", [b"", USUALLY], ids=["direct", "usual"])
def test_it_counts_whom_a_trusted_proxy_names(known: RunningGateway, kept: Kept, way: bytes) -> None:
    known.change_account(known.directory.accounts["acme"], allowed_addresses=("192.0.2.0/24",))

    def ask(address: bytes) -> tuple[bytes, bytes]:
        status, _, body = kept.ask(get(b"x", way + b"X-Forwarded-For: %s\r\n" % address))
        return status.split()[1], body

    for _ in range(2):  # the first login from there is verified, the second is known
        assert ask(b"192.0.2.1")[0] == b"200"
        assert ask(b"198.51.100.1") == (b"403", b"this account may not send from your address")


@pytest.mark.parametrize("way", [b"", USUALLY], ids=["direct", "usual"])
def test_who_has_no_credit_is_told_so(known: RunningGateway, kept: Kept, way: bytes) -> None:
    known.change_account(known.directory.accounts["acme"], metered=True)
    status, _, body = kept.ask(get(b"x", way))
    assert (status.split()[1], body) == (b"402", b"not enough credit")


@pytest.mark.parametrize("way", [b"", USUALLY], ids=["direct", "usual"])
def test_a_node_that_is_about_to_end_takes_nothing_and_closes(
    known: RunningGateway, kept: Kept, way: bytes
) -> None:
    known.health = replace(known.health, draining=True)
    status, fields, body = kept.ask(get(b"late", way))
    assert (status.split()[1], body) == (b"503", b"the gateway is about to stop, try again")
    assert b"connection: close" in fields
    assert texts(known) == ["first"]


def test_a_form_that_is_posted_is_answered_between_others(known: RunningGateway, kept: Kept) -> None:
    form = LINE.partition(b"?")[2] + b"posted"
    head = b"POST /SMSSend HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(form)
    answers = [kept.ask(request) for request in (get(b"before"), head + form, get(b"after"))]
    assert [status for status, _, _ in answers] == [b"http/1.1 200 ok"] * 3
    assert texts(known) == ["first", "before", "posted", "after"]
