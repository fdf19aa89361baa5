"""A request in pieces knows how long it is."""

from homing.wire.streamed import Slice, Streamed


def test_its_size_is_that_of_all_pieces() -> None:
    request = Streamed(sha256="0" * 64, pieces=(b"head", Slice(10, 100), b"tail", Slice(0, 0)))
    assert request.size == 108
