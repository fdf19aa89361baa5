"""Enrolment: accounts and endpoints composed from what somebody asks for. Pure but for chance.

Everything that can be wrong with a wish is a :class:`Refusal` that names it, before anything is written.
Secrets are given back once, beside what is kept of them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import msgspec

from homing.engine import credentials
from homing.model.account import Account, DateForm, Endpoint, EventKind, Format, Method
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.message import PartsMode
from homing.wire.push import FORMATS, prepare
from homing.wire.push_request import header_problem
from homing.wire.standard_webhooks import read_secret, spell_secret

EVENT_KINDS: tuple[EventKind, ...] = ("report", "message", "mms-report")
"""The kinds of event that can be pushed; not every format can say each."""

CONCURRENCY = range(1, 1001)
SECRET_OVERLAP_MS = 24 * 3_600_000
"""How long the former signing secret stays valid after a rotation."""

_WORD = re.compile(r"[A-Za-z0-9_]{1,32}")
_Word = TypeVar("_Word", bound=str)
METHODS: tuple[Method, ...] = ("get", "post", "multipart")
DATE_FORMS: tuple[DateForm, ...] = ("plain", "zone", "spaced-zone")
_DEFAULT_PARTS: dict[Format, PartsMode] = {
    "mx": "separate",
    "mx-mms": "joined",
    "json": "joined",
    "upside": "joined",
    "email": "joined",
}
_DEFAULT_METHOD: dict[Format, Method] = {
    "mx": "get",
    "mx-mms": "get",
    "json": "post",
    "upside": "post",
    "email": "post",
}
_DEFAULT_CHARSET = "iso-8859-15"
_MMS_CHARSET = "utf-8"
"""Subjects of MMS are Unicode, and the pages of the interface name no other charset for them."""
_DEFAULT_TIMEZONE = "Europe/London"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is given once. ``token`` and ``signature`` can be shown again."""

    password: str
    inbound_password: str
    api_key: str
    token: str
    signature: str


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks of an endpoint; None = the default of its format."""

    account: str
    events: tuple[str, ...]
    format: str | None = None
    """None = email where there is an address, else mx."""
    url: str = ""
    email: str | None = None
    digest_min: int | None = None
    concurrency: int = 16
    rate_per_s: float | None = None
    charset: str | None = None
    timezone: str | None = None
    parts: str | None = None
    method: str | None = None
    date_form: str | None = None
    secret: str | None = None
    user: str | None = None
    password: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    unknown_as: str | None = None


def make_account(
    name: str,
    *,
    password: str | None = None,
    inbound_password: str | None = None,
    metered: bool = False,
    allowed_addresses: Sequence[str] = (),
) -> tuple[Account, Secrets]:
    """A new account and its secrets; those that are not given are made."""
    password = _secret(password, "password") or credentials.make_password()
    inbound_password = _secret(inbound_password, "inbound password") or credentials.make_password()
    api_key = credentials.make_api_key()
    account = Account(
        name=name,
        password_hash=credentials.hash_password(password),
        inbound_password_hash=credentials.hash_password(inbound_password),
        api_key_hash=credentials.hash_api_key(api_key),
        token=credentials.make_token(),
        metered=metered,
        allowed_addresses=tuple(allowed_addresses),
        created_at_ms=now_ms(),
    )
    return account, Secrets(
        password=password,
        inbound_password=inbound_password,
        api_key=api_key,
        token=account.token,
        signature=credentials.signature(name, account.token, account.password_hash),
    )


def rotate(
    account: Account, what: Literal["password", "inbound-password", "api-key"], value: str | None = None
) -> tuple[Account, str]:
    """The account with a new secret in the place of one, and that secret. The former one ends at once."""
    change = msgspec.structs.replace
    if what == "api-key":
        if value is not None:
            raise Refusal("invalid", "an API key is always made, never chosen")
        api_key = credentials.make_api_key()
        return change(account, api_key_hash=credentials.hash_api_key(api_key)), api_key
    password = _secret(value, what) or credentials.make_password()
    hashed = credentials.hash_password(password)
    if what == "password":
        return change(account, password_hash=hashed), password
    return change(account, inbound_password_hash=hashed), password


def make_endpoint(wish: EndpointWish, check_url: Callable[[str], Sequence[str]]) -> Endpoint:
    """A new endpoint without an id. ``check_url`` says what speaks against its URL."""
    format_ = _one_of("format", wish.format or ("mx" if wish.email is None else "email"), tuple(FORMATS))
    endpoint = Endpoint(
        id=0,
        account=wish.account,
        events=_events(wish.events),
        format=format_,
        url=wish.url,
        email=wish.email,
        digest_min=wish.digest_min,
        concurrency=wish.concurrency,
        rate_per_s=wish.rate_per_s,
        charset=wish.charset or (_MMS_CHARSET if format_ == "mx-mms" else _DEFAULT_CHARSET),
        timezone=wish.timezone or _DEFAULT_TIMEZONE,
        parts=_one_of("parts", wish.parts or _DEFAULT_PARTS[format_], ("joined", "separate")),
        method=_one_of("method", wish.method or _DEFAULT_METHOD[format_], METHODS),
        date_form=_one_of("date", wish.date_form or "plain", DATE_FORMS),
        secrets=_signing_secrets(format_, wish.secret),
        user=wish.user,
        password=wish.password,
        headers=wish.headers,
        unknown_as=wish.unknown_as,
        created_at_ms=now_ms(),
    )
    check_endpoint(endpoint, check_url)
    return endpoint


def check_endpoint(endpoint: Endpoint, check_url: Callable[[str], Sequence[str]]) -> None:
    """Refuse an endpoint that could not be pushed to as it asks."""
    if endpoint.format == "email":
        _check_mail(endpoint)
    else:
        if endpoint.email is not None or endpoint.digest_min is not None:
            raise Refusal("invalid", "email and digest belong to the email format")
        for problem in check_url(endpoint.url):
            raise Refusal("invalid", f"url: {problem}")
    if endpoint.concurrency not in CONCURRENCY:
        raise Refusal("invalid", f"concurrency is from {CONCURRENCY[0]} to {CONCURRENCY[-1]}")
    if endpoint.rate_per_s is not None and not 0 < endpoint.rate_per_s < float("inf"):
        raise Refusal("invalid", "rate-per-s is above 0")
    if endpoint.user is not None and ":" in endpoint.user:
        raise Refusal("invalid", "a user of basic credentials has no colon")  # RFC 7617 §2
    if endpoint.unknown_as is not None and not _WORD.fullmatch(endpoint.unknown_as):
        raise Refusal("invalid", "unknown-as is one word of letters, digits and underscores")
    for name, value in endpoint.headers:
        unfit = header_problem(name, value)
        if unfit is not None:
            raise Refusal("invalid", unfit)
    _check_format(endpoint)
    try:
        prepare(endpoint)
    except ValueError as error:
        raise Refusal("invalid", str(error)) from None


def default_events(format_: str | None) -> tuple[EventKind, ...]:
    """The kinds of event of an endpoint of which nobody says what it wants."""
    return ("message", "mms-report") if format_ == "mx-mms" else ("report", "message")


def _check_format(endpoint: Endpoint) -> None:
    """Refuse what another format has, and kinds of event that this one cannot say."""
    format_ = endpoint.format
    for kind in endpoint.events:
        if kind not in FORMATS[format_].kinds:
            able = [name for name, each in FORMATS.items() if kind in each.kinds]
            raise Refusal(
                "invalid", f"events: {kind} cannot be said in the {format_} format, but in {', '.join(able)}"
            )
    if endpoint.unknown_as and format_ != "mx":
        raise Refusal("invalid", "unknown-as belongs to the mx format")
    if endpoint.method == "multipart" and format_ != "mx-mms":
        raise Refusal("invalid", "method multipart belongs to the mx-mms format")
    if endpoint.date_form != "plain" and format_ != "mx-mms":
        raise Refusal("invalid", "date belongs to the mx-mms format")
    if format_ == "json" and endpoint.method != "post":
        raise Refusal("invalid", "method belongs to the mx, mx-mms and upside formats; json is always a POST")


def _check_mail(endpoint: Endpoint) -> None:
    """Refuse what belongs to HTTP. What is wrong with the address is said by its format."""
    if endpoint.url:
        raise Refusal("invalid", "an endpoint has a url or an email address, not both")
    if endpoint.user is not None or endpoint.password is not None or endpoint.headers:
        raise Refusal("invalid", "user, password and headers belong to endpoints with a url")
    if endpoint.digest_min is not None and endpoint.rate_per_s is not None:
        raise Refusal("invalid", "a digest has no rate: it is one mail in digest_min minutes")


def rotate_secret(endpoint: Endpoint, at_ms: int, secret: str | None = None) -> tuple[Endpoint, str]:
    """A json endpoint with a new signing secret; the former one stays valid for a day."""
    made = _signing_secrets(endpoint.format, secret)
    if not made:
        raise Refusal("invalid", "only json endpoints have a signing secret")
    return (
        msgspec.structs.replace(
            endpoint,
            secrets=(made[0], *endpoint.secrets[:1]),
            old_secrets_until_ms=at_ms + SECRET_OVERLAP_MS if endpoint.secrets else 0,
        ),
        made[0],
    )


def _events(events: Sequence[str]) -> tuple[EventKind, ...]:
    if not events:
        raise Refusal("invalid", "events: name at least one of " + ", ".join(EVENT_KINDS))
    return tuple(dict.fromkeys(_one_of("events", event.strip(), EVENT_KINDS) for event in events))


def _one_of(what: str, word: str, words: Sequence[_Word]) -> _Word:
    for known in words:
        if word == known:
            return known
    raise Refusal("invalid", f"{what}: {word[:40]!r} is none of {', '.join(words)}")


def _signing_secrets(format_: str, secret: str | None) -> tuple[str, ...]:
    if format_ != "json":
        if secret is not None:
            raise Refusal("invalid", "only json endpoints have a signing secret")
        return ()
    if secret is None:
        return (spell_secret(credentials.make_secret_key()),)
    try:
        read_secret(secret)
    except ValueError as error:
        raise Refusal("invalid", str(error)) from None
    return (secret,)


def _secret(text: str | None, what: str) -> str | None:
    """A chosen password; one that could not be typed into a query string by anybody is refused."""
    if text is not None and not (0 < len(text) <= 256 and text.isprintable()):
        raise Refusal("invalid", f"the {what} is 1 to 256 printable characters")
    return text
