"""For operators and their machines: ``/healthz``, ``/readyz`` and ``/metrics``.

``/healthz`` says that the process lives, and nothing else. ``/readyz`` says whether submissions can be
taken: the store can be written, every listener is up, and the node is not about to end. Links are shown, not
required.
"""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from homing.api.gateway import Gateway
from homing.api.plain import Receive, Scope, Send, answer, not_allowed

METHODS = ("GET", "HEAD")


class Operations:
    """The three routes; each is an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /healthz``."""
        if await _is_asked(scope, send):
            await answer(send, 200, b"ok")

    async def readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /readyz``: 200 or 503, and why, as JSON."""
        if not await _is_asked(scope, send):
            return
        health = self._gateway.health()
        said = {
            "ready": health.is_ready,
            "store": health.store_trouble or "ok",
            "listeners": health.listening,
            "links": list(health.links),
            "draining": health.draining,
        }
        status = 200 if health.is_ready else 503
        await answer(send, status, msgspec.json.encode(said), content_type=b"application/json")

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /metrics``."""
        if await _is_asked(scope, send):
            body = self._gateway.metrics()
            await answer(send, 200, body, content_type=CONTENT_TYPE_LATEST.encode("ascii"))


async def _is_asked(scope: Scope, send: Send) -> bool:
    """Whether the method is right; if not, that has been answered."""
    if scope["method"] in METHODS:
        return True
    await not_allowed(send, METHODS)
    return False
