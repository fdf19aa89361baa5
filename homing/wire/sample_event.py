"""The sample event that ``endpoint test`` pushes: it says that it is a test, and it is kept nowhere."""

import msgspec

from homing.model.account import Endpoint
from homing.model.delivery import Event
from homing.model.message import Coding, ReceivedMessage
from homing.model.report import Report, Status
from homing.wire.push import PushFormat, prepare

SAMPLE_TEXT = "Homing test message: nothing has happened"
SAMPLE_NOTE = "homing-test"
_PHONE = "447700900000"  # of a range that is nobody's
_NUMBER = "60999"


def prepare_sample(endpoint: Endpoint) -> PushFormat:
    """The endpoint's format for a sample, which waits for no digest."""
    return prepare(msgspec.structs.replace(endpoint, digest_min=None))


def sample_event(endpoint: Endpoint, id_: int, now_ms: int) -> Event:
    """A report where the endpoint wants reports, else a message; of an MMS where it wants nothing else."""
    is_mms = set(endpoint.events) == {"mms-report"}
    if is_mms or "report" in endpoint.events:
        return Report(
            id=id_, at_ms=now_ms, account=endpoint.account, submission=id_ - 1, sender=_NUMBER,
            recipient=_PHONE, status=Status.DELIVERED, reason="retrieved" if is_mms else "delivered",
            err="" if is_mms else "000", sequence=1, report_bits=7, note=SAMPLE_NOTE, is_mms=is_mms,
        )  # fmt: skip
    return ReceivedMessage(
        id=id_, at_ms=now_ms, link="test", sender=_PHONE, recipient=_NUMBER, account=endpoint.account,
        coding=Coding.TEXT, text=SAMPLE_TEXT,
    )  # fmt: skip
