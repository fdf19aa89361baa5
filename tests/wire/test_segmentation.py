"""Splitting a text into segments: the four values of ``split``, at their boundaries."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.model.errors import Refusal
from homing.model.message import Coding, Segment
from homing.wire.gsm import GSM_CHARACTERS, count_septets, parse_user_data_header
from homing.wire.segmentation import (
    segment_any,
    segment_data,
    segment_text,
    segment_unicode,
    segment_with_header,
)

Split = Callable[..., tuple[Segment, ...]]
TEXT_LIMITS = {0: (160, 1), 1: (788, 5), 2: (612, 4), 3: (800, 5)}
UNICODE_LIMITS = {0: (70, 1), 1: (338, 5), 2: (268, 4), 3: (350, 5)}
gsm_text = st.text(st.sampled_from(sorted(GSM_CHARACTERS)), max_size=900)


def units(text: str) -> int:
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


@pytest.mark.parametrize("split", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("segment", "limits"), [(segment_text, TEXT_LIMITS), (segment_unicode, UNICODE_LIMITS)]
)
def test_limits(segment: Split, limits: dict[int, tuple[int, int]], split: int) -> None:
    limit, parts = limits[split]
    assert len(segment("a" * limit, split=split, reference=1)) == parts
    with pytest.raises(Refusal) as refused:
        segment("a" * (limit + 1), split=split, reference=1)
    assert refused.value.kind == "too_long"
    assert str(limit) in refused.value.text
    assert str(limit + 1) in refused.value.text


@pytest.mark.parametrize("split", [0, 1, 2, 3])
def test_what_fits_is_one_segment(split: int) -> None:
    for text in ("", "a", "a" * 160, "€" * 80):
        assert segment_text(text, split=split, reference=1) == (Segment(coding=Coding.TEXT, text=text),)
    for text in ("ж" * 70, "👍" * 35):
        assert segment_unicode(text, split=split, reference=1) == (Segment(coding=Coding.UNICODE, text=text),)


def test_a_short_text_fits_whatever_is_in_it() -> None:
    for code in range(0x80):
        assert count_septets(chr(code) * 80) <= 160
    for character in "a[\x1b":
        for length in (79, 80, 81, 160, 161):
            text = character * length
            fits = count_septets(text) <= 160
            segments = segment_text(text, split=3, reference=1)
            assert (segments == (Segment(coding=Coding.TEXT, text=text),)) is fits


def test_split_1_joins_by_dots() -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(788))
    segments = segment_text(text, split=1, reference=1)
    assert [len(segment.text) for segment in segments] == [160] * 5
    assert all(segment.text.endswith("...") for segment in segments[:-1])
    assert segments[0].text[:157] + segments[1].text[:157] == text[:314]
    assert segments[4].text == text[-160:]
    assert all(segment.udh == b"" for segment in segments)


def test_split_2_says_which_part() -> None:
    segments = segment_text("a" * 400, split=2, reference=0x1FF)
    assert [segment.udh.hex() for segment in segments] == ["050003ff0301", "050003ff0302", "050003ff0303"]
    assert [len(segment.text) for segment in segments] == [153, 153, 94]


def test_pairs_are_not_broken() -> None:
    segments = segment_text("a" * 152 + "€" + "b" * 100, split=2, reference=1)
    assert segments[0].text == "a" * 152
    assert segments[1].text.startswith("€b")
    segments = segment_unicode("ж" * 66 + "👍" + "ж" * 60, split=2, reference=1)
    assert segments[0].text == "ж" * 66
    assert segments[1].text.startswith("👍")


def test_unbroken_pairs_can_need_a_part_too_many() -> None:
    with pytest.raises(Refusal) as refused:
        segment_text(("a" * 152 + "€") * 3 + "a" * 150, split=2, reference=1)
    assert refused.value.kind == "too_long"


@pytest.mark.parametrize("split", [-1, 4, 99])
def test_an_unknown_split_is_refused(split: int) -> None:
    for segment in (segment_text, segment_unicode):
        with pytest.raises(Refusal) as refused:
            segment("short", split=split, reference=1)
        assert refused.value.kind == "invalid"


def test_data_is_one_segment() -> None:
    udh = bytes.fromhex("06050412341234")
    expected = Segment(coding=Coding.DATA, data=b"\x01" * 133, udh=udh)
    assert segment_data(b"\x01" * 133, udh) == (expected,)
    for data, header in ((b"\x01" * 134, udh), (b"\x01" * 141, b"")):
        with pytest.raises(Refusal) as refused:
            segment_data(data, header)
        assert refused.value.kind == "too_long"
        assert "141" in refused.value.text


def test_text_beside_the_customers_own_header() -> None:
    udh = bytes.fromhex("0500031C0302")
    assert segment_with_header("a" * 153, udh) == (Segment(coding=Coding.TEXT, text="a" * 153, udh=udh),)
    for text, header in (("a" * 154, udh), ("", b"\x8c" + b"\x00" * 140)):
        with pytest.raises(Refusal) as refused:
            segment_with_header(text, header)
        assert refused.value.kind == "too_long"


@pytest.mark.parametrize(
    ("letter", "coding", "whole", "part"), [("a", Coding.TEXT, 160, 153), ("ж", Coding.UNICODE, 70, 67)]
)
def test_any_text_goes_out_as_it_stands_in_up_to_ten_parts(
    letter: str, coding: Coding, whole: int, part: int
) -> None:
    assert segment_any(letter * whole, reference=1) == (Segment(coding=coding, text=letter * whole),)
    segments = segment_any(letter * part * 10, reference=0x107)
    assert {segment.coding for segment in segments} == {coding}
    assert [segment.udh.hex() for segment in segments] == [
        f"050003070a{number:02x}" for number in range(1, 11)
    ]
    for text, parts in ((letter * (part * 10 + 1), 10), (letter * (part * 2 + 1), 2)):
        with pytest.raises(Refusal) as refused:
            segment_any(text, reference=1, parts=parts)
        assert refused.value.kind == "too_long"
        assert str(part * parts) in refused.value.text
        assert "split" not in refused.value.text  # nobody chose one


def test_one_character_outside_gsm_makes_it_unicode() -> None:
    assert segment_any("a" * 160, reference=1)[0].coding is Coding.TEXT
    assert segment_any("a" * 159 + "â", reference=1)[0].coding is Coding.UNICODE


@settings(max_examples=150)
@given(st.one_of(gsm_text, st.text(max_size=400)), st.sampled_from([0, 1, 2, 3]), st.integers(0, 1 << 70))
def test_segments_of_any_text_join_back(text: str, split: int, reference: int) -> None:
    for segment, room, limits, length in (
        (segment_text, 160, TEXT_LIMITS, count_septets),
        (segment_unicode, 70, UNICODE_LIMITS, units),
    ):
        try:
            segments = segment(text, split=split, reference=reference)
        except Refusal as refusal:
            assert refusal.kind == "too_long"  # noqa: PT017
            assert length(text) > limits[split][0] - 60
            continue
        assert len(segments) <= limits[split][1]
        texts = [part.text for part in segments]
        if split == 1:
            texts[:-1] = [piece.removesuffix("...") for piece in texts[:-1]]
        assert "".join(texts) == text
        for number, part in enumerate(segments, 1):
            header = (len(part.udh) * 8 + 6) // 7 if part.coding is Coding.TEXT else len(part.udh) / 2
            assert length(part.text) + header <= room
            if split == 2 and len(segments) > 1:
                where = parse_user_data_header(part.udh).concatenation
                assert where == (reference & 0xFF, len(segments), number, 8)
