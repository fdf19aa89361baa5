"""SendMMS as customers use it: over a socket, the content on a real disk, the submission in a real store."""

import contextlib
import io
import logging
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from homing.api.form_request import FORM
from homing.api.mms_send import FETCHES_OF_ACCOUNT, FORM_OVERHEAD, LONGEST_SUBJECT, UPLOADS_OF_ACCOUNT
from homing.engine.mms_zip_reader import OVERHEAD
from homing.model.clock import now_ms
from homing.model.message import Submission
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from homing.store.customers import add_credit, balance
from tests.api.running import (
    FETCH_S,
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PART_BYTES,
    PASSWORD,
    RunningGateway,
)
from tests.api.test_form import TEXT_PLAIN, refused

TO = "447700900001"
LOGIN = {"user": "acme", "pass": PASSWORD}
BASIC = {**LOGIN, "to": TO, "from": "447700900009"}
PICTURE = b"GIF89a" + bytes(range(256)) * 4000
FILES = {
    "manifest": b"# ours\nshow.smil=application/smil\npic.gif=image/gif\nwords.txt=text/plain\n",
    "words.txt": "Grüße".encode(),
    "pic.gif": PICTURE,
    "show.smil": b"<smil/>",
}
LARGEST_BODY = MAX_MESSAGE_BYTES + OVERHEAD + FORM_OVERHEAD


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zip_:
        for name, octets in files.items():
            zip_.writestr(name, octets)
    return made.getvalue()


ZIP = packed(FILES)


def upload(
    gateway: RunningGateway, parameters: dict[str, str] = BASIC, octets: bytes = ZIP, **more: Any
) -> httpx.Response:
    return gateway.client.post("/SendMMS", data=parameters, files={"mms.zip": ("mms.zip", octets)}, **more)


def without(*names: str, **changes: str) -> dict[str, str]:
    return {name: value for name, value in (BASIC | changes).items() if name not in names}


def directory(gateway: RunningGateway) -> Path:
    """Where the contents are."""
    assert isinstance(gateway.contents, LocalBlobs)
    return gateway.contents._directory


def incoming(gateway: RunningGateway) -> list[Path]:
    """What is on its way."""
    return list((directory(gateway) / "incoming").iterdir())


def contents(gateway: RunningGateway) -> list[Path]:
    return list(directory(gateway).glob("??/*"))


def nothing_was_taken(gateway: RunningGateway) -> None:
    assert gateway.submissions() == []
    assert contents(gateway) == []
    assert incoming(gateway) == []


def sent(gateway: RunningGateway, response: httpx.Response) -> Submission:
    """The one submission, as it was answered."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == TEXT_PLAIN
    assert response.text.isascii()
    assert response.text.isdigit()
    (stored,) = gateway.submissions()
    assert 0 < stored.id == int(response.text) < 1 << 63
    assert incoming(gateway) == []
    return stored


class Server:
    """A customer's server: what it answers by path, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {"/mms.zip": (200, ZIP)}
        self.asked: list[str] = []
        self.go = threading.Event()
        """``/slow`` waits for it."""
        self.waiting = threading.Semaphore(0)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                path = self.path.partition("?")[0]
                if path == "/slow":
                    server.waiting.release()
                    server.go.wait(30)
                status, body = server.answers.get(path, (404, b""))
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._http.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.go.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as running:
        yield running


# --- what is taken ---


@pytest.mark.parametrize("path", ["/SendMMS", "/mms/v1/send"])
def test_an_upload_is_answered_with_the_id_of_what_is_stored(gateway: RunningGateway, path: str) -> None:
    before = now_ms()
    response = gateway.client.post(path, data=BASIC, files={"mms.zip": ZIP})
    stored = sent(gateway, response)
    assert (stored.account, stored.sender, stored.recipient) == ("acme", "447700900009", TO)
    assert (stored.medium, len(stored.segments), stored.report_bits) == ("mms", 1, 0)
    assert (stored.note, stored.subaccount) == (None, None)
    mms = stored.mms
    assert mms is not None
    assert (mms.subject, mms.to, mms.cc) == ("", (TO,), ())
    assert 0 <= mms.expires_at_ms - before - 7 * 86_400_000 < 60_000
    reader = gateway.contents.open(mms.content.sha256)
    assert [(p.name, p.content_type, reader.read(p.offset, p.size)) for p in mms.content.parts] == [
        ("show.smil", "application/smil", b"<smil/>"),
        ("pic.gif", "image/gif", PICTURE),
        ("words.txt", "text/plain", FILES["words.txt"]),
    ]
    reader.close()
    (row,) = gateway.rows(t.contents)
    assert row.sha256 == mms.content.sha256


