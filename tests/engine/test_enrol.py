"""Accounts and endpoints as they are wished for: defaults, secrets, and what is refused."""

from typing import Any

import msgspec
import pytest

from homing.engine import credentials, enrol
from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.model.account import Endpoint
from homing.model.errors import Refusal
from homing.wire.standard_webhooks import read_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def endpoint(check_url: Any = lambda _url: (), **wish: Any) -> Endpoint:
    usual = {"account": "acme", "events": ("report",), "format": "mx", "url": "https://acme.example/in"}
    return make_endpoint(EndpointWish(**usual | wish), check_url)


# --- accounts ---


def test_secrets_are_made_and_only_their_hashes_are_kept() -> None:
    account, secrets = make_account("acme", metered=True, allowed_addresses=["10.0.0.0/8"])
    other, others = make_account("bolt")
    assert credentials.is_password(secrets.password, account.password_hash)
    assert credentials.is_password(secrets.inbound_password, account.inbound_password_hash)
    assert credentials.hash_api_key(secrets.api_key) == account.api_key_hash
    assert secrets.signature == credentials.signature("acme", secrets.token, account.password_hash)
    assert (account.name, account.token, account.metered) == ("acme", secrets.token, True)
    assert account.allowed_addresses == ("10.0.0.0/8",)
    assert account.created_at_ms > 0
    given = msgspec.structs.astuple(secrets)
    assert len(set(given) | set(msgspec.structs.astuple(others))) == 10
    kept = repr(account)
    assert [secret for secret in given if secret in kept] == [account.token]
    assert (other.metered, other.allowed_addresses) == (False, ())


def test_chosen_passwords_are_kept() -> None:
    account, secrets = make_account("acme", password="pä ss", inbound_password="x" * 256)
    assert (secrets.password, secrets.inbound_password) == ("pä ss", "x" * 256)
    assert credentials.is_password("pä ss", account.password_hash)


@pytest.mark.parametrize("password", ["", "x" * 257, "a\nb", "a\0b", "\ud800"])
@pytest.mark.parametrize("which", ["password", "inbound_password"])
def test_what_cannot_be_typed_is_no_password(which: str, password: str) -> None:
    with pytest.raises(Refusal, match="1 to 256 printable characters"):
        make_account("acme", **{which: password})  # type: ignore[arg-type]
    account, _ = make_account("acme")
    with pytest.raises(Refusal):
        enrol.rotate(account, "password" if which == "password" else "inbound-password", password)


def test_a_rotation_changes_one_secret() -> None:
    account, _ = make_account("acme")
    for what, field in (("password", "password_hash"), ("inbound-password", "inbound_password_hash")):
        rotated, secret = enrol.rotate(account, what)  # type: ignore[arg-type]
        assert credentials.is_password(secret, getattr(rotated, field))
        assert rotated == msgspec.structs.replace(account, **{field: getattr(rotated, field)})
    rotated, secret = enrol.rotate(account, "password", "chosen")
    assert secret == "chosen"
    rotated, secret = enrol.rotate(account, "api-key")
    assert rotated == msgspec.structs.replace(account, api_key_hash=credentials.hash_api_key(secret))
    with pytest.raises(Refusal, match="never chosen"):
        enrol.rotate(account, "api-key", "chosen")


# --- endpoints ---

MAIL = {"url": "", "format": "email", "email": "a@b.test"}


def test_defaults_are_those_of_the_format() -> None:
    mx, json_ = endpoint(), endpoint(format="json", events=("message", "report", "message"))
    assert (mx.parts, mx.method, mx.secrets) == ("separate", "get", ())
    assert (mx.charset, mx.timezone, mx.concurrency) == ("iso-8859-15", "Europe/London", 16)
    assert (json_.parts, json_.method, json_.events) == ("joined", "post", ("message", "report"))
    (secret,) = json_.secrets
    assert len(read_secret(secret)) == 32
    assert endpoint(format="json").secrets != json_.secrets
    assert endpoint(format="json", secret=SECRET).secrets == (SECRET,)
    assert endpoint(parts="joined", method="post").parts == "joined"


def test_defaults_of_an_endpoint_for_mms() -> None:
    made = endpoint(format="mx-mms", events=enrol.default_events("mx-mms"))
    assert made.events == ("message", "mms-report")
    assert (made.parts, made.method, made.date_form) == ("joined", "get", "plain")
    assert (made.charset, made.timezone, made.secrets) == ("utf-8", "Europe/London", ())
    other = endpoint(format="mx-mms", events=("mms-report",), method="multipart", date_form="spaced-zone")
    assert (other.method, other.date_form) == ("multipart", "spaced-zone")
    assert enrol.default_events(None) == enrol.default_events("json") == ("report", "message")


