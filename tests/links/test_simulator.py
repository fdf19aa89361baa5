"""The simulator as an SMSC: binds, deliveries that are never lost, limits; a link under all its faults."""

import socket
from collections import defaultdict
from typing import Any

import msgspec
import pytest
import uvloop

from homing.links import simulator, simulator_line
from homing.links.simulator import Simulator
from homing.links.simulator_fates import Faults
from homing.links.smpp import SmppLink
from homing.wire import smpp_codes as codes
from homing.wire.message_id import candidates, canonical
from homing.wire.smpp_codes import TEMPORARY_STATUSES, CommandStatus, Tag
from homing.wire.smpp_events import Unbound, Unmatched
from homing.wire.smpp_pdu import encode_simple
from homing.wire.smpp_values import ShortMessage, Simple
from tests.links.esme import Clients, Esme, clients, submission
from tests.links.smsc import QUICK, Engine, batch, until
from tests.links.test_simulator_fates import text_of


def texts(esme: Esme) -> list[str]:
    return [text_of([message]) for message in esme.deliveries]


def hold(_message: ShortMessage) -> int | None:
    """Never answer."""
    return None


# --- binds ---


def test_any_client_is_bound_and_the_receiving_ones_receive() -> None:
    async def main() -> None:
        async with clients() as network:
            transmitter = await network.bind(command_id=codes.BIND_TRANSMITTER, password="any")
            assert transmitter.is_bound
            network.simulator.send_message("447700900123", "60999", "Hello")
            assert network.simulator.waiting == 1
            receiver = await network.bind(command_id=codes.BIND_RECEIVER, system_id="")
            await until(lambda: network.simulator.acknowledged == 1)
            assert (texts(receiver), network.simulator.waiting) == (["Hello"], 0)
            # The receipt goes to the binds of the client that submitted.
            transmitter.submit(submission("447700900123"))
            pair = await network.bind(command_id=codes.BIND_RECEIVER)
            await until(lambda: pair.deliveries)
            assert (len(receiver.deliveries), len(transmitter.deliveries)) == (1, 0)

    uvloop.run(main())


def test_a_wrong_password_is_refused() -> None:
    async def main() -> None:
        async with clients(password="secret") as network:
            refused = await network.bind(password="guess")
            assert (refused.is_bound, refused.refusal) == (False, CommandStatus.ESME_RINVPASWD)
            assert (await network.bind(password="secret")).is_bound

    uvloop.run(main())


def test_a_client_may_leave() -> None:
    async def main() -> None:
        async with clients() as network:
            leaving, staying = await network.bind(), await network.bind()
            leaving.session.unbind(0)
            leaving.flush()
            await until(lambda: leaving.is_gone)
            assert Unbound(by_peer=False) in leaving.log
            staying.submit(submission("447700900123"))
            await until(lambda: staying.deliveries)

    uvloop.run(main())


def test_who_speaks_no_smpp_is_disconnected() -> None:
    async def main() -> None:
        async with clients() as network:
            esme, other = await network.connect(), await network.bind()
            esme.transport.write(b"GET / HTTP/1.1\r\n\r\n")
            await until(lambda: esme.is_gone)
            other.submit(submission("447700900123"))
            await until(lambda: other.deliveries)

    uvloop.run(main())


def test_what_is_no_submission_is_told_so() -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            esme.transport.write(encode_simple(codes.QUERY_SM, 5))
            await until(lambda: len(esme.log) == 2)
            assert esme.log[1] == Unmatched(
                pdu=Simple(command_id=codes.GENERIC_NACK, sequence=5, status=CommandStatus.ESME_RINVCMDID)
            )

    uvloop.run(main())


