"""Links to contents of MMS that need no login: signed, for one content or a part of it, and only for a while.

The key is made from what is kept of an account's API key, so that a new API key ends all links of before.
"""

import hmac
from typing import Final

import msgspec

PATH: Final = "/mms/v1/content"
WHOLE: Final = 0
"""In place of the number of a part: the zip with all of them."""


class ContentLinks(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the links of one account."""

    base_url: str
    """How customers reach the gateway, without a slash at the end."""
    key: bytes
    life_s: int

    def link(self, event: int, number: int, now_ms: int) -> str:
        """The URL of a part, 1, 2, …, or of the ``WHOLE`` content of a message."""
        until_s = now_ms // 1000 + self.life_s
        signature = sign(self.key, event, number, until_s)
        return f"{self.base_url}{PATH}/{event}/{number}?until={until_s}&signature={signature}"


def link_key(api_key_hash: str) -> bytes:
    """The key of an account's links."""
    return hmac.digest(api_key_hash.encode(), b"content links", "sha256")


def sign(key: bytes, event: int, number: int, until_s: int) -> str:
    """The signature of a link, in hex."""
    return hmac.digest(key, f"{event}/{number}/{until_s}".encode(), "sha256").hex()


def is_right(key: bytes, event: int, number: int, until_s: int, signature: str) -> bool:
    """Whether a link was made with this key; compared in constant time."""
    expected = sign(key, event, number, until_s)
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