@pytest.mark.parametrize("wish", [{"format": "json"}, MAIL, {"format": "mx-mms"}])
def test_reports_about_mms_can_be_had_in_every_format_that_has_words_for_them(wish: dict[str, Any]) -> None:
    assert endpoint(events=("message", "mms-report"), **wish).events == ("message", "mms-report")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"format": "soap"}, "format: 'soap' is none of mx, mx-mms, json, upside, email"),
        ({"events": ()}, "events: name at least one"),
        ({"events": ("report", "mms")}, "events: 'mms' is none of"),
        ({"parts": "both"}, "parts: 'both' is none of"),
        ({"method": "put"}, "method: 'put' is none of get, post, multipart"),
        *(
            ({"method": "multipart", "format": name, **more}, "multipart belongs to the mx-mms format")
            for name, more in (("mx", {}), ("upside", {}), ("json", {}), ("email", MAIL))
        ),
        ({"date_form": "iso"}, "date: 'iso' is none of plain, zone, spaced-zone"),
        ({"date_form": "zone"}, "date belongs to the mx-mms format"),
        *(
            ({"format": name, "events": ("message", kind)}, f"{kind} cannot be said in the {name} format")
            for name, kind in (("mx", "mms-report"), ("upside", "mms-report"), ("mx-mms", "report"))
        ),
        ({"format": "mx-mms", "events": ("message",), "unknown_as": "FAILED"}, "belongs to the mx format"),
        ({"format": "mx-mms", "events": ("message",), "charset": "utf-16"}, "charset 'utf-16'"),
        ({"concurrency": 0}, "concurrency is from 1 to 1000"),
        ({"concurrency": 1001}, "concurrency is from 1 to 1000"),
        *(
            ({"rate_per_s": rate}, "rate-per-s is above 0")
            for rate in (0.0, -1.0, float("nan"), float("inf"))
        ),
        ({"charset": "klingon"}, "charset 'klingon'"),
        ({"charset": "utf-16"}, "charset 'utf-16'"),
        ({"timezone": "Mars/Phobos"}, "unknown time zone"),
        ({"timezone": "../../etc/passwd"}, "unknown time zone"),
        ({"url": "ftp://acme.example/"}, ""),
        ({"url": "https://acme.example/\r\nX: y"}, ""),
        ({"headers": (("X-A", "b\r\nX-B: c"),)}, "header X-A holds a character"),
        ({"headers": (("X A", "b"),)}, "a header name holds a character"),
        ({"headers": (("Content-Length", "1"),)}, "set by Homing itself"),
        ({"headers": (("Authorization", "x"),), "user": "u"}, "exclude each other"),
        ({"user": "a:b", "password": "c"}, "no colon"),
        ({"unknown_as": "two words"}, "unknown-as is one word"),
        ({"unknown_as": ""}, "unknown-as is one word"),
        ({"secret": SECRET}, "only json endpoints have a signing secret"),
        ({"format": "json", "secret": "whsec_short"}, "a secret is whsec_"),
        ({"format": "json", "unknown_as": "FAILED"}, "belongs to the mx format"),
        ({"format": "upside", "unknown_as": "FAILED"}, "belongs to the mx format"),
        ({"format": "json", "method": "get"}, "json is always a POST"),
        ({"format": None, "email": "a@b.test"}, "a url or an email address, not both"),
        ({"format": "mx", "email": "a@b.test"}, "belong to the email format"),
        ({"digest_min": 5}, "belong to the email format"),
        ({"url": "", "format": "email"}, "no mail address"),
        ({"url": "", "format": "email", "email": "nobody"}, "the form name@domain"),
        ({**MAIL, "headers": (("X-A", "b"),)}, "belong to endpoints with a url"),
        ({**MAIL, "digest_min": 0}, "digest is from 1 to 1440"),
    ],
)
def test_what_could_not_be_pushed_to_is_refused(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal) as caught:
        endpoint(**wish)
    assert said in caught.value.text
    assert caught.value.kind == "invalid"


def test_what_speaks_against_a_url_is_said() -> None:
    with pytest.raises(Refusal, match="url: forbidden address"):
        endpoint(lambda url: (f"forbidden address of {url}",))


def test_a_signing_secret_is_rotated_and_the_former_one_stays_for_a_day() -> None:
    first = endpoint(format="json", secret=SECRET)
    second, made = enrol.rotate_secret(first, 1000)
    assert second.secrets == (made, SECRET)
    assert second.old_secrets_until_ms == 1000 + 86_400_000
    third, again = enrol.rotate_secret(second, 2000, "whsec_" + "A" * 32)
    assert third.secrets == (again, made)
    assert again == "whsec_" + "A" * 32
    with pytest.raises(Refusal, match="only json endpoints"):
        enrol.rotate_secret(endpoint(), 0)
