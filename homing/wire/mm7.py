"""MM7, between an MMS relay and a value added service: SOAP 1.1 envelopes in and out. 3GPP TS 23.140

Networks write many namespaces and versions, some of which do not exist; elements come in any order, with a
prefix or without. So names count here and nothing else, and an answer is written with the namespace, the
prefix and the version of who asked. Contents are not looked at: an envelope only names them, ``cid:``.

What goes wrong with a request is an ``Mm7Problem`` with a status code of MM7; ``write_response`` answers it.
"""

from typing import Final

import msgspec
from lxml import etree

from homing.model.message import LONGEST_SHORT_CODE
from homing.wire.soap import SoapVersion
from homing.wire.xml_document import DEPTH, XmlProblem, is_too_deep, read_document, xml_text

SOAP: Final = SoapVersion.SOAP11.namespace
DEFAULT_NAMESPACE: Final = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"
DEFAULT_VERSION: Final = "6.8.0"
_ADDRESSES: Final = 100
_LONGEST_ADDRESS: Final = 320
_LONGEST_TEXT: Final = 1_000
_CHILDREN: Final = 200

SUCCESS: Final = 1000
PARTIAL_SUCCESS: Final = 1100
CLIENT_ERROR: Final = 2000
ADDRESS_ERROR: Final = 2002
CONTENT_REFUSED: Final = 2004
FORMAT_CORRUPT: Final = 2007
SERVICE_ERROR: Final = 4000
UNSUPPORTED_OPERATION: Final = 4003
SERVICE_UNAVAILABLE: Final = 4006
IMPROPER_IDENTIFICATION: Final = 4001
UNSUPPORTED_VERSION: Final = 4002
STATUS_TEXTS: Final = {
    SUCCESS: "Success", PARTIAL_SUCCESS: "Partial success", CLIENT_ERROR: "Client error",
    ADDRESS_ERROR: "Address error", CONTENT_REFUSED: "Multimedia content refused",
    FORMAT_CORRUPT: "Message format corrupt", SERVICE_ERROR: "General service error",
    IMPROPER_IDENTIFICATION: "Improper identification", UNSUPPORTED_VERSION: "Unsupported version",
    UNSUPPORTED_OPERATION: "Unsupported operation", SERVICE_UNAVAILABLE: "Service unavailable",
}  # fmt: skip
_TEMPORARY: Final = frozenset({3000, 4000, 4005, 4006})


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """How the other side writes, for an answer that it reads."""

    namespace: str = DEFAULT_NAMESPACE
    prefix: str | None = "mm7"
    version: str = DEFAULT_VERSION
    transaction_id: str = ""


class Mm7Problem(Exception):
    """Why a request is not done."""

    def __init__(
        self, code: int, details: str, frame: Frame | None = None, operation: str | None = None
    ) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.frame = frame or Frame()
        self.operation = operation
        """The request that it answers; None when it could not be read."""


class Recipient(msgspec.Struct, frozen=True):
    """One address of a message."""

    address: str
    is_display_only: bool = False
    """Shown to people, but not delivered to through this request."""


