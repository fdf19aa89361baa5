"""What the form faces share: reading a request's parameters, logging in, and answering in a line of text.

What goes wrong is a ``Refusal``, a body that is too long or of another kind, a client that went away, or the
store: each has its one answer here, by ``plain.STATUS``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from homing.api.client_address import client_address, is_within
from homing.api.form_parameters import Parameters, credential, read_parameters
from homing.api.gateway import Gateway
from homing.api.login import RETRY_AFTER_S
from homing.api.plain import (
    CLOSE,
    STATUS,
    BodyTooLong,
    Disconnected,
    Headers,
    Receive,
    Scope,
    Send,
    answer,
    answer_line,
    as_line,
    header,
    read_body,
)
from homing.engine.submit import Accepted, Batch
from homing.model.account import Account
from homing.model.errors import Refusal, StoreUnavailable

NOT_STORED: Final = Refusal("unavailable", "the message could not be stored, try again")
FORM: Final = b"application/x-www-form-urlencoded"
_TOO_FAST: Final[Headers] = ((b"retry-after", str(RETRY_AFTER_S).encode()),)


class UnreadableBody(Exception):
    """A body of a kind that a face does not read; the text says what it reads."""


WRONG: Final = (Refusal, BodyTooLong, UnreadableBody)
"""What may be wrong with a request, to be answered by ``answer_wrong``."""


async def answered(gateway: Gateway, send: Send, take: Callable[[], Awaitable[bytes]]) -> None:
    """Take a request, unless the node is about to end; answer with its result or with what is wrong."""
    try:
        if gateway.is_draining():
            await answer_line(send, 503, "the gateway is about to stop, try again", CLOSE)
            return
        body = await take()
    except WRONG as wrong:
        await answer_wrong(send, wrong, gateway.max_body_bytes)
    except StoreUnavailable:
        await answer(send, *refused(NOT_STORED))
    except Disconnected:
        pass
    else:
        await answer(send, 200, body)


async def answer_wrong(send: Send, wrong: Exception, limit: int) -> None:
    """Say in one line what is wrong; ``limit`` is that of bodies."""
    if isinstance(wrong, Refusal):
        await answer(send, *refused(wrong))
    elif isinstance(wrong, BodyTooLong):
        await answer_line(send, 413, f"the body is longer than {limit} octets", CLOSE)
    else:
        await answer_line(send, 415, str(wrong), CLOSE)


def refused(refusal: Refusal) -> tuple[int, bytes, Headers]:
    """Status, line and headers of the answer that says what is wrong."""
    headers = _TOO_FAST if refusal.kind == "too_fast" else ()
    return STATUS[refusal.kind], as_line(refusal.text), headers


async def request_parameters(
    scope: Scope, receive: Receive, limit: int, *, other: bytes | None = None
) -> Parameters:
    """The parameters of a request, from its query and the form in its body. Raises what is in ``WRONG``.

    ``other`` is a kind of form that is read elsewhere.
    """
    if scope["method"] in ("GET", "HEAD"):
        return read_parameters(scope["query_string"])
    if content_kind(scope) not in (FORM, b""):
        kinds = FORM if other is None else FORM + b" or " + other
        raise UnreadableBody(f"send the parameters as {kinds.decode()}")
    check_encoding(scope)
    body = await read_body(scope, receive, limit)
    return read_parameters(scope["query_string"], body.rstrip(b"\r\n"))


def content_kind(scope: Scope) -> bytes:
    """The media type of a body in lower case, without its parameters."""
    return header(scope, b"content-type").partition(b";")[0].strip()


def check_encoding(scope: Scope) -> None:
    """Refuse a body that is packed."""
    if header(scope, b"content-encoding") not in (b"", b"identity"):
        raise UnreadableBody("send the parameters without content encoding")


async def log_in(gateway: Gateway, scope: Scope, parameters: Parameters) -> Account:
    """The account of ``user`` and ``pass``, if it may send from there."""
    address = client_address(scope, gateway.trusted_proxies)
    name, password = credential(parameters, "user"), credential(parameters, "pass")
    account = await gateway.logins.account(name, password, address)
    check_address(account, address)
    return account


def check_address(account: Account, address: str) -> None:
    """Refuse addresses that an account does not send from."""
    if account.allowed_addresses and not is_within(address, account.allowed_addresses):
        raise Refusal("forbidden", "this account may not send from your address")


async def stored(gateway: Gateway, batch: Batch) -> bytes:
    """Wait until a batch is durable; its answer, or that of the request which it repeats."""
    future: asyncio.Future[Accepted | Exception] = asyncio.get_running_loop().create_future()

    def done(outcome: Accepted | Exception) -> None:
        if not future.done():  # the request may have been cancelled by a shutdown
            future.set_result(outcome)

    gateway.submit.accept(batch, done)
    outcome = await future
    if isinstance(outcome, Accepted):
        return outcome.answer
    raise outcome if isinstance(outcome, Refusal) else NOT_STORED
