"""The links of a node, made from its configuration, and the simulators that some of them are connected to."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import structlog

from homing.config import LinkSettings, Settings, host_and_port
from homing.engine.contents import OpenContent
from homing.engine.intake import Intake
from homing.engine.ports import Link, LinkListener
from homing.links.mm7_client import Mm7Link, tls_context
from homing.links.mm7_options import Mm7Options
from homing.links.mm7_server import Counters as Received
from homing.links.mmsc import Mmsc, Vasp
from homing.links.simulator import Simulator
from homing.links.smpp import SmppLink
from homing.links.smpp_options import SmppOptions
from homing.node.own_url import relay_url
from homing.push.http import HttpPush

log = structlog.get_logger(__name__)

MM7_ANSWER_BYTES = 65_536
"""What is read of a relay's answer, and kept until it has been understood."""
ENVELOPE_BYTES = 1_048_576
"""Octets of a request to the simulated MMSC beside its content."""
SIMULATED = "simulator"

_SMPP = frozenset(SmppOptions.__struct_fields__) & frozenset(LinkSettings.__struct_fields__)
_MM7 = frozenset(Mm7Options.__struct_fields__) & frozenset(LinkSettings.__struct_fields__)


class NetworkLink(Link, Protocol):
    """A link as a node runs it."""

    def start(self) -> None:
        """Begin, on the running loop."""

    async def stop(self, drain_s: float) -> None:
        """Take nothing new, let what is under way end within this time, close."""

    def reload_tls(self) -> None:
        """Read the TLS files again."""

    def status(self) -> dict[str, Any]:
        """For ``homing links``, ``/readyz`` and the metrics; the same fields for every kind."""


class Networks:
    """Everything that this node is connected to networks by."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.links: list[NetworkLink] = []
        self.simulator: Simulator | None = None
        self.simulator_port: int | None = None
        self.mmsc: Mmsc | None = None
        self.mmsc_port: int | None = None

    async def start(
        self,
        listener: LinkListener,
        intake: Intake,
        add: Callable[[NetworkLink], None],
        *,
        open_content: OpenContent,
        received: Mapping[str, Received],
        http_port: int | None,
    ) -> None:
        """Start the simulators, make every link, ``add`` it where it is routed, and let it connect.

        ``received`` is what the receiving sides of MM7 links count, by name; ``http_port`` is where this node
        takes plain HTTP, for what the simulated MMSC has to say to it.
        """
        if any(link.kind == "simulator" for link in self._settings.link):
            await self._start_simulator()
        if any(_is_simulated(link) for link in self._settings.link):
            await self._start_mmsc(http_port)
        for settings in self._settings.link:
            if settings.kind == "mm7":
                link: NetworkLink = self._mm7_link(settings, listener, open_content, received)
            else:
                link = SmppLink(
                    self._smpp_options(settings),
                    listener=listener,
                    take_messages=intake.take,
                    take_receipts=intake.take_receipts,
                )
            self.links.append(link)
            add(link)
        for link in self.links:
            link.start()

    async def stop_links(self, drain_s: float) -> None:
        """Let every link finish what is under way, unbind and close."""
        await asyncio.gather(*(link.stop(drain_s) for link in self.links))

    async def stop_simulators(self) -> None:
        for each in (self.simulator, self.mmsc):
            if each is not None:
                await each.stop()

    def reload_tls(self) -> None:
        for link in self.links:
            link.reload_tls()

    def simulate(self, messages: Sequence[tuple[str, str, str]]) -> None:
        """Let phones send: (sender, recipient, text) each."""
        if self.simulator is not None:
            for sender, recipient, text in messages:
                try:
                    self.simulator.send_message(sender, recipient, text)
                except ValueError as error:  # the others are on their way all the same
                    log.warning("not_simulated", sender=sender, recipient=recipient, why=str(error))

    # --- simulators ---

    async def _start_simulator(self) -> None:
        settings = self._settings.simulator
        host, port = host_and_port(settings.listen) if settings.listen else ("127.0.0.1", 0)
        self.simulator = Simulator(latency_ms=settings.latency_ms, report_delay_ms=settings.report_delay_ms)
        self.simulator_port = await self.simulator.start(host, port)

    async def _start_mmsc(self, http_port: int | None) -> None:
        settings = self._settings.simulator
        vasps = [
            Vasp(
                name=link.name, user=link.user, password=link.password,
                report_url=relay_url(self._settings, link.name, http_port) if http_port else "",
            )
            for link in self._settings.link
            if _is_simulated(link)
        ]  # fmt: skip
        self.mmsc = Mmsc(
            vasps,
            latency_ms=settings.latency_ms,
            report_delay_ms=settings.report_delay_ms,
            limit_bytes=self._settings.mms.max_message_bytes + ENVELOPE_BYTES,
        )
        self.mmsc_port = await self.mmsc.start()

    # --- links ---

    def _smpp_options(self, settings: LinkSettings) -> SmppOptions:
        values = {name: getattr(settings, name) for name in _SMPP}
        if settings.kind == "simulator":
            assert self.simulator_port is not None
            host = (
                host_and_port(self._settings.simulator.listen)[0] if self._settings.simulator.listen else ""
            )
            values |= {"host": host or "127.0.0.1", "port": self.simulator_port, "tls": False}
        return SmppOptions(**values)

    def _mm7_link(
        self,
        settings: LinkSettings,
        listener: LinkListener,
        open_content: OpenContent,
        received: Mapping[str, Received],
    ) -> Mm7Link:
        values = {name: getattr(settings, name) for name in _MM7}
        if _is_simulated(settings):
            values["submit_url"] = f"http://127.0.0.1:{self.mmsc_port}/{settings.name}"
        options = Mm7Options(**values)
        return Mm7Link(
            options,
            listener=listener,
            open_transport=partial(_open_transport, options, open_content),
            received=received.get(settings.name),
        )


def _is_simulated(link: LinkSettings) -> bool:
    return link.kind == "mm7" and link.submit_url == SIMULATED


def _open_transport(options: Mm7Options, open_content: OpenContent) -> HttpPush:
    """Connections to one relay; the operator has chosen its address, so that it may be a private one."""
    return HttpPush(
        asyncio.get_running_loop(),
        ssl_context=tls_context(options),
        allow_private_networks=True,
        expect_s=options.response_timeout_s,
        give_up_s=options.response_timeout_s,
        max_answer_bytes=MM7_ANSWER_BYTES,
        kept_bytes=MM7_ANSWER_BYTES,
        open_content=open_content,
    )
