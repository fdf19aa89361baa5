"""XML as strangers send it: read by lxml without entities, DTD or network, in a time that grows with its
length and no faster. What is wrong is an ``XmlProblem``; no text of the document stands in its words.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from lxml import etree

DEPTH: Final = 32
"""Elements within elements, at most; ``is_too_deep`` looks."""
_BYTE_ORDER_MARKS: Final = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([\w.:-]{1,40})', re.IGNORECASE | re.ASCII)
_TOO_DEEP: Final = etree.XPath("boolean(" + "/*" * (DEPTH + 1) + ")")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2


class XmlProblem(ValueError):
    """Why octets are no document that is taken."""


def read_document(octets: bytes, content_type: str = "") -> etree._Element:
    """The root element; ``content_type`` may tell the charset."""
    # A byte order mark goes before the charset of the header, that before the declaration. RFC 7303 §3
    charset = None if octets.startswith(_BYTE_ORDER_MARKS) else _CHARSET.search(content_type)
    options: dict[str, Any] = {
        "encoding": charset[1] if charset else None,
        "resolve_entities": False, "no_network": True, "load_dtd": False, "dtd_validation": False,
        "huge_tree": False, "remove_comments": True, "remove_pis": True,
    }  # fmt: skip
    try:
        with suppress(_RootReached):
            etree.fromstring(octets, etree.XMLParser(target=_Prolog(), **options))
        root: etree._Element = etree.fromstring(octets, etree.XMLParser(**options))
    except XmlProblem:
        raise
    except (LookupError, ValueError):
        raise XmlProblem("the charset of the body is not known here") from None
    except etree.XMLSyntaxError as error:
        # The parser's own words would hold pieces of the body, and with bad luck of a password.
        last = error.error_log.last_error
        why = last.type_name.removeprefix("ERR_").lower().replace("_", " ") if last else "empty"
        line, column = error.position
        raise XmlProblem(f"the body is not well-formed XML: {why} at line {line}, column {column}") from None
    return root


def is_too_deep(root: etree._Element) -> bool:
    """Whether elements lie more than ``DEPTH`` deep."""
    return bool(_TOO_DEEP(root))


def xml_text(text: str) -> str:
    """A text without what XML 1.0 cannot hold: it becomes U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


class _RootReached(Exception):
    """The root element begins, and no document type came before it."""


class _Prolog:
    """Reads up to the root. A document type is refused where it begins: to read a long one takes minutes."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise XmlProblem("a document type declaration is not taken")  # SOAP 1.1 §3, SOAP 1.2 §5

    def start(self, _tag: str, _attributes: Mapping[str, str]) -> None:
        raise _RootReached

    def close(self) -> None:
        """Needed by lxml."""
