"""MM7 from the relay's side, for the simulated MMSC: what it asks of a value added service, what it is asked.

The mirror of ``mm7.py``: the values written here are those that are read there. TS 23.140 §8.7
"""

import msgspec

from homing.wire.mm7 import (
    FORMAT_CORRUPT,
    SUCCESS,
    UNSUPPORTED_OPERATION,
    DeliverReq,
    Envelope,
    Frame,
    Mm7Problem,
    Recipient,
    ReportReq,
    addresses_of,
    first_address,
    named,
    read_operation,
    text_of,
    written_address,
)
from homing.wire.xml_document import xml_text


class SubmitReq(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a value added service sends."""

    frame: Frame
    vasp_id: str = ""
    vas_id: str = ""
    sender: str = ""
    recipients: tuple[Recipient, ...] = ()
    subject: str = ""
    wants_delivery_report: bool = False
    wants_read_report: bool = False
    content_id: str = ""


def read_submit(octets: bytes, content_type: str = "") -> SubmitReq:
    """The SubmitReq in an envelope; else an ``Mm7Problem``."""
    operation, frame = read_operation(octets, content_type)
    name = operation.tag.rpartition("}")[2]
    if name != "SubmitReq":
        raise Mm7Problem(UNSUPPORTED_OPERATION, f"{name[:60]} is not done here", frame, name)
    content = named(operation, "Content")
    href = content[0].get("href", "") if content else ""
    try:
        who = named(operation, "SenderIdentification")
        return SubmitReq(
            frame=frame,
            vasp_id=text_of(who[0], "VASPID") if who else "",
            vas_id=text_of(who[0], "VASID") if who else "",
            sender=first_address(who[0], "SenderAddress") if who else "",
            recipients=tuple(
                each for list_ in named(operation, "Recipients") for each in addresses_of(list_)
            ),
            subject=text_of(operation, "Subject"),
            wants_delivery_report=text_of(operation, "DeliveryReport") in ("true", "1"),
            wants_read_report=text_of(operation, "ReadReply") in ("true", "1"),
            content_id=href.strip().removeprefix("cid:").strip("<>"),
        )
    except ValueError as error:
        raise Mm7Problem(FORMAT_CORRUPT, str(error), frame, name) from None


def write_submit_response(
    frame: Frame, message_id: str, code: int = SUCCESS, details: str = "", *, is_error: bool = False
) -> bytes:
    """The answer to a SubmitReq; ``is_error`` = what came could not be read as one."""
    envelope = Envelope(frame, "RSErrorRsp" if is_error else "SubmitRsp")
    envelope.add(envelope.body, "MM7Version", frame.version)
    envelope.add_status(code, details)
    if message_id:
        envelope.add(envelope.body, "MessageID", message_id)
    return envelope.octets()


def write_deliver(request: DeliverReq, timestamp: str = "") -> bytes:
    """The envelope of a message that a phone sends, its elements in the order of the schema."""
    r = request
    envelope = Envelope(r.frame, r.operation)
    body, add = envelope.body, envelope.add
    add(body, "MM7Version", r.frame.version)
    if r.linked_id:
        add(body, "LinkedID", r.linked_id)
    add(add(body, "Sender"), *written_address(r.sender))
    recipients = add(body, "Recipients")
    for kind, each in (("To", r.to), ("Cc", r.cc), ("Bcc", r.bcc)):
        listed = add(recipients, kind) if each else None
        for recipient in each if listed is not None else ():
            address = add(listed, *written_address(recipient.address))
            if recipient.is_display_only:
                address.set("displayOnly", "true")
    if timestamp:
        add(body, "TimeStamp", timestamp)
    if r.subject:
        add(body, "Subject", r.subject)
    if r.content_id:
        add(body, "Content").set("href", f"cid:{xml_text(r.content_id)}")
    return envelope.octets()


def write_report(request: ReportReq) -> bytes:
    """The envelope of a delivery report or a read report, its elements in the order of the schema."""
    r = request
    envelope = Envelope(r.frame, r.operation)
    body, add = envelope.body, envelope.add
    add(body, "MM7Version", r.frame.version)
    add(body, "MessageID", r.message_id)
    for kind, address in (("Recipient", r.recipient), ("Sender", r.sender)):
        if address:
            add(add(body, kind), *written_address(address))
    for name, text in (
        ("TimeStamp" if r.is_read_report else "Date", r.timestamp),
        ("MMStatus", r.word),
        ("StatusText", r.text),
    ):
        if text:
            add(body, name, text)
    return envelope.octets()
