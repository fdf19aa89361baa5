"""Customers: accounts, their endpoints and their numbers."""

from typing import Literal

import msgspec

from homing.model.message import PartsMode

EventKind = Literal["report", "message", "mms-report"]
Format = Literal["mx", "mx-mms", "json", "upside", "email"]
Method = Literal["get", "post", "multipart"]
"""How parameters travel: in the query, as a form, or as a form with the content of an MMS (mx-mms)."""
DateForm = Literal["plain", "zone", "spaced-zone"]
"""How dates are written: without a zone, with one joined on, with one after a blank."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A customer. Secrets are stored as hashes; ``token`` identifies the account in token faces."""

    name: str
    password_hash: str
    inbound_password_hash: str
    api_key_hash: str
    token: str
    disabled: bool = False
    metered: bool = False
    """Has a credit line that submissions are charged to; else unlimited."""
    allowed_addresses: tuple[str, ...] = ()
    """Networks in CIDR form that may use SMSSend; empty = any."""
    created_at_ms: int = 0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account wants events of a kind pushed, in which format, within which limits."""

    id: int
    account: str
    events: tuple[EventKind, ...]
    format: Format
    url: str = ""
    """http or https; empty where ``email`` says where to."""
    email: str | None = None
    """The address that mails go to (email)."""
    digest_min: int | None = None
    """At most one mail in so many minutes, with everything that has come meanwhile (email)."""
    concurrency: int = 16
    rate_per_s: float | None = None
    charset: str = "iso-8859-15"
    timezone: str = "Europe/London"
    parts: PartsMode = "separate"
    method: Method = "get"
    date_form: DateForm = "plain"
    """How dates are written (mx-mms)."""
    secrets: tuple[str, ...] = ()
    """``whsec_`` secrets, newest first; every push is signed with each (json)."""
    old_secrets_until_ms: int = 0
    """When all secrets but the newest end; 0 = there is only one, or they stay."""
    user: str | None = None
    password: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    unknown_as: str | None = None
    """The word for UNKNOWN in the MX vocabulary; None = UNKNOWN is not pushed (mx)."""
    paused: bool = False
    disabled_reason: str | None = None
    """Why it was paused by us (for example ``410 Gone``), else None."""
    created_at_ms: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind an account that another one made (upside.md §7)."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    sms_in: str = ""
    """The code by which messages to a shared number find the account: ``+CODE text``."""
    web_text: str = ""
    comment: str = ""
    external_id: str = ""
    company_name: str = ""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A number or short code of an account; with ``keyword``, only messages whose first word it is."""

    number: str
    account: str
    keyword: str | None = None
    """Casefolded; None = the default owner of the number."""
    network: str | None = None
    carrier_code: str | None = None
