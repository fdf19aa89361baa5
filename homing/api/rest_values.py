"""What the REST face takes and answers, as structs: the source of the schemas that it publishes.

A request refuses fields that it does not know; an answer has every field, and what does not apply is null.
Ids are strings, times RFC 3339 in UTC.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from homing.api.form import LONGEST_VALIDITY_S
from homing.engine.submit import ALL_REPORTS
from homing.model.account import DateForm, Format, Method

_FROM_TO = {"sender": "from", "recipient": "to"}
MOST_ITEMS = 500

Id = Annotated[str, Meta(description="Decimal digits; larger than 2^53.", pattern="^[0-9]{1,19}$")]
DeliveryId = Annotated[str, Meta(description="Event and endpoint.", pattern="^[0-9]{1,19}-[0-9]{1,9}$")]
Time = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds.", extra_json_schema={"format": "date-time"})
]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone.")]
Hex = Annotated[str, Meta(description="Octets in hex.", pattern="^(?:[0-9A-Fa-f]{2})*$")]
Word = Annotated[str, Meta(max_length=128)]
Url = Annotated[str, Meta(max_length=2048)]
AddedHeaders = Annotated[
    dict[str, Annotated[str, Meta(max_length=1024)]],
    Meta(max_length=20, description="Header fields that every push carries."),
]
State = Literal["pending", "delivered", "dead"]
EventWord = Literal["report", "message", "mms-report"]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename=_FROM_TO):
    """Whatever is taken."""


class Answer(msgspec.Struct, kw_only=True, rename=_FROM_TO):
    """Whatever is answered."""


# --- queries ---


class Page(Request):
    """Newest first; ``next`` of an answer is the ``after`` of the following page."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ITEMS)] = 50
    after: Annotated[str, Meta(max_length=40)] | None = None


class DeliveryPage(Page):
    """The same, in one state."""

    state: State | None = None


class NoQuery(Request):
    """No parameter."""


# --- MMS ---

ContentUrl = Annotated[str, Meta(description="Signed: it needs no login, and lapses ([mms] link_s).")]
Sha256 = Annotated[str, Meta(description="Of its octets, in hex.")]


class Part(Answer):
    """One part of an MMS, in the order of the message."""

    name: str
    type: Annotated[str, Meta(description="Media type; text is in UTF-8.")]
    size: Annotated[int, Meta(description="Octets.")]
    sha256: Sha256
    url: ContentUrl


class Mms(Answer):
    """What an MMS has that an SMS has not; size, hash and URL are those of the zip with all parts."""

    subject: str
    to: Annotated[list[str], Meta(description="All recipients that it shows.")]
    cc: list[str]
    expires_at: Annotated[Time, Meta(description="Until then the content can be retrieved.")]
    size: int
    sha256: Sha256
    url: ContentUrl
    parts: list[Part]


# --- submissions ---


class NewMessage(Request):
    """A message to one recipient, or the same to many: then all are taken, or none."""

    recipient: Annotated[
        str | list[str], Meta(description="Numbers with country code; a list gets a list of answers.")
    ]
    sender: Annotated[str, Meta(description="Originator; empty = the link's own.")] = ""
    text: Annotated[str, Meta(description="Text, in up to 10 network messages.")] | None = None
    data: Hex | None = None
    udh: Annotated[str, Meta(description="User data header with its length octet, in hex.")] | None = None
    report: Annotated[int, Meta(ge=0, le=ALL_REPORTS, description="1 BUFFERED, 2 DELIVERED, 4 FAILED.")] = 7
    validity_s: Annotated[int, Meta(ge=1, le=LONGEST_VALIDITY_S)] | None = None
    flash: bool = False
    note: Annotated[str, Meta(description="Comes back in every report; 160 characters.")] | None = None
    subaccount: Annotated[str, Meta(description="For the ledger; 10 characters.")] | None = None
    not_before: Moment | None = None


class Taken(Answer):
    """One submission that is durable."""

    id: Id
    segments: int
    recipient: str


class ManyTaken(Answer):
    """One for each recipient, in their order."""

    items: list[Taken]


class Submission(Answer):
    """What was sent, and what has come of it."""

    id: Id
    account: str
    at: Time
    sender: str
    recipient: str
    status: str
    reason: str
    report_bits: int
    note: str | None
    subaccount: str | None
    validity_s: int | None
    flash: bool
    single_shot: bool
    not_before: Time | None
    link: str | None
    sent_at: Time | None
    mms: Annotated[Mms | None, Meta(description="Null of an SMS.")]


class Receipt(Answer):
    """What the network said, as it said it."""

    at: Time
    link: str
    status: str
    word: str
    reason: str
    err: str
    spelling: str
    raw: str | None


class Segment(Answer):
    """One network message of a submission."""

    number: int
    text: str | None
    link: str | None
    link_message_id: str | None
    status: str
    reason: str
    at: Time | None
    receipts: list[Receipt]


class Report(Answer):
    """What was heard about a submission."""

    id: Id
    submission: Id
    account: str
    at: Time
    status: str
    reason: str
    err: str
    sequence: int


class Received(Answer):
    """A message from a phone; ``text`` is empty when ``coding`` is ``data``."""

    id: Id
    account: str | None
    at: Time
    sender: str
    recipient: str
    link: str
    network: str | None
    coding: Literal["text", "data", "unicode"]
    text: str
    data: Hex
    udh: Hex
    parts: int
    expected_parts: int
    part_of: Id | None
    mms: Annotated[Mms | None, Meta(description="Null of an SMS.")]


