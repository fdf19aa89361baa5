"""What goes wrong with the line: refused, dropped, silent, garbled, not trusted; and how it comes back."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from structlog.testing import capture_logs

from homing.links.smpp_options import tls_context
from homing.wire import smpp_codes as codes
from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_pdu import encode_simple
from tests.links.smsc import (
    QUICK,
    accept,
    batch,
    far_side,
    keep_silent,
    mo,
    outgoing,
    until,
)
from tests.links.test_smpp import run


def test_a_refused_bind_is_named_and_tried_again_ever_slower() -> None:
    async def main() -> None:
        with capture_logs() as logs:
            async with far_side(wait=False, password="wrong", reconnect_min_s=0.05) as (smsc, link, engine):
                await until(lambda: len(smsc.lines) == 4)
                assert link.status()["last_error"] == "bind refused: ESME_RINVPASWD"
                assert link.status()["state"] in ("connecting", "down")
                assert (link.is_bound, link.room(), engine.told) == (False, 0, [])
        waits = [entry["again_in_s"] for entry in logs if entry["event"] == "link_down"]
        assert waits == sorted(waits)
        assert 0.03 <= waits[0] <= 0.045
        assert 0.12 <= waits[2] <= 0.18
        assert "wrong" not in repr(logs)

    run(main())


@pytest.mark.parametrize("way", ["drop", "unbind", "framing", "silent", "unanswered"])
def test_a_line_that_ends_gives_back_what_was_under_way_and_is_opened_again(way: str) -> None:
    silent = way in ("silent", "unanswered")

    async def main() -> None:
        changes: dict[str, Any] = {"enquire_link_s": 0.1, "response_timeout_s": 0.3} if silent else {}
        if way == "unanswered":
            changes["enquire_link_s"] = 30.0
        async with far_side(**changes) as (smsc, link, engine):
            line = smsc.lines[0]
            smsc.on_submit = keep_silent
            if way != "silent":
                engine.queue = batch(7)
                engine.pump(link)
                await until(lambda: len(line.submits) == 7)
                line.answer(line.submits[3], 0, "fourth")
                await until(lambda: engine.answers)
            begin_s = asyncio.get_running_loop().time()
            if way == "drop":
                line.transport.abort()
            elif way == "unbind":
                line.session.unbind(0)
                line.flush()
            elif way == "framing":
                line.write(b"HTTP/1.1 200 OK\r\n\r\n")
            elif way == "silent":
                smsc.is_deaf = True
            await until(lambda: "unbound" in engine.told)
            assert (link.is_bound, link.room()) == (False, 0)
            smsc.is_deaf = False
            smsc.on_submit = accept
            await until(lambda: link.is_bound)
            if not silent:
                assert asyncio.get_running_loop().time() - begin_s < 1.0
            if way != "silent":
                assert [o.submission.id for o in engine.losses] == [1, 2, 3, 5, 6, 7]
                assert [o.submission.id for o, *_ in engine.answers] == [4]
                assert engine.told[-3:] == ["lost", "unbound", "ready"]
            await until(lambda: line.is_gone)
            if way == "framing":
                nack = encode_simple(codes.GENERIC_NACK, 0, CommandStatus.ESME_RINVCMDLEN)
                assert line.octets.endswith(nack)
            elif way == "unbind":
                assert encode_simple(codes.UNBIND_RESP, 1) in line.octets
            link.submit([outgoing(id=8)])
            await until(lambda: [o.submission.id for o, *_ in engine.answers][-1:] == [8])
            await until(lambda: link.status()["reconnects"] == 1)
            assert link.status()["last_error"]

    run(main())


def test_answers_in_the_same_read_as_the_end_count() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.on_submit = keep_silent
            line = smsc.lines[0]
            link.submit(batch(2))
            await until(lambda: len(line.submits) == 2)
            line.session.answer(line.submits[1], 0, "just in time")
            line.session.send_message(mo(), None, 0)
            line.session.unbind(0)
            line.flush()
            await until(lambda: engine.losses)
            assert [(o.submission.id, id_) for o, _, id_ in engine.answers] == [(2, "just in time")]
            assert [o.submission.id for o in engine.losses] == [1]
            assert len(engine.arrivals) == 1
            await until(lambda: line.answers)  # what was stored was answered before the line was closed

    run(main())


def test_an_smsc_that_unbinds_still_gets_its_answers() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            engine.held = []
            line = smsc.lines[0]
            line.session.send_message(mo(), None, 0)
            line.session.unbind(0)
            line.flush()
            await until(lambda: engine.held)
            assert (line.is_gone, link.room()) == (False, 0)
            engine.held[0](None)
            await until(lambda: line.is_gone)
            assert [answer.status for answer in line.answers] == [0]
            await until(lambda: link.is_bound and len(smsc.lines) == 2)
            assert engine.told == ["ready", "unbound", "ready"]

    run(main())


def test_a_late_word_of_the_store_about_a_lost_line_does_no_harm() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            engine.held = []
            smsc.lines[0].deliver(mo())
            await until(lambda: engine.held)
            smsc.lines[0].transport.abort()
            await until(lambda: len(smsc.bound) == 1 and link.is_bound and len(smsc.lines) == 2)
            held, engine.held = engine.held, None
            held[0](None)
            smsc.lines[1].deliver(mo())
            await until(lambda: smsc.lines[1].answers)
            assert link.is_bound

    run(main())


def test_one_of_several_binds_that_drops_leaves_the_link_bound() -> None:
    async def main() -> None:
        async with far_side(binds=2, window=5) as (smsc, link, engine):
            smsc.on_submit = keep_silent
            link.submit(batch(6))
            await until(lambda: len(smsc.submits) == 6)
            smsc.lines[0].transport.abort()
            await until(lambda: engine.losses)
            assert (link.is_bound, link.room(), len(engine.losses)) == (True, 2, 3)
            assert "unbound" not in engine.told
            assert engine.told[-2:] == ["lost", "ready"]
            await until(lambda: link.room() == 7)

    run(main())


def test_a_receiver_alone_takes_no_submissions_but_receives() -> None:
    async def main() -> None:
        async with far_side(bind="transmitter+receiver") as (smsc, link, engine):
            by_id = {line.bind.command_id: line for line in smsc.lines if line.bind}
            smsc.binds_answered = False
            by_id[codes.BIND_TRANSMITTER].transport.abort()
            await until(lambda: not link.is_bound)
            assert engine.told == ["ready", "unbound"]
            by_id[codes.BIND_RECEIVER].deliver(mo())
            await until(lambda: engine.arrivals)
            assert link.status()["state"] in ("down", "connecting")
            states = {bind["type"]: bind["state"] for bind in link.status()["binds"]}
            assert states["receiver"] == "bound"

    run(main())


def test_an_smsc_that_comes_up_later_is_found() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            await smsc.deafen()
            await until(lambda: "connect" in str(link.status()["last_error"]).lower() or not link.is_bound)
            await until(lambda: link.status()["last_error"] == "Connection refused")
            await smsc.listen()
            await until(lambda: link.is_bound)
            assert engine.told == ["ready", "unbound", "ready"]

    run(main())


def test_every_address_of_the_host_is_tried() -> None:
    async def main() -> None:
        async with far_side(host="localhost") as (_, link, engine):  # [::1] refuses, where it is first
            link.submit([outgoing()])
            await until(lambda: engine.answers)

    run(main())


def test_a_bind_that_is_never_answered_is_given_up_in_time() -> None:
    async def main() -> None:
        async with far_side(wait=False, bind_timeout_s=0.1) as (smsc, link, _):
            smsc.binds_answered = False
            await until(lambda: len(smsc.lines) == 2)
            assert link.status()["last_error"] == "not bound within 0.1 s"
            await until(lambda: smsc.lines[0].is_gone)
            smsc.binds_answered = True
            await until(lambda: link.is_bound)

    run(main())


def test_an_answer_that_comes_within_its_time_keeps_the_line() -> None:
    async def main() -> None:
        async with far_side(enquire_link_s=0.05, response_timeout_s=0.5) as (smsc, _link, engine):
            line = smsc.lines[0]
            await until(lambda: line.octets.count(b"\x00\x00\x00\x10\x00\x00\x00\x15") >= 4)
            assert (smsc.bound, engine.told) == ([line], ["ready"])

    run(main())


class Certificates:
    """An authority, and what an SMSC and a client of it hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = trustme.CA()
        self.ca_file = self._write("ca.pem", authority.cert_pem)
        self.stranger_file = self._write("stranger.pem", trustme.CA().cert_pem)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("smsc.example.net").configure_cert(self.server)
        authority.configure_trust(self.server)
        ours = authority.issue_cert("client.example.net")
        self.certificate = self._write("client.pem", ours.cert_chain_pems[0])
        self.key = self._write("client.key", ours.private_key_pem)

    def _write(self, name: str, blob: trustme.Blob) -> Path:
        path = self.folder / name
        blob.write_to_path(str(path))
        return path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_tls_is_verified(certificates: Certificates) -> None:
    async def main() -> None:
        tls: dict[str, Any] = {
            "tls": certificates.server,
            "tls_ca_file": certificates.ca_file,
            "tls_server_name": "smsc.example.net",
        }
        async with far_side(wait=False, **tls) as (smsc, link, engine):
            await until(lambda: link.is_bound)
            link.submit([outgoing()])
            await until(lambda: engine.answers)
            assert smsc.lines[0].transport.get_extra_info("ssl_object") is not None

    run(main())


