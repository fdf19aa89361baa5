"""SMSSend and bulksend as customers use them: over a socket, into a real store."""

import logging
import socket
import threading
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from homing.api.form import LONGEST_VALIDITY_S
from homing.engine.credentials import hash_password
from homing.engine.submit import IDEMPOTENCY_MS
from homing.model.clock import now_ms
from homing.model.message import Coding
from homing.store import tables as t
from homing.store.customers import add_credit, balance
from tests.api.running import MAX_BODY_BYTES, MAX_BULK, PASSWORD, RunningGateway

TEXT_PLAIN = "text/plain;charset=US-ASCII"
TO = "447700900001"
LOGIN = {"user": "acme", "pass": PASSWORD}
BASIC = {**LOGIN, "smsto": TO, "smsfrom": "60999", "smsmsg": "hello"}
BULK = "/sms/v1/bulksend"


def without(*names: str, **changes: str) -> dict[str, str]:
    """A request that would be accepted, with some of its parameters gone or changed."""
    return {name: value for name, value in (BASIC | changes).items() if name not in names}


def send(gateway: RunningGateway, parameters: dict[str, str] | str, method: str = "GET") -> httpx.Response:
    if isinstance(parameters, str):
        return gateway.client.get(f"/SMSSend?{parameters}")  # as written: httpx would write it anew
    if method == "GET":
        return gateway.client.get("/SMSSend", params=parameters)
    return gateway.client.post("/SMSSend", data=parameters)


def refused(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == TEXT_PLAIN
    assert words in response.text
    assert len(response.text.splitlines()) == 1
    assert PASSWORD not in response.text


@pytest.mark.parametrize("path", ["/SMSSend", "/sms/v1/send"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_answer_is_the_bare_id_of_what_is_stored(gateway: RunningGateway, path: str, method: str) -> None:
    if method == "GET":
        response = gateway.client.get(path, params=BASIC)
    else:
        response = gateway.client.post(path, data=BASIC)
    assert response.status_code == 200
    assert response.headers["content-type"] == TEXT_PLAIN
    assert response.text.isascii()
    assert response.text.isdigit()
    (stored,) = gateway.submissions()
    assert 0 < stored.id == int(response.text) < 1 << 63
    assert (stored.account, stored.sender, stored.recipient) == ("acme", "60999", TO)
    assert [segment.text for segment in stored.segments] == ["hello"]
    assert (stored.report_bits, stored.validity_s, stored.flash) == (0, None, False)
    assert (stored.note, stored.subaccount, stored.single_shot) == (None, None, False)


def test_parameters_of_the_query_count_beside_those_of_the_body(gateway: RunningGateway) -> None:
    query = {"user": "acme", "smsmsg": "from the query", "note": ""}
    body = {"pass": PASSWORD, "smsto": TO, "smsmsg": "from the body", "note": "kept"}
    assert gateway.client.post("/SMSSend", params=query, data=body).status_code == 200
    (stored,) = gateway.submissions()
    assert (stored.segments[0].text, stored.note) == ("from the query", "kept")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"report": "7"}, {"report_bits": 7}),
        ({"report": "2"}, {"report_bits": 2}),
        ({"report": "0"}, {"report_bits": 0}),
        ({"report": "15"}, {"report_bits": 7}),
        ({"report": "True"}, {"report_bits": 7}),
        ({"report": "-1"}, {"report_bits": 7}),
        ({"report": "9" * 5000}, {"report_bits": 7}),
        ({"vp": "3600"}, {"validity_s": 3600}),
        ({"vp": "0"}, {"validity_s": None}),
        ({"vp": "99999999999"}, {"validity_s": LONGEST_VALIDITY_S}),
        ({"flash": "1"}, {"flash": True}),
        ({"flash": "0"}, {"flash": False}),
        ({"billingsingleshot": "true"}, {"single_shot": True}),
        ({"mxbillingsingleshot": "1"}, {"single_shot": True}),
        ({"mxbillingsingleshot": "false"}, {"single_shot": False}),
        ({"note": "n" * 200, "subaccount": "s" * 20}, {"note": "n" * 160, "subaccount": "s" * 10}),
        ({"note": "a\0b\nc"}, {"note": "abc"}),
        ({"smsto": "+447700900001"}, {"recipient": TO}),
        ({"smsto": "00447700900001"}, {"recipient": TO}),
        ({"smsfrom": ""}, {"sender": ""}),
        ({"smsfrom": "Homing"}, {"sender": "Homing"}),
        ({"carrier": "", "response": "text", "split": "0", "vcard_data": ""}, {}),
    ],
)
def test_what_options_mean(
    gateway: RunningGateway, parameters: dict[str, str], expected: dict[str, Any]
) -> None:
    response = send(gateway, BASIC | parameters)
    assert response.status_code == 200, response.text
    (stored,) = gateway.submissions()
    assert {name: getattr(stored, name) for name in expected} == expected


