"""Names of mails: ``Mail<ms>-<n>``, the time and the rest of an event's id, and back.

The name is made from the id alone, so it is the same in every face and for ever.
"""

import re

from homing.model.clock import BORN_SHIFT, EPOCH_MS, LARGEST_ID, made_at_ms

_MAIL_ID = re.compile(r"[Mm]ail([0-9]{13,14})-([0-9]{1,7})")
_REST = (1 << BORN_SHIFT) - 1


def mail_id(event: int) -> str:
    """The name of an event's mail, such as ``Mail1280535182021-4``."""
    return f"Mail{made_at_ms(event)}-{event & _REST}"


def event_of(text: str) -> int | None:
    """The event that a name stands for; None when it is none."""
    match = _MAIL_ID.fullmatch(text.strip())
    if match is None or int(match[1]) < EPOCH_MS or int(match[2]) > _REST:
        return None
    event = int(match[1]) - EPOCH_MS << BORN_SHIFT | int(match[2])
    return event if event <= LARGEST_ID else None
