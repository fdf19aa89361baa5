"""The sample of an endpoint is of a kind that it wants, says that it is a test, and can be pushed."""

from typing import Any

import pytest

from homing.model.account import Endpoint
from homing.model.message import ReceivedMessage
from homing.model.report import Report
from homing.wire.push import FORMATS
from homing.wire.sample_event import SAMPLE_NOTE, SAMPLE_TEXT, prepare_sample, sample_event

URL = "http://a.example/"
CASES = [
    (format_, events)
    for format_, each in FORMATS.items()
    for events in (each.kinds, *((kind,) for kind in each.kinds))
]


@pytest.mark.parametrize(("format_", "events"), CASES)
def test_an_endpoint_is_tested_with_what_it_wants(format_: Any, events: tuple[Any, ...]) -> None:
    place: dict[str, Any] = {"email": "a@b.test"} if format_ == "email" else {"url": URL}
    endpoint = Endpoint(id=1, account="acme", events=events, format=format_, **place)
    event = sample_event(endpoint, 17221293, 1_720_000_000_000)
    push = prepare_sample(endpoint)
    assert push.wants(event)
    assert str(event.id).encode() in push.render(event, 1, 0) or format_ == "email"  # type: ignore[operator]
    if isinstance(event, Report):
        assert event.note == SAMPLE_NOTE
        assert event.is_mms is (events == ("mms-report",))
    else:
        assert isinstance(event, ReceivedMessage)
        assert (event.text, "report" in events) == (SAMPLE_TEXT, False)
