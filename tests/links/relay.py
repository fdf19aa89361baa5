"""What an MMS relay writes: envelopes and bodies of MM7 in any dress."""

from homing.wire.mm7 import SOAP

SCHEMA = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/"
REL6 = f"{SCHEMA}REL-6-MM7-1-4"
RELATED = 'multipart/related; boundary="outer"; type="text/xml"'


def deliver(
    *, namespace: str = REL6, prefix: str = "m", version: str = "6.8.0", to: str = "", cid: str = "cid:mms",
    more: str = "", transaction: str = "T-1",
) -> bytes:  # fmt: skip
    m = f"{prefix}:" if prefix else ""
    space = f"xmlns{f':{prefix}' if prefix else ''}='{namespace}'" if namespace else ""
    to = to or f"<{m}To><{m}Number>60999</{m}Number></{m}To>"
    content = f"<{m}Content href='{cid}'/>" if cid else ""
    return (
        f"<s:Envelope xmlns:s='{SOAP}'><s:Header><{m}TransactionID {space} s:mustUnderstand='1'>{transaction}"
        f"</{m}TransactionID></s:Header><s:Body><{m}DeliverReq {space}>"
        f"<{m}MM7Version>{version}</{m}MM7Version>"
        f"<{m}Sender><{m}Number>+447700900123/TYPE=PLMN</{m}Number></{m}Sender>"
        f"<{m}Recipients>{to}</{m}Recipients><{m}Subject>Hé</{m}Subject>{more}{content}</{m}DeliverReq>"
        "</s:Body></s:Envelope>"
    ).encode()


def part(octets: bytes, *headers: str) -> bytes:
    return "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + octets


def multipart(boundary: str, *parts: bytes) -> bytes:
    delimiter = f"--{boundary}".encode()
    return b"".join(delimiter + b"\r\n" + each + b"\r\n" for each in parts) + delimiter + b"--\r\n"


def request(envelope: bytes, *parts: bytes) -> bytes:
    return multipart("outer", part(envelope, "Content-Type: text/xml; charset=utf-8"), *parts)


def report(operation: str, word: str, message_id: str = "mmsc-1", text_: str = "") -> bytes:
    return (
        f"<s:Envelope xmlns:s='{SOAP}'><s:Header><TransactionID xmlns='{REL6}'>R-1</TransactionID></s:Header>"
        f"<s:Body><{operation} xmlns='{REL6}'><MM7Version>6.8.0</MM7Version>"
        f"<MessageID>{message_id}</MessageID>"
        "<Recipient><Number>+447700900001</Number></Recipient><Sender><ShortCode>60999</ShortCode></Sender>"
        f"<MMStatus>{word}</MMStatus><StatusText>{text_}</StatusText></{operation}></s:Body></s:Envelope>"
    ).encode()
