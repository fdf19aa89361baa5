"""What the ``command_status`` of a ``submit_sm_resp`` means for the message: sent, retry or refused.

Total: a status that no specification knows is a refusal under its number.
"""

from typing import Literal

from homing.wire.smpp_codes import CommandStatus, status_name

Answer = Literal["sent", "retry", "refused"]

_SENT: tuple[Answer, str] = ("sent", "sent")

# SMPP 3.4 §5.1.3: those that speak of the SMSC's present load or health and not of the message. The
# specification means RX_T_APPN ("temporary application error") for answers to deliver_sm, but its word
# is plain. A delivery failure (0xFE, data_sm) or an unknown error (0xFF) says nothing about later, and
# is not sent again: the message may be out.
_TEMPORARY = frozenset(
    {
        CommandStatus.ESME_RSYSERR,
        CommandStatus.ESME_RMSGQFUL,
        CommandStatus.ESME_RTHROTTLED,
        CommandStatus.ESME_RX_T_APPN,
    }
)


def read_command_status(status: int) -> tuple[Answer, str]:
    """What to do with the message, and the reason: the specification's name in lower case."""
    if status == CommandStatus.ESME_ROK:
        return _SENT
    reason = status_name(status).lower().replace(" ", "_")  # esme_rinvdstadr, status_0x00000412
    return ("retry" if status in _TEMPORARY else "refused"), reason
