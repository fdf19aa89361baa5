"""The SMPP link with an SMSC on a real socket: binding, sending, receiving, limits, draining."""

import asyncio
import re
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from homing.links import smpp_connection
from homing.wire import smpp_codes as codes
from homing.wire.smpp_codes import CommandStatus
from homing.wire.smpp_pdu import encode, encode_simple
from homing.wire.smpp_values import AlertNotification, Outbind, ShortMessage
from tests.links.smsc import PASSWORD, Line, batch, data_sm, far_side, keep_silent, mo, outgoing, until


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


RECEIPT = mo(b"id:7 stat:DELIVRD err:000 text:", esm_class=4)


@pytest.mark.parametrize(
    ("bind", "binds", "command_ids", "room"),
    [
        ("transceiver", 1, {codes.BIND_TRANSCEIVER: 1}, 10),
        ("transceiver", 3, {codes.BIND_TRANSCEIVER: 3}, 30),
        ("transmitter+receiver", 2, {codes.BIND_TRANSMITTER: 2, codes.BIND_RECEIVER: 2}, 20),
    ],
)
def test_binds(bind: str, binds: int, command_ids: dict[int, int], room: int) -> None:
    async def main() -> None:
        async with far_side(bind=bind, binds=binds, system_type="VMA") as (smsc, link, engine):
            assert Counter(line.bind.command_id for line in smsc.bound if line.bind) == command_ids
            request = smsc.lines[0].bind
            assert request is not None
            assert (request.system_id, request.password, request.system_type) == ("homing", PASSWORD, "VMA")
            assert request.interface_version == 0x34
            assert (link.is_bound, link.room()) == (True, room)
            assert engine.told == ["ready"] * (room // 10)
            engine.queue = [outgoing()]
            engine.pump(link)
            smsc.lines[-1].deliver(mo())
            await until(lambda: engine.answers and engine.arrivals)
            assert {line.bind.command_id for line in smsc.bound if line.submits and line.bind} <= {
                codes.BIND_TRANSCEIVER,
                codes.BIND_TRANSMITTER,
            }

    run(main())


def test_what_is_sent_is_answered_once_with_its_id() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            engine.queue = batch(100)
            engine.pump(link)
            await until(lambda: len(engine.answers) == 100)
            assert [(o.submission.id, status) for o, status, _ in engine.answers] == [
                (id_, 0) for id_ in range(1, 101)
            ]
            assert len({message_id for *_, message_id in engine.answers}) == 100
            assert engine.answer_batches <= 20
            assert [message.registered_delivery for message in smsc.submits] == [1] * 100
            assert (engine.losses, link.in_flight) == ([], 0)
            assert link.status()["sent"] == 100

    run(main())


def test_the_window_of_each_bind_is_kept_and_work_is_spread() -> None:
    async def main() -> None:
        async with far_side(binds=2, window=4) as (smsc, link, engine):
            smsc.on_submit = keep_silent
            engine.queue = batch(20)
            engine.pump(link)
            await until(lambda: len(smsc.submits) == 8)
            assert [len(line.submits) for line in smsc.lines] == [4, 4]
            assert (link.room(), link.in_flight, len(engine.queue)) == (0, 8, 12)
            first = smsc.lines[0]
            first.answer(first.submits[1], 0, "a")
            first.answer(first.submits[0], 0, "b")
            await until(lambda: len(first.submits) == 6)
            assert [message_id for *_, message_id in engine.answers] == ["a", "b"]
            assert len(smsc.lines[1].submits) == 4

    run(main())


def test_the_bind_with_the_least_under_way_gets_the_next() -> None:
    async def main() -> None:
        async with far_side(binds=2) as (smsc, link, _):
            smsc.on_submit = keep_silent
            for count in (3, 1, 4):
                link.submit(batch(count))
            await until(lambda: len(smsc.submits) == 8)
            assert [len(line.submits) for line in smsc.lines] == [4, 4]

    run(main())


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL, 0x0B, 0x412])
def test_what_the_network_answers_passes_through(status: int) -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.on_submit = lambda line, message: line.session.answer(message, status)
            link.submit([outgoing()])
            await until(lambda: engine.answers)
            assert engine.answers[0][1:] == (status, "")
            assert link.status()["throttled"] == (status in (0x58, 0x14))
            assert len(smsc.bound) == 1

    run(main())


