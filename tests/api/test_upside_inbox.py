"""The inbox by every binding: the same fields, the same read flags, and the polling rule."""

import socket

import msgspec
import pytest

from homing.model.clock import id_at, now_ms
from homing.model.mms import Content, Mms, Part
from homing.wire.mail_id import mail_id
from tests.api.running import RunningGateway
from tests.api.upside_customer import BINDINGS, Binding, Fault, UpsideCustomer
from tests.store import rows

FIRST = id_at(now_ms() - 86_400_000)


@pytest.fixture(params=BINDINGS)
def customer(gateway: RunningGateway, request: pytest.FixtureRequest) -> UpsideCustomer:
    fill(gateway)
    return UpsideCustomer(gateway, binding=request.param)


@pytest.fixture
def asker(gateway: RunningGateway) -> UpsideCustomer:
    fill(gateway)
    return UpsideCustomer(gateway, binding="get")


def fill(gateway: RunningGateway) -> None:
    """A message, a report, a data message; ``other`` has a message too."""
    gateway.add_account("other")
    at_ms = 1_700_000_002_000
    with gateway.database.writing() as connection:
        rows.add_message(connection, FIRST, carrier_code="302720", text="Grüße & <mehr>\n", at_ms=at_ms)
        rows.add_submission(connection, FIRST + 1, status="DELIVERED", reason="delivered")
        rows.add_report(connection, FIRST + 2, FIRST + 1)
        rows.add_message(connection, FIRST + 3, text="", coding=8, data=b"\x00\xfe", sender="Bank")
        rows.add_message(connection, FIRST + 4, "other")


def wait(customer: UpsideCustomer) -> None:
    customer.gateway.time_s += 120


MESSAGE = {
    "isValid": "true", "sender": "+447700900001", "data": "Grüße & <mehr>\n", "name": "acme",
    "inboundnumber": "60999", "carriercode": "302720", "messageid": mail_id(FIRST),
    "utcTime": "2023-11-14 22:13:22",
}  # fmt: skip
REPORT = {
    "isValid": "true", "sender": "+447700900001", "name": "acme", "inboundnumber": "60999",
    "data": f"DELIVRD MTID{FIRST + 1} +447700900001 2023-11-14 22:13:21 delivered",
    "trackingid": f"MTID{FIRST + 1}", "messageid": mail_id(FIRST + 2), "utcTime": "2023-11-14 22:13:21",
}  # fmt: skip


def test_new_messages_are_read_once(customer: UpsideCustomer) -> None:
    assert customer.sms("GetNewInboxCount") == "3"
    message, report, data = customer.sms("GetNewInboxMessages")
    assert message == MESSAGE
    assert report == REPORT
    assert (data["sender"], data["data"]) == ("Bank", "00FE")
    assert customer.sms("GetNewInboxCount") == "0"
    wait(customer)
    assert customer.sms("GetNewInboxMessages") == []


@pytest.mark.parametrize(
    ("text", "subject", "parts", "data"),
    [("Look <here>\x00", "Hols", 2, "Look <here>"), ("", "Hols", 2, "Hols"), ("", "", 2, "MMS with 2 parts"),
     ("", "", 1, "MMS with 1 part")],
)  # fmt: skip
def test_an_mms_is_text_as_well(
    customer: UpsideCustomer, text: str, subject: str, parts: int, data: str
) -> None:
    part = Part(name="pic.jpg", content_type="image/jpeg", size=7, offset=60, sha256="ab" * 32)
    content = Content(sha256="cd" * 32, size=300, parts=(part,) * parts)
    mms = msgspec.msgpack.encode(Mms(subject=subject, content=content, expires_at_ms=1))
    with customer.gateway.database.writing() as connection:
        rows.add_message(connection, FIRST + 9, text=text, mms=mms)
    shown = customer.sms("GetTopMessageNoReset")
    assert shown["data"].rstrip("\ufffd ") == data
    assert (shown["sender"], shown["messageid"]) == ("+447700900001", mail_id(FIRST + 9))
    wait(customer)
    assert shown in customer.sms("GetNewInboxMessages")
    assert customer.sms("GetNewInboxCount") == "0"


def test_one_by_one_from_either_end(customer: UpsideCustomer) -> None:
    assert customer.sms("GetTopMessageNoReset")["messageid"] == mail_id(FIRST + 3)
    wait(customer)
    assert customer.sms("GetBottomMessageNoReset") == MESSAGE
    wait(customer)
    assert customer.sms("GetTopMessage")["messageid"] == mail_id(FIRST + 3)
    assert customer.sms("GetBottomMessage") == MESSAGE
    assert customer.sms("GetBottomMessage") == REPORT
    assert customer.sms("GetTopMessage") == {"isValid": "false"}
    wait(customer)
    assert customer.sms("GetBottomMessageNoReset") == {"isValid": "false"}


