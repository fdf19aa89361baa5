"""The form face of MMS: ``SendMMS``, over raw ASGI. mx §11.1

Parameters stand in the query, in a form, or in a form with the content zip as a file; the zip may also lie
at a URL of the customer. It is spooled as it comes, never held in memory. The id is answered when the content
is durable and the submission is committed, not before.

What goes wrong is said in one line of plain text, as by ``SMSSend``. Credentials stand in the query here by
contract, so nothing of a request is logged.
"""

import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from homing.api.form_parameters import Parameters, flag, read_parameters, shown_only, unicode_text
from homing.api.form_request import (
    answered,
    check_encoding,
    content_kind,
    log_in,
    request_parameters,
    stored,
)
from homing.api.gateway import Gateway
from homing.api.plain import Disconnected, Receive, Scope, Send, header, not_allowed, raw_header
from homing.api.slots import Slots
from homing.api.spooling import Spooling
from homing.engine.contents import Contents, Piece, Spool
from homing.engine.directory import normalise_number
from homing.engine.mms_content import Limits
from homing.engine.mms_zip_reader import OVERHEAD, unpack
from homing.engine.submit import ALL_REPORTS, MMS_SEGMENTS, Batch, Wish, compose
from homing.model.account import Account
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.mms import Content, Mms
from homing.model.report import READ_REPORT_BIT
from homing.wire.form_upload import FileBegin, UploadEvent, UploadReader
from homing.wire.mime_reader import MimeProblem

FILE: Final = "mms.zip"
LONGEST_SUBJECT: Final = 200
UPLOADS: Final = 256
UPLOADS_OF_ACCOUNT: Final = 16
FETCHES: Final = 16
FETCHES_OF_ACCOUNT: Final = 4
"""At once, in this node."""
FORM_OVERHEAD: Final = 1_048_576
"""Octets that a form may have beside its file."""
_UPLOAD: Final = b"multipart/form-data"
_NO_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that end a line, or are none."""


Fetch = Callable[[str, Callable[[bytes], Awaitable[None]], int], Awaitable[None]]
"""Hands on what lies at a URL, in pieces, at most so many octets. A ``Refusal`` says what went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MmsSending:
    """What of the node it takes to send an MMS."""

    contents: Contents
    threads: Executor
    """For what blocks: the contents."""
    fetch: Fetch
    limits: Limits
    retention_ms: int
    """How long a content can be retrieved."""


