"""MM7 as networks write it, and answers in their own way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from homing.wire.mm7 import (
    ADDRESS_ERROR,
    CONTENT_REFUSED,
    DEFAULT_NAMESPACE,
    FORMAT_CORRUPT,
    SERVICE_UNAVAILABLE,
    SOAP,
    SUCCESS,
    UNSUPPORTED_OPERATION,
    DeliverReq,
    Frame,
    Mm7Problem,
    Recipient,
    ReportReq,
    Submit,
    read_relay_request,
    read_submit_answer,
    write_response,
    write_submit,
)

SCHEMA = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/"
TEXTS = st.text(max_size=40)


def envelope(body: str, transaction: str = "<TransactionID xmlns='x'>T-1</TransactionID>") -> bytes:
    return (
        f'<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}"><s:Header>{transaction}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


DELIVERIES = {
    "REL-6 with a prefix": envelope(
        f"<m:DeliverReq xmlns:m='{SCHEMA}REL-6-MM7-1-4'><m:MM7Version>6.8.0</m:MM7Version>"
        "<m:MMSRelayServerID>r</m:MMSRelayServerID><m:LinkedID>L</m:LinkedID>"
        "<m:Sender><m:Number>+447700900123</m:Number></m:Sender>"
        "<m:Recipients><m:To><m:Number>447700900999/TYPE=PLMN</m:Number></m:To></m:Recipients>"
        "<m:TimeStamp>2026-03-04T05:06:07Z</m:TimeStamp><m:Subject>Hé</m:Subject>"
        "<m:Content href='cid:mms@x' allowAdaptations='true'/></m:DeliverReq>",
        f"<m:TransactionID xmlns:m='{SCHEMA}REL-6-MM7-1-4' s:mustUnderstand='1'>T-1</m:TransactionID>",
    ),
    "REL-5, default namespace": envelope(
        f"<DeliverReq xmlns='{SCHEMA}REL-5-MM7-1-0'><MM7Version>5.3.0</MM7Version>"
        "<SenderIdentification><VASPID>p</VASPID><VASID>v</VASID></SenderIdentification><LinkedID>L</LinkedID>"
        "<Sender><Number>+447700900123</Number></Sender><Recipients><To><ShortCode>447700900999</ShortCode></To>"
        "</Recipients><Subject>Hé</Subject><Content href='cid:mms@x'/></DeliverReq>",
        f"<TransactionID xmlns='{SCHEMA}REL-5-MM7-1-0'>T-1</TransactionID>",
    ),
    "a namespace that does not exist, any order": envelope(
        f"<a:DeliverReq xmlns:a='{SCHEMA}REL-6-MM7-6-7'><a:Content href='cid:&lt;mms@x&gt;'/>"
        "<a:Subject>Hé</a:Subject><a:Recipients><a:To><a:RFC2822Address>447700900999</a:RFC2822Address></a:To>"
        "</a:Recipients><a:Sender>+447700900123</a:Sender><a:LinkedID>L</a:LinkedID></a:DeliverReq>"
    ),
    "no namespace": envelope(
        "<DeliverReq><Sender><Number>+447700900123</Number></Sender><Recipients><To><Number>447700900999</Number>"
        "</To></Recipients><LinkedID> L </LinkedID><Subject>Hé</Subject><Content href='mms@x'/></DeliverReq>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", DELIVERIES)
def test_deliveries_of_every_shape_say_the_same(shape: str) -> None:
    request = read_relay_request(DELIVERIES[shape], 'text/xml; charset="utf-8"')
    assert isinstance(request, DeliverReq)
    assert request.frame.transaction_id == "T-1"
    assert (request.sender, request.to) == ("+447700900123", (Recipient("447700900999"),))
    assert (request.subject, request.linked_id, request.content_id) == ("Hé", "L", "mms@x")


def test_a_group_message_shows_more_recipients_than_it_has() -> None:
    request = read_relay_request(
        envelope(
            "<DeliverReq><Sender><RFC2822Address>ann@ox.test</RFC2822Address></Sender><Recipients>"
            "<To><Number>1</Number><Number displayOnly='true'>2</Number></To><To><Number>3</Number></To>"
            "<Cc><Number displayOnly='1'>4</Number></Cc><Bcc><ShortCode>5</ShortCode></Bcc>"
            "</Recipients></DeliverReq>"
        )
    )
    assert isinstance(request, DeliverReq)
    assert request.sender == "ann@ox.test"
    assert request.to == (Recipient("1"), Recipient("2", True), Recipient("3"))
    assert (request.cc, request.bcc) == ((Recipient("4", True),), (Recipient("5"),))
    assert request.content_id == ""


@pytest.mark.parametrize("name", ["DeliveryReportReq", "ReadReplyReq"])
def test_reports(name: str) -> None:
    request = read_relay_request(
        envelope(
            f"<{name}><MM7Version>6.3.0</MM7Version><MessageID>M1</MessageID><Recipient><Number>+44</Number>"
            "</Recipient><Sender><ShortCode>60999</ShortCode></Sender><Date>2026-03-04T05:06:07Z</Date>"
            f"<MMStatus>Retrieved</MMStatus><StatusText>fine</StatusText></{name}>"
        )
    )
    assert isinstance(request, ReportReq)
    assert (request.operation, request.is_read_report) == (name, name == "ReadReplyReq")
    assert (request.message_id, request.recipient, request.sender) == ("M1", "+44", "60999")
    assert (request.word, request.text, request.timestamp) == ("Retrieved", "fine", "2026-03-04T05:06:07Z")


@pytest.mark.parametrize(
    ("octets", "code", "details"),
    [
        (b"", FORMAT_CORRUPT, "not well-formed"),
        (b"<!DOCTYPE x><x/>", FORMAT_CORRUPT, "document type"),
        (b"<x/>", FORMAT_CORRUPT, "envelope"),
        (b"<Envelope/>", FORMAT_CORRUPT, "0 elements"),
        (envelope("<a/><b/>"), FORMAT_CORRUPT, "2 elements"),
        (envelope("<SubmitReq/>"), UNSUPPORTED_OPERATION, "SubmitReq"),
        (envelope("<DeliverReq/>"), FORMAT_CORRUPT, "Sender is missing"),
        (envelope("<DeliverReq><Sender>1</Sender></DeliverReq>"), FORMAT_CORRUPT, "Recipients are missing"),
        (envelope("<DeliverReq><Sender>1</Sender><Recipients><To>" + "<Number>1</Number>" * 101
                  + "</To></Recipients></DeliverReq>"), FORMAT_CORRUPT, "more than 100 recipients"),
        (envelope("<DeliverReq><Sender>" + "1" * 321 + "</Sender></DeliverReq>"), FORMAT_CORRUPT, "320 char"),
        (envelope("<DeliverReq>" + "<a/>" * 201 + "</DeliverReq>"), FORMAT_CORRUPT, "200 elements"),
        (envelope("<ReadReplyReq/>"), FORMAT_CORRUPT, "MessageID is missing"),
        (envelope("<a>" * 40 + "</a>" * 40), FORMAT_CORRUPT, "32 deep"),
        (b"<Envelope>" + b"<a>" * 40 + b"</a>" * 40 + b"</Envelope>", FORMAT_CORRUPT, "32 deep"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(octets: bytes, code: int, details: str) -> None:
    with pytest.raises(Mm7Problem, match=details) as raised:
        read_relay_request(octets)
    assert raised.value.code == code


# --- answers ---


def local(element: Any) -> str:
    return str(etree.QName(element).localname)


@pytest.mark.parametrize("shape", DELIVERIES)
@pytest.mark.parametrize(("code", "details"), [(SUCCESS, ""), (SERVICE_UNAVAILABLE, "a < b & c\x00")])
def test_an_answer_is_in_the_way_of_who_asked(shape: str, code: int, details: str) -> None:
    request = read_relay_request(DELIVERIES[shape])
    root = etree.fromstring(write_response(request.operation, request.frame, code, details))
    (header,), (answer,) = root[0], root[1]
    namespace = etree.QName(etree.fromstring(DELIVERIES[shape])[1][0]).namespace
    assert root.tag == f"{{{SOAP}}}Envelope"
    for element in (header, *answer.iter()):
        assert etree.QName(element).namespace == namespace
        assert element.prefix == etree.fromstring(DELIVERIES[shape])[1][0].prefix
    assert (local(header), header.text, header.get(f"{{{SOAP}}}mustUnderstand")) == (
        "TransactionID",
        "T-1",
        "1",
    )
    assert local(answer) == "DeliverRsp"
    version, status = answer
    assert (local(version), version.text) == ("MM7Version", request.frame.version)
    names = ["StatusCode", "StatusText", *(["Details"] if details else [])]
    assert [local(each) for each in status] == names  # in the order of the schema
    assert status[0].text == str(code)
    if details:
        assert status[2].text == "a < b & c\ufffd"


@pytest.mark.parametrize(
    ("operation", "name"),
    [("DeliveryReportReq", "DeliveryReportRsp"), ("ReadReplyReq", "ReadReplyRsp"), (None, "VASPErrorRsp"),
     ("Elephant", "VASPErrorRsp")],
)  # fmt: skip
def test_every_request_has_its_answer(operation: str | None, name: str) -> None:
    root = etree.fromstring(write_response(operation, Frame(), ADDRESS_ERROR))
    assert local(root[1][0]) == name
    assert etree.QName(root[1][0]).namespace == DEFAULT_NAMESPACE


@given(transaction=TEXTS, version=TEXTS, namespace=st.text("abc/.-6", max_size=40), details=TEXTS)
def test_any_frame_gives_well_formed_xml(
    transaction: str, version: str, namespace: str, details: str
) -> None:
    for prefix in (None, "m"):
        frame = Frame(namespace=namespace, prefix=prefix, version=version, transaction_id=transaction)
        etree.fromstring(write_response("DeliverReq", frame, CONTENT_REFUSED, details))


# --- submissions ---


def test_a_submission_is_written_in_the_order_of_the_schema() -> None:
    octets = write_submit(
        Submit(
            transaction_id="T-9", vasp_id="p", vas_id="v", sender="60999", recipient="447700900123",
            subject="A & B", wants_delivery_report=True, content_id="mms@homing",
        )
    )  # fmt: skip
    root = etree.fromstring(octets)
    submit = root[1][0]
    assert " ".join(local(each) for each in submit) == (
        "MM7Version SenderIdentification Recipients DeliveryReport ReadReply Subject Content"
    )
    texts = {local(each): each.text for each in submit.iter() if each.text}
    assert texts == {
        "MM7Version": "6.8.0", "VASPID": "p", "VASID": "v", "ShortCode": "60999", "Number": "+447700900123",
        "DeliveryReport": "true", "ReadReply": "false", "Subject": "A & B",
    }  # fmt: skip
    assert submit[-1].get("href") == "cid:mms@homing"
    assert root[0][0].text == "T-9"


def test_how_long_a_submission_counts_is_said() -> None:
    octets = write_submit(
        Submit(transaction_id="T", sender="1", recipient="2", content_id="c", expires_after_s=90)
    )
    names = [local(each) for each in etree.fromstring(octets)[1][0]]
    assert names.index("ExpiryDate") == names.index("DeliveryReport") - 1
    assert b"<ExpiryDate>PT90S</ExpiryDate>" in octets


@given(sender=TEXTS, recipient=TEXTS, subject=TEXTS, content_id=TEXTS, transaction=TEXTS)
def test_any_submission_is_well_formed(
    sender: str, recipient: str, subject: str, content_id: str, transaction: str
) -> None:
    etree.fromstring(
        write_submit(
            Submit(
                transaction_id=transaction, sender=sender, recipient=recipient, subject=subject,
                content_id=content_id,
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "message_id", "is_taken", "is_temporary"),
    [
        ("<SubmitRsp><MM7Version>6.8.0</MM7Version><Status><StatusCode>1000</StatusCode><StatusText>ok</StatusText>"
         "</Status><MessageID>M1</MessageID></SubmitRsp>", 1000, "M1", True, False),
        ("<SubmitRsp><Status><StatusCode>1100</StatusCode></Status><MessageID>M2</MessageID></SubmitRsp>",
         1100, "M2", True, False),
        ("<SubmitRsp><Status><StatusCode>2002</StatusCode></Status></SubmitRsp>", 2002, "", False, False),
        ("<RSErrorRsp><Status><StatusCode>4006</StatusCode></Status></RSErrorRsp>", 4006, "", False, True),
        ("<s:Fault><faultstring>no</faultstring></s:Fault>", 4000, "", False, True),
        ("<s:Fault><faultcode>s:Server</faultcode></s:Fault>", 4000, "", False, True),
        ("<s:Fault><faultcode>s:Client.Syntax</faultcode></s:Fault>", 2000, "", False, False),
        ("<s:Fault><faultcode>s:Client</faultcode><detail><m:RSErrorRsp xmlns:m='x'><m:Status>"
         "<m:StatusCode>4006</m:StatusCode></m:Status></m:RSErrorRsp></detail></s:Fault>",
         4006, "", False, True),
    ],
)  # fmt: skip
def test_what_a_relay_answers(
    body: str, code: int, message_id: str, is_taken: bool, is_temporary: bool
) -> None:
    answer = read_submit_answer(envelope(body))
    assert (answer.code, answer.message_id) == (code, message_id)
    assert (answer.is_taken, answer.is_temporary) == (is_taken, is_temporary)


@pytest.mark.parametrize("octets", [b"", b"OK", envelope("<SubmitRsp/>"), envelope("")])
def test_an_answer_that_is_none(octets: bytes) -> None:
    with pytest.raises(Mm7Problem):
        read_submit_answer(octets)


@given(octets=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: envelope(text)))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for read in (read_relay_request, read_submit_answer):
        try:
            read(octets)  # type: ignore[operator]
        except Mm7Problem as problem:
            etree.fromstring(write_response(problem.operation, problem.frame, problem.code, problem.details))
