"""What the faces need to send MMS, as the configuration says: the content store, limits, and what fetches."""

from homing.api.mms_send import MmsSending
from homing.config import Settings
from homing.engine.mms_content import Limits
from homing.node.core import DAY_MS, Core


def mms_sending(settings: Settings, core: Core) -> MmsSending:
    """For the gateway."""
    mms = settings.mms
    return MmsSending(
        contents=core.contents,
        threads=core.mms_threads,
        fetch=core.pusher.fetcher.fetch,
        limits=Limits(part=mms.max_part_bytes, message=mms.max_message_bytes),
        retention_ms=round(mms.retention_d * DAY_MS),
    )