class DeliverReq(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a phone has sent."""

    operation: str = "DeliverReq"
    frame: Frame
    sender: str
    to: tuple[Recipient, ...] = ()
    cc: tuple[Recipient, ...] = ()
    bcc: tuple[Recipient, ...] = ()
    subject: str = ""
    linked_id: str = ""
    content_id: str = ""
    """Which part of the request is the content; "" = all but the envelope."""
    carrier_code: str = ""
    """MCC and MNC of the sender's network as the relay wrote them, where it does."""


class ReportReq(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a message that was sent: a delivery report, or a read report."""

    operation: str
    """``DeliveryReportReq`` or ``ReadReplyReq``."""
    frame: Frame
    message_id: str
    recipient: str = ""
    sender: str = ""
    word: str = ""
    """MMStatus, as it stands."""
    text: str = ""
    """StatusText, as it stands."""
    timestamp: str = ""

    @property
    def is_read_report(self) -> bool:
        return self.operation == "ReadReplyReq"


Request = DeliverReq | ReportReq


class SubmitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay says to a SubmitReq."""

    code: int
    text: str = ""
    details: str = ""
    message_id: str = ""

    @property
    def is_taken(self) -> bool:
        return self.code // 1000 == 1

    @property
    def is_temporary(self) -> bool:
        return self.code in _TEMPORARY


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """What a SubmitReq says."""

    transaction_id: str
    namespace: str = DEFAULT_NAMESPACE
    version: str = DEFAULT_VERSION
    vasp_id: str = ""
    vas_id: str = ""
    sender: str
    recipient: str
    subject: str = ""
    wants_delivery_report: bool = False
    wants_read_report: bool = False
    expires_after_s: int | None = None
    content_id: str


# --- requests of a relay ---


def read_relay_request(octets: bytes, content_type: str = "", network_element: str = "") -> Request:
    """The request in an envelope; ``network_element`` is where this relay says MCC and MNC, if it does."""
    operation, frame = read_operation(octets, content_type)
    name = etree.QName(operation).localname
    try:
        if name == "DeliverReq":
            return _deliver(operation, frame, network_element)
        if name in ("DeliveryReportReq", "ReadReplyReq"):
            return _report(operation, frame, name)
    except ValueError as error:
        raise Mm7Problem(FORMAT_CORRUPT, str(error), frame, name) from None
    raise Mm7Problem(UNSUPPORTED_OPERATION, f"{name[:60]} is not done here", frame, name)


def read_operation(octets: bytes, content_type: str) -> tuple[etree._Element, Frame]:
    """The element in the body, and how all of it is written."""
    try:
        root = read_document(octets, content_type)
    except XmlProblem as problem:
        raise Mm7Problem(FORMAT_CORRUPT, str(problem)) from None
    if etree.QName(root).localname != "Envelope":
        raise Mm7Problem(FORMAT_CORRUPT, "the root is not a SOAP envelope")
    if is_too_deep(root):
        raise Mm7Problem(FORMAT_CORRUPT, f"elements lie more than {DEPTH} deep")
    bodies = named(root, "Body")
    contents = [] if not bodies else list(bodies[0])
    if len(contents) != 1:
        raise Mm7Problem(FORMAT_CORRUPT, f"the body holds {len(contents)} elements, one is expected")
    operation = contents[0]
    headers = [entry for header in named(root, "Header") for entry in header]
    ids = [entry for entry in headers if etree.QName(entry).localname == "TransactionID"]
    frame = Frame(
        namespace=etree.QName(operation).namespace or "",
        prefix=operation.prefix,
        version=text_of(operation, "MM7Version")[:20] or DEFAULT_VERSION,
        transaction_id=_content(ids[0])[:_LONGEST_TEXT] if ids else "",
    )
    if len(operation) > _CHILDREN:
        raise Mm7Problem(FORMAT_CORRUPT, f"there are more than {_CHILDREN} elements", frame)
    return operation, frame


def _deliver(operation: etree._Element, frame: Frame, network_element: str) -> DeliverReq:
    recipients = named(operation, "Recipients")
    content = named(operation, "Content")
    href = content[0].get("href", "") if content else ""
    sender = first_address(operation, "Sender")
    if not sender:
        raise ValueError("Sender is missing")

    def listed(kind: str) -> tuple[Recipient, ...]:
        return tuple(
            recipient
            for parent in recipients
            for each in named(parent, kind)
            for recipient in addresses_of(each)
        )

    found = DeliverReq(
        frame=frame, sender=sender, to=listed("To"), cc=listed("Cc"), bcc=listed("Bcc"),
        subject=text_of(operation, "Subject"), linked_id=text_of(operation, "LinkedID"),
        content_id=href.strip().removeprefix("cid:").strip("<>"),
        carrier_code=_within(operation, network_element),
    )  # fmt: skip
    if not (found.to or found.cc or found.bcc):
        raise ValueError("Recipients are missing")
    if len(found.to) + len(found.cc) + len(found.bcc) > _ADDRESSES:
        raise ValueError(f"there are more than {_ADDRESSES} recipients")
    return found


def _report(operation: etree._Element, frame: Frame, name: str) -> ReportReq:
    message_id = text_of(operation, "MessageID")
    if not message_id:
        raise ValueError("MessageID is missing")
    return ReportReq(
        operation=name, frame=frame, message_id=message_id,
        recipient=first_address(operation, "Recipient") or first_address(operation, "Recipients"),
        sender=first_address(operation, "Sender"), word=text_of(operation, "MMStatus"),
        text=text_of(operation, "StatusText"),
        timestamp=text_of(operation, "TimeStamp") or text_of(operation, "Date"),
    )  # fmt: skip


def named(parent: etree._Element, name: str) -> list[etree._Element]:
    """The children with this local name."""
    return [child for child in parent if etree.QName(child).localname == name]


def text_of(parent: etree._Element, name: str) -> str:
    """The text of the first child with this name; "" when there is none."""
    found = named(parent, name)
    return _content(found[0])[:_LONGEST_TEXT] if found else ""


def _within(operation: etree._Element, name: str) -> str:
    """The text of the first element with this name at any depth; "" when there is none."""
    found = [each for each in operation.iter() if name and etree.QName(each).localname == name]
    return _content(found[0])[:_LONGEST_TEXT] if found else ""


def _content(element: etree._Element) -> str:
    return "".join(element.itertext()).strip()


def first_address(parent: etree._Element, name: str) -> str:
    found = [recipient for each in named(parent, name) for recipient in addresses_of(each)]
    return found[0].address if found else ""


def addresses_of(element: etree._Element) -> list[Recipient]:
    """The addresses within an element: of elements of any name, or as its bare text."""
    leaves = [leaf for leaf in element.iter() if not len(leaf)]
    found = []
    for leaf in leaves[: _ADDRESSES + 1]:
        address = read_address(_content(leaf))
        if address:
            found.append(Recipient(address, leaf.get("displayOnly", "").strip() in ("true", "1")))
    return found


def read_address(text: str) -> str:
    """A number or mail address without ``/TYPE=…`` and brackets."""
    address = text.strip().strip("<>").partition("/TYPE=")[0].strip()
    if len(address) > _LONGEST_ADDRESS:
        raise ValueError(f"an address has more than {_LONGEST_ADDRESS} characters")
    return address


# --- answers to a relay ---


def write_response(
    operation: str | None, frame: Frame, code: int = SUCCESS, details: str = "", text: str | None = None
) -> bytes:
    """The answer to a request: ``DeliverRsp`` to a ``DeliverReq`` and so on, else ``VASPErrorRsp``."""
    known = ("DeliverReq", "DeliveryReportReq", "ReadReplyReq")
    name = operation.removesuffix("Req") + "Rsp" if operation in known else "VASPErrorRsp"
    envelope = Envelope(frame, name)
    envelope.add(envelope.body, "MM7Version", frame.version)
    envelope.add_status(code, details, text)
    return envelope.octets()


class Envelope:
    """An envelope in the way of a frame, with one element in its body."""

    def __init__(self, frame: Frame, name: str) -> None:
        self._namespace = frame.namespace
        spaces = {frame.prefix: frame.namespace} if frame.namespace else None
        self._root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"env": SOAP})
        header = etree.SubElement(self._root, f"{{{SOAP}}}Header")
        transaction = etree.SubElement(header, self._tag("TransactionID"), nsmap=spaces)
        transaction.set(f"{{{SOAP}}}mustUnderstand", "1")
        transaction.text = xml_text(frame.transaction_id)
        body = etree.SubElement(self._root, f"{{{SOAP}}}Body")
        self.body = etree.SubElement(body, self._tag(name), nsmap=spaces)

    def add(self, parent: etree._Element, name: str, text: str = "") -> etree._Element:
        added = etree.SubElement(parent, self._tag(name))
        added.text = xml_text(text) or None
        return added

    def add_status(self, code: int, details: str, text: str | None = None) -> None:
        status = self.add(self.body, "Status")
        self.add(status, "StatusCode", str(code))
        self.add(status, "StatusText", STATUS_TEXTS.get(code, "Error") if text is None else text)
        if details:
            self.add(status, "Details", details[:_LONGEST_TEXT])

    def octets(self) -> bytes:
        octets: bytes = etree.tostring(self._root, xml_declaration=True, encoding="UTF-8")
        return octets

    def _tag(self, name: str) -> str:
        return f"{{{self._namespace}}}{name}" if self._namespace else name


