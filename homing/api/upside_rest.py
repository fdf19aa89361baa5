"""``POST /RESTv1/{token}/Message``: the REST face of the Upside services, for types ``sms`` and ``sms_test``.

Parameters come as a form, in the query as well. The answer is JSON or XML: by ``responsetype``, else by
Accept, else XML (upside.md §8). What is wrong with a message is its ``RejectReason``; what is wrong with the
call is an exception in the same document, and 401 for a wrong token or signature.
"""

import re
from typing import Any, Final

import msgspec
from anyio import CapacityLimiter

from homing.api import upside_sending as sending
from homing.api.client_address import client_address
from homing.api.gateway import Gateway
from homing.api.plain import (
    CLOSE,
    STATUS,
    BodyTooLong,
    Disconnected,
    Headers,
    Receive,
    Scope,
    Send,
    answer,
    answer_line,
    header,
    not_allowed,
    read_body,
)
from homing.api.soap import read_pairs, trouble
from homing.api.upside_call import UpsideCall
from homing.model.errors import Kind, Refusal
from homing.wire.soap import SoapProblem, escaped

PREFIX: Final = "/restv1/"
READERS: Final = 4
_PATH: Final = re.compile(r"/restv1/([^/]{1,64})/message/?", re.IGNORECASE)
_ENCODINGS: Final = {"7": "Seven", "8": "Eight", "16": "Sixteen"}
_TYPES: Final = ("sms", "sms_test")
_PRIVATE: Final[Headers] = ((b"cache-control", b"no-store"),)
_REASONS: Final = (
    ("invalidCountryCode", "INVALID_RECIPIENT"),
    ("messageIsEmpty", "EMPTY_MESSAGE"),
    ("tooManyMessages", "MESSAGE_TOO_LONG"),
    ("balanceIsZero", "INSUFFICIENT_CREDITS"),
)
"""What a flag of ``SMSSendResult`` is called here."""


def _status(kind: Kind) -> int:
    return 401 if kind == "unauthorised" else STATUS[kind]


class UpsideRestFace:
    """The face as an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._threads = CapacityLimiter(READERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            await answer_line(send, 404, "there is /RESTv1/{token}/Message")
            return
        if scope["method"] != "POST":
            await not_allowed(send, ("POST",))
            return
        given: dict[str, str | None] = {}
        try:
            given = read_pairs(scope["query_string"])
            body = await read_body(scope, receive, self._gateway.max_body_bytes)
            given |= read_pairs(body.rstrip(b"\r\n"))
            status, document = 200, await self._send(match[1], given, scope)
        except BodyTooLong:
            limit = self._gateway.max_body_bytes
            await answer_line(send, 413, f"the body is longer than {limit} octets", CLOSE)
            return
        except Disconnected:
            return
        except SoapProblem as problem:
            status, document = 400, _exception("INVALID", problem.text)
        except Refusal as refusal:
            status, document = _status(refusal.kind), _exception(refusal.kind.upper(), refusal.text)
        except Exception as error:
            text, status = trouble(error)
            document = _exception("UNAVAILABLE" if status == 503 else "INTERNAL", text)
        octets, kind = _spelled(document, given, header(scope, b"accept"))
        await answer(send, status, octets, _PRIVATE, kind)

    async def _send(self, token: str, given: dict[str, str | None], scope: Scope) -> dict[str, Any]:
        gateway = self._gateway
        address = client_address(scope, gateway.trusted_proxies)
        account = gateway.logins.account_of_token(token, given.get("signature") or "", address)
        kind, encoding = given.get("type") or "", _ENCODINGS.get(given.get("encoding") or "7")
        if kind not in _TYPES:
            raise Refusal("invalid", f"type is one of {', '.join(_TYPES)}")
        if encoding is None:
            raise Refusal("invalid", "encoding is 7, 8 or 16")
        values = {
            "recipient": given.get("recipient"), "message": given.get("message"), "encoding": encoding,
        }  # fmt: skip
        call = UpsideCall(
            gateway=gateway, account=account, address=address, values=values, threads=self._threads
        )
        result = (await (sending.test(call) if kind == "sms_test" else sending.plain(call))).result
        status = "PASSED" if kind == "sms_test" else "QUEUED"
        sent = {
            "Status": status if result["isOk"] else "REJECTED",
            "TrackingId": result["trackingId"],
            "RejectReason": None if result["isOk"] else _why(result),
        }
        return {"HasException": False, "ErrorCode": None, "ErrorMessage": None, "SMSMessage": sent}


def _why(result: dict[str, Any]) -> str:
    named = (name for flag, name in _REASONS if result[flag])
    return next(named, None) or f"BLOCKED: {result['BlockedReason']}"


def _exception(code: str, text: str) -> dict[str, Any]:
    return {"HasException": True, "ErrorCode": code, "ErrorMessage": text, "SMSMessage": None}


def _spelled(document: dict[str, Any], given: dict[str, str | None], accept: bytes) -> tuple[bytes, bytes]:
    wanted = (given.get("responsetype") or "").lower()
    if wanted == "json" or (not wanted and b"json" in accept and b"xml" not in accept):
        return msgspec.json.encode(document), b"application/json"
    content = "".join(_element(name, value) for name, value in document.items())
    xml = f'<?xml version="1.0" encoding="utf-8"?>\n<MessageResponse>{content}</MessageResponse>'
    return xml.encode(), b"application/xml; charset=utf-8"


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(*pair) for pair in value.items())}</{name}>"
    said = ("true" if value else "false") if isinstance(value, bool) else escaped(value)
    return f"<{name}>{said}</{name}>"
