"""The contracts, as real clients read them: zeep, and the schema in them as lxml reads it."""

import re
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zeep
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from zeep.helpers import serialize_object

from homing.wire.soap import SoapVersion, read_parameters, read_request, write_response, write_result
from homing.wire.upside_services import SERVICES, Field, Operation, Service, item_of
from homing.wire.wsdl import wsdl

LOCATION = "http://127.0.0.1:8080/soap/X.asmx"
NAMES = {
    "s": "http://www.w3.org/2001/XMLSchema",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "http": "http://schemas.xmlsoap.org/wsdl/http/",
    "mime": "http://schemas.xmlsoap.org/wsdl/mime/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "tm": "http://microsoft.com/wsdl/mime/textMatching/",
    "soapenc": "http://schemas.xmlsoap.org/soap/encoding/",
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
}
PORTS = {"Soap": SoapVersion.SOAP11, "Soap12": SoapVersion.SOAP12}
OPERATIONS = [(path, name) for path, service in SERVICES.items() for name in service.operations]


@lru_cache
def document(path: str) -> Any:
    return etree.fromstring(wsdl(SERVICES[path], LOCATION))


@lru_cache
def client(path: str) -> Any:
    """A real client, made from the octets alone."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "service.wsdl")
        file.write_bytes(wsdl(SERVICES[path], LOCATION))
        make: Any = zeep.Client
        return make(str(file))


@lru_cache
def schema(path: str) -> Any:
    octets = etree.tostring(document(path).find(".//s:schema", NAMES))  # with the prefixes from above it
    return etree.XMLSchema(etree.fromstring(octets))


def found(path: str, query: str) -> list[str]:
    return [str(each) for each in document(path).xpath(query, namespaces=NAMES)]


# --- the shape of .NET ---


@pytest.mark.parametrize("path", SERVICES)
def test_names_are_those_of_net(path: str) -> None:
    service = SERVICES[path]
    operations = list(service.operations)
    assert document(path).nsmap == {**NAMES, "tns": service.namespace}
    assert document(path).get("targetNamespace") == service.namespace
    assert found(path, "wsdl:message/@name") == [
        name + suffix
        for name in operations
        for suffix in ("SoapIn", "SoapOut", "HttpGetIn", "HttpGetOut", "HttpPostIn", "HttpPostOut")
    ]
    for kind in ("wsdl:portType", "wsdl:binding", "wsdl:service/wsdl:port"):
        suffixes = ["Soap", "HttpGet", "HttpPost"]
        if kind != "wsdl:portType":
            suffixes.insert(1, "Soap12")
        assert found(path, f"{kind}/@name") == [service.name + suffix for suffix in suffixes]
        if kind != "wsdl:service/wsdl:port":
            for suffix in suffixes:
                query = f"{kind}[@name='{service.name}{suffix}']/wsdl:operation/@name"
                assert found(path, query) == operations
    assert found(path, "wsdl:service/@name") == [service.name]
    assert found(path, "//s:schema/@elementFormDefault") == ["qualified"]


@pytest.mark.parametrize("path", SERVICES)
def test_what_the_bindings_say(path: str) -> None:
    service = SERVICES[path]
    actions = [f"{service.namespace}/{name}" for name in service.operations]
    for prefix in ("soap", "soap12"):
        assert found(path, f"//{prefix}:operation/@soapAction") == actions
        assert set(found(path, f"//{prefix}:operation/@style")) == {"document"}
        assert set(found(path, f"//{prefix}:body/@use")) == {"literal"}
        assert found(path, f"//{prefix}:binding/@transport") == ["http://schemas.xmlsoap.org/soap/http"]
    assert found(path, "//http:binding/@verb") == ["GET", "POST"]
    assert found(path, "//http:operation/@location") == [f"/{name}" for name in service.operations] * 2
    assert found(path, "//wsdl:port/*/@location") == [LOCATION] * 4


@pytest.mark.parametrize("path", SERVICES)
def test_every_name_that_is_referred_to_exists(path: str) -> None:
    for query, where in (
        ("//wsdl:part/@element", "//s:schema/s:element/@name"),
        ("//wsdl:input/@message | //wsdl:output/@message", "wsdl:message/@name"),
        ("//wsdl:binding/@type", "wsdl:portType/@name"),
        ("//wsdl:port/@binding", "wsdl:binding/@name"),
        ("//s:element/@type", "//s:schema/s:complexType/@name | //s:schema/s:simpleType/@name"),
    ):
        ours = [name for name in found(path, query) if name.startswith("tns:")]
        assert ours
        assert {name.removeprefix("tns:") for name in ours} <= set(found(path, where)), query


def test_the_account_service_tells_its_error_codes() -> None:
    (text,) = found("account", "wsdl:documentation/text()")
    for word in ("token", "signature", *SERVICES["account"].enums["ErrorCode"]):
        assert re.search(rf"\b{word}\b", text)


def test_elements_as_net_writes_them() -> None:
    (element,) = document("sms").xpath("//s:element[@name='SetMessageReadFlag']", namespaces=NAMES)
    assert [dict(child.attrib) for child in element.iter(f"{{{NAMES['s']}}}element")][1:] == [
        {"minOccurs": "0", "maxOccurs": "1", "name": "token", "type": "s:string"},
        {"minOccurs": "0", "maxOccurs": "1", "name": "signature", "type": "s:string"},
        {"minOccurs": "0", "maxOccurs": "1", "name": "messageId", "type": "s:string"},
        {"minOccurs": "1", "maxOccurs": "1", "name": "flag", "type": "s:boolean"},
    ]


def test_it_is_built_once() -> None:
    assert wsdl(SERVICES["sms"], LOCATION) is wsdl(SERVICES["sms"], LOCATION)
    assert wsdl(SERVICES["sms"], LOCATION) != wsdl(SERVICES["account"], LOCATION)


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_location_is_written(location: str) -> None:
    root = etree.fromstring(wsdl(SERVICES["authentication"], f'http://h/"<&{location}'))
    for said in root.xpath("//wsdl:port/*/@location", namespaces=NAMES):
        assert said.startswith('http://h/"<&')
        assert len(said) == 12 + len(location)


# --- requests of a client ---


def values_of(service: Service, field: Field) -> st.SearchStrategy[Any]:
    if field.type in service.enums:
        return st.sampled_from(service.enums[field.type])
    return {
        "string": st.none() | TEXTS,
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "double": st.floats(allow_nan=False, allow_infinity=False),
    }[field.type]


TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r<&>\"'"), min_size=1, max_size=30
).filter(lambda text: "\ufffe" not in text and "\uffff" not in text)
"""What a client can say: XML 1.0 holds no other control characters. An empty text comes back as None."""


@pytest.mark.parametrize("path", SERVICES)
@pytest.mark.parametrize("port", PORTS)
def test_a_client_sees_every_operation(path: str, port: str) -> None:
    service = SERVICES[path]
    (binding,) = [
        each.binding
        for each in client(path).wsdl.services[service.name].ports.values()
        if each.name == service.name + port
    ]
    assert set(binding.all()) == set(service.operations)
    for name, operation in service.operations.items():
        parts = binding.get(name).input.body.type.elements
        assert [part for part, _ in parts] == [field.name for field in operation.parameters]
        assert [element.type.name for _, element in parts] == [f.type for f in operation.parameters]
        assert [element.is_optional for _, element in parts] == [f.optional for f in operation.parameters]


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
@pytest.mark.parametrize("port", PORTS)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_what_a_client_asks_is_understood(path: str, name: str, port: str, data: st.DataObject) -> None:
    service = SERVICES[path]
    operation = service.operations[name]
    values = {f.name: data.draw(values_of(service, f), f.name) for f in operation.parameters}
    proxy = client(path).bind(service.name, service.name + port)
    envelope = client(path).create_message(proxy, name, **values)
    request = read_request(etree.tostring(envelope), PORTS[port].content_type)
    assert (request.version, request.namespace, request.operation) == (PORTS[port], service.namespace, name)
    assert read_parameters(operation, service, request.parameters) == values


# --- answers to a client ---


def results_of(service: Service, type_: str) -> st.SearchStrategy[Any]:
    item = item_of(type_)
    if item is not None:
        return st.lists(results_of(service, item), max_size=3)
    if type_ in service.types:
        return st.fixed_dictionaries({f.name: values_of(service, f) for f in service.types[type_]})
    return values_of(service, Field("", type_))


def answered(path: str, port: str, name: str, octets: bytes) -> Any:
    service = SERVICES[path]
    proxy = client(path).bind(service.name, service.name + port)
    to_plain: Any = serialize_object
    return to_plain(proxy._binding.get(name).process_reply(etree.fromstring(octets)), dict)


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
@pytest.mark.parametrize("port", PORTS)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_what_is_answered_a_client_reads(path: str, name: str, port: str, data: st.DataObject) -> None:
    service = SERVICES[path]
    operation = service.operations[name]
    result = data.draw(results_of(service, operation.result))
    octets = write_response(PORTS[port], service, operation, result)
    schema(path).assertValid(etree.fromstring(octets)[0][0])
    # zeep reads an element without content as None, be it an array or a structure
    is_empty = result == [] or (isinstance(result, dict) and set(result.values()) == {None})
    assert answered(path, port, name, octets) == (None if is_empty else result)


@pytest.mark.parametrize(("path", "name"), OPERATIONS)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_bare_results_are_valid(path: str, name: str, data: st.DataObject) -> None:
    service = SERVICES[path]
    operation: Operation = service.operations[name]
    result = data.draw(results_of(service, operation.result))
    schema(path).assertValid(etree.fromstring(write_result(service, operation, result)))


def test_no_result_is_valid_too() -> None:
    service = SERVICES["sms"]
    operation = service.operations["GetDLR"]
    octets = write_response(SoapVersion.SOAP11, service, operation, None)
    schema("sms").assertValid(etree.fromstring(octets)[0][0])
    schema("sms").assertValid(etree.fromstring(write_result(service, operation, None)))
    assert answered("sms", "Soap", "GetDLR", octets) is None