def test_a_number_with_a_bare_plus_is_what_it_looks_like(gateway: RunningGateway) -> None:
    assert send(gateway, f"user=acme&pass={PASSWORD}&smsto=+{TO}&smsmsg=x").status_code == 200
    assert gateway.submissions()[0].recipient == TO


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        (without("user"), 403, "wrong user or password"),
        (without("pass"), 403, "wrong user or password"),
        (without(**{"pass": "wrong"}), 403, "wrong user or password"),
        (without(user="nobody"), 403, "wrong user or password"),
        (without("smsto", **{"pass": "wrong"}), 403, "wrong user or password"),
        (without("smsto"), 400, "smsto is missing"),
        (without(smsto="Bob"), 400, "not a number"),
        (without(smsto="12"), 400, "not a number"),
        (without(smsto=f"{TO},447700900002"), 400, "not a number"),
        (without(smsto=TO + "²"), 400, "not a number"),
        (without(smsto="\r\n\x1b[2J<b>"), 400, "not a number"),
        (without(smsfrom="A sender too long"), 400, "originator"),
        (without(smsfrom="1" * 17), 400, "originator"),
        (without("smsmsg"), 400, "no content"),
        (without(smsmsg=""), 400, "no content"),
        (without(smsia5="hello"), 400, "more than one content: smsmsg, smsia5"),
        (without("smsmsg", vcard_data="BEGIN:VCARD"), 400, "vcard_data is not supported"),
        (without(vp="soon"), 400, "vp is not a number: 'soon'"),
        (without(split="4"), 400, "split must be 0, 1, 2 or 3"),
        (without(split="no"), 400, "split is not a number"),
        (without("smsmsg", smsucs2="0417043"), 400, "smsucs2 is not hex"),
        (without(smsmsg="x" * 161, split="0"), 413, "161 septets, the limit with split=0 is 160"),
        (without(smsmsg="x" * 613), 413, "limit with split=2 is 612"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_wrong_is_said_in_one_line(
    gateway: RunningGateway, method: str, parameters: dict[str, str], status: int, words: str
) -> None:
    refused(send(gateway, parameters, method), status, words)
    assert gateway.submissions() == []


def test_long_texts_are_joined_by_headers_that_differ(gateway: RunningGateway) -> None:
    for _ in range(2):
        assert send(gateway, without(smsmsg="x" * 161)).status_code == 200
    first, second = gateway.submissions()
    assert len(first.segments) == len(second.segments) == 2
    assert first.segments[0].udh[:3] == b"\x05\x00\x03"
    assert first.segments[0].udh[3] == first.segments[1].udh[3] != second.segments[0].udh[3]


def test_octets_that_were_never_escaped_are_taken_as_they_are(gateway: RunningGateway) -> None:
    head = f"GET /SMSSend?user=acme&pass={PASSWORD}&smsto={TO}&smsmsg=".encode()
    tail = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b" 200 OK" in gateway.talk(head + b"caf\xe9" + tail)
    assert b" 200 OK" in gateway.talk(head + "café".encode() + tail)
    body = f"user=acme&pass={PASSWORD}&smsto={TO}&smsmsg=100%+caf".encode() + b"\xe9%A4%zz"
    assert gateway.client.post("/SMSSend", content=body).status_code == 200
    texts = [submission.segments[0].text for submission in gateway.submissions()]
    assert texts == ["café", "cafÃ©", "100% café€%zz"]


def test_a_request_line_may_come_in_pieces_and_requests_one_after_the_other(gateway: RunningGateway) -> None:
    request = f"GET /SMSSend?user=acme&pass={PASSWORD}&smsto={TO}&smsmsg=".encode() + b"\xe9 HTTP/1.1\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reading = connection.makefile("rb")
        for _ in range(2):
            for octet in request + b"Host: x\r\n\r\n":
                connection.sendall(bytes((octet,)))
            head = iter(reading.readline, b"\r\n")
            fields = [line.strip().lower() for line in head]
            assert fields[0] == b"http/1.1 200 ok"
            reading.read(next(int(field[16:]) for field in fields if field.startswith(b"content-length:")))
    assert [submission.segments[0].text for submission in gateway.submissions()] == ["é", "é"]


def test_a_password_may_be_written_in_either_charset(gateway: RunningGateway) -> None:
    gateway.change_account(gateway.directory.accounts["acme"], password_hash=hash_password("naïve €"))
    for charset in ("utf-8", "iso8859-15"):
        password = quote_from_bytes("naïve €".encode(charset))
        assert send(gateway, f"user=acme&pass={password}&smsto={TO}&smsmsg=x").status_code == 200


def test_methods_and_paths(gateway: RunningGateway) -> None:
    for method, path, allow in (
        ("PUT", "/SMSSend", "GET, POST"),
        ("HEAD", "/sms/v1/send", "GET, POST"),
        ("GET", BULK, "POST"),
        ("POST", "/healthz", "GET, HEAD"),
    ):
        response = gateway.client.request(method, path, params=BASIC)
        assert (response.status_code, response.headers["allow"]) == (405, allow)
    for path in ("/", "/smssend", "/SMSSend/", "/SMSSend/x", "/sms/v1"):
        refused(gateway.client.get(path, params=BASIC), 404, "not found")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, "application/x-www-form-urlencoded"),
        ({"Content-Type": "application/json"}, "application/x-www-form-urlencoded"),
        ({"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}, "encoding"),
    ],
)
def test_bodies_of_another_kind_are_refused(
    gateway: RunningGateway, headers: dict[str, str], words: str
) -> None:
    refused(gateway.client.post("/SMSSend", params=BASIC, content=b"x", headers=headers), 415, words)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded; charset=UTF-8", None])