# --- submissions to a relay, and what it says ---


def write_submit(submit: Submit) -> bytes:
    """The envelope of a SubmitReq, its elements in the order of the schema."""
    s = submit
    frame = Frame(namespace=s.namespace, version=s.version, transaction_id=s.transaction_id, prefix=None)
    envelope = Envelope(frame, "SubmitReq")
    body, add = envelope.body, envelope.add
    add(body, "MM7Version", s.version)
    who = add(body, "SenderIdentification")
    for name, value in (("VASPID", s.vasp_id), ("VASID", s.vas_id)):
        if value:
            add(who, name, value)
    if s.sender:
        add(add(who, "SenderAddress"), *written_address(s.sender))
    add(add(add(body, "Recipients"), "To"), *written_address(s.recipient))
    if s.expires_after_s is not None:
        add(body, "ExpiryDate", f"PT{s.expires_after_s}S")  # XML Schema part 2 §3.2.6
    add(body, "DeliveryReport", written_boolean(s.wants_delivery_report))
    add(body, "ReadReply", written_boolean(s.wants_read_report))
    if s.subject:
        add(body, "Subject", s.subject)
    content = add(body, "Content")
    content.set("href", f"cid:{xml_text(s.content_id)}")
    content.set("allowAdaptations", "true")
    return envelope.octets()


