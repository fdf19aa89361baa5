"""Messages over REST: sending them, and seeing what was sent, reported and received.

A request to many recipients is taken whole or not at all. With an ``Idempotency-Key`` a repetition within
24 h gets the first answer and sends nothing; the same key with another body is refused.
"""

import asyncio
import hashlib
import secrets
from binascii import unhexlify
from collections.abc import Iterable
from typing import Final

import msgspec

from homing.api.client_address import is_within
from homing.api.plain import Scope
from homing.api.rest_call import Call, Failure, Reply, milliseconds, read_json, shown
from homing.api.rest_values import (
    ManyTaken,
    NewMessage,
    Page,
    ReceivedMessages,
    ReceivedTrace,
    Reports,
    ReportTrace,
    Submissions,
    SubmissionTrace,
    Taken,
)
from homing.engine.records import Document
from homing.engine.submit import Accepted, Batch, Idempotency, Wish, compose
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.message import Segment, Submission
from homing.wire.content_link import WHOLE
from homing.wire.segmentation import segment_any, segment_data

_BREATH: Final = 500
"""Recipients that are composed before others get the loop."""
_LONGEST_KEY: Final = 255
_LONGEST_DELAY_MS: Final = 366 * 86_400_000


async def send_message(call: Call) -> Reply:
    """``POST /v1/messages``."""
    if call.gateway.is_draining():
        raise Refusal("unavailable", "the gateway is about to stop, try again")
    account = call.account
    if account.allowed_addresses and not is_within(call.address, account.allowed_addresses):
        raise Refusal("forbidden", "this account may not send from your address")
    octets = await call.body_octets()
    once = idempotency(call.scope, "rest/messages", octets)
    asked = read_json(octets, NewMessage)
    submissions = await _compose(call, asked)
    taken = [Taken(id=str(s.id), segments=len(s.segments), recipient=s.recipient) for s in submissions]
    answer = ManyTaken(items=taken) if isinstance(asked.recipient, list) else taken[0]
    batch = Batch(
        account=account,
        metered=account.metered,
        submissions=submissions,
        answer=msgspec.json.encode(answer),
        idempotency=once,
    )
    accepted = await _accept(call, batch)
    return Reply(body=accepted.answer)


async def _compose(call: Call, asked: NewMessage) -> tuple[Submission, ...]:
    many = isinstance(asked.recipient, list)
    recipients = asked.recipient if isinstance(asked.recipient, list) else [asked.recipient]
    most = call.gateway.max_bulk
    if not 0 < len(recipients) <= most:
        raise Refusal("invalid", f"to has {len(recipients)} recipients, 1 to {most} are taken")
    wish = _wish(asked)
    submissions = []
    for count, recipient in enumerate(recipients):
        one = msgspec.structs.replace(wish, recipient=recipient)
        try:
            submissions.append(compose(call.gateway.ids.next(), call.account.name, one))
        except Refusal as refusal:
            if not many:
                raise
            raise Refusal(refusal.kind, f"to[{count}]: {refusal.text}") from None
        if count % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
    return tuple(submissions)


def _wish(asked: NewMessage) -> Wish:
    for name, text in (("note", asked.note), ("subaccount", asked.subaccount)):
        if text is not None and not text.isprintable():
            raise Refusal("invalid", f"{name} holds a character that cannot be shown")
    not_before_ms = max(0, milliseconds(asked.not_before)) if asked.not_before else 0
    if not_before_ms > now_ms() + _LONGEST_DELAY_MS:
        raise Refusal("invalid", "not_before is more than a year ahead")
    return Wish(
        recipient="",
        segments=_segments(asked),
        sender=asked.sender,
        report_bits=asked.report,
        validity_s=asked.validity_s,
        flash=asked.flash,
        note=asked.note,
        subaccount=asked.subaccount,
        not_before_ms=not_before_ms,
    )


