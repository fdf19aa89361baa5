"""Which path leads to which face: one look-up per request, straight on ASGI.

``ROUTES`` is what the documentation is tested against. What is under ``/v1`` belongs to the REST face and is
listed there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from homing.api import mms_content, rest, soap, upside_rest
from homing.api.content_answer import ContentAnswers
from homing.api.direct import DirectFace
from homing.api.form import FormFace
from homing.api.gateway import Gateway
from homing.api.mm7_door import PREFIX as MM7_PREFIX
from homing.api.mm7_door import Mm7Door
from homing.api.mms_content import ContentFace
from homing.api.mms_retrieve import RetrieveFace
from homing.api.mms_send import MmsSendFace
from homing.api.operations import METHODS, Operations
from homing.api.plain import App, Receive, Scope, Send, answer_line
from homing.api.soap import SoapFace
from homing.api.upside_rest import UpsideRestFace


class Route(NamedTuple):
    methods: tuple[str, ...]
    path: str
    what: str


ROUTES = (
    Route(("GET", "POST"), "/SMSSend", "send one message"),
    Route(("GET", "POST"), "/sms/v1/send", "the same under its newer name"),
    Route(("POST",), "/sms/v1/bulksend", "send one message to many recipients"),
    Route(("GET", "POST"), "/SendMMS", "send one MMS"),
    Route(("GET", "POST"), "/mms/v1/send", "the same under its newer name"),
    Route(("GET", "HEAD", "POST"), "/RetrieveMMS", "get the content of an MMS"),
    Route(("GET", "HEAD", "POST"), "/mms/v1/http/retrieve", "the same under its newer name"),
    Route(("GET", "HEAD"), "/mms/v1/content/{event}/{number}", "get it, or a part of it, by a signed link"),
    Route(("GET", "POST"), "/soap/Authentication.asmx", "exchange user name and password for a token"),
    Route(("GET", "POST"), "/soap/SMS.asmx", "send messages, read the mailbox"),
    Route(("GET", "POST"), "/soap/Account.asmx", "balance, profile and users of an account"),
    Route(("POST",), "/RESTv1/{token}/Message", "send a message, as the Upside REST interface has it"),
    Route(("POST",), "/mm7/{name}", "messages and reports of an MMS relay"),
    Route(METHODS, "/healthz", "whether the process lives"),
    Route(METHODS, "/readyz", "whether submissions can be taken"),
    Route(METHODS, "/metrics", "counters in the Prometheus text format"),
)

_REST = "/v1"


class Application:
    """All faces as one ASGI application. It needs no lifespan events, and answers them."""

    def __init__(self, gateway: Gateway) -> None:
        form = FormFace(gateway)
        send_mms = MmsSendFace(gateway)
        operations = Operations(gateway)
        answers = ContentAnswers(gateway)
        retrieve = RetrieveFace(gateway, answers)
        self._faces: dict[str, App] = {
            "/SMSSend": form.send_one,
            "/sms/v1/send": form.send_one,
            "/sms/v1/bulksend": form.send_many,
            "/SendMMS": send_mms,
            "/mms/v1/send": send_mms,
            "/RetrieveMMS": retrieve,
            "/mms/v1/http/retrieve": retrieve,
            "/healthz": operations.healthz,
            "/readyz": operations.readyz,
            "/metrics": operations.metrics,
        }
        self._contents: App = ContentFace(gateway, answers)
        self._resources: App = rest.application(gateway)
        self._relays: App = Mm7Door(gateway)
        self._services: dict[str, App] = {
            soap.PREFIX: SoapFace(gateway),
            upside_rest.PREFIX: UpsideRestFace(gateway),
        }
        self.direct: Mapping[bytes, DirectFace] = dict.fromkeys(
            (b"/SMSSend", b"/sms/v1/send"), form.send_directly
        )
        """By their paths, what ``api.direct`` calls without a task."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _live(scope, receive, send)
            return
        path: str = scope["path"]
        face = self._faces.get(path)
        if face is not None:
            await face(scope, receive, send)
        elif path == _REST or path.startswith(f"{_REST}/"):
            await self._resources(scope, receive, send)
        elif path.startswith(MM7_PREFIX):
            await self._relays(scope, receive, send)
        elif path.startswith(mms_content.PREFIX):
            await self._contents(scope, receive, send)
        else:
            await self._service(path)(scope, receive, send)

    def _service(self, path: str) -> App:
        """Of the services whose paths have no case, the one of a path; else nothing is found."""
        folded = path.lower()
        for prefix, service in self._services.items():
            if folded.startswith(prefix):
                return service
        return _nothing


async def _nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer_line(send, 404, "not found")


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """Agree to the start and the end of the application; nothing else is spoken here."""
    if scope["type"] != "lifespan":
        raise ValueError(f"{scope['type']} is not spoken here")
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