def test_a_data_sm_is_a_submission_too() -> None:
    async def main() -> None:
        async with clients(keeps_records=True) as network:
            esme = await network.bind()
            payload = {int(Tag.MESSAGE_PAYLOAD): b"Hi"}
            esme.submit(
                msgspec.structs.replace(
                    submission("447700900123", b"", tlvs=payload), command_id=codes.DATA_SM
                )
            )
            await until(lambda: esme.deliveries)
            assert esme.answers[0].message_id
            assert network.simulator.submitted_texts == ["Hi"]

    uvloop.run(main())


# --- deliveries ---


@pytest.mark.parametrize(
    ("text", "sender", "ton", "data_coding", "parts"),
    [
        ("Grüße {€5}", "447700900123", 1, 0, 1),
        ("Привет 👋", "447700900123", 1, 8, 1),
        ("x" * 160, "60999", 3, 0, 1),
        ("x" * 161 + "€" * 200, "Alert", 5, 0, 4),
        ("ж" * 700, "447700900123", 1, 8, 11),
        ("", "447700900123", 1, 0, 1),
    ],
)
def test_a_text_arrives_as_the_phone_wrote_it(
    text: str, sender: str, ton: int, data_coding: int, parts: int
) -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            network.simulator.send_message(sender, "60999", text)
            await until(lambda: len(esme.deliveries) == parts)
            assert text_of(esme.deliveries) == text
            assert {(m.source_addr, m.source_ton, m.dest_addr, m.data_coding) for m in esme.deliveries} == {
                (sender, ton, "60999", data_coding)
            }

    uvloop.run(main())


@pytest.mark.parametrize(("sender", "text"), [("4477\0", "x"), ("ж", "x"), ("447700900123", "x" * 256 * 153)])
def test_what_no_phone_can_send_is_refused(sender: str, text: str) -> None:
    async def main() -> None:
        async with clients() as network:
            with pytest.raises(ValueError, match=r"NUL|fit|limit"):
                network.simulator.send_message(sender, "60999", text)
            assert network.simulator.waiting == 0

    uvloop.run(main())


def test_what_is_not_acknowledged_comes_again_on_the_next_bind_in_its_order() -> None:
    async def main() -> None:
        async with clients(keeps_records=True) as network:
            first = await network.bind(hold)
            sent = [f"text {number}" for number in range(10)]
            for text in sent:
                network.simulator.send_message("447700900123", "60999", text)
            first.submit(submission("447700900123"))
            await until(lambda: len(first.deliveries) == 11)
            for message in first.deliveries[:3]:
                first.session.answer(message)
            first.flush()
            await until(lambda: network.simulator.acknowledged == 3)
            first.transport.abort()
            second = await network.bind()
            await until(lambda: network.simulator.acknowledged == 11)
            assert [text for text in texts(second) if text in sent] == sent[3:]
            assert network.simulator.acknowledged_texts == sent
            assert network.simulator.attempts == dict.fromkeys(sent[:3], 1) | dict.fromkeys(sent[3:], 2)
            assert network.simulator.sent_again == 8

    uvloop.run(main())


@pytest.mark.parametrize("status", [CommandStatus.ESME_RX_T_APPN, CommandStatus.ESME_RSYSERR])
def test_what_is_answered_by_an_error_comes_again_until_it_is_taken(status: int) -> None:
    async def main() -> None:
        answers = iter([status, status, 0])
        async with clients(keeps_records=True) as network:
            esme = await network.bind(lambda _message: next(answers))
            network.simulator.send_message("447700900123", "60999", "Hello")
            await until(lambda: network.simulator.acknowledged)
            assert texts(esme) == ["Hello"] * 3
            assert network.simulator.acknowledged_texts == ["Hello"]

    uvloop.run(main())


def test_what_has_no_answer_in_time_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_line, "ANSWER_S", 0.1)
    answers: Any = iter([None, 0])

    async def main() -> None:
        async with clients() as network:
            esme = await network.bind(lambda _message: next(answers))
            (line,) = network.simulator.lines
            await until(
                lambda: line._timer_ms > line._now_ms() + 1000
            )  # nothing but an idle line is looked at
            network.simulator.send_message("447700900123", "60999", "Hello")
            await until(lambda: network.simulator.acknowledged, within_s=5)
            assert texts(esme) == ["Hello"] * 2

    uvloop.run(main())


