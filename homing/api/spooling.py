"""Octets of a request on their way into a spool: gathered on the loop, written in threads.

The spool is opened with the first of them, and thrown away when the request is over, however it ends.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import TypeVar

from homing.engine.contents import CHUNK, Contents, Piece, Spool

T = TypeVar("T")


class Spooling:
    """One request's spool; a context manager that closes it."""

    def __init__(self, contents: Contents, threads: Executor) -> None:
        self._contents = contents
        self._threads = threads
        self._spool: Spool | None = None
        self._gathered = bytearray()

    async def __aenter__(self) -> "Spooling":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spool is not None:
            await self.run(self._spool.close)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run in a thread what blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def write(self, octets: bytes) -> None:
        """More of the part."""
        self._gathered += octets
        if len(self._gathered) >= CHUNK:
            await self._write_gathered()

    async def end_part(self) -> tuple[Spool, Piece]:
        """The part is whole; where it lies."""
        spool = await self._write_gathered()
        return spool, spool.end_part()

    async def _write_gathered(self) -> Spool:
        gathered, self._gathered = bytes(self._gathered), bytearray()
        if self._spool is None:
            self._spool = await self.run(self._contents.spool)
        await self.run(self._spool.write, gathered)
        return self._spool
