"""SOAP 1.1 and 1.2, document/literal, as the Upside services speak it: envelopes in, values out, and back.

Requests are read by lxml without entities, DTD or network, within a depth, in a time that grows with their
length and no faster. What is wrong with one is a ``SoapProblem``; its text may be shown and logged, no
parameter that is a text stands in it. Answers are written as text, field by field of the table, and cannot
fail: what XML 1.0 cannot hold becomes U+FFFD.
"""

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

import msgspec
from lxml import etree

from homing.wire.upside_services import PRIMITIVES, Operation, Service, item_of
from homing.wire.xml_document import DEPTH, XmlProblem, is_too_deep, read_document, xml_text

CHILDREN: Final = 100
"""Children of an element that is looked into, at most: the longest operation has twelve parameters."""

FaultCode = Literal["client", "server", "must_understand", "version_mismatch"]


class SoapVersion(Enum):
    """SOAP 1.1 (W3C note of 8 May 2000) and SOAP 1.2 (part 1, second edition)."""

    SOAP11 = "1.1"
    SOAP12 = "1.2"

    @property
    def namespace(self) -> str:
        return _NAMESPACES[self]

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES[self]


_NAMESPACES: Final = {
    SoapVersion.SOAP11: "http://schemas.xmlsoap.org/soap/envelope/",
    SoapVersion.SOAP12: "http://www.w3.org/2003/05/soap-envelope",
}
_CONTENT_TYPES: Final = {
    SoapVersion.SOAP11: "text/xml; charset=utf-8",
    SoapVersion.SOAP12: "application/soap+xml; charset=utf-8",
}
_FAULT_CODES: Final[Mapping[FaultCode, tuple[str, str]]] = {
    "client": ("Client", "Sender"),
    "server": ("Server", "Receiver"),
    "must_understand": ("MustUnderstand", "MustUnderstand"),
    "version_mismatch": ("VersionMismatch", "VersionMismatch"),
}  # SOAP 1.1 §4.4.1, SOAP 1.2 §5.4.6
_SCHEMAS: Final = (
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
)
_XSI_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_XSI_NIL_ATTRIBUTE: Final = ' xsi:nil="true"'
_TARGETS: Final = {
    SoapVersion.SOAP11: ("actor", ("", "http://schemas.xmlsoap.org/soap/actor/next")),
    SoapVersion.SOAP12: (
        "role",
        ("", *(f"{_NAMESPACES[SoapVersion.SOAP12]}/role/{role}" for role in ("next", "ultimateReceiver"))),
    ),
}
# SOAP 1.1 §4.2.2, SOAP 1.2 §2.2
"""The attribute that says whom a header is for, and its values that mean us."""
_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
# The lexical forms of XML Schema part 2 §3.2.2, §3.2.5, §3.3.17
_INT: Final = range(-(1 << 31), 1 << 31)
_INT_TEXT: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DOUBLE_TEXT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class SoapProblem(Exception):
    """What is wrong with a request, to be answered as a fault."""

    def __init__(
        self, text: str, version: SoapVersion = SoapVersion.SOAP11, code: FaultCode = "client"
    ) -> None:
        super().__init__(text)
        self.text = text
        self.version = version
        self.code: FaultCode = code


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An operation as it was asked for, its parameters still texts."""

    version: SoapVersion
    namespace: str
    operation: str
    parameters: Mapping[str, str | None]


# --- requests ---


def read_request(octets: bytes, content_type: str = "") -> Request:
    """The operation in the body of an envelope; ``content_type`` tells charset and SOAP version."""
    expected = SoapVersion.SOAP12 if "soap+xml" in content_type.lower() else SoapVersion.SOAP11
    try:
        root = read_document(octets, content_type)
    except XmlProblem as problem:
        raise SoapProblem(str(problem), expected) from None
    tag = etree.QName(root)
    version = next((version for version in SoapVersion if tag.namespace == version.namespace), None)
    if tag.localname != "Envelope":
        raise SoapProblem(f"the root is {tag.localname}, a SOAP envelope is expected", version or expected)
    if version is None:  # SOAP 1.1 §4.1.2, SOAP 1.2 §2.8
        raise SoapProblem("the envelope is not that of SOAP 1.1 or 1.2", expected, "version_mismatch")
    if is_too_deep(root):
        raise SoapProblem(f"elements lie more than {DEPTH} deep", version)
    parts = _children(root, "the envelope", version)
    _check_headers(parts, version)
    bodies = [part for part in parts if part.tag == f"{{{version.namespace}}}Body"]
    if len(bodies) != 1:
        raise SoapProblem(f"the envelope has {len(bodies)} bodies, one is expected", version)
    contents = _children(bodies[0], "the body", version)
    if len(contents) != 1:
        raise SoapProblem(f"the body holds {len(contents)} elements, one is expected", version)
    name = etree.QName(contents[0])
    return Request(
        version=version,
        namespace=name.namespace or "",
        operation=name.localname,
        parameters=_parameters(contents[0], version),
    )


def operation_of_action(action: str) -> str | None:
    """The operation that a SOAPAction header names, quoted or not; PHP writes ``#`` before it."""
    name = re.split("[/#]", action.strip().strip('"').rstrip("/"))[-1]  # SOAP 1.1 §6.1.1
    return name.strip() or None


def read_parameters(
    operation: Operation, service: Service, given: Mapping[str, str | None]
) -> dict[str, Any]:
    """Typed values of all parameters, None for a text that is left out; others are passed over."""
    folded = {name.casefold(): value for name, value in given.items()}
    values: dict[str, Any] = {}
    for field in operation.parameters:
        text = given[field.name] if field.name in given else folded.get(field.name.casefold())
        if field.type == "string":
            values[field.name] = text
            continue
        if text is None or not text.strip():
            raise SoapProblem(f"Missing parameter: {field.name}.")
        try:
            values[field.name] = _read(text.strip(), field.type, service)
        except ValueError as error:
            raise SoapProblem(
                f"Cannot convert {text[:40]} to {field.type}: parameter {field.name}."
            ) from error
    return values