def test_a_content_behind_a_url_is_fetched(gateway: RunningGateway, server: Server) -> None:
    url = f"{server.url}/mms.zip?key=s3cret"
    stored = sent(gateway, gateway.client.get("/SendMMS", params=BASIC | {"url": url}))
    assert stored.mms is not None
    assert [part.name for part in stored.mms.content.parts] == ["show.smil", "pic.gif", "words.txt"]
    assert server.asked == ["/mms.zip?key=s3cret"]


@pytest.mark.parametrize("files", [None, {"mms.zip": ("", b"")}])
def test_a_url_may_come_in_a_form_of_either_kind(gateway: RunningGateway, server: Server, files: Any) -> None:
    parameters = BASIC | {"url": f"{server.url}/mms.zip"}
    sent(gateway, gateway.client.post("/SendMMS", data=parameters, files=files))


def test_a_url_takes_the_place_of_the_file_in_an_upload(gateway: RunningGateway, server: Server) -> None:
    fields = {name: (None, value) for name, value in (BASIC | {"url": f"{server.url}/mms.zip"}).items()}
    response = gateway.client.post("/SendMMS", files=fields)
    assert response.request.headers["content-type"].startswith("multipart/form-data")
    sent(gateway, response)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"deliveryreport": "true"}, {"report_bits": 7}),
        ({"readreport": "true"}, {"report_bits": 8}),
        ({"deliveryreport": "1", "readreport": "YES"}, {"report_bits": 15}),
        ({"deliveryreport": "false", "readreport": "0"}, {"report_bits": 0}),
        ({"deliveryreport": "", "readreport": "no"}, {"report_bits": 0}),
        ({"to": f"+{TO}", "from": "00447700900009"}, {"recipient": TO, "sender": "447700900009"}),
        ({"from": "60999"}, {"sender": "60999"}),
        ({"note": "n" * 200, "subaccount": "s" * 20}, {"note": "n" * 160, "subaccount": "s" * 10}),
        ({"note": "é\0\n"}, {"note": "é"}),
        ({"carrier": "x", "smsmsg": "hello", "response": "text"}, {}),
    ],
)
def test_what_options_mean(
    gateway: RunningGateway, parameters: dict[str, str], expected: dict[str, Any]
) -> None:
    stored = sent(gateway, upload(gateway, BASIC | parameters))
    assert {name: getattr(stored, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        (b"Gr%C3%BC%C3%9Fe+%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7", "Grüße 👩‍👧"),
        (b"Gr%FC%DFe%A4", "Grüße€"),
        (b"+x+", "x"),
        (b"x" * LONGEST_SUBJECT, "x" * LONGEST_SUBJECT),
    ],
)
def test_texts_are_utf_8_or_else_latin_9(
    gateway: RunningGateway, server: Server, written: bytes, subject: str
) -> None:
    query = (
        f"user=acme&pass={PASSWORD}&to={TO}&from=60999&url={server.url}/mms.zip&subject={written.decode()}"
    )
    stored = sent(gateway, gateway.client.get(f"/SendMMS?{query}"))
    assert stored.mms is not None
    assert stored.mms.subject == subject


def raw_form(*parts: tuple[str, bytes], boundary: str = "Ab--1") -> tuple[bytes, dict[str, str]]:
    """A form with its parts in this order, and its headers."""
    body = b""
    for name, octets in parts:
        more = '; filename="mms.zip"' if name == "mms.zip" else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        body += octets + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"content-type": f'multipart/form-data; boundary="{boundary}"'}


@pytest.mark.parametrize("query", [{}, LOGIN, {"user": "acme"}, BASIC])
def test_parameters_come_in_any_order_and_place(gateway: RunningGateway, query: dict[str, str]) -> None:
    fields = [(name, value.encode()) for name, value in BASIC.items() if name not in query]
    body, headers = raw_form(("mms.zip", ZIP), *fields, ("note", b"last"))
    stored = sent(gateway, gateway.client.post("/SendMMS", params=query, content=body, headers=headers))
    assert stored.note == "last"


def test_of_two_parameters_the_query_counts(gateway: RunningGateway) -> None:
    stored = sent(gateway, upload(gateway, BASIC | {"note": "form"}, params={"note": "query"}))
    assert stored.note == "query"


def test_two_that_are_the_same_are_two_submissions_of_one_content(gateway: RunningGateway) -> None:
    assert upload(gateway).text != upload(gateway).text
    assert len(gateway.submissions()) == 2
    assert len(contents(gateway)) == 1
    assert len(gateway.rows(t.contents)) == 2


