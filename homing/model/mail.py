"""Mail: an event as it stands in the mailbox of its account."""

import msgspec

from homing.model.delivery import Event


class Mail(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One received message or report, and whether the customer has read it."""

    event: Event
    is_read: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That there is a mail, without what it says."""

    id: int
    """Of the event."""
    is_read: bool
