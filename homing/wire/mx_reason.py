"""The MX reason code of a report: 32 bits that the report push carries in decimal. One place.

Bits 31-28 are the type (the status once more), 27-24 billing, 23-8 two bytes of reason, 7-0 the
network. Only the type is filled in; 0 means "no information" in all the others, and no table of
the reason bytes is known to us.
"""

from collections.abc import Mapping

from homing.model.report import Status

# 1 and 3 are documented. The label of 5 is cut off and that of 6 is missing, and the two samples
# conflict: 0x60000000 stands by itself, and reads best as "delivered, nothing to add"; another page
# pairs DELIVERED with 0x51030200, which reads best as a failure with two bytes of cause. We take
# the order of the table (REJECTED 1, BUFFERED 3, FAILED 5, DELIVERED 6) over that one pairing.
_TYPE: Mapping[Status, int] = {
    Status.REJECTED: 1,
    Status.BUFFERED: 3,
    Status.FAILED: 5,
    Status.DELIVERED: 6,
}


def mx_reason(status: Status) -> int:
    """The reason code of a status; 0 for one that the MX vocabulary has no word for."""
    return _TYPE.get(status, 0) << 28
