"""One request of a simulated MMSC over a socket of its own, and what was answered. Blocks; called in threads.

What goes wrong with the connection, or is no HTTP, is an ``OSError``. Passwords are in no text of it.
"""

from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

import msgspec

from homing.wire.mm7 import Mm7Problem, read_submit_answer
from homing.wire.mm7_request import basic_credentials
from homing.wire.target import read_url

ANSWER_CAP: Final = 65_536
"""Octets of an answer that are read."""


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered: a status of MM7 (four digits), or of HTTP (three) when it was none."""

    status: int
    text: str = ""
    details: str = ""

    @property
    def is_taken(self) -> bool:
        return self.status // 1000 == 1


def post(
    url: str, content_type: str, body: bytes, *, user: str = "", password: str = "", timeout_s: float = 30.0
) -> Posted:
    """Send a request and read its answer. ``ValueError``: the URL cannot be read."""
    target, path = read_url(url)
    kind = HTTPSConnection if target.scheme == "https" else HTTPConnection
    connection = kind(target.host, target.port, timeout=timeout_s)
    headers = {"Content-Type": content_type, "SOAPAction": '""', "Connection": "close"}
    if user:
        headers["Authorization"] = basic_credentials(user, password)
    try:
        connection.putrequest("POST", path)
        for name, value in (*headers.items(), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders()
        # Who has heard enough answers and closes: the answer counts. RFC 9112 §9.3
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(body)
        answer = connection.getresponse()
        return _read(answer.status, answer.read(ANSWER_CAP))
    except HTTPException as error:
        raise OSError(f"the answer is not HTTP: {type(error).__name__}") from None
    finally:
        connection.close()


def _read(status: int, octets: bytes) -> Posted:
    try:
        said = read_submit_answer(octets)
    except Mm7Problem:
        line = octets[:200].decode("utf-8", "replace").partition("\n")[0].strip()
        return Posted(status=status, text=f"HTTP {status}", details=line)
    return Posted(status=said.code, text=said.text, details=said.details)
