"""One call of an Upside service: who asks, with which values, and what he is answered.

Operations are plain functions of a call; the bindings (SOAP 1.1 and 1.2, HTTP GET and POST) are the matter of
``soap.py``. What cannot be done at all is a ``Refusal``, which every binding says in its own way; what the
interface has a flag or a code for is a result like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from homing.api.client_address import is_within
from homing.api.gateway import Gateway
from homing.engine.mailbox import HandOut
from homing.engine.submit import Accepted, Batch
from homing.model.account import Account
from homing.model.errors import Refusal
from homing.model.message import Submission

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of an operation, and the mails that are read when all of it was written out."""

    result: Any
    handed: HandOut | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsideCall:
    """A call of an account that is known."""

    gateway: Gateway
    account: Account
    address: str
    values: Mapping[str, Any]
    """The operation's parameters by name; None where a text was left out."""
    threads: CapacityLimiter

    def text(self, name: str) -> str:
        """A text parameter, empty when it was left out."""
        value: str | None = self.values[name]
        return value or ""

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run something that blocks in a thread."""
        return await anyio.to_thread.run_sync(lambda: function(*arguments), limiter=self.threads)

    def check_sender(self) -> None:
        """Refuse whoever may not send now, or not from there."""
        if self.gateway.is_draining():
            raise Refusal("unavailable", "the gateway is about to stop, try again")
        allowed = self.account.allowed_addresses
        if allowed and not is_within(self.address, allowed):
            raise Refusal("forbidden", "this account may not send from your address")

    async def accept(self, *submissions: Submission) -> Refusal | None:
        """Make submissions durable, all or none; the refusal is ``no_credit`` when the credit is short."""
        told: asyncio.Future[Accepted | Exception] = asyncio.get_running_loop().create_future()

        def done(outcome: Accepted | Exception) -> None:
            if not told.done():  # the request may have been cancelled by a shutdown
                told.set_result(outcome)

        batch = Batch(account=self.account, metered=self.account.metered, submissions=submissions)
        self.gateway.submit.accept(batch, done)
        outcome = await told
        if isinstance(outcome, Accepted):
            return None
        if isinstance(outcome, Refusal):
            return outcome
        raise Refusal("unavailable", "the message could not be stored, try again")


Handler = Callable[[UpsideCall], Awaitable[Answer]]
