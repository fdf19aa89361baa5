"""Logins: remembered, slowed, forgotten; argon2 is the real one, counted."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import msgspec
import pytest

import homing.api.login as login
from homing.api.login import Logins
from homing.engine.credentials import hash_api_key, hash_password, is_password, signature
from homing.engine.directory import Directory
from homing.model.account import Account
from homing.model.errors import Refusal

PER_MIN = 5
HERE, THERE = "192.0.2.1", "198.51.100.7"
ACME = Account(
    name="acme",
    password_hash=hash_password("right"),
    inbound_password_hash=hash_password("inbound"),
    api_key_hash=hash_api_key("key"),
    token="t1",
)
OTHER = msgspec.structs.replace(ACME, name="other", token="t2", api_key_hash=hash_api_key("other-key"))


class World:
    """Logins with a clock and customers that a test turns."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.directory = Directory([ACME, OTHER])
        self.logins = Logins(lambda: self.directory, PER_MIN, clock=lambda: self.time_s)

    async def tries(self, password: str, name: str = "acme", address: str = HERE) -> str:
        return await outcome(self.logins.account(name, password, address))


async def outcome(login: Awaitable[Account]) -> str:
    try:
        return (await login).name
    except Refusal as refusal:
        return refusal.kind


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.logins.close()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that argon2 was run on, and proof that it was on no loop's thread."""
    seen: list[str] = []

    def counted(password: str, password_hash: str) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        seen.append(password)
        return is_password(password, password_hash)

    monkeypatch.setattr(login, "is_password", counted)
    return seen


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def test_a_password_is_verified_once_in_a_thread(world: World, verified: list[str]) -> None:
    async def main() -> None:
        assert [await world.tries("right") for _ in range(3)] == ["acme"] * 3
        assert verified == ["right"]
        assert await world.tries("right", address=THERE) == "acme"
        assert verified == ["right"] * 2
        assert await world.tries("wrong") == "unauthorised"

    run(main)


def test_many_who_come_at_once_with_the_same_password_cost_one_verification(
    world: World, verified: list[str]
) -> None:
    async def main() -> None:
        answers = await asyncio.gather(*(world.tries("right") for _ in range(100)))
        assert answers == ["acme"] * 100
        assert verified == ["right"]

    run(main)


def test_an_unknown_account_takes_as_long_as_a_known_one(world: World, verified: list[str]) -> None:
    async def main() -> None:
        assert await world.tries("wrong") == "unauthorised"
        assert await world.tries("wrong", name="nobody") == "unauthorised"
        assert verified == ["wrong"] * 2

    run(main)


def test_who_gives_no_name_or_password_makes_no_guess(world: World, verified: list[str]) -> None:
    async def main() -> None:
        for _ in range(PER_MIN + 1):
            assert await world.tries("") == await world.tries("x", name="") == "unauthorised"
        assert await world.tries("right") == "acme"
        assert verified == ["right"]

    run(main)


def test_inbound_passwords_are_others(world: World) -> None:
    async def main() -> None:
        inbound = world.logins.inbound_account
        assert await outcome(inbound("acme", "inbound", HERE)) == "acme"
        assert await outcome(inbound("acme", "inbound", HERE)) == "acme"
        assert await outcome(inbound("acme", "right", HERE)) == "unauthorised"
        assert await world.tries("inbound") == "unauthorised"
        assert await world.tries("right") == "acme"

    run(main)


def test_a_change_of_password_forgets_the_old_one_and_a_disabled_account_is_told_so(world: World) -> None:
    async def main() -> None:
        assert await world.tries("right") == "acme"
        changed = msgspec.structs.replace(ACME, password_hash=hash_password("new"))
        world.directory = Directory([changed])
        assert await world.tries("right") == "unauthorised"
        assert await world.tries("new") == "acme"
        world.directory = Directory([msgspec.structs.replace(changed, disabled=True)])
        assert await world.tries("new") == "forbidden"
        assert await world.tries("right") == "unauthorised"
        world.directory = Directory()
        assert await world.tries("new") == "unauthorised"

    run(main)


