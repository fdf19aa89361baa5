"""``homing account``: secrets once, changes at once, refusals in one line."""

import pytest

from homing.engine.credentials import hash_api_key, is_password
from homing.model.account import Account
from homing.store import customers
from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented


def account(homing: Homing, name: str = "acme") -> Account:
    database = homing.open()
    try:
        with database.reading() as connection:
            return customers.account_named(connection, name)
    finally:
        database.close()


def test_an_account_is_added_and_its_secrets_are_shown_once(homing: Homing) -> None:
    made = homing.json("account", "add", "acme", "--password", "s3cret", "--allow", "192.0.2.7")
    assert as_documented("account add", made)
    kept = account(homing)
    assert (made["name"], made["password"], made["token"]) == ("acme", "s3cret", kept.token)
    assert is_password("s3cret", kept.password_hash)
    assert is_password(made["inbound_password"], kept.inbound_password_hash)
    assert hash_api_key(made["api_key"]) == kept.api_key_hash
    shown = homing.json("account", "show", "acme")
    assert as_documented("account show", shown | {"numbers": ["60999"]})
    assert (shown["credits"], shown["allowed_addresses"]) == (None, ["192.0.2.7/32"])
    assert shown["signature"] == made["signature"]
    text = homing("account", "show", "acme")
    assert all(made[secret] not in text for secret in ("password", "inbound_password", "api_key"))
    assert made["token"] in text


def test_what_people_are_shown_holds_the_secrets_and_a_note(homing: Homing) -> None:
    printed = homing("account", "add", "acme", "--password", "s3cret", "--inbound-password", "inb0und")
    assert all(word in printed for word in ("s3cret", "inb0und", "hk_", "not shown again"))


def test_accounts_are_listed(homing: Homing) -> None:
    assert "no account yet" in homing("account", "list")
    homing("account", "add", "bolt", "--credits", "2.5")
    homing("account", "add", "acme")
    homing("account", "disable", "acme")
    homing("number", "add", "60999", "--account", "bolt", "--keyword", "Stop")
    listed = homing.json("account", "list")
    assert as_documented("account list", listed)
    assert items(listed, "name", "disabled", "credits", "numbers") == [
        ("acme", True, None, []),
        ("bolt", False, 2.5, ["60999 stop"]),
    ]
    printed = homing("account", "list")
    assert "disabled" in printed
    assert "unlimited" in printed


def test_an_account_is_disabled_and_enabled(acme: Homing) -> None:
    assert acme.json("account", "disable", "acme")["disabled"] is True
    assert acme.json("account", "enable", "acme")["disabled"] is False


def test_the_list_of_addresses_is_replaced(acme: Homing) -> None:
    changed = acme.json("account", "allow", "acme", "10.1.2.3/8", "2001:db8::1")
    assert changed["allowed_addresses"] == ["10.0.0.0/8", "2001:db8::1/128"]
    assert acme.json("account", "allow", "acme")["allowed_addresses"] == []
    assert "nowhere" in acme.error("account", "allow", "acme", "nowhere")


@pytest.mark.parametrize(
    ("what", "field"),
    [("password", "password"), ("inbound-password", "inbound_password"), ("api-key", "api_key")],
)
def test_a_secret_is_rotated_and_no_other(acme: Homing, what: str, field: str) -> None:
    before = account(acme)
    made = acme.json("account", "rotate", "acme", "--what", what)
    assert list(made) == ["name", field]
    after = account(acme)
    hashes = ("password_hash", "inbound_password_hash", "api_key_hash")
    assert [each for each in hashes if getattr(before, each) != getattr(after, each)] == [f"{field}_hash"]


def test_a_new_password_may_be_chosen_a_key_may_not(acme: Homing) -> None:
    assert "chosen-0ne" in acme("account", "rotate", "acme", "--value", "chosen-0ne")
    assert is_password("chosen-0ne", account(acme).password_hash)
    assert "never chosen" in acme.error("account", "rotate", "acme", "--what", "api-key", "--value", "x")


def test_credits_are_entered_into_the_ledger(homing: Homing) -> None:
    homing("account", "add", "acme", "--credits", "10")
    assert homing.json("account", "credit", "acme", "-3.5", "--note", "back") == {
        "name": "acme",
        "credits": 6.5,
    }
    assert homing.json("account", "credit", "acme", "+1")["credits"] == 7.5
    assert "7.5 credits" in homing("account", "credit", "acme", "0")
    assert as_documented("account credit", homing.json("account", "credit", "acme", "-.5"))
    assert homing.json("account", "show", "acme")["credits"] == 7.0


@pytest.mark.parametrize("amount", ["nan", "inf", "-inf", "much", "1e12", "-1e308"])
def test_an_amount_is_a_number(acme: Homing, amount: str) -> None:
    assert "Invalid value" in acme.misuse("account", "credit", "acme", amount)
    if not amount.startswith("-"):
        assert "Invalid value" in acme.misuse("account", "add", "bolt", "--credits", amount)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("add", "acme"), "account acme exists already"),
        (("add", "a b"), "an account name is 1 to 64 letters"),
        (("add", "bolt", "--password", ""), "the password is 1 to 256 printable characters"),
        (("add", "bolt", "--allow", "x"), "not an address or network: x"),
        (("show", "nobody"), "there is no account nobody"),
        (("disable", "nobody"), "there is no account nobody"),
        (("rotate", "nobody"), "there is no account nobody"),
        (("credit", "nobody", "1"), "there is no account nobody"),
        (("show", "\x1b[31m"), "there is no account \\x1b[31m"),
    ],
)
def test_refusals_are_one_line(acme: Homing, arguments: tuple[str, ...], error: str) -> None:
    assert acme.error("account", *arguments).startswith(error)
    assert items(acme.json("account", "list"), "name") == [("acme",)]
