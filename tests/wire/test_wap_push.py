"""WAP push: a golden Service Indication, and any title and link read back."""

from hypothesis import given
from hypothesis import strategies as st

from homing.wire.wap_push import service_indication

HREFS = {0x0B: "", 0x0C: "http://", 0x0D: "http://www.", 0x0E: "https://", 0x0F: "https://www."}
ENDINGS = {0x85: ".com/", 0x86: ".edu/", 0x87: ".net/", 0x88: ".org/"}


def read(octets: bytes) -> tuple[str, str]:
    """Title and link of a push, by the tables of WAP-167."""
    assert octets[1:7] == b"\x06\x04\x03\xae\x81\xea"
    body = octets[7:]
    assert body[:6] == b"\x02\x05\x6a\x00\x45\xc6"
    at, link, title = 7, HREFS[body[6]], ""
    while body[at] != 1:
        if body[at] == 3:
            end = body.index(0, at)
            link += body[at + 1 : end].decode()
            at = end + 1
        else:
            link += ENDINGS[body[at]]
            at += 1
    at += 1
    if body[at] == 3:
        end = body.index(0, at)
        title, at = body[at + 1 : end].decode(), end + 1
    assert body[at:] == b"\x01\x01"
    return title, link


def test_a_golden_one() -> None:
    assert service_indication("Hi", "http://www.ox.com/a") == bytes.fromhex(
        "01 06 04 03 AE 81 EA  02 05 6A 00  45 C6 0D 03 6F78 00 85 03 61 00 01 03 4869 00 01 01"
    )


@given(
    title=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    url=st.sampled_from([*HREFS.values()]).flatmap(
        lambda head: st.text(st.characters(codec="ascii", min_codepoint=33)).map(
            lambda tail: f"{head}{tail}.com/x.org/y"
        )
    ),
)
def test_it_is_read_back(title: str, url: str) -> None:
    assert read(service_indication(title, url)) == (title, url)


@given(title=st.text(st.characters(codec=None)), url=st.text(st.characters(codec=None)))
def test_any_text_can_be_written(title: str, url: str) -> None:
    read(service_indication(title, url))