def test_receipts_of_an_absent_client_hold_up_nobody_and_wait_for_it() -> None:
    async def main() -> None:
        async with clients(keeps_records=True) as network:
            absent = await network.bind(command_id=codes.BIND_TRANSMITTER)
            absent.submit(*(submission("447700900123", b"%d" % number) for number in range(300)))
            await until(lambda: network.simulator.waiting == 300)
            other = await network.bind(system_id="other")
            other.submit(submission("447700900124"))
            network.simulator.send_message("447700900123", "60999", "Hello")
            await until(lambda: len(other.deliveries) == 2)
            assert network.simulator.waiting == 300
            back = await network.bind()
            await until(lambda: len(back.deliveries) == 300)
            assert len(network.simulator.submitted_texts) == 301

    uvloop.run(main())


# SMPP 3.4 §5.2.17
@pytest.mark.parametrize(
    ("registered_delivery", "expected"), [(0, []), (1, ["123", "900", "905"]), (2, ["900"]), (0x10, [])]
)
def test_receipts_are_sent_as_they_were_asked_for(registered_delivery: int, expected: list[str]) -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            for digits in ("123", "900", "905"):
                asked = submission(f"447700900{digits}", registered_delivery=registered_delivery)
                esme.submit(asked)
            esme.submit(submission("447700900555"))
            await until(lambda: [m for m in esme.deliveries if m.source_addr.endswith("555")])
            assert sorted(m.source_addr[-3:] for m in esme.deliveries) == sorted([*expected, "555"])

    uvloop.run(main())


def test_at_once_means_at_once() -> None:
    async def main() -> None:
        async with clients(latency_ms=0, report_delay_ms=0) as network:
            esme = await network.bind()
            esme.submit(*(submission(f"447700900{digits}") for digits in ("123", "909", "908", "912")))
            await until(lambda: len(esme.deliveries) == 2)
            assert [answer.status for answer in esme.answers] == [0, 0x58, 0x0B, 0]

    uvloop.run(main())


# --- limits ---


def test_a_client_is_sent_no_more_than_the_window() -> None:
    async def main() -> None:
        async with clients() as network:
            slow = await network.bind(hold)
            for number in range(150):
                network.simulator.send_message("447700900123", "60999", f"{number}")
            await until(lambda: len(slow.deliveries) == simulator_line.WINDOW)
            assert network.simulator.waiting == 50
            slow.session.answer(slow.deliveries[0])
            slow.flush()
            await until(lambda: len(slow.deliveries) == simulator_line.WINDOW + 1)

    uvloop.run(main())


def test_what_clients_cause_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "UNDER_WAY_LIMIT", 50)
    monkeypatch.setattr(simulator, "LINES_LIMIT", 3)

    async def main() -> None:
        async with clients() as network:
            transmitter = await network.bind(command_id=codes.BIND_TRANSMITTER)
            transmitter.submit(*(submission("447700900123", b"%d" % number) for number in range(200)))
            await until(lambda: len(transmitter.answers) == 200)
            full = [answer.status for answer in transmitter.answers].count(CommandStatus.ESME_RMSGQFUL)
            taken = network.simulator.taken
            assert (full, taken) == (200 - taken, taken)
            assert 25 <= taken <= 50  # each is under way twice: its answer and its receipt
            for number in range(120):  # put off, and never sent again
                transmitter.submit(submission("447700900910", b"%d" % number))
                await until(lambda number=number: len(transmitter.answers) == 201 + number)
            assert len(network.simulator._tries) <= 50
            receiver = await network.bind()
            await until(lambda: len(receiver.deliveries) == taken)
            await network.bind()
            one_too_many = await network.connect()
            await until(lambda: one_too_many.is_gone)
            assert len(network.simulator.lines) == 3
            receiver.transport.abort()
            await until(lambda: len(network.simulator.lines) == 2)
            assert (await network.bind()).is_bound

    uvloop.run(main())


