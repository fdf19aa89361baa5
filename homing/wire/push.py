"""Push formats: how an event is written for a customer, and which answer means that he has it.

A format is prepared once per endpoint and used for every push. To add one: one file with a class like
``MxPush``, and its line in ``FORMATS``.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from homing.model.account import Endpoint, EventKind, Format
from homing.model.delivery import Answer, Event
from homing.wire.content_link import ContentLinks
from homing.wire.push_json import JsonPush
from homing.wire.push_mail import MailPush, MailTarget
from homing.wire.push_mx import MxPush
from homing.wire.push_mx_mms import MxMmsPush
from homing.wire.push_upside import UpsidePush
from homing.wire.streamed import Streamed
from homing.wire.target import Target


class PushFormat(Protocol):
    """One endpoint's events as requests of a transport. Pure: time comes in as an argument."""

    kinds: ClassVar[tuple[EventKind, ...]]
    """The kinds of event that it can say."""
    retry_s: ClassVar[tuple[int, ...]]
    """The waits between attempts, when the configuration does not say otherwise."""
    heeds_hints: ClassVar[bool]
    """Whether Retry-After and 410 Gone in an answer are listened to."""

    @property
    def target(self) -> Target | MailTarget:
        """Where it goes, and so by which transport."""
        ...

    def __init__(self, endpoint: Endpoint, links: ContentLinks | None = None) -> None: ...

    def wants(self, event: Event) -> bool:
        """Whether this event is pushed to this endpoint at all: kind, report bits, vocabulary."""
        ...

    def render(self, event: Event, attempt: int, now_ms: int) -> bytes | Streamed:
        """The whole request of this attempt, for its transport. Only for events that are wanted."""
        ...

    @staticmethod
    def judge(answer: Answer) -> bool:
        """The success rule."""
        ...

    @staticmethod
    def is_refused(answer: Answer) -> bool:
        """Whether this answer is a last word: the event will not be taken, however often it comes."""
        ...


FORMATS: Mapping[Format, type[PushFormat]] = {
    "mx": MxPush,
    "mx-mms": MxMmsPush,
    "json": JsonPush,
    "upside": UpsidePush,
    "email": MailPush,
}


def prepare(endpoint: Endpoint, links: ContentLinks | None = None) -> PushFormat:
    """The format of an endpoint, ready to render. ValueError says what is wrong with the endpoint.

    ``links`` makes the links to the contents of its account; without it an event has none.
    """
    return FORMATS[endpoint.format](endpoint, links)
