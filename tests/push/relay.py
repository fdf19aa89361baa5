"""A real SMTP relay for tests (aiosmtpd), in its own thread: keeps what it takes, refuses when told to."""

import contextlib
import ssl
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Handler:
    """What the relay does with mails; ``replies`` are given instead of taking one, by the command."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.connections = 0
        self.options: list[str] = []
        """Of the last MAIL."""
        self.replies: dict[str, list[str]] = {}
        """For EHLO, MAIL, RCPT, DATA: the next replies; the last one stays."""

    def _reply(self, command: str) -> str | None:
        replies = self.replies.get(command)
        if not replies:
            return None
        return replies.pop(0) if len(replies) > 1 else replies[0]

    async def handle_EHLO(
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if not getattr(session, "counted", False):
            session.counted = True  # type: ignore[attr-defined]
            self.connections += 1
        reply = self._reply("EHLO")
        return [reply] if reply else responses

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.options = options
        reply = self._reply("MAIL")
        if reply:
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = self._reply("RCPT")
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        reply = self._reply("DATA")
        if reply:
            return reply
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content))
        return f"250 queued as {len(self.mails)}"

    def parsed(self) -> list[EmailMessage]:
        """The mails as the standard library reads them."""
        return [cast(EmailMessage, message_from_bytes(octets, policy=default)) for _, _, octets in self.mails]


@contextlib.contextmanager
def relay(
    *,
    handler: Handler | None = None,
    port: int = 0,
    tls: str = "none",
    context: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    largest: int = 33_554_432,
) -> Iterator[tuple[Handler, int]]:
    """A relay that listens; gives its handler and its port."""
    handler = handler or Handler()

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = login is not None and (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=is_right, handled=is_right)

    settings: dict[str, Any] = {"data_size_limit": largest}
    if tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
    if login is not None:
        settings |= {"authenticator": check, "auth_required": True, "auth_require_tls": tls == "starttls"}
    controller = _Controller(
        handler, hostname="127.0.0.1", port=port, ssl_context=context if tls == "tls" else None, **settings
    )
    controller.start()
    try:
        assert controller.server is not None
        yield handler, controller.server.sockets[0].getsockname()[1]
    finally:
        controller.stop()


class _Controller(Controller):
    """Listens at any free port when it is 0."""

    def _trigger_server(self) -> None:
        """aiosmtpd connects to itself to see that it listens; it knows the port before, not port 0."""
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
