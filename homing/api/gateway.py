"""What the HTTP faces need of the node: one frozen value that the node makes and every face reads.

A face translates between its own words and these; it opens nothing and starts nothing by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.engine.directory import Directory
from homing.engine.submit import Submit
from homing.model.account import Account, Endpoint
from homing.model.clock import Ids
from homing.model.delivery import Answer
from homing.wire.content_link import ContentLinks

if TYPE_CHECKING:
    from homing.api.login import Logins
    from homing.api.mm7_door import Relay
    from homing.api.mms_send import MmsSending
    from homing.engine.contents import Contents
    from homing.engine.mailbox import Mailbox
    from homing.engine.records import Records
    from homing.engine.sub_accounts import SubAccounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the node is, at the moment of asking."""

    store_trouble: str | None
    """Why the store could not be written the last time; None = it can be."""
    listening: bool
    """Every listener of the configuration is up."""
    draining: bool
    """The node is about to end: it takes nothing new."""
    links: Sequence[dict[str, Any]]
    """One status per link; shown, not required."""

    @property
    def is_ready(self) -> bool:
        """Whether submissions can be taken. A node whose links are all down still takes them."""
        return self.store_trouble is None and self.listening and not self.draining


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The node as the faces see it. Everything is called on the loop; nothing here blocks it."""

    directory: Callable[[], Directory]
    """The customers as they stand now; never kept for longer than one request."""
    submit: Submit
    ids: Ids
    logins: Logins
    records: Records
    mailbox: Mailbox
    contents: Contents
    """What MMS carry; it blocks, so faces use it in threads."""
    links: Callable[[Account], ContentLinks]
    """What makes the links to an account's contents."""
    sub_accounts: SubAccounts
    relays: Mapping[str, Relay]
    """MM7 links by name."""
    mms: MmsSending
    """What it takes to send an MMS."""
    test_endpoint: Callable[[Endpoint], Awaitable[Answer]]
    """Push a marked sample event to an endpoint, once, and tell what it answered."""
    check_url: Callable[[str], Sequence[str]]
    """What speaks against a push URL, as far as it can be seen before connecting."""
    has_relay: bool
    """Whether mails can be sent to e-mail endpoints."""
    health: Callable[[], Health]
    is_draining: Callable[[], bool]
    """``health().draining`` by itself: asked for every submission."""
    metrics: Callable[[], bytes]
    """Counters in the Prometheus text format."""
    max_bulk: int
    """Recipients of one broadcast."""
    max_body_bytes: int
    trusted_proxies: tuple[str, ...]
    """Addresses or networks whose X-Forwarded-For is believed."""
