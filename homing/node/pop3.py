"""The POP3 side of a node: its server as ``[pop3]`` says, on sockets bound before anything starts."""

import socket
import ssl
from pathlib import Path

from homing.api.login import Logins
from homing.api.pop3_server import Pop3Server
from homing.config import Settings, host_and_port
from homing.engine.mailbox import Mailbox
from homing.node.listeners import bind, server_context


class Pop3:
    """Binds when it is made; an address that cannot be had is an ``OSError`` that names it."""

    def __init__(self, settings: Settings, mailbox: Mailbox, logins: Logins) -> None:
        pop3 = settings.pop3
        self._files = certificate_files(settings)
        self._context = _context(self._files)
        self._bound: list[tuple[socket.socket, bool]] = [
            (bind(*host_and_port(listen)), is_tls)
            for listen, is_tls in ((pop3.listen, False), (pop3.listen_tls, True))
            if listen
        ]
        self.server = Pop3Server(
            mailbox,
            logins,
            tls_context=self._context,
            require_tls=pop3.require_tls,
            max_connections=pop3.max_connections,
            max_per_address=pop3.max_connections_per_address,
            idle_timeout_s=pop3.idle_timeout_s,
            retention_d=settings.mailbox.retention_d,
        )

    async def start(self) -> None:
        """Returns when sessions are taken."""
        for bound, is_tls in self._bound:
            await self.server.start(bound, is_tls=is_tls)

    def reload(self) -> None:
        """Use the certificate and key as they now are for sessions from now on."""
        if self._context is not None and self._files is not None:
            self._context.load_cert_chain(*self._files)


def certificate_files(settings: Settings) -> tuple[Path, Path] | None:
    """Certificate chain and key of POP3: its own, else those of HTTP."""
    for section in (settings.pop3, settings.http):
        if section.tls_certificate is not None and section.tls_key is not None:
            return section.tls_certificate, section.tls_key
    return None


def _context(files: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = server_context(*files)
    context.set_alpn_protocols(["pop3"])  # RFC 7301 §6
    return context
