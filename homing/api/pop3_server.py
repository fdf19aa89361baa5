"""The POP3 server: sessions of ``wire/pop3.py`` over sockets, on the one mailbox of each account.

Promises: what a session deletes is deleted for good before its ``QUIT`` is answered, or not at all; a
connection that is lost deletes nothing and marks nothing as read. One session at a time per mailbox. Every
connection has its bounds: their number in total and for each client address, idle time, line length, and what
waits to be read.

Pipelined commands are answered in one write. Mails come from the store in pages that begin with the one that
is asked for. An MMS is read while it is sent, no faster than the client takes it; when what it carries cannot
be read to its end, the connection is closed in the middle of the mail.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

import structlog

from homing import __version__
from homing.api.client_address import place_of
from homing.api.login import Logins
from homing.engine.mailbox import Drop, Mailbox
from homing.model.errors import Kind, Refusal, StoreUnavailable
from homing.wire.mail_pieces import MailPieces, WrittenMail, top_of
from homing.wire.pop3 import Fetch, Login, Policy, Pop3Session, StartTls, Update

log = structlog.get_logger(__name__)

PAGE: Final = 200
"""Mails read from the store at once."""
CODES: Final[Mapping[Kind, str]] = {
    "unauthorised": "AUTH",
    "forbidden": "SYS/PERM",
    "too_fast": "SYS/TEMP",
}


class Pop3Server:
    """All POP3 listeners of a node."""

    def __init__(
        self,
        mailbox: Mailbox,
        logins: Logins,
        *,
        tls_context: ssl.SSLContext | None = None,
        require_tls: bool = False,
        max_connections: int = 1000,
        max_per_address: int = 250,
        idle_timeout_s: float = 600,
        retention_d: int = 30,
    ) -> None:
        self.mailbox = mailbox
        self.logins = logins
        self.tls_context = tls_context
        self.idle_timeout_s = idle_timeout_s
        self.policy = Policy(
            can_start_tls=tls_context is not None,
            require_tls=require_tls,
            login_delay_s=round(mailbox.polling.interval_s),
            expire_d=retention_d,
            implementation=f"Homing-{__version__}",
        )
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._servers: list[asyncio.Server] = []
        self.sessions: set[_Connection] = set()
        self._by_address: Counter[str] = Counter()
        self.accepted = 0
        self.refused = 0
        self.retrieved = 0

    async def start(self, bound: socket.socket, *, is_tls: bool) -> None:
        """Take connections of a bound socket."""
        loop = asyncio.get_running_loop()
        context = self.tls_context if is_tls else None
        self._servers.append(
            await loop.create_server(lambda: _Connection(self, is_tls), sock=bound, ssl=context)
        )

    @property
    def ports(self) -> list[int]:
        return [server.sockets[0].getsockname()[1] for server in self._servers if server.sockets]

    @property
    def is_listening(self) -> bool:
        return all(server.is_serving() for server in self._servers)

    async def stop(self, drain_s: float) -> None:
        """Take no more connections, and end sessions; what is being deleted has so long to be deleted."""
        for server in self._servers:
            server.close()
        tasks = [session.task for session in self.sessions if session.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=drain_s)
        for session in list(self.sessions):
            session.end("the server is about to stop")

    def admit(self, session: "_Connection", address: str) -> str | None:
        """Count a connection; the text says why it cannot stay."""
        place = place_of(address)
        self.sessions.add(session)
        self._by_address[place] += 1
        self.accepted += 1
        if len(self.sessions) > self._max_connections:
            return "too many connections"
        if self._by_address[place] > self._max_per_address:
            return "too many connections from your address"
        return None

    def forget(self, session: "_Connection", address: str) -> None:
        """A connection has ended."""
        if session in self.sessions:
            self.sessions.discard(session)
            place = place_of(address)
            self._by_address[place] -= 1
            if not self._by_address[place]:
                del self._by_address[place]


class _Connection(asyncio.Protocol):
    """One connection with its session."""

    def __init__(self, server: Pop3Server, is_tls: bool) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._session = Pop3Session(server.policy, is_tls=is_tls)
        self._is_tls = is_tls
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._account: str | None = None
        """Whose mailbox is locked."""
        self._drop: Drop | None = None
        self._page: Mapping[int, WrittenMail] = {}
        """Mails at hand, by event."""
        self._may_write = asyncio.Event()
        """Whether the client takes what is written, or is gone."""
        self._may_write.set()
        self.task: asyncio.Task[None] | None = None
        self._is_upgrading = False
        self._used_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._is_upgrading:  # the same connection, under TLS
            self._is_upgrading = False
            return
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if peer else ""
        why = self._server.admit(self, self._address)
        if why is not None:
            self._server.refused += 1
            self._session.data_to_send()
            self._session.fail(why)
        self._timer = self._loop.call_later(self._server.idle_timeout_s, self._look)
        self._write()

    def data_received(self, data: bytes) -> None:
        self._used_s = self._loop.time()
        self._session.receive_data(data)
        self._serve()

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()  # who does not read his mails asks for no more
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._may_write.set()
        self._server.forget(self, self._address)
        if self._timer is not None:
            self._timer.cancel()
        if self.task is None:
            self._release()

    def end(self, text: str) -> None:
        """End it with an error; nothing is deleted."""
        self._session.fail(text)
        self._write()

    def close(self) -> None:
        """End it without a word; nothing is deleted."""
        if self._transport is not None:
            self._transport.close()

    def _look(self) -> None:
        """End a session that says nothing."""  # RFC 1939 §3
        idle_s = self._loop.time() - self._used_s
        left_s = self._server.idle_timeout_s - idle_s
        if left_s <= 0 and self.task is None:
            self.close()
        else:
            self._timer = self._loop.call_later(max(left_s, 0.05), self._look)

    # --- the session ---

    def _serve(self) -> None:
        """Do what needs no waiting, write what there is, begin what needs waiting."""
        session, page = self._session, self._page
        while isinstance(session.event, Fetch):
            assert self._drop is not None
            mail = page.get(self._drop.entries[session.event.number - 1].id)
            if mail is None or isinstance(mail, MailPieces):
                break
            self._server.retrieved += 1
            session.give(mail)
        if isinstance(session.event, StartTls) and self._transport is not None:
            self._transport.pause_reading()  # what comes now is TLS
        self._write()
        if session.event is not None and self.task is None and not session.is_closed:
            self.task = self._loop.create_task(self._wait())

    async def _wait(self) -> None:
        """Answer the event that the session waits for, in a task of its own."""
        try:
            await self._answer()
        except Exception:
            log.exception("pop3_session_failed")
            self._session.fail("something went wrong here")
        finally:
            self.task = None
            self._used_s = self._loop.time()
            if self._transport is None or (self._transport.is_closing() and not self._is_upgrading):
                self._release()
        self._serve()
        self._read_on()

    def _answer(self) -> Coroutine[Any, Any, None]:
        event = self._session.event
        if isinstance(event, Login):
            return self._log_in(event)
        if isinstance(event, Fetch):
            return self._fetch(event)
        if isinstance(event, Update):
            return self._update(event)
        assert isinstance(event, StartTls)
        return self._start_tls()

    async def _log_in(self, event: Login) -> None:
        server, session = self._server, self._session
        try:
            account = (await server.logins.account(event.name, event.password, self._address)).name
        except Refusal as refusal:
            session.refuse(CODES.get(refusal.kind, "SYS/TEMP"), refusal.text)
            return
        if not server.mailbox.lock(account):
            session.refuse("IN-USE", "another session has this mailbox")
            return
        wait_s = server.mailbox.poll(account)
        if wait_s:
            server.mailbox.unlock(account)
            session.refuse("LOGIN-DELAY", f"log in again in {int(wait_s) + 1} s")
            return
        self._account = account
        try:
            self._drop = await server.mailbox.drop(account)
        except StoreUnavailable:
            self._release()
            server.mailbox.emptied_page(account)  # it was none
            session.refuse("SYS/TEMP", "the mailbox cannot be read now")
            return
        self._page = self._drop.first
        session.welcome([(entry.uid, entry.size) for entry in self._drop.entries])

    async def _fetch(self, event: Fetch) -> None:
        """Have the mail that is asked for at hand; one in pieces is given from here."""
        assert self._drop is not None
        id_ = self._drop.entries[event.number - 1].id
        if id_ not in self._page:
            try:
                self._page = await self._read_page(event.number - 1)
            except StoreUnavailable:
                self._session.give(None)
                return
        mail = self._page.get(id_)
        if mail is None:  # deleted in another face meanwhile, or not as it was listed
            self._session.give(None)
        elif isinstance(mail, MailPieces):
            await self._give_in_pieces(mail if event.lines is None else top_of(mail, event.lines), len(mail))

    async def _read_page(self, begin: int) -> Mapping[int, WrittenMail]:
        """The mails from a place on. An MMS whose content went since the login is none of them."""
        assert self._drop is not None
        assert self._account is not None
        entries = self._drop.entries[begin : begin + PAGE]
        found = await self._server.mailbox.mails(self._account, [entry.id for entry in entries])
        sizes = {entry.id: entry.size for entry in entries}
        return {id_: mail for id_, mail in found.items() if len(mail) == sizes[id_]}

    async def _give_in_pieces(self, asked: MailPieces, size: int) -> None:
        """Send a mail, or its top, while it is read; ``size`` is that of the whole mail."""
        session = self._session
        has_begun = False
        try:
            async with aclosing(self._server.mailbox.chunks(asked)) as chunks:
                async for octets in chunks:
                    if not has_begun:
                        session.begin(size)
                        has_begun = True
                    session.add(octets)
                    self._write()
                    await self._until_taken()
                    if session.is_closed:
                        return
        except (StoreUnavailable, FileNotFoundError) as error:
            if not has_begun:
                session.give(None)
                return
            log.warning("pop3_mail_cut_off", error=str(error))
            session.fail("the message cannot be read now")
            return
        self._server.retrieved += 1
        session.end()

    async def _until_taken(self) -> None:
        """Wait until the client has room for more; one that takes nothing for too long is not waited for."""
        assert self._transport is not None
        if not self._may_write.is_set():
            try:
                async with asyncio.timeout(self._server.idle_timeout_s):
                    await self._may_write.wait()
            except TimeoutError:
                self._transport.abort()
        if self._transport.is_closing():
            self._session.fail("the connection is gone")

    async def _update(self, event: Update) -> None:
        """Delete and mark, durably, and only then say so."""
        assert self._drop is not None
        assert self._account is not None
        entries = self._drop.entries
        mailbox = self._server.mailbox
        try:
            await mailbox.mark(
                self._account,
                read=[entries[number - 1].id for number in event.retrieved],
                deleted=[entries[number - 1].id for number in event.deleted],
            )
        except StoreUnavailable:
            self._session.updated(False)
        else:
            if self._drop.has_more and event.deleted:
                mailbox.emptied_page(self._account)
            self._session.updated(True)
        self._release()

    async def _start_tls(self) -> None:
        assert self._transport is not None
        assert self._server.tls_context is not None
        self._is_upgrading = True
        await asyncio.sleep(0)  # the answer leaves first
        try:
            upgraded = await self._loop.start_tls(
                self._transport, self, self._server.tls_context, server_side=True
            )
        except (OSError, ssl.SSLError, ConnectionError):
            self._is_upgrading = False
            self.close()
            return
        self._is_upgrading = False
        self._transport = cast(asyncio.Transport, upgraded)
        self._session.tls_started()

    def _release(self) -> None:
        if self._account is not None:
            self._server.mailbox.unlock(self._account)
            self._account = None

    def _write(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            self._session.data_to_send()
            return
        octets = self._session.data_to_send()
        if octets:
            transport.write(octets)
        if self._session.is_closed:
            transport.close()
        elif self._session.is_full:
            transport.pause_reading()

    def _read_on(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self._session.is_full:
            transport.resume_reading()