def test_a_form_is_read_with_or_without_its_name(gateway: RunningGateway, kind: str | None) -> None:
    body = "&".join(f"{name}={value}" for name, value in BASIC.items()).encode() + b"\r\n"
    headers = {"Content-Type": kind} if kind else {}
    assert gateway.client.post("/SMSSend", content=body, headers=headers).status_code == 200
    assert gateway.submissions()[0].segments[0].text == "hello"


def test_a_body_has_a_limit_announced_or_not(gateway: RunningGateway) -> None:
    long = b"smsmsg=" + b"x" * MAX_BODY_BYTES
    refused(gateway.client.post("/SMSSend", content=long), 413, f"{MAX_BODY_BYTES} octets")
    refused(gateway.client.post("/SMSSend", content=iter([long])), 413, f"{MAX_BODY_BYTES} octets")
    # Nothing of the announced body has come, and the answer is there.
    head = b"POST /SMSSend HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    for length in (MAX_BODY_BYTES + 1, 10**17):
        assert gateway.talk(head % length).startswith(b"HTTP/1.1 413 ")
    fits = "&".join(f"{name}={value}" for name, value in BASIC.items()).encode()
    fits += b"&x=" + b"y" * (MAX_BODY_BYTES - len(fits) - 3)
    assert gateway.client.post("/SMSSend", content=fits).status_code == 200


def test_too_many_parameters_are_refused(gateway: RunningGateway) -> None:
    refused(gateway.client.post("/SMSSend", content=b"a=1&" * 1001), 400, "more than 1000 parameters")


