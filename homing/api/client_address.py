"""Who is calling: the client's address, behind proxies that the operator trusts.

``X-Forwarded-For`` is believed only as far as it was written by trusted proxies: it is read from its end, and
the first address that is not one of theirs is the client. Whatever else stands in it is the client's own
invention.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(scope: Mapping[str, Any], trusted: tuple[str, ...]) -> str:
    """The address a request comes from; empty when the connection has none (a Unix socket)."""
    return address_behind(scope.get("client"), scope["headers"], trusted)


def address_behind(
    client: tuple[str, int] | None, headers: Iterable[tuple[bytes, bytes]], trusted: tuple[str, ...]
) -> str:
    """The same, of the two things that it depends on."""
    address = client[0] if client else ""
    if not trusted or not is_within(address, trusted):
        return address
    forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    for hop in reversed(forwarded.decode("latin-1").split(",")):
        parsed = _parse(_without_port(hop.strip()))
        if parsed is None:
            break  # what stands before it was not written by a proxy of ours
        address = str(parsed)
        if not is_within(address, trusted):
            break
    return address


@lru_cache(maxsize=4096)
def is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of these networks (CIDR form, or single addresses)."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in _networks(networks))


@lru_cache(maxsize=4096)
def place_of(address: str) -> str:
    """What one client can hardly change of his address: all of IPv4, the first 64 bits of IPv6."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return address if parsed is None else str(parsed)


@lru_cache(maxsize=1024)
def _networks(networks: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(network, strict=False) for network in networks]


def _parse(address: str) -> _Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed.ipv4_mapped or parsed  # a listener for both kinds shows IPv4 this way
    return parsed


def _without_port(hop: str) -> str:
    """``192.0.2.1:4711`` and ``[2001:db8::1]:4711`` as some proxies write them."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
