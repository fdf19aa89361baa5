"""A store with a past: so many events, delivered or not, put there by SQLite itself in a few seconds.

Half of what was delivered are received messages, half are reports with all that belongs to them. Ids are
those of the last day, so that nothing is old enough to be removed.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.customers import number_of
from homing.engine.rows import submission_row
from homing.model.clock import id_at, now_ms
from homing.model.message import Coding, Segment, Submission

DAY_MS = 86_400_000
PHONE = "'447700' || printf('%06d', i % 1000000)"
COUNTED = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count) "
MESSAGES = (
    "INSERT INTO messages SELECT :first + i * :step, :at_ms, 'far', {phone}, :number, 'customer0', 7,"
    " 'B' || i || ' your code is 4711', x'', x'', NULL, 1, 1, NULL, NULL, NULL FROM n",
    "INSERT INTO ledger SELECT :first + i * :step, 'message', 'customer0', NULL, {phone}, :number, NULL, 1,"
    " NULL, NULL, NULL, NULL FROM n",
)
REPORTS = (
    "INSERT INTO submissions SELECT :first + i * :step, 'customer0', '60999', {phone}, :content, 1, 7, NULL,"
    " 0, 0, NULL, NULL, 0, 'DELIVERED', 'delivered', 1, 'far', :at_ms, 0, 1, 0, NULL FROM n",
    "INSERT INTO ledger SELECT :first + i * :step, 'submission', 'customer0', NULL, '60999', {phone}, NULL,"
    " 1, 'ACCEPTED', NULL, NULL, NULL FROM n",
    "INSERT INTO segments SELECT :first + i * :step, 1, 'far', 'past', printf('%016x', i * 7919),"
    " ltrim(printf('%016x', i * 7919), '0') || '', 'DELIVERED', 'delivered', :at_ms FROM n",
    "INSERT INTO receipts SELECT :first + i * :step + 1, :first + i * :step, 1, 'far', :at_ms, 'DELIVERED',"
    " 'DELIVRD', 'delivered', '000', 'same', CAST('id:0 stat:DELIVRD err:000 text:' AS BLOB) FROM n",
    "INSERT INTO reports SELECT :first + i * :step + 2, :first + i * :step, 'customer0', :at_ms,"
    " 'DELIVERED', 'delivered', '000', 1 FROM n",
    "INSERT INTO ledger SELECT :first + i * :step + 2, 'report', 'customer0', :first + i * :step, '60999',"
    " {phone}, NULL, 1, 'DELIVERED', NULL, NULL, NULL FROM n",
)
DELIVERED = (
    "INSERT INTO deliveries SELECT :first + i * :step + :beside, 1, :kind, 'customer0', 1, 1, 1, :at_ms, 0,"
    " 1, 200, NULL, CAST('OK' AS BLOB), 1, :at_ms FROM n"
)
UNDELIVERED = (
    "INSERT INTO deliveries SELECT :first + i * :step, 1, 'message', 'customer0', 0, 1, 1, :at_ms + i, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL FROM n"
)


def submission_content() -> bytes:
    """What the store keeps of the text of a submission."""
    segments = (Segment(coding=Coding.TEXT, text="B1 your code is 4711"),)
    submission = Submission(id=1, account="", sender="", recipient="", segments=segments)
    content: bytes = submission_row(submission, (None, None, 0))[4]
    return content


def fill(path: Path, count: int, *, delivered: bool) -> None:
    """Put ``count`` events of customer 0 into a store that has its tables and its customers."""
    first_ms = now_ms() - DAY_MS
    messages = count // 2 if delivered else count
    values = {
        "at_ms": first_ms, "step": (id_at(now_ms()) - id_at(first_ms)) // (count + 1) // 4 * 2,
        "number": number_of(0), "content": submission_content(),
    }  # fmt: skip
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")

        def put(statements: tuple[str, ...], how_many: int, first: int, **more: object) -> None:
            for statement in statements:
                text = COUNTED + statement.format(phone=PHONE)
                if how_many:
                    connection.execute(text, values | {"count": how_many, "first": first} | more)

        at_first, at_second = id_at(first_ms), id_at(first_ms) + values["step"] * (messages + 1)
        put(MESSAGES, messages, at_first)
        if delivered:
            put((DELIVERED,), messages, at_first, kind="message", beside=0)
            put(REPORTS, count - messages, at_second)
            put((DELIVERED,), count - messages, at_second, kind="report", beside=2)
        else:
            put((UNDELIVERED,), messages, at_first)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("rb+") as file:
        os.fsync(file.fileno())  # what the disk still had to write would be charged to the node
