"""The mailbox over REST: the same one that SOAP and POP3 read.

Its first page is a poll, and held to the polling rule; the pages that follow it are not, nor is asking again
after a full page. What is marked here is marked in every face.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from homing.api import rest_mailbox_values as values
from homing.api import rest_values
from homing.api.rest_call import Call, Reply
from homing.model.clock import now_ms
from homing.model.errors import Refusal, TooSoon
from homing.model.mail import Mail
from homing.model.message import Coding
from homing.model.mms import Mms
from homing.model.report import FINAL, Report
from homing.wire.content_link import WHOLE
from homing.wire.mail_id import event_of, mail_id
from homing.wire.tracking_id import tracking_id

_CODING = {Coding.TEXT: "text", Coding.DATA: "data", Coding.UNICODE: "unicode"}


async def list_mails(call: Call) -> Reply:
    """``GET /v1/mailbox``."""
    page = call.query(values.MailPage)
    mailbox, account = call.gateway.mailbox, call.account.name
    after = 0
    if page.after is None:
        wait_s = mailbox.poll(account)
        if wait_s:
            raise TooSoon(wait_s)
    else:
        after = _event(page.after, "invalid")
    found = await mailbox.page(account, "unread" if page.unread else "kept", after, page.limit)
    is_full = len(found) == page.limit
    if is_full and page.unread:
        mailbox.emptied_page(account)
    items = [_document(call, mail) for mail in found]
    return Reply(body=values.Mails(items=items, next=items[-1].id if is_full else None))


async def count_unread(call: Call) -> Reply:
    """``GET /v1/mailbox/unread-count``: no poll."""
    return Reply(body=values.UnreadCount(unread=await call.gateway.mailbox.count_unread(call.account.name)))


async def show_mail(call: Call) -> Reply:
    """``GET /v1/mailbox/{id}``."""
    return Reply(body=_document(call, await _mail(call)))


async def change_mail(call: Call) -> Reply:
    """``PATCH /v1/mailbox/{id}``."""
    asked = await call.body(values.MailChange)
    event = (await _mail(call)).event.id
    marks = {"read" if asked.read else "unread": [event]}
    await call.gateway.mailbox.mark(call.account.name, **marks)
    return Reply(body=_document(call, await _mail(call)))


async def delete_mail(call: Call) -> Reply:
    """``DELETE /v1/mailbox/{id}``."""
    event = (await _mail(call)).event.id
    await call.gateway.mailbox.mark(call.account.name, deleted=[event])
    return Reply()


async def mark_mails(call: Call) -> Reply:
    """``POST /v1/mailbox/marks``."""
    asked = await call.body(values.Marks)
    mailbox, account = call.gateway.mailbox, call.account.name
    wanted = [_events(texts) for texts in (asked.read, asked.unread, asked.deleted)]
    found = await mailbox.mails_of(account, [event for events in wanted for event in events])
    there = {mail.event.id for mail in found}
    read, unread, deleted = ([event for event in events if event in there] for events in wanted)
    return Reply(
        body=values.Marked(count=await mailbox.mark(account, read=read, unread=unread, deleted=deleted))
    )


async def _mail(call: Call) -> Mail:
    found = await call.gateway.mailbox.mail(call.account.name, _event(call.path["id"], "not_found"))
    if found is None:
        raise Refusal("not_found", "there is no mail with this id")
    return found


def _events(texts: Iterable[str]) -> Sequence[int]:
    return [_event(text, "invalid") for text in dict.fromkeys(texts)]


def _event(text: str, kind: values.WrongId) -> int:
    event = event_of(text)
    if event is None:
        raise Refusal(kind, f"not the id of a mail: {text[:40]}")
    return event


def _document(call: Call, mail: Mail) -> values.Mail:
    event = mail.event
    report = event if isinstance(event, Report) else None
    message = None if isinstance(event, Report) else event
    is_data = message is not None and message.coding is Coding.DATA
    mms = None if message is None else message.mms
    return values.Mail(
        id=mail_id(event.id),
        event_id=str(event.id),
        kind="report" if message is None else "message" if mms is None else "mms",
        at=_time(event.at_ms),
        read=mail.is_read,
        sender=event.sender,
        recipient=event.recipient,
        text=None if message is None or is_data else message.text,
        coding=None if message is None else _CODING[message.coding],
        data=message.data.hex().upper() if message is not None and is_data else None,
        parts=event.parts,
        expected_parts=None if message is None else message.expected_parts,
        network=event.network,
        carrier_code=None if message is None else message.carrier_code,
        smsid=None if report is None else str(report.submission),
        tracking_id=None if report is None else tracking_id(report.submission),
        status=None if report is None else report.status.value,
        reason=None if report is None else report.reason,
        error=None if report is None else report.err or None,
        final=None if report is None else report.status in FINAL,
        note=None if report is None else report.note,
        mms=None if mms is None else _mms(call, event.id, mms),
    )


def _mms(call: Call, event: int, mms: Mms) -> rest_values.Mms:
    content = mms.content
    links, at_ms = call.gateway.links(call.account), now_ms()
    return rest_values.Mms(
        subject=mms.subject,
        to=list(mms.to),
        cc=list(mms.cc),
        expires_at=_time(mms.expires_at_ms),
        size=content.size,
        sha256=content.sha256,
        url=links.link(event, WHOLE, at_ms),
        parts=[
            rest_values.Part(
                name=part.name,
                type=part.content_type,
                size=part.size,
                sha256=part.sha256,
                url=links.link(event, number, at_ms),
            )
            for number, part in enumerate(content.parts, 1)
        ],
    )


def _time(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
