import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.smpp_codes import CommandStatus
from homing.wire.submit_answer import read_command_status


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (0x00, ("sent", "sent")),
        (0x08, ("retry", "esme_rsyserr")),
        (0x14, ("retry", "esme_rmsgqful")),
        (0x58, ("retry", "esme_rthrottled")),
        (0x64, ("retry", "esme_rx_t_appn")),
        (0x0B, ("refused", "esme_rinvdstadr")),
        (0x45, ("refused", "esme_rsubmitfail")),
        (0x61, ("refused", "esme_rinvsched")),
        (0xFE, ("refused", "esme_rdeliveryfailure")),
        (0xFF, ("refused", "esme_runknownerr")),
        (0x0412, ("refused", "status_0x00000412")),  # a vendor's own
    ],
)
def test_answers(status: int, answer: tuple[str, str]) -> None:
    assert read_command_status(status) == answer


def test_every_other_status_of_the_specification_is_a_refusal() -> None:
    retried = {status for status in CommandStatus if read_command_status(status)[0] == "retry"}
    assert retried == {0x08, 0x14, 0x58, 0x64}


@given(st.integers(0, 2**32 - 1))
def test_total(status: int) -> None:
    answer, reason = read_command_status(status)
    assert answer in ("sent", "retry", "refused")
    assert reason.replace("_", "").isalnum()
