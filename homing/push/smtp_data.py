"""One mail in pieces over a connection to the relay: its content is read while it is sent.

``aiosmtplib`` sends a mail that is in memory whole, and goes through it on the loop more than once: with
pictures in it that would stop everything else for a good part of a second. So what follows ``DATA`` is ours:
chunk by chunk, no faster than the relay takes it.

What goes wrong is an exception of ``aiosmtplib``, or of the content; after one in the middle the connection
must be closed, and the relay throws away what it has.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

import aiosmtplib

from homing.wire.mail_pieces import MailPieces, stuffed

_GO_ON: Final = 354
_DONE: Final = 250


async def send_in_pieces(
    client: aiosmtplib.SMTP,
    sender: str,
    address: str,
    mail: MailPieces,
    chunks: AsyncGenerator[bytes, None],
) -> str:
    """Hand one mail over; what the relay says to it. Nothing is sent before the first chunk is there."""
    async with aclosing(chunks):
        first = await anext(chunks)
        try:
            await _begin(client, sender, address, len(mail))
        except aiosmtplib.SMTPResponseException:
            with suppress(aiosmtplib.SMTPResponseException, OSError):
                await client.rset()  # the next mail begins anew
            raise
        return await _data(client, first, chunks)


async def _begin(client: aiosmtplib.SMTP, sender: str, address: str, size: int) -> None:
    """Everything before the octets."""
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()
    options = [f"size={size}"] if client.supports_extension("size") else []  # RFC 1870 §5
    await client.mail(sender, options=options)
    await client.rcpt(address)
    response = await client.execute_command(b"DATA")
    if response.code != _GO_ON:
        raise aiosmtplib.SMTPDataError(response.code, response.message)


async def _data(client: aiosmtplib.SMTP, first: bytes, chunks: AsyncGenerator[bytes, None]) -> str:
    """The octets, the dot, and what the relay says to that; one that has heard enough says it earlier."""
    protocol = client.protocol
    assert protocol is not None
    answering = asyncio.ensure_future(protocol.read_response(client.timeout))
    try:
        octets: bytes | None = first
        while octets is not None and not answering.done():
            with suppress(OSError):  # a line that is lost is said where the answer is awaited
                protocol.write(stuffed(octets))
                await protocol._drain_helper()  # what asyncio's streams ask of a protocol for this
            octets = await anext(chunks, None)
        if answering.done():
            client.close()  # the rest of the mail would be read as commands
        else:
            protocol.write(b".\r\n")
        response = await answering
    finally:
        answering.cancel()
    if response.code != _DONE:
        raise aiosmtplib.SMTPDataError(response.code, response.message)
    return response.message
