"""Trace: the whole life of a submission, a report, a message, in the promised shape."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from homing.engine.rows import submission_row
from homing.model.message import Coding, Segment, Submission
from homing.store import replay
from homing.store import tables as t
from homing.store.database import Database
from homing.store.trace import trace
from tests.store import rows

AT = 1_700_000_000_000
SUBMISSION, REPORT, MESSAGE = 100, 200, 300

DELIVERY_KEYS = {"id", "event_id", "endpoint", "state", "attempts"}
ATTEMPT_KEYS = {"number", "at", "status", "error", "answer", "took_ms"}


def add_submission(connection: Connection) -> None:
    """Three segments: the first delivered, the second answered, the third still on its way."""
    submission = Submission(
        id=SUBMISSION, account="acme", sender="60999", recipient="447700900001", note="order 5",
        segments=(
            Segment(coding=Coding.TEXT, text="one"), Segment(coding=Coding.UNICODE, text="zwei"),
            Segment(coding=Coding.DATA, data=b"\x0a\xff"),
        ),
    )  # fmt: skip
    columns = [column.name for column in t.submissions.columns]
    values = dict(zip(columns, submission_row(submission, (None, None, 0)), strict=True))
    rows.add_submission(
        connection, SUBMISSION, **{k: v for k, v in values.items() if k not in ("id", "account")}
    )
    rows.add_segment(
        connection, SUBMISSION, 1, link_message_id="00A1", status="DELIVERED", reason="delivered"
    )
    rows.add_segment(connection, SUBMISSION, 2, link_message_id="00A2")
    rows.add_receipt(connection, 12, SUBMISSION, 1, at_ms=AT + 900)
    rows.add_receipt(
        connection, 11, SUBMISSION, 1, at_ms=AT + 800, raw=b"id:A1 stat:ENROUTE text:\xff", word="ENROUTE",
        status="BUFFERED", reason="enroute", spelling="hex_to_decimal",
    )  # fmt: skip
    for n in (0, 1):
        rows.add_report(connection, REPORT + n, SUBMISSION, sequence=n + 1)


def traced(connection: Connection, id_: int) -> dict[str, Any]:
    found = trace(connection, id_)
    assert found is not None
    msgspec.json.encode(found)  # whatever is in it can be printed
    assert isinstance(found["segments"], list)
    for delivery in found["deliveries"]:
        assert set(delivery) >= DELIVERY_KEYS
        for attempt in delivery["attempts"]:
            assert set(attempt) == ATTEMPT_KEYS
    return found


def test_an_id_that_nobody_has(database: Database) -> None:
    with database.reading() as connection:
        assert trace(connection, 5) is None


def test_a_submission_with_segments_receipts_reports_and_deliveries(database: Database) -> None:
    with database.writing() as connection:
        add_submission(connection)
        rows.add_delivery(connection, REPORT, 1, kind="report", attempt=2)
        rows.add_attempt(connection, REPORT, 1, 1, status=None, error="timeout", answer=b"", took_ms=60_000)
        rows.add_delivery(connection, REPORT + 1, 1, kind="report")
        rows.add_delivery(connection, REPORT + 7, 1, kind="report")
        found = traced(connection, SUBMISSION)
    assert set(found) == {"submission", "segments", "reports", "deliveries"}
    assert (found["submission"]["id"], found["submission"]["note"]) == ("100", "order 5")
    first, second, third = found["segments"]
    assert (first["link"], first["link_message_id"], first["status"]) == ("sim", "00A1", "DELIVERED")
    assert [receipt["raw"] for receipt in first["receipts"]] == [
        "id:A1 stat:ENROUTE text:\\xff", "id:0A1B stat:DELIVRD\\xff",
    ]  # fmt: skip
    assert first["receipts"][0]["spelling"] == "hex_to_decimal"
    assert (second["status"], second["receipts"]) == ("SENT", [])
    assert (third["link"], third["link_message_id"], third["status"]) == (None, None, "ACCEPTED")
    assert [segment["text"] for segment in found["segments"]] == ["one", "zwei", "0AFF"]
    assert [report["sequence"] for report in found["reports"]] == [1, 2]
    assert [delivery["id"] for delivery in found["deliveries"]] == ["200-1", "201-1"]
    assert found["deliveries"][0]["attempts"] == [
        {
            "number": 1, "at": "2023-11-14T22:13:23.000Z", "status": None, "error": "timeout", "answer": "",
            "took_ms": 60_000,
        },
    ]  # fmt: skip


def test_a_report_shows_its_own_deliveries(database: Database) -> None:
    with database.writing() as connection:
        add_submission(connection)
        for n in (0, 1):
            rows.add_delivery(connection, REPORT + n, 1, kind="report")
        found = traced(connection, REPORT + 1)
        assert set(found) == {"report", "segments", "reports", "deliveries"}
        assert (found["report"]["id"], found["report"]["submission"]) == ("201", "100")
        assert len(found["segments"]) == 3
        assert [delivery["event_id"] for delivery in found["deliveries"]] == ["201"]
        connection.execute(t.submissions.delete())
        assert [d["event_id"] for d in traced(connection, REPORT)["deliveries"]] == ["200"]


def test_every_attempt_once_in_order_and_the_delivering_one_last(database: Database) -> None:
    with database.writing() as connection:
        rows.add_message(connection, MESSAGE)
        rows.add_delivery(
            connection, MESSAGE, 1, state=1, attempt=3, status=200, answer=b"OK \xff", took_ms=7,
            finished_at_ms=AT + 3007,
        )  # fmt: skip
        rows.add_attempt(connection, MESSAGE, 1, 2, at_ms=AT + 2000, status=204, answer=b"")
        rows.add_attempt(
            connection, MESSAGE, 1, 1, at_ms=AT + 1000, status=None, error="refused", answer=None
        )
        # a dead one: its last attempt stands among the attempts as well
        rows.add_delivery(connection, MESSAGE, 2, state=2, attempt=2, status=500, finished_at_ms=AT + 2001)
        rows.add_attempt(connection, MESSAGE, 2, 1)
        rows.add_attempt(connection, MESSAGE, 2, 2)
        rows.add_delivery(connection, MESSAGE, 3)
        delivered, dead, new = traced(connection, MESSAGE)["deliveries"]
        replay.replay(connection, [(MESSAGE, 1)], AT)
        again = traced(connection, MESSAGE)["deliveries"][0]
    told = [(a["number"], a["status"], a["error"], a["answer"]) for a in delivered["attempts"]]
    assert told == [(1, None, "refused", None), (2, 204, None, ""), (3, 200, None, "OK \\xff")]
    assert delivered["attempts"][-1]["at"] == "2023-11-14T22:13:23.000Z"
    assert (delivered["state"], dead["state"], new["state"]) == ("delivered", "dead", "pending")
    assert [attempt["number"] for attempt in dead["attempts"]] == [1, 2]
    assert new["attempts"] == []
    assert (again["state"], again["attempts"]) == ("pending", delivered["attempts"])


def test_a_long_message_is_shown_whole_by_any_of_its_ids(database: Database) -> None:
    joined = MESSAGE
    with database.writing() as connection:
        for n in (2, 1):
            rows.add_message(connection, MESSAGE + n, text=f"part {n}", part_of=joined)
            rows.add_delivery(connection, MESSAGE + n, 1)
        partial = traced(connection, MESSAGE + 1)  # before it is joined
        assert [delivery["event_id"] for delivery in partial["deliveries"]] == ["301", "302"]
        rows.add_message(connection, joined, text="part 1part 2", parts=2, expected_parts=2)
        rows.add_delivery(connection, joined, 2)
        rows.add_message(connection, MESSAGE + 50)
        rows.add_delivery(connection, MESSAGE + 50, 1)
        for id_ in (joined, MESSAGE + 1, MESSAGE + 2):
            found = traced(connection, id_)
            assert found["message"]["id"] == str(id_)
            assert [part["text"] for part in found["parts"]] == ["part 1", "part 2"]
            assert [d["event_id"] for d in found["deliveries"]] == ["300", "301", "302"]
        alone = traced(connection, MESSAGE + 50)
        assert (alone["parts"], len(alone["deliveries"])) == ([], 1)
