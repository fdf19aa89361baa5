"""Tracking ids are submissions by another name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.tracking_id import submission_of, tracking_id


@given(submission=st.integers(1, (1 << 63) - 1))
def test_there_and_back(submission: int) -> None:
    name = tracking_id(submission)
    assert name.startswith("MTID")
    assert len(name) >= 22
    assert submission_of(name) == submission_of(f" {name.lower()}\n") == submission_of(name[4:]) == submission


@pytest.mark.parametrize(
    "text", ["", "MTID", "MTID0", "MTID-1", "MTID12x", f"MTID{1 << 63}", "MTID١٢", "XTID12"]
)
def test_what_is_none(text: str) -> None:
    assert submission_of(text) is None


@given(text=st.text())
def test_any_text_is_one_or_none(text: str) -> None:
    assert submission_of(text) is None or text.strip().lstrip("MTIDmtid").isdigit()
