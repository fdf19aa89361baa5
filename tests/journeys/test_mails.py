"""Reports and messages of phones as mails, through a real relay with TLS and a login that comes and goes."""

import asyncio
import ssl
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trustme

from homing.links.simulator import Simulator
from tests.journeys.far import NodeProcess, config, enrol, free_port, sqlite_url
from tests.links.smsc import until
from tests.push.relay import Handler, relay

LOGIN = ("homing", "hunter2")
SENT = 100


class Relay:
    """A relay that is started and stopped; what it took it keeps."""

    def __init__(self, authority: trustme.CA) -> None:
        self.handler = Handler()
        self.port = free_port()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(
            relay(handler=self.handler, port=self.port, tls="starttls", context=self._context, login=LOGIN)
        )

    def stop(self) -> None:
        self._running.close()

    def ids(self) -> Counter[str]:
        return Counter(mail["X-Homing-Id"] for mail in self.handler.parsed())


def test_every_event_is_a_mail_though_the_relay_and_the_node_go_away(tmp_path: Path) -> None:
    async def run() -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        server = Relay(authority)
        network = Simulator(latency_ms=2, report_delay_ms=20, keeps_records=True)
        smsc_port = await network.start("127.0.0.1", 0)
        http_port = free_port()
        more = (
            f'[smtp]\nhost = "localhost"\nport = {server.port}\ntls = "starttls"\nuser = "{LOGIN[0]}"\n'
            f'password = "{LOGIN[1]}"\nca_file = "{tmp_path / "ca.pem"}"\nfrom = "homing@example.net"\n'
            '[mailbox]\ndomain = "sms.example.net"\n'
        )
        push = "email_retry_s = [0.2, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"
        node = NodeProcess(tmp_path, http_port, config(http_port, smsc_port, push=push, more=more))
        wish: dict[str, Any] = {"format": "email", "email": "ann@ox.test"}
        enrol(sqlite_url(node), "acme", "", **wish)
        server.start()
        await node.start()
        try:
            for number in range(SENT):
                if number == 30:
                    server.stop()
                if number == 60:
                    await node.kill()
                    await node.start()
                if number == 80:
                    server.start()
                assert (await node.send("447700900001", f"m{number}"))[0] == 200
                network.send_message("447700900123", "60999", f"r{number}\nBcc: eve@ox.test")
            await until(lambda: len(server.ids()) == 2 * SENT, 30)
        finally:
            assert await node.stop() == 0, node.log.read_text()[-4000:]
            server.stop()
            await network.stop()
        mails = server.handler.parsed()
        assert {tuple(recipients) for _, recipients, _ in server.handler.mails} == {("ann@ox.test",)}
        assert {sender for sender, _, _ in server.handler.mails} == {"homing@example.net"}
        kinds = Counter(
            mail["X-Homing-Kind"] for mail in {mail["X-Homing-Id"]: mail for mail in mails}.values()
        )
        assert kinds == {"report": SENT, "message": SENT}
        assert all(mail["Message-ID"].endswith("@sms.example.net>") and "Bcc" not in mail for mail in mails)
        assert server.handler.connections < 40
        copies: dict[str, set[str]] = {}
        for mail in mails:
            copies.setdefault(mail["X-Homing-Id"], set()).add(mail["Message-ID"])
        assert all(len(names) == 1 for names in copies.values())

    asyncio.run(run())
