"""What the answer to a submission means, in the words of SMPP that the engine knows. Pure: literal tables.

A relay that does not know us has not looked at the message: that is the link's trouble, as a bind that is
refused is, and the message waits until it is mended. The same goes for what is no answer of MM7 at all. What
speaks of the message is final; what speaks of the relay's load is temporary.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing.model.delivery import Answer
from homing.wire.mm7 import IMPROPER_IDENTIFICATION, Mm7Problem, SubmitAnswer, read_submit_answer
from homing.wire.smpp_codes import CommandStatus

CONTENT_GONE: Final = "the content is gone"
"""What the transport says of a content that is not kept any more."""

CODES: Final[Mapping[int, CommandStatus | None]] = {
    2002: CommandStatus.ESME_RINVDSTADR,
    2003: CommandStatus.ESME_RINVDSTADR,
    IMPROPER_IDENTIFICATION: None,
}
"""Status codes of MM7 that are neither success nor temporary; None = the link's trouble. Every other one is
``ESME_RSUBMITFAIL``. TS 23.140 §8.7"""
STATUSES: Final[Mapping[int, CommandStatus | None]] = {
    400: CommandStatus.ESME_RSUBMITFAIL,
    413: CommandStatus.ESME_RINVMSGLEN,
    415: CommandStatus.ESME_RSUBMITFAIL,
    429: CommandStatus.ESME_RTHROTTLED,
    502: CommandStatus.ESME_RTHROTTLED,
    503: CommandStatus.ESME_RTHROTTLED,
    504: CommandStatus.ESME_RTHROTTLED,
}
"""Statuses of HTTP, of answers that say nothing in MM7. Every other one is the link's trouble."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What has come of a submission."""

    command_status: int | None
    """None = the link's trouble: the submission is sent again."""
    message_id: str = ""
    why: str = ""
    """What was said, when it was not success."""
    is_suspect: bool = False
    """The relay knew us and could not say a thing: its trouble may be with this message only."""


def read_answer(answer: Answer) -> Verdict:
    """What a transport brought back."""
    if answer.error is not None:
        status = CommandStatus.ESME_RSUBMITFAIL if answer.error == CONTENT_GONE else None
        return Verdict(command_status=status, why=answer.error)
    try:
        return _of_mm7(read_submit_answer(answer.body))
    except Mm7Problem as problem:
        status_ = answer.status or 0
        why = f"HTTP {status_}" if status_ >= 300 else f"the answer cannot be read: {problem.details}"
        is_suspect = status_ < 300 or status_ >= 500
        return Verdict(command_status=STATUSES.get(status_), why=why, is_suspect=is_suspect)


def _of_mm7(said: SubmitAnswer) -> Verdict:
    if said.is_taken:
        return Verdict(command_status=CommandStatus.ESME_ROK, message_id=said.message_id)
    why = " ".join(filter(None, (str(said.code), said.text, said.details)))[:200]
    if said.is_temporary:
        return Verdict(command_status=CommandStatus.ESME_RTHROTTLED, why=why)
    return Verdict(command_status=CODES.get(said.code, CommandStatus.ESME_RSUBMITFAIL), why=why)
