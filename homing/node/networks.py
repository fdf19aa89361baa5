"""The links of a node, made from its configuration, and the simulator that some of them are connected to."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from homing.config import LinkSettings, Settings, host_and_port
from homing.engine.intake import Intake
from homing.engine.ports import LinkListener
from homing.links.simulator import Simulator
from homing.links.smpp import SmppLink
from homing.links.smpp_options import SmppOptions

log = structlog.get_logger(__name__)

_TAKEN_OVER = frozenset(SmppOptions.__struct_fields__) & frozenset(LinkSettings.__struct_fields__)


class Networks:
    """Everything that this node is connected to networks by."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.links: list[SmppLink] = []
        self.simulator: Simulator | None = None
        self.simulator_port: int | None = None

    async def start(self, listener: LinkListener, intake: Intake, add: Callable[[SmppLink], None]) -> None:
        """Start the simulator, make every link, ``add`` it where it is routed, and let it connect."""
        if any(link.kind == "simulator" for link in self._settings.link):
            await self._start_simulator()
        for settings in self._settings.link:
            if settings.kind == "mm7":
                continue
            link = SmppLink(
                self._options(settings),
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

    async def stop_simulator(self) -> None:
        if self.simulator is not None:
            await self.simulator.stop()

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

    async def _start_simulator(self) -> None:
        settings = self._settings.simulator
        host, port = host_and_port(settings.listen) if settings.listen else ("127.0.0.1", 0)
        self.simulator = Simulator(latency_ms=settings.latency_ms, report_delay_ms=settings.report_delay_ms)
        self.simulator_port = await self.simulator.start(host, port)

    def _options(self, settings: LinkSettings) -> SmppOptions:
        values = {name: getattr(settings, name) for name in _TAKEN_OVER}
        if settings.kind == "simulator":
            assert self.simulator_port is not None
            host = (
                host_and_port(self._settings.simulator.listen)[0] if self._settings.simulator.listen else ""
            )
            values |= {"host": host or "127.0.0.1", "port": self.simulator_port, "tls": False}
        return SmppOptions(**values)
