"""What the mailbox over REST takes and answers, as structs; see ``rest_values.py``."""

from typing import Annotated, Literal

from msgspec import Meta

from homing.api.rest_values import Answer, Id, Mms, Request, Time
from homing.engine.mailbox import PAGE

MailId = Annotated[str, Meta(description="Time and rest of the event's id.", pattern="^Mail[0-9]+-[0-9]+$")]
WrongId = Literal["invalid", "not_found"]
SomeMails = Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=10_000)]


MailKind = Literal["report", "message", "mms"]


class MailPage(Request):
    """Oldest first; ``next`` of an answer is the ``after`` of the following page."""

    limit: Annotated[int, Meta(ge=1, le=PAGE)] = PAGE
    after: Annotated[str, Meta(max_length=40)] | None = None
    unread: Annotated[bool, Meta(description="Only mails that are unread.")] = False


class Mail(Answer):
    """A received message, or a report that was asked for."""

    id: MailId
    event_id: Id
    kind: MailKind
    at: Time
    read: bool
    sender: str
    recipient: str
    text: Annotated[str | None, Meta(description="Of an MMS what its text parts say.")]
    coding: str | None
    data: str | None
    parts: int
    expected_parts: int | None
    network: str | None
    carrier_code: Annotated[str | None, Meta(description="MCC and MNC of the sender's network.")]
    smsid: Annotated[Id | None, Meta(description="The message sent that a report is about.")]
    tracking_id: Annotated[str | None, Meta(description="The same as the Upside faces name it.")]
    status: str | None
    reason: str | None
    error: str | None
    final: bool | None
    note: str | None
    mms: Mms | None


class Mails(Answer):
    items: list[Mail]
    next: MailId | None


class UnreadCount(Answer):
    unread: Annotated[int, Meta(description="Counted up to 100,000.")]


class MailChange(Request):
    read: bool


class Marks(Request):
    """Mails by their ids; those that are not there are passed over."""

    read: SomeMails = ()
    unread: SomeMails = ()
    deleted: SomeMails = ()


class Marked(Answer):
    """How many mails were there to be marked."""

    count: int
