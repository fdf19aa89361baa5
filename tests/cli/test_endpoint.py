"""``homing endpoint``: what is asked for is kept, and a test push goes over real sockets."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented
from tests.push.relay import relay
from tests.store import rows


class Customer(BaseHTTPRequestHandler):
    """Answers every request with ``status`` and ``body``."""

    status, body = 200, b"OK"
    seen: "list[tuple[str, dict[str, str], bytes]]"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.path, dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def customer() -> Iterator[tuple[str, type[Customer]]]:
    handler = type("AskedCustomer", (Customer,), {"seen": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/in", handler
        server.shutdown()
        thread.join()


def test_an_endpoint_has_the_defaults_of_its_format(acme: Homing) -> None:
    mx = acme.json("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/")
    json_ = acme.json("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/", "--format", "json")
    acme.json("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/", "--format", "mx-mms")
    assert as_documented("endpoint add", mx)
    assert mx["secret"] is None
    assert json_["secret"].startswith("whsec_")
    listed = acme.json("endpoint", "list", "acme")
    assert as_documented("endpoint list", listed)
    assert items(listed, "format", "parts", "method", "concurrency", "charset", "timezone") == [
        ("mx", "separate", "get", 16, "iso-8859-15", "Europe/London"),
        ("mx", "separate", "get", 16, "iso-8859-15", "Europe/London"),
        ("json", "joined", "post", 16, "iso-8859-15", "Europe/London"),
        ("mx-mms", "joined", "get", 16, "utf-8", "Europe/London"),
    ]
    assert items(listed, "events")[1:] == [
        (["report", "message"],), (["report", "message"],), (["message", "mms-report"],)
    ]  # fmt: skip


def test_every_option_is_kept_and_no_secret_is_shown(acme: Homing) -> None:
    made = acme.json(
        "endpoint", "add", "acme", "--url", "https://acme.example/in?a=b", "--events", "message, report",
        "--concurrency", 1, "--rate-per-s", 2.5, "--charset", "utf-8", "--timezone", "Europe/Dublin",
        "--parts", "joined", "--method", "post", "--user", "u", "--password", "hunter2",
        "--header", "X-A: s3cret:1", "--header", "X-B:", "--unknown-as", "FAILED",
    )  # fmt: skip
    shown = acme.json("endpoint", "show", made["id"])
    assert as_documented("endpoint show", shown)
    assert shown == {
        "id": 2, "account": "acme", "events": ["message", "report"], "format": "mx",
        "url": "https://acme.example/in?a=b", "email": None, "digest_min": None,
        "concurrency": 1, "rate_per_s": 2.5, "charset": "utf-8",
        "timezone": "Europe/Dublin", "parts": "joined", "method": "post", "date_form": "plain", "user": "u",
        "headers": ["X-A", "X-B"], "unknown_as": "FAILED", "paused": False, "disabled_reason": None,
        "created_at": shown["created_at"],
    }  # fmt: skip
    printed = acme("endpoint", "show", made["id"]) + acme("endpoint", "list")
    assert "hunter2" not in printed
    assert "s3cret" not in printed


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--url", "ftp://a.example/"), "url: "),
        (("--url", "http://169.254.169.254/"), "url: forbidden address 169.254.169.254"),
        (("--events", "mms"), "events: 'mms' is none of report, message, mms-report"),
        (("--events", ","), "events: name at least one"),
        (("--concurrency", "0"), "concurrency is from 1 to 1000"),
        (("--rate-per-s", "nan"), "rate-per-s is above 0"),
        (("--charset", "klingon"), "charset 'klingon' is not one"),
        (("--timezone", "Mars/Phobos"), "unknown time zone"),
        (("--header", "X-A: b\r\nX-B: c"), "the value of header X-A holds a character"),
        (("--header", "Host:x"), "header Host is set by Homing itself"),
        (("--secret", "whsec_AAAA"), "only json endpoints have a signing secret"),
        (("--format", "json", "--secret", "hunter2"), "a secret is whsec_ and the base64"),
        (("--format", "json", "--method", "get"), "method belongs to the mx, mx-mms and upside formats"),
        (("--events", "mms-report"), "events: mms-report cannot be said in the mx format"),
        (("--format", "mx-mms", "--events", "report"), "events: report cannot be said in the mx-mms format"),
        (("--method", "multipart"), "method multipart belongs to the mx-mms format"),
        (("--date", "zone"), "date belongs to the mx-mms format"),
        (("--user", "a:b"), "a user of basic credentials has no colon"),
        (("--unknown-as", "two words"), "unknown-as is one word"),
    ],
)
def test_what_cannot_be_pushed_to_is_refused(acme: Homing, arguments: tuple[str, ...], error: str) -> None:
    acme.config.write_text("[push]\nallow_private_networks = false\n")
    url = () if "--url" in arguments else ("--url", "https://acme.example/in")
    said = acme.error("endpoint", "add", "acme", *url, *arguments)
    assert said.startswith(error)
    assert "hunter2" not in said
    assert len(acme.json("endpoint", "list")["items"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "fax"), ("--method", "put"), ("--parts", "both"), ("--header", "hunter2"),
        ("--date", "iso"),
    ],
)  # fmt: skip
def test_wrong_words_are_wrong_use(acme: Homing, arguments: tuple[str, ...]) -> None:
    assert "hunter2" not in acme.misuse("endpoint", "add", "acme", "--url", "http://a.example", *arguments)


def test_an_unknown_account_or_endpoint_is_refused(acme: Homing) -> None:
    url = ("--url", "http://127.0.0.1:9/")
    assert acme.error("endpoint", "add", "nobody", *url) == "there is no account nobody"
    assert acme.error("endpoint", "list", "nobody") == "there is no account nobody"
    for word in ("show", "remove", "pause", "resume", "test", "rotate-secret"):
        assert acme.error("endpoint", word, 77) == "there is no endpoint 77"
        assert "Invalid value" in acme.misuse("endpoint", word, 2**31)


def test_an_endpoint_is_paused_resumed_and_removed(acme: Homing) -> None:
    assert acme.json("endpoint", "pause", 1)["paused"] is True
    assert "paused" in acme("endpoint", "list")
    assert acme.json("endpoint", "resume", 1)["paused"] is False
    database = acme.open()
    with database.writing() as connection:
        for event in (1, 2, 3):
            rows.add_message(connection, event)
            rows.add_delivery(connection, event, 1)
    database.close()
    removed = acme.json("endpoint", "remove", 1)
    assert as_documented("endpoint remove", removed)
    assert removed["ended"] == 3
    assert acme.json("endpoint", "list")["items"] == []
    assert "no endpoint yet" in acme("endpoint", "list")


def test_a_signing_secret_is_rotated(acme: Homing) -> None:
    made = acme.json("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/", "--format", "json")
    rotated = acme.json("endpoint", "rotate-secret", made["id"])
    assert as_documented("endpoint rotate-secret", rotated)
    assert rotated["secret"] != made["secret"]
    assert "only json endpoints" in acme.error("endpoint", "rotate-secret", 1)


def test_an_endpoint_for_mms_is_kept_and_tested(acme: Homing, customer: tuple[str, type[Customer]]) -> None:
    url, handler = customer
    made = acme.json(
        "endpoint", "add", "acme", "--url", url, "--format", "mx-mms", "--method", "multipart",
        "--date", "spaced-zone", "--events", "mms-report",
    )  # fmt: skip
    shown = acme.json("endpoint", "show", made["id"])
    assert as_documented("endpoint show", shown)
    assert (shown["method"], shown["date_form"], shown["events"]) == (
        "multipart", "spaced-zone", ["mms-report"],
    )  # fmt: skip
    assert acme.json("endpoint", "test", made["id"])["delivered"] is True
    ((path, _headers, _body),) = handler.seen
    said = parse_qs(urlsplit(path).query)
    assert (said["type"], said["status"]) == (["1"], ["3"])


@pytest.mark.parametrize("format_", ["mx", "json"])
def test_a_sample_is_pushed_and_its_answer_shown(
    acme: Homing, customer: tuple[str, type[Customer]], format_: str
) -> None:
    url, handler = customer
    id_ = acme.json("endpoint", "add", "acme", "--url", url, "--format", format_)["id"]
    tested = acme.json("endpoint", "test", id_)
    assert as_documented("endpoint test", tested)
    assert (tested["delivered"], tested["status"], tested["answer"]) == (True, 200, "OK")
    assert "delivered" in acme("endpoint", "test", id_)
    (path, headers, body), _ = handler.seen
    assert headers["Homing-Event-Id"] == tested["event_id"]
    if format_ == "mx":
        assert parse_qs(urlsplit(path).query)["note"] == ["homing-test"]
    else:
        assert b"homing-test" in body
        assert headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(("status", "body"), [(200, b""), (500, b"[/no]\x1b[31m")])
def test_an_answer_that_is_no_success_is_a_failure(
    acme: Homing, customer: tuple[str, type[Customer]], status: int, body: bytes
) -> None:
    url, handler = customer
    handler.status, handler.body = status, body
    id_ = acme.json("endpoint", "add", "acme", "--url", url)["id"]
    ran = acme.run("endpoint", "test", id_)
    assert ran.status == 1
    assert "not delivered" in ran.out
    assert "\x1b[31m" not in ran.out
    assert body.decode().replace("\x1b", "\\x1b") in ran.out
    assert acme.run("endpoint", "test", id_, "--json").status == 1


@pytest.mark.parametrize("more", [(), ("--digest-min", 60)])
def test_a_sample_goes_out_as_a_mail_at_once(acme: Homing, more: tuple[object, ...]) -> None:
    with relay() as (handler, port):
        with acme.config.open("a") as config:
            config.write(f'\n[smtp]\nhost = "localhost"\nport = {port}\n')
        id_ = acme.json("endpoint", "add", "acme", "--email", "ann@ox.test", *more)["id"]
        tested = acme.json("endpoint", "test", id_)
        assert as_documented("endpoint test", tested)
        assert (tested["delivered"], tested["status"]) == (True, 250)
        (mail,) = handler.parsed()
        assert mail["X-Homing-Note"] == "homing-test"
        assert mail["To"] == "ann@ox.test"


def test_an_endpoint_where_nobody_listens_fails_with_the_reason(acme: Homing) -> None:
    ran = acme.run("endpoint", "test", 1)
    assert ran.status == 1
    assert "refused" in ran.out


def test_an_endpoint_that_gets_mails(acme: Homing) -> None:
    mail = ("--email", "ann@ox.test")
    assert "set host in section [smtp]" in acme.error("endpoint", "add", "acme", *mail)
    with acme.config.open("a") as config:
        config.write('\n[smtp]\nhost = "localhost"\n')
    made = acme.json("endpoint", "add", "acme", *mail, "--digest-min", 30)
    assert as_documented("endpoint add", made)
    shown = acme.json("endpoint", "show", made["id"])
    assert (shown["format"], shown["email"], shown["digest_min"]) == ("email", "ann@ox.test", 30)
    assert "ann@ox.test" in acme("endpoint", "list")
    for more, said in (
        (("--url", "http://127.0.0.1:9/"), "not both"),
        (("--format", "json"), "email"),
        (("--digest-min", 0), "digest"),
        (("--digest-min", 30, "--rate-per-s", 5), "a digest has no rate"),
        (("--header", "X-A: b"), "belong to endpoints with a url"),
        (("--user", "ann"), "belong to endpoints with a url"),
    ):
        assert said in acme.error("endpoint", "add", "acme", *mail, *more)
    for address in ("ann", "ann@", "@ox.test", "ann@ox..test", "a b@ox.test", "ann@ox.test\nBcc: b@ox.test"):
        assert acme.error("endpoint", "add", "acme", "--email", address)
    for lone in (("--digest-min", 5), ("--format", "email")):
        assert acme.error("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/", *lone)
