"""The direct way of ``SMSSend`` answers as the usual one does: letter by letter, in order, or not at all."""

import socket

import pytest

from homing.engine.credentials import hash_password
from tests.api.running import PASSWORD, RunningGateway

TO = "447700900001"

LINE = f"/SMSSend?user=acme&pass={PASSWORD}&smsto={TO}&smsmsg=".encode()


def get(text: bytes, headers: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"GET %s%s HTTP/%s\r\nHost: x\r\n%s\r\n" % (LINE, text, version, headers)


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
