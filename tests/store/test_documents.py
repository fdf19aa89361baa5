"""Rows as documents: ids as text, times in UTC, every octet visible, and the promised names."""

from types import SimpleNamespace
from typing import Any

import pytest

from homing.model.message import Coding
from homing.model.mms import Content, Mms, Part
from homing.store import documents


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_utc_with_milliseconds(at_ms: int | None, text: str | None) -> None:
    assert documents.time_text(at_ms) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (None, None),
        (b"", ""),
        (b"id:1 stat:DELIVRD", "id:1 stat:DELIVRD"),
        ("Grüße".encode(), "Grüße"),
        (b"Gr\xfc\xdfe\xff", "Gr\\xfc\\xdfe\\xff"),
        (memoryview(b"OK\x00"), "OK\x00"),
    ],
)
def test_octets_show_whatever_they_are(octets: Any, text: str | None) -> None:
    assert documents.octets_text(octets) == text


@pytest.mark.parametrize(
    ("state", "node", "name", "next_attempt_at", "shown_node"),
    [
        (0, None, "pending", "1970-01-01T00:00:09.000Z", None),
        (0, 3, "pending", None, 3),
        (1, 3, "delivered", None, None),
        (2, None, "dead", None, None),
    ],
)
def test_a_delivery_says_when_it_is_due_unless_a_node_works_on_it(
    state: int, node: int | None, name: str, next_attempt_at: str | None, shown_node: int | None
) -> None:
    row = SimpleNamespace(
        event=(1 << 62) + 1, endpoint=7, kind="report", account="acme", state=state, attempt=2,
        next_attempt_at_ms=9000, claim_node=node, finished_at_ms=None, error=None,
    )  # fmt: skip
    document = documents.delivery_document(row)
    assert document["id"] == "4611686018427387905-7"
    assert (document["event_id"], document["endpoint"]) == ("4611686018427387905", 7)
    assert (document["state"], document["next_attempt_at"], document["node"]) == (
        name, next_attempt_at, shown_node,
    )  # fmt: skip


@pytest.mark.parametrize("coding", list(Coding))
def test_a_message_of_every_coding(coding: Coding) -> None:
    row = SimpleNamespace(
        id=5, account=None, at_ms=0, sender="1", recipient="2", link="l", network=None, coding=int(coding),
        text="t", data=memoryview(b"\x0a\xff"), udh=b"\x05", parts=1, expected_parts=2, part_of=9, mms=None,
    )  # fmt: skip
    document = documents.message_document(row)
    assert document["coding"] in ("text", "data", "unicode")
    assert (document["data"], document["udh"], document["part_of"]) == ("0AFF", "05", "9")
    assert (document["account"], document["expected_parts"], document["mms"]) == (None, 2, None)


def test_an_mms_says_what_it_carries_and_not_where_it_lies() -> None:
    part = Part(name="a.jpg", content_type="image/jpeg", size=3, offset=99, sha256="p" * 64)
    content = Content(sha256="c" * 64, size=300, parts=(part,))
    mms = Mms(subject="Hi", to=("1", "2"), cc=("3",), content=content, expires_at_ms=9000)
    assert documents.mms_document(mms) == {
        "subject": "Hi", "to": ["1", "2"], "cc": ["3"], "expires_at": "1970-01-01T00:00:09.000Z",
        "size": 300, "sha256": "c" * 64,
        "parts": [{"name": "a.jpg", "type": "image/jpeg", "size": 3, "sha256": "p" * 64}],
    }  # fmt: skip
