"""Addresses and URLs that no push may go to."""

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.push.addresses import ForbiddenAddress, Resolver, check_address, check_url

PRIVATE = [
    "10.1.2.3",
    "172.31.255.1",
    "192.168.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "100.64.0.1",
    "fd12::1",
]
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.169.254", "100.100.100.200", "192.0.0.8", "192.0.2.1",
    "198.51.100.7", "203.0.113.9", "192.88.99.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8", "::1:0:0", "4000::1",
    "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "3fff::1", "2002:7f00:1::",
    "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "fd00:ec2::254", "5f00::1", "not an address", "",
]  # fmt: skip
OPEN = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_open_only_when_allowed(address: str) -> None:
    assert check_address(address)
    assert check_address(address, allow_private_networks=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_these_stay_forbidden(address: str) -> None:
    assert check_address(address)
    assert check_address(address, allow_private_networks=True)


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_open(address: str) -> None:
    assert check_address(address) is None
    assert check_address(address, allow_private_networks=True) is None


@given(st.ip_addresses())
def test_nothing_is_open_that_the_standard_library_calls_private(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local:
        assert check_address(str(ip))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://[::1]:8080/", "loopback"),
        ("http://127.1/", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://0x7f.0.0.1/", "loopback"),
        ("http://017700000001/", "loopback"),
        ("http://999.1.1.1/", "this network"),
        ("http://[::ffff:127.0.0.1]/", "v4-mapped"),
        ("https://169.254.169.254/latest", "metadata"),
        ("ftp://server.example/", "http"),
        ("/in", "http"),
        ("http:///in", "no host"),
        ("http://a:b@server.example/", "user"),
        ("http://server.example/\n", "control"),
    ],
)
def test_what_can_be_seen_in_a_url(url: str, problem: str) -> None:
    (said,) = check_url(url)
    assert problem in said


def test_good_urls() -> None:
    assert check_url("https://server.example/in?key=1") == ()
    assert check_url("http://8.8.8.8:8080/") == ()
    assert check_url("http://127.0.0.1/", allow_private_networks=True) == ()
    assert check_url("http://169.254.169.254/", allow_private_networks=True) != ()


class Names:
    """A resolver of our own: what it says is what a hostile customer's name server may say."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str) -> list[str]:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_one_forbidden_address_forbids_the_name() -> None:
    resolver = Resolver(lookup=Names(["8.8.8.8", "10.0.0.1"]))
    with pytest.raises(ForbiddenAddress, match=r"forbidden address 10\.0\.0\.1 \(private\)"):
        asyncio.run(resolver.resolve("a.example"))


def test_answers_are_kept_shared_and_ordered() -> None:
    names = Names(["8.8.8.8", "8.8.4.4", "8.8.8.8"])
    resolver = Resolver(lookup=names)

    async def run() -> None:
        found = await asyncio.gather(*(resolver.resolve("a.example") for _ in range(5)))
        assert set(found) == {("8.8.8.8", "8.8.4.4")}
        resolver.prefer("a.example", "8.8.4.4")
        assert await resolver.resolve("a.example") == ("8.8.4.4", "8.8.8.8")

    asyncio.run(run())
    assert names.asked == 1


def test_a_name_that_changes_its_mind_is_checked_again() -> None:
    resolver = Resolver(lookup=Names(["8.8.8.8"], ["169.254.169.254"]), keep_s=0)

    async def run() -> None:
        assert await resolver.resolve("a.example") == ("8.8.8.8",)
        with pytest.raises(ForbiddenAddress):
            await resolver.resolve("a.example")

    asyncio.run(run())


def test_a_name_without_address() -> None:
    with pytest.raises(OSError, match="no address"):
        asyncio.run(Resolver(lookup=Names([])).resolve("a.example"))


def test_the_name_of_this_machine_is_forbidden() -> None:
    with pytest.raises(ForbiddenAddress, match="loopback"):
        asyncio.run(Resolver().resolve("localhost"))
