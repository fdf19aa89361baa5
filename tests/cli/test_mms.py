"""``homing simulate mms``: what reaches a node over a real socket, and what its answer does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from homing.links.mms_phone import FAULTS
from homing.links.mms_samples import samples
from homing.wire.mime_reader import MimeProblem, MimeReader, PartBegin, PartData
from homing.wire.mm7 import FORMAT_CORRUPT, Frame, read_relay_request, write_response
from tests.cli.conftest import Homing, config_text
from tests.cli.shapes import as_documented

WRITE = ("simulate", "mms", "--from", "+447700900123", "--to", "60999")
Parts = list[tuple[str, bytes]]


class FarNode:
    """Takes MM7 where a node does, and answers as it is told; 1000 to what can be read."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Parts]] = []
        """Path, credentials, and parts with their types."""
        self.say: Callable[[Parts], tuple[int, bytes]] | None = None

    def answer(self, path: str, login: str, content_type: str, body: bytes) -> tuple[int, bytes]:
        reader = MimeReader({"content-type": content_type})
        parts: Parts = []
        try:
            for event in [*reader.receive_data(body), *reader.end()]:
                if isinstance(event, PartBegin):
                    parts.append((event.headers.content_type, b""))
                elif isinstance(event, PartData):
                    parts[-1] = (parts[-1][0], parts[-1][1] + event.octets)
        except MimeProblem as problem:
            return 200, write_response(None, Frame(), FORMAT_CORRUPT, str(problem))
        self.seen.append((path, login, parts))
        if self.say is not None:
            return self.say(parts)
        request = read_relay_request(parts[0][1])
        return 200, write_response(request.operation, request.frame)


