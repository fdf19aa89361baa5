"""The nine words: every status and reason has one, and the page shows the tables as they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.report import STATES, WORDS, Status
from homing.wire.smpp_codes import CommandStatus
from homing.wire.submit_answer import read_command_status
from homing.wire.upside_status import BY_REASON, BY_STATUS, NEVER_SAID, TERMINAL, UpsideStatus, upside_status

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "push-upside.md"

REASONS = [
    *WORDS.values(),
    *((status, reason) for _, status, reason in STATES.values()),
    *((Status.REJECTED, read_command_status(code)[1]) for code in CommandStatus if code),
    (Status.UNKNOWN, "no_receipt"),
    (Status.UNKNOWN, "unreadable"),
]


@pytest.mark.parametrize(("status", "reason"), sorted(set(REASONS)))
def test_every_known_reason_has_a_word_that_is_final_when_the_status_is(status: Status, reason: str) -> None:
    word = upside_status(status, reason)
    assert (word in TERMINAL) == (status is not Status.BUFFERED)
    assert word not in NEVER_SAID


@given(status=st.sampled_from(Status), reason=st.text())
def test_it_is_total(status: Status, reason: str) -> None:
    assert upside_status(status, reason) in UpsideStatus


def test_the_words_are_the_nine_and_each_is_said_or_has_its_reason_not_to_be() -> None:
    said = {word for word, _ in (*BY_STATUS.values(), *BY_REASON.values())}
    assert said | set(NEVER_SAID) == set(UpsideStatus)
    assert not said & set(NEVER_SAID)
    assert len(UpsideStatus) == 9
    assert {word.value for word in set(UpsideStatus) - TERMINAL} == {"SENT", "UNDELIV", "UNDETRM"}


def test_reasons_that_are_looked_up_are_ones_that_come_up() -> None:
    assert set(BY_REASON) <= set(REASONS)


def test_the_page_shows_the_tables() -> None:
    page = PAGE.read_text()
    for (status, reason), (word, why) in BY_REASON.items():
        assert f"| {status.value} | `{reason}` | `{word}` | {why} |" in page
    for status, (word, why) in BY_STATUS.items():
        assert f"| {status.value} | any other | `{word}` | {why} |" in page
    for word, why in NEVER_SAID.items():
        assert f"| `{word}` | no | {why} |" in page
