"""The MM7 links of a node as customers of its HTTP listeners: each has a door and a receiving side."""

from collections.abc import Callable, Mapping

from homing.api.mm7_door import Relay
from homing.config import LinkSettings, Settings
from homing.engine.mms_content import Limits
from homing.links.mm7_server import Mm7Server, Mm7ServerOptions
from homing.node.core import Core


def make_relays(settings: Settings, core: Core, is_draining: Callable[[], bool]) -> Mapping[str, Relay]:
    """Every MM7 link by its name."""

    def relay(link: LinkSettings) -> Relay:
        app = Mm7Server(
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
        return Relay(app=app, user=link.user, password=link.password, addresses=link.addresses)

    return {link.name: relay(link) for link in settings.link if link.kind == "mm7"}