def test_flags_and_deleting(customer: UpsideCustomer) -> None:
    assert len(customer.sms("GetNewInboxMessages")) == 3
    flagged = customer.sms("SetMessageReadFlag", messageId=mail_id(FIRST + 2), flag=False)
    assert flagged == {"isOk": "true"}
    wait(customer)
    assert customer.sms("GetNewInboxMessages") == [REPORT]
    assert customer.sms("DeleteMessage", messageId=mail_id(FIRST + 2)) == {"isOk": "true"}
    for name in (mail_id(FIRST + 2), mail_id(FIRST + 4), "Mail1-1", ""):
        told = customer.sms("DeleteMessage", messageId=name)
        assert (told["isOk"], "no message" in told["errorMsg"]) == ("false", True)
        told = customer.sms("SetMessageReadFlag", messageId=name, flag=True)
        assert (told["isOk"], "no message" in told["errorMessage"]) == ("false", True)


def test_the_status_of_a_message_sent(customer: UpsideCustomer) -> None:
    name = f"MTID{FIRST + 1}"
    assert customer.sms("GetDLR", trackingId=name) == "DELIVRD"
    with pytest.raises(Fault, match="ask again in 120 s"):
        customer.sms("GetDLR", trackingId=name)
    with pytest.raises(Fault, match="no submission"):
        customer.sms("GetDLR", trackingId="MTID7")
    with pytest.raises(Fault, match="MTID and digits"):
        customer.sms("GetDLR", trackingId="x")


def test_too_soon_is_a_fault_that_names_the_seconds(customer: UpsideCustomer) -> None:
    customer.sms("GetNewInboxMessages")
    customer.gateway.time_s += 20.5
    for operation in ("GetNewInboxMessages", "GetTopMessage", "GetBottomMessageNoReset"):
        with pytest.raises(Fault, match="ask again in 100 s") as refused:
            customer.sms(operation)
        assert refused.value.detail == "PollingTooOftenException"
        assert refused.value.status == (429 if customer.binding in ("get", "post") else 500)
    customer.sms("GetNewInboxCount")


def test_the_http_bindings_and_soap_say_when_to_come_again(asker: UpsideCustomer) -> None:
    asker.sms("GetNewInboxMessages")
    response = asker.gateway.client.get("/soap/SMS.asmx/GetTopMessage", params=asker.pair)
    assert (response.status_code, response.headers["retry-after"]) == (429, "120")


def test_more_than_a_page_is_emptied_without_waiting(asker: UpsideCustomer) -> None:
    with asker.gateway.database.writing() as connection:
        for number in range(700):
            rows.add_message(connection, FIRST + 100 + number)
    pages = [asker.sms("GetNewInboxMessages") for _ in range(3)]
    assert [len(page) for page in pages] == [300, 300, 103]
    names = [mail["messageid"] for page in pages for mail in page]
    assert len(set(names)) == 703
    with pytest.raises(Fault):
        asker.sms("GetNewInboxMessages")


def test_working_through_mails_one_by_one_needs_no_waiting(asker: UpsideCustomer) -> None:
    for _ in range(2):
        mail = asker.sms("GetBottomMessageNoReset")
        asker.sms("SetMessageReadFlag", messageId=mail["messageid"], flag=True)
    mail = asker.sms("GetBottomMessageNoReset")
    asker.sms("DeleteMessage", messageId=mail["messageid"])
    assert asker.sms("GetBottomMessageNoReset") == {"isValid": "false"}
    with pytest.raises(Fault):
        asker.sms("GetBottomMessageNoReset")
    # What changes nothing lets nobody ask sooner.
    asker.sms("SetMessageReadFlag", messageId=mail_id(FIRST), flag=True)
    with pytest.raises(Fault):
        asker.sms("GetBottomMessageNoReset")


@pytest.mark.parametrize("binding", ["soap11", "get"])
def test_who_hangs_up_before_the_answer_is_out_gets_the_mails_again(
    asker: UpsideCustomer, binding: Binding
) -> None:
    with asker.gateway.database.writing() as connection:
        for number in range(299):
            rows.add_message(connection, FIRST + 100 + number, text="x" * 60_000)
    query = "&".join(f"{name}={value}" for name, value in asker.pair.items())
    with socket.create_connection(("127.0.0.1", asker.gateway.port)) as connection_:
        connection_.sendall(
            f"GET /soap/SMS.asmx/GetNewInboxMessages?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert connection_.recv(1000).startswith(b"HTTP/1.1 200")
    assert asker.sms("GetNewInboxCount") == "302"
    asker.binding = binding
    assert len(asker.sms("GetNewInboxMessages")) == 300
    assert asker.sms("GetNewInboxCount") == "2"
