"""Logins: who a request is from, for every face: name and password, API key, or token and signature.

Promises: argon2 runs in a thread, never on the loop, and once per password and place of origin; a verified
password is remembered as a hash under a key of this process, bound to the account's hash, so a change of
password forgets it. Guesses are slowed, per account and per address. An unknown account takes as long as a
known one. Memory is bounded, whatever is guessed.

What goes wrong: a wrong login is ``unauthorised``, a disabled account ``forbidden``, guesses above the limit
are ``too_fast`` and not even looked at. A place that has logged in keeps getting in while others guess at its
account; only different guesses from that same place stop it.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog

from homing.api.client_address import place_of
from homing.engine.credentials import (
    hash_api_key,
    hash_password,
    is_password,
    is_same,
    make_password,
    signature,
)
from homing.engine.directory import Directory
from homing.model.account import Account
from homing.model.errors import Refusal

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 60
"""After this a place or account may guess as often as at first."""

_REMEMBERED = 20_000
"""Logins, wrong guesses and budgets kept, each."""
_THREADS = 2
"""Verifications at once: each takes a core and 7 MiB."""
_MOST_WAITING = 256
_LONGEST_NAME = 64
_WRONG = "wrong user or password"


class _Budgets:
    """How many failures are left for a key: all per minute at first, and they come back evenly."""

    def __init__(self, per_min: int, clock: Callable[[], float]) -> None:
        self._full = float(per_min)
        self._clock = clock
        self._left: dict[Hashable, tuple[float, float]] = {}

    def left(self, key: Hashable) -> float:
        known = self._left.get(key)
        if known is None:
            return self._full
        left, at = known
        return min(self._full, left + (self._clock() - at) * self._full / 60)

    def spend(self, key: Hashable, failures: int = 1) -> None:
        left = min(self._full, self.left(key) - failures)
        self._left.pop(key, None)
        _keep(self._left, key, (left, self._clock()))


class Logins:
    """Verifies who is who. For the loop's thread; ``close`` ends the threads that hash."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        failures_per_min: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._key = secrets.token_bytes(32)
        self._nobody = hash_password(make_password())
        self._right: dict[tuple[str, str], bytes] = {}
        self._wrong: dict[bytes, None] = {}
        self._checking: dict[bytes, asyncio.Future[bool]] = {}
        self._undecided: Counter[tuple[str, str]] = Counter()
        """Guesses on their way, by the budgets that they have spent."""
        self._waiting = 0
        self._budgets = _Budgets(failures_per_min, clock)
        self._guesses = _Budgets(failures_per_min, clock)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="login")
        self.failures = 0
        self.slowed = 0

    def close(self) -> None:
        """End the threads; logins that still wait for one fail."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def account(self, name: str, password: str, address: str) -> Account:
        """The account with this name and API password."""
        account = self._directory().accounts.get(name)
        kept = account.password_hash if account is not None else self._nobody
        return await self._verify(account, name, password, kept, address)

    def known(self, name: str, password: str, address: str) -> Account | None:
        """The account, when this very login was right before; None = it is to be verified."""
        account = self._directory().accounts.get(name)
        if account is None:
            return None
        kept = account.password_hash
        return _usable(account) if self._is_known(kept, self._secret(name, password, kept), address) else None

    async def inbound_account(self, name: str, password: str, address: str) -> Account:
        """The account with this name and inbound password."""
        account = self._directory().accounts.get(name)
        kept = account.inbound_password_hash if account is not None else self._nobody
        return await self._verify(account, name, password, kept, address)

    def account_of_key(self, api_key: str, address: str) -> Account:
        """The account of a bearer key. A key cannot be guessed, so a right one is never slowed."""
        try:
            account = self._directory().by_api_key.get(hash_api_key(api_key))
        except UnicodeEncodeError:
            account = None
        if account is not None:
            return _usable(account)
        budget = ("address", place_of(address))
        self._check_budgets([budget], address)
        self._budgets.spend(budget)
        self.failures += 1
        raise Refusal("unauthorised", "unknown API key")

    def account_of_token(self, token: str, given: str, address: str) -> Account:
        """The account of a token and its signature; a right pair is never slowed, as it cannot be guessed."""
        account = self._directory().by_token.get(token)
        known = ("", self._nobody) if account is None else (account.name, account.password_hash)
        is_right = is_same(given, signature(known[0], token, known[1]))
        if is_right and account is not None:
            return _usable(account)
        budgets = [("token", token[: _LONGEST_NAME + 1]), ("address", place_of(address))]
        self._check_budgets(budgets, address)
        for budget in budgets:
            self._budgets.spend(budget)
        self.failures += 1
        raise Refusal("unauthorised", "wrong token or signature")

    def is_let_in(self, is_right: bool, address: str) -> bool:
        """For doors that compare a secret of their own; wrong ones are slowed, by address."""
        if is_right:
            return True
        budget = ("address", place_of(address))
        self._check_budgets([budget], address)
        self._budgets.spend(budget)
        self.failures += 1
        return False

    async def _verify(
        self, account: Account | None, name: str, password: str, kept: str, address: str
    ) -> Account:
        if not name or not password:  # a probe or a broken form, no guess
            raise Refusal("unauthorised", _WRONG)
        secret = self._secret(name, password, kept)
        pair = (kept, place_of(address))
        if account is not None and self._is_known(kept, secret, address):
            return _usable(account)
        if not await self._is_right(secret, name, password, kept, address) or account is None:
            if secret not in self._wrong:  # the same wrong password again is no guess, but a forgotten job
                _keep(self._wrong, secret, None)
                self._guesses.spend(pair)
            self.failures += 1
            raise Refusal("unauthorised", _WRONG)
        _keep(self._right, pair, secret)
        return _usable(account)

    def _secret(self, name: str, password: str, kept: str) -> bytes:
        # RFC 7693 §2.9. OpenSSL's HMAC would give up the lock of the interpreter, and wait to have it back.
        told = f"{name}\0{kept}\0{password}".encode("utf-8", "replace")
        return hashlib.blake2b(told, key=self._key, digest_size=32).digest()

    def _is_known(self, kept: str, secret: bytes, address: str) -> bool:
        """Whether this was right before from there, and nobody guesses from there."""
        pair = (kept, place_of(address))
        known = self._right.get(pair)
        return known is not None and hmac.compare_digest(known, secret) and self._guesses.left(pair) >= 1

    async def _is_right(self, secret: bytes, name: str, password: str, kept: str, address: str) -> bool:
        """Check one guess. Those who make the same guess at the same time share its cost and its count."""
        budgets = [("account", name[: _LONGEST_NAME + 1]), ("address", place_of(address))]
        while (checking := self._checking.get(secret)) is None and self._may_get_room(budgets):
            await self._next_decision()
        if checking is not None:
            return await asyncio.shield(checking)
        self._check_budgets(budgets, address)
        for budget in budgets:  # before the outcome is known: many guesses may be on their way at once
            self._budgets.spend(budget)
        if secret in self._wrong:
            return False
        encodable = password.encode("utf-8", "replace").decode()
        checking = asyncio.get_running_loop().run_in_executor(self._threads, is_password, encodable, kept)
        self._checking[secret] = checking
        self._undecided.update(budgets)
        checking.add_done_callback(partial(self._decided, secret, budgets))
        return await asyncio.shield(checking)

    def _may_get_room(self, budgets: Sequence[tuple[str, str]]) -> bool:
        """Whether guesses on their way hold what is missing: those that are right will give it back."""
        if len(self._checking) + self._waiting >= _MOST_WAITING:
            return False
        short = [budget for budget in budgets if self._budgets.left(budget) < 1]
        return bool(short) and all(self._budgets.left(each) + self._undecided[each] >= 1 for each in short)

    async def _next_decision(self) -> None:
        """Until one of the guesses on their way is decided."""
        self._waiting += 1
        try:
            await asyncio.wait(set(self._checking.values()), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1

    def _decided(
        self, secret: bytes, budgets: Sequence[tuple[str, str]], checking: asyncio.Future[bool]
    ) -> None:
        del self._checking[secret]
        self._undecided -= Counter(budgets)
        if not checking.cancelled() and checking.exception() is None and checking.result():
            for budget in budgets:
                self._budgets.spend(budget, -1)

    def _check_budgets(self, budgets: list[tuple[str, str]], address: str) -> None:
        spent = [kind for kind, key in budgets if self._budgets.left((kind, key)) < 1]
        if spent or len(self._checking) >= _MOST_WAITING:
            self.slowed += 1
            if self.slowed & (self.slowed - 1) == 0:  # the 1st, 2nd, 4th, 8th, …: a guesser fills no log
                log.warning("logins_slowed", by=spent or ["all"], address=address, times=self.slowed)
            raise Refusal("too_fast", "too many wrong logins, try again in a minute")


def _usable(account: Account) -> Account:
    if account.disabled:
        raise Refusal("forbidden", "the account is disabled")
    return account


def _keep(mapping: dict[_K, _V], key: _K, value: _V) -> None:
    """Remember, and forget the oldest when there are too many."""
    if len(mapping) >= _REMEMBERED and key not in mapping:
        del mapping[next(iter(mapping))]
    mapping[key] = value
