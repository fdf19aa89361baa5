"""Links to contents: right as they were made, and wrong when anything in them is another."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from homing.wire.content_link import PATH, ContentLinks, is_right, link_key

IDS = st.integers(min_value=1, max_value=(1 << 63) - 1)


@given(event=IDS, number=st.integers(min_value=0, max_value=100), now_ms=st.integers(0, 1 << 42))
def test_a_link_is_right_and_no_other_one(event: int, number: int, now_ms: int) -> None:
    key = link_key("a hash")
    links = ContentLinks(base_url="https://gateway.example.net", key=key, life_s=60)
    url = urlsplit(links.link(event, number, now_ms))
    assert (url.netloc, url.path) == ("gateway.example.net", f"{PATH}/{event}/{number}")
    query = parse_qs(url.query)
    until_s, signature = int(query["until"][0]), query["signature"][0]
    assert until_s == now_ms // 1000 + 60
    assert is_right(key, event, number, until_s, signature)
    for other in (
        (link_key("another"), event, number, until_s, signature),
        (key, event + 1, number, until_s, signature),
        (key, event, number + 1, until_s, signature),
        (key, event, number, until_s + 1, signature),
        (key, event, number, until_s, f"{signature}é"),
        (key, event, number, until_s, ""),
    ):
        assert not is_right(*other)
