"""Rows as the documents that commands and faces show: names and forms of ``docs/reference/commands.md``.

Ids are decimal strings, because they exceed the 2^53 that many readers of JSON hold exactly; times are
RFC 3339 in UTC; octets of the outside world are text in which what is unreadable shows as ``\\xNN``.
"""

from datetime import UTC, datetime
from typing import Any

from homing.engine.rows import mms_of
from homing.model.clock import made_at_ms
from homing.model.delivery import DeliveryState
from homing.model.message import Coding
from homing.model.mms import Mms, Part

Document = dict[str, Any]

_CODING = {Coding.TEXT: "text", Coding.DATA: "data", Coding.UNICODE: "unicode"}


def time_text(at_ms: int | None) -> str | None:
    """RFC 3339 §5.6, UTC with milliseconds."""
    if at_ms is None:
        return None
    at_s, rest_ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z"


def octets_text(octets: bytes | None) -> str | None:
    """What somebody sent us, as text that shows every octet."""
    return None if octets is None else bytes(octets).decode("utf-8", "backslashreplace")


def delivery_id(event: int, endpoint: int) -> str:
    """The name of a delivery outside: an endpoint gets an event once."""
    return f"{event}-{endpoint}"


def submission_document(row: Any) -> Document:
    return {
        "id": str(row.id),
        "account": row.account,
        "at": time_text(made_at_ms(row.id)),
        "from": row.sender,
        "to": row.recipient,
        "status": row.status,
        "reason": row.reason,
        "report_bits": row.report_bits,
        "note": row.note,
        "subaccount": row.subaccount,
        "validity_s": row.validity_s,
        "flash": row.flash,
        "single_shot": row.single_shot,
        "not_before": time_text(row.not_before_ms or None),
        "link": row.link,
        "sent_at": time_text(row.sent_at_ms),
        "mms": mms_document(mms_of(row)),
    }


def report_document(row: Any) -> Document:
    return {
        "id": str(row.id),
        "submission": str(row.submission),
        "account": row.account,
        "at": time_text(row.at_ms),
        "status": row.status,
        "reason": row.reason,
        "err": row.err,
        "sequence": row.sequence,
    }


def message_document(row: Any) -> Document:
    return {
        "id": str(row.id),
        "account": row.account,
        "at": time_text(row.at_ms),
        "from": row.sender,
        "to": row.recipient,
        "link": row.link,
        "network": row.network,
        "coding": _CODING[Coding(row.coding)],
        "text": row.text,
        "data": bytes(row.data).hex().upper(),
        "udh": bytes(row.udh).hex().upper(),
        "parts": row.parts,
        "expected_parts": row.expected_parts,
        "part_of": None if row.part_of is None else str(row.part_of),
        "mms": mms_document(mms_of(row)),
    }


def mms_document(mms: Mms | None) -> Document | None:
    """What an MMS has that an SMS has not."""
    if mms is None:
        return None
    return {
        "subject": mms.subject,
        "to": list(mms.to),
        "cc": list(mms.cc),
        "expires_at": time_text(mms.expires_at_ms),
        "size": mms.content.size,
        "sha256": mms.content.sha256,
        "parts": [part_document(part) for part in mms.content.parts],
    }


def part_document(part: Part) -> Document:
    return {"name": part.name, "type": part.content_type, "size": part.size, "sha256": part.sha256}


def receipt_document(row: Any) -> Document:
    return {
        "at": time_text(row.at_ms),
        "link": row.link,
        "status": row.status,
        "word": row.word,
        "reason": row.reason,
        "err": row.err,
        "spelling": row.spelling,
        "raw": octets_text(row.raw),
    }


def attempt_document(row: Any) -> Document:
    return {
        "number": row.number,
        "at": time_text(row.at_ms),
        "status": row.status,
        "error": row.error,
        "answer": octets_text(row.answer),
        "took_ms": row.took_ms,
    }


def delivery_document(row: Any) -> Document:
    """What stands in a delivery itself. ``next_attempt_at`` is null while a node works on it."""
    is_pending = row.state == DeliveryState.PENDING
    is_claimed = row.claim_node is not None
    return {
        "id": delivery_id(row.event, row.endpoint),
        "event_id": str(row.event),
        "kind": row.kind,
        "account": row.account,
        "endpoint": row.endpoint,
        "state": DeliveryState(row.state).name.lower(),
        "next_attempt_at": time_text(row.next_attempt_at_ms) if is_pending and not is_claimed else None,
        "node": row.claim_node if is_pending else None,
        "finished_at": time_text(row.finished_at_ms),
        "error": row.error,
    }


def ledger_document(row: Any) -> Document:
    return {
        "id": str(row.id),
        "at": time_text(made_at_ms(row.id)),
        "kind": row.kind,
        "account": row.account,
        "reference": None if row.reference is None else str(row.reference),
        "from": row.sender,
        "to": row.recipient,
        "network": row.network,
        "segments": row.segments,
        "status": row.status,
        "note": row.note,
        "subaccount": row.subaccount,
        "credits": row.credits,
    }
