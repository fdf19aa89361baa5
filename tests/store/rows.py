"""Rows as the engine writes them, for the tests of the questions behind the commands."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from homing.model.mms import Content, Mms
from homing.store import tables as t


def add_submission(connection: Connection, id_: int, account: str = "acme", **values: Any) -> None:
    made: dict[str, Any] = {
        "id": id_, "account": account, "sender": "60999", "recipient": "447700900001", "content": b"\x90",
        "segment_count": 1, "report_bits": 7, "flash": False, "single_shot": False, "not_before_ms": 0,
        "status": "ACCEPTED", "reason": "accepted", "report_count": 0, "claim_until_ms": 0,
    }  # fmt: skip
    connection.execute(insert(t.submissions).values(made | values))


def add_segment(connection: Connection, submission: int, number: int = 1, **values: Any) -> None:
    made: dict[str, Any] = {
        "submission": submission, "number": number, "link": "sim", "scope": "s", "link_message_id": "0A1B",
        "id_key": "a1b", "status": "SENT", "reason": "sent", "at_ms": 1_700_000_000_000,
    }  # fmt: skip
    connection.execute(insert(t.segments).values(made | values))


def add_receipt(connection: Connection, id_: int, submission: int, segment: int = 1, **values: Any) -> None:
    made: dict[str, Any] = {
        "id": id_, "submission": submission, "segment": segment, "link": "sim", "at_ms": 1_700_000_000_500,
        "status": "DELIVERED", "word": "DELIVRD", "reason": "delivered", "err": "000", "spelling": "same",
        "raw": b"id:0A1B stat:DELIVRD\xff",
    }  # fmt: skip
    connection.execute(insert(t.receipts).values(made | values))


def add_report(
    connection: Connection, id_: int, submission: int, account: str = "acme", **values: Any
) -> None:
    made: dict[str, Any] = {
        "id": id_, "submission": submission, "account": account, "at_ms": 1_700_000_001_000,
        "status": "DELIVERED", "reason": "delivered", "err": "000", "sequence": 1,
    }  # fmt: skip
    connection.execute(insert(t.reports).values(made | values))


def add_message(connection: Connection, id_: int, account: str | None = "acme", **values: Any) -> None:
    made: dict[str, Any] = {
        "id": id_, "at_ms": 1_700_000_002_000, "link": "sim", "sender": "447700900001", "recipient": "60999",
        "account": account, "coding": 7, "text": "hello", "data": b"", "udh": b"", "parts": 1,
        "expected_parts": 1,
    }  # fmt: skip
    connection.execute(insert(t.messages).values(made | values))


def add_content(
    connection: Connection, event: int, sha256: str, account: str = "acme", **values: Any
) -> None:
    made: dict[str, Any] = {"account": account, "sha256": sha256, "event": event, "expires_at_ms": 0}
    connection.execute(insert(t.contents).values(made | values))


def mms_octets(sha256: str) -> bytes:
    """What the row of a message or submission says of its MMS."""
    return msgspec.msgpack.encode(Mms(content=Content(sha256=sha256, size=1), expires_at_ms=0))


def add_delivery(connection: Connection, event: int, endpoint: int, **values: Any) -> None:
    made: dict[str, Any] = {
        "event": event, "endpoint": endpoint, "kind": "message", "account": "acme", "state": 0, "attempt": 1,
        "first_attempt": 1, "next_attempt_at_ms": 1_700_000_003_000,
    }  # fmt: skip
    connection.execute(insert(t.deliveries).values(made | values))


def add_attempt(connection: Connection, event: int, endpoint: int, number: int, **values: Any) -> None:
    made: dict[str, Any] = {
        "event": event, "endpoint": endpoint, "number": number, "at_ms": 1_700_000_003_000, "status": 500,
        "answer": b"no", "took_ms": 7,
    }  # fmt: skip
    connection.execute(insert(t.attempts).values(made | values))


def deliveries(connection: Connection) -> Sequence[Any]:
    d = t.deliveries
    return connection.execute(select(d).order_by(d.c.event, d.c.endpoint)).all()
