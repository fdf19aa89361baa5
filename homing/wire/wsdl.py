"""WSDL 1.1 of the Upside services, in the shape that .NET gives it: programs were generated from such files.

Document/literal wrapped, four bindings for each service (SOAP 1.1, SOAP 1.2, HTTP GET, HTTP POST), message
and port names as ``SMSSoap``, ``Send_PlainSoapIn``. Made from the table of services; nothing is said twice.
Built once for a service and its location, and cannot fail, whatever a Host header made of the location.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from homing.wire.soap import escaped
from homing.wire.upside_services import PRIMITIVES, Field, Operation, Service, item_of

_PREFIXES: Final = (
    ("s", "http://www.w3.org/2001/XMLSchema"),
    ("soap12", "http://schemas.xmlsoap.org/wsdl/soap12/"),
    ("http", "http://schemas.xmlsoap.org/wsdl/http/"),
    ("mime", "http://schemas.xmlsoap.org/wsdl/mime/"),
    ("soap", "http://schemas.xmlsoap.org/wsdl/soap/"),
    ("tm", "http://microsoft.com/wsdl/mime/textMatching/"),
    ("soapenc", "http://schemas.xmlsoap.org/soap/encoding/"),
    ("wsdl", "http://schemas.xmlsoap.org/wsdl/"),
)
_SOAP_TRANSPORT: Final = "http://schemas.xmlsoap.org/soap/http"


@lru_cache(maxsize=16)
def wsdl(service: Service, location: str) -> bytes:
    """The whole document; ``location`` is the URL of the service."""
    prefixes = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _PREFIXES)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<wsdl:definitions xmlns:tns="{service.namespace}" {prefixes}',
        f' targetNamespace="{service.namespace}">',
        f"<wsdl:documentation>{escaped(_documentation(service))}</wsdl:documentation>",
        *_types(service),
        *(line for operation in service.operations.values() for line in _messages(service, operation)),
        *(line for kind in ("Soap", "HttpGet", "HttpPost") for line in _port_type(service, kind)),
        *_soap_binding(service, "Soap", "soap"),
        *_soap_binding(service, "Soap12", "soap12"),
        *_http_binding(service, "HttpGet", "GET", "<http:urlEncoded/>"),
        *_http_binding(
            service, "HttpPost", "POST", '<mime:content type="application/x-www-form-urlencoded"/>'
        ),
        *_service(service, location),
        "</wsdl:definitions>",
    ]
    return "\n".join(lines).encode()


def _documentation(service: Service) -> str:
    """What the service is for, and what every call takes and may say."""
    said = service.what
    if any(field.name == "token" for each in service.operations.values() for field in each.parameters):
        said += " token and signature are those that Authentication.asmx gives."
    codes = service.enums.get("ErrorCode")
    return f"{said} Error codes: {', '.join(codes)}." if codes else said


# --- types ---


def _types(service: Service) -> Iterator[str]:
    yield "<wsdl:types>"
    yield f'<s:schema elementFormDefault="qualified" targetNamespace="{service.namespace}">'
    for operation in service.operations.values():
        yield from _wrapper(operation.name, operation.parameters)
        result = Field(f"{operation.name}Result", operation.result, _is_nullable(operation.result))
        yield from _wrapper(f"{operation.name}Response", (result,))
    for name, fields in service.types.items():
        yield f'<s:complexType name="{name}"><s:sequence>'
        yield from map(_element, fields)
        yield "</s:sequence></s:complexType>"
    for array in sorted({o.result for o in service.operations.values() if item_of(o.result)}):
        yield f'<s:complexType name="{array}"><s:sequence>'
        item = item_of(array)
        many = 'minOccurs="0" maxOccurs="unbounded"'
        yield f'<s:element {many} name="{item}" nillable="true" type="tns:{item}"/>'
        yield "</s:sequence></s:complexType>"
    for name, words in service.enums.items():
        values = "".join(f'<s:enumeration value="{word}"/>' for word in words)
        restriction = f'<s:restriction base="s:string">{values}</s:restriction>'
        yield f'<s:simpleType name="{name}">{restriction}</s:simpleType>'
    for root in dict.fromkeys(operation.result for operation in service.operations.values()):
        nillable = ' nillable="true"' if _is_nullable(root) else ""
        yield f'<s:element name="{root}"{nillable} type="{_type(root)}"/>'
    yield "</s:schema></wsdl:types>"


def _wrapper(name: str, fields: tuple[Field, ...]) -> Iterator[str]:
    yield f'<s:element name="{name}"><s:complexType><s:sequence>'
    yield from map(_element, fields)
    yield "</s:sequence></s:complexType></s:element>"


def _element(field: Field) -> str:
    least = 0 if field.optional else 1
    return f'<s:element minOccurs="{least}" maxOccurs="1" name="{field.name}" type="{_type(field.type)}"/>'


def _type(name: str) -> str:
    return f"s:{name}" if name in PRIMITIVES else f"tns:{name}"


def _is_nullable(result: str) -> bool:
    return result == "string" or result not in PRIMITIVES


# --- messages and port types ---


def _messages(service: Service, operation: Operation) -> Iterator[str]:
    name = operation.name
    for way, element in (("In", name), ("Out", f"{name}Response")):
        part = f'<wsdl:part name="parameters" element="tns:{element}"/>'
        yield f'<wsdl:message name="{name}Soap{way}">{part}</wsdl:message>'
    parts = "".join(f'<wsdl:part name="{field.name}" type="s:string"/>' for field in operation.parameters)
    for binding in ("HttpGet", "HttpPost"):
        yield f'<wsdl:message name="{name}{binding}In">{parts}</wsdl:message>'
        yield (
            f'<wsdl:message name="{name}{binding}Out">'
            f'<wsdl:part name="Body" element="tns:{operation.result}"/></wsdl:message>'
        )


def _port_type(service: Service, kind: str) -> Iterator[str]:
    yield f'<wsdl:portType name="{service.name}{kind}">'
    for operation in service.operations.values():
        yield (
            f'<wsdl:operation name="{operation.name}">'
            f"<wsdl:documentation>{escaped(operation.what)}</wsdl:documentation>"
            f'<wsdl:input message="tns:{operation.name}{kind}In"/>'
            f'<wsdl:output message="tns:{operation.name}{kind}Out"/></wsdl:operation>'
        )
    yield "</wsdl:portType>"


# --- bindings ---


def _soap_binding(service: Service, kind: str, prefix: str) -> Iterator[str]:
    yield f'<wsdl:binding name="{service.name}{kind}" type="tns:{service.name}Soap">'
    yield f'<{prefix}:binding transport="{_SOAP_TRANSPORT}"/>'
    for name in service.operations:
        body = f'<{prefix}:body use="literal"/>'
        yield (
            f'<wsdl:operation name="{name}">'
            f'<{prefix}:operation soapAction="{service.namespace}/{name}" style="document"/>'
            f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation>"
        )
    yield "</wsdl:binding>"


def _http_binding(service: Service, kind: str, verb: str, encoded: str) -> Iterator[str]:
    yield f'<wsdl:binding name="{service.name}{kind}" type="tns:{service.name}{kind}">'
    yield f'<http:binding verb="{verb}"/>'
    for name in service.operations:
        yield (
            f'<wsdl:operation name="{name}"><http:operation location="/{name}"/>'
            f"<wsdl:input>{encoded}</wsdl:input>"
            '<wsdl:output><mime:mimeXml part="Body"/></wsdl:output></wsdl:operation>'
        )
    yield "</wsdl:binding>"


def _service(service: Service, location: str) -> Iterator[str]:
    where = escaped(location).replace('"', "&quot;")
    yield f'<wsdl:service name="{service.name}">'
    for kind, prefix in (("Soap", "soap"), ("Soap12", "soap12"), ("HttpGet", "http"), ("HttpPost", "http")):
        yield (
            f'<wsdl:port name="{service.name}{kind}" binding="tns:{service.name}{kind}">'
            f'<{prefix}:address location="{where}"/></wsdl:port>'
        )
    yield "</wsdl:service>"
