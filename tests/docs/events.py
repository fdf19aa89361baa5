"""Events to push: one of each kind with everything in it, and one with as little as there can be."""

from homing.model.message import Coding, ReceivedMessage
from homing.model.mms import Content, Mms, Part
from homing.model.report import Report, Status

REPORT = Report(
    id=2, at_ms=1_772_600_767_000, account="acme", submission=1, sender="60999", recipient="447700900123",
    status=Status.DELIVERED, reason="delivered", err="000", sequence=1, report_bits=7, note="n",
)  # fmt: skip
MESSAGE = ReceivedMessage(
    id=3, at_ms=1_772_600_767_000, link="sim", sender="447700900123", recipient="60999", account="acme",
    coding=Coding.UNICODE, text="Ж", udh=b"\x05\x00\x03\x1c\x03\x02",
)  # fmt: skip
REPORT_BARE = Report(
    id=2, at_ms=0, account="acme", submission=1, sender="60999", recipient="447700900123",
    status=Status.FAILED, reason="failed", sequence=1, report_bits=7,
)  # fmt: skip
MESSAGE_BARE = ReceivedMessage(
    id=3, at_ms=0, link="sim", sender="447700900123", recipient="60999", account="acme",
    coding=Coding.TEXT, text="x",
)  # fmt: skip
_CONTENT = Content(
    sha256="a" * 64, size=900,
    parts=(Part(name="a.txt", content_type="text/plain", size=1, offset=90, sha256="b" * 64),),
)  # fmt: skip
MMS = ReceivedMessage(
    id=4, at_ms=1_772_600_767_000, link="mm7", sender="447700900123", recipient="60999", account="acme",
    coding=Coding.TEXT, text="x", network="VODAFONEUK",
    mms=Mms(subject="Hello", to=("60999",), cc=("1",), content=_CONTENT, expires_at_ms=1_772_700_000_000),
)  # fmt: skip
MMS_BARE = ReceivedMessage(
    id=4, at_ms=0, link="mm7", sender="447700900123", recipient="60999", account="acme",
    coding=Coding.TEXT, text="", mms=Mms(content=_CONTENT, expires_at_ms=1),
)  # fmt: skip
MMS_REPORT = Report(
    id=5, at_ms=1_772_600_767_000, account="acme", submission=1, sender="60999", recipient="447700900123",
    status=Status.DELIVERED, reason="read", sequence=2, report_bits=15, is_mms=True,
)  # fmt: skip
