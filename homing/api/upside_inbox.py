"""The inbox of the Upside services: mails as ``NewSMSMessage``, read flags, and the status of a message sent.

Reports stand in the inbox as messages of their own: ``trackingid`` is set, and ``data`` is the status line
that ``docs/reference/upside.md`` describes. A mail becomes read when the answer with it was written out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from homing.api.upside_call import Answer, UpsideCall
from homing.engine.mailbox import PAGE
from homing.model.errors import Refusal, TooSoon
from homing.model.mail import Mail
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import Report, Status
from homing.wire.mail_id import event_of, mail_id
from homing.wire.tracking_id import submission_of, tracking_id
from homing.wire.upside_status import upside_status

NOTHING: Mapping[str, Any] = {"isValid": False}
"""The answer when no mail is unread."""
_NO_MAIL = "there is no message with this id"


async def count(call: UpsideCall) -> Answer:
    """``GetNewInboxCount``: no poll."""
    return Answer(result=await call.gateway.mailbox.count_unread(call.account.name))


async def new_messages(call: UpsideCall) -> Answer:
    """``GetNewInboxMessages``."""
    _poll(call)
    mails = await call.gateway.mailbox.unread(call.account.name, PAGE)
    if len(mails) == PAGE:
        call.gateway.mailbox.emptied_page(call.account.name)
    return _read_then([shown(mail, call.account.name) for mail in mails], call, mails)


async def top(call: UpsideCall) -> Answer:
    """``GetTopMessage``."""
    return _taken(call, await _latest(call))


async def bottom(call: UpsideCall) -> Answer:
    """``GetBottomMessage``."""
    return _taken(call, await _earliest(call))


async def look_at_top(call: UpsideCall) -> Answer:
    """``GetTopMessageNoReset``."""
    return _seen(call, await _latest(call))


async def look_at_bottom(call: UpsideCall) -> Answer:
    """``GetBottomMessageNoReset``."""
    return _seen(call, await _earliest(call))


async def set_read_flag(call: UpsideCall) -> Answer:
    """``SetMessageReadFlag``."""
    mail = await _named(call)
    if mail is None:
        return Answer(result={"isOk": False, "errorMessage": _NO_MAIL})
    is_read: bool = call.values["flag"]
    await call.gateway.mailbox.mark(call.account.name, **{"read" if is_read else "unread": [mail.event.id]})
    _dealt_with(call, mail if is_read else None)
    return Answer(result={"isOk": True, "errorMessage": None})


async def delete(call: UpsideCall) -> Answer:
    """``DeleteMessage``."""
    mail = await _named(call)
    if mail is None:
        return Answer(result={"isOk": False, "errorMsg": _NO_MAIL})
    await call.gateway.mailbox.mark(call.account.name, deleted=[mail.event.id])
    _dealt_with(call, mail)
    return Answer(result={"isOk": True, "errorMsg": None})


async def status(call: UpsideCall) -> Answer:
    """``GetDLR``: one of the nine words."""
    submission = submission_of(call.text("trackingId"))
    if submission is None:
        raise Refusal("invalid", "trackingId is not the id of a message sent: MTID and digits")
    wait_s = call.gateway.mailbox.poll_tracking(call.account.name, submission)
    if wait_s:
        raise TooSoon(wait_s)
    found = await call.ask(call.gateway.records.trace, call.account.name, "submission", submission)
    sent = found["submission"]
    return Answer(result=upside_status(Status(sent["status"]), sent["reason"]).value)


def shown(mail: Mail, account: str) -> Mapping[str, Any]:
    """A mail as ``NewSMSMessage`` (upside.md §4.2, §4.3)."""
    event = mail.event
    at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    found: dict[str, Any] = {
        "isValid": True,
        "name": account,
        "carriercode": None,
        "trackingid": None,
        "messageid": mail_id(event.id),
        "utcTime": f"{at:%Y-%m-%d %H:%M:%S}",
    }
    if isinstance(event, Report):
        name = tracking_id(event.submission)
        word = upside_status(event.status, event.reason)
        said = f"{word} {name} {_plus(event.recipient)} {found['utcTime']} {event.reason}"
        return found | {
            "sender": _plus(event.recipient),
            "data": said,
            "inboundnumber": event.sender,
            "trackingid": name,
        }
    return found | {
        "sender": _plus(event.sender),
        "data": _text(event),
        "inboundnumber": event.recipient,
        "carriercode": event.carrier_code,
    }


def _text(message: ReceivedMessage) -> str:
    """What stands in ``data``, which can only be text: of an MMS what there is of it."""
    m = message
    if m.mms is not None:
        parts = len(m.mms.content.parts)
        return m.text or m.mms.subject or f"MMS with {parts} part{'' if parts == 1 else 's'}"
    return m.data.hex().upper() if m.coding is Coding.DATA else m.text


def _plus(number: str) -> str:
    """As the inbox shows numbers (upside.md §10)."""
    return f"+{number}" if number.isascii() and number.isdigit() else number


def _poll(call: UpsideCall) -> None:
    wait_s = call.gateway.mailbox.poll(call.account.name)
    if wait_s:
        raise TooSoon(wait_s)


async def _latest(call: UpsideCall) -> Mail | None:
    _poll(call)
    return await call.gateway.mailbox.latest_unread(call.account.name)


async def _earliest(call: UpsideCall) -> Mail | None:
    _poll(call)
    found = await call.gateway.mailbox.unread(call.account.name, 1)
    return found[0] if found else None


def _taken(call: UpsideCall, mail: Mail | None) -> Answer:
    """One mail that will be read: where there was one, the next may be asked for at once."""
    if mail is None:
        return Answer(result=NOTHING)
    call.gateway.mailbox.emptied_page(call.account.name)
    return _read_then(shown(mail, call.account.name), call, [mail])


def _seen(call: UpsideCall, mail: Mail | None) -> Answer:
    return Answer(result=NOTHING if mail is None else shown(mail, call.account.name))


def _read_then(result: Any, call: UpsideCall, mails: Sequence[Mail]) -> Answer:
    """The mails are read when the answer was written out."""
    return Answer(result=result, handed=call.gateway.mailbox.hand_out(call.account.name, mails))


async def _named(call: UpsideCall) -> Mail | None:
    event = event_of(call.text("messageId"))
    return None if event is None else await call.gateway.mailbox.mail(call.account.name, event)


def _dealt_with(call: UpsideCall, mail: Mail | None) -> None:
    """Whoever works through his mails one by one is not made to wait between them."""
    if mail is not None and not mail.is_read:
        call.gateway.mailbox.emptied_page(call.account.name)
