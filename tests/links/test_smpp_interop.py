"""The SMPP link with an SMSC of another make: the server of ``smpp34``, in Rust.

It hands out events in no order, and on a receiver's bind it knows no ``deliver_sm_resp`` (it nacks what
is right), so what it delivers goes over transceivers here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import smpp34

from homing.links.smpp import SmppLink
from homing.model.message import Coding, Segment
from homing.model.report import Status
from tests.links.smsc import QUICK, Engine, batch, outgoing, until
from tests.links.test_smpp import run
from tests.push.customer import free_port

Events = list[Any]


@asynccontextmanager
async def foreign_smsc(
    decide: Callable[[Any], None], **changes: Any
) -> AsyncIterator[tuple[Events, SmppLink, Engine]]:
    """The server, what it has seen, and a link that is bound to it; ``decide`` answers a submission."""
    port = free_port()
    server: Any = smpp34.Server(host="127.0.0.1", port=port, system_id="foreign")
    await server.start()
    seen: Events = []

    async def serve() -> None:
        while True:
            event = await server.next()
            seen.append(event)
            if isinstance(event, smpp34.SubmitSmEvent):
                decide(event)

    serving = asyncio.create_task(serve())
    engine = Engine()
    link = SmppLink(
        msgspec.structs.replace(QUICK, port=port, **changes),
        listener=engine,
        take_messages=engine.take_messages,
        take_receipts=engine.take_receipts,
    )
    link.start()
    try:
        await until(lambda: link.is_bound)
        yield seen, link, engine
    finally:
        await link.stop(1)
        serving.cancel()
        await server.stop()


def sessions(seen: Events) -> Events:
    return [event for event in seen if isinstance(event, smpp34.Esme)]


def submissions(seen: Events) -> Events:
    return [event for event in seen if isinstance(event, smpp34.SubmitSmEvent)]


def test_the_whole_loop() -> None:
    async def main() -> None:
        def decide(event: Any) -> None:
            if event.short_message == b"refuse me":
                event.reject(smpp34.ESME_RINVDSTADR)
            else:
                event.accept(message_id=f"id-{event.short_message.decode('latin-1')[:3]}")

        async with foreign_smsc(decide) as (seen, link, engine):
            ucs2 = (Segment(coding=Coding.UNICODE, text="ж"),)
            engine.queue = [
                outgoing("one", id=1),
                outgoing(id=2, segments=ucs2, sender="ACME"),
                outgoing("refuse me", id=3),
            ]
            engine.pump(link)
            await until(lambda: len(engine.answers) == 3)
            answers = {o.submission.id: (status, id_) for o, status, id_ in engine.answers}
            assert answers[1] == (0, "id-one")
            assert answers[2][0] == 0
            assert answers[3] == (smpp34.ESME_RINVDSTADR, "")
            by_text = {event.short_message: event for event in submissions(seen)}  # it keeps no order
            first, second = by_text[b"one"], by_text[b"\x04\x36"]
            assert (first.source_addr, first.source_addr_ton, first.source_addr_npi) == ("447700900001", 1, 1)
            assert (first.destination_addr, first.registered_delivery) == ("447700900123", 1)
            assert (second.source_addr, second.source_addr_ton) == ("ACME", 5)
            assert second.data_coding == 8

            esme = sessions(seen)[0]
            taken = await esme.deliver_sm(
                source_addr="447700900123",
                destination_addr="447700900001",
                esm_class=4,
                short_message=b"id:id-one sub:001 dlvrd:001 submit date:2611250900 "
                b"done date:2611250901 stat:DELIVRD err:000 text:one",
                tlvs=[smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02")],
            )
            assert taken.is_success
            receipt = engine.receipts[0].receipt
            assert (receipt.message_ids, receipt.status) == (("id-one",), Status.DELIVERED)

            taken = await esme.deliver_sm(
                source_addr="447700900123", destination_addr="60777", short_message=b"YES"
            )
            assert taken.is_success
            arrival = engine.arrivals[0]
            assert (arrival.sender, arrival.recipient, arrival.text) == ("447700900123", "60777", "YES")

            engine.error = OSError("disk full")
            taken = await esme.deliver_sm(
                source_addr="447700900123", destination_addr="60777", short_message=b"NO"
            )
            assert taken.command_status == 0x64

    run(main())


def test_more_than_a_window_over_a_pair_of_binds_and_an_orderly_end() -> None:
    async def main() -> None:
        counter = iter(range(10_000))

        def decide(event: Any) -> None:
            event.accept(message_id=str(next(counter)))

        changes: dict[str, Any] = {"bind": "transmitter+receiver", "window": 20}
        async with foreign_smsc(decide, **changes) as (seen, link, engine):
            await until(lambda: len(sessions(seen)) == 2)
            engine.queue = batch(500)
            engine.pump(link)
            await until(lambda: len(engine.answers) == 500)
            assert {id_ for *_, id_ in engine.answers} == set(map(str, range(500)))
            await link.stop(1)
            await until(lambda: sum(isinstance(event, smpp34.Unbound) for event in seen) == 2)
            assert (engine.losses, engine.told[-1]) == ([], "unbound")

    run(main())
