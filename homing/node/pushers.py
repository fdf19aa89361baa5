"""Both transports towards customers as one: what goes to a URL by HTTP, what goes to an address by mail.

Beside them what fetches from a URL: it has the same certificates and address rules.
"""

import asyncio
import ssl

from homing.config import PushSettings, Settings
from homing.engine.contents import OpenContent
from homing.push.fetch import Fetcher
from homing.push.http import HttpPush, client_context
from homing.push.mail import Done, MailPusher, Relay
from homing.push.streaming import no_content
from homing.wire.push_mail import MailTarget
from homing.wire.streamed import Streamed
from homing.wire.target import Target


class Pushers:
    """Implements ``engine.ports.Pusher``."""

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        open_content: OpenContent = no_content,
    ) -> None:
        """``open_content`` opens contents of MMS by their names."""
        push = settings.push
        self._settings = settings
        self.http = HttpPush(
            loop,
            ssl_context=_http_context(push),
            source_address=push.source_address or None,
            allow_private_networks=push.allow_private_networks,
            expect_s=push.expect_s,
            give_up_s=push.give_up_s,
            max_answer_bytes=push.max_answer_bytes,
            open_content=open_content,
        )
        self.fetcher = Fetcher(
            ssl_context=self.http.ssl_context,
            source_address=push.source_address or None,
            allow_private_networks=push.allow_private_networks,
            give_up_s=settings.mms.fetch_s,
        )
        self.mail = MailPusher(
            loop,
            _relay(settings),
            open_content,
            ssl_context=_mail_context(settings),
            give_up_s=push.give_up_s,
        )

    def send(self, target: Target | MailTarget, request: bytes | Streamed, token: object, done: Done) -> None:
        """Make one attempt; ``done(token, answer)`` is called once, later."""
        if type(target) is Target:
            self.http.send(target, request, token, done)
        else:
            assert isinstance(target, MailTarget)
            assert isinstance(request, bytes)
            self.mail.send(target, request, token, done)

    async def close(self, drain_s: float = 0.0) -> None:
        """Wait up to ``drain_s`` for what is under way, then close everything."""
        await asyncio.gather(self.http.close(drain_s), self.mail.close(drain_s))

    def reload(self) -> None:
        """Read certificates anew; what cannot be read is an ``OSError``, and the former ones stay."""
        http, mail = _http_context(self._settings.push), _mail_context(self._settings)
        self.http.ssl_context = self.fetcher.ssl_context = http
        self.mail.ssl_context = mail


def mail_sender(settings: Settings) -> str:
    """The address that mails are sent from."""
    return settings.smtp.sender or f"homing@{settings.mailbox.domain}"


def _relay(settings: Settings) -> Relay | None:
    smtp = settings.smtp
    if not smtp.host:
        return None
    return Relay(
        host=smtp.host, port=smtp.port, tls=smtp.tls, user=smtp.user, password=smtp.password,
        sender=mail_sender(settings), domain=settings.mailbox.domain, connections=smtp.connections,
    )  # fmt: skip


def _http_context(push: PushSettings) -> ssl.SSLContext:
    return client_context(None if push.ca_file is None else str(push.ca_file))


def _mail_context(settings: Settings) -> ssl.SSLContext:
    ca_file = settings.smtp.ca_file
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return context
