"""Which addresses a push may go to. Customers choose the URLs, so every URL is taken for an attack.

A name is resolved, every one of its addresses is checked, and the connection goes to a checked
address: there is no second look-up that could say something else. When one address of a name is
forbidden, the name is. ``allow_private_networks`` opens private networks and the own machine for
laptops and tests; link-local addresses, metadata services and everything that is no unicast host stay
forbidden even then, and so do addresses that carry another one inside (v4-mapped, NAT64, 6to4, Teredo).
"""

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

from homing.wire.target import read_url

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)

_PRIVATE: Mapping[str, str] = {
    "10.0.0.0/8": "private",  # RFC 1918 §3
    "172.16.0.0/12": "private",
    "192.168.0.0/16": "private",
    "127.0.0.0/8": "loopback",  # RFC 1122 §3.2.1.3
    "::1/128": "loopback",  # RFC 4291 §2.5.3
    "100.64.0.0/10": "shared (carrier NAT)",  # RFC 6598 §7
    "fc00::/7": "unique local",  # RFC 4193 §3.1
}
"""Open when private networks are allowed."""

_NEVER: Mapping[str, str] = {
    "0.0.0.0/8": "this network",  # RFC 1122 §3.2.1.3
    "169.254.0.0/16": "link-local",  # RFC 3927 §2.1
    "192.0.0.0/24": "reserved",  # RFC 6890 §2.1
    "192.0.2.0/24": "documentation",  # RFC 5737 §3
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",  # RFC 7526 §4
    "198.18.0.0/15": "benchmark",  # RFC 2544 §C.2.2
    "224.0.0.0/4": "multicast",  # RFC 5771 §3
    "240.0.0.0/4": "reserved",  # RFC 1112 §4
    "::ffff:0:0/96": "v4-mapped",  # RFC 4291 §2.5.5.2
    "::/96": "unspecified or v4-compatible",  # RFC 4291 §2.5.5.1
    "64:ff9b::/96": "NAT64",  # RFC 6052 §2.1
    "64:ff9b:1::/48": "NAT64",  # RFC 8215 §5
    "100::/64": "discard",  # RFC 6666 §4
    "2001::/32": "Teredo",  # RFC 4380 §2.6
    "2001:2::/48": "benchmark",  # RFC 5180 §8
    "2001:db8::/32": "documentation",  # RFC 3849 §2
    "3fff::/20": "documentation",  # RFC 9637 §3
    "2001::/23": "reserved",  # RFC 2928 §2
    "2002::/16": "6to4",  # RFC 3056 §2
    "5f00::/16": "segment routing",  # RFC 9602 §5
    "fe80::/10": "link-local",  # RFC 4291 §2.5.6
    "fec0::/10": "site-local",  # RFC 3879 §4
    "ff00::/8": "multicast",  # RFC 4291 §2.7
}


def _by_version(table: Mapping[str, str]) -> dict[int, list[tuple[Network, str]]]:
    found: dict[int, list[tuple[Network, str]]] = {4: [], 6: []}
    for text, word in table.items():
        network = ipaddress.ip_network(text)
        found[network.version].append((network, word))
    return found


_PRIVATE_NETWORKS = _by_version(_PRIVATE)
_NEVER_NETWORKS = _by_version(_NEVER)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291 §2.4
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)


def check_address(address: str, *, allow_private_networks: bool = False) -> str | None:
    """Why this IP address is forbidden, in a word; None when a push may go there."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unreadable"
    if ip in _METADATA:
        return "metadata service"
    for network, word in _PRIVATE_NETWORKS[ip.version]:
        if ip in network:
            return None if allow_private_networks else word
    for network, word in _NEVER_NETWORKS[ip.version]:
        if ip in network:
            return word
    return "reserved" if ip.version == 6 and ip not in _GLOBAL_UNICAST else None


def check_url(url: str, *, allow_private_networks: bool = False) -> tuple[str, ...]:
    """What is wrong with an endpoint's URL, as far as can be seen without resolving its name."""
    try:
        target, _ = read_url(url)
    except ValueError as error:
        return (str(error),)
    address = _literal(target.host)
    if address is None:
        return ()
    word = check_address(address, allow_private_networks=allow_private_networks)
    return () if word is None else (f"forbidden address {address} ({word})",)


def _literal(host: str) -> str | None:
    """The address that a host stands for by itself, also in the old spellings (``127.1``, ``0x7f000001``)."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if _NUMBERS.fullmatch(host):
        try:
            return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
        except OSError:
            return "0.0.0.0"  # noqa: S104  (numbers that are no address are nobody's name either)
    return None


class ForbiddenAddress(Exception):
    """A name or literal leads to an address that no push may go to."""


Lookup = Callable[[str], Awaitable[list[str]]]
"""Resolves a name to its addresses, in the order in which they should be tried. OSError when it cannot."""


async def system_lookup(host: str) -> list[str]:
    """What the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


class Resolver:
    """Names to checked addresses. Answers are kept for ``keep_s``; one look-up serves all who wait for it."""

    def __init__(
        self,
        *,
        allow_private_networks: bool = False,
        keep_s: float = 30.0,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._allow_private_networks = allow_private_networks
        self._keep_s = keep_s
        self._lookup = lookup
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._under_way: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """The checked addresses of a host, at least one. ForbiddenAddress, or OSError when it has none."""
        known = self._known.get(host)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        task = self._under_way.get(host)
        if task is None:
            task = self._under_way[host] = asyncio.ensure_future(self._resolve(host))
            task.add_done_callback(lambda done: self._looked_up(host, done))
        return await asyncio.shield(task)

    def prefer(self, host: str, address: str) -> None:
        """Puts the address that could be reached before the others."""
        known = self._known.get(host)
        if known is not None and address in known[1] and known[1][0] != address:
            others = tuple(other for other in known[1] if other != address)
            self._known[host] = (known[0], (address, *others))

    def _looked_up(self, host: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        del self._under_way[host]
        if not task.cancelled():
            task.exception()  # seen, also when everybody who waited has gone

    async def _resolve(self, host: str) -> tuple[str, ...]:
        addresses = tuple(dict.fromkeys(await self._lookup(host)))
        if not addresses:
            raise OSError("no address")
        for address in addresses:
            word = check_address(address, allow_private_networks=self._allow_private_networks)
            if word is not None:
                raise ForbiddenAddress(f"forbidden address {address} ({word})")
        now_s = time.monotonic()
        if len(self._known) > 1000:
            self._known = {name: entry for name, entry in self._known.items() if entry[0] > now_s}
        self._known[host] = (now_s + self._keep_s, addresses)
        return addresses
