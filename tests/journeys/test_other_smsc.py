"""A whole node bound to an SMSC of another make, the server of ``smpp34``: the loop is completed."""

import asyncio
from pathlib import Path
from typing import Any

import smpp34

from tests.journeys.far import NodeProcess, config, enrol, free_port, receiving, sqlite_url


async def serve(server: Any, esmes: asyncio.Queue[Any], submitted: asyncio.Queue[Any]) -> None:
    """Take every submission, and hand out what was seen."""
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            esmes.put_nowait(event)
        elif isinstance(event, smpp34.SubmitSmEvent):
            event.accept(message_id="A1B2C3")
            submitted.put_nowait(event)


def test_a_foreign_smsc_completes_the_loop(tmp_path: Path) -> None:
    async def run() -> None:
        smsc_port, http_port = free_port(), free_port()
        server: Any = smpp34.Server(host="127.0.0.1", port=smsc_port, system_id="foreign")
        await server.start()
        esmes: asyncio.Queue[Any] = asyncio.Queue()
        submitted: asyncio.Queue[Any] = asyncio.Queue()
        serving = asyncio.ensure_future(serve(server, esmes, submitted))
        node = NodeProcess(tmp_path, http_port, config(http_port, smsc_port))
        async with receiving() as receiver:
            enrol(sqlite_url(node), "acme", receiver.url)
            await node.start()
            esme = await asyncio.wait_for(esmes.get(), 20)
            status, smsid = await node.send("447700900123", "Hello")
            assert status == 200
            message = await asyncio.wait_for(submitted.get(), 20)
            assert (message.short_message, message.source_addr) == (b"Hello", "60999")
            taken = await esme.deliver_sm(
                source_addr="447700900123",
                destination_addr="60999",
                esm_class=4,
                short_message=b"id:10597059 sub:001 dlvrd:001 submit date:2611250900 "
                b"done date:2611250901 stat:DELIVRD err:000 text:Hello",  # the same id, in decimal
            )
            assert taken.is_success
            taken = await esme.deliver_sm(
                source_addr="447700900123", destination_addr="60999", short_message=b"Thanks"
            )
            assert taken.is_success
            await receiver.until(lambda r: len(r.pushes) == 2)
            said = [push.fields["smsmsg"] for push in receiver.pushes]
            assert sorted(said) == [f"REPORT {smsid} DELIVERED", "Thanks"]
            assert await node.stop() == 0
        serving.cancel()
        await server.stop()

    asyncio.run(run())