def _segments(asked: NewMessage) -> tuple[Segment, ...]:
    if (asked.text is None) == (asked.data is None):
        raise Refusal("invalid", "one of text and data is needed")
    if asked.text is not None:
        if asked.udh is not None:
            raise Refusal("invalid", "udh goes with data")
        return segment_any(asked.text, reference=secrets.randbelow(256))
    assert asked.data is not None
    udh = _octets("udh", asked.udh) if asked.udh is not None else b""
    if asked.udh is not None and (not udh or udh[0] != len(udh) - 1):  # TS 23.040 §9.2.3.24
        raise Refusal("invalid", "the first octet of udh is not the number of those that follow")
    data = _octets("data", asked.data)
    if not data and not udh:
        raise Refusal("invalid", "the message has no content")
    return segment_data(data, udh)


def _octets(name: str, text: str) -> bytes:
    try:
        return unhexlify(text)
    except ValueError:
        raise Refusal("invalid", f"{name} is not hex") from None


async def _accept(call: Call, batch: Batch) -> Accepted:
    """Wait until a batch is durable."""
    future: asyncio.Future[Accepted | Exception] = asyncio.get_running_loop().create_future()

    def done(outcome: Accepted | Exception) -> None:
        if not future.done():  # the request may have been cancelled by a shutdown
            future.set_result(outcome)

    call.gateway.submit.accept(batch, done)
    outcome = await future
    if isinstance(outcome, Accepted):
        return outcome
    if isinstance(outcome, Refusal):
        raise Failure("key_reused", outcome.text) if outcome.kind == "conflict" else outcome
    raise Refusal("unavailable", "the message could not be stored, try again")


def idempotency(scope: Scope, face: str, octets: bytes) -> Idempotency | None:
    """The key of a request, with a fingerprint of its body."""
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            key: str = value.decode("latin-1").strip()
            if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
                raise Refusal("invalid", f"Idempotency-Key is 1 to {_LONGEST_KEY} printable ASCII characters")
            return Idempotency(face=face, key=key, fingerprint=hashlib.sha256(octets).hexdigest())
    return None


# --- seeing ---


async def list_messages(call: Call) -> Reply:
    """``GET /v1/messages``."""
    page = call.query(Page)
    records = call.gateway.records
    found = await call.ask(records.submissions, call.account.name, limit=page.limit, after=page.after)
    return Reply(body=shown(_linked(call, found, found["items"]), Submissions))


async def show_message(call: Call) -> Reply:
    """``GET /v1/messages/{id}``."""
    found = await call.ask(call.gateway.records.trace, call.account.name, "submission", call.id)
    return Reply(body=shown(_linked(call, found, [found["submission"]]), SubmissionTrace))


async def list_reports(call: Call) -> Reply:
    """``GET /v1/reports``."""
    page = call.query(Page)
    records = call.gateway.records
    found = await call.ask(records.reports, call.account.name, limit=page.limit, after=page.after)
    return Reply(body=shown(found, Reports))


async def show_report(call: Call) -> Reply:
    """``GET /v1/reports/{id}``."""
    found = await call.ask(call.gateway.records.trace, call.account.name, "report", call.id)
    return Reply(body=shown(found, ReportTrace))


async def list_received(call: Call) -> Reply:
    """``GET /v1/received``."""
    page = call.query(Page)
    records = call.gateway.records
    found = await call.ask(records.messages, call.account.name, limit=page.limit, after=page.after)
    return Reply(body=shown(_linked(call, found, found["items"]), ReceivedMessages))


async def show_received(call: Call) -> Reply:
    """``GET /v1/received/{id}``."""
    found = await call.ask(call.gateway.records.trace, call.account.name, "message", call.id)
    return Reply(body=shown(_linked(call, found, [found["message"], *found["parts"]]), ReceivedTrace))


def _linked(call: Call, document: Document, messages: Iterable[Document]) -> Document:
    """A document with links to the contents of those messages in it that are MMS."""
    links, at_ms = call.gateway.links(call.account), now_ms()
    for message in messages:
        mms = message["mms"]
        if mms is None:
            continue
        event = int(message["id"])
        mms["url"] = links.link(event, WHOLE, at_ms)
        for number, part in enumerate(mms["parts"], 1):
            part["url"] = links.link(event, number, at_ms)
    return document