def test_a_client_that_leaves_in_the_middle_harms_nobody(gateway: RunningGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(b"POST /SMSSend HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nuser=ac")
    assert send(gateway, BASIC).status_code == 200


def test_accounts_may_be_disabled_or_bound_to_addresses(gateway: RunningGateway) -> None:
    account = gateway.directory.accounts["acme"]
    elsewhere = gateway.change_account(account, allowed_addresses=("192.0.2.0/24", "2001:db8::/32"))
    refused(send(gateway, BASIC), 403, "may not send from your address")
    refused(gateway.client.post(BULK, data=BASIC), 403, "may not send from your address")
    here = gateway.change_account(elsewhere, allowed_addresses=("192.0.2.0/24", "127.0.0.0/8"))
    assert send(gateway, BASIC).status_code == 200
    gateway.change_account(here, disabled=True)
    refused(send(gateway, BASIC), 403, "disabled")
    assert len(gateway.submissions()) == 1


def test_guesses_are_slowed(gateway: RunningGateway) -> None:
    for number in range(10):
        refused(send(gateway, BASIC | {"pass": f"guess{number}"}), 403, "wrong user or password")
    response = send(gateway, BASIC | {"pass": "guess10"})
    refused(response, 429, "try again in a minute")
    assert response.headers["retry-after"] == "60"
    gateway.time_s += 60
    assert send(gateway, BASIC).status_code == 200


def test_credit_is_charged_per_segment(gateway: RunningGateway) -> None:
    gateway.change_account(gateway.directory.accounts["acme"], metered=True)
    with gateway.database.writing() as connection:
        add_credit(connection, "acme", 3, None, 0)
    assert send(gateway, without(smsmsg="x" * 161)).status_code == 200
    refused(send(gateway, without(smsmsg="x" * 161)), 402, "not enough credit")
    refused(gateway.client.post(BULK, data=without(smsto=f"{TO}\n{TO}")), 402, "not enough credit")
    assert send(gateway, BASIC).status_code == 200
    with gateway.database.reading() as connection:
        assert balance(connection, "acme") == 0
    assert len(gateway.submissions()) == 2


def test_what_cannot_be_stored_is_refused_until_it_can_be(gateway: RunningGateway) -> None:
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE submissions RENAME TO elsewhere"))
    refused(send(gateway, BASIC), 503, "could not be stored")
    refused(gateway.client.post(BULK, data=BASIC), 503, "could not be stored")
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE elsewhere RENAME TO submissions"))
    assert send(gateway, BASIC).status_code == 200
    assert len(gateway.submissions()) == 1


def test_a_node_that_ends_takes_nothing_and_lets_connections_go(gateway: RunningGateway) -> None:
    gateway.health = type(gateway.health)(store_trouble=None, listening=True, draining=True, links=[])
    for response in (send(gateway, BASIC), gateway.client.post(BULK, data=BASIC)):
        refused(response, 503, "about to stop")
        assert response.headers["connection"] == "close"
    assert gateway.submissions() == []


def test_nothing_of_a_request_is_logged(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "uvicorn.access")
    secret = "never-to-be-logged"
    for number in range(12):
        send(gateway, BASIC | {"pass": f"{secret}-{number}", "note": secret})
    with gateway.database.writing() as connection:
        connection.execute(sql("ALTER TABLE submissions RENAME TO elsewhere"))
    gateway.time_s += 60
    assert send(gateway, BASIC | {"note": secret}).status_code == 503
    gateway.talk(f"GET /SMSSend?pass={secret} HTTP/9.x\r\n\r\n".encode())
    printed = "".join(capfd.readouterr())
    logged = "".join(record.getMessage() for record in caplog.records if "uvicorn" in record.name)
    assert "logins_slowed" in printed
    assert "Invalid HTTP request" in logged
    for word in (secret, PASSWORD, "smsmsg"):
        assert word not in printed + logged


def test_many_at_once_share_commits_and_lose_nothing(gateway: RunningGateway) -> None:
    ids: list[str] = []

    def customer() -> None:
        with httpx.Client(base_url=gateway.url) as client:
            ids.extend(client.get("/SMSSend", params=BASIC).text for _ in range(25))

    customers = [threading.Thread(target=customer) for _ in range(4)]
    for each in customers:
        each.start()
    for each in customers:
        each.join()
    assert sorted(map(int, ids)) == [submission.id for submission in gateway.submissions()]
    assert len(ids) == 100


# --- broadcast ---


def bulk(gateway: RunningGateway, recipients: str, **parameters: str) -> list[str]:
    response = gateway.client.post(BULK, data=without(smsto=recipients, **parameters))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == TEXT_PLAIN
    return response.text.split("\n")


def test_a_broadcast_answers_line_by_line_and_is_one_write(gateway: RunningGateway) -> None:
    written = gateway.journal.written
    lines = bulk(gateway, f"{TO}\r\nBob\n\n+447700900002\r447700900003\n\r\n", report="7", note="n")
    assert [line.partition(" ")[0] == "0" for line in lines] == [False, True, True, False, False]
    assert "'Bob'" in lines[1]
    stored = gateway.submissions()
    assert [str(submission.id) for submission in stored] == [lines[0], lines[3], lines[4]]
    assert [submission.recipient for submission in stored] == [TO, "447700900002", "447700900003"]
    assert {(s.segments[0].text, s.report_bits, s.note) for s in stored} == {("hello", 7, "n")}
    assert gateway.journal.written == written + 1


def test_a_broadcast_may_have_one_recipient_or_the_most(gateway: RunningGateway) -> None:
    assert len(bulk(gateway, TO)) == 1
    numbers = [f"4477009{number:05}" for number in range(MAX_BULK)]
    assert len(bulk(gateway, "\n".join(numbers))) == MAX_BULK
    assert [submission.recipient for submission in gateway.submissions()[1:]] == numbers
    numbers.append(TO)
    response = gateway.client.post(BULK, data=without(smsto="\n".join(numbers)))
    refused(response, 400, f"{MAX_BULK + 1} recipients, at most {MAX_BULK}")


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        (without("smsto"), 400, "smsto is missing"),
        (without(smsto="\r\n \n"), 400, "smsto is missing"),
        (without("smsmsg"), 400, "no content"),
        (without(submitid="s" * 129), 400, "submitid is longer"),
        (without(**{"pass": "wrong"}), 403, "wrong user or password"),
        (without(smsmsg="x" * 613), 413, "612"),
    ],
)
def test_a_broadcast_that_is_wrong_as_a_whole(
    gateway: RunningGateway, parameters: dict[str, str], status: int, words: str
) -> None:
    refused(gateway.client.post(BULK, data=parameters), status, words)
    assert gateway.submissions() == []


