"""What networks say of an MMS, as status, reason and number of the MX interface: total, nothing guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.mms import READ_WORDS, delivery_outcome, is_read_report, mms_number, read_outcome
from homing.model.report import READ_REASONS, Status


@pytest.mark.parametrize(
    ("word", "status", "number"),
    [
        ("Deferred", Status.BUFFERED, 1), ("Unreachable", Status.BUFFERED, 1),
        ("Indeterminate", Status.UNKNOWN, 2), ("Unrecognized", Status.UNKNOWN, 2),
        ("unrecognised", Status.UNKNOWN, 2), (" RETRIEVED ", Status.DELIVERED, 3),
        ("Expired", Status.FAILED, 4), ("Rejected", Status.REJECTED, 5), ("NotSupported", Status.REJECTED, 5),
        ("Forwarded", Status.BUFFERED, 6), ("elephant", Status.UNKNOWN, 2), ("", Status.UNKNOWN, 2),
    ],
)  # fmt: skip
def test_words_of_delivery_reports(word: str, status: Status, number: int) -> None:
    outcome = delivery_outcome(word)
    assert (outcome.status, outcome.number) == (status, number)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("Read", 7), ("Deleted without being read", 8), ("deleted", 8), ("Indeterminate", 9),
        ("Expired", 10), ("?", 9),
    ],
)  # fmt: skip
def test_words_of_read_reports(word: str, number: int) -> None:
    outcome = read_outcome(word)
    assert (outcome.status, outcome.number) == (Status.DELIVERED, number)
    assert is_read_report(outcome.number)


def test_read_reports_are_known_by_their_reasons() -> None:
    assert {outcome.reason for outcome in READ_WORDS.values()} == READ_REASONS


@given(word=st.text())
def test_any_word_has_a_number_by_its_reason(word: str) -> None:
    for outcome in (delivery_outcome(word), read_outcome(word)):
        assert mms_number(outcome.status, outcome.reason) == outcome.number
    assert not is_read_report(delivery_outcome(word).number)


def test_every_status_has_a_number_whatever_the_reason() -> None:
    """Such as the REJECTED of a relay that did not take the message."""
    numbers = {status: mms_number(status, "elephant") for status in Status}
    assert numbers == {
        Status.ACCEPTED: 1, Status.SENT: 1, Status.BUFFERED: 1, Status.DELIVERED: 3, Status.FAILED: 4,
        Status.REJECTED: 5, Status.UNKNOWN: 2,
    }  # fmt: skip
