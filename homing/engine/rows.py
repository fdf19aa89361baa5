"""Values to rows and back: the one place of the engine that knows the order of the tables' columns."""

from typing import Any

import msgspec

from homing.model.message import Coding, ReceivedMessage, Segment, Submission
from homing.model.mms import Mms
from homing.model.report import Receipt, Report, Status

Row = tuple[Any, ...]

_segments_encoder = msgspec.msgpack.Encoder()
_segments_decoder = msgspec.msgpack.Decoder(tuple[Segment, ...])
_mms_decoder = msgspec.msgpack.Decoder(Mms)
_receipt_decoder = msgspec.msgpack.Decoder(Receipt)


def _mms_octets(mms: Mms | None) -> bytes | None:
    return None if mms is None else msgspec.msgpack.encode(mms)


def mms_of(row: Any) -> Mms | None:
    """What a message or submission carries; None = it is an SMS."""
    return None if row.mms is None else _mms_decoder.decode(row.mms)


def message_row(message: ReceivedMessage, part_of: int | None = None) -> Row:
    m = message
    return (
        m.id, m.at_ms, m.link, m.sender, m.recipient, m.account, int(m.coding), m.text, m.data, m.udh,
        m.network, m.parts, m.expected_parts, part_of, m.carrier_code,
        _mms_octets(m.mms),
    )  # fmt: skip


def message_of(row: Any) -> ReceivedMessage:
    return ReceivedMessage(
        id=row.id,
        at_ms=row.at_ms,
        link=row.link,
        sender=row.sender,
        recipient=row.recipient,
        account=row.account,
        coding=Coding(row.coding),
        text=row.text,
        data=bytes(row.data),
        udh=bytes(row.udh),
        network=row.network,
        parts=row.parts,
        expected_parts=row.expected_parts,
        carrier_code=row.carrier_code,
        mms=mms_of(row),
    )


def submission_row(submission: Submission, claim: tuple[int | None, int | None, int]) -> Row:
    s = submission
    return (
        s.id, s.account, s.sender, s.recipient, _segments_encoder.encode(s.segments), len(s.segments),
        s.report_bits, s.validity_s, s.flash, s.single_shot, s.note, s.subaccount, s.not_before_ms,
        Status.ACCEPTED.value, "accepted", 0, None, None, *claim, _mms_octets(s.mms),
    )  # fmt: skip


def submission_of(row: Any) -> Submission:
    return Submission(
        id=row.id,
        account=row.account,
        sender=row.sender,
        recipient=row.recipient,
        segments=_segments_decoder.decode(row.content),
        report_bits=row.report_bits,
        validity_s=row.validity_s,
        flash=bool(row.flash),
        note=row.note,
        subaccount=row.subaccount,
        single_shot=bool(row.single_shot),
        not_before_ms=row.not_before_ms,
        mms=mms_of(row),
    )


def report_row(report: Report) -> Row:
    r = report
    return (r.id, r.submission, r.account, r.at_ms, r.status.value, r.reason, r.err, r.sequence)


def report_of(row: Any) -> Report:
    """From a row of ``reports_by_id``: the report with what its submission says."""
    return Report(
        id=row.id,
        at_ms=row.at_ms,
        account=row.account,
        submission=row.submission,
        sender=row.sender,
        recipient=row.recipient,
        status=Status(row.status),
        reason=row.reason,
        err=row.err,
        sequence=row.sequence,
        report_bits=row.report_bits,
        note=row.note,
        parts=row.segment_count,
        is_mms=bool(row.is_mms),
    )


def receipt_row(
    id_: int, submission: int, segment: int, link: str, at_ms: int, spelling: str, receipt: Receipt
) -> Row:
    r = receipt
    return (
        id_, submission, segment, link, at_ms, r.status.value, r.word, r.reason, r.err, spelling, r.raw,
    )  # fmt: skip


def parked_row(id_: int, scope: str, key: str, link: str, at_ms: int, receipt: Receipt) -> Row:
    return (id_, scope, key, link, at_ms, msgspec.msgpack.encode(receipt))


def parked_receipt_of(row: Any) -> Receipt:
    return _receipt_decoder.decode(row.receipt)


def ledger_of_message(message: ReceivedMessage, account: str) -> Row:
    m = message
    return (
        m.id, "message", account, None, m.sender, m.recipient, m.network, m.parts, None, None, None, None,
    )  # fmt: skip


def ledger_of_submission(submission: Submission, credits: float | None) -> Row:
    s = submission
    return (
        s.id, "submission", s.account, None, s.sender, s.recipient, None, len(s.segments),
        Status.ACCEPTED.value, s.note, s.subaccount, credits,
    )  # fmt: skip


def ledger_of_report(report: Report, subaccount: str | None) -> Row:
    r = report
    return (
        r.id, "report", r.account, r.submission, r.sender, r.recipient, r.network, r.parts,
        r.status.value, r.note, subaccount, None,
    )  # fmt: skip
