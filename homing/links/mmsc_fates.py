"""What becomes of an MMS in the simulated MMSC: by the last three digits of its number.

``MMS_FATES`` is the whole table; the documentation is checked against it. Numbers that are not in it are
delivered. Where the network of SMS has the same fate, it has the same digits there (``simulator_fates.py``).
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from homing.model.mms import delivery_outcome
from homing.model.report import Status
from homing.wire.mm7 import ADDRESS_ERROR, CONTENT_REFUSED, SERVICE_UNAVAILABLE


class MmsFate(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one MMS in the network."""

    about: str
    words: tuple[str, ...] = ("Retrieved",)
    """MMStatus of delivery reports: one report for each, in this order."""
    read_word: str = "Read"
    """MMStatus of the read report, when one was asked for and the message was retrieved."""
    put_off: tuple[int, ...] = ()
    """Temporary answers before the message is taken: status codes of MM7, or statuses of HTTP."""
    refused: int | None = None
    """The status code of MM7 that it is refused with."""
    is_unreadable: bool = False
    """The first answer is none; sent again, the message is taken."""
    is_early: bool = False
    """The report comes before the answer."""
    is_slow: bool = False
    reads_first: bool = False
    """The read report comes before the delivery report."""
    reply: Literal["picture"] | None = None

    @property
    def expected(self) -> Status | None:
        """The status that the submission ends with; None = nobody says."""
        if self.refused is not None:
            return Status.REJECTED
        found = [delivery_outcome(word).status for word in self.words]
        final = [status for status in found if status is not Status.BUFFERED]
        return (final or found or [None])[0]


RETRIEVED: Final = MmsFate(about="Retrieved.")


def _said(word: str) -> MmsFate:
    return MmsFate(about=f"The report says {word}.", words=(word,))


MMS_FATES: Final[Mapping[str, MmsFate]] = {
    "900": _said("Expired"),
    "901": _said("Expired"),
    "903": _said("Rejected"),
    "904": MmsFate(about="Deferred first, then Retrieved.", words=("Deferred", "Retrieved")),
    "905": _said("Forwarded"),
    "906": _said("Indeterminate"),
    "907": MmsFate(about="The report says a word that nobody knows.", words=("Mislaid",)),
    "908": MmsFate(about="Refused in the answer: 2002, address error.", refused=ADDRESS_ERROR, words=()),
    "909": MmsFate(
        about="Put off twice (4006), then taken.", put_off=(SERVICE_UNAVAILABLE, SERVICE_UNAVAILABLE)
    ),
    "910": MmsFate(about="HTTP 503 once, then taken.", put_off=(503,)),
    "911": MmsFate(about="No report ever comes.", words=()),
    "912": MmsFate(about="The report takes ten times as long.", is_slow=True),
    "913": MmsFate(about="The report comes before the answer to the submission.", is_early=True),
    "918": MmsFate(about="The report comes twice.", words=("Retrieved", "Retrieved")),
    "919": MmsFate(about="The reports go back: Retrieved, then Deferred.", words=("Retrieved", "Deferred")),
    "940": MmsFate(about="Refused in the answer: 2004, content refused.", refused=CONTENT_REFUSED, words=()),
    "941": _said("NotSupported"),
    "942": MmsFate(about="Unreachable first, then Retrieved.", words=("Unreachable", "Retrieved")),
    "943": MmsFate(about="Retrieved; deleted without being read.", read_word="Deleted without being read"),
    "944": MmsFate(about="The read report comes before the delivery report.", reads_first=True),
    "945": _said("Unrecognised"),
    "950": MmsFate(about="Retrieved, and the phone replies with a picture.", reply="picture"),
    "954": MmsFate(about="The answer cannot be read; sent again, the message is taken.", is_unreadable=True),
}
"""By the last three digits of the number a message is sent to."""


def mms_fate_of(number: str) -> MmsFate:
    """The fate of a message to this number."""
    return MMS_FATES.get(number[-3:], RETRIEVED)