def test_a_body_in_small_pieces_of_no_announced_length(gateway: RunningGateway) -> None:
    body, headers = raw_form(*((n, v.encode()) for n, v in BASIC.items()), ("mms.zip", ZIP))
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    sent(gateway, gateway.client.post("/SendMMS", content=pieces, headers=headers))


# --- what is refused ---


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        (without("user"), 403, "wrong user or password"),
        (without("to", **{"pass": "wrong"}), 403, "wrong user or password"),
        (without("to"), 400, "to is missing"),
        (without("from"), 400, "from is missing"),
        (without(to=f"{TO},447700900002"), 400, "to is not a number in international form"),
        (without(to="12"), 400, "recipient is not a number in international form"),
        (without(**{"from": "Homing"}), 400, "from is not a number in international form: 'Homing'"),
        (without(**{"from": "1" * 17}), 400, "originator has more than 16 digits"),
        (without(subject="x" * (LONGEST_SUBJECT + 1)), 400, "subject is longer than 200 characters"),
        (without(subject="a\r\nTo: b"), 400, "subject holds a control character"),
        (without(subject="a\u2028b"), 400, "subject holds a control character"),
        (without(subject="a\uffff"), 400, "subject holds a control character"),
        (without(url="http://x/"), 400, "send either url or mms.zip, not both"),
        (without(note="x" * 65_537), 400, "'note' is longer than 65536 octets"),
    ],
)
def test_what_is_wrong_with_an_upload_is_named(
    gateway: RunningGateway, parameters: dict[str, str], status: int, words: str
) -> None:
    refused(upload(gateway, parameters), status, words)
    nothing_was_taken(gateway)


@pytest.mark.parametrize(
    ("octets", "status", "words"),
    [
        (b"PK", 400, "the content is no zip"),
        (packed({"a.txt": b"x"}), 400, "no file that is called manifest"),
        (packed({"manifest": b"\xff\xfe=x/y"}), 400, "the manifest names"),
        (packed({"manifest": b"a=text/plain", "a": b"\xff"}), 400, "'a' is text/plain, but not UTF-8"),
        (packed({"manifest": b"a=a/b", "a": bytes(MAX_PART_BYTES + 1)}), 413, "'a' is longer than 2000000"),
        (
            packed({"manifest": b"a=a/b\nb=a/b", "a": bytes(MAX_PART_BYTES), "b": bytes(MAX_PART_BYTES)}),
            413,
            "longer than 3000000 octets together",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_zip_is_named(
    gateway: RunningGateway, server: Server, octets: bytes, status: int, words: str
) -> None:
    refused(upload(gateway, octets=octets), status, words)
    server.answers["/bad.zip"] = (200, octets)
    url = f"{server.url}/bad.zip"
    refused(gateway.client.get("/SendMMS", params=BASIC | {"url": url}), status, words)
    nothing_was_taken(gateway)


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("", 400, "url is missing, and there is no file mms.zip"),
        ("/gone", 400, "url: it answered 404"),
        ("/moved", 400, "url: it answered 302; redirects are not followed"),
        ("/empty", 400, "the content is no zip"),
        ("/large", 413, f"url: the answer is longer than {MAX_MESSAGE_BYTES + OVERHEAD} octets"),
        ("http://acme:pass@127.0.0.1/", 400, "url: user and password do not belong in the URL"),
        ("http://169.254.169.254/latest", 400, "url: forbidden address 169.254.169.254 (metadata service)"),
        ("gopher://x", 400, "url: the URL must begin with http"),
    ],
)
def test_what_is_wrong_with_a_url_is_named(
    gateway: RunningGateway, server: Server, url: str, status: int, words: str
) -> None:
    server.answers |= {
        "/moved": (302, b""),
        "/empty": (200, b""),
        "/large": (200, bytes(MAX_MESSAGE_BYTES + OVERHEAD + 1)),
    }
    full = server.url + url if url.startswith("/") else url
    refused(gateway.client.get("/SendMMS", params=BASIC | {"url": full}), status, words)
    refused(gateway.client.post("/SendMMS", data=BASIC | {"url": full}), status, words)
    nothing_was_taken(gateway)


def test_nothing_is_fetched_for_a_request_that_is_wrong_anyway(
    gateway: RunningGateway, server: Server
) -> None:
    url = f"{server.url}/mms.zip"
    for wrong in (
        without("to", url=url),
        without(url=url, **{"pass": "x"}),
        without(url=url, subject="\n.\n."),
    ):
        assert gateway.client.get("/SendMMS", params=wrong).status_code in (400, 403)
    assert server.asked == []


def test_a_server_that_does_not_answer_is_given_up(gateway: RunningGateway, server: Server) -> None:
    response = gateway.client.get("/SendMMS", params=BASIC | {"url": f"{server.url}/slow"})
    refused(response, 400, f"url: no whole answer within {FETCH_S:g} s")
    nothing_was_taken(gateway)


def test_so_many_urls_are_fetched_at_once_for_an_account(gateway: RunningGateway, server: Server) -> None:
    parameters = BASIC | {"url": f"{server.url}/slow"}
    server.answers["/slow"] = (200, ZIP)
    statuses: list[int] = []

    def customer() -> None:
        statuses.append(httpx.get(f"{gateway.url}/SendMMS", params=parameters, timeout=30).status_code)

    customers = [threading.Thread(target=customer) for _ in range(FETCHES_OF_ACCOUNT)]
    for each in customers:
        each.start()
    for _ in customers:
        assert server.waiting.acquire(timeout=10)
    response = gateway.client.get("/SendMMS", params=parameters)
    refused(response, 429, "more than 4 urls at once of your account")
    assert "retry-after" in response.headers
    gateway.add_account("other")
    other = gateway.client.get(
        "/SendMMS", params=parameters | {"user": "other", "url": f"{server.url}/mms.zip"}
    )
    assert other.status_code == 200
    server.go.set()
    for each in customers:
        each.join()
    assert statuses == [200] * FETCHES_OF_ACCOUNT


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_refused(gateway: RunningGateway, method: str) -> None:
    response = gateway.client.request(method, "/SendMMS", params=BASIC)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/zip"},
        {"content-type": "application/json"},
        {"content-type": FORM.decode(), "content-encoding": "gzip"},
        {"content-type": "multipart/form-data; boundary=x", "content-encoding": "gzip"},
    ],
)
def test_other_kinds_of_body_are_refused(gateway: RunningGateway, headers: dict[str, str]) -> None:
    response = gateway.client.post("/SendMMS", params=BASIC, content=ZIP, headers=headers)
    refused(response, 415, "send the parameters")
    if headers["content-type"].startswith("application/zip"):
        assert "multipart/form-data" in response.text


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", "multipart/form-data", "a multipart has no boundary"),
        (b"", "multipart/form-data; boundary=x", "the entity is cut short"),
        (
            b"--x\r\nContent-Disposition: form-data; name=to\r\n\r\n447",
            "multipart/form-data; boundary=x",
            "cut",
        ),
        (b"--X--\r\n", "multipart/form-data; boundary=x", "the entity is cut short"),
    ],
)
def test_forms_that_are_none(gateway: RunningGateway, body: bytes, kind: str, words: str) -> None:
    response = gateway.client.post("/SendMMS", params=LOGIN, content=body, headers={"content-type": kind})
    refused(response, 400, words)


