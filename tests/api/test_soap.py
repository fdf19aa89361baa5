"""The bindings themselves: dispatch, faults, pages, limits; every refusal in the language it was asked in."""

from dataclasses import replace

import pytest
import zeep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from homing.api.upside import FAULTS, HANDLERS
from homing.engine.credentials import signature
from homing.model.errors import Kind
from homing.wire.upside_services import SERVICES
from tests.api.running import PASSWORD, RunningGateway
from tests.api.upside_customer import BINDINGS, NAMESPACES, Fault, UpsideCustomer

SMS = SERVICES["sms"]


@pytest.fixture(params=BINDINGS)
def customer(gateway: RunningGateway, request: pytest.FixtureRequest) -> UpsideCustomer:
    return UpsideCustomer(gateway, binding=request.param)


@pytest.fixture
def raw(gateway: RunningGateway) -> UpsideCustomer:
    return UpsideCustomer(gateway, binding="soap11")


def fault(octets: bytes) -> tuple[str, str]:
    """Code and text."""
    content = etree.fromstring(octets)[0][0]
    code, text = content[0], content[1]
    return "".join(code.itertext()), "".join(text.itertext())


def test_every_operation_has_its_function() -> None:
    names = {name for service in SERVICES.values() for name in service.operations}
    assert names == {*HANDLERS, "GetParameters"}
    assert set(FAULTS) == set(Kind.__args__)  # type: ignore[attr-defined]


def test_token_and_signature(customer: UpsideCustomer) -> None:
    pair = customer.login()
    assert pair == {"Token": customer.pair["token"], "Signature": customer.pair["signature"]}
    assert len(pair["Token"]) == 36
    assert len(pair["Signature"]) == 24
    account = customer.gateway.directory.accounts["acme"]
    changed = customer.gateway.change_account(account, password_hash=account.inbound_password_hash)
    with pytest.raises(Fault):
        customer.sms("GetNewInboxCount")
    customer.pair["signature"] = signature("acme", changed.token, changed.password_hash)
    assert customer.sms("GetNewInboxCount") == "0"


@pytest.mark.parametrize(
    ("name", "password"), [("acme", "wrong"), ("nobody", PASSWORD), ("", ""), ("acme", "")]
)
def test_a_wrong_login_is_the_fault_that_clients_know(
    customer: UpsideCustomer, name: str, password: str
) -> None:
    with pytest.raises(Fault, match="wrong user or password") as refused:
        customer.login(password, name)
    assert refused.value.detail == "InvalidPasswordException"
    assert refused.value.status == (403 if customer.binding in ("get", "post") else 500)


def test_a_wrong_signature_and_a_disabled_account(customer: UpsideCustomer) -> None:
    right = customer.pair["signature"]
    customer.pair["signature"] = "x" * 24
    with pytest.raises(Fault, match="wrong token or signature") as refused:
        customer.account("Balance_Get")
    assert refused.value.detail == "InvalidPasswordException"
    customer.pair["signature"] = right
    customer.gateway.change_account(customer.gateway.directory.accounts["acme"], disabled=True)
    for doing in (lambda: customer.account("Balance_Get"), customer.login):
        with pytest.raises(Fault, match="disabled") as refused:
            doing()
        assert refused.value.detail == "UnauthorizedAccessException"


def test_guesses_are_slowed_over_all_faces(raw: UpsideCustomer) -> None:
    for number in range(10):
        with pytest.raises(Fault, match="wrong user"):
            raw.login(f"guess {number}")
    with pytest.raises(Fault, match="try again in a minute") as refused:
        raw.login("guess")
    assert refused.value.detail == "TooManyLoginsException"
    sent = {"user": "acme", "pass": "guess", "smsto": "447700900001", "smsmsg": "x"}
    assert raw.gateway.client.get("/SMSSend", params=sent).status_code == 429


