"""An MMS from the network's relay as a mail with its picture: by e-mail, and collected by POP3."""

import asyncio
import poplib
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from tests.journeys.far import PASSWORD, NodeProcess, config, enrol, free_port, sqlite_url
from tests.journeys.relay import LINK, FarRelay, picture_of
from tests.links.smsc import until
from tests.push.relay import relay

SIZE = 3_000_000


def collected(port: int) -> bytes:
    """The one mail of the mailbox, which is deleted."""
    client = poplib.POP3("127.0.0.1", port, timeout=30)
    client.user("acme")
    client.pass_(PASSWORD)
    (listed,) = client.list()[1]
    octets = b"".join(line + b"\r\n" for line in client.retr(1)[1])
    assert listed == b"1 %d" % len(octets)
    client.dele(1)
    client.quit()
    return octets


def pictures(octets: bytes) -> list[Any]:
    mail = message_from_bytes(octets, policy=default)
    assert (mail["Subject"], mail["X-Homing-Kind"]) == ("one", "mms")
    parts = mail.iter_parts()  # type: ignore[attr-defined]
    return [part.get_payload(decode=True) for part in parts if part.get_content_type() == "image/jpeg"]


def test_a_picture_comes_home_as_a_mail(tmp_path: Path) -> None:
    async def go() -> None:
        http_port, pop3_port = free_port(), free_port()
        with relay() as (handler, smtp_port):
            more = (
                f'[pop3]\nlisten = "127.0.0.1:{pop3_port}"\n[smtp]\nhost = "localhost"\nport = {smtp_port}\n'
                f"{LINK}"
            )
            node = NodeProcess(tmp_path, http_port, config(http_port, free_port(), more=more))
            enrol(sqlite_url(node), "acme", "", format="email", email="ann@ox.test", events=("message",))
            await node.start()
            try:
                assert await FarRelay(node).deliver("one", size=SIZE) == 1000
                await until(lambda: bool(handler.mails), 30)
                collected_octets = await asyncio.to_thread(collected, pop3_port)
            finally:
                assert await node.stop() == 0, node.log.read_text()[-4000:]
        ((_, recipients, sent),) = handler.mails
        assert recipients == ["ann@ox.test"]
        assert pictures(sent) == pictures(collected_octets) == [picture_of("one", SIZE)]

    asyncio.run(go())
