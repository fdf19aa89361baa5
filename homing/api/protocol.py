"""A connection of the faces that takes request lines as careless clients write them.

Octets above 7F in a request line should be escaped; programs exist that send a text in its own charset as it
is. The HTTP parser refuses such a line, so they are escaped before it sees them. A line that holds none is
passed on as it came.

Credentials stand in request lines here by contract, so there is no access log, however logging is configured.
"""

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_UNESCAPED = re.compile(rb"[\x80-\xff]")


class EscapingProtocol(HttpToolsProtocol):
    """uvicorn's connection, with the octets of every request line escaped that need it."""

    _is_in_line = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.access_log = False
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_in_line:
            end = data.find(b"\n")
            self._is_in_line = end < 0
            line = data if end < 0 else data[:end]
            if not line.isascii():
                data = _UNESCAPED.sub(_escaped, line) + data[len(line) :]
        super().data_received(data)

    def on_message_complete(self) -> None:
        self._is_in_line = True
        super().on_message_complete()


def _escaped(octet: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(octet[0])
