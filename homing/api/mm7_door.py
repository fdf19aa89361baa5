"""The door of MM7 links, ``POST /mm7/{name}``: who may send there. What is sent, the link itself reads.

A relay comes from the addresses of its link, or logs in by HTTP basic authentication, or both, as the
configuration says. Wrong logins are slowed like those of customers.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homing.api.client_address import client_address, is_within
from homing.api.gateway import Gateway
from homing.api.plain import App, Receive, Scope, Send, answer_line
from homing.engine.credentials import is_same
from homing.model.errors import Refusal

PREFIX: Final = "/mm7/"
_WHO: Final = ((b"www-authenticate", b'Basic realm="mm7", charset="UTF-8"'),)  # RFC 7617 §2


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One link as the door sees it."""

    app: App
    """Reads and answers what has been let in."""
    user: str = ""
    password: str = ""
    addresses: tuple[str, ...] = ()
    """Empty = it may come from anywhere."""


class Mm7Door:
    """All MM7 links of a node."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._relays: Mapping[str, Relay] = gateway.relays

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or refuse; what is refused was not read."""
        relay = self._relays.get(scope["path"][len(PREFIX) :])
        if relay is None:
            await answer_line(send, 404, "there is no such link")
            return
        address = client_address(scope, self._gateway.trusted_proxies)
        if relay.addresses and not is_within(address, relay.addresses):
            await answer_line(send, 403, "this link takes nothing from your address")
            return
        try:
            is_in = not relay.user or self._is_known(relay, scope, address)
        except Refusal as refusal:
            await answer_line(send, 429, refusal.text)
            return
        if is_in:
            await relay.app(scope, receive, send)
        else:
            await answer_line(send, 401, "log in with the user and password of this link", _WHO)

    def _is_known(self, relay: Relay, scope: Scope, address: str) -> bool:
        given = _basic(scope)
        if given is None:  # not even a guess
            return False
        # Both are compared, so that the time it takes says nothing about the first.
        user, password = is_same(given[0], relay.user), is_same(given[1], relay.password)
        return self._gateway.logins.is_let_in(user and password, address)


def _basic(scope: Scope) -> tuple[str, str] | None:
    """User and password of the request."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, packed = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() != "basic":
                return None
            try:
                user, colon, password = b64decode(packed.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None
            return (user, password) if colon else None
    return None