@pytest.mark.parametrize(
    ("ca_file", "server_name"), [("stranger_file", "smsc.example.net"), ("ca_file", ""), ("ca_file", "other")]
)
def test_a_certificate_that_does_not_hold_is_refused_unless_told_otherwise(
    certificates: Certificates, ca_file: str, server_name: str
) -> None:
    async def main() -> None:
        tls: dict[str, Any] = {
            "tls": certificates.server,
            "tls_ca_file": getattr(certificates, ca_file),
            "tls_server_name": server_name,
        }
        async with far_side(wait=False, **tls) as (smsc, link, _):
            await until(lambda: "certificate not accepted" in str(link.status()["last_error"]))
            assert smsc.bound == []
        async with far_side(wait=False, **tls, tls_verify=False) as (smsc, link, _):
            await until(lambda: link.is_bound)

    run(main())


def test_our_own_certificate_is_shown_and_read_again_on_reload(certificates: Certificates) -> None:
    async def main() -> None:
        certificates.server.verify_mode = ssl.CERT_REQUIRED
        tls: dict[str, Any] = {
            "tls": certificates.server,
            "tls_ca_file": certificates.ca_file,
            "tls_server_name": "smsc.example.net",
            "tls_certificate": certificates.certificate,
            "tls_key": certificates.key,
        }
        async with far_side(wait=False, **tls) as (smsc, link, _):
            await until(lambda: link.is_bound)
            good = certificates.ca_file.read_bytes()
            certificates.ca_file.write_text("nothing")
            with capture_logs() as logs:
                link.reload_tls()
            assert [entry["event"] for entry in logs] == ["tls_files_not_read"]
            smsc.lines[0].transport.abort()
            await until(lambda: len(smsc.bound) == 1 and len(smsc.lines) == 2)  # by the old files
            certificates.ca_file.write_bytes(certificates.stranger_file.read_bytes())
            link.reload_tls()
            smsc.lines[1].transport.abort()
            await until(lambda: "certificate not accepted" in str(link.status()["last_error"]))
            certificates.ca_file.write_bytes(good)
            link.reload_tls()
            await until(lambda: link.is_bound)

    run(main())


def test_files_that_are_none_stop_the_start(certificates: Certificates) -> None:
    certificates.ca_file.write_text("nothing")
    with pytest.raises(OSError):  # noqa: PT011
        tls_context(msgspec.structs.replace(QUICK, tls=True, tls_ca_file=certificates.ca_file))
