"""Answers in plain text, and bodies of requests, straight on ASGI: what the form and operations faces share.

Existing client programs compare the content type of an error letter by letter, so it is the one of every
answer here. Nothing of a request is ever sent back as HTML.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from homing.model.errors import Kind

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

CONTENT_TYPE: Final = b"text/plain;charset=US-ASCII"

STATUS: Final[Mapping[Kind, int]] = {
    "invalid": 400,
    "unauthorised": 403,  # mx §2.6: not 401, there is no HTTP authentication here
    "forbidden": 403,
    "no_credit": 402,
    "not_found": 404,
    "gone": 410,
    "conflict": 409,
    "too_long": 413,
    "too_fast": 429,
    "too_soon": 429,
    "unavailable": 503,
}

CLOSE: Final[Headers] = ((b"connection", b"close"),)


async def answer(
    send: Send, status: int, body: bytes, headers: Headers = (), content_type: bytes = CONTENT_TYPE
) -> None:
    """Send a whole answer."""
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def answer_line(send: Send, status: int, text: str, headers: Headers = ()) -> None:
    """Send one line of text."""
    await answer(send, status, as_line(text), headers)


def as_line(text: str) -> bytes:
    """A line of text as it is sent; what is not ASCII is shown as escapes."""
    return text.encode("ascii", "backslashreplace")


async def not_allowed(send: Send, methods: Iterable[str]) -> None:
    """The path is right, the method is not."""  # RFC 9110 §15.5.6
    allow = ", ".join(methods)
    await answer_line(send, 405, f"use {allow}", ((b"allow", allow.encode("ascii")),))


class BodyTooLong(Exception):
    """The body of a request is longer than the limit; the rest of it was not read."""


class Disconnected(Exception):
    """The client went away before the end of its request: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Stops at the limit, before reading when the length is announced."""
    announced = header(scope, b"content-length")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise BodyTooLong
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Disconnected
        body += event.get("body", b"")
        if len(body) > limit:
            raise BodyTooLong
        if not event.get("more_body", False):
            return bytes(body)


def header(scope: Scope, name: bytes) -> bytes:
    """The value of a header in lower case; empty when there is none."""
    return raw_header(scope, name).lower()


def raw_header(scope: Scope, name: bytes) -> bytes:
    """The same as it was written."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found.strip()
    return b""
