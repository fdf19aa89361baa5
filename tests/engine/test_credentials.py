"""Secrets are random, kept as hashes, and told apart."""

import hmac
import re
import string

from homing.engine import credentials


def test_a_password_is_known_by_its_hash_only() -> None:
    password = credentials.make_password()
    kept = credentials.hash_password(password)
    assert password not in kept
    assert kept.startswith("$argon2id$")
    assert kept != credentials.hash_password(password)
    assert credentials.is_password(password, kept)
    assert not credentials.is_password(password + " ", kept)
    assert not credentials.is_password("", kept)


def test_what_is_no_hash_fits_no_password() -> None:
    assert not credentials.is_password("x", "")
    assert not credentials.is_password("x", "x")


def test_every_secret_is_another() -> None:
    for make in (credentials.make_password, credentials.make_api_key, credentials.make_token):
        made = {make() for _ in range(50)}
        assert len(made) == 50
        assert all(secret.isascii() and " " not in secret and len(secret) >= 20 for secret in made)
    assert len(credentials.make_secret_key()) == 32


def test_an_api_key_is_looked_up_by_its_hash() -> None:
    assert credentials.hash_api_key("hk_x") == credentials.hash_api_key("hk_x")
    assert credentials.hash_api_key("hk_x") != credentials.hash_api_key("hk_y")


def test_the_signature_changes_with_the_password_and_nothing_else() -> None:
    first = credentials.signature("acme", "token", "hash")
    number = int(hmac.new(b"token", b"acmehash", "sha256").hexdigest(), 16)
    letters = string.ascii_letters + string.digits
    assert first == "".join(letters[number // 62**n % 62] for n in range(24))
    assert first != credentials.signature("acme", "token", "other")
    assert credentials.is_same(first, credentials.signature("acme", "token", "hash"))
    assert not credentials.is_same(first, "ä")
    assert not credentials.is_same("\ud800", first)


def test_a_token_has_the_form_that_old_clients_expect() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", credentials.make_token())
