"""The MM7 link with a relay on a real socket: sending, limits, every kind of answer, trouble, draining."""

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from structlog.testing import capture_logs

from homing.engine.ports import Link, Outgoing
from homing.links.mm7_answers import CODES, CONTENT_GONE, STATUSES
from homing.links.mm7_client import SUSPECT_TRIES
from homing.links.mm7_options import Mm7Options
from homing.links.smpp import SmppLink
from homing.links.smpp_options import SmppOptions
from homing.push.streaming import GONE
from homing.wire.mm7 import Frame
from homing.wire.mm7_relay import read_submit, write_submit_response
from homing.wire.smpp_codes import CommandStatus
from tests.links.far_relay import QUICK, Stock, a_link, answer, far_side, ids, taken
from tests.links.smsc import Engine, until


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


def test_what_is_sent_is_answered_once_with_its_id(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            assert (link.is_bound, link.room(), link.medium) == (True, 10, "mms")
            assert engine.told == ["ready"]
            engine.queue = stock.batch(25)
            engine.pump(link)
            await until(lambda: len(engine.answers) == 25)
            assert sorted(ids([o for o, _, _ in engine.answers])) == list(range(1, 26))
            assert all(status == 0 for _, status, _ in engine.answers)
            assert len({message_id for *_, message_id in engine.answers}) == 25
            assert (engine.losses, link.in_flight) == ([], 0)
            assert relay.connections <= 10, "kept alive"
            head, body = relay.requests[0]
            assert head.startswith("POST /mm7 HTTP/1.1\r\n")
            assert "Authorization: Basic cmVsYXk6czNjcmV0\r\n" in head
            assert b"\r\n\r\ntext " in body
            assert link.status()["sent"] == 25

    run(main())


def test_the_octets_of_the_content_arrive_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            large = bytes(range(256)) * 12_000
            content = stock.keep(("a.jpg", "image/jpeg", large), ("x.smil", "application/smil", b"<smil/>"))
            engine.queue = [stock.outgoing(7, content, report_bits=8)]
            engine.pump(link)
            await until(lambda: engine.answers)
            body = relay.requests[0][1]
            assert large in body
            assert body.index(b"<smil/>") < body.index(large)
            envelope = body[body.index(b"<?xml") : body.index(b"</env:Envelope>") + 15]
            said = read_submit(envelope)
            assert (said.frame.transaction_id, said.vasp_id, said.wants_read_report) == ("7", "homing", True)

    run(main())


def test_the_window_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path, window=4) as (relay, link, engine, stock):
            relay.go_on.clear()
            engine.queue = stock.batch(9)
            engine.pump(link)
            await until(lambda: len(relay.requests) == 4)
            assert (link.room(), link.in_flight, len(engine.queue)) == (0, 4, 5)
            relay.go_on.set()
            await until(lambda: len(engine.answers) == 9)

    run(main())


def test_what_finds_no_room_is_told_as_lost(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path, window=1) as (_, link, engine, stock):
            link.submit(stock.batch(3))
            assert engine.losses == [], "told later"
            await until(lambda: engine.answers and len(engine.losses) == 2)
            assert ids(engine.losses) == [2, 3]

    run(main())


def test_the_throughput_is_kept_and_wakes_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path, throughput_per_s=40.0, window=100) as (_, link, engine, stock):
            engine.queue = stock.batch(14)
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            engine.pump(link)
            await until(lambda: len(engine.answers) == 14)
            assert loop.time() - began_s > 9 / 40, "a burst of a tenth of a second, then one in 25 ms"

    run(main())


def said(code: int) -> bytes:
    return answer(write_submit_response(Frame(), "", code, "because"))