def test_a_nack_is_the_answer_to_what_it_names() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.on_submit = lambda line, message: line.write(
                encode_simple(codes.GENERIC_NACK, message.sequence, CommandStatus.ESME_RINVCMDID)
            )
            link.submit([outgoing()])
            await until(lambda: engine.answers)
            assert engine.answers[0][1:] == (CommandStatus.ESME_RINVCMDID, "")

    run(main())


def test_what_fits_no_pdu_is_answered_as_refused_and_holds_up_nobody() -> None:
    async def main() -> None:
        async with far_side(window=2) as (smsc, link, engine):
            engine.queue = [outgoing(sender="Ελλάδα", id=id_) for id_ in range(1, 2001)] + [outgoing(id=2001)]
            engine.pump(link)
            assert engine.answers == []  # told later, not from within
            await until(lambda: len(engine.answers) == 2001)
            statuses = Counter(status for _, status, _ in engine.answers)
            assert statuses == {CommandStatus.ESME_RINVMSGLEN: 2000, 0: 1}
            assert len(smsc.submits) == 1
            assert (link.status()["unwritable"], link.status()["sent"]) == (2000, 1)

    run(main())


def test_throughput_is_kept_over_all_binds_and_wakes_by_itself() -> None:
    async def main() -> None:
        async with far_side(binds=2, window=100, throughput_per_s=100) as (smsc, link, engine):
            loop = asyncio.get_running_loop()
            smsc.on_submit = keep_silent  # so that nothing but time can wake it
            assert link.room() == 10  # a tenth of a second's worth, not 200
            engine.queue = batch(60)
            begin_s = loop.time()
            engine.pump(link)
            assert link.room() == 0
            await until(lambda: len(smsc.submits) == 60)
            assert 0.45 <= loop.time() - begin_s < 2.0

    run(main())


@pytest.mark.parametrize("unbound", [False, True])
def test_more_than_there_is_room_for_is_given_back(unbound: bool) -> None:
    async def main() -> None:
        async with far_side(window=3, wait=not unbound) as (smsc, link, engine):
            smsc.on_submit = keep_silent
            link.submit(batch(5))
            await until(lambda: engine.losses)
            assert [o.submission.id for o in engine.losses] == ([1, 2, 3, 4, 5] if unbound else [4, 5])

    run(main())


def test_nothing_is_answered_before_the_store_has_it() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            line = smsc.lines[0]
            engine.held = []
            line.deliver(mo(b"one"), RECEIPT, data_sm(tlvs={0x424: b"two"}), data_sm(tlvs={0x1E: b"7"}))
            await until(lambda: engine.held and len(engine.held) == 2)
            assert [arrival.text for arrival in engine.arrivals] == ["one", "two"]
            assert [arrived.receipt.message_ids for arrived in engine.receipts] == [("7",), ("7",)]
            assert engine.batches == [2, 2]  # one read, one call for each kind
            line.write(encode_simple(codes.ENQUIRE_LINK, 99))
            await until(lambda: encode_simple(codes.ENQUIRE_LINK_RESP, 99) in line.octets)
            assert line.answers == []
            messages_done, receipts_done = engine.held
            receipts_done(None)
            await until(lambda: len(line.answers) == 2)
            messages_done(None)
            await until(lambda: len(line.answers) == 4)
            assert [answer.token.short_message for answer in line.answers] == [
                RECEIPT.short_message, b"", b"one", b"",
            ]  # fmt: skip
            assert {answer.status for answer in line.answers} == {0}
            assert (link.status()["received"], link.status()["receipts"]) == (2, 2)

    run(main())


