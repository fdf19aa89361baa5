"""Accounts that an account makes, for those whose programs sell on (upside.md §7): checks, and the port.

A sub-account is an account like any other, with a credit line that only its maker fills by this way. What is
wrong is an ``AccountProblem`` with a code of the interface, whose spelling is not ours.
"""

import re
from typing import Final, Literal, Protocol

from homing.model.account import Account, Endpoint, Profile

Code = Literal[
    "GENERAL_ERROR",
    "UNAUTHORIZED_ACCESS",
    "USERNAME_IN_USE",
    "EMAIL_ADDRESS_IN_USE",
    "DEVICE_IN_USE",
    "SMSIN_IN_USE",
    "WEBTEXT_IN_USE",
    "INVALID_USERNAME",
    "INVALID_PASSWORD",
    "INVALID_FISTNAME",
    "INVALID_LASTNAME",
    "INVALID_EMAIL_ADDRESS",
    "INVALID_SMSIN",
    "INVALID_WEBTEXT",
    "INVALID_PARAMETER",
    "NO_ERROR",
]
DeviceKind = Literal["SMS", "Email", "URL"]

MOST_SUB_ACCOUNTS: Final = 10_000
MOST_CREDITS: Final = 1e9
_USER_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAIL_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)  # RFC 5321 §4.1.2
_SMS_IN = re.compile(r"[A-Za-z0-9]{1,20}")
_WEB_TEXT = re.compile(r"[A-Za-z0-9]{6,12}")
_LONGEST_TEXT: Final = 200


class AccountProblem(Exception):
    """Why something was not done; nothing of it was. ``code`` is one of the interface."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code: Code = code
        self.text = text


class SubAccounts(Protocol):
    """What is asked of the store. Methods block; what cannot be done is an ``AccountProblem``."""

    def profile(self, account: str) -> Profile | None:
        """Who is behind an account; None when it was made by the operator."""

    def add(self, parent: str, account: Account, profile: Profile) -> None: ...

    def register_device(
        self, parent: str, name: str, device: str, kind: DeviceKind, endpoint: Endpoint | None
    ) -> None:
        """Write a device, and the endpoint that forwards to it."""

    def transfer(self, parent: str, name: str, credits: float, note: str) -> None:
        """Move credits from an account to one that it made: two entries in the ledger."""


def check_profile(name: str, password: str, profile: Profile) -> None:
    """Refuse what cannot be an account."""
    _expect(_USER_NAME.fullmatch(name), "INVALID_USERNAME", "letters, digits, dots, dashes and underscores")
    is_password = 0 < len(password) <= 256 and password.isprintable()
    _expect(is_password, "INVALID_PASSWORD", "the password is 1 to 256 printable characters")
    _expect(_is_line(profile.first_name), "INVALID_FISTNAME", "the first name is missing or too long")
    _expect(_is_line(profile.last_name), "INVALID_LASTNAME", "the last name is missing or too long")
    _expect(
        is_mail_address(profile.email), "INVALID_EMAIL_ADDRESS", "the mail address is missing or unreadable"
    )
    _expect(
        not profile.sms_in or _SMS_IN.fullmatch(profile.sms_in), "INVALID_SMSIN", "1 to 20 letters and digits"
    )
    _expect(
        not profile.web_text or _WEB_TEXT.fullmatch(profile.web_text),
        "INVALID_WEBTEXT",
        "6 to 12 letters and digits",
    )
    for text in (profile.comment, profile.external_id, profile.company_name):
        _expect(not text or _is_line(text), "INVALID_PARAMETER", "a text is too long or cannot be shown")


def check_credits(credits: float) -> None:
    """Refuse what is no amount that can be moved."""
    _expect(0 < credits <= MOST_CREDITS, "INVALID_PARAMETER", "credits is an amount above 0")


def is_mail_address(text: str) -> bool:
    return _MAIL_ADDRESS.fullmatch(text) is not None


def _is_line(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TEXT and text.isprintable()


def _expect(condition: object, code: Code, text: str) -> None:
    if not condition:
        raise AccountProblem(code, text)
