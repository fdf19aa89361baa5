"""The e-mail transport: events as mails, through one relay, over a few connections that stay open.

Each mail is answered once, with the reply of the relay: its status decides. Trouble of the relay itself (not
reached, TLS, login, greeting) is an error without a status, so the mail comes again however the relay put it.
Events for a digest wait a moment for each other and become one mail, whose reply is the answer to each.

An MMS goes with its parts, which are read while it is sent; when they are gone, it is a text that says so.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Literal

import aiosmtplib
import msgspec
import structlog

from homing.engine.contents import OpenContent
from homing.engine.mail_chunks import read_chunks
from homing.model.delivery import ANSWER_CAP, Answer
from homing.model.errors import StoreUnavailable
from homing.model.message import ReceivedMessage
from homing.push.smtp_data import send_in_pieces
from homing.wire.mail import MailWriter
from homing.wire.mail_digest import write_digest
from homing.wire.mail_pieces import MailPieces
from homing.wire.push_mail import MailTarget, Posting, read_posting

log = structlog.get_logger(__name__)

IDLE_S = 30.0
"""A connection without work is closed after this."""
GATHER_S, GATHER_MOST_S = 0.5, 5.0
"""A digest is closed when nothing has come for so long, or after so long."""
GATHER_LIMIT = 10_000

Done = Callable[[Any, Answer], None]


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """The relay, and the addresses that mails carry."""

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = ""
    sender: str = ""
    """Where errors return to; who sends."""
    domain: str = "homing.invalid"
    """Makes numbers into addresses."""
    connections: int = 4


class _Job:
    """One mail, and whom to tell how it went."""

    __slots__ = ("address", "began_s", "octets", "pieces", "told")

    def __init__(
        self,
        address: str,
        octets: bytes,
        told: Sequence[tuple[object, Done]],
        pieces: MailPieces | None = None,
    ) -> None:
        """``pieces`` is the mail with its content; ``octets`` are sent when there is none."""
        self.address = address
        self.octets = octets
        self.pieces = pieces
        self.told = told
        self.began_s = monotonic()


class _Gathering:
    """Events that become one digest."""

    __slots__ = ("began_s", "postings", "timer", "told")

    def __init__(self) -> None:
        self.postings: list[Posting] = []
        self.told: list[tuple[object, Done]] = []
        self.began_s = monotonic()
        self.timer: asyncio.TimerHandle | None = None


class RelayTrouble(Exception):
    """The relay could not be used; nothing is said about any mail."""


class MailPusher:
    """Sends mails. All calls and callbacks belong to the thread of the running loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        relay: Relay | None,
        open_content: OpenContent | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        give_up_s: float = 60.0,
    ) -> None:
        """``open_content`` gives what an MMS carries; without it each is sent as if that were gone."""
        self._loop = loop
        self._relay = relay
        self._open_content = open_content
        self.ssl_context = ssl_context
        """Used by connections from now on; may be exchanged when certificates are reloaded."""
        self._give_up_s = give_up_s
        self._jobs: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._workers: set[asyncio.Task[None]] = set()
        self._idle = 0
        self._gatherings: dict[MailTarget, _Gathering] = {}
        self.in_flight = 0
        self.connections_opened = 0

    def send(self, target: MailTarget, request: bytes, token: object, done: Done) -> None:
        """Send one event; ``done(token, answer)`` is called once, later."""
        self.in_flight += 1
        posting = read_posting(request)
        if target.digest_min is not None:
            self._gather(target, posting, token, done)
            return
        relay = self._relay
        writer = MailWriter(
            relay.domain if relay else "homing.invalid",
            to=target.address,
            sender=relay.sender if relay else None,
        )
        event = posting.event
        more = (("Homing-Event-Id", str(event.id)), ("Homing-Attempt", str(posting.attempt)))
        pieces = None
        if type(event) is ReceivedMessage and event.mms is not None and self._open_content is not None:
            pieces = writer.write_mms(event, more)
        self._put(_Job(target.address, writer.write(event, more), [(token, done)], pieces))

    async def close(self, drain_s: float = 0.0) -> None:
        """Wait up to ``drain_s`` for what is under way; what is left is not answered, and spends none."""
        for target in list(self._gatherings):
            self._close_gathering(target)
        until_s = monotonic() + drain_s
        while self.in_flight and monotonic() < until_s:  # noqa: ASYNC110  (nothing counts them one by one)
            await asyncio.sleep(0.02)
        self._jobs.clear()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    # --- digests ---

    def _gather(self, target: MailTarget, posting: Posting, token: object, done: Done) -> None:
        gathering = self._gatherings.get(target)
        if gathering is None:
            gathering = self._gatherings[target] = _Gathering()
        gathering.postings.append(posting)
        gathering.told.append((token, done))
        if gathering.timer is not None:
            gathering.timer.cancel()
        if len(gathering.postings) >= GATHER_LIMIT or monotonic() - gathering.began_s > GATHER_MOST_S:
            self._close_gathering(target)
        else:
            gathering.timer = self._loop.call_later(GATHER_S, self._close_gathering, target)

    def _close_gathering(self, target: MailTarget) -> None:
        gathering = self._gatherings.pop(target, None)
        if gathering is None:
            return
        if gathering.timer is not None:
            gathering.timer.cancel()
        relay = self._relay or Relay(host="")
        octets = write_digest(
            [posting.event for posting in gathering.postings],
            domain=relay.domain,
            to=target.address,
            sender=relay.sender or f"homing@{relay.domain}",
        )
        self._put(_Job(target.address, octets, gathering.told))

    # --- jobs and connections ---

    def _put(self, job: _Job) -> None:
        if self._relay is None:
            self._loop.call_soon(self._tell, job, _trouble("no relay is configured: set [smtp] host", job))
            return
        self._jobs.append(job)
        self._wake.set()
        if len(self._jobs) > self._idle and len(self._workers) < self._relay.connections:
            worker = self._loop.create_task(self._work(self._relay))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self, relay: Relay) -> None:
        """One connection: opened when there is a mail, kept while there are more."""
        client: aiosmtplib.SMTP | None = None
        try:
            while await self._is_wanted():
                job = self._jobs.popleft()
                answer: Answer | None = None
                try:
                    async with asyncio.timeout(self._give_up_s - (monotonic() - job.began_s)):
                        if client is None or not client.is_connected:
                            client = await self._connect(relay)
                        answer = await _post(client, relay.sender, job, self._open_content)
                except TimeoutError:
                    error = "timeout"
                except (RelayTrouble, StoreUnavailable) as trouble:
                    error = str(trouble)
                except Exception as problem:
                    error = f"mail not sent: {type(problem).__name__}"
                if answer is None:
                    answer = _trouble(error, job)
                    if client is not None:
                        client.close()
                        client = None
                self._tell(job, answer)
        finally:
            if client is not None and client.is_connected:
                client.close()

    async def _is_wanted(self) -> bool:
        """Whether there is a mail; waits a while for one."""
        while not self._jobs:
            self._wake.clear()
            self._idle += 1
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_S)
            except TimeoutError:
                return False
            finally:
                self._idle -= 1
        return True

    async def _connect(self, relay: Relay) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=self.ssl_context if relay.tls != "none" else None,
            timeout=self._give_up_s,
        )
        try:
            await client.connect()
            if relay.user:
                await client.login(relay.user, relay.password)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise RelayTrouble(f"the relay refused the login: {error.code}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise RelayTrouble(f"the relay refused to begin: {error.code} {_cut(error.message)}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise RelayTrouble(f"the relay was not reached: {_reason(error)}") from None
        self.connections_opened += 1
        return client

    def _tell(self, job: _Job, answer: Answer) -> None:
        self.in_flight -= len(job.told)
        for token, done in job.told:
            try:
                done(token, answer)
            except Exception:
                log.exception("after_mail_failed")


async def _post(client: aiosmtplib.SMTP, sender: str, job: _Job, open_content: OpenContent | None) -> Answer:
    """Hand one mail over; a reply that refuses it is an answer as well, and the connection stays."""
    try:
        if job.pieces is not None and open_content is not None:
            with suppress(FileNotFoundError):  # the content is gone
                chunks = read_chunks(job.pieces, open_content)
                said = await send_in_pieces(client, sender, job.address, job.pieces, chunks)
                return _replied(250, said, job)
        _, said = await client.sendmail(sender, [job.address], job.octets)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        recipient = refused.recipients[0]
        return _replied(recipient.code, recipient.message, job)
    except aiosmtplib.SMTPServerDisconnected:
        raise RelayTrouble("the relay closed the connection") from None
    except aiosmtplib.SMTPResponseException as error:
        if error.code == aiosmtplib.SMTPStatus.domain_unavailable:  # 421: it is about to close
            raise RelayTrouble(f"the relay is not available: {error.code} {_cut(error.message)}") from None
        return _replied(error.code, error.message, job)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise RelayTrouble(f"the relay was lost: {_reason(error)}") from None
    return _replied(250, said, job)


def _replied(code: int, text: str, job: _Job) -> Answer:
    octets = text.encode("utf-8", "replace")
    return Answer(status=code, body=octets[:ANSWER_CAP], length=len(octets), took_ms=_took_ms(job))


def _trouble(error: str, job: _Job) -> Answer:
    return Answer(
        status=None, body=b"", length=0, took_ms=_took_ms(job), error=error[:ANSWER_CAP], congested=True
    )


def _took_ms(job: _Job) -> int:
    return int((monotonic() - job.began_s) * 1000)


def _reason(error: Exception) -> str:
    """A few words that repeat nothing of the login."""
    return _cut(str(error)) or type(error).__name__


def _cut(text: str) -> str:
    return " ".join(text.split())[:200]
