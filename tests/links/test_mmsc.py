"""The MM7 link against the simulated MMSC, over real sockets: fates, reports, checks, limits."""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from structlog.testing import capture_logs

from homing.links import mmsc as module
from homing.links.mm7_client import Mm7Link
from homing.links.mm7_options import Mm7Options
from homing.links.mm7_post import post
from homing.links.mms_samples import JPEG, samples, smil
from homing.links.mmsc import Mmsc, Vasp, reports_of
from homing.links.mmsc_fates import MMS_FATES, RETRIEVED, mms_fate_of
from homing.links.simulator_fates import FATES
from homing.model.mms import delivery_outcome, read_outcome
from homing.model.report import Status
from homing.wire.mime_reader import MimeReader, PartBegin, PartData
from homing.wire.mm7 import (
    ADDRESS_ERROR,
    CONTENT_REFUSED,
    FORMAT_CORRUPT,
    UNSUPPORTED_OPERATION,
    UNSUPPORTED_VERSION,
    DeliverReq,
    Frame,
    Recipient,
    ReportReq,
    Request,
    Submit,
    read_relay_request,
    read_submit_answer,
    write_response,
    write_submit,
)
from homing.wire.mm7_relay import SubmitReq, write_deliver
from homing.wire.smpp_codes import CommandStatus
from tests.docs.pages import bare, page, tables
from tests.links.far_relay import QUICK, Relay, Stock, a_link, answer
from tests.links.smsc import Engine, until


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


class FarNode(Relay):
    """The node's own side: it takes what the MMSC brings, and answers 1000."""

    def __init__(self) -> None:
        super().__init__()
        self.say = lambda number: answer(write_response(self.said(number).operation, Frame()))

    def said(self, number: int) -> Request:
        """What the request with this number says."""
        _head, body = self.requests[number - 1]
        return read_relay_request(body[body.index(b"<?xml") : body.index(b"</env:Envelope>") + 15], "")

    @property
    def words(self) -> list[str]:
        found = [self.said(number) for number in range(1, len(self.requests) + 1)]
        return [each.word if isinstance(each, ReportReq) else "(a message)" for each in found]


Side = tuple[Mmsc, Mm7Link, Engine, Stock, FarNode]


@asynccontextmanager
async def simulated(path: Path, **changes: Any) -> AsyncIterator[Side]:
    """An MMSC, a link that submits to it, and what it reports to."""
    node = FarNode()
    await node.listen()
    values: dict[str, Any] = {"latency_ms": 1, "report_delay_ms": 20, "keeps_records": True} | changes
    vasp = Vasp(
        name="mms", user="relay", password="s3cret", report_url=f"http://127.0.0.1:{node.port}/mm7/mms"
    )
    mmsc = Mmsc([vasp, Vasp(name="open")], **values)
    port = await mmsc.start()
    engine, stock = Engine(), Stock(path)
    link = a_link(Mm7Options(**(QUICK | {"submit_url": f"http://127.0.0.1:{port}/mms"})), engine, stock)
    link.start()
    try:
        yield mmsc, link, engine, stock, node
    finally:
        await link.stop(0)
        await mmsc.stop()
        await node.close()


async def send(side: Side, number: str, bits: int = 15, **more: Any) -> tuple[int, str]:
    """Send one MMS until it has an answer that is final; its status and id."""
    _, link, engine, stock, _ = side

    def told_more_than(count: int) -> bool:
        return len(engine.answers) + len(engine.losses) > count

    outgoing = stock.outgoing(len(engine.answers) + 1, recipient=number, report_bits=bits, **more)
    while True:
        seen = len(engine.answers) + len(engine.losses)
        was_answered = len(engine.answers)
        engine.queue = [outgoing]
        engine.pump(link)
        await until(partial(told_more_than, seen))
        if len(engine.answers) > was_answered and engine.answers[-1][1] != CommandStatus.ESME_RTHROTTLED:
            return engine.answers[-1][1:]


def test_what_is_sent_is_taken_with_all_its_parts_and_reported_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(tmp_path) as side:
            mmsc, _, _, stock, node = side
            named = [(name, media_type) for name, media_type, _ in samples()]
            content = stock.keep(*samples(), ("show.smil", "application/smil", smil(named)))
            assert content.parts[0].name == "picture.jpg"
            status, message_id = await send(
                side, "447700900123", mms=stock.outgoing(1, content).submission.mms
            )
            assert status == 0
            assert re.fullmatch(r"M\d+", message_id)
            (submitted,) = mmsc.submissions
            assert [(part.location, bytes(part.octets)) for part in submitted.parts] == [
                ("show.smil", smil(named)),
                *((name, octets) for name, _, octets in samples()),
            ]
            assert submitted.request.recipients == (Recipient("+447700900123"),)
            await until(lambda: mmsc.acknowledged == 2)
            assert node.words == ["Retrieved", "Read"]
            delivery, read = node.said(1), node.said(2)
            assert isinstance(delivery, ReportReq)
            assert isinstance(read, ReportReq)
            assert (delivery.is_read_report, read.is_read_report) == (False, True)
            assert {delivery.message_id, read.message_id} == {message_id}
            assert (delivery.recipient, delivery.sender) == ("+447700900123", "60999")
            assert re.match(r"\d{4}-\d\d-\d\dT", delivery.timestamp)
            head, _ = node.requests[0]
            assert head.startswith("POST /mm7/mms HTTP/1.1\r\n")
            assert "Authorization: Basic cmVsYXk6czNjcmV0\r\n" in head
            assert (mmsc.taken, mmsc.sent_again, mmsc.waiting) == (1, 0, 0)

    run(main())


