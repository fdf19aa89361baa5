"""SOAP 1.1 and 1.2, document/literal, as the Upside services speak it: envelopes in, values out, and back.

Requests are read by lxml without entities, DTD or network, and within a depth; what is wrong with one is a
``SoapProblem`` whose text may be shown. Answers are written as text, field by field of the table, and cannot
fail: what XML 1.0 cannot hold becomes U+FFFD.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

import msgspec
from lxml import etree

from homing.wire.upside_services import PRIMITIVES, Operation, Service, item_of

DEPTH: Final = 32
"""Elements within elements, at most."""

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
_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2
_INT: Final = range(-(1 << 31), 1 << 31)


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


def read_request(octets: bytes) -> Request:
    """The operation in the body of an envelope."""
    root = _parse(octets)
    version = next(
        (version for version in SoapVersion if root.tag == f"{{{version.namespace}}}Envelope"), None
    )
    if version is None:
        raise SoapProblem("the root is no SOAP 1.1 or 1.2 envelope", code="version_mismatch")
    bodies = [child for child in _elements(root) if child.tag == f"{{{version.namespace}}}Body"]
    if len(bodies) != 1:
        raise SoapProblem("the envelope has not one body", version)
    _check_headers(root, version)
    contents = list(_elements(bodies[0]))
    if len(contents) != 1:
        raise SoapProblem(f"the body holds {len(contents)} elements, one is expected", version)
    name = etree.QName(contents[0])
    parameters: dict[str, str | None] = {}
    for child in _elements(contents[0]):
        key = etree.QName(child).localname
        if key in parameters:
            raise SoapProblem(f"parameter {key} stands there twice", version)
        if next(_elements(child), None) is not None:
            raise SoapProblem(f"parameter {key} holds elements, a text is expected", version)
        parameters[key] = None if child.get(_XSI_NIL) in ("true", "1") else _text(child)
    return Request(
        version=version, namespace=name.namespace or "", operation=name.localname, parameters=parameters
    )


def operation_of_action(action: str) -> str | None:
    """The operation that a SOAPAction header names, with or without quotes."""  # SOAP 1.1 §6.1.1
    name = action.strip().strip('"').rstrip("/").rpartition("/")[2]
    return name or None


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


def _parse(octets: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, target=_BoundedTarget(),
    )  # fmt: skip
    try:
        root: etree._Element = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, etree.ParserError, ValueError, LookupError) as error:
        raise SoapProblem(f"the body is not readable as XML: {error}") from None
    return root


class _BoundedTarget:
    """Builds the tree while it looks at the depth; a document type is refused where it stands."""

    def __init__(self) -> None:
        self._builder = etree.TreeBuilder()
        self._depth = 0

    def start(self, tag: str, attributes: Mapping[str, str], nsmap: Any = None) -> Any:
        self._depth += 1
        if self._depth > DEPTH:
            raise SoapProblem(f"elements lie more than {DEPTH} deep")
        return self._builder.start(tag, attributes, nsmap)

    def end(self, tag: str) -> Any:
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, text: str) -> None:
        self._builder.data(text)

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise SoapProblem("a document type declaration is not taken")  # SOAP 1.1 §3

    def close(self) -> Any:
        return self._builder.close()


def _check_headers(root: etree._Element, version: SoapVersion) -> None:
    """No header is understood here, so none may ask to be."""  # SOAP 1.1 §4.2.3, SOAP 1.2 §2.4
    for header in _elements(root):
        if header.tag == f"{{{version.namespace}}}Header":
            for entry in _elements(header):
                if entry.get(f"{{{version.namespace}}}mustUnderstand") in ("1", "true"):
                    name = etree.QName(entry).localname
                    raise SoapProblem(f"header {name} is not understood", version, "must_understand")


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    return (child for child in parent if isinstance(child.tag, str))


def _text(element: etree._Element) -> str:
    return "".join(element.itertext())


def _read(text: str, type_: str, service: Service) -> Any:
    if type_ in PRIMITIVES:
        return _READ[type_](text)
    if text not in service.enums[type_]:
        raise ValueError(f"{text} is no {type_}")
    return text


def _read_boolean(text: str) -> bool:
    """``true``, ``false``, ``1`` or ``0``, in any case as .NET writes them."""
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _read_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text) or int(text) not in _INT:
        raise ValueError(f"{text} is no int")
    return int(text)


def _read_double(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError(f"{text} is no amount")
    return number


def _or_value_error(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reading(text: str) -> Any:
        try:
            return read(text)
        except KeyError:
            raise ValueError(text) from None

    return reading


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": _or_value_error(_read_boolean),
    "int": _read_int,
    "double": _read_double,
}


# --- answers ---


def write_response(version: SoapVersion, service: Service, operation: Operation, result: Any) -> bytes:
    """The envelope with the result of an operation: ``<OpResponse><OpResult>``."""
    content = _written(f"{operation.name}Result", operation.result, service, result)
    body = f'<{operation.name}Response xmlns="{service.namespace}">{content}</{operation.name}Response>'
    return _envelope(version, body)


def write_result(service: Service, operation: Operation, result: Any) -> bytes:
    """The bare document of the bindings by HTTP GET and POST."""
    name = operation.result
    content = _written(name, name, service, result, f' {_SCHEMAS} xmlns="{service.namespace}"')
    return f"{_DECLARATION}\n{content}".encode()


def write_fault(version: SoapVersion, code: FaultCode, text: str, detail: str | None = None) -> bytes:
    """A fault; ``detail`` is the text of its detail, letter by letter as clients compare it."""
    name = _FAULT_CODES[code][version is SoapVersion.SOAP12]
    said = _escaped(text)
    if version is SoapVersion.SOAP11:  # SOAP 1.1 §4.4
        more = "" if detail is None else f"<detail>{_escaped(detail)}</detail>"
        fault = f"<faultcode>soap:{name}</faultcode><faultstring>{said}</faultstring>{more}"
    else:  # SOAP 1.2 §5.4
        more = "" if detail is None else f"<soap:Detail>{_escaped(detail)}</soap:Detail>"
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
        return repr(value).removesuffix(".0")
    return str(value) if isinstance(value, int) else _escaped(value)


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return escape(text)
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})
