"""Where a push goes: what a connection and a request need to know of an endpoint's URL.

A URL is read once, when the endpoint is set up or loaded. ``ValueError`` says what is wrong with it, and
never repeats the URL: query strings carry credentials here.
"""

import ipaddress
import re
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

_DEFAULT_PORT = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
# What may stand in a request target as it is; everything else is percent-encoded. RFC 3986 §3.3, §3.4
_KEPT_IN_TARGET = "/?:@!$&'()*+,;=-._~%[]|"


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False, cache_hash=True):
    """One server by name. Connections are shared by everything that has an equal target."""

    scheme: Literal["http", "https"]
    host: str
    """ASCII, lower case, an IPv6 address without its brackets; also the name in TLS."""
    port: int

    @property
    def authority(self) -> str:
        """The value of the Host header."""  # RFC 9110 §7.2
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


def read_url(url: str) -> tuple[Target, str]:
    """The target and the request target (path and query, at least ``/``) of an http or https URL."""
    if any(char <= " " or char == "\x7f" for char in url):
        raise ValueError("the URL holds a blank or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL has an unreadable host or port") from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise ValueError("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("user and password do not belong in the URL; give them as basic credentials")
    if port == 0:
        raise ValueError("the URL has port 0")
    target = Target(
        scheme="https" if scheme == "https" else "http",
        host=_read_host(parts.hostname or ""),
        port=port or _DEFAULT_PORT[scheme],
    )
    path = quote(parts.path or "/", safe=_KEPT_IN_TARGET)
    query = quote(parts.query, safe=_KEPT_IN_TARGET)
    return target, f"{path}?{query}" if query else path


def _read_host(host: str) -> str:
    if not host:
        raise ValueError("the URL has no host")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError("the URL has an unreadable IPv6 address") from None
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the URL has an unreadable host name") from None
    if not _HOST_NAME.fullmatch(ascii_host):
        raise ValueError("the URL has an unreadable host name")
    return ascii_host.lower()
