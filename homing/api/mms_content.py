"""Signed links to contents of MMS: the zip or one part of it, for whoever has the link.

A link is made by ``wire.content_link`` for the account that owns the message, and is right until it lapses or
the account gets a new API key. What phones sent is shown by browsers here: a part never runs as a page of
the gateway, and is shown at once only where it is a picture, a sound, a film or plain text.

What is wrong is one line of plain text: 403 for a link that is not right, 404, 410.
"""

import re
from collections.abc import Mapping
from typing import Final

from homing.api.content_answer import METHODS, ContentAnswers, Selected
from homing.api.form_parameters import read_parameters, text
from homing.api.form_request import WRONG, answer_wrong
from homing.api.gateway import Gateway
from homing.api.mms_retrieve import whole
from homing.api.plain import Headers, Receive, Scope, Send, not_allowed
from homing.engine.records import FoundContent
from homing.model.account import Account
from homing.model.clock import LARGEST_ID, now_ms
from homing.model.errors import Refusal
from homing.model.mms import Part
from homing.wire.content_link import PATH, WHOLE, is_right, link_key

PREFIX: Final = f"{PATH}/"
_TARGET: Final = re.compile(r"([0-9]{1,19})/([0-9]{1,4})")
_UNTIL: Final = re.compile(r"[0-9]{1,15}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_GUARD: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)


class ContentFace:
    """``GET|HEAD /mms/v1/content/{event}/{number}``, as an ASGI application."""

    def __init__(self, gateway: Gateway, answers: ContentAnswers) -> None:
        self._gateway = gateway
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:
            await not_allowed(send, METHODS)
            return
        try:
            link = _Link(scope, self._gateway.directory().accounts)
            await self._answers.answer(scope, receive, send, link.event, link.select)
        except WRONG as wrong:
            await answer_wrong(send, wrong, self._gateway.max_body_bytes)


class _Link:
    """A link as it was followed."""

    def __init__(self, scope: Scope, accounts: Mapping[str, Account]) -> None:
        target = _TARGET.fullmatch(scope["path"].removeprefix(PREFIX))
        if target is None or int(target[1]) > LARGEST_ID:
            raise Refusal("not_found", "not found")
        self.event, self._number = int(target[1]), int(target[2])
        self._accounts = accounts
        parameters = read_parameters(scope["query_string"])
        until, self._signature = text(parameters, "until"), text(parameters, "signature")
        if not (_UNTIL.fullmatch(until) and _SIGNATURE.fullmatch(self._signature)):
            raise _wrong_link()
        self._until_s = int(until)
        if self._until_s * 1000 < now_ms():
            raise Refusal("forbidden", "the link has lapsed")

    def select(self, found: FoundContent) -> Selected:
        """What the link leads to, if it is right."""
        account = self._accounts.get(found.account)
        if account is None or not is_right(
            link_key(account.api_key_hash), self.event, self._number, self._until_s, self._signature
        ):
            raise _wrong_link()
        if account.disabled:
            raise Refusal("forbidden", "the account is disabled")
        if self._number == WHOLE:
            selected = whole(found)
            return Selected(
                sha256=selected.sha256, offset=0, size=selected.size, headers=selected.headers + _GUARD
            )
        parts = found.mms.content.parts
        if self._number > len(parts):
            raise Refusal("not_found", f"the MMS has {len(parts)} parts")
        part = parts[self._number - 1]
        return Selected(sha256=part.sha256, offset=part.offset, size=part.size, headers=_shown(part) + _GUARD)


def _wrong_link() -> Refusal:
    return Refusal("forbidden", "the link is not one of this gateway, or not one any more")


def _shown(part: Part) -> Headers:
    """How a browser is to take a part."""
    media_type = part.content_type if _MEDIA_TYPE.fullmatch(part.content_type) else "application/octet-stream"
    way = "inline" if _is_shown_at_once(media_type) else "attachment"
    if _FILE_NAME.fullmatch(part.name):
        way += f'; filename="{part.name}"'
    charset = ";charset=utf-8" if media_type.startswith("text/") else ""
    return (
        (b"content-type", f"{media_type}{charset}".encode()),
        (b"content-disposition", way.encode()),
    )


def _is_shown_at_once(media_type: str) -> bool:
    """Whether it is nothing that could act: an SVG can."""
    kind = media_type.partition("/")[0]
    return media_type == "text/plain" or (
        kind in ("image", "audio", "video") and not media_type.startswith("image/svg")
    )
