"""An MMS relay at the network's end of a journey: sends MM7 over a real socket, and keeps its own record."""

import asyncio
import hashlib
import re
from dataclasses import dataclass, field

from tests.journeys.far import NodeProcess
from tests.links.relay import RELATED, deliver, part, request

LINK = """
[[link]]
name = "mms"
kind = "mm7"
user = "relay"
password = "journey"
"""
_LOGIN = "cmVsYXk6am91cm5leQ=="  # relay:journey


def picture_of(transaction: str, size: int = 20_000) -> bytes:
    """Octets like no other's, the same for the same transaction."""
    block = hashlib.sha256(transaction.encode()).digest()
    return b"\xff\xd8\xff\xe0" + (block * (size // 32 + 1))[:size]


@dataclass
class FarRelay:
    """Sends messages; one that heard no answer is sent again, as relays do."""

    node: NodeProcess
    acknowledged: set[str] = field(default_factory=set)
    """Transactions that were answered 1000."""
    sent: int = 0

    async def deliver(self, transaction: str, *, size: int = 20_000, to: str = "60999") -> int:
        """Send one message, its subject the transaction: MM7's status code, 0 when no answer came."""
        envelope = deliver(transaction=transaction, to=f"<m:To><m:Number>{to}</m:Number></m:To>").replace(
            "Hé".encode(), transaction.encode()
        )
        body = request(
            envelope,
            part(
                picture_of(transaction, size), "Content-Type: image/jpeg; name=pic.jpg", "Content-ID: <mms>"
            ),
        )
        self.sent += 1
        code = await self.post(body)
        if code == 1000:
            self.acknowledged.add(transaction)
        return code

    async def post(self, body: bytes, content_type: str = RELATED) -> int:
        head = (
            f"POST /mm7/mms HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: {content_type}\r\n"
            f'SOAPAction: ""\r\nAuthorization: Basic {_LOGIN}\r\nContent-Length: {len(body)}\r\n\r\n'
        )
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.node.http_port)
            writer.write(head.encode() + body)
            octets = await asyncio.wait_for(reader.read(), 30)
            writer.close()
        except OSError:
            return 0
        found = re.search(rb"StatusCode>(\d{4})<", octets)
        return int(found[1]) if found and octets.rstrip().endswith(b"Envelope>") else 0