# --- deliveries ---


class Attempt(Answer):
    """One push: a status, or an error when no whole answer came."""

    number: int
    at: Time
    status: int | None
    error: str | None
    answer: Annotated[str, Meta(description="Its first 512 octets.")] | None
    took_ms: int


class Attempts(Answer):
    items: list[Attempt]
    next: None


class DeliveryBase(Answer):
    id: DeliveryId
    event_id: Id
    kind: str
    account: str
    endpoint: str
    state: State
    next_attempt_at: Annotated[Time | None, Meta(description="Null while a node works on it.")]
    finished_at: Time | None
    error: str | None


class ListedDelivery(DeliveryBase):
    """One event due at one endpoint, with how many attempts were made and the status of the last."""

    attempts: int
    status: int | None


class Delivery(DeliveryBase):
    """The same with each attempt."""

    attempts: list[Attempt]


class Replay(Request):
    """Which deliveries get a new round of attempts, by when their event arose."""

    since: Moment
    until: Moment | None = None
    state: Literal["dead", "delivered"] = "dead"


class Replayed(Answer):
    count: Annotated[int, Meta(description="Deliveries that were made due again.")]


# --- traces ---


class SubmissionTrace(Answer):
    submission: Submission
    segments: list[Segment]
    reports: list[Report]
    deliveries: list[Delivery]


class ReportTrace(Answer):
    report: Report
    segments: list[Segment]
    reports: list[Report]
    deliveries: list[Delivery]


class ReceivedTrace(Answer):
    message: Received
    parts: list[Received]
    deliveries: list[Delivery]


class Submissions(Answer):
    items: list[Submission]
    next: str | None


class Reports(Answer):
    items: list[Report]
    next: str | None


class ReceivedMessages(Answer):
    items: list[Received]
    next: str | None


class Deliveries(Answer):
    items: list[ListedDelivery]
    next: str | None


# --- endpoints ---


class NewEndpoint(Request):
    """Where events are wanted; what is left out has the default of the format."""

    events: Annotated[list[EventWord], Meta(min_length=1)]
    format: Format | None = None
    url: Url = ""
    email: Annotated[str, Meta(max_length=254, description="In place of a URL.")] | None = None
    digest_min: Annotated[int, Meta(description="At most one mail in so many minutes (email).")] | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    charset: Word | None = None
    timezone: Word | None = None
    parts: Literal["joined", "separate"] | None = None
    method: Method | None = None
    date_form: Annotated[DateForm, Meta(description="How dates are written (mx-mms).")] | None = None
    secret: Annotated[str, Meta(description="whsec_…; made when left out (json).")] | None = None
    user: Word | None = None
    password: Word | None = None
    headers: AddedHeaders = {}
    unknown_as: Annotated[str, Meta(description="The mx word for UNKNOWN; none = not pushed.")] | None = None


class EndpointChange(Request):
    """What is to be another; null takes away what may be absent."""

    events: Annotated[list[EventWord], Meta(min_length=1)] | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=254)] | UnsetType = UNSET
    digest_min: int | UnsetType | None = UNSET
    concurrency: int | UnsetType = UNSET
    rate_per_s: float | UnsetType | None = UNSET
    charset: Word | UnsetType = UNSET
    timezone: Word | UnsetType = UNSET
    parts: Literal["joined", "separate"] | UnsetType = UNSET
    method: Method | UnsetType = UNSET
    date_form: DateForm | UnsetType = UNSET
    user: Word | UnsetType | None = UNSET
    password: Word | UnsetType | None = UNSET
    headers: AddedHeaders | UnsetType = UNSET
    unknown_as: Word | UnsetType | None = UNSET


class Endpoint(Answer):
    """An endpoint without its secrets: of added headers only the names are told."""

    id: str
    events: list[str]
    format: str
    url: Annotated[str, Meta(description="Empty where email says where to.")]
    email: str | None
    digest_min: int | None
    concurrency: int
    rate_per_s: float | None
    charset: str
    timezone: str
    parts: str
    method: str
    date_form: str
    user: str | None
    header_names: list[str]
    unknown_as: str | None
    paused: bool
    disabled_reason: Annotated[str | None, Meta(description="Why Homing paused it.")]
    old_secret_until: Annotated[Time | None, Meta(description="How long the former secret counts.")]
    created_at: Time


class MadeEndpoint(Endpoint):
    """The same, with its signing secret: shown once."""

    secret: str | None


class Endpoints(Answer):
    items: list[Endpoint]
    next: None


class NewSecret(Answer):
    """Shown once; pushes are signed with both until the former one ends."""

    secret: str
    old_secret_until: Time | None


class Tested(Answer):
    """How an endpoint answered to a marked sample event."""

    status: int | None
    error: str | None
    answer: str
    took_ms: int


# --- the account ---


class Number(Answer):
    number: str
    keyword: str | None
    network: str | None
    carrier_code: str | None


class Account(Answer):
    name: str
    token: str
    metered: Annotated[bool, Meta(description="Whether submissions are charged; else unlimited.")]
    balance: float | None
    numbers: list[Number]
    created_at: Time