def _check_headers(parts: list[etree._Element], version: SoapVersion) -> None:
    """No header is understood here, so none for us may ask to be."""  # SOAP 1.1 §4.2.3, SOAP 1.2 §2.4
    attribute, ours = _TARGETS[version]
    for part in parts:
        if part.tag != f"{{{version.namespace}}}Header":
            continue
        for entry in _children(part, "the header", version):
            must = entry.get(f"{{{version.namespace}}}mustUnderstand", "").strip() in ("1", "true")
            if must and entry.get(f"{{{version.namespace}}}{attribute}", "").strip() in ours:
                name = etree.QName(entry).localname
                raise SoapProblem(f"header {name} is not understood", version, "must_understand")


def _parameters(operation: etree._Element, version: SoapVersion) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for child in _children(operation, "the operation", version):
        key = etree.QName(child).localname
        if key in parameters:
            raise SoapProblem(f"parameter {key} stands there twice", version)
        if len(child):
            raise SoapProblem(f"parameter {key} holds elements, a text is expected", version)
        nil = child.get(_XSI_NIL, "").strip() in ("true", "1")
        parameters[key] = None if nil else child.text or ""
    return parameters


def _children(parent: etree._Element, what: str, version: SoapVersion) -> list[etree._Element]:
    if len(parent) > CHILDREN:
        raise SoapProblem(f"{what} holds more than {CHILDREN} elements", version)
    return list(parent)


def _read(text: str, type_: str, service: Service) -> Any:
    if type_ in PRIMITIVES:
        return _READ[type_](text)
    if text not in service.enums[type_]:
        raise ValueError(f"{text} is no {type_}")
    return text


def _read_boolean(text: str) -> bool:
    """``true``, ``false``, ``1`` or ``0``, in any case as .NET takes them."""
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text} is no boolean")
    return _BOOLEANS[text.lower()]


def _read_int(text: str) -> int:
    if not _INT_TEXT.fullmatch(text) or int(text) not in _INT:
        raise ValueError(f"{text} is no int")
    return int(text)


def _read_double(text: str) -> float:
    """A finite one: all of them are amounts."""
    if not _DOUBLE_TEXT.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no amount")
    return number


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": _read_boolean,
    "int": _read_int,
    "double": _read_double,
}


# --- answers ---


def write_response(version: SoapVersion, service: Service, operation: Operation, result: Any) -> bytes:
    """The envelope with the result of an operation: ``<OpResponse><OpResult>``."""
    # What is None is left out, not sent empty. upside.md §1
    content = "" if result is None else _written(f"{operation.name}Result", operation.result, service, result)
    body = f'<{operation.name}Response xmlns="{service.namespace}">{content}</{operation.name}Response>'
    return _envelope(version, body)


def write_result(service: Service, operation: Operation, result: Any) -> bytes:
    """The bare document of the bindings by HTTP GET and POST."""
    name = operation.result
    attributes = f' {_SCHEMAS} xmlns="{service.namespace}"'
    if result is None:
        content = f"<{name}{attributes}{_XSI_NIL_ATTRIBUTE} />"
    else:
        content = _written(name, name, service, result, attributes)
    return f"{_DECLARATION}\n{content}".encode()


def write_fault(version: SoapVersion, code: FaultCode, text: str, detail: str | None = None) -> bytes:
    """A fault; ``detail`` is the text of its detail, letter by letter as clients compare it."""
    name = _FAULT_CODES[code][version is SoapVersion.SOAP12]
    said = escaped(text)
    if version is SoapVersion.SOAP11:  # SOAP 1.1 §4.4
        more = "" if detail is None else f"<detail>{escaped(detail)}</detail>"
        fault = f"<faultcode>soap:{name}</faultcode><faultstring>{said}</faultstring>{more}"
    else:  # SOAP 1.2 §5.4
        more = "" if detail is None else f"<soap:Detail>{escaped(detail)}</soap:Detail>"
        fault = (
            f"<soap:Code><soap:Value>soap:{name}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{said}</soap:Text></soap:Reason>{more}'
        )
    return _envelope(version, f"<soap:Fault>{fault}</soap:Fault>")


def _envelope(version: SoapVersion, body: str) -> bytes:
    return (
        f'{_DECLARATION}\n<soap:Envelope xmlns:soap="{version.namespace}" {_SCHEMAS}>'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def _written(name: str, type_: str, service: Service, value: Any, attributes: str = "") -> str:
    item = item_of(type_)
    if item is not None:
        content = "".join(f"<{item}>{_fields(service, item, each)}</{item}>" for each in value)
    elif type_ in service.types:
        content = _fields(service, type_, value)
    else:
        content = _spelled(value)
    return f"<{name}{attributes}>{content}</{name}>"


def _fields(service: Service, type_: str, value: Mapping[str, Any]) -> str:
    """The elements of a type; an optional one that is None is left out (upside.md §1)."""
    return "".join(
        [
            f"<{field.name}>{_spelled(value[field.name])}</{field.name}>"
            for field in service.types[type_]
            if not (field.optional and value.get(field.name) is None)
        ]
    )


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
        return repr(value).removesuffix(".0")
    return str(value) if isinstance(value, int) else escaped(value)


def escaped(text: str) -> str:
    """A text as the content of an element; a parser gives it back, but for what XML 1.0 cannot hold."""
    if text.isascii() and text.isprintable():
        return escape(text)
    return escape(xml_text(text), {"\r": "&#13;"})
