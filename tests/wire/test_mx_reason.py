from homing.model.report import Status
from homing.wire.mx_reason import mx_reason


def test_the_type_is_the_status() -> None:
    assert mx_reason(Status.DELIVERED) == 1610612736  # the documented sample
    assert mx_reason(Status.REJECTED) == 0x10000000
    assert mx_reason(Status.BUFFERED) == 0x30000000
    assert mx_reason(Status.FAILED) == 0x50000000


def test_no_word_is_no_information() -> None:
    assert {mx_reason(status) for status in (Status.ACCEPTED, Status.SENT, Status.UNKNOWN)} == {0}
