"""The receiving side of MM7: what relays write in many shapes, answered in their own; real store and disk."""

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from homing.engine.correlate import Answered
from homing.engine.mms_content import Limits
from homing.engine.rows import message_of
from homing.links.mm7_server import Mm7Server, Mm7ServerOptions
from homing.model.message import ReceivedMessage
from homing.model.mms import Mms
from homing.model.report import Status
from homing.store import tables as t
from homing.store.blobs import LocalBlobs
from homing.wire.mm7 import SOAP
from tests.engine.far import World, a_store, a_submission, an_endpoint
from tests.engine.test_mms_intake import CONTENT
from tests.links.relay import RELATED, SCHEMA, deliver, multipart, part, report, request

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
JPEG = b"\xff\xd8\xff\xe0\r\n--oute\r\n--\x00\xff\xd9"
LIMITS = Limits(part=100_000, message=150_000)


class Site:
    """A link's receiving side, with everything behind it."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.directory = directory
        self.blobs = LocalBlobs(directory / "mms")
        self.threads = ThreadPoolExecutor(2)
        self.is_draining = False
        self.server = Mm7Server(
            Mm7ServerOptions(
                name="mms", scope="s", limits=LIMITS, network="BTCELLNETUK", carrier_code="23410",
                network_element="MccMnc",
            ),
            contents=self.blobs, threads=self.threads, take_mms=world.mms_intake.take,
            take_receipts=world.intake.take_receipts, is_draining=lambda: self.is_draining,
        )  # fmt: skip

    async def post(
        self, body: bytes, content_type: str = "text/xml", *, step: int = 5_000, method: str = "POST"
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """One request, its body in pieces."""
        pieces = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
        events = iter(
            {"type": "http.request", "body": piece, "more_body": at < len(pieces)}
            for at, piece in enumerate(pieces, 1)
        )
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return next(events, {"type": "http.disconnect"})

        async def send(event: Any) -> None:
            sent.append(event)

        scope = {"type": "http", "method": method, "headers": [(b"content-type", content_type.encode())]}
        await self.server(scope, receive, send)
        if not sent:
            return 0, {}, b""
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    async def status(self, body: bytes, content_type: str, **options: Any) -> tuple[int, str, str]:
        """Status code, details and name of the answer to a request."""
        status, headers, answer = await self.post(body, content_type, **options)
        assert (status, headers[b"content-type"]) == (200, b'text/xml; charset="utf-8"')
        return read_answer(answer)

    def messages(self) -> list[ReceivedMessage]:
        return [message_of(row) for row in self.world.rows(t.messages)]

    def mms(self) -> Mms:
        (message,) = self.messages()
        assert message.mms is not None
        return message.mms

    def files(self) -> dict[str, bytes]:
        """What is in the content of the only message."""
        content = self.mms().content
        reader = self.blobs.open(content.sha256)
        octets = reader.read(0, content.size)
        reader.close()
        with zipfile.ZipFile(io.BytesIO(octets)) as made:
            return {name: made.read(name) for name in made.namelist() if name != "manifest"}

    def leftovers(self) -> list[Path]:
        """Files that are on their way for ever."""
        return list((self.directory / "mms" / "incoming").iterdir())


def read_answer(octets: bytes) -> tuple[int, str, str]:
    root = etree.fromstring(octets)
    (operation,) = root.find(f"{{{SOAP}}}Body")
    found = {etree.QName(each).localname: (each.text or "") for each in operation.iter()}
    return int(found["StatusCode"]), found.get("Details", ""), etree.QName(operation).localname


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Site], Awaitable[None]]], None]:
    def go(scenario: Callable[[Site], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            json = an_endpoint(format="json", unknown_as=None, events=("report", "message"))
            database = a_store(tmp_path, json)
            site = Site(World(database), tmp_path)
            try:
                await scenario(site)
                assert site.leftovers() == []
            finally:
                site.threads.shutdown()
                site.world.stop()
                database.close()

        asyncio.run(all_of_it())

    return go


PICTURE = part(GIF, "Content-Type: image/gif; name=pic.gif", "Content-ID: <mms>")
SMIL = b'<smil><head/><body><par><img src="cid:one"/><text src="hello.txt"/></par></body></smil>'
NESTED = part(
    multipart(
        "inner",
        part(SMIL, "Content-Type: application/smil", "Content-ID: <start>"),
        part(JPEG, "Content-Type: image/jpeg", "Content-ID: <one>", "Content-Transfer-Encoding: binary"),
        part("Grüße".encode("latin-1"), "Content-Type: text/plain; charset=iso-8859-1",
             "Content-Location: hello.txt"),
    ),
    'Content-Type: multipart/related; boundary="inner"; start="<start>"', "Content-ID: <mms>",
)  # fmt: skip
QUOTED = part(b"Gr=C3=BC=C3=9Fe", "Content-Type: text/plain; charset=utf-8", "Content-ID: <mms>",
              "Content-Transfer-Encoding: quoted-printable")  # fmt: skip
BASE64 = part(b"R0lGODlhAQABAAAA\r\nADs=", "Content-Type: image/gif", "Content-ID: <mms>",
              "Content-Transfer-Encoding: base64")  # fmt: skip

SHAPES: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "one part": (request(deliver(), PICTURE), {"pic.gif": GIF}),
    "no prefix, REL-5": (
        request(deliver(namespace=f"{SCHEMA}REL-5-MM7-1-0", prefix="", version="5.3.0"), PICTURE),
        {"pic.gif": GIF},
    ),
    "a namespace that does not exist": (
        request(deliver(namespace="urn:x-nobody", prefix="a", version="9.9"), PICTURE), {"pic.gif": GIF},
    ),
    "no namespace": (request(deliver(namespace="", prefix=""), PICTURE), {"pic.gif": GIF}),
    "nested, with a presentation": (
        request(deliver(), NESTED),
        {
            "start.smil": SMIL.replace(b"cid:one", b"one.jpg"), "one.jpg": JPEG,
            "hello.txt": "Grüße".encode(),
        },
    ),
    "quoted-printable": (request(deliver(), QUOTED), {"mms.txt": "Grüße".encode()}),
    "base64": (request(deliver(), BASE64), {"mms.gif": GIF}),
    "a cid that is escaped": (request(deliver(cid="cid:%6Dms"), PICTURE), {"pic.gif": GIF}),
    "no reference": (
        request(deliver(cid=""), PICTURE, QUOTED), {"pic.gif": GIF, "mms.txt": "Grüße".encode()},
    ),
    "no content at all": (request(deliver(cid="")), {}),
    "only what is referred to": (
        request(deliver(), part(b"x", "Content-Type: image/png", "Content-ID: <ad>"), PICTURE),
        {"pic.gif": GIF},
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [3, 100_000])
def test_every_shape_is_taken(run: Any, shape: str, step: int) -> None:
    async def scenario(site: Site) -> None:
        body, files = SHAPES[shape]
        assert await site.status(body, RELATED, step=step) == (1000, "", "DeliverRsp")
        assert site.files() == files
        (message,) = site.messages()
        assert (message.sender, message.recipient, message.account) == ("447700900123", "60999", "acme")
        assert site.mms().subject == "Hé"
        assert (message.network, message.carrier_code) == ("BTCELLNETUK", "23410")
        await site.world.settle()
        assert len(site.world.customer.pushed) == 1

    run(scenario)


@pytest.mark.parametrize("shape", ["one part", "no prefix, REL-5", "no namespace", "base64"])
def test_the_answer_is_in_the_way_of_the_request(run: Any, shape: str) -> None:
    async def scenario(site: Site) -> None:
        body, _ = SHAPES[shape]
        _, _, answer = await site.post(body, RELATED)
        sent = etree.fromstring(body.split(b"\r\n\r\n")[1].split(b"\r\n--outer")[0])
        root = etree.fromstring(answer)
        asked = sent.find(f"{{{SOAP}}}Body")[0]
        told = root.find(f"{{{SOAP}}}Body")[0]
        assert etree.QName(told).namespace == etree.QName(asked).namespace
        for name in ("TransactionID", "MM7Version"):
            path = f".//{{*}}{name}"
            assert root.find(path).text == sent.find(path).text

    run(scenario)


def test_a_group_message_goes_to_those_whom_it_is_delivered_to(run: Any) -> None:
    async def scenario(site: Site) -> None:
        to = (
            "<m:To><m:Number displayOnly='true'>+447700900007</m:Number>"
            "<m:ShortCode>60999</m:ShortCode></m:To>"
            "<m:Cc><m:Number displayOnly='true'>+447700900008</m:Number></m:Cc>"
        )
        assert (await site.status(request(deliver(to=to), PICTURE), RELATED))[0] == 1000
        (message,) = site.messages()
        assert (message.recipient, site.mms().to, site.mms().cc) == (
            "60999", ("447700900007", "60999"), ("447700900008",),
        )  # fmt: skip

    run(scenario)


def test_the_relay_may_say_the_network(run: Any) -> None:
    async def scenario(site: Site) -> None:
        more = "<m:Extension><m:MccMnc>310-410</m:MccMnc></m:Extension>"
        await site.status(request(deliver(more=more), PICTURE), RELATED)
        (message,) = site.messages()
        assert (message.carrier_code, message.network) == ("310410", "ATTUS")

    run(scenario)


def test_the_envelope_may_be_named_and_come_last(run: Any) -> None:
    async def scenario(site: Site) -> None:
        body = multipart("outer", PICTURE, part(deliver(), "Content-Type: text/plain", "Content-ID: <env>"))
        content_type = 'multipart/related; boundary="outer"; start="<env>"'
        assert (await site.status(body, content_type))[0] == 1000
        assert site.files() == {"pic.gif": GIF}

    run(scenario)


# --- what is refused ---

REFUSED: dict[str, tuple[bytes, str, int, str]] = {
    "a cid of no part": (request(deliver(cid="cid:x"), PICTURE), RELATED, 2007, "no part has this"),
    "cut short": (request(deliver(), PICTURE)[:-12], RELATED, 2007, "cut short"),
    "no envelope": (multipart("outer", PICTURE), RELATED, 2007, "no SOAP envelope"),
    "no boundary": (request(deliver(), PICTURE), "multipart/related", 2007, "no boundary"),
    "not well-formed": (request(b"<a><b></a>", PICTURE), RELATED, 2007, "not well-formed"),
    "a document type": (request(b"<!DOCTYPE a><a/>", PICTURE), RELATED, 2007, "document type"),
    "no sender": (
        request(deliver().replace(b"Sender>", b"From>"), PICTURE), RELATED, 2007, "Sender is missing",
    ),
    "only shown": (
        request(deliver(to="<m:To><m:Number displayOnly='1'>60999</m:Number></m:To>"), PICTURE), RELATED,
        2002, "only displayed",
    ),
    "an operation of others": (
        request(deliver().replace(b"DeliverReq", b"SubmitReq"), PICTURE), RELATED, 4003, "not done here",
    ),
    "a part that is too large": (
        request(deliver(), part(b"x" * 100_001, "Content-Type: image/gif", "Content-ID: <mms>")), RELATED,
        2004, "a part has more than 100000",
    ),
    "parts that are too large": (
        request(deliver(), *[part(b"x" * 90_000, "Content-Type: image/gif")] * 2), RELATED, 2004,
        "the parts have more than 150000",
    ),
    "too many parts": (
        request(deliver(), *[part(b"x", "Content-Type: image/gif")] * 100), RELATED, 2007, "more than 100",
    ),
    "a long envelope": (
        request(deliver(more=f"<m:X>{'x' * 270_000}</m:X>"), PICTURE), RELATED, 2004, "the envelope has more",
    ),
    "headers that are too long": (
        request(deliver(), part(b"x", f"Content-Type: image/gif; name={'x' * 17_000}")), RELATED, 2007,
        "headers of a part",
    ),
    "multiparts that are too deep": (
        request(
            deliver(),
            *[b"".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n".encode()
                       for n in range(5))],
        ),
        RELATED, 2007, "deep",
    ),
    "an unknown encoding": (
        request(deliver(), part(b"x", "Content-Type: image/gif", "Content-Transfer-Encoding: x-uuencode")),
        RELATED, 2007, "unknown transfer encoding",
    ),
    "more than there may be at all": (
        request(deliver(), PICTURE) + b"x" * 600_000, RELATED, 2004, "the request has more than",
    ),
    "nothing": (b"", "text/xml", 2007, "not well-formed"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_and_nothing_is_kept(run: Any, case: str) -> None:
    async def scenario(site: Site) -> None:
        body, content_type, code, details = REFUSED[case]
        found, said, name = await site.status(body, content_type)
        assert (found, details in said) == (code, True), said
        assert name in ("DeliverRsp", "VASPErrorRsp")
        assert site.world.rows(t.messages) == site.world.rows(t.contents) == []
        assert list((site.directory / "mms").rglob("*.zip")) == []

    run(scenario)


def test_a_problem_is_told_in_the_way_of_the_request(run: Any) -> None:
    async def scenario(site: Site) -> None:
        envelope = deliver(namespace="urn:x", prefix="z", cid="cid:x", transaction="T-9")
        _, _, answer = await site.post(request(envelope, PICTURE), RELATED)
        assert read_answer(answer)[2] == "DeliverRsp"
        assert b'xmlns:z="urn:x"' in answer
        assert b">T-9</z:TransactionID>" in answer

    run(scenario)


def test_only_post_is_taken(run: Any) -> None:
    async def scenario(site: Site) -> None:
        status, headers, _ = await site.post(b"", method="GET")
        assert (status, headers[b"allow"]) == (405, b"POST")

    run(scenario)


def test_a_relay_that_goes_away_leaves_nothing(run: Any) -> None:
    async def scenario(site: Site) -> None:
        events = iter(
            [{"type": "http.request", "body": request(deliver(), PICTURE)[:-20], "more_body": True}]
        )

        async def receive() -> dict[str, Any]:
            return next(events, {"type": "http.disconnect"})

        async def send(_event: Any) -> None:
            raise AssertionError("nobody is there")

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", RELATED.encode())]}
        await site.server(scope, receive, send)
        assert site.world.rows(t.messages) == []

    run(scenario)


# --- our own trouble ---


def test_while_the_node_ends_the_relay_is_told_to_try_again(run: Any) -> None:
    async def scenario(site: Site) -> None:
        site.is_draining = True
        assert (await site.status(request(deliver(), PICTURE), RELATED))[:2] == (
            4006, "the gateway is about to stop",
        )  # fmt: skip

    run(scenario)


def test_what_cannot_be_committed_is_not_acknowledged(run: Any) -> None:
    async def scenario(site: Site) -> None:
        await site.world.write(lambda tx: tx.connection.execute(text("PRAGMA query_only = ON")) and None)
        code, _, name = await site.status(request(deliver(), PICTURE), RELATED)
        assert (code, name) == (4006, "DeliverRsp")
        assert site.world.rows(t.messages) == []
        assert (await site.status(request(deliver(), PICTURE), RELATED))[0] == 1000

    run(scenario)


def test_what_cannot_be_put_on_disk_is_not_acknowledged(run: Any) -> None:
    async def scenario(site: Site) -> None:
        incoming = site.directory / "mms" / "incoming"
        incoming.rmdir()
        assert (await site.status(request(deliver(), PICTURE), RELATED))[0] == 4006
        assert site.world.rows(t.messages) == []
        incoming.mkdir()

    run(scenario)


# --- reports ---


async def sent(site: Site, report_bits: int) -> None:
    """An MMS that the relay has taken as mmsc-1."""
    mms = Mms(subject="Hi", content=CONTENT, expires_at_ms=0)
    await site.world.send(a_submission(7, mms=mms, report_bits=report_bits))
    answered = Answered(
        submission=7, segment=1, scope="s", link="mms", at_ms=1, status=Status.SENT, reason="sent",
        link_message_id="mmsc-1",
    )  # fmt: skip
    await site.world.write(lambda tx: site.world.correlator.record_answers(tx, [answered]))


def reports(site: Site) -> list[tuple[str, str, int]]:
    return [(row.status, row.reason, row.sequence) for row in site.world.rows(t.reports)]


def test_delivery_and_read_reports_are_told_once_each(run: Any) -> None:
    async def scenario(site: Site) -> None:
        await sent(site, 15)
        for operation, word in (
            ("DeliveryReportReq", "Deferred"), ("ReadReplyReq", "Read"), ("DeliveryReportReq", "Retrieved"),
            ("ReadReplyReq", "Read"), ("DeliveryReportReq", "Retrieved"), ("ReadReplyReq", "Deleted"),
        ):  # fmt: skip
            answer = await site.status(report(operation, word), "text/xml")
            assert answer == (1000, "", operation.replace("Req", "Rsp"))
        assert reports(site) == [
            ("BUFFERED", "deferred", 1), ("DELIVERED", "read", 2), ("DELIVERED", "retrieved", 3),
            ("DELIVERED", "deleted_unread", 4),
        ]  # fmt: skip
        assert len(site.world.rows(t.receipts)) == 6
        (submission,) = site.world.rows(t.submissions)
        assert (submission.status, submission.reason, submission.report_count) == (
            "DELIVERED", "retrieved", 4,
        )  # fmt: skip
        (content,) = site.world.rows(t.contents)
        assert (content.account, content.event) == ("acme", 7)

    run(scenario)


def test_read_reports_that_nobody_asked_for_are_kept_and_not_told(run: Any) -> None:
    async def scenario(site: Site) -> None:
        await sent(site, 7)
        await site.status(report("ReadReplyReq", "Read"), "text/xml")
        assert (reports(site), len(site.world.rows(t.receipts))) == ([], 1)

    run(scenario)


def test_a_report_that_outruns_the_answer_waits_for_it(run: Any) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.status(report("ReadReplyReq", "Read"), "text/xml"))[0] == 1000
        assert (await site.status(report("DeliveryReportReq", "Expired", text_="no phone"), "text/xml"))[
            0
        ] == 1000
        await sent(site, 15)
        assert reports(site) == [("DELIVERED", "read", 1), ("FAILED", "expired", 2)]
        assert [row.err for row in site.world.rows(t.reports)] == ["", "no phone"]

    run(scenario)


@pytest.mark.parametrize(("message_id", "details"), [("", "MessageID is missing")])
def test_a_report_about_nothing(run: Any, message_id: str, details: str) -> None:
    async def scenario(site: Site) -> None:
        answer = await site.status(report("DeliveryReportReq", "Retrieved", message_id), "text/xml")
        assert answer == (2007, details, "DeliveryReportRsp")

    run(scenario)
