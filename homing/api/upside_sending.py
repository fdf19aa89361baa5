"""Sending by the Upside services: each operation composes submissions and says in flags what is wrong.

Everything is sent through ``engine.submit`` with all reports asked for. Every flag that applies is set, and
nothing is sent unless ``isOk``.
"""

import re
import secrets
from binascii import unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from homing.api.upside_call import Answer, UpsideCall
from homing.engine.directory import normalise_number
from homing.engine.submit import ALL_REPORTS, Wish, compose
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.message import Segment, Submission
from homing.model.networks import is_carrier_code
from homing.wire.port_addressing import segment_for_port
from homing.wire.segmentation import segment_any, segment_unicode
from homing.wire.tracking_id import tracking_id
from homing.wire.wap_push import PORT, SOURCE_PORT, service_indication

MOST_RECIPIENTS: Final = 25
NO_CREDIT_FOR_GROUP: Final = (
    "Not enough credits to send SMS to all members of the group. Please top-up your account and re-try"
)
_INTERNATIONAL: Final = re.compile(r"[1-9][0-9]{6,14}")  # E.164: a country code does not begin with 0
_LONGEST_DELAY_MS: Final = 366 * 86_400_000
_SPLIT_BY_HEADER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What one operation asks for, before it is checked."""

    recipient: str
    segment: Callable[[], tuple[Segment, ...]]
    """Makes the segments, or refuses."""
    is_empty: bool
    sender: str = ""
    flash: bool = False
    note: str | None = None
    not_before_ms: int = 0
    is_past: bool = False
    wrong_carrier: bool = False
    blocked: str | None = None


# --- the operations ---


async def test(call: UpsideCall) -> Answer:
    """``Send_Test``: checked as ``Send_Plain``, and not sent."""
    _submission, result = _compose(call, _text(call))
    return Answer(result=result)


async def plain(call: UpsideCall) -> Answer:
    """``Send_Plain``."""
    return await _send(call, _text(call))


async def dedicated(call: UpsideCall) -> Answer:
    """``Send_Plain_Dedicated``."""
    return await _send(call, _text(call, **_dedicated(call)))


async def deferred(call: UpsideCall) -> Answer:
    """``Send_Plain_Deferred``: so many hours and minutes from now; the label is its note."""
    delay_ms = (call.values["DelayHours"] * 60 + call.values["DelayMinutes"]) * 60_000
    too_far = "the delay is more than a year" if delay_ms > _LONGEST_DELAY_MS else None
    at_ms = now_ms() + delay_ms if 0 < delay_ms <= _LONGEST_DELAY_MS else 0
    more = {"is_past": delay_ms < 0, "blocked": too_far, "not_before_ms": at_ms}
    return await _send(call, _text(call, note=call.text("label") or None, **more))


async def flash(call: UpsideCall) -> Answer:
    """``Send_Flash``."""
    return await _send(call, _text(call, flash=True))


async def wap_push(call: UpsideCall) -> Answer:
    """``Send_WAPPush``."""
    data = service_indication(call.text("title"), call.text("url"))
    return await _send(
        call,
        _Sent(
            recipient=call.text("recipient"),
            segment=lambda: segment_for_port(data, PORT, source_port=SOURCE_PORT, reference=_reference()),
            is_empty=not call.text("url"),
        ),
    )


async def port(call: UpsideCall) -> Answer:
    """``Send_Port``."""
    return await _send(call, _data(call))


async def port_dedicated(call: UpsideCall) -> Answer:
    """``Send_Port_Dedicated``."""
    return await _send(call, _data(call, **_dedicated(call)))


async def multiple(call: UpsideCall) -> Answer:
    """``Send_Plain_Multiple``: the good ones are sent, the others are named (upside.md §3.4)."""
    call.check_sender()
    recipients = [each for each in re.split(r"[,;\s]+", call.text("recipients")) if each]
    if not recipients:
        return _many(0, 0, "No recipients")
    if len(recipients) > MOST_RECIPIENTS:
        return _many(0, len(recipients), f"Excess maximum recipients ({MOST_RECIPIENTS})", recipients)
    good: list[Submission] = []
    bad: list[tuple[str, str]] = []
    for recipient in recipients:
        submission, result = _compose(call, _text(call, recipient))
        if submission is None:
            bad.append((recipient, _what_is_wrong(result)))
        else:
            good.append(submission)
    if good and await call.accept(*good) is not None:
        return _many(0, len(recipients), "Not enough credits", recipients)
    return _many(len(good), len(bad), ",".join(why for _, why in bad) or None, [each for each, _ in bad])


async def group(call: UpsideCall) -> Answer:
    """``Send_Plain_Group``: to all members, or to none."""
    call.check_sender()
    try:
        name = call.text("groupName")
        members = await call.ask(call.gateway.records.group_members, call.account.name, name)
    except Refusal as refusal:
        if refusal.kind != "not_found":
            raise
        return Answer(result={"isOk": False, "errorMessages": "No such group"})
    submissions: list[Submission] = []
    for member in members:
        submission, result = _compose(call, _text(call, member))
        if submission is None:
            return Answer(result={"isOk": False, "errorMessages": f"{_what_is_wrong(result)}: {member}"})
        submissions.append(submission)
    if not submissions:
        return Answer(result={"isOk": False, "errorMessages": "The group has no members"})
    if await call.accept(*submissions) is not None:
        return Answer(result={"isOk": False, "errorMessages": NO_CREDIT_FOR_GROUP})
    return Answer(result={"isOk": True, "errorMessages": None})


# --- what they ask for ---


def _text(call: UpsideCall, recipient: str | None = None, **more: Any) -> _Sent:
    text = call.text("message")
    as_unicode = call.values.get("encoding") == "Sixteen"

    def segment() -> tuple[Segment, ...]:
        if as_unicode:
            return segment_unicode(text, split=_SPLIT_BY_HEADER, reference=_reference())
        return segment_any(text, reference=_reference())

    return _Sent(
        recipient=call.text("recipient") if recipient is None else recipient,
        segment=segment,
        is_empty=not text,
        **more,
    )


def _data(call: UpsideCall, **more: Any) -> _Sent:
    text = "".join(call.text("encodedMessage").split())
    number: int = call.values["port"]
    try:
        data = unhexlify(text)
    except ValueError:
        data = b""
        more.setdefault("blocked", None)
        more["blocked"] = more["blocked"] or "encodedMessage is not hex"
    return _Sent(
        recipient=call.text("recipient"),
        segment=lambda: segment_for_port(data, number, reference=_reference()),
        is_empty=not text,
        **more,
    )


def _dedicated(call: UpsideCall) -> dict[str, Any]:
    """The sender of an operation with a number of one's own; only those are taken."""
    number = normalise_number(call.text("dedicatedNumber"))
    blocked = None
    if number not in call.gateway.directory().numbers_of(call.account.name):
        blocked = f"{number[:20]} is not a number of this account"
    elif call.values["tariff"] != 0:
        blocked = "no tariff can be charged here"
    code = call.text("carrierCode").strip()
    is_wrong = bool(code) and not is_carrier_code(code)
    return {"sender": number if blocked is None else "", "blocked": blocked, "wrong_carrier": is_wrong}