STEPS = {"904": ["Deferred", "Retrieved", "Read"], "911": [], "944": ["Read", "Retrieved"],
         "918": ["Retrieved", "Retrieved", "Read"], "919": ["Retrieved", "Deferred", "Read"],
         "943": ["Retrieved", "Deleted without being read"], "950": ["Retrieved", "Read", "(a message)"],
         "942": ["Unreachable", "Retrieved", "Read"]}  # fmt: skip
REFUSED = {"908": CommandStatus.ESME_RINVDSTADR, "940": CommandStatus.ESME_RSUBMITFAIL}


@pytest.mark.parametrize("digits", ["123", *MMS_FATES])
def test_every_fate(tmp_path: Path, digits: str) -> None:
    fate = mms_fate_of(f"447700900{digits}")

    async def main() -> None:
        async with simulated(tmp_path) as side:
            mmsc, link, engine, _, node = side
            status, message_id = await send(side, f"447700900{digits}")
            if fate.refused is not None:
                assert (status != 0, message_id, mmsc.taken) == (True, "", 0)
                expected = (
                    CommandStatus.ESME_RINVDSTADR if digits == "908" else CommandStatus.ESME_RSUBMITFAIL
                )
                assert status == expected
                return
            assert status == 0
            assert message_id
            expected_words = [*fate.words, *(["Read"] if "Retrieved" in fate.words else [])]
            words = STEPS.get(digits, expected_words)
            await until(lambda: mmsc.acknowledged == len(words) and not mmsc.waiting)
            assert node.words == words
            assert link.counters.throttled == len(fate.put_off)
            assert len(engine.losses) == fate.is_unreadable
            assert link.reconnects == fate.is_unreadable

    run(main())


