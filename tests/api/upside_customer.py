"""A customer of the Upside services: zeep from the served WSDL, raw envelopes, GET and POST."""

from typing import Any, Literal

import httpx
import zeep
from lxml import etree

from homing.engine.credentials import signature
from homing.wire.upside_services import SERVICES
from tests.api.running import PASSWORD, RunningGateway

Binding = Literal["zeep", "zeep12", "soap11", "soap12", "get", "post"]
BINDINGS: tuple[Binding, ...] = ("zeep", "zeep12", "soap11", "soap12", "get", "post")
NAMESPACES = {
    "soap11": "http://schemas.xmlsoap.org/soap/envelope/",
    "soap12": "http://www.w3.org/2003/05/soap-envelope",
}


class Fault(Exception):
    """What a service said instead of a result; ``status`` of HTTP where it is seen."""

    def __init__(self, text: str, detail: str | None, status: int = 500) -> None:
        super().__init__(text)
        self.text, self.detail, self.status = text, detail, status


class UpsideCustomer:
    """Calls operations by any binding; results come back as text by field, lists of such, or one text."""

    def __init__(self, gateway: RunningGateway, account: str = "acme", binding: Binding = "zeep") -> None:
        self.gateway = gateway
        self.binding: Binding = binding
        found = gateway.directory.accounts[account]
        self.pair = {
            "token": found.token,
            "signature": signature(account, found.token, found.password_hash),
        }
        self._clients: dict[str, zeep.Client] = {}

    def login(self, password: str = PASSWORD, name: str = "acme") -> Any:
        return self.call("Authentication", "GetParameters", username=name, password=password)

    def sms(self, operation: str, **values: Any) -> Any:
        return self.call("SMS", operation, **self.pair, **values)

    def account(self, operation: str, **values: Any) -> Any:
        return self.call("Account", operation, **self.pair, **values)

    def call(self, service: str, operation: str, **values: Any) -> Any:
        if self.binding.startswith("zeep"):
            return self._by_zeep(service, operation, values)
        if self.binding.startswith("soap"):
            return self._by_envelope(service, operation, values)
        texts = {name: _spelled(value) for name, value in values.items()}
        path = f"/soap/{service}.asmx/{operation}"
        if self.binding == "get":
            response = self.gateway.client.get(path, params=texts)
        else:
            response = self.gateway.client.post(path, data=texts)
        if response.status_code != 200:
            detail, _, text = response.text.partition(": ")
            is_detail = detail.endswith("Exception")
            said = text if is_detail else response.text
            raise Fault(said, detail if is_detail else None, response.status_code)
        root = etree.fromstring(response.content)
        assert etree.QName(root).localname == SERVICES[service.lower()].operations[operation].result
        assert etree.QName(root).namespace == SERVICES[service.lower()].namespace
        return _value(root)

    def _by_zeep(self, service: str, operation: str, values: dict[str, Any]) -> Any:
        client = self._clients.get(service)
        if client is None:
            client = zeep.Client(f"{self.gateway.url}/soap/{service}.asmx?WSDL")
            self._clients[service] = client
        port = f"{service}Soap12" if self.binding == "zeep12" else f"{service}Soap"
        try:
            result = client.bind(service, port)[operation](**values)
        except zeep.exceptions.Fault as fault:
            detail = None if fault.detail is None else "".join(fault.detail.itertext())
            raise Fault(fault.message, detail) from None
        return _plain(zeep.helpers.serialize_object(result, dict))

    def _by_envelope(self, service: str, operation: str, values: dict[str, Any]) -> Any:
        """Without SOAPAction: the element of the body says what is asked."""
        namespace = SERVICES[service.lower()].namespace
        root = etree.Element(f"{{{NAMESPACES[self.binding]}}}Envelope")
        body = etree.SubElement(root, f"{{{NAMESPACES[self.binding]}}}Body")
        asked = etree.SubElement(body, f"{{{namespace}}}{operation}")
        for name, value in values.items():
            etree.SubElement(asked, f"{{{namespace}}}{name}").text = _spelled(value)
        kind = "text/xml" if self.binding == "soap11" else "application/soap+xml"
        response = self.envelope(service, etree.tostring(root), kind)
        answer = etree.fromstring(response.content)
        assert answer.tag == root.tag
        content = answer[0][0]
        if response.status_code != 200:
            assert response.status_code == 500
            texts = {etree.QName(each).localname: "".join(each.itertext()) for each in content}
            raise Fault(
                texts.get("faultstring") or texts["Reason"], texts.get("detail") or texts.get("Detail")
            )
        assert content.tag == f"{{{namespace}}}{operation}Response"
        return _value(content[0]) if len(content) else None

    def envelope(self, service: str, octets: bytes, kind: str = "text/xml", **headers: str) -> httpx.Response:
        """The answer to a body as it stands."""
        path = f"/soap/{service.lower()}.ASMX"
        sent = {"Content-Type": f"{kind}; charset=utf-8", **headers}
        return self.gateway.client.post(path, content=octets, headers=sent)


def _spelled(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _value(element: etree._Element) -> Any:
    if not len(element):
        is_array = etree.QName(element).localname in ("ArrayOfNewSMSMessage", "GetNewInboxMessagesResult")
        return [] if is_array else element.text or ""
    names = [etree.QName(child).localname for child in element]
    if names[0] == "NewSMSMessage":
        return [_value(child) for child in element]
    return {name: _value(child) for name, child in zip(names, element, strict=True)}


def _plain(value: Any) -> Any:
    """What zeep made of an answer, as the raw bindings show it: texts, and nothing that is absent."""
    if isinstance(value, dict):
        if list(value) == ["NewSMSMessage"]:
            return [_plain(each) for each in value["NewSMSMessage"] or ()]
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return [] if value is None else _spelled(value)
