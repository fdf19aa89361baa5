"""Whose address counts, directly and behind proxies."""

import pytest

from homing.api.client_address import client_address, is_within, place_of

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("client", "forwarded", "trusted", "expected"),
    [
        ("192.0.2.1", [], (), "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], (), "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], PROXIES, "192.0.2.1"),
        ("10.1.1.1", ["198.51.100.7"], PROXIES, "198.51.100.7"),
        ("10.1.1.1", ["203.0.113.5, 198.51.100.7, 10.2.2.2"], PROXIES, "198.51.100.7"),
        ("10.1.1.1", ["203.0.113.5", "198.51.100.7"], PROXIES, "198.51.100.7"),
        ("10.1.1.1", ["198.51.100.7:4711"], PROXIES, "198.51.100.7"),
        ("10.1.1.1", ["[2001:db8::7]:4711"], PROXIES, "2001:db8::7"),
        ("2001:db8:ffff::1", ["2001:db8::7"], PROXIES, "2001:db8::7"),
        ("::ffff:10.1.1.1", ["198.51.100.7"], PROXIES, "198.51.100.7"),
        ("10.1.1.1", ["198.51.100.7, unknown"], PROXIES, "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.7, , 10.2.2.2"], PROXIES, "10.2.2.2"),
        ("10.1.1.1", [], PROXIES, "10.1.1.1"),
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], PROXIES, "10.3.3.3"),
        (None, ["198.51.100.7"], PROXIES, ""),
    ],
)
def test_only_trusted_proxies_are_believed(
    client: str | None, forwarded: list[str], trusted: tuple[str, ...], expected: str
) -> None:
    scope = {
        "client": None if client is None else (client, 1),
        "headers": [(b"host", b"x"), *((b"x-forwarded-for", value.encode()) for value in forwarded)],
    }
    assert client_address(scope, trusted) == expected


def test_networks() -> None:
    assert is_within("192.0.2.9", ("192.0.2.0/24",))
    assert is_within("::ffff:192.0.2.9", ("192.0.2.0/24",))
    assert is_within("192.0.2.9", ("2001:db8::/32", "192.0.2.9"))
    assert not is_within("192.0.3.9", ("192.0.2.0/24",))
    assert not is_within("", ("0.0.0.0/0",))
    assert not is_within("testclient", ("0.0.0.0/0", "::/0"))


def test_places() -> None:
    assert place_of("192.0.2.9") == place_of("::ffff:192.0.2.9") != place_of("192.0.2.8")
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:1") != place_of("2001:db8:0:1::1")
    assert place_of("") == ""