def test_an_early_report_comes_before_the_answer_and_a_slow_one_late(tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(tmp_path, report_delay_ms=30) as side:
            _, _, engine, _, node = side
            told: list[str] = []
            node_say, node.say = node.say, lambda number: told.append("report") or node_say(number)
            answered = engine.answered
            engine.answered = lambda *said: told.append("answer") or answered(*said)  # type: ignore[method-assign]
            await send(side, "447700900913", bits=0)
            await until(lambda: len(told) == 2)
            assert told == ["report", "answer"]
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            await send(side, "447700900912", bits=0)
            await until(lambda: len(told) == 4)
            assert told[2:] == ["answer", "report"]
            assert loop.time() - began_s >= 0.3

    run(main())


def test_the_reply_of_a_phone_is_a_whole_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(tmp_path) as side:
            node = side[-1]
            await send(side, "447700900950", bits=0)
            await until(lambda: len(node.requests) == 2)
            head, body = node.requests[1]
            message = node.said(2)
            assert isinstance(message, DeliverReq)
            assert (message.sender, message.to, message.subject) == (
                "+447700900950", (Recipient("60999"),), "Re: Hello",
            )  # fmt: skip
            content_type = re.search(r"Content-Type: (.+)\r\n", head)
            assert content_type is not None
            reader = MimeReader({"content-type": content_type[1]})
            events = [*reader.receive_data(body), *reader.end()]
            types = [each.headers.content_type for each in events if isinstance(each, PartBegin)]
            assert types == ["text/xml", "application/smil", "image/jpeg", "text/plain"]
            assert JPEG in [each.octets for each in events if isinstance(each, PartData)]

    run(main())


@pytest.mark.parametrize(("bits", "words"), [(0, ["Retrieved"]), (8, ["Retrieved", "Read"])])
def test_a_read_report_comes_when_it_was_asked_for(tmp_path: Path, bits: int, words: list[str]) -> None:
    async def main() -> None:
        async with simulated(tmp_path) as side:
            mmsc, *_, node = side
            await send(side, "447700900123", bits=bits)
            await until(lambda: mmsc.acknowledged == len(words) and not mmsc.waiting)
            assert node.words == words

    run(main())


def test_reports_that_are_not_taken_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS_S", (0.0, 0.01, 0.01, 0.01))
    refusals = [answer(b"", "404 No"), None, answer(write_response("ReadReplyReq", Frame(), 4006))]

    async def main() -> None:
        async with simulated(tmp_path) as side:
            mmsc, *_, node = side
            node_say, node.say = (
                node.say,
                lambda number: refusals[number - 1] if number <= 3 else node_say(number),
            )
            await send(side, "447700900123", bits=0)
            await until(lambda: mmsc.acknowledged)
            assert (len(node.requests), mmsc.sent_again) == (4, 3)
            node.say = lambda _number: refusals[0]
            with capture_logs() as logs:
                await send(side, "447700900123")
                await until(lambda: not mmsc.waiting)
            assert len(node.requests) == 8, "after the last attempt nothing more is brought"
            (entry,) = (each for each in logs if each["event"] == "simulated_report_not_taken")
            assert entry["why"] == "404 HTTP 404"
            assert "s3cret" not in str(logs)

    run(main())


def test_nobody_to_report_to(tmp_path: Path) -> None:
    async def main() -> None:
        mmsc = Mmsc([Vasp(name="mms")], latency_ms=0, report_delay_ms=0)
        port = await mmsc.start()
        engine, stock = Engine(), Stock(tmp_path)
        link = a_link(Mm7Options(**(QUICK | {"submit_url": f"http://127.0.0.1:{port}/mms"})), engine, stock)
        link.start()
        engine.queue = [stock.outgoing()]
        engine.pump(link)
        await until(lambda: engine.answers and not mmsc.waiting)
        assert (engine.answers[0][1], mmsc.acknowledged, mmsc.submissions) == (0, 0, [])
        await link.stop(0)
        await mmsc.stop()

    run(main())


def test_ids_go_on_over_restarts(tmp_path: Path) -> None:
    async def main() -> None:
        found = []
        for _ in range(2):
            async with simulated(tmp_path) as side:
                found += [await send(side, "447700900123"), await send(side, "447700900123")]
        assert len({message_id for _, message_id in found}) == 4

    run(main())


# --- what it refuses ---


def envelope(**values: Any) -> bytes:
    made: dict[str, Any] = {
        "transaction_id": "T", "sender": "60999", "recipient": "447700900123", "content_id": "c@d",
    }  # fmt: skip
    return write_submit(Submit(**(made | values)))


def body(*parts: tuple[str, bytes], of: bytes | None = None, content: str = "multipart/mixed") -> bytes:
    inner = b"".join(b"--i\r\n%b\r\n\r\n%b\r\n" % (head.encode(), octets) for head, octets in parts)
    return (
        b"--o\r\nContent-Type: text/xml\r\n\r\n%b\r\n--o\r\nContent-Type: %b; boundary=i\r\n"
        b"Content-ID: <c@d>\r\n\r\n%b--i--\r\n--o--\r\n"
    ) % (envelope() if of is None else of, content.encode(), inner)


TEXT = ("Content-Type: text/plain\r\nContent-Location: w.txt", b"Hello")


def presentation(text: str) -> tuple[str, bytes]:
    return ("Content-Type: application/smil", text.encode())


WRONG: dict[str, tuple[bytes, int, str]] = {
    "no MIME": (b"hello", FORMAT_CORRUPT, "cut short"),
    "no XML": (body(TEXT, of=b"hello"), FORMAT_CORRUPT, "not well-formed"),
    "another request": (
        body(TEXT, of=write_deliver(DeliverReq(frame=Frame(), sender="1", to=(Recipient("2"),)))),
        UNSUPPORTED_OPERATION, "DeliverReq",
    ),
    "version 4": (body(TEXT, of=envelope(version="4.0.0")), UNSUPPORTED_VERSION, "4.0.0"),
    "nobody": (body(TEXT, of=envelope(recipient="")), ADDRESS_ERROR, "no recipient"),
    "a mail address": (body(TEXT, of=envelope(recipient="ann@ox.test")), ADDRESS_ERROR, "ann@ox.test"),
    "no such content": (body(TEXT, of=envelope(content_id="x@y")), CONTENT_REFUSED, "cid:x@y"),
    "no content": (body(TEXT, of=envelope(content_id="")), CONTENT_REFUSED, "names no part"),
    "an empty content": (body(), CONTENT_REFUSED, "names no part"),
    "a picture that is missing": (
        body(presentation('<smil><img src="cid:a.gif"/></smil>'), TEXT), CONTENT_REFUSED, "a.gif",
    ),
    "a presentation that is none": (body(presentation("<smil>"), TEXT), FORMAT_CORRUPT, "presentation"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_submission_is_said(tmp_path: Path, what: str) -> None:
    octets, code, details = WRONG[what]

    async def main() -> None:
        async with simulated(tmp_path) as (mmsc, link, *_):
            url = link.options.submit_url.replace("/mms", "/open")
            said = await asyncio.to_thread(post, url, "multipart/related; boundary=o", octets)
            assert (said.status, details in said.details) == (code, True), said
            assert mmsc.taken == 0

    run(main())


@pytest.mark.parametrize(
    "text",
    [
        '<smil><text src="w.txt"/></smil>',
        '<smil><text src="cid:w.txt"/><img src="http://elsewhere.test/a.gif"/><img/></smil>',
        '<s:smil xmlns:s="urn:x"><s:text src="cid:w%2Etxt"/></s:smil>',
    ],
)
def test_names_and_cids_of_a_presentation_are_found(tmp_path: Path, text: str) -> None:
    async def main() -> None:
        async with simulated(tmp_path) as (mmsc, link, *_):
            url = link.options.submit_url.replace("/mms", "/open")
            octets = body(presentation(text), TEXT, content="multipart/related")
            assert (await asyncio.to_thread(post, url, "multipart/related; boundary=o", octets)).is_taken
            assert len(mmsc.submissions[0].parts) == 2

    run(main())


def test_the_faces_of_http(tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(tmp_path, limit_bytes=2_000) as (mmsc, link, *_):
            url = link.options.submit_url
            async with httpx.AsyncClient(timeout=10) as client:
                assert (await client.post(url, content=b"x")).status_code == 401
                assert (await client.post(url, content=b"x", auth=("relay", "wrong"))).status_code == 401
                known = await client.post(url, content=b"x", auth=("relay", "s3cret"))
                assert read_submit_answer(known.content).code == FORMAT_CORRUPT
                assert (await client.get(url)).status_code == 404
                assert (await client.post(url + "x", content=b"x")).status_code == 404
                long = body(("Content-Type: image/gif", bytes(4_000)))
                head = {"Content-Type": "multipart/related; boundary=o"}
                assert (await client.post(f"{url[:-3]}open", content=long, headers=head)).status_code == 413
            assert mmsc.taken == 0

    run(main())


def test_what_is_under_way_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNDER_WAY_LIMIT", 1)

    async def main() -> None:
        async with simulated(tmp_path, report_delay_ms=300) as side:
            mmsc, link, engine, stock, _ = side
            await send(side, "447700900123")
            engine.queue = [stock.outgoing(2)]
            engine.pump(link)
            await until(lambda: len(engine.answers) == 2)
            assert engine.answers[1][1] == CommandStatus.ESME_RTHROTTLED
            assert mmsc.taken == 1

    run(main())


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(tmp_path) as (_, link, *_rest):
            port = int(link.options.submit_url.rpartition(":")[2].partition("/")[0])
            other = Mmsc([])
            with pytest.raises(OSError, match="in use"):
                await other.start("127.0.0.1", port)
            await other.stop()

    run(main())


def test_a_relay_that_is_not_http_or_not_there() -> None:
    async def main() -> None:
        relay = Relay()
        relay.say = lambda _number: b"MM7 READY\r\n\r\n"
        await relay.listen()
        url = f"http://127.0.0.1:{relay.port}/"
        with pytest.raises(OSError, match="not HTTP"):
            await asyncio.to_thread(post, url, "text/xml", b"x")
        await relay.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(post, url, "text/xml", b"x")
        with pytest.raises(ValueError, match="http"):
            post("ftp://x/", "text/xml", b"x")

    run(main())


# --- the table ---


def test_every_fate_ends_in_the_status_of_its_words() -> None:
    request = SubmitReq(
        frame=Frame(), recipients=(Recipient("1"),), wants_delivery_report=True, wants_read_report=True
    )
    for digits, fate in {"123": RETRIEVED, **MMS_FATES}.items():
        reports = reports_of(request, fate, "M1")
        for report in reports:
            outcome = (read_outcome if report.is_read_report else delivery_outcome)(report.word)
            assert outcome.status in (Status.DELIVERED, Status.BUFFERED, fate.expected), digits
        if fate.refused is not None:
            assert fate.expected is Status.REJECTED


def test_the_digits_of_both_networks_end_alike_where_they_are_the_same() -> None:
    other = {"905"}  # ACCEPTD and Forwarded are both BUFFERED, by other words
    for digits in (MMS_FATES.keys() & FATES.keys()) - other:
        assert MMS_FATES[digits].expected == FATES[digits].expected, digits


def test_the_page_lists_every_fate_of_an_mms() -> None:
    rows = tables(page("simulator.md"))["digits|what becomes of the MMS|last report"]
    assert [(bare(row[0]), row[1], row[2]) for row in rows] == [
        (digits, fate.about, fate.expected or "") for digits, fate in MMS_FATES.items()
    ]
    assert f"Above {module.UNDER_WAY_LIMIT:,} messages" in page("simulator.md")
    assert f"{len(module.WAITS_S)} times" in page("simulator.md")