def _reference() -> int:
    return secrets.randbelow(256)


# --- checking and sending ---


async def _send(call: UpsideCall, sent: _Sent) -> Answer:
    call.check_sender()
    submission, result = _compose(call, sent)
    if submission is not None:
        if await call.accept(submission) is None:
            result["trackingId"] = tracking_id(submission.id)
        else:
            result |= {"isOk": False, "balanceIsZero": True}
    return Answer(result=result)


def _compose(call: UpsideCall, sent: _Sent) -> tuple[Submission | None, dict[str, Any]]:
    """The submission when nothing is wrong, and the ``SMSSendResult`` without its tracking id."""
    number = normalise_number(sent.recipient)
    is_number = _INTERNATIONAL.fullmatch(number) is not None
    segments: tuple[Segment, ...] = ()
    too_long, blocked = False, sent.blocked
    if not (sent.is_empty or blocked):
        try:
            segments = sent.segment()
        except Refusal as refusal:
            too_long = refusal.kind == "too_long"
            blocked = None if too_long else refusal.text
    submission = None
    if segments and is_number and not (sent.is_past or sent.wrong_carrier):
        submission, blocked = _submission(call, sent, segments)
    return submission, {
        "isOk": submission is not None,
        "trackingId": None,
        "number": sent.recipient,
        "convertedNumber": number if is_number else None,
        "deferUntilOccursInThePast": sent.is_past,
        "messageIsEmpty": sent.is_empty,
        "tooManyMessages": too_long,
        "invalidCountryCode": not is_number,
        "isBlocked": blocked is not None,
        "BlockedReason": blocked,
        "balanceIsZero": False,
        "invalidCarrierCode": sent.wrong_carrier,
    }


def _submission(
    call: UpsideCall, sent: _Sent, segments: tuple[Segment, ...]
) -> tuple[Submission | None, str | None]:
    """Checked like every other submission; what its flags have no word for is the reason of a block."""
    gateway, account = call.gateway, call.account.name
    own = gateway.directory().numbers_of(account)
    wish = Wish(
        recipient=sent.recipient,
        segments=segments,
        sender=sent.sender or (own[0] if own else ""),
        report_bits=ALL_REPORTS,
        flash=sent.flash,
        note=sent.note,
        not_before_ms=sent.not_before_ms,
    )
    try:
        return compose(gateway.ids.next(), account, wish), None
    except Refusal as refusal:
        return None, refusal.text


def _what_is_wrong(result: dict[str, Any]) -> str:
    if result["invalidCountryCode"]:
        return "recipient length invalid"
    if result["messageIsEmpty"]:
        return "message is empty"
    return result["BlockedReason"] or "message too long"


def _many(sent: int, failed: int, why: str | None, numbers: Sequence[str] = ()) -> Answer:
    return Answer(
        result={
            "isOk": sent > 0 and not failed,
            "successCount": sent,
            "failedCount": failed,
            "errorMessages": why,
            "errorNumbers": ",".join(numbers) or None,
        }
    )