def test_a_broadcast_of_none_but_wrong_numbers_sends_nothing(gateway: RunningGateway) -> None:
    assert [line[:2] for line in bulk(gateway, "Bob\nEve", submitid="s1")] == ["0 ", "0 "]
    assert gateway.submissions() == []


def test_the_same_submitid_counts_once_whatever_else_differs(gateway: RunningGateway) -> None:
    first = bulk(gateway, f"{TO}\nBob", submitid="monday")
    assert bulk(gateway, f"{TO}\nBob", submitid="monday") == first
    assert bulk(gateway, "447700900009", submitid="monday", smsmsg="other") == first
    assert bulk(gateway, "Bob", submitid="monday", smsmsg="", split="9") == first
    refused(gateway.client.post(BULK, data=without("smsmsg", submitid="friday")), 400, "no content")
    assert len(gateway.submissions()) == 1
    assert len(gateway.rows(t.idempotency)) == 1
    assert bulk(gateway, TO, submitid="tuesday") != first
    assert bulk(gateway, TO) != bulk(gateway, TO)
    gateway.add_account("other")
    assert bulk(gateway, TO, submitid="monday", user="other") != first
    assert len(gateway.submissions()) == 5


def test_a_submitid_ends_24_h_after_its_last_use(gateway: RunningGateway) -> None:
    first = bulk(gateway, TO, submitid="monday")

    def expires_in(ms: int) -> None:
        with gateway.database.writing() as connection:
            connection.execute(t.idempotency.update().values(expires_at_ms=now_ms() + ms))

    expires_in(60_000)
    assert bulk(gateway, TO, submitid="monday") == first
    (row,) = gateway.rows(t.idempotency)
    assert row.expires_at_ms > now_ms() + IDEMPOTENCY_MS - 60_000  # the use began the 24 h anew
    expires_in(-1)
    assert bulk(gateway, TO, submitid="monday") != first
    assert len(gateway.submissions()) == 2


# --- whatever comes ---

NAMES = st.sampled_from(
    [
        "smsmsg", "smsia5", "smsucs2", "smsudh", "smsto", "smsfrom", "report", "vp", "split", "flash", "note",
        "bits", "submitid", "carrier",
    ]
)  # fmt: skip
VALUES = st.binary(max_size=40) | st.sampled_from(
    [b"447700900001", b"0605040B8423F0", b"7", b"8", b"D83D", b"00E9DC00", b"%", b"%4", b"+"]
)
FORMS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=FORMS, rest=st.binary(max_size=60))
def test_no_octets_of_a_request_are_our_fault(
    gateway: RunningGateway, form: list[tuple[str, bytes]], rest: bytes
) -> None:
    said = b"&".join(name.encode() + b"=" + value for name, value in form)
    body = f"user=acme&pass={PASSWORD}&".encode() + said + rest
    expected = {200, 400, 413}
    for path in ("/SMSSend", BULK):
        assert gateway.client.post(path, content=body).status_code in expected
    query = b"".join(b"%%%02X" % o if o <= 0x20 or o in b"#\x7f" else bytes((o,)) for o in body)
    head = b"GET /SMSSend?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert int(gateway.talk(head)[9:12]) in expected
    for submission in gateway.submissions():
        for segment in submission.segments:
            if segment.coding is Coding.DATA:
                assert len(segment.udh) + len(segment.data) <= 140
    with gateway.database.writing() as connection:
        connection.execute(t.submissions.delete())
