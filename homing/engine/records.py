"""Records: what the faces for customers ask of the store, and change in it.

Everything is within one account: what belongs to another is not found. Methods block, so faces call them in
threads. Documents are values that JSON can say; pages come newest first, and ``next`` is what to give as
``after`` for the following one. What cannot be done is a ``Refusal``, a store that is gone
``StoreUnavailable``.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from homing.engine.submit import Idempotency
from homing.model.account import Endpoint, Number
from homing.model.delivery import DeliveryState
from homing.model.mms import Mms

Document = dict[str, Any]
Traced = Literal["submission", "report", "message"]


class FoundContent(msgspec.Struct, frozen=True, kw_only=True):
    """What an MMS carries."""

    account: str
    """Whose it is; empty = of an unrouted message."""
    mms: Mms
    is_kept: bool
    """Whether it may still be given out; else its time is over."""


class Records(Protocol):
    """The store as customers may see it."""

    def submissions(self, account: str, *, limit: int, after: str | None) -> Document:
        """``{items, next}``."""

    def reports(self, account: str, *, limit: int, after: str | None) -> Document:
        """``{items, next}``."""

    def messages(self, account: str, *, limit: int, after: str | None) -> Document:
        """``{items, next}``: received messages; of a long one the joined one, not its parts."""

    def trace(self, account: str, kind: Traced, id_: int) -> Document:
        """The whole life of one submission, report or message."""

    def content(self, event: int) -> FoundContent:
        """The content of a message or a submission, whosever it is: the asker compares the account."""

    def deliveries(
        self, account: str, state: DeliveryState | None, *, limit: int, after: str | None
    ) -> Document:
        """``{items, next}``, the newest event first."""

    def delivery(self, account: str, id_: str) -> Document:
        """One delivery, named ``EVENT-ENDPOINT``, with all its attempts."""

    def replay_delivery(self, account: str, id_: str, now_ms: int) -> int:
        """Give one ended delivery a new round of attempts; ``conflict`` when it has not ended."""

    def replay(
        self,
        account: str,
        state: DeliveryState,
        since_ms: int,
        until_ms: int,
        now_ms: int,
        once: Idempotency | None = None,
    ) -> int:
        """The same for all that ended so, of events in a range of time; returns how many."""

    def endpoints(self, account: str) -> Sequence[Endpoint]:
        """Every endpoint, by id."""

    def endpoint(self, account: str, id_: int) -> Endpoint: ...

    def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Write a new endpoint; returned with its id."""

    def change_endpoint(self, account: str, id_: int, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """Write what ``change`` makes of an endpoint, without losing what others change meanwhile."""

    def remove_endpoint(self, account: str, id_: int) -> None: ...

    def groups(self, account: str) -> Sequence[tuple[str, int]]:
        """The name of each group, and how many members it has."""

    def group(self, account: str, name: str) -> tuple[str, Sequence[str]]:
        """The name of a group as it is kept, and its members."""

    def group_members(self, account: str, name: str) -> Sequence[str]: ...

    def add_group(self, account: str, name: str, members: Sequence[str]) -> str:
        """Write a new group; returns its name as it is kept."""

    def change_group(self, account: str, name: str, add: Sequence[str], remove: Sequence[str]) -> None: ...

    def remove_group(self, account: str, name: str) -> None: ...

    def balance(self, account: str) -> float | None:
        """Credits left; None when no credit was ever entered."""

    def numbers(self, account: str) -> Sequence[Number]: ...
