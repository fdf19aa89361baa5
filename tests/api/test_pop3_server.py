"""The POP3 server over real sockets and a real store: poplib, TLS, locks, delays, limits."""

import asyncio
import poplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from sqlalchemy import select

from homing.api.pop3_server import Pop3Server
from homing.model.clock import id_at, now_ms
from homing.store import tables as t
from homing.wire.mail_id import mail_id
from tests.api.running import PASSWORD, RunningGateway
from tests.store import rows

FIRST = id_at(now_ms() - 86_400_000)
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Far:
    """POP3 servers in the loop of a running gateway."""

    def __init__(self, gateway: RunningGateway, authority: trustme.CA) -> None:
        self.gateway = gateway
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.context)
        self.trusting = ssl.create_default_context()
        authority.configure_trust(self.trusting)
        self.servers: list[Pop3Server] = []

    def run(self, doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self.gateway._loop).result(30)

    def serve(self, *, is_tls: bool = False, **settings: Any) -> int:
        """Start a server; returns its port."""

        async def start() -> int:
            gateway = self.gateway.gateway
            server = Pop3Server(gateway.mailbox, gateway.logins, **{"tls_context": self.context} | settings)
            bound = socket.create_server(("127.0.0.1", 0))
            await server.start(bound, is_tls=is_tls)
            self.servers.append(server)
            return server.ports[0]

        port: int = self.run(start())
        return port

    def fill(self, count: int) -> list[int]:
        with self.gateway.database.writing() as connection:
            for number in range(count):
                rows.add_message(connection, FIRST + number, text=f"text {number}\n.dot")
        return [FIRST + number for number in range(count)]

    def marks(self) -> dict[int, tuple[bool, bool]]:
        with self.gateway.database.reading() as connection:
            found = connection.execute(select(t.mailbox_marks))
            return {row.event: (row.is_read, row.is_deleted) for row in found}

    def stop(self) -> None:
        for server in self.servers:
            self.run(server.stop(0.5))


@pytest.fixture
def far(gateway: RunningGateway, authority: trustme.CA) -> Iterator[Far]:
    made = Far(gateway, authority)
    yield made
    made.stop()


def log_in(port: int, name: str = "acme", password: str = PASSWORD) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", port, timeout=20)
    client.user(name)
    client.pass_(password)
    return client


def said(doing: Callable[[], Any]) -> str:
    with pytest.raises(poplib.error_proto) as refused:
        doing()
    return str(refused.value.args[0].decode())


def forgive(far: Far) -> None:
    far.gateway.time_s += 120


def test_a_mailbox_is_listed_retrieved_and_emptied(far: Far) -> None:
    ids = far.fill(450)  # more than one page
    client = log_in(far.serve())
    count, octets = client.stat()
    assert count == 450
    assert [line.decode() for line in client.uidl()[1]] == [
        f"{n} {mail_id(id_)}" for n, id_ in enumerate(ids, 1)
    ]
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert sum(sizes) == octets
    for number in range(1, 451):
        lines = client.retr(number)[1]
        assert lines[-2:] == [f"text {number - 1}".encode(), b".dot"]
        assert sum(len(line) + 2 for line in lines) == sizes[number - 1]
        if number % 3:
            client.dele(number)
    assert client.top(450, 1)[1][-1] == b"text 449"
    client.quit()
    assert far.marks() == {id_: (True, bool(n % 3)) for n, id_ in enumerate(ids, 1)}
    forgive(far)
    client = log_in(far.servers[0].ports[0])
    assert client.stat()[0] == 150
    client.quit()
    assert far.servers[0].retrieved == 451


def test_pipelined_commands_are_answered_in_order(far: Far) -> None:
    far.fill(3)
    with socket.create_connection(("127.0.0.1", far.serve()), timeout=20) as connection:
        connection.sendall(f"USER acme\r\nPASS {PASSWORD}\r\nRETR 1\r\nRETR 2\r\nDELE 3\r\nQUIT\r\n".encode())
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.index(b"text 0") < answer.index(b"text 1") < answer.index(b"message 3 deleted")
    assert answer.endswith(b"+OK good bye\r\n")
    assert far.marks() == {FIRST: (True, False), FIRST + 1: (True, False), FIRST + 2: (True, True)}


@pytest.mark.parametrize("way", ["stls", "tls"])
def test_over_tls(far: Far, way: str) -> None:
    far.fill(2)
    port = far.serve(is_tls=way == "tls", require_tls=True)
    client: poplib.POP3
    if way == "tls":
        client = poplib.POP3_SSL("localhost", port, context=far.trusting, timeout=20)
    else:
        client = poplib.POP3("localhost", port, timeout=20)
        assert "STLS" in said(lambda: client.user("acme"))
        assert "STLS" in client.capa()
        client.stls(far.trusting)
    assert "STLS" not in client.capa()
    client.user("acme")
    client.pass_(PASSWORD)
    assert client.retr(2)[1][-1] == b".dot"
    client.dele(1)
    client.quit()
    assert far.marks()[FIRST] == (True, True)


def test_what_is_sent_along_with_stls_is_not_heeded(far: Far) -> None:
    with socket.create_connection(("localhost", far.serve()), timeout=20) as connection:
        connection.recv(100)
        connection.sendall(f"STLS\r\nUSER acme\r\nPASS {PASSWORD}\r\n".encode())
        assert connection.recv(100) == b"+OK begin TLS\r\n"
        with far.trusting.wrap_socket(connection, server_hostname="localhost") as secured:
            secured.sendall(b"STAT\r\n")
            assert secured.recv(100) == b"-ERR not in this state\r\n"