FINAL = {
    2000: CommandStatus.ESME_RSUBMITFAIL,
    2001: CommandStatus.ESME_RSUBMITFAIL,
    2002: CommandStatus.ESME_RINVDSTADR,
    2003: CommandStatus.ESME_RINVDSTADR,
    2004: CommandStatus.ESME_RSUBMITFAIL,
    2007: CommandStatus.ESME_RSUBMITFAIL,
    3001: CommandStatus.ESME_RSUBMITFAIL,
    4002: CommandStatus.ESME_RSUBMITFAIL,
    4007: CommandStatus.ESME_RSUBMITFAIL,
    9999: CommandStatus.ESME_RSUBMITFAIL,
}
ANSWERS = {
    **{f"code {code}": (said(code), status) for code, status in FINAL.items()},
    **{f"code {code}": (said(code), CommandStatus.ESME_RTHROTTLED) for code in (3000, 4000, 4005, 4006)},
    **{
        f"HTTP {status}": (answer(b"<html/>", f"{status} No"), CommandStatus.ESME_RTHROTTLED)
        for status in (429, 502, 503, 504)
    },
    "HTTP 400": (answer(b"", "400 No"), CommandStatus.ESME_RSUBMITFAIL),
    "HTTP 413": (answer(b"", "413 No"), CommandStatus.ESME_RINVMSGLEN),
    "HTTP 415": (answer(b"", "415 No"), CommandStatus.ESME_RSUBMITFAIL),
    "a fault by HTTP 500": (
        answer(write_submit_response(Frame(), "", 2002, is_error=True), "500 Internal Server Error"),
        CommandStatus.ESME_RINVDSTADR,
    ),
    "partial success": (answer(write_submit_response(Frame(), "M7", 1100)), 0),
    "without an id": (answer(write_submit_response(Frame(), "")), 0),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_what_the_relay_says_of_a_message_is_told(tmp_path: Path, what: str) -> None:
    octets, status = ANSWERS[what]

    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            relay.say = lambda _number: octets
            engine.queue = [stock.outgoing()]
            engine.pump(link)
            await until(lambda: engine.answers)
            ((outgoing, told, message_id),) = engine.answers
            assert (outgoing.submission.id, told) == (1, status)
            assert message_id == ("M7" if what == "partial success" else "")
            assert (engine.losses, link.is_bound) == ([], True)
            assert link.counters.throttled == (status == CommandStatus.ESME_RTHROTTLED)
            if status and status != CommandStatus.ESME_RTHROTTLED:
                assert link.status()["last_error"]

    run(main())


def test_every_entry_of_the_tables_is_tested() -> None:
    assert {f"code {code}" for code, status in CODES.items() if status is not None} <= set(ANSWERS)
    assert {f"HTTP {status}" for status in STATUSES} <= set(ANSWERS)


TROUBLE = {
    "closed": (None, "closed before the answer"),
    "not HTTP": (b"MM7 READY\r\n\r\n", "the answer is not HTTP"),
    "not known": (answer(b"who?", "401 Unauthorized"), "HTTP 401"),
    "forbidden": (answer(b"", "403 No"), "HTTP 403"),
    "not there": (answer(b"", "404 No"), "HTTP 404"),
    "elsewhere": (answer(b"", "302 Found"), "HTTP 302"),
    "improper identification": (said(4001), "4001 Improper identification because"),
}


class Again(Engine):
    """Gives back what was lost."""

    def ready(self, link: Link) -> None:
        if self.losses and not self.queue and not self.answers:
            self.queue = [self.losses[-1]]
        super().ready(link)


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_of_the_link_is_rested_for_and_what_was_sent_is_lost(tmp_path: Path, what: str) -> None:
    octets, why = TROUBLE[what]

    async def main() -> None:
        async with far_side(tmp_path, engine=Again()) as (relay, link, engine, stock):
            relay.say = lambda number: octets if number <= 2 else taken(number)
            first = stock.outgoing()
            engine.queue = [first]
            engine.pump(link)
            await until(lambda: engine.losses)
            assert engine.told[-2:] == ["lost", "unbound"]
            assert (link.is_bound, link.room(), link.state) == (False, 0, "connecting")
            assert str(link.status()["last_error"]).startswith(why)
            await until(lambda: engine.answers)
            assert engine.losses == [first, first], "sent again after each rest"
            assert [(o, status) for o, status, _ in engine.answers] == [(first, 0)]
            assert (link.state, link.room(), link.reconnects, link.counters.lost) == ("bound", 10, 1, 2)

    run(main())


class Behind(Engine):
    """Gives back what was lost, in front or behind the others as the link says."""

    def lost(self, link: Link, segments: Sequence[Outgoing], *, last: bool = False) -> None:
        super().lost(link, segments, last=last)
        self.queue = [*self.queue, *segments] if last else [*segments, *self.queue]


@pytest.mark.parametrize("said", [answer(b"Traceback", "500 No"), answer(b"OK"), answer(b"x" * 70_000)])
def test_a_message_that_a_relay_cannot_answer_holds_up_no_other(tmp_path: Path, said: bytes) -> None:
    async def main() -> None:
        async with far_side(tmp_path, engine=Behind(), window=1) as (relay, link, engine, stock):
            relay.say = lambda number: said if b"text 1" in relay.requests[-1][1] else taken(number)
            engine.queue = [stock.outgoing(id_) for id_ in (1, 2, 3)]
            engine.pump(link)
            await until(lambda: len(engine.answers) == 3)
            assert ids([outgoing for outgoing, _, _ in engine.answers]) == [2, 3, 1]
            assert [status for _, status, _ in engine.answers] == [0, 0, CommandStatus.ESME_RSUBMITFAIL]
            assert ids(engine.losses) == [1] * (SUSPECT_TRIES - 1)
            assert "unbound" not in engine.told
            assert link.state == "bound"

    run(main())


def test_a_relay_that_answers_nothing_that_can_be_read_loses_no_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path, engine=Behind()) as (relay, link, engine, stock):
            relay.say = lambda number: answer(b"", "500 No") if number <= 12 else taken(number)
            engine.queue = stock.batch(2)
            engine.pump(link)
            await until(lambda: len(engine.answers) == 2)
            assert [status for _, status, _ in engine.answers] == [0, 0]
            assert link.counters.lost == 12

    run(main())


