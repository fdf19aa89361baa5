"""Checks and reads pushes of the json format: Standard Webhooks, symmetric form (``v1``).

``verify`` takes the body as it was received: parsing it and writing it again changes octets, and with them
the signature. What is not genuine, too old, or no JSON object raises ``NotGenuine``; compare nothing by hand.
"""

import hmac
import json
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from typing import Any


class NotGenuine(ValueError):
    """The push does not come from who shares the secret, or it was changed, or it is too old."""


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: str | Iterable[str],
    *,
    tolerance_s: float = 300,
    now_s: float | None = None,
) -> dict[str, Any]:
    """The event of a genuine push.

    ``secrets`` are all those that are valid now (two during a rotation). The timestamp may be
    ``tolerance_s`` away from this machine's clock, to either side. ``now_s`` is for checking stored pushes.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    event_id = lower.get("webhook-id", "")
    timestamp = lower.get("webhook-timestamp", "")
    if not event_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise NotGenuine("webhook-id or webhook-timestamp is missing or unreadable")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise NotGenuine("the timestamp is too far away from now")
    signed = f"{event_id}.{timestamp}.".encode("utf-8", "replace") + body
    given = [signature.encode("utf-8", "replace") for signature in lower.get("webhook-signature", "").split()]
    if not _is_signed(signed, given, [secrets] if isinstance(secrets, str) else secrets):
        raise NotGenuine("no signature fits")
    try:
        event = json.loads(body)
    except ValueError:
        raise NotGenuine("the body is not JSON") from None
    if not isinstance(event, dict):
        raise NotGenuine("the body is not a JSON object")
    return event


def _is_signed(signed: bytes, given: list[bytes], secrets: Iterable[str]) -> bool:
    for secret in secrets:
        try:
            key = b64decode(secret.removeprefix("whsec_"), validate=True)
        except (Error, ValueError):
            key = b""
        if not key:
            raise ValueError("a secret is not whsec_ and base64")
        expected = b"v1," + b64encode(hmac.digest(key, signed, "sha256"))
        # Octets, because compare_digest refuses texts that are not ASCII.
        if any(hmac.compare_digest(expected, signature) for signature in given):
            return True
    return False