def test_wrong_passwords_are_slowed_with_those_of_all_faces(far: Far) -> None:
    port = far.serve()
    for name in ("acme", "nobody"):
        assert said(lambda name=name: log_in(port, name, "wrong")) == "-ERR [AUTH] wrong user or password"
    far.gateway.change_account(far.gateway.directory.accounts["acme"], disabled=True)
    assert said(lambda: log_in(port)).startswith("-ERR [SYS/PERM]")
    for number in range(10):
        sent = {"user": "acme", "pass": f"guess {number}", "smsto": "447700900001", "smsmsg": "x"}
        far.gateway.client.get("/SMSSend", params=sent)
    assert said(lambda: log_in(port, password="guess")).startswith("-ERR [SYS/TEMP] too many wrong logins")


def test_one_session_at_a_time_and_not_too_often(far: Far) -> None:
    far.gateway.add_account("other")
    far.fill(1)
    port = far.serve()
    first = log_in(port)
    assert said(lambda: log_in(port)).startswith("-ERR [IN-USE]")
    log_in(port, "other").quit()
    first.quit()
    assert said(lambda: log_in(port)).startswith("-ERR [LOGIN-DELAY] log in again in 1")
    assert "LOGIN-DELAY" in poplib.POP3("127.0.0.1", port).capa()
    forgive(far)
    log_in(port).quit()


def test_the_delay_is_shared_with_the_other_faces(far: Far) -> None:
    port = far.serve()
    key = {"Authorization": "Bearer key-of-acme"}
    assert far.gateway.client.get("/v1/mailbox", headers=key).status_code == 200
    assert said(lambda: log_in(port)).startswith("-ERR [LOGIN-DELAY]")


def test_a_lost_connection_deletes_nothing_and_frees_the_mailbox(far: Far) -> None:
    far.fill(2)
    port = far.serve()
    client = log_in(port)
    client.retr(1)
    client.dele(1)
    client.sock.close()
    client.file.close()
    wait_for(lambda: not far.servers[0].sessions)
    assert far.marks() == {}
    forgive(far)
    client = log_in(port)
    assert client.stat()[0] == 2
    client.quit()


def wait_for(condition: Callable[[], bool]) -> None:
    """Until something is so that nobody tells."""
    event = threading.Event()
    for _ in range(500):
        if condition():
            return
        event.wait(0.01)
    raise AssertionError("it never came about")


def test_more_than_one_session_lists_is_emptied_without_waiting(far: Far) -> None:
    far.fill(1500)
    port = far.serve()
    for expected in (1000, 500):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            deleting = "".join(f"DELE {number}\r\n" for number in range(1, expected + 1))
            connection.sendall(f"USER acme\r\nPASS {PASSWORD}\r\n{deleting}QUIT\r\n".encode())
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        assert answer.count(b" deleted\r\n") == expected
    assert said(lambda: log_in(port)).startswith("-ERR [LOGIN-DELAY]")
    forgive(far)
    assert log_in(port).stat() == (0, 0)


def test_mails_that_another_face_deletes_meanwhile(far: Far) -> None:
    ids = far.fill(300)
    client = log_in(far.serve())
    far.run(far.gateway.gateway.mailbox.mark("acme", deleted=ids[250:260]))
    assert said(lambda: client.retr(251)).startswith("-ERR [SYS/TEMP]")
    assert client.retr(270)[1][-2] == b"text 269"
    client.quit()


def test_a_store_in_trouble(far: Far) -> None:
    far.fill(1)
    client = log_in(far.serve())
    client.dele(1)
    with far.gateway.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE mailbox_marks RENAME TO gone")
    assert said(client.quit) == "-ERR [SYS/TEMP] nothing was deleted, try again"
    forgive(far)
    assert said(lambda: log_in(far.servers[0].ports[0])).startswith("-ERR [SYS/TEMP]")
    with far.gateway.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO mailbox_marks")
    client = log_in(far.servers[0].ports[0])
    assert client.stat()[0] == 1
    client.quit()


def test_connections_have_limits(far: Far) -> None:
    for setting in ("max_connections", "max_per_address"):
        port = far.serve(**{setting: 2})
        held = [poplib.POP3("127.0.0.1", port) for _ in range(2)]
        assert said(lambda port=port: poplib.POP3("127.0.0.1", port)).startswith("-ERR [SYS/TEMP] too many")
        for client in held:
            client.quit()
        wait_for(lambda: not far.servers[-1].sessions)
        poplib.POP3("127.0.0.1", port).quit()


def test_who_says_nothing_is_not_waited_for(far: Far) -> None:
    with socket.create_connection(("127.0.0.1", far.serve(idle_timeout_s=0.2)), timeout=20) as connection:
        assert connection.recv(100).startswith(b"+OK")
        assert connection.recv(100) == b""


def test_a_server_that_stops_ends_its_sessions(far: Far) -> None:
    far.fill(1)
    client = log_in(far.serve())
    client.dele(1)
    far.run(far.servers[0].stop(5))
    assert said(client.noop).startswith("-ERR [SYS/TEMP] the server is about to stop")
    assert far.marks() == {}
    assert not far.servers[0].is_listening
