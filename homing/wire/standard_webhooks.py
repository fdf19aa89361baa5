"""Signatures of the Standard Webhooks specification, symmetric form (``v1``).

The octets ``{id}.{timestamp}.{raw body}`` are signed with HMAC-SHA256; the key is what the base64 after
``whsec_`` decodes to. During a rotation a push carries one signature for each valid secret.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error, b2a_base64
from collections.abc import Sequence

PREFIX = "whsec_"
KEY_OCTETS = (24, 64)
"""The shortest and the longest key that the specification allows."""


def spell_secret(key: bytes) -> str:
    """A key as customers are shown it."""
    return PREFIX + b64encode(key).decode("ascii")


def read_secret(secret: str) -> bytes:
    """The key of a secret. ValueError (which never repeats it) when it is none."""
    shortest, longest = KEY_OCTETS
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (Error, ValueError):
        key = b""
    if not shortest <= len(key) <= longest:
        raise ValueError(f"a secret is {PREFIX} and the base64 of {shortest} to {longest} octets")
    return key


def sign(keys: Sequence[bytes], event_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = b"%b.%d.%b" % (event_id.encode("ascii"), timestamp_s, body)
    return " ".join(
        [
            f"v1,{b2a_base64(hmac.digest(key, signed, 'sha256'), newline=False).decode('ascii')}"
            for key in keys
        ]
    )
