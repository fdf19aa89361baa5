"""Problems: what is wrong with a request, in the one form of the REST face (``application/problem+json``).

``PROBLEMS`` is total over the kinds of ``Refusal`` and names the few that only HTTP knows. The type is a
stable name for programs, the title a stable line for people, the detail says what it was this time.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from homing.api.login import RETRY_AFTER_S
from homing.api.plain import CLOSE, Headers
from homing.model.errors import Kind

CONTENT_TYPE: Final = b"application/problem+json"

ProblemKind = Kind | Literal["no_such_method", "body_too_long", "unreadable_body", "key_reused", "internal"]


class Meaning(NamedTuple):
    status: int
    title: str
    headers: Headers = ()


_AGAIN: Final[Headers] = ((b"retry-after", b"5"),)

PROBLEMS: Final[Mapping[ProblemKind, Meaning]] = {
    "invalid": Meaning(400, "The request is wrong"),
    "unauthorised": Meaning(401, "The API key is missing or unknown", ((b"www-authenticate", b"Bearer"),)),
    "no_credit": Meaning(402, "The account has not enough credit"),
    "forbidden": Meaning(403, "The account may not do this"),
    "not_found": Meaning(404, "There is no such thing in this account"),
    "no_such_method": Meaning(405, "The path does not take this method"),
    "conflict": Meaning(409, "The request does not fit what is there"),
    "gone": Meaning(410, "It was there, and its time is over"),
    "too_long": Meaning(413, "The message is too long"),
    "body_too_long": Meaning(413, "The body of the request is too long", CLOSE),
    "unreadable_body": Meaning(415, "The body is of a kind that is not read here", CLOSE),
    "key_reused": Meaning(422, "The idempotency key belongs to another request"),
    "too_fast": Meaning(429, "Too many wrong API keys", ((b"retry-after", b"%d" % RETRY_AFTER_S),)),
    "too_soon": Meaning(429, "Asked again too soon"),
    "internal": Meaning(500, "Something went wrong here"),
    "unavailable": Meaning(503, "Nothing can be stored or read now, try again", _AGAIN),
}  # RFC 9110 §15.5, RFC 9110 §15.6


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457 §3.1."""

    type: Annotated[str, msgspec.Meta(description="Stable name of the kind, for programs.")]
    title: Annotated[str, msgspec.Meta(description="The kind, for people.")]
    status: int
    detail: Annotated[str, msgspec.Meta(description="What it was this time.")]


def type_of(kind: ProblemKind) -> str:
    """The name of a kind as a URI; it leads nowhere."""  # RFC 9457 §3.1.1
    return f"urn:homing:problem:{kind}"


def problem(kind: ProblemKind, detail: str) -> tuple[int, bytes, Headers]:
    """Status, body and headers of a problem."""
    status, title, headers = PROBLEMS[kind]
    body = Problem(type=type_of(kind), title=title, status=status, detail=detail)
    return status, msgspec.json.encode(body), headers