def test_after_trouble_one_submission_tries_the_relay_and_rests_grow(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            relay.say = lambda _number: None
            engine.queue = stock.batch(40)
            loop = asyncio.get_running_loop()
            engine.pump(link)
            await until(lambda: len(engine.losses) == 10)
            times = []
            for count in (11, 12, 13):
                began_s = loop.time()
                await until(lambda: len(engine.losses) == count)  # noqa: B023
                times.append(loop.time() - began_s)
                assert len(relay.requests) == count, "one at a time"
            assert times[2] > 0.15, "0.1 s, then 0.2 s, and no longer"
            relay.say = taken
            await until(lambda: len(engine.answers) == 40 - 13)
            assert link.status()["last_error"]
            assert link.reconnects == 1

    run(main())


def test_a_relay_that_does_not_answer_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path, response_timeout_s=0.3) as (relay, link, engine, stock):
            relay.go_on.clear()
            engine.queue = [stock.outgoing()]
            engine.pump(link)
            await until(lambda: engine.losses)
            assert link.status()["last_error"] == "timeout"

    run(main())


def test_a_relay_that_is_not_there_and_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            await relay.close()
            engine.queue = [stock.outgoing(1)]
            engine.pump(link)
            await until(lambda: engine.losses)
            assert link.status()["last_error"] == "connect refused"
            await relay.listen()
            engine.queue = [stock.outgoing(2)]
            await until(lambda: engine.answers)
            assert (link.state, link.reconnects) == ("bound", 1)

    run(main())


def test_a_content_that_is_gone_is_refused_and_is_no_trouble(tmp_path: Path) -> None:
    assert CONTENT_GONE == GONE

    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            gone = stock.outgoing()
            assert gone.submission.mms is not None
            assert stock.blobs.remove(gone.submission.mms.content.sha256, 1e12)
            engine.queue = [gone]
            engine.pump(link)
            await until(lambda: engine.answers)
            assert engine.answers == [(gone, CommandStatus.ESME_RSUBMITFAIL, "")]
            assert (relay.requests, link.is_bound, engine.losses) == ([], True, [])
            assert link.status()["last_error"] == "the content is gone"

    run(main())


def test_a_link_without_a_url_only_receives(tmp_path: Path) -> None:
    async def main() -> None:
        engine = Engine()
        link = a_link(Mm7Options(**QUICK), engine, Stock(tmp_path))
        assert link.status()["state"] == "down"
        link.start()
        status = link.status()
        assert (link.is_bound, link.room(), status["state"]) == (False, 0, "bound")
        assert (status["binds"], status["host"], status["port"], engine.told) == ([], "", 0, [])
        link.reload_tls()
        await link.stop(0)
        assert link.status()["state"] == "down"

    run(main())


