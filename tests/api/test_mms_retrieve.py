"""RetrieveMMS as customers use it: over a socket, out of a real store."""

import asyncio
import hashlib
import io
import logging
import os
import socket
import ssl
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from sqlalchemy import text as sql

from homing.api import content_answer
from homing.api.content_answer import PIECE
from homing.model.clock import LARGEST_ID
from homing.model.mms import Content
from homing.node.listeners import Listener, bind
from homing.store import tables as t
from tests.api.running import INBOUND_PASSWORD, MAX_BODY_BYTES, PASSWORD, RunningGateway
from tests.api.watched_contents import WatchedBlobs
from tests.store import mms_rows, rows

TEXT_PLAIN = "text/plain;charset=US-ASCII"
PATH = "/RetrieveMMS"
LOGIN = {"user": "acme", "pass": INBOUND_PASSWORD}
EVENT, SMS, THEIRS, UNROUTED, SENT = 1 << 60, 500, 501, 502, 503
ASKED = {**LOGIN, "id": str(EVENT)}


@pytest.fixture
def contents(tmp_path: Path) -> WatchedBlobs:
    return WatchedBlobs(tmp_path / "mms")


@pytest.fixture
def content(gateway: RunningGateway) -> Content:
    """That of an MMS of ``acme``; beside it are an SMS, one that was sent, and MMS of others."""
    gateway.add_account("other")
    kept = mms_rows.keep(gateway.contents)
    with gateway.database.writing() as connection:
        mms_rows.add_mms(connection, EVENT, kept)
        rows.add_message(connection, SMS)
        mms_rows.add_mms(connection, THEIRS, kept, "other")
        mms_rows.add_mms(connection, UNROUTED, kept, None)
        mms_rows.add_sent_mms(connection, SENT, kept)
    return kept


def octets_of(gateway: RunningGateway, content: Content) -> bytes:
    reader = gateway.contents.open(content.sha256)
    octets = reader.read(0, content.size)
    reader.close()
    return octets


