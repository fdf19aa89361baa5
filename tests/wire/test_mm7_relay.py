"""The relay's side of MM7: what it writes is what our side reads, and the other way round."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from homing.wire.mm7 import (
    ADDRESS_ERROR,
    FORMAT_CORRUPT,
    UNSUPPORTED_OPERATION,
    DeliverReq,
    Frame,
    Mm7Problem,
    Recipient,
    ReportReq,
    Submit,
    read_relay_request,
    read_submit_answer,
    write_submit,
)
from homing.wire.mm7_relay import read_submit, write_deliver, write_report, write_submit_response
from homing.wire.xml_document import xml_text

WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
NUMBERS = st.from_regex(r"\+[1-9][0-9]{8,14}", fullmatch=True)
ADDRESSES = NUMBERS | st.from_regex(r"[1-9][0-9]{2,7}", fullmatch=True) | st.just("ann@ox.test")
FRAMES = st.builds(
    Frame,
    namespace=st.from_regex(r"(urn:[a-z]{1,20})?", fullmatch=True),
    prefix=st.sampled_from([None, "mm7", "m"]),
    version=st.sampled_from(["5.3.0", "6.8.0"]),
    transaction_id=WORDS,
)
RECIPIENTS = st.lists(st.builds(Recipient, ADDRESSES, st.booleans()), max_size=3).map(tuple)


def plain(request: Any) -> Any:
    """Without the prefix, which cannot be kept where there is no namespace."""
    return msgspec.structs.replace(request, frame=msgspec.structs.replace(request.frame, prefix=None))


@given(
    st.builds(
        DeliverReq, frame=FRAMES, sender=ADDRESSES, to=RECIPIENTS, cc=RECIPIENTS, bcc=RECIPIENTS,
        subject=WORDS | st.just(""), linked_id=WORDS | st.just(""), content_id=st.just("a@b"),
    )
)  # fmt: skip
def test_a_delivery_is_read_as_it_was_written(request: DeliverReq) -> None:
    octets = write_deliver(request, "2026-03-04T05:06:07Z")
    if request.to or request.cc or request.bcc:
        assert plain(read_relay_request(octets)) == plain(request)
    else:
        with pytest.raises(Mm7Problem):
            read_relay_request(octets)


@given(
    st.builds(
        ReportReq, operation=st.sampled_from(["DeliveryReportReq", "ReadReplyReq"]), frame=FRAMES,
        message_id=WORDS, recipient=ADDRESSES | st.just(""), sender=ADDRESSES, word=WORDS, text=WORDS,
        timestamp=st.just("2026-03-04T05:06:07Z"),
    )
)  # fmt: skip
def test_a_report_is_read_as_it_was_written(request: ReportReq) -> None:
    assert plain(read_relay_request(write_report(request))) == plain(request)


def test_elements_stand_in_the_order_of_the_schema() -> None:
    deliver = DeliverReq(
        frame=Frame(), sender="+447700900123", to=(Recipient("60999"), Recipient("60998", True)),
        subject="s", linked_id="L", content_id="c@d",
    )  # fmt: skip
    root = etree.fromstring(write_deliver(deliver, "2026-03-04T05:06:07Z"))
    assert " ".join(etree.QName(each).localname for each in root[1][0]) == (
        "MM7Version LinkedID Sender Recipients TimeStamp Subject Content"
    )
    assert [each.get("displayOnly") for each in root[1][0][3][0]] == [None, "true"]
    report = ReportReq(
        operation="DeliveryReportReq", frame=Frame(), message_id="M", recipient="1", sender="2", word="w",
        text="t", timestamp="d",
    )  # fmt: skip
    names = [etree.QName(each).localname for each in etree.fromstring(write_report(report))[1][0]]
    assert names == ["MM7Version", "MessageID", "Recipient", "Sender", "Date", "MMStatus", "StatusText"]
    read = msgspec.structs.replace(report, operation="ReadReplyReq")
    assert b"TimeStamp>d</" in write_report(read)


@given(
    st.builds(
        Submit, transaction_id=WORDS, vasp_id=WORDS | st.just(""), vas_id=WORDS | st.just(""),
        sender=ADDRESSES | st.just(""), recipient=NUMBERS, subject=WORDS | st.just(""),
        wants_delivery_report=st.booleans(), wants_read_report=st.booleans(), content_id=st.just("c@d"),
    )
)  # fmt: skip
def test_a_submission_is_read_as_it_was_written(submit: Submit) -> None:
    request = read_submit(write_submit(submit))
    for name in (
        "vasp_id", "vas_id", "sender", "subject", "wants_delivery_report", "wants_read_report", "content_id",
    ):  # fmt: skip
        assert getattr(request, name) == getattr(submit, name), name
    assert request.recipients == (Recipient(submit.recipient),)
    assert request.frame.transaction_id == xml_text(submit.transaction_id)


@given(frame=FRAMES, message_id=WORDS, details=WORDS | st.just(""))
def test_the_answer_to_a_submission_is_read_by_who_submitted(
    frame: Frame, message_id: str, details: str
) -> None:
    answer = read_submit_answer(write_submit_response(frame, message_id, details=details))
    assert (answer.code, answer.message_id, answer.details, answer.is_taken) == (
        1000, message_id, details, True,
    )  # fmt: skip
    refused = read_submit_answer(write_submit_response(frame, "", ADDRESS_ERROR, "no", is_error=True))
    assert (refused.code, refused.text, refused.message_id) == (2002, "Address error", "")


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"<x/>", FORMAT_CORRUPT),
        (
            write_report(ReportReq(operation="ReadReplyReq", frame=Frame(), message_id="M")),
            UNSUPPORTED_OPERATION,
        ),
        (
            write_submit(Submit(transaction_id="", sender="", recipient="1" * 321, content_id="")),
            FORMAT_CORRUPT,
        ),
    ],
)
def test_what_is_no_submission_says_why(octets: bytes, code: int) -> None:
    with pytest.raises(Mm7Problem) as raised:
        read_submit(octets)
    assert raised.value.code == code


def test_a_submission_may_say_next_to_nothing() -> None:
    octets = (
        b"<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><SubmitReq/></e:Body>"
        b"</e:Envelope>"
    )
    request = read_submit(octets)
    assert (request.sender, request.recipients, request.content_id) == ("", (), "")
