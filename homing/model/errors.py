"""Errors that a caller outside must be answered with. Every face has one table from kind to its own words."""

import math
from typing import Literal

Kind = Literal[
    "invalid",  # the request is wrong; the text says what
    "unauthorised",  # unknown account or wrong secret
    "forbidden",  # known, but not allowed: address list, disabled account
    "no_credit",
    "not_found",
    "gone",  # it was there, and its time is over
    "conflict",
    "too_long",
    "too_fast",
    "too_soon",  # asked again before the polling rule allows it
    "unavailable",  # not stored; try again
]


class Refusal(Exception):
    """A request that is not carried out. Nothing was stored, and ``text`` may be shown to the caller."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.text = text


class TooSoon(Refusal):
    """Asked again before the polling rule allows it."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__("too_soon", f"asked too soon, ask again in {self.wait_s} s")


class StoreUnavailable(Exception):
    """The store could not commit (full, locked, read-only, gone). Nothing was written; answer temporarily."""