def test_what_could_not_be_stored_is_answered_by_a_temporary_error() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            line = smsc.lines[0]
            engine.error = OSError("disk full")
            with capture_logs() as logs:
                line.deliver(mo(), RECEIPT, data_sm())
                await until(lambda: len(line.answers) == 3)
                line.deliver(mo())
                await until(lambda: len(line.answers) == 4)
            assert {answer.status for answer in line.answers} == {CommandStatus.ESME_RX_T_APPN}
            assert [entry["event"] for entry in logs] == ["received_not_stored"]
            engine.error = None
            line.deliver(mo())
            await until(lambda: len(line.answers) == 5)
            assert line.answers[-1].status == 0
            assert link.status()["refused"] == 4
            assert len(smsc.lines) == 1

    run(main())


def test_a_flood_that_the_store_cannot_take_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_connection, "UNANSWERED_CAP", 100)

    async def main() -> None:
        # Long unable to read is not silent: neither the enquire_link nor the submission is missed.
        async with far_side(enquire_link_s=0.05, response_timeout_s=0.3) as (smsc, link, engine):
            smsc.on_submit = keep_silent
            line = smsc.lines[0]
            engine.held = []
            link.submit([outgoing()])
            await until(lambda: line.submits)
            line.deliver(*(mo(b"x" * 160) for _ in range(20_000)))
            await until(lambda: len(engine.arrivals) > 100)
            line.answer(line.submits[0], 0, "late")
            await asyncio.sleep(0.5)
            first_read = len(engine.arrivals)
            assert first_read < 5_000
            assert (smsc.bound, engine.answers) == ([line], [])
            engine.held, held = None, engine.held
            for done in held:
                done(None)
            await until(lambda: len(line.answers) == 20_000)
            await until(lambda: engine.answers)
            assert (engine.answers[0][2], engine.losses, smsc.bound) == ("late", [], [line])

    run(main())


def test_no_room_while_the_smsc_does_not_read() -> None:
    async def main() -> None:
        async with far_side(window=10_000, payload="message_payload") as (smsc, link, engine):
            line = smsc.lines[0]
            line.transport.pause_reading()
            engine.queue = [outgoing("x" * 60_000, id=id_) for id_ in range(1, 201)]
            while link.room() and engine.queue:
                link.submit([engine.queue.pop()])
                await asyncio.sleep(0)  # what one turn says is written at its end
            assert engine.queue
            told = len(engine.told)
            line.transport.resume_reading()
            await until(lambda: len(engine.answers) == 200)
            assert len(engine.told) > told
            assert link.room() == 10_000

    run(main())


@pytest.mark.parametrize(
    "octets",
    [
        encode(AlertNotification(source_addr="447700900123", esme_addr="60777")),
        encode(Outbind(system_id="smsc", password="hush")),
        encode_simple(codes.SUBMIT_SM_RESP, 4711),
        encode_simple(0x00010200, 1),
        encode_simple(codes.DELIVER_SM, 8),
    ],
)
def test_what_is_odd_is_counted_and_tolerated(octets: bytes) -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            line = smsc.lines[0]
            with capture_logs() as logs:
                line.write(octets)
                line.deliver(mo())
                await until(lambda: line.answers)
            assert engine.arrivals
            status = link.status()
            names = ("alerts", "outbinds", "peer_errors", "unmatched_answers")
            assert sum(status[name] for name in names) == 1
            assert "hush" not in repr(logs)
            assert len(smsc.bound) == 1

    run(main())


def test_draining_waits_for_both_sides_and_takes_nothing_new() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.on_submit = keep_silent
            line = smsc.lines[0]
            engine.held = []
            line.deliver(mo(b"before"))
            link.submit([outgoing()])
            await until(lambda: line.submits and engine.held)
            stopping = asyncio.create_task(link.stop(10))
            await asyncio.sleep(0)
            assert link.room() == 0
            line.deliver(mo(b"after"))
            await until(lambda: line.answers)
            assert line.answers[0].token.short_message == b"after"
            assert line.answers[0].status == CommandStatus.ESME_RX_T_APPN
            line.answer(line.submits[0], 0, "last")
            await until(lambda: engine.answers)
            assert not stopping.done()
            engine.held[0](None)
            await stopping
            assert [arrival.text for arrival in engine.arrivals] == ["before"]
            assert [(answer.token.short_message, answer.status) for answer in line.answers[1:]] == [
                (b"before", 0)
            ]
            assert line.octets.endswith(encode_simple(codes.UNBIND, 3))
            assert (engine.told, engine.losses) == (["ready", "unbound"], [])
            assert not link.is_bound
            assert link.status()["state"] == "down"
            await link.stop(10)

    run(main())