def test_guesses_at_an_account_are_slowed_wherever_they_come_from(world: World, verified: list[str]) -> None:
    async def main() -> None:
        for guess in range(PER_MIN):
            assert await world.tries(f"g{guess}", address=f"203.0.113.{guess}") == "unauthorised"
        assert await world.tries("right", address=THERE) == "too_fast"
        assert len(verified) == PER_MIN
        assert await world.tries("right", name="other", address=THERE) == "other"
        world.time_s += 60 / PER_MIN
        assert await world.tries("right", address=THERE) == "acme"

    run(main)


def test_guesses_from_an_address_are_slowed_whatever_they_are_at(world: World) -> None:
    async def main() -> None:
        for guess in range(PER_MIN):
            assert await world.tries("x", name=f"n{guess}", address=f"2001:db8::{guess}") == "unauthorised"
        assert await world.tries("right", address="2001:db8::99") == "too_fast"
        assert await world.tries("right", address="2001:db8:0:1::1") == "acme"
        world.time_s += 60
        for guess in range(PER_MIN):
            assert await world.tries("x", name=f"m{guess}", address="2001:db8::1") == "unauthorised"
        assert await world.tries("x", name="m", address="2001:db8::1") == "too_fast"

    run(main)


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(world: World, verified: list[str]) -> None:
    async def main() -> None:
        answers = await asyncio.gather(*(world.tries(f"g{n}") for n in range(50)))
        assert answers.count("unauthorised") == PER_MIN
        assert answers.count("too_fast") == 50 - PER_MIN
        assert len(verified) == PER_MIN

    run(main)


def test_right_logins_at_once_hold_up_each_other_but_are_never_refused(world: World) -> None:
    """A customer's machine that comes back with all its programs, after a restart of the node."""
    kept = hash_password("right")
    accounts = [
        msgspec.structs.replace(ACME, name=f"a{n}", token=f"t{n}", api_key_hash=f"k{n}", password_hash=kept)
        for n in range(4 * PER_MIN)
    ]
    world.directory = Directory(accounts)

    async def main() -> None:
        names = [account.name for account in accounts]
        assert await asyncio.gather(*(world.tries("right", name) for name in names)) == names
        assert await world.tries("wrong", "a0") == "unauthorised"  # nothing was spent meanwhile
        mixed = await asyncio.gather(*(world.tries("right" if n % 2 else "no", f"a{n}") for n in range(20)))
        assert all(mixed[n] in (f"a{n}", "too_fast") for n in range(1, 20, 2))
        assert {mixed[n] for n in range(0, 20, 2)} == {"unauthorised", "too_fast"}
        assert mixed.count("unauthorised") <= PER_MIN

    asyncio.run(main())


def test_those_who_wait_with_the_same_password_are_verified_once(world: World, verified: list[str]) -> None:
    kept = hash_password("right")
    others = [
        msgspec.structs.replace(ACME, name=f"a{n}", token=f"t{n}", api_key_hash=f"k{n}", password_hash=kept)
        for n in range(PER_MIN)
    ]
    world.directory = Directory([ACME, *others])

    async def main() -> None:
        ahead = [asyncio.ensure_future(world.tries("right", other.name)) for other in others]
        await asyncio.sleep(0)  # they hold all that is left of the address
        late = await asyncio.gather(*(world.tries("right") for _ in range(20)))
        assert late == ["acme"] * 20
        await asyncio.gather(*ahead)
        assert len(verified) == PER_MIN + 1
        for n in range(PER_MIN):  # everything was given back
            assert await world.tries(f"wrong {n}", "nobody") == "unauthorised"

    asyncio.run(main())


def test_who_goes_away_while_his_password_is_verified_has_made_no_wrong_guess(world: World) -> None:
    async def main() -> None:
        for _ in range(2 * PER_MIN):
            going = asyncio.ensure_future(world.logins.account("acme", "right", HERE))
            await asyncio.sleep(0)
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going
        assert await world.tries("right") == "acme"
        assert await world.tries("wrong") == "unauthorised"

    asyncio.run(main())


def test_who_has_logged_in_is_not_locked_out_by_others(world: World) -> None:
    async def main() -> None:
        assert await world.tries("right") == "acme"
        for guess in range(PER_MIN + 1):
            await world.tries(f"g{guess}", address=THERE)
        assert await world.tries("x", address=THERE) == "too_fast"
        assert await world.tries("right") == "acme"
        assert await world.tries("right", address=THERE) == "too_fast"

    run(main)


