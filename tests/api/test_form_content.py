"""Parameters and contents of the form face, as values: no socket needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.api.form_content import read_content
from homing.api.form_parameters import credential, flag, line, number, read_parameters, text
from homing.model.errors import Refusal
from homing.model.message import Coding, Segment
from homing.wire.gsm import encode_gsm

UDH = bytes.fromhex("0605040B8423F0")


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([b""], {}),
        ([b"a=1&b=2"], {"a": b"1", "b": b"2"}),
        ([b"&&a=1&=2&c&d=&"], {"a": b"1", "": b"2"}),
        ([b"a=&a=1&a=2"], {"a": b"1"}),
        ([b"a=1", b"a=2&b=3"], {"a": b"1", "b": b"3"}),
        ([b"a=x+y%2B%41%4&b%5F=%zz%"], {"a": b"x y+A%4", "b_": b"%zz%"}),
        ([b"a=b=c"], {"a": b"b=c"}),
        ([b"a=\xe9%E9%C3%A9%00"], {"a": b"\xe9\xe9\xc3\xa9\0"}),
    ],
)
def test_parameters_are_read_on_octets(sources: list[bytes], expected: dict[str, bytes]) -> None:
    assert read_parameters(*sources) == expected


@given(st.dictionaries(st.text(min_size=1), st.binary(min_size=1)))
def test_what_is_escaped_comes_back(parameters: dict[str, bytes]) -> None:
    latin = {
        name: value for name, value in parameters.items() if name.encode("utf-8").decode("latin-1") == name
    }
    written = "&".join(
        "".join(f"%{octet:02x}" for octet in name.encode("latin-1"))
        + "="
        + "".join(f"%{octet:02X}" for octet in value)
        for name, value in latin.items()
    )
    assert read_parameters(written.encode()) == latin


def test_values_of_every_kind() -> None:
    p = read_parameters(
        b"t=%A4&u=%C3%A9&l=%E9&f=0&g=FALSE&h=1&i=yes&n=+12+&m=1%0A2%00&x=1x&long=" + b"9" * 16
    )
    assert (text(p, "t"), text(p, "none")) == ("€", "")
    assert (credential(p, "u"), credential(p, "l"), credential(p, "none")) == ("é", "é", "")
    assert [flag(p, name) for name in "fghi"] == [False, False, True, True]
    assert not flag(p, "none")
    assert (number(p, "n"), number(p, "none")) == (12, None)
    assert line(p, "m") == "12"
    for name in ("x", "long", "l", "m"):
        with pytest.raises(Refusal, match=f"{name} is not a number"):
            number(p, name)


@pytest.mark.parametrize(
    ("query", "segment"),
    [
        ("smsmsg=Test+%A4", Segment(coding=Coding.TEXT, text="Test €")),
        ("smsmsg=caf%E9", Segment(coding=Coding.TEXT, text="café")),
        ("smsmsg=caf%C3%A9", Segment(coding=Coding.TEXT, text="cafÃ©")),
        ("smsmsg=%20", Segment(coding=Coding.TEXT, text=" ")),
        ("smsmsg=0A&bits=7", Segment(coding=Coding.TEXT, text="0A")),
        ("smsia5=P%16Q%18", Segment(coding=Coding.TEXT, text="PΠQΣ")),
        ("smsia5=AB%13%10", Segment(coding=Coding.TEXT, text="ABΓΔ")),
        ("smsia5=%00%1B%65%1B%3C%1B%0A", Segment(coding=Coding.TEXT, text="@€[\f")),
        ("smsucs2=041F04400438", Segment(coding=Coding.UNICODE, text="При")),
        ("smsucs2=d83dde00", Segment(coding=Coding.UNICODE, text="😀")),
        ("smsucs2=D83D0041", Segment(coding=Coding.UNICODE, text="\ufffdA")),
        ("smsudh=0605040B8423F0&smsmsg=0a0B0C", Segment(coding=Coding.DATA, data=b"\n\v\f", udh=UDH)),
        ("smsudh=00&smsmsg=01", Segment(coding=Coding.DATA, data=b"\x01", udh=b"\0")),
        ("bits=8&smsmsg=01020304", Segment(coding=Coding.DATA, data=b"\1\2\3\4")),
        ("bits=8&smsmsg=" + "FF" * 140, Segment(coding=Coding.DATA, data=b"\xff" * 140)),
        ("smsudh=050003080201&smsia5=%00a", Segment(coding=Coding.TEXT, text="@a", udh=b"\5\0\3\x08\2\1")),
        ("smsudh=050003080201&smsucs2=0416", Segment(coding=Coding.UNICODE, text="Ж", udh=b"\5\0\3\x08\2\1")),
    ],
)
def test_every_kind_of_content(query: str, segment: Segment) -> None:
    assert read_content(read_parameters(query.encode()), 1) == (segment,)


@pytest.mark.parametrize(
    ("query", "parts", "first", "last"),
    [
        ("smsmsg=" + "x" * 160, 1, "x" * 160, "x" * 160),
        ("smsmsg=" + "x" * 161, 2, "x" * 153, "x" * 8),
        ("split=2&smsmsg=" + "x" * 612, 4, "x" * 153, "x" * 153),
        ("split=1&smsmsg=" + "x" * 788, 5, "x" * 157 + "...", "x" * 160),
        ("split=3&smsmsg=" + "x" * 800, 5, "x" * 160, "x" * 160),
        ("split=0&smsmsg=" + "x" * 160, 1, "x" * 160, "x" * 160),
        ("split=0&smsmsg=" + "%A4" * 80, 1, "€" * 80, "€" * 80),
        ("smsia5=" + "%10" * 161, 2, "Δ" * 153, "Δ" * 8),
        ("smsucs2=" + "0416" * 71, 2, "Ж" * 67, "Ж" * 4),
    ],
)
def test_long_texts(query: str, parts: int, first: str, last: str) -> None:
    segments = read_content(read_parameters(query.encode()), 0x123)
    assert (len(segments), segments[0].text, segments[-1].text) == (parts, first, last)
    is_joined = parts > 1 and "split=1" not in query and "split=3" not in query
    assert segments[0].udh == (bytes((5, 0, 3, 0x23, parts, 1)) if is_joined else b"")


@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        ("", "invalid", "no content"),
        ("smsudh=00", "invalid", "no content"),
        ("smsmsg=a&smsucs2=0041", "invalid", "more than one content: smsmsg, smsucs2"),
        ("smsmsg=a&vcard_data=b", "invalid", "more than one content: smsmsg, vcard_data"),
        ("push_action=send", "invalid", "push_action is not supported"),
        ("smsucs2=04", "invalid", "four hex digits"),
        ("smsucs2=04z7", "invalid", "smsucs2 is not hex: '04z7'"),
        ("smsucs2=04+17", "invalid", "smsucs2 is not hex"),
        ("smsucs2=+", "invalid", "smsucs2 is not hex"),
        ("bits=8&smsmsg=hello", "invalid", "smsmsg is not hex"),
        ("smsudh=00&smsmsg=hello", "invalid", "smsmsg is not hex"),
        ("smsudh=0x05&smsmsg=00", "invalid", "smsudh is not hex"),
        ("smsudh=+&smsmsg=00", "invalid", "smsudh is not hex"),
        ("smsudh=05000308&smsmsg=00", "invalid", "smsudh says it has 5 octets, and 3 follow"),
        ("split=0&smsmsg=" + "x" * 161, "too_long", "160"),
        ("split=1&smsmsg=" + "x" * 789, "too_long", "788"),
        ("split=2&smsmsg=" + "x" * 613, "too_long", "612"),
        ("split=3&smsmsg=" + "x" * 801, "too_long", "800"),
        ("split=0&smsmsg=" + "%A4" * 81, "too_long", "162 septets"),
        ("bits=8&smsmsg=" + "00" * 141, "too_long", "141 octets"),
        ("smsudh=0605040B8423F0&smsmsg=" + "00" * 134, "too_long", "141 octets"),
        ("smsudh=050003080201&smsia5=" + "x" * 154, "too_long", "154 septets"),
        ("smsudh=050003080201&smsucs2=" + "0416" * 68, "too_long", "136 octets"),
    ],
)
def test_what_is_no_content(query: str, kind: str, words: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_content(read_parameters(query.encode()), 1)
    assert refusal.value.kind == kind
    assert words in refusal.value.text


@given(st.lists(st.integers(0, 0x7F).filter(lambda septet: septet != 0x1B), min_size=1, max_size=160))
def test_gsm_octets_go_out_as_they_came(septets: list[int]) -> None:
    (segment,) = read_content({"smsia5": bytes(septets)}, 1)
    assert encode_gsm(segment.text) == bytes(septets)