def test_a_form_is_as_long_as_any_other(gateway: RunningGateway) -> None:
    refused(
        gateway.client.post("/SendMMS", data=BASIC | {"x": "x" * MAX_BODY_BYTES}), 413, "the body is longer"
    )


def test_what_announces_too_much_is_refused_before_it_comes(gateway: RunningGateway) -> None:
    head = (
        "POST /SendMMS HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {LARGEST_BODY + 1}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_who_sends_too_much_all_the_same_is_told(gateway: RunningGateway) -> None:
    refused(
        upload(gateway, octets=bytes(LARGEST_BODY)), 413, f"the body is longer than {LARGEST_BODY} octets"
    )
    body, headers = raw_form(("mms.zip", bytes(LARGEST_BODY)))
    pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    refused(gateway.client.post("/SendMMS", content=pieces, headers=headers), 413, "the body is longer than")
    nothing_was_taken(gateway)


class Sender:
    """A client that stops in the middle of its file."""

    def __init__(self, gateway: RunningGateway, *parts: tuple[str, bytes], query: str = "") -> None:
        body, headers = raw_form(*parts, ("mms.zip", bytes(1_000_000)))
        head = (
            f"POST /SendMMS?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {headers['content-type']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        self.connection.sendall(head.encode() + body[:600_000])

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def until(gateway: RunningGateway, count: int) -> None:
    """Until so many files are on their way."""
    for _ in range(500):
        if len(incoming(gateway)) == count:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{len(incoming(gateway))} on their way, not {count}")


def test_who_hangs_up_in_the_middle_leaves_nothing(gateway: RunningGateway) -> None:
    with Sender(gateway, *((name, value.encode()) for name, value in BASIC.items())):
        until(gateway, 1)
    until(gateway, 0)
    nothing_was_taken(gateway)


@pytest.mark.parametrize("place", ["query", "form"])
def test_a_wrong_login_before_the_file_is_refused_before_it_is_spooled(
    gateway: RunningGateway, place: str
) -> None:
    wrong = {"user": "acme", "pass": "wrong"}
    parts = [(name, value.encode()) for name, value in wrong.items()] if place == "form" else []
    query = "user=acme&pass=wrong" if place == "query" else ""
    with Sender(gateway, *parts, query=query) as sender:
        assert sender.connection.recv(1000).startswith(b"HTTP/1.1 403 ")
        nothing_was_taken(gateway)


def test_files_that_come_before_a_login_are_few(gateway: RunningGateway) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(UPLOADS_OF_ACCOUNT):
            stack.enter_context(Sender(gateway))
        until(gateway, UPLOADS_OF_ACCOUNT)
        large = packed({"manifest": b"a=a/b", "a": os.urandom(1_000_000)})
        body, headers = raw_form(("mms.zip", large), *((n, v.encode()) for n, v in BASIC.items()))
        response = gateway.client.post("/SendMMS", content=body, headers=headers)
        refused(
            response, 429, "more than 16 uploads at once before login: send user and pass before the file"
        )
        assert upload(gateway).status_code == 200  # user and pass come before
    until(gateway, 0)


def test_a_node_that_drains_takes_nothing(gateway: RunningGateway) -> None:
    gateway.health = replace(gateway.health, draining=True)
    response = upload(gateway)
    refused(response, 503, "about to stop")
    assert response.headers["connection"] == "close"
    nothing_was_taken(gateway)


def test_an_account_may_be_bound_to_addresses_or_disabled(gateway: RunningGateway) -> None:
    account = gateway.add_account("bound", allowed_addresses=("192.0.2.0/24",))
    refused(upload(gateway, BASIC | {"user": "bound"}), 403, "may not send from your address")
    gateway.change_account(account, allowed_addresses=(), disabled=True)
    refused(upload(gateway, BASIC | {"user": "bound"}), 403, "the account is disabled")
    nothing_was_taken(gateway)


def test_a_metered_account_pays_for_one_message(gateway: RunningGateway) -> None:
    gateway.add_account("metered", metered=True)
    parameters = BASIC | {"user": "metered"}
    refused(upload(gateway, parameters), 402, "not enough credit")
    assert gateway.submissions() == []
    with gateway.database.writing() as connection:
        add_credit(connection, "metered", 1, None, now_ms())
    assert upload(gateway, parameters).status_code == 200
    with gateway.database.reading() as connection:
        assert balance(connection, "metered") == 0
    refused(upload(gateway, parameters), 402, "not enough credit")
    assert len(gateway.submissions()) == 1
    assert incoming(gateway) == []


def test_a_content_that_cannot_be_kept_is_not_answered(gateway: RunningGateway, tmp_path: Path) -> None:
    kept = directory(gateway)
    (kept / "incoming").rename(tmp_path / "away")
    refused(upload(gateway), 503, "the message could not be stored, try again")
    (tmp_path / "away").rename(kept / "incoming")
    nothing_was_taken(gateway)
    assert upload(gateway).status_code == 200


def test_a_submission_that_cannot_be_stored_is_not_answered(gateway: RunningGateway) -> None:
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE submissions RENAME TO elsewhere"))
    refused(upload(gateway), 503, "the message could not be stored, try again")
    assert incoming(gateway) == []


def test_nothing_of_a_request_reaches_a_log(
    gateway: RunningGateway, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    upload(gateway)
    upload(gateway, octets=b"x")
    for path in ("/mms.zip", "/gone"):
        gateway.client.get("/SendMMS", params=BASIC | {"url": f"{server.url}{path}?key=hidden"})
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    said = " ".join(record.getMessage() for record in ours)
    assert PASSWORD not in said
    assert "hidden" not in said


# --- whatever comes ---

NAMES = st.sampled_from(["to", "from", "subject", "note", "url", "deliveryreport", "mms.zip", "user", "x"])
VALUES = st.binary(max_size=60) | st.sampled_from([b"447700900001", b"http://127.0.0.1:1/", b"\xff", ZIP])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(NAMES, VALUES), max_size=8), rest=st.binary(max_size=60))
def test_no_octets_of_a_request_are_our_fault(
    gateway: RunningGateway, parts: list[tuple[str, bytes]], rest: bytes
) -> None:
    body, headers = raw_form(*parts)
    for content in (body, body[: len(body) - 5] + rest, rest):
        response = gateway.client.post("/SendMMS", params=LOGIN, content=content, headers=headers)
        assert response.status_code in (200, 400, 413), response.text
    assert incoming(gateway) == []
