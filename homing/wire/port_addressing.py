"""Data for an application of the phone: user data headers with ports, alone or beside one for long data."""

from typing import Final

from homing.model.errors import Refusal
from homing.model.message import Coding, Segment

_OCTETS: Final = 140  # TS 23.040 §9.2.3.24
_PORTS: Final = range(65_536)


def segment_for_port(
    data: bytes, port: int, *, source_port: int = 0, reference: int, parts: int = 10
) -> tuple[Segment, ...]:
    """Segments of data to a port, at most so many; ``reference`` tells it from other long messages."""
    if port not in _PORTS or source_port not in _PORTS:
        raise Refusal("invalid", f"a port is from 0 to {_PORTS[-1]}")
    ports = b"\x05\x04" + port.to_bytes(2) + source_port.to_bytes(2)  # TS 23.040 §9.2.3.24.4
    alone = bytes((len(ports),)) + ports
    if len(alone) + len(data) <= _OCTETS:
        return (Segment(coding=Coding.DATA, data=data, udh=alone),)
    length = _OCTETS - len(alone) - 5
    pieces = [data[begin : begin + length] for begin in range(0, len(data), length)]
    if len(pieces) > parts:
        raise Refusal(
            "too_long", f"the data has {len(data)} octets, the limit is {length * parts} in {parts} messages"
        )
    return tuple(
        Segment(
            coding=Coding.DATA,
            data=piece,
            # TS 23.040 §9.2.3.24.1
            udh=bytes((len(ports) + 5, 0, 3, reference & 0xFF, len(pieces), number)) + ports,
        )
        for number, piece in enumerate(pieces, 1)
    )
