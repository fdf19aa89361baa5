"""Data to a port of the phone: whatever its length, the pieces join again and fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.errors import Refusal
from homing.model.message import Coding
from homing.wire.gsm import parse_user_data_header
from homing.wire.port_addressing import segment_for_port


@given(
    data=st.binary(max_size=1280),
    port=st.integers(0, 65535),
    source=st.integers(0, 65535),
    reference=st.integers(),
)
def test_the_pieces_join_again(data: bytes, port: int, source: int, reference: int) -> None:
    segments = segment_for_port(data, port, source_port=source, reference=reference)
    assert b"".join(segment.data for segment in segments) == data
    for number, segment in enumerate(segments, 1):
        assert segment.coding is Coding.DATA
        assert len(segment.udh) + len(segment.data) <= 140
        assert segment.udh[0] == len(segment.udh) - 1
        assert segment.udh.endswith(b"\x05\x04" + port.to_bytes(2) + source.to_bytes(2))
        if len(segments) > 1:
            found = parse_user_data_header(segment.udh).concatenation
            assert found is not None
            assert (found.reference, found.total, found.number) == (reference & 0xFF, len(segments), number)
    assert (len(segments) == 1) == (len(data) <= 133)


@pytest.mark.parametrize(
    ("length", "port", "source", "kind"),
    [(1281, 1, 1, "too_long"), (1, 65536, 1, "invalid"), (1, 1, -1, "invalid")],
)
def test_what_does_not_fit_is_refused(length: int, port: int, source: int, kind: str) -> None:
    with pytest.raises(Refusal) as refused:
        segment_for_port(b"x" * length, port, source_port=source, reference=1)
    assert refused.value.kind == kind