class MmsSendFace:
    """Its one route, as an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._mms = gateway.mms
        self._largest_zip = gateway.mms.limits.message + OVERHEAD
        self._uploads = Slots("uploads", most=UPLOADS, most_per_account=UPLOADS_OF_ACCOUNT)
        self._fetches = Slots("urls", most=FETCHES, most_per_account=FETCHES_OF_ACCOUNT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET|POST /SendMMS``: the id of the submission, as bare digits."""
        if scope["method"] not in ("GET", "POST"):
            await not_allowed(send, ("GET", "POST"))
            return
        is_upload = scope["method"] == "POST" and content_kind(scope) == _UPLOAD
        take = self._take_upload if is_upload else self._take_form
        await answered(self._gateway, send, partial(take, scope, receive))

    async def _take_form(self, scope: Scope, receive: Receive) -> bytes:
        """A request without a file."""
        parameters = await request_parameters(scope, receive, self._gateway.max_body_bytes, other=_UPLOAD)
        account = await log_in(self._gateway, scope, parameters)
        async with Spooling(self._mms.contents, self._mms.threads) as spooling:
            return await self._send(account, parameters, spooling, has_file=False)

    async def _take_upload(self, scope: Scope, receive: Receive) -> bytes:
        """A form that may hold the file. Who can be logged in before it comes is logged in before."""
        check_encoding(scope)
        parameters = read_parameters(scope["query_string"])
        account = await self._early_login(scope, parameters)
        form = _form(scope)
        has_file = False
        with ExitStack() as slot:
            async with Spooling(self._mms.contents, self._mms.threads) as spooling:
                async for event in self._read(form, scope, receive):
                    if isinstance(event, FileBegin):
                        has_file = True
                        account = account or await self._early_login(scope, form.fields | parameters)
                        slot.enter_context(self._uploads.taken("" if account is None else account.name))
                    else:
                        await spooling.write(event.octets)
                parameters = form.fields | parameters
                account = account or await log_in(self._gateway, scope, parameters)
                return await self._send(account, parameters, spooling, has_file=has_file)

    async def _early_login(self, scope: Scope, parameters: Parameters) -> Account | None:
        """The account, when what it takes is known already."""
        if "user" not in parameters or "pass" not in parameters:
            return None
        return await log_in(self._gateway, scope, parameters)

    async def _read(self, form: UploadReader, scope: Scope, receive: Receive) -> AsyncIterator[UploadEvent]:
        """What a body says of the file, to its end; a body that is too long is not read to its end."""
        limit = self._largest_zip + FORM_OVERHEAD
        too_long = Refusal("too_long", f"the body is longer than {limit} octets")
        announced = header(scope, b"content-length")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
            raise too_long
        size, is_whole = 0, False
        try:
            while not is_whole:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                octets = message.get("body", b"")
                size += len(octets)
                if size > limit:
                    raise too_long
                is_whole = not message.get("more_body", False)
                for event in form.receive_data(octets):
                    yield event
            for event in form.end():
                yield event
        except MimeProblem as problem:
            raise Refusal("invalid", str(problem)) from None

    async def _send(
        self, account: Account, parameters: Parameters, spooling: Spooling, *, has_file: bool
    ) -> bytes:
        """Submit, once all is there: the file is spooled already, or lies at a URL."""
        wish = _wish(parameters)
        recipient = compose(0, account.name, wish).recipient  # whatever is wrong is known before the content
        url = unicode_text(parameters, "url").strip()
        if not has_file:
            await self._fetch(account, url, spooling)
        elif url:
            raise Refusal("invalid", f"send either url or {FILE}, not both")
        content = await spooling.run(self._kept, *await spooling.end_part())
        mms = Mms(
            subject=_subject(parameters),
            to=(recipient,),
            content=content,
            expires_at_ms=now_ms() + self._mms.retention_ms,
        )
        id_ = self._gateway.ids.next()
        submission = compose(id_, account.name, msgspec.structs.replace(wish, mms=mms))
        batch = Batch(account=account, metered=account.metered, submissions=(submission,), answer=b"%d" % id_)
        return await stored(self._gateway, batch)

    async def _fetch(self, account: Account, url: str, spooling: Spooling) -> None:
        if not url:
            raise Refusal("invalid", f"url is missing, and there is no file {FILE} in its place")
        with self._fetches.taken(account.name):
            await self._mms.fetch(url, spooling.write, self._largest_zip)

    def _kept(self, spool: Spool, piece: Piece) -> Content:
        """In a thread: the content of a zip, durably."""
        return self._mms.contents.keep(spool, unpack(spool, piece, self._mms.limits))


def _form(scope: Scope) -> UploadReader:
    try:
        return UploadReader(raw_header(scope, b"content-type").decode("latin-1"), FILE)
    except MimeProblem as problem:
        raise Refusal("invalid", str(problem)) from None


def _wish(parameters: Parameters) -> Wish:
    """All but the content."""
    recipient, sender = (_number(parameters, name) for name in ("to", "from"))
    _subject(parameters)
    reports = ALL_REPORTS if flag(parameters, "deliveryreport") else 0
    return Wish(
        recipient=recipient,
        segments=MMS_SEGMENTS,
        sender=sender,
        report_bits=reports | (READ_REPORT_BIT if flag(parameters, "readreport") else 0),
        note=shown_only(unicode_text(parameters, "note")),
        subaccount=shown_only(unicode_text(parameters, "subaccount")),
    )


def _number(parameters: Parameters, name: str) -> str:
    written = unicode_text(parameters, name).strip()
    if not written:
        raise Refusal("invalid", f"{name} is missing")
    number = normalise_number(written)
    if not (number.isascii() and number.isdigit()):
        raise Refusal("invalid", f"{name} is not a number in international form: {written[:32]!r}")
    return number


def _subject(parameters: Parameters) -> str:
    subject = unicode_text(parameters, "subject").strip()
    if len(subject) > LONGEST_SUBJECT:
        raise Refusal("invalid", f"subject is longer than {LONGEST_SUBJECT} characters")
    if any(unicodedata.category(each) in _NO_TEXT or ord(each) & 0xFFFE == 0xFFFE for each in subject):
        raise Refusal("invalid", "subject holds a control character")
    return subject
