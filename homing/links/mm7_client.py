"""The sending side of an MM7 link: MMS to one relay, each a request of its own. The engine's port ``Link``.

There is no session. The link counts as bound until the relay cannot be reached, does not answer in time, or
does not know us; then it rests, ``reconnect_min_s`` at first and doubling, and is ``connecting`` meanwhile.
When the relay answers something that is no answer it rests as well, and is bound. What was under way is told
as lost, and sent again: at least once. What the relay says of a message is told as it is.

A message to which the relay always answers something that is none, while it takes others, is refused in the
end: it must not hold them up.

A link without ``submit_url`` only receives: it takes nothing to send, and is shown as bound all the same,
for nothing is wrong with it. The password is in no log and in no status.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import structlog

from homing.engine.ports import LinkListener, Outgoing
from homing.links.mm7_answers import Verdict, read_answer
from homing.links.mm7_options import Mm7Options
from homing.links.mm7_server import Counters as Received
from homing.links.smpp_status import Counters, Rates, time_text
from homing.links.throughput import Throughput
from homing.links.tls import client_context
from homing.model.clock import now_ms
from homing.model.delivery import Answer
from homing.model.message import Medium
from homing.wire.mm7_request import Relay, render_submit
from homing.wire.smpp_codes import CommandStatus
from homing.wire.streamed import Streamed
from homing.wire.target import Target, read_url

log = structlog.get_logger(__name__)

SUSPECT_TRIES = 5
"""After so many answers that were none, to the same message, it is the message."""
SUSPECTS = 1_000
"""Messages of which this is known."""


class Transport(Protocol):
    """What requests leave by; the push transport is one. Everything happens on the loop."""

    ssl_context: ssl.SSLContext
    """Used by connections from now on."""

    def send(
        self, target: Target, request: Streamed, token: object, done: Callable[[Any, Answer], None]
    ) -> None:
        """Send one request; ``done(token, answer)`` is called once, later."""

    async def close(self, drain_s: float = 0.0) -> None:
        """Wait so long for what is under way, then close everything."""


class Mm7Link:
    """See the module. Everything happens on the loop that ``start`` is called on."""

    medium: Medium = "mms"

    def __init__(
        self,
        options: Mm7Options,
        *,
        listener: LinkListener,
        open_transport: Callable[[], Transport],
        received: Received | None = None,
    ) -> None:
        """``open_transport`` is called when the link sends at all; ``received`` is of the receiving side.

        ``ValueError``: the URL cannot be read.
        """
        self.options = options
        self.counters = Counters()
        self._received = received or Received()
        self._listener = listener
        self._relay = _relay(options) if options.submit_url else None
        self._transport = open_transport() if self._relay is not None else None
        self._throughput = Throughput(options.throughput_per_s, self._tell_ready)
        self._rates = Rates()
        self._sample_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._rest_s = options.reconnect_min_s
        self._is_away = False
        """The relay was not there, or did not know us: nothing waits for this link."""
        self._in_trouble = False
        """No answer has come since the last trouble: one submission at a time, to see."""
        self._suspects: dict[int, tuple[int, int]] = {}
        """By submission, answers that were none, and how many the relay had taken before the first."""
        self._taken = 0
        self._is_started = False
        self._stopping = False
        self._settled = asyncio.Event()
        self._since_ms = now_ms()
        self._last_error: str | None = None
        self.in_flight = 0
        """Submissions sent and not answered."""
        self.reconnects = 0
        """How often the relay answered again after a trouble."""

    # The port

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def scope(self) -> str:
        return self.options.scope

    @property
    def prefixes(self) -> Sequence[str]:
        return self.options.prefixes

    @property
    def is_bound(self) -> bool:
        """Whether it takes submissions."""
        return self._relay is not None and self.state == "bound"

    def room(self) -> int:
        if not self.is_bound or self._stopping or self._rest_timer is not None:
            return 0
        window = 1 if self._in_trouble else self.options.window
        return self._throughput.room(max(0, window - self.in_flight))

    def submit(self, batch: Sequence[Outgoing]) -> None:
        """Send; what finds no room is told as lost."""
        taken, left = batch[: self.room()], batch[self.room() :]
        relay, transport = self._relay, self._transport
        if relay is not None and transport is not None:
            for outgoing in taken:
                self.in_flight += 1
                self.counters.sent += 1
                transport.send(
                    relay.target, render_submit(relay, outgoing.submission), outgoing, self._answered
                )
        self._throughput.take(len(taken))
        if left:  # told later: the listener is in the middle of giving, and would give more
            asyncio.get_running_loop().call_soon(self._listener.lost, self, left)

    # Life

    def start(self) -> None:
        """Take submissions from now on, on the running loop."""
        self._is_started = True
        self._since_ms = now_ms()
        self._sample()
        self._tell_ready()

    async def stop(self, drain_s: float) -> None:
        """Take nothing new, wait up to ``drain_s`` for answers, close."""
        self._stopping = True
        if self.in_flight:
            try:
                await asyncio.wait_for(self._settled.wait(), drain_s)
            except TimeoutError:
                log.warning("link_not_drained", link=self.name, in_flight=self.in_flight)
        if self._transport is not None:
            await self._transport.close()
        self._throughput.stop()
        for timer in (self._sample_timer, self._rest_timer):
            if timer is not None:
                timer.cancel()
        self._is_started = False
        self._since_ms = now_ms()

    def reload_tls(self) -> None:
        """Read the TLS files again, for connections from now on; when they are unusable the old ones stay."""
        if self._transport is None:
            return
        try:
            self._transport.ssl_context = tls_context(self.options)
        except OSError as error:
            log.error("tls_files_not_read", link=self.name, error=str(error))

    # What operators see

    @property
    def state(self) -> Literal["bound", "connecting", "down"]:
        if not self._is_started:
            return "down"
        return "connecting" if self._is_away else "bound"

    def status(self) -> dict[str, Any]:
        """For ``homing links``: the fields of an SMPP link, with one bind when it sends."""
        counters = self.counters
        loop_s = asyncio.get_running_loop().time()
        received = self._received
        sent_per_s, received_per_s = self._rates.per_s(
            loop_s, counters.sent, received.received + received.receipts
        )
        target = None if self._relay is None else self._relay.target
        since = time_text(self._since_ms)
        bind = {"type": "mm7", "state": self.state, "since": since, "in_flight": self.in_flight}
        return {
            "name": self.name,
            "kind": "mm7",
            "state": self.state,
            "since": since,
            "host": target.host if target else "",
            "port": target.port if target else 0,
            "window": self.options.window,
            "in_flight": self.in_flight,
            "sent_per_s": sent_per_s,
            "received_per_s": received_per_s,
            **{name: getattr(counters, name) for name in counters.__slots__},
            **{name: getattr(received, name) for name in ("received", "receipts", "refused")},
            "reconnects": self.reconnects,
            "last_error": self._last_error or received.last_error,
            "binds": [bind] if target else [],
        }

    # Inside

    def _answered(self, outgoing: Outgoing, answer: Answer) -> None:
        self.in_flight -= 1
        verdict = read_answer(answer)
        if verdict.command_status is None and verdict.is_suspect and self._is_its_own_fault(outgoing):
            self._tell(outgoing, verdict, CommandStatus.ESME_RSUBMITFAIL)
        elif verdict.command_status is None:
            self._meet_trouble(outgoing, verdict)
        else:
            if self._in_trouble and answer.error is None:
                self._in_trouble = False
                self._rest_s = self.options.reconnect_min_s
                self.reconnects += 1
            self._tell(outgoing, verdict, verdict.command_status)
        if self._stopping:
            if not self.in_flight:
                self._settled.set()
        else:
            self._tell_ready()

    def _tell(self, outgoing: Outgoing, verdict: Verdict, status: int) -> None:
        """What has come of this submission, be it good or bad."""
        if status != CommandStatus.ESME_RTHROTTLED:
            self._suspects.pop(outgoing.submission.id, None)
        if status == CommandStatus.ESME_ROK:
            self._taken += 1
        if status == CommandStatus.ESME_RTHROTTLED:
            self.counters.throttled += 1
        elif status:
            self._last_error = verdict.why
            log.info("submission_refused", link=self.name, submission=outgoing.submission.id, why=verdict.why)
        self._listener.answered(self, [(outgoing, status, verdict.message_id)])

    def _meet_trouble(self, outgoing: Outgoing, verdict: Verdict) -> None:
        self.counters.lost += 1
        self._last_error = verdict.why
        self._in_trouble = True
        was_bound = self.is_bound
        if was_bound and not self._stopping:
            if not verdict.is_suspect:
                self._is_away = True
                self._since_ms = now_ms()
            self._rest(verdict)
        self._listener.lost(self, [outgoing], last=verdict.is_suspect)
        if was_bound and not self.is_bound:
            self._listener.unbound(self)

    def _rest(self, verdict: Verdict) -> None:
        if self._rest_timer is None:
            log.warning("relay_in_trouble", link=self.name, why=verdict.why, rest_s=self._rest_s)
            self._rest_timer = asyncio.get_running_loop().call_later(self._rest_s, self._try_again)
            self._rest_s = min(self._rest_s * 2, self.options.reconnect_max_s)

    def _is_its_own_fault(self, outgoing: Outgoing) -> bool:
        """Whether the relay has had its trouble with this message often enough, and has taken others."""
        id_ = outgoing.submission.id
        tries, taken = self._suspects.pop(id_, (0, self._taken))
        if tries + 1 >= SUSPECT_TRIES and self._taken > taken:
            return True
        self._suspects[id_] = (tries + 1, taken)
        if len(self._suspects) > SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        return False

    def _try_again(self) -> None:
        self._rest_timer = None
        if self._is_away:
            self._is_away = False
            self._since_ms = now_ms()
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self.room():
            self._listener.ready(self)

    def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        received = self._received
        self._rates.sample(loop.time(), self.counters.sent, received.received + received.receipts)
        self._sample_timer = loop.call_later(1.0, self._sample)


def tls_context(options: Mm7Options) -> ssl.SSLContext:
    """How connections to the relay are secured, when its URL begins with https."""
    context = client_context(options)
    context.set_alpn_protocols(["http/1.1"])  # RFC 7301 §6
    return context


def _relay(options: Mm7Options) -> Relay:
    target, path = read_url(options.submit_url)
    return Relay(
        target=target, path=path, user=options.user, password=options.password, vasp_id=options.vasp_id,
        vas_id=options.vas_id, namespace=options.mm7_namespace, version=options.mm7_version,
    )  # fmt: skip
