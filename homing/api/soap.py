"""The Upside services over HTTP: SOAP 1.1, SOAP 1.2, HTTP GET and HTTP POST, WSDL and help pages.

``/soap/{Authentication,SMS,Account}.asmx``, in any case. The operation is that of the body's element, else of
SOAPAction. What goes wrong is a fault in the version that was asked in, or a line of text with a status. What
an answer makes read is marked when its last octet has left: a client that hung up gets the mails again.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import structlog

from homing.api.client_address import client_address
from homing.api.direct import TRANSPORT
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
from homing.api.upside import FAULTS, Operations
from homing.api.upside_call import Answer
from homing.model.errors import Refusal, StoreUnavailable, TooSoon
from homing.wire.soap import (
    SoapProblem,
    SoapVersion,
    operation_of_action,
    read_parameters,
    read_request,
    write_fault,
    write_response,
    write_result,
)
from homing.wire.soap_help import operation_page, service_page
from homing.wire.upside_services import SERVICES, Operation, Service
from homing.wire.wsdl import wsdl

log = structlog.get_logger(__name__)

PREFIX: Final = "/soap/"
BODY_LIMIT: Final = 1_048_576
"""Octets of a request, unless ``[http] max_body_bytes`` is less."""
_PATH: Final = re.compile(r"/soap/([a-z]+)\.asmx(?:/([a-z_]+))?", re.IGNORECASE | re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_MOST_PARAMETERS: Final = 50
_XML: Final = b"text/xml; charset=utf-8"
_HTML: Final = b"text/html; charset=utf-8"
_PRIVATE: Final[Headers] = ((b"cache-control", b"private, max-age=0"),)
_FORM: Final = b"application/x-www-form-urlencoded"
_SAFE: Final[Headers] = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    (b"x-content-type-options", b"nosniff"),
)


class _Reply(NamedTuple):
    """What goes out, and what is to be done when it has."""

    status: int
    body: bytes
    kind: bytes
    headers: Headers = ()
    answer: Answer | None = None


class SoapFace:
    """The services as an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._operations = Operations(gateway)
        self._limit = min(BODY_LIMIT, gateway.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match = _PATH.fullmatch(scope["path"])
        service = SERVICES.get(match[1].lower()) if match else None
        if match is None or service is None:
            names = ", ".join(f"{PREFIX}{each.name}.asmx" for each in SERVICES.values())
            await answer_line(send, 404, f"the services are {names}")
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in ("GET", "POST"):
            await not_allowed(send, ("GET", "POST"))
            return
        try:
            if match[2] is not None:
                reply = await self._bare(service, match[2], scope, receive)
            elif method == "POST":
                reply = await self._soap(service, scope, receive)
            else:
                reply = self._page(service, scope)
        except BodyTooLong:
            await answer_line(send, 413, f"the body is longer than {self._limit} octets", CLOSE)
        except Disconnected:
            return
        else:
            await self._write(scope, send, reply)

    # --- SOAP ---

    async def _soap(self, service: Service, scope: Scope, receive: Receive) -> _Reply:
        body = await read_body(scope, receive, self._limit)
        kind = header(scope, b"content-type").decode("latin-1")
        version = SoapVersion.SOAP12 if "soap+xml" in kind else SoapVersion.SOAP11
        try:
            request = read_request(body, kind)
            version = request.version
            operation = _operation(service, request.operation, scope)
            values = read_parameters(operation, service, request.parameters)
            done = await self._operations.run(service, operation, values, self._address(scope))
        except SoapProblem as problem:
            # What was read of the envelope says the version best.
            said = version if problem.version is SoapVersion.SOAP11 else problem.version
            return _fault(said, write_fault(said, problem.code, problem.text))
        except Refusal as refusal:
            code, detail = FAULTS[refusal.kind]
            return _fault(version, write_fault(version, code, refusal.text, detail), _wait(refusal))
        except Exception as error:
            text, status = trouble(error)
            detail = FAULTS["unavailable"].detail if status == 503 else None
            return _fault(version, write_fault(version, "server", text, detail))
        octets = write_response(version, service, operation, done.result)
        return _Reply(200, octets, version.content_type.encode(), answer=done)

    # --- HTTP GET and POST ---

    async def _bare(self, service: Service, name: str, scope: Scope, receive: Receive) -> _Reply:
        operation = _by_name(service, name)
        if operation is None:
            return _line(404, f"{service.name} has no operation {name}")
        try:
            given = read_pairs(scope["query_string"])
            if scope["method"] == "POST":
                given |= await self._form(scope, receive)
            values = read_parameters(operation, service, given)
            done = await self._operations.run(service, operation, values, self._address(scope))
        except SoapProblem as problem:
            return _line(400, problem.text)
        except Refusal as refusal:
            detail = FAULTS[refusal.kind].detail
            text = refusal.text if detail is None else f"{detail}: {refusal.text}"
            return _line(STATUS[refusal.kind], text, _wait(refusal))
        except (BodyTooLong, Disconnected):
            raise
        except Exception as error:
            text, status = trouble(error)
            return _line(status, text)
        return _Reply(200, write_result(service, operation, done.result), _XML, answer=done)

    async def _form(self, scope: Scope, receive: Receive) -> dict[str, str | None]:
        body = await read_body(scope, receive, self._limit)
        kind = header(scope, b"content-type").partition(b";")[0].strip()
        if kind not in (_FORM, b"") and body:
            raise SoapProblem(f"send the parameters as {_FORM.decode()}")
        return read_pairs(body.rstrip(b"\r\n"))

    def _page(self, service: Service, scope: Scope) -> _Reply:
        """The list of operations, the page of one, or the WSDL."""
        query = {key.lower(): value for key, value in read_pairs(scope["query_string"]).items()}
        if "wsdl" in query:
            return _Reply(200, wsdl(service, _location(service, scope)), _XML)
        if "op" in query:
            operation = _by_name(service, query["op"] or "")
            if operation is None:
                return _line(404, f"{service.name} has no such operation")
            return _Reply(200, operation_page(service, operation, _location(service, scope)), _HTML, _SAFE)
        return _Reply(200, service_page(service, f"{PREFIX}{service.name}.asmx"), _HTML, _SAFE)

    def _address(self, scope: Scope) -> str:
        return client_address(scope, self._gateway.trusted_proxies)

    # --- answers ---

    async def _write(self, scope: Scope, send: Send, reply: _Reply) -> None:
        status, body, kind, headers, done = reply
        headers = (*headers, *_PRIVATE)
        handed = None if done is None else done.handed
        if handed is None:
            await answer(send, status, body, headers, kind)
            return
        try:
            if await _write_out(scope, send, status, body, headers, kind):
                await handed.taken()
        except StoreUnavailable as error:  # they come again
            log.warning("mails_not_marked", error=str(error))
        finally:
            handed.close()


async def _write_out(
    scope: Scope, send: Send, status: int, body: bytes, headers: Headers, kind: bytes
) -> bool:
    """Send a whole answer, and say whether its last octet has left the process for a client who is there."""
    transport = scope[TRANSPORT]
    transport.set_write_buffer_limits(high=0)  # so that the server waits for all of it
    try:
        fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        is_out = not transport.is_closing() and not transport.get_write_buffer_size()
        await send({"type": "http.response.body", "body": b""})
    finally:
        if not transport.is_closing():
            transport.set_write_buffer_limits()
    return is_out


def _operation(service: Service, name: str, scope: Scope) -> Operation:
    """That of the body's element, else of SOAPAction."""
    found = service.operations.get(name)
    if found is not None:
        return found
    action = next((value for key, value in scope["headers"] if key == b"soapaction"), b"")
    named = operation_of_action(action.decode("latin-1"))
    found = service.operations.get(named or "") or _by_name(service, name)
    if found is None:
        raise SoapProblem(f"{service.name} has no operation {name[:80]}")
    return found


def _by_name(service: Service, name: str) -> Operation | None:
    """An operation in any case."""
    return next((each for key, each in service.operations.items() if key.lower() == name.lower()), None)


def read_pairs(octets: bytes) -> dict[str, str | None]:
    """Parameters of a query or form, in UTF-8 or else in Latin-1; the first of a name counts."""
    text = octets.decode("latin-1")
    try:
        pairs = _split(text, "utf-8")
    except UnicodeDecodeError:
        pairs = _split(text, "latin-1")
    except ValueError:
        raise SoapProblem(f"there are more than {_MOST_PARAMETERS} parameters") from None
    found: dict[str, str | None] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    if not pairs and text:  # ``?WSDL`` by itself
        found[text] = None
    return found


def _split(text: str, encoding: str) -> list[tuple[str, str]]:
    return parse_qsl(
        text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=_MOST_PARAMETERS
    )


def _location(service: Service, scope: Scope) -> str:
    """The URL of the service as the client reached it."""
    host = next((value for key, value in scope["headers"] if key == b"host"), b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        address, port = scope["server"]
        host = f"{address}:{port}"
    return f"{scope['scheme']}://{host}{PREFIX}{service.name}.asmx"


def _wait(refusal: Refusal) -> Headers:
    """When it may be asked again."""  # RFC 9110 §10.2.3
    return ((b"retry-after", b"%d" % refusal.wait_s),) if isinstance(refusal, TooSoon) else ()


def trouble(error: Exception) -> tuple[str, int]:
    """What is our own fault: text and status."""
    if isinstance(error, StoreUnavailable):
        return "the store cannot be reached, try again", 503
    log.error("upside_failed", exc_info=error)
    return "this is a fault of the gateway, and it is in its log", 500


def _fault(version: SoapVersion, octets: bytes, headers: Headers = ()) -> _Reply:
    return _Reply(500, octets, version.content_type.encode(), headers)  # SOAP 1.1 §6.2


def _line(status: int, text: str, headers: Headers = ()) -> _Reply:
    octets = text.encode("utf-8", "replace")
    return _Reply(status, octets, b"text/plain; charset=utf-8", headers)