def retrieve(gateway: RunningGateway, parameters: dict[str, str], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.client.get(PATH, params=parameters, headers=named)


def refused(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == TEXT_PLAIN
    assert words in response.text
    assert len(response.text.splitlines()) == 1
    assert INBOUND_PASSWORD not in response.text


@pytest.mark.parametrize("path", [PATH, "/mms/v1/http/retrieve"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_zip_comes_as_it_is_kept(
    gateway: RunningGateway, content: Content, contents: WatchedBlobs, path: str, method: str
) -> None:
    where = {"params": ASKED} if method == "GET" else {"data": ASKED}
    response = gateway.client.request(method, path, **where)  # type: ignore[arg-type]
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == content.sha256
    with zipfile.ZipFile(io.BytesIO(response.content)) as made:
        assert made.testzip() is None
        assert made.namelist() == ["manifest", *(name for name, _, _ in mms_rows.PARTS)]
        assert made.read("pic.jpg") == mms_rows.PICTURE[2]
        assert made.read("manifest").startswith(b"pic.jpg=image/jpeg\n")
    expected = {
        "content-type": "application/zip",
        "content-length": str(content.size),
        "content-disposition": "attachment; filename=mms.zip",
        "etag": f'"{content.sha256}"',
        "accept-ranges": "bytes",
        "cache-control": "private",
    }
    assert {name: response.headers[name] for name in expected} == expected
    assert contents.are_open == 0


def test_head_says_the_same_and_sends_nothing(gateway: RunningGateway, content: Content) -> None:
    got = retrieve(gateway, ASKED)
    said = gateway.client.head(PATH, params=ASKED, headers={"Range": "bytes=0-4"})
    assert (said.status_code, said.content) == (200, b"")
    assert int(said.headers["content-length"]) == content.size
    assert {**said.headers, "date": ""} == {**got.headers, "date": ""}
    assert gateway.client.head(PATH, params=ASKED | {"pass": "x"}).status_code == 403
    assert retrieve(gateway, ASKED).status_code == 200  # the connection lives


def test_a_content_that_was_sent_comes_as_well(gateway: RunningGateway, content: Content) -> None:
    response = retrieve(gateway, LOGIN | {"id": str(SENT)})
    assert hashlib.sha256(response.content).hexdigest() == content.sha256


# --- ranges and conditions ---


@pytest.mark.parametrize(
    ("value", "first", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-299999", 100, 300_000), ("bytes=-7", -7, None), ("bytes=9-", 9, None)],
)
def test_a_range(gateway: RunningGateway, content: Content, value: str, first: int, end: int | None) -> None:
    response = retrieve(gateway, ASKED, Range=value, If_Range=f'"{content.sha256}"')
    expected = octets_of(gateway, content)[first:end]
    assert (response.status_code, response.content) == (206, expected)
    at = first % content.size
    within = f"bytes {at}-{at + len(expected) - 1}/{content.size}"
    assert response.headers["content-range"] == within
    assert response.headers["content-length"] == str(len(expected))
    assert response.headers["etag"] == f'"{content.sha256}"'


def test_a_retrieval_that_broke_is_resumed(gateway: RunningGateway, content: Content) -> None:
    octets = b""
    while len(octets) < content.size:
        rest = {"Range": f"bytes={len(octets)}-", "If_Range": f'"{content.sha256}"'}
        response = retrieve(gateway, ASKED, **rest)
        assert response.status_code == 206
        octets += response.content[:100_000]
    assert hashlib.sha256(octets).hexdigest() == content.sha256


def test_what_is_no_range_of_it(gateway: RunningGateway, content: Content) -> None:
    response = retrieve(gateway, ASKED, Range=f"bytes={content.size}-")
    refused(response, 416, f"{content.size} octets")
    assert response.headers["content-range"] == f"bytes */{content.size}"
    for value in ("bytes=0-1,4-5", "bytes=5-2", "lines=1-2", "bytes=x"):
        assert retrieve(gateway, ASKED, Range=value).status_code == 200
    other = retrieve(gateway, ASKED, Range="bytes=0-4", If_Range='"another"')
    assert (other.status_code, len(other.content)) == (200, content.size)
    posted = gateway.client.post(PATH, data=ASKED, headers={"Range": "bytes=0-4", "If-None-Match": "*"})
    assert (posted.status_code, len(posted.content)) == (200, content.size)


def test_what_is_known_already_is_not_sent(gateway: RunningGateway, content: Content) -> None:
    for value in (f'"{content.sha256}"', f'"x", W/"{content.sha256}"', "*"):
        response = retrieve(gateway, ASKED, If_None_Match=value)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == f'"{content.sha256}"'
        assert "content-type" not in response.headers
    request = gateway.client.build_request(
        "GET",
        PATH,
        params=ASKED,
        headers=[("If-None-Match", '"x"'), ("If-None-Match", f'"{content.sha256}"')],
    )
    assert gateway.client.send(request).status_code == 304
    assert retrieve(gateway, ASKED, If_None_Match='"x"').status_code == 200
    refused(retrieve(gateway, ASKED, If_Match='"x"'), 412, "another entity tag")
    assert retrieve(gateway, ASKED, If_Match=f'"{content.sha256}"').status_code == 200


# --- what is wrong ---


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        ({"user": ""}, 403, "wrong user or password"),
        ({"pass": ""}, 403, "wrong user or password"),
        ({"pass": PASSWORD}, 403, "wrong user or password"),
        ({"user": "nobody"}, 403, "wrong user or password"),
        ({"user": "other"}, 404, f"there is no MMS {EVENT}"),
        ({"pass": "wrong", "id": ""}, 403, "wrong user or password"),
        ({"id": ""}, 400, "id is missing"),
        ({"id": "x"}, 400, "id is not an id: 'x'"),
        ({"id": "-1"}, 400, "id is not an id"),
        ({"id": "१२"}, 400, "id is not an id"),
        ({"id": str(LARGEST_ID + 1)}, 400, "id is not an id"),
        ({"id": "9" * 5000}, 400, "id is not an id"),
        ({"id": str(LARGEST_ID)}, 404, f"there is no MMS {LARGEST_ID}"),
        ({"id": str(EVENT + 1)}, 404, f"there is no MMS {EVENT + 1}"),
        ({"id": str(SMS)}, 404, f"there is no MMS {SMS}"),
        ({"id": str(THEIRS)}, 404, f"there is no MMS {THEIRS}"),
        ({"id": str(UNROUTED)}, 404, f"there is no MMS {UNROUTED}"),
    ],
)
@pytest.mark.usefixtures("content")
def test_what_is_wrong_is_said_in_one_line(
    gateway: RunningGateway, parameters: dict[str, str], status: int, words: str
) -> None:
    refused(retrieve(gateway, ASKED | parameters), status, words)
    refused(gateway.client.post(PATH, data=ASKED | parameters), status, words)


def test_methods_and_bodies(gateway: RunningGateway) -> None:
    response = gateway.client.put(PATH, params=ASKED)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
    headers = {"Content-Type": "application/json"}
    refused(gateway.client.post(PATH, content=b"{}", headers=headers), 415, "urlencoded")
    refused(gateway.client.post(PATH, content=b"a=" + b"x" * MAX_BODY_BYTES), 413, f"{MAX_BODY_BYTES}")


@pytest.mark.usefixtures("content")
def test_the_list_of_addresses_is_one_of_senders(gateway: RunningGateway) -> None:
    account = gateway.directory.accounts["acme"]
    account = gateway.change_account(account, allowed_addresses=("192.0.2.0/24",))
    assert retrieve(gateway, ASKED).status_code == 200
    gateway.change_account(account, disabled=True)
    refused(retrieve(gateway, ASKED), 403, "disabled")


@pytest.mark.usefixtures("content")
def test_guesses_are_slowed(gateway: RunningGateway) -> None:
    for number in range(10):
        refused(retrieve(gateway, ASKED | {"pass": f"guess{number}"}), 403, "wrong user or password")
    response = retrieve(gateway, ASKED | {"pass": "guess10"})
    refused(response, 429, "try again in a minute")
    assert response.headers["retry-after"] == "60"
    gateway.time_s += 60
    assert retrieve(gateway, ASKED).status_code == 200


def test_a_content_whose_time_is_over_is_gone(gateway: RunningGateway, content: Content) -> None:
    with gateway.database.writing() as connection:
        connection.execute(t.contents.delete().where(t.contents.c.event == EVENT))
    refused(retrieve(gateway, ASKED), 410, "gone")
    refused(retrieve(gateway, ASKED, If_None_Match=f'"{content.sha256}"'), 410, "gone")
    assert retrieve(gateway, LOGIN | {"user": "other", "id": str(THEIRS)}).status_code == 200
    with gateway.database.writing() as connection:
        connection.execute(t.messages.delete().where(t.messages.c.id == EVENT))
    refused(retrieve(gateway, ASKED), 404, "no MMS")


def test_a_store_that_cannot_be_read_says_so(
    gateway: RunningGateway,
    content: Content,
    contents: WatchedBlobs,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "mms" / content.sha256[:2] / f"{content.sha256}.zip"
    away = path.rename(tmp_path / "away.zip")
    refused(retrieve(gateway, ASKED), 503, "cannot be read now")
    assert "content_missing" in "".join(capfd.readouterr())
    path.mkdir()  # opens, and cannot be read
    refused(retrieve(gateway, ASKED), 503, "cannot be read now")
    path.rmdir()
    away.rename(path)
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE contents RENAME TO elsewhere"))
    refused(retrieve(gateway, ASKED), 503, "cannot be read now")
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE elsewhere RENAME TO contents"))
    assert retrieve(gateway, ASKED).status_code == 200
    assert contents.are_open == 0


def test_nothing_of_a_request_is_logged(
    gateway: RunningGateway,
    content: Content,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "never-to-be-logged"
    for number in range(12):
        retrieve(gateway, ASKED | {"pass": f"{secret}-{number}"})
    gateway.time_s += 60
    assert retrieve(gateway, ASKED).status_code == 200
    (tmp_path / "mms" / content.sha256[:2] / f"{content.sha256}.zip").unlink()
    assert retrieve(gateway, ASKED).status_code == 503
    printed = "".join(capfd.readouterr())
    logged = "".join(record.getMessage() for record in caplog.records if "uvicorn" in record.name)
    assert "logins_slowed" in printed
    assert "content_missing" in printed
    for word in (secret, INBOUND_PASSWORD):
        assert word not in printed + logged


# --- many, slow, and gone ---

LARGE = 24 << 20


@pytest.fixture
def large(gateway: RunningGateway) -> Content:
    """A content that no buffer on the way has room for."""
    kept = mms_rows.keep(gateway.contents, [("film.mp4", "video/mp4", os.urandom(1 << 20) * (LARGE >> 20))])
    with gateway.database.writing() as connection:
        mms_rows.add_mms(connection, EVENT, kept)
    return kept


def request_of(event: int) -> bytes:
    query = f"user=acme&pass={INBOUND_PASSWORD}&id={event}"
    return f"GET {PATH}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def connect(port: int, trust: ssl.SSLContext | None = None) -> socket.socket:
    """A client that has asked for the content and has not read a thing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    if trust is not None:
        connection = trust.wrap_socket(connection, server_hostname="localhost")
    connection.sendall(request_of(EVENT))
    return connection


def read_all(connection: socket.socket) -> bytes:
    """The body, up to its end or to where the connection broke."""
    answer = bytearray()
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            answer += piece
    return bytes(answer).partition(b"\r\n\r\n")[2]


def buffered(gateway: RunningGateway) -> int:
    """Octets that wait in the gateway's own buffers, over all connections."""
    connections = gateway._server.server_state.connections
    return sum(each.transport.get_write_buffer_size() for each in connections)


def test_two_hundred_at_once_get_the_same(gateway: RunningGateway, contents: WatchedBlobs) -> None:
    kept = mms_rows.keep(gateway.contents, [("a.jpg", "image/jpeg", os.urandom(1 << 20))])
    with gateway.database.writing() as connection:
        mms_rows.add_mms(connection, EVENT, kept)
    assert retrieve(gateway, ASKED).status_code == 200  # what follows is about contents, not logins

    async def one() -> tuple[bytes, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request_of(EVENT))
        head = await reader.readuntil(b"\r\n\r\n")
        digest = hashlib.sha256()
        while octets := await reader.read(1 << 16):
            digest.update(octets)
        writer.close()
        return head.partition(b"\r\n")[0], digest.hexdigest()

    async def all_of_them() -> Any:
        return await asyncio.wait_for(asyncio.gather(*(one() for _ in range(200))), 60)

    assert set(asyncio.run(all_of_them())) == {(b"HTTP/1.1 200 OK", kept.sha256)}
    assert contents.wait_until(lambda: contents.are_open == 0)


def test_what_a_client_does_not_read_is_not_read_from_the_disk(
    gateway: RunningGateway, large: Content, contents: WatchedBlobs
) -> None:
    with connect(gateway.port) as slow, connect(gateway.port) as other:
        read = contents.wait_until_it_rests()
        assert 0 < read < large.size  # of both together
        assert 0 < buffered(gateway) <= 2 * PIECE + 65_536
        assert retrieve(gateway, ASKED, Range="bytes=0-9").status_code == 206  # nobody waits for it
        for connection in (slow, other):
            assert hashlib.sha256(read_all(connection)).hexdigest() == large.sha256
    assert contents.wait_until(lambda: contents.are_open == 0)


@pytest.mark.usefixtures("large")
def test_a_client_that_goes_away_closes_the_content(
    gateway: RunningGateway, contents: WatchedBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(gateway.port):
        assert contents.wait_until_it_rests() > 0
        assert contents.are_open == 1
    assert contents.wait_until(lambda: contents.are_open == 0)
    assert contents.octets < LARGE
    assert [record for record in caplog.records if "uvicorn" in record.name] == []


@pytest.mark.usefixtures("large")
def test_a_client_that_takes_nothing_is_left(
    gateway: RunningGateway,
    contents: WatchedBlobs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(content_answer, "PATIENCE_S", 0.3)
    with connect(gateway.port) as connection:
        assert contents.wait_until(lambda: contents.octets > 0)
        assert contents.wait_until(lambda: contents.are_open == 0)
        assert len(read_all(connection)) < LARGE
    assert [record for record in caplog.records if "uvicorn" in record.name] == []


def test_a_content_that_ends_too_soon_breaks_the_connection(
    gateway: RunningGateway,
    large: Content,
    contents: WatchedBlobs,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with connect(gateway.port) as connection:
        contents.wait_until_it_rests()
        os.truncate(tmp_path / "mms" / large.sha256[:2] / f"{large.sha256}.zip", LARGE // 2)
        assert len(read_all(connection)) < LARGE
        assert contents.wait_until(lambda: contents.are_open == 0)
    assert "content_not_read" in "".join(capfd.readouterr())


def test_over_tls_it_is_the_same_on_the_listener_of_a_node(
    gateway: RunningGateway, large: Content, contents: WatchedBlobs, tmp_path: Path
) -> None:
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    made, tls = authority.issue_cert("localhost"), (tmp_path / "node.crt", tmp_path / "node.key")
    made.cert_chain_pems[0].write_to_path(str(tls[0]))
    made.private_key_pem.write_to_path(str(tls[1]))
    listener = Listener(
        gateway.application, bind("127.0.0.1", 0), tls=tls, max_connections=10, idle_timeout_s=1
    )
    asyncio.run_coroutine_threadsafe(listener.start(), gateway._loop).result(30)
    try:
        for goes_away in (False, True):
            before = contents.octets
            with connect(listener.port, trust) as connection:
                read = contents.wait_until_it_rests() - before
                assert 0 < read < large.size
                if not goes_away:  # the idle time has no say in an answer
                    contents.wait_until_it_rests()
                    contents.wait_until_it_rests()
                    assert hashlib.sha256(read_all(connection)).hexdigest() == large.sha256
            assert contents.wait_until(lambda: contents.are_open == 0)
    finally:
        asyncio.run_coroutine_threadsafe(listener.stop(1.0), gateway._loop).result(30)