def test_a_forgotten_job_with_an_old_password_does_not_stop_the_others_beside_it(world: World) -> None:
    async def main() -> None:
        assert await world.tries("right") == "acme"
        answers = [await world.tries("old") for _ in range(20)]
        assert answers == ["unauthorised"] * PER_MIN + ["too_fast"] * (20 - PER_MIN)
        assert await world.tries("right") == "acme"

    run(main)


def test_a_guesser_beside_the_customer_learns_nothing_above_the_limit(world: World) -> None:
    async def main() -> None:
        assert await world.tries("right") == "acme"
        for guess in range(PER_MIN):
            assert await world.tries(f"g{guess}") == "unauthorised"
        assert await world.tries("right") == "too_fast"
        world.time_s += 60 / PER_MIN
        assert await world.tries("right") == "acme"

    run(main)


def test_a_right_login_costs_no_guess(world: World) -> None:
    async def main() -> None:
        for number in range(3 * PER_MIN):
            assert await world.tries("right", address=f"203.0.113.{number}") == "acme"

    run(main)


def test_keys(world: World) -> None:
    def tries(key: str, address: str = HERE) -> str:
        try:
            return world.logins.account_of_key(key, address).name
        except Refusal as refusal:
            return refusal.kind

    assert (tries("key"), tries("other-key")) == ("acme", "other")
    assert [tries(f"k{n}") for n in range(PER_MIN + 1)] == ["unauthorised"] * PER_MIN + ["too_fast"]
    assert tries("\udce9", THERE) == "unauthorised"
    assert tries("key") == "acme"
    world.directory = Directory([msgspec.structs.replace(ACME, disabled=True)])
    assert tries("key") == "forbidden"


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_REMEMBERED", 3)

    async def main() -> None:
        assert await world.tries("right") == "acme"
        for number in range(4):
            assert await world.tries("right", address=f"203.0.113.{number}") == "acme"
            await world.tries("x" * 10_000, name="n" * 10_000 + str(number), address=f"203.0.113.{number}")
        kept = (world.logins._right, world.logins._wrong, world.logins._budgets._left)
        assert [len(each) for each in kept] == [3, 3, 3]
        assert not world.logins._checking
        assert await world.tries("right") == "acme"

    run(main)


def test_what_is_no_text_is_no_password(world: World) -> None:
    async def main() -> None:
        assert await world.tries("\ud800") == "unauthorised"
        assert await world.tries("right\0") == "unauthorised"

    run(main)


def test_a_token_goes_with_its_signature_and_changes_with_the_password(world: World) -> None:
    right = signature("acme", "t1", ACME.password_hash)

    def tries(token: str, given: str, address: str = HERE) -> str:
        try:
            return world.logins.account_of_token(token, given, address).name
        except Refusal as refusal:
            return refusal.kind

    assert tries("t1", right) == "acme"
    for token, given in (("t2", right), ("t3", right), ("", ""), ("t1", "\ud800"), ("\ud800", right)):
        assert tries(token, given, f"203.0.113.{len(token)}{len(given)}") == "unauthorised"
    changed = msgspec.structs.replace(ACME, password_hash="another")
    world.directory = Directory([changed, OTHER])
    assert tries("t1", right, THERE) == "unauthorised"
    assert tries("t1", signature("acme", "t1", "another"), THERE) == "acme"
    world.directory = Directory([msgspec.structs.replace(changed, disabled=True)])
    assert tries("t1", signature("acme", "t1", "another"), THERE) == "forbidden"


def test_guesses_of_signatures_are_counted_with_all_others(world: World) -> None:
    async def main() -> None:
        right = signature("acme", "t1", ACME.password_hash)
        for n in range(PER_MIN):
            with pytest.raises(Refusal, match="wrong token or signature"):
                world.logins.account_of_token(f"no such {n}", right, HERE)
        with pytest.raises(Refusal) as refused:
            world.logins.account_of_token("t1", "wrong", HERE)
        assert refused.value.kind == "too_fast"
        assert await world.tries("right", address=HERE) == "too_fast"
        assert world.logins.account_of_token("t1", right, HERE).name == "acme"
        assert await world.tries("right", address=THERE) == "acme"

    run(main)