def test_a_url_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        options = Mm7Options(**(QUICK | {"submit_url": "http://a b/"}))
        with pytest.raises(ValueError, match="blank"):
            a_link(options, Engine(), Stock(tmp_path))

    run(main())


def test_the_status_has_the_fields_of_an_smpp_link(tmp_path: Path) -> None:
    async def main() -> None:
        engine = Engine()
        smpp = SmppLink(
            SmppOptions(name="smsc", host="127.0.0.1", port=1), listener=engine,
            take_messages=engine.take_messages, take_receipts=engine.take_receipts,
        )  # fmt: skip
        async with far_side(tmp_path) as (relay, link, _, _stock):
            theirs, ours = smpp.status(), link.status()
            assert list(ours) == list(theirs)
            assert list(ours["binds"][0]) == list(theirs["binds"][0])
            assert (ours["kind"], ours["host"], ours["port"]) == ("mm7", "localhost", relay.port)
            assert (link.scope, link.prefixes, link.name) == ("mms@mm7", (), "mms")

    run(main())


def test_what_is_under_way_may_end_before_the_link_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            relay.go_on.clear()
            engine.queue = stock.batch(12)
            engine.pump(link)
            await until(lambda: len(relay.requests) == 10)
            stopping = asyncio.ensure_future(link.stop(5))
            await asyncio.sleep(0)
            assert link.room() == 0
            relay.go_on.set()
            await stopping
            assert (len(engine.answers), len(engine.queue), link.status()["state"]) == (10, 2, "down")

    run(main())


def test_what_does_not_end_in_time_is_left_to_the_next_life(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            relay.go_on.clear()
            engine.queue = [stock.outgoing()]
            engine.pump(link)
            await until(lambda: relay.requests)
            with capture_logs() as logs:
                await link.stop(0.05)
            assert [entry["event"] for entry in logs] == ["link_not_drained"]
            assert (engine.answers, engine.losses) == ([], [])

    run(main())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, host: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def test_tls_is_verified_by_the_authority_of_the_link(tmp_path: Path, authority: trustme.CA) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    ours = authority.issue_cert("link")
    (tmp_path / "link.pem").write_bytes(b"".join(pem.bytes() for pem in ours.cert_chain_pems))
    (tmp_path / "link.key").write_bytes(ours.private_key_pem.bytes())
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    files = {
        "tls_ca_file": tmp_path / "ca.pem", "tls_certificate": tmp_path / "link.pem",
        "tls_key": tmp_path / "link.key",
    }  # fmt: skip

    async def main() -> None:
        async with far_side(tmp_path, tls=context, **files) as (_, link, engine, stock):
            engine.queue = [stock.outgoing()]
            engine.pump(link)
            await until(lambda: engine.answers)
            link.reload_tls()
            (tmp_path / "ca.pem").write_text("no longer")
            with capture_logs() as logs:
                link.reload_tls()
            assert [entry["event"] for entry in logs] == ["tls_files_not_read"]

    run(main())


@pytest.mark.parametrize(("verify", "host"), [(True, "localhost"), (True, "elsewhere"), (False, "elsewhere")])
def test_a_certificate_that_does_not_verify_is_trouble(
    tmp_path: Path, authority: trustme.CA, verify: bool, host: str
) -> None:
    async def main() -> None:
        context = server_context(trustme.CA() if host == "localhost" else authority, host)
        (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
        changes = {"tls_verify": verify, "tls_ca_file": tmp_path / "ca.pem"}
        async with far_side(tmp_path, tls=context, **changes) as (_, link, engine, stock):
            engine.queue = [stock.outgoing()]
            engine.pump(link)
            await until(lambda: engine.losses or engine.answers)
            assert bool(engine.answers) == (not verify)
            assert str(link.status()["last_error"]).startswith("tls: " if verify else "None")

    run(main())


def test_the_password_is_nowhere(tmp_path: Path) -> None:
    async def main() -> None:
        async with far_side(tmp_path) as (relay, link, engine, stock):
            relay.say = lambda _number: answer(b"who?", "401 Unauthorized")
            engine.queue = [stock.outgoing()]
            with capture_logs() as logs:
                engine.pump(link)
                await until(lambda: engine.losses)
            shown = f"{logs} {link.status()} {link.options!r}"
            assert "relay_in_trouble" in shown
            assert "s3cret" not in shown
            assert "czNjcmV0" not in shown

    run(main())
