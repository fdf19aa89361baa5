"""URLs of endpoints: what is read of them, and what is refused without being repeated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.wire.target import read_url


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "request_target", "authority"),
    [
        ("http://a.example", "http", "a.example", 80, "/", "a.example"),
        ("https://A.Example/x?y=%20#z", "https", "a.example", 443, "/x?y=%20", "a.example"),
        ("HTTPS://a.example:8443?q", "https", "a.example", 8443, "/?q", "a.example:8443"),
        ("http://[2001:DB8::1]:81/", "http", "2001:db8::1", 81, "/", "[2001:db8::1]:81"),
        ("http://bücher.example/é", "http", "xn--bcher-kva.example", 80, "/%C3%A9", "xn--bcher-kva.example"),
        ("http://10.0.0.1:80/", "http", "10.0.0.1", 80, "/", "10.0.0.1"),
    ],
)
def test_urls(url: str, scheme: str, host: str, port: int, request_target: str, authority: str) -> None:
    target, found = read_url(url)
    assert (target.scheme, target.host, target.port, found) == (scheme, host, port, request_target)
    assert target.authority == authority


def test_equal_targets_are_one_key() -> None:
    first, _ = read_url("http://a.example/x")
    second, _ = read_url("http://A.example:80/y")
    assert {first: 1}[second] == 1


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://", "http://a.example/"]))
def test_anything_else_is_refused_or_safe(text: str, prefix: str) -> None:
    try:
        target, request_target = read_url(prefix + text)
    except ValueError as caught:
        said = str(caught)
    else:
        for part in (request_target, target.host):
            assert part.isascii()
            assert all("!" <= char <= "~" for char in part)
        return
    assert len(text) < 5 or text not in said
