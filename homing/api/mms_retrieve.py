"""``RetrieveMMS``: the content zip of an MMS, by the inbound password of its account. mx §11.3

What is wrong is said as ``SMSSend`` says it, one line of plain text. Credentials stand in the query by
contract, so nothing of a request is logged.
"""

from functools import partial
from typing import Final

from homing.api.client_address import client_address
from homing.api.content_answer import ContentAnswers, Selected
from homing.api.form_parameters import Parameters, credential, event_id
from homing.api.form_request import WRONG, answer_wrong, request_parameters
from homing.api.gateway import Gateway
from homing.api.plain import Disconnected, Headers, Receive, Scope, Send, not_allowed
from homing.engine.records import FoundContent
from homing.model.account import Account
from homing.model.errors import Refusal

METHODS: Final = ("GET", "HEAD", "POST")

ZIP: Final[Headers] = (
    (b"content-type", b"application/zip"),
    (b"content-disposition", b"attachment; filename=mms.zip"),
)


class RetrieveFace:
    """``GET|HEAD|POST /RetrieveMMS``, as an ASGI application."""

    def __init__(self, gateway: Gateway, answers: ContentAnswers) -> None:
        self._gateway = gateway
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:
            await not_allowed(send, METHODS)
            return
        limit = self._gateway.max_body_bytes
        try:
            parameters = await request_parameters(scope, receive, limit)
            account = await self._login(scope, parameters)
            event = event_id(parameters, "id")
            await self._answers.answer(scope, receive, send, event, partial(_zip_of, account.name, event))
        except WRONG as wrong:
            await answer_wrong(send, wrong, limit)
        except Disconnected:
            pass

    async def _login(self, scope: Scope, parameters: Parameters) -> Account:
        address = client_address(scope, self._gateway.trusted_proxies)
        name, password = credential(parameters, "user"), credential(parameters, "pass")
        return await self._gateway.logins.inbound_account(name, password, address)


def whole(found: FoundContent) -> Selected:
    """The zip with all parts."""
    content = found.mms.content
    return Selected(sha256=content.sha256, offset=0, size=content.size, headers=ZIP)


def _zip_of(account: str, event: int, found: FoundContent) -> Selected:
    if found.account != account:
        raise Refusal("not_found", f"there is no MMS {event}")  # as if it were not there at all
    return whole(found)
