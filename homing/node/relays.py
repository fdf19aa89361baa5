"""The MM7 links of a node as customers of its HTTP listeners: each has a receiving side, and a door to it."""

from collections.abc import Callable, Mapping

from homing.api.mm7_door import Relay
from homing.config import LinkSettings, Settings
from homing.engine.mms_content import Limits
from homing.links.mm7_server import Mm7Server, Mm7ServerOptions
from homing.node.core import Core


def make_receivers(
    settings: Settings, core: Core, is_draining: Callable[[], bool]
) -> Mapping[str, Mm7Server]:
    """The receiving side of every MM7 link, by its name."""

    def receiver(link: LinkSettings) -> Mm7Server:
        return Mm7Server(
            Mm7ServerOptions(
                name=link.name,
                scope=link.id_scope,
                limits=Limits(part=settings.mms.max_part_bytes, message=settings.mms.max_message_bytes),
                network=link.network,
                carrier_code=link.carrier_code,
                network_element=link.network_element,
            ),
            contents=core.contents,
            threads=core.mms_threads,
            take_mms=core.mms_intake.take,
            take_receipts=core.intake.take_receipts,
            is_draining=is_draining,
        )

    return {link.name: receiver(link) for link in settings.link if link.kind == "mm7"}


def make_relays(settings: Settings, receivers: Mapping[str, Mm7Server]) -> Mapping[str, Relay]:
    """Who may send to each of them."""
    return {
        link.name: Relay(
            app=receivers[link.name], user=link.user, password=link.password, addresses=link.addresses
        )
        for link in settings.link
        if link.name in receivers
    }
