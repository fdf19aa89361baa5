"""Deliveries: one event due at one endpoint, its attempts, and how an attempt can come out."""

from enum import IntEnum

import msgspec

from homing.model.message import ReceivedMessage
from homing.model.report import Report

Event = ReceivedMessage | Report
"""What can be pushed. Its ``id`` is the stable event id."""

ANSWER_CAP = 512
"""Octets of an answer that are kept with an attempt."""


class DeliveryState(IntEnum):
    PENDING = 0
    DELIVERED = 1
    DEAD = 2


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A claimed delivery in memory, with its event, ready for its next attempt.

    Outside it is named ``<event id>-<endpoint id>``: an endpoint gets an event once.
    """

    endpoint: int
    event: Event
    attempt: int
    """The number of the attempt to make now: 1, 2, …; guards the record of its outcome."""
    first_attempt: int
    """Where the present round of attempts began: above 1 after a replay."""
    lease_until_ms: int
    """Until then nobody else makes this attempt."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back from one push: a status, or an error when no whole answer came."""

    status: int | None
    body: bytes
    """Its first octets, as many as the transport keeps; ``length`` counts all that were read."""
    length: int
    took_ms: int
    error: str | None = None
    """``connect refused``, ``timeout``, ``the content is gone``, …; None with a status."""
    retry_after: str | None = None
    """The raw Retry-After header, if any, of a status from 300 on."""
    congested: bool = False
    """The destination could not be reached or did not answer in time: shrinks its window."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The customer has it."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Not delivered; the next attempt is due at ``at_ms``."""

    at_ms: int
    why: str


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Not delivered, and no attempt is left: a dead letter."""

    why: str
    endpoint_gone: bool = False
    """The endpoint said 410 Gone (json): it is paused as well."""


Outcome = Delivered | Retry | Refused