def test_nothing_more_is_read_from_a_client_that_does_not_read() -> None:
    async def main() -> None:
        async with clients(latency_ms=0) as network:
            esme = await network.bind()
            (line,) = network.simulator.lines
            for side, option in ((esme, socket.SO_RCVBUF), (line, socket.SO_SNDBUF)):
                side.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 32_768)
            esme.transport.pause_reading()
            esme.submit(*(submission("447700900911") for _ in range(10_000)))
            await until(lambda: not line.transport.is_reading())
            assert network.simulator.taken < 10_000
            esme.transport.resume_reading()
            await until(lambda: len(esme.answers) == 10_000)
            assert line.transport.is_reading()

    uvloop.run(main())


# --- restart ---


def test_no_id_comes_again_after_a_restart() -> None:
    async def main() -> None:
        ids: list[int] = []
        for _ in range(3):
            async with clients() as network:
                esme = await network.bind()
                esme.submit(*(submission("447700900123") for _ in range(100)))
                await until(lambda esme=esme: len(esme.answers) == 100)
                ids += [int(answer.message_id) for answer in esme.answers]
        assert ids == sorted(set(ids))

    uvloop.run(main())


def test_stopping_leaves_no_line() -> None:
    async def main() -> None:
        network = Simulator(latency_ms=20, report_delay_ms=20)
        made = Clients(network, await network.start("127.0.0.1", 0))
        esme = await made.bind()
        esme.submit(submission("447700900123"))
        await until(lambda: network.taken)
        await network.stop()
        await until(lambda: esme.is_gone)
        assert network.lines == []
        assert len(esme.unanswered) == 1

    uvloop.run(main())


# --- the link of a node under all faults at once ---

CHAOS = (
    "throttled=0.05", "queue-full=0.05", "drop=0.02", "drop-early=0.02", "slow=0.05", "early=0.1",
    "other-bind=0.1", "hex-answer=0.1", "hex-receipt=0.1", "padded=0.1", "twice=0.1", "back=0.1",
    "tlv-only=0.1", "payload=0.1", "uuid=0.1", "letter-case=0.1", "ucs2=0.1", "bare=0.1",
)  # fmt: skip


def test_whatever_strikes_every_submission_is_answered_and_reported() -> None:
    count = 400

    async def main() -> None:
        network, engine = (
            Simulator(latency_ms=2, report_delay_ms=10, seed=7, faults=Faults.parse(CHAOS)),
            Engine(),
        )
        port = await network.start("127.0.0.1", 0)
        link = SmppLink(
            msgspec.structs.replace(QUICK, port=port, binds=2, reconnect_min_s=0.02, reconnect_max_s=0.02),
            listener=engine,
            take_messages=engine.take_messages,
            take_receipts=engine.take_receipts,
        )
        engine.queue = batch(count)
        ids: defaultdict[int, set[str]] = defaultdict(set)

        def is_done() -> bool:
            answers, engine.answers = engine.answers, []
            losses, engine.losses = engine.losses, []
            for outgoing, status, message_id in answers:
                if status == 0:
                    ids[outgoing.submission.id].add(canonical(message_id))
                else:
                    assert status in TEMPORARY_STATUSES
                    engine.queue.append(outgoing)
            engine.queue += losses
            engine.pump(link)
            said = {
                key for r in engine.receipts for id_ in r.receipt.message_ids for key, _ in candidates(id_)
            }
            return len(ids) == count and all(known & said for known in ids.values())

        link.start()
        await until(is_done, within_s=60)
        assert network.taken >= count
        assert {r.receipt.word for r in engine.receipts} >= {"DELIVRD", "ENROUTE", "state 2"}
        await link.stop(0)
        await network.stop()

    uvloop.run(main())