@contextmanager
def listening(node: FarNode) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            login = self.headers.get("Authorization", "")
            status, octets = node.answer(self.path, login, self.headers["Content-Type"], body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def node(homing: Homing) -> Iterator[FarNode]:
    far = FarNode()
    with listening(far) as port:
        homing.config.write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n\n{config_text()}')
        yield far


def test_the_samples_reach_the_node(homing: Homing, node: FarNode) -> None:
    said = homing.json(*WRITE)
    assert as_documented("simulate mms", said)
    assert (said["status"], said["text"], said["details"], said["repeated"]) == (1000, "Success", "", None)
    ((path, login, parts),) = node.seen
    assert (path, login) == ("/mm7/mms", "")
    assert [each[0] for each in parts] == ["text/xml", "application/smil", *(each[1] for each in samples())]
    assert [octets for _, octets in parts[2:]] == [octets for _, _, octets in samples()]
    request = read_relay_request(parts[0][1])
    assert request.frame.transaction_id == said["transaction"]
    assert homing(*WRITE) == "1000 Success\n"
    assert homing.json(*WRITE)["transaction"] != said["transaction"]


def test_files_text_and_subject(homing: Homing, node: FarNode, tmp_path: Path) -> None:
    (tmp_path / "photo.JPG").write_bytes(b"\xff\xd8\xff")
    homing(*WRITE, "--to", "60998", "--subject", "Hé", "--text", "Grüße", "--no-smil", tmp_path / "photo.JPG")
    ((_, _, parts),) = node.seen
    assert parts[1:] == [("image/jpeg", b"\xff\xd8\xff"), ("text/plain", "Grüße".encode())]
    request: Any = read_relay_request(parts[0][1])
    assert (request.sender, request.subject) == ("+447700900123", "Hé")
    assert [each.address for each in request.to] == ["60999", "60998"]
    homing(*WRITE, "--single", tmp_path / "photo.JPG")
    assert [each[0] for each in node.seen[-1][2]] == ["text/xml", "image/jpeg"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_the_answer_and_does_not_fail(homing: Homing, node: FarNode, fault: str) -> None:
    homing.config.write_text(
        homing.config.read_text() + "[mms]\nmax_message_bytes = 2048\nmax_part_bytes = 2048\n"
    )
    said = homing.json(*WRITE, "--fault", fault)
    assert as_documented("simulate mms", {**said, "repeated": None})
    assert said["status"] == (FORMAT_CORRUPT if fault == "truncated" else 1000)
    assert len(node.seen) == {"truncated": 0, "repeated": 2}.get(fault, 1)
    if fault == "repeated":
        assert said["repeated"] == {"status": 1000, "text": "Success", "details": ""}
        assert node.seen[0] == node.seen[1]
        assert homing(*WRITE, "--fault", fault).splitlines() == ["1000 Success", "repeated: 1000 Success"]


@pytest.mark.parametrize(
    ("answer", "status", "text", "details", "line"),
    [
        ((200, write_response("DeliverReq", Frame(), 4006, "later")), 4006, "Service unavailable", "later",
         "4006 Service unavailable: later\n"),
        ((404, b"not found\n"), 404, "HTTP 404", "not found", "HTTP 404: not found\n"),
        ((401, b""), 401, "HTTP 401", "", "HTTP 401\n"),
        ((200, write_response("DeliverReq", Frame(), 1100)), 1100, "Partial success", "",
         "1100 Partial success\n"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_1000_fails(
    homing: Homing, node: FarNode, answer: Any, status: int, text: str, details: str, line: str
) -> None:
    node.say = lambda _parts: answer
    ran = homing.run(*WRITE, "--json")
    assert (ran.status, ran.err) == (1, "")
    assert f'"status": {status}' in ran.out
    assert f'"text": "{text}"' in ran.out
    assert f'"details": "{details}"' in ran.out
    plain = homing.run(*WRITE)
    assert (plain.status, plain.out) == (1, line)
    assert homing.run(*WRITE, "--fault", "group").status == 0


def test_the_link_says_who_logs_in_and_where(homing: Homing, node: FarNode) -> None:
    homing.config.write_text(
        homing.config.read_text() + '[[link]]\nname = "sim"\nkind = "simulator"\n'
        '[[link]]\nname = "o2"\nkind = "mm7"\naddresses = ["192.0.2.1"]\n'
        '[[link]]\nname = "ee"\nkind = "mm7"\nuser = "relay"\npassword = "s3cret"\n'
    )
    homing(*WRITE)
    homing(*WRITE, "--link", "ee")
    assert [(path, login) for path, login, _ in node.seen] == [
        ("/mm7/o2", ""), ("/mm7/ee", "Basic cmVsYXk6czNjcmV0"),
    ]  # fmt: skip
    assert homing.error(*WRITE, "--link", "sim") == "no link 'sim' of this configuration is of the kind mm7"


def test_a_url_goes_before_the_configuration(homing: Homing, node: FarNode) -> None:
    port = homing.config.read_text().split(":")[1].split('"')[0]
    homing.config.write_text('[http]\nlisten = ""\n')
    assert "[http] listen is not set" in homing.error(*WRITE)
    homing(*WRITE, "--url", f"http://localhost:{port}/elsewhere?x=1")
    assert node.seen[0][0] == "/elsewhere?x=1"


def test_what_cannot_be_done_is_said(homing: Homing, tmp_path: Path) -> None:
    homing.config.write_text('[http]\nlisten = "127.0.0.1:9"\n')
    assert homing.error(*WRITE) == "no node answers at http://127.0.0.1:9/mm7/mms: Connection refused"
    said = homing.error(*WRITE, tmp_path / "gone.jpg").replace("\n", "")
    assert said.endswith("gone.jpg cannot be read: No such file or directory")
    assert "there is no fault 'gremlins'" in homing.misuse(*WRITE, "--fault", "gremlins")
    assert "must begin with http://" in homing.misuse(*WRITE, "--url", "ftp://x/")
    homing.config.write_text("link = []\n")
    assert homing.error(*WRITE) == "no link of this configuration is of the kind mm7"