def written_address(address: str) -> tuple[str, str]:
    """The element that an address stands in, and its text."""
    digits = address.removeprefix("+")
    if "@" in address:
        return "RFC2822Address", address
    if digits.isascii() and digits.isdigit() and len(digits) > LONGEST_SHORT_CODE:
        return "Number", f"+{digits}"
    return "ShortCode", address


def written_boolean(value: bool) -> str:
    return "true" if value else "false"


def read_submit_answer(octets: bytes, content_type: str = "") -> SubmitAnswer:
    """What a relay answered to a SubmitReq: SubmitRsp, RSErrorRsp or a SOAP fault."""
    answer, _frame = read_operation(octets, content_type)
    name = etree.QName(answer).localname
    if name == "Fault":
        return _fault(answer)
    statuses = named(answer, "Status")
    found = _status(statuses[0], text_of(answer, "MessageID")) if statuses else None
    if found is None:
        raise Mm7Problem(FORMAT_CORRUPT, f"{name[:60]} has no StatusCode")
    return found


def _fault(fault: etree._Element) -> SubmitAnswer:
    """A SOAP fault; its detail may hold an ``RSErrorRsp``, which says more. SOAP 1.1 §4.4"""
    for status in fault.iter("{*}Status"):
        found = _status(status, "")
        if found is not None:
            return found
    said = " ".join(filter(None, (text_of(fault, "faultstring"), text_of(fault, "detail"))))
    is_ours = (
        text_of(fault, "faultcode").rpartition(":")[2].startswith("Client")
    )  # not to be sent again as it is
    return SubmitAnswer(code=CLIENT_ERROR if is_ours else SERVICE_ERROR, text="SOAP fault", details=said)


def _status(status: etree._Element, message_id: str) -> SubmitAnswer | None:
    code = text_of(status, "StatusCode")
    if not (code.isascii() and code.isdigit() and len(code) == 4):
        return None
    return SubmitAnswer(
        code=int(code), text=text_of(status, "StatusText"), details=text_of(status, "Details"),
        message_id=message_id,
    )  # fmt: skip
