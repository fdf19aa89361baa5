"""One connection to a customer's server: the addresses of a target in turn, each checked and given its share.

What goes wrong is an ``OSError`` (of the last address that was tried), a ``ForbiddenAddress``, or a
``TimeoutError``; ``describe_failure`` says it in a few words that repeat nothing of the request.
"""

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from homing.push.addresses import ForbiddenAddress, Resolver
from homing.wire.target import Target

P = TypeVar("P", bound=asyncio.BaseProtocol)
Source = ipaddress.IPv4Address | ipaddress.IPv6Address | None
"""The local address that connections leave from; None = the system chooses."""


def read_source(address: str | None) -> Source:
    """The local address as it was written."""
    return None if address is None else ipaddress.ip_address(address)


async def dial(
    target: Target,
    make: Callable[[], P],
    *,
    resolver: Resolver,
    source: Source,
    context: ssl.SSLContext,
    connect_s: float,
) -> P:
    """A connection to the first address that takes it; ``context`` is for https. ``connect_s`` is for all."""
    addresses = await resolver.resolve(target.host)
    local = None
    if source is not None:
        local = (str(source), 0)
        addresses = tuple(each for each in addresses if (":" in each) == (source.version == 6))
        if not addresses:
            raise OSError(errno.EADDRNOTAVAIL, "")
    is_tls = target.scheme == "https"
    until_s = monotonic() + connect_s
    failure: OSError | None = None
    for number, address in enumerate(addresses):
        share_s = (until_s - monotonic()) / (len(addresses) - number)
        try:
            async with asyncio.timeout(share_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    make,
                    address,
                    target.port,
                    ssl=context if is_tls else None,
                    server_hostname=target.host if is_tls else None,
                    local_addr=local,
                )
        except OSError as error:
            failure = error
        else:
            resolver.prefer(target.host, address)
            return connection
    assert failure is not None
    raise failure


def describe_failure(error: Exception) -> str:
    """Why no connection came about, in a few words that repeat nothing of the request."""
    if isinstance(error, ForbiddenAddress):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"tls: {(error.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name not found"
    if isinstance(error, TimeoutError):
        return "connect timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connect refused"
    if isinstance(error, ConnectionResetError):
        return "closed before the answer"
    if isinstance(error, OSError) and error.errno:
        return f"connect failed: {os.strerror(error.errno).lower()}"
    return "connect failed"