def test_the_action_says_what_is_asked_where_the_body_does_not(raw: UpsideCustomer) -> None:
    pair = "".join(f"<{name}>{value}</{name}>" for name, value in raw.pair.items())
    envelope = f'<e:Envelope xmlns:e="{NAMESPACES["soap11"]}"><e:Body><Ask>{pair}</Ask></e:Body></e:Envelope>'
    octets = envelope.encode()
    action = f'"{SMS.namespace}/GetNewInboxCount"'
    assert b"<GetNewInboxCountResult>0<" in raw.envelope("SMS", octets, SOAPAction=action).content
    response = raw.envelope("SMS", octets)
    assert response.status_code == 500
    assert fault(response.content) == ("soap:Client", "SMS has no operation Ask")


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "empty"),
        (b"<a/>", "envelope"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (f'<e:Envelope xmlns:e="{NAMESPACES["soap11"]}"><e:Body/></e:Envelope>'.encode(), "0 elements"),
        (b"<a>" * 40 + b"</a>" * 40, "envelope"),
    ],
)
def test_what_cannot_be_read_is_a_fault(raw: UpsideCustomer, octets: bytes, said: str) -> None:
    response = raw.envelope("SMS", octets)
    assert response.status_code == 500
    code, text = fault(response.content)
    assert (code, said in text) == ("soap:Client", True), text


def test_a_missing_or_wrong_parameter_is_named(customer: UpsideCustomer) -> None:
    if customer.binding.startswith("zeep"):
        with pytest.raises((Fault, zeep.exceptions.ValidationError)):
            customer.sms("Send_Plain", recipient="447700900001", message="x")
        return
    with pytest.raises(Fault, match="Missing parameter: encoding"):
        customer.sms("Send_Plain", recipient="447700900001", message="x")
    with pytest.raises(Fault, match="parameter port"):
        customer.sms("Send_Port", recipient="447700900001", port="many", encodedMessage="00")


def test_a_body_has_its_limit(raw: UpsideCustomer) -> None:
    response = raw.envelope("SMS", b"x" * 70_000)
    assert (response.status_code, "longer than 65536" in response.text) == (413, True)


def test_pages(gateway: RunningGateway) -> None:
    client = gateway.client
    for path in ("/soap/SMS.asmx", "/SOAP/sms.ASMX"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<script" not in page.text
        assert all(name in page.text for name in SMS.operations)
    page = client.get("/soap/SMS.asmx?op=Send_Plain")
    assert "recipient" in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert client.get("/soap/SMS.asmx?op=Nothing").status_code == 404
    assert client.get("/soap/SMS.asmx/Nothing").status_code == 404
    assert "Account.asmx" in client.get("/soap/Mail.asmx").text
    assert client.put("/soap/SMS.asmx").status_code == 405
    assert client.head("/soap/SMS.asmx").status_code == 200


def test_the_contract_says_where_the_client_reached_it(gateway: RunningGateway) -> None:
    for query in ("?WSDL", "?wsdl", "?wsdl=1"):
        contract = gateway.client.get(f"/soap/account.asmx{query}", headers={"Host": "sms.example.net"})
        assert contract.headers["content-type"] == "text/xml; charset=utf-8"
        assert b'location="http://sms.example.net/soap/Account.asmx"' in contract.content
    forged = gateway.talk(b'GET /soap/SMS.asmx?WSDL HTTP/1.1\r\nHost: a"><b\r\nConnection: close\r\n\r\n')
    assert b'"><b' not in forged


def test_forms_in_latin_1_are_read_too(gateway: RunningGateway) -> None:
    customer = UpsideCustomer(gateway)
    query = "&".join(f"{name}={value}" for name, value in customer.pair.items())
    text = "recipient=447700900001&message=Gr%FC%DFe&encoding=Seven"
    assert gateway.client.get(f"/soap/SMS.asmx/Send_Plain?{query}&{text}").status_code == 200
    assert gateway.submissions()[0].segments[0].text == "Grüße"
    many = "&".join(f"p{number}=1" for number in range(60))
    assert "50 parameters" in gateway.client.get(f"/soap/SMS.asmx/Send_Plain?{many}").text


def test_a_draining_node_sends_nothing(customer: UpsideCustomer) -> None:
    customer.gateway.health = replace(customer.gateway.health, draining=True)
    with pytest.raises(Fault, match="about to stop"):
        customer.sms("Send_Flash", recipient="447700900001", message="x")
    assert customer.gateway.submissions() == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=300), path=st.sampled_from(["/soap/SMS.asmx", "/soap/SMS.asmx/Send_Plain"]))
def test_any_body_is_answered(gateway: RunningGateway, octets: bytes, path: str) -> None:
    assert gateway.client.post(path, content=octets).status_code in (400, 403, 429, 500)
