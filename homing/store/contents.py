"""Which content an event has, whose it is, and whether it is still to be had.

A content may be given out as long as its row in ``contents`` stands; what the event says of it stays longer.
"""

from sqlalchemy import Connection, exists, select

from homing.engine.mms_intake import UNROUTED
from homing.engine.records import FoundContent
from homing.engine.rows import mms_of
from homing.store import tables as t


def find_content(connection: Connection, event: int) -> FoundContent | None:
    """The content of a received or a sent MMS; None when nothing with this id is one."""
    for table in (t.messages, t.submissions):
        c = table.c
        row = connection.execute(select(c.account, c.mms).where(c.id == event)).first()
        if row is None:
            continue
        mms = mms_of(row)
        if mms is None:
            return None
        account = row.account or UNROUTED
        return FoundContent(
            account=account, mms=mms, is_kept=_is_kept(connection, account, mms.content.sha256, event)
        )
    return None


def _is_kept(connection: Connection, account: str, sha256: str, event: int) -> bool:
    c = t.contents.c
    row = exists().where(c.account == account, c.sha256 == sha256, c.event == event)
    return bool(connection.scalar(select(row)))
