"""WAP push: a link with a title that a phone shows, as a Service Indication in WBXML behind a WSP header.

WAP-167-ServiceInd-20010731-a, WAP-192-WBXML-20010725-a, WAP-230-WSP-20010705-a. The tables below are the few
tokens that a Service Indication needs; texts are UTF-8.
"""

from typing import Final

PORT: Final = 2948  # WAP-259-WDP: WAP Push connectionless
SOURCE_PORT: Final = 9200

_WSP_HEADER: Final = bytes(
    (
        0x01,  # transaction id
        0x06,  # PDU type: Push. WAP-230 §8.2.4.1
        0x04,  # length of what follows
        0x03,  # length of the content type with its parameter
        0xAE,  # application/vnd.wap.sic
        0x81, 0xEA,  # charset=utf-8
    )
)  # fmt: skip
_WBXML_HEADER: Final = bytes((0x02, 0x05, 0x6A, 0x00))  # WBXML 1.2, SI 1.0, UTF-8, no string table
_SI: Final = 0x45  # with content. WAP-167 §8.3.1
_INDICATION: Final = 0xC6  # with content and attributes
_END: Final = 0x01
_STRING: Final = 0x03
_HREFS: Final = (
    ("http://www.", 0x0D),
    ("https://www.", 0x0F),
    ("http://", 0x0C),
    ("https://", 0x0E),
    ("", 0x0B),
)  # WAP-167 §8.3.2
_ENDINGS: Final = ((".com/", 0x85), (".edu/", 0x86), (".net/", 0x87), (".org/", 0x88))  # WAP-167 §8.3.3


def service_indication(title: str, url: str) -> bytes:
    """The push PDU: what goes to ``PORT``."""
    prefix, token = next(pair for pair in _HREFS if url.startswith(pair[0]))
    return (
        _WSP_HEADER
        + _WBXML_HEADER
        + bytes((_SI, _INDICATION, token))
        + _address(url.removeprefix(prefix))
        + bytes((_END,))
        + _string(title)
        + bytes((_END, _END))
    )


def _address(rest: str) -> bytes:
    """The rest of a URL, its first usual ending as one octet."""
    for ending, token in _ENDINGS:
        before, found, after = rest.partition(ending)
        if found:
            return _string(before) + bytes((token,)) + _string(after)
    return _string(rest)


def _string(text: str) -> bytes:
    octets = text.replace("\0", " ").encode("utf-8", "replace")
    return bytes((_STRING,)) + octets + b"\0" if octets else b""
