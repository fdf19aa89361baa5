"""The presentation of an MMS, SMIL, as far as it has to be touched: where it names parts.

A part is named by ``cid:`` and its Content-ID, or by its Content-Location or name. In a content zip it is a
file, so what named it otherwise is made to name that file. Nothing else of a presentation is changed.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Final
from urllib.parse import unquote

CONTENT_TYPES: Final = frozenset({"application/smil", "application/smil+xml"})
LARGEST: Final = 262_144
"""Octets; a larger presentation is left as it is."""
_SOURCE: Final = re.compile(rb"""(\ssrc\s{0,8}=\s{0,8})("[^"<]{0,500}"|'[^'<]{0,500}')""", re.IGNORECASE)


def refer_to_files(octets: bytes, files: Mapping[str, str]) -> bytes:
    """The presentation with its references turned into file names.

    ``files`` has, for every name that a part has in the message, that of its file, which is safe in XML.
    """

    def named(match: re.Match[bytes]) -> bytes:
        written = unescape(match[2][1:-1].decode("utf-8", "replace")).strip()
        is_id = written[:4].lower() == "cid:"
        wanted = unquote(written[4:]).strip("<>") if is_id else written
        file = files.get(wanted) or files.get(unquote(wanted))
        if file is None or file == written:
            return match[0]
        quote = match[2][:1]
        return match[1] + quote + file.encode("ascii") + quote

    return _SOURCE.sub(named, octets)