def test_draining_ends_in_time_and_gives_back_what_is_unanswered() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.on_submit = keep_silent
            link.submit(batch(3))
            await until(lambda: len(smsc.submits) == 3)
            async with asyncio.timeout(2):
                await link.stop(0.1)
            assert [o.submission.id for o in engine.losses] == [1, 2, 3]
            assert engine.told == ["ready", "lost", "unbound"]
            await until(lambda: smsc.lines[0].is_gone)
            assert len(smsc.lines) == 1

    run(main())


def test_draining_does_not_wait_long_for_a_deaf_smsc() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            smsc.is_deaf = True
            async with asyncio.timeout(4):
                await link.stop(10)
            assert engine.told == ["ready", "unbound"]

    run(main())


def test_a_link_that_never_was_bound_stops_at_once() -> None:
    async def main() -> None:
        async with far_side(wait=False) as (smsc, link, engine):
            smsc.binds_answered = False
            await until(lambda: smsc.bound)
            async with asyncio.timeout(1):
                await link.stop(10)
            await until(lambda: smsc.lines[0].is_gone)
            assert engine.told == []

    run(main())


def test_the_status_tells_all_but_the_password() -> None:
    async def main() -> None:
        with capture_logs() as logs:
            async with far_side(binds=2) as (smsc, link, _engine):
                smsc.on_submit = keep_silent
                link.submit(batch(3))
                smsc.lines[0].deliver(mo(), RECEIPT)
                await until(lambda: len(smsc.submits) == 3 and len(smsc.lines[0].answers) == 2)
                status = link.status()
                since = status.pop("since")
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", since)
                for bind, in_flight in zip(status["binds"], (2, 1), strict=True):
                    assert (bind["type"], bind["state"], bind["in_flight"]) == (
                        "transceiver", "bound", in_flight,
                    )  # fmt: skip
                expected = {
                    "name": "smsc", "kind": "smpp", "state": "bound", "host": "127.0.0.1", "port": smsc.port,
                    "window": 10, "in_flight": 3, "sent": 3, "received": 1, "receipts": 1, "throttled": 0,
                    "lost": 0, "reconnects": 0, "last_error": None, "sent_per_s": 3.0, "received_per_s": 2.0,
                }  # fmt: skip
                assert status.items() >= expected.items()
                assert PASSWORD not in repr((status, link.options, smsc.lines[0].bind))
        assert PASSWORD not in repr(logs)

    run(main())


def test_a_message_split_by_any_cut_of_the_stream_comes_whole() -> None:
    async def main() -> None:
        async with far_side() as (smsc, _, engine):
            line: Line = smsc.lines[0]
            line.session.send_message(mo(b"whole"), None, 0)
            for octet in line.session.data_to_send():
                line.write(bytes([octet]))
                await asyncio.sleep(0)
            await until(lambda: line.answers)
            assert [arrival.text for arrival in engine.arrivals] == ["whole"]

    run(main())


def test_a_submit_from_the_smsc_is_refused() -> None:
    async def main() -> None:
        async with far_side() as (smsc, link, engine):
            line = smsc.lines[0]
            line.write(encode(ShortMessage(codes.SUBMIT_SM, 5, dest_addr="1")))
            refusal = encode_simple(codes.SUBMIT_SM_RESP, 5, CommandStatus.ESME_RINVBNDSTS)
            await until(lambda: refusal in line.octets)
            assert (engine.arrivals, link.status()["peer_errors"]) == ([], 1)

    run(main())
