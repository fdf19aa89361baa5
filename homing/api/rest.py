"""The REST face ``/v1``: JSON over plain ASGI, a bearer key per account, problems in one form.

``ROUTES`` is the whole face, literally: the dispatch, the OpenAPI document and the reference are made from it
or tested against it. An account sees its own things and nothing else. Nothing of a request is logged.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog

from homing.api import rest_deliveries as deliveries
from homing.api import rest_endpoints as endpoints
from homing.api import rest_groups as groups
from homing.api import rest_mailbox as mailbox
from homing.api import rest_mailbox_values as mails
from homing.api import rest_messages as messages
from homing.api import rest_networks as networks
from homing.api import rest_values as values
from homing.api.client_address import client_address
from homing.api.gateway import Gateway
from homing.api.openapi import Route, openapi_document
from homing.api.plain import App, BodyTooLong, Disconnected, Headers, Receive, Scope, Send, answer
from homing.api.problem import CONTENT_TYPE, problem
from homing.api.rest_call import Call, Failure, Reply, Threads
from homing.model.account import Account
from homing.model.errors import Refusal, StoreUnavailable, TooSoon

log = structlog.get_logger(__name__)

PREFIX: Final = "/v1"
DOCUMENT_PATH: Final = "/v1/openapi.json"
_JSON: Final = b"application/json"
_PRIVATE: Final[Headers] = ((b"cache-control", b"no-store"),)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST", "/v1/messages", messages.send_message, "Send a message", 202,
        (values.Taken, values.ManyTaken), takes=values.NewMessage, is_idempotent=True,
        problems=("no_credit", "too_long"),
    ),
    Route(
        "GET", "/v1/messages", messages.list_messages, "Messages sent, newest first", 200,
        values.Submissions, query=values.Page,
    ),
    Route(
        "GET", "/v1/messages/{id}", messages.show_message, "The whole life of a message sent", 200,
        values.SubmissionTrace,
    ),
    Route(
        "GET", "/v1/reports", messages.list_reports, "Reports, newest first", 200, values.Reports,
        query=values.Page,
    ),
    Route(
        "GET", "/v1/reports/{id}", messages.show_report, "A report, with its message and deliveries", 200,
        values.ReportTrace,
    ),
    Route(
        "GET", "/v1/received", messages.list_received, "Messages received, newest first", 200,
        values.ReceivedMessages, query=values.Page,
    ),
    Route(
        "GET", "/v1/received/{id}", messages.show_received, "A message received, with its deliveries", 200,
        values.ReceivedTrace,
    ),
    Route(
        "GET", "/v1/deliveries", deliveries.list_deliveries, "Deliveries, newest event first", 200,
        values.Deliveries, query=values.DeliveryPage,
    ),
    Route(
        "GET", "/v1/deliveries/{id}", deliveries.show_delivery, "A delivery with its attempts", 200,
        values.Delivery,
    ),
    Route(
        "GET", "/v1/deliveries/{id}/attempts", deliveries.list_attempts, "The attempts of a delivery", 200,
        values.Attempts,
    ),
    Route(
        "POST", "/v1/deliveries/{id}/replay", deliveries.replay_delivery,
        "Give a delivery that ended a new round of attempts", 202, values.Replayed, problems=("conflict",),
    ),
    Route(
        "POST", "/v1/replay", deliveries.replay_many, "The same for all that ended in a range of time", 202,
        values.Replayed, takes=values.Replay, is_idempotent=True,
    ),
    Route("GET", "/v1/endpoints", endpoints.list_endpoints, "Endpoints, by id", 200, values.Endpoints),
    Route(
        "POST", "/v1/endpoints", endpoints.add_endpoint, "Make an endpoint; its secret is shown once", 201,
        values.MadeEndpoint, takes=values.NewEndpoint, problems=("conflict",),
    ),
    Route("GET", "/v1/endpoints/{id}", endpoints.show_endpoint, "An endpoint", 200, values.Endpoint),
    Route(
        "PATCH", "/v1/endpoints/{id}", endpoints.change_endpoint, "Change what is named, leave the rest", 200,
        values.Endpoint, takes=values.EndpointChange,
    ),
    Route(
        "DELETE", "/v1/endpoints/{id}", endpoints.remove_endpoint,
        "Remove an endpoint; what is pending there becomes dead letters", 204, None,
    ),
    Route(
        "POST", "/v1/endpoints/{id}/pause", endpoints.pause_endpoint,
        "Let what is due there wait; it spends no attempt", 200, values.Endpoint,
    ),
    Route(
        "POST", "/v1/endpoints/{id}/resume", endpoints.resume_endpoint,
        "Go on pushing, also after Homing paused it", 200, values.Endpoint,
    ),
    Route(
        "POST", "/v1/endpoints/{id}/test", endpoints.try_endpoint,
        "Push a marked sample event once, and tell the answer", 200, values.Tested,
    ),
    Route(
        "POST", "/v1/endpoints/{id}/rotate-secret", endpoints.rotate_endpoint_secret,
        "Make a new signing secret; the former one counts 24 h longer", 200, values.NewSecret,
    ),
    Route(
        "GET", "/v1/mailbox", mailbox.list_mails, "Mails, oldest first; the first page is a poll", 200,
        mails.Mails, query=mails.MailPage, problems=("too_soon",),
    ),
    Route(
        "GET", "/v1/mailbox/unread-count", mailbox.count_unread, "How many mails are unread", 200,
        mails.UnreadCount,
    ),
    Route(
        "POST", "/v1/mailbox/marks", mailbox.mark_mails, "Mark many mails as read, unread or deleted", 200,
        mails.Marked, takes=mails.Marks,
    ),
    Route("GET", "/v1/mailbox/{id}", mailbox.show_mail, "A mail; it does not become read", 200, mails.Mail),
    Route(
        "PATCH", "/v1/mailbox/{id}", mailbox.change_mail, "Mark a mail as read or unread", 200, mails.Mail,
        takes=mails.MailChange,
    ),
    Route(
        "DELETE", "/v1/mailbox/{id}", mailbox.delete_mail, "Take a mail out, in every face", 204,
        None,
    ),
    Route("GET", "/v1/groups", groups.list_groups, "Groups of recipients, by name", 200, groups.Groups),
    Route(
        "POST", "/v1/groups", groups.add_group, "Make a group", 201, groups.Group, takes=groups.NewGroup,
        problems=("conflict",),
    ),
    Route("GET", "/v1/groups/{id}", groups.show_group, "A group with its members", 200, groups.Group),
    Route(
        "PATCH", "/v1/groups/{id}", groups.change_group, "Add members, and take members away", 200,
        groups.Group, takes=groups.GroupChange, problems=("conflict",),
    ),
    Route("DELETE", "/v1/groups/{id}", groups.remove_group, "Remove a group", 204, None),
    Route("GET", "/v1/networks", networks.list_networks, "Codes of networks", 200, networks.Networks),
    Route("GET", "/v1/account", endpoints.show_account, "The account of this key", 200, values.Account),
)  # fmt: skip


def application(gateway: Gateway) -> App:
    """The face as an ASGI application."""
    return _RestFace(gateway)


class _RestFace:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._threads = Threads()
        self._document = msgspec.json.encode(openapi_document(ROUTES))
        by_path: dict[str, dict[str, Route]] = defaultdict(dict)
        for route in ROUTES:
            by_path[route.path][route.method] = route
        self._paths = [(_pattern(path), methods) for path, methods in by_path.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            status, body, headers = await self._answer(scope, receive)
            kind = _JSON
        except Disconnected:
            return
        except Exception as error:
            status, body, headers = self._problem(error)
            kind = CONTENT_TYPE
        if status == 204:  # RFC 9110 §15.3.5
            await send({"type": "http.response.start", "status": status, "headers": [*headers, *_PRIVATE]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await answer(send, status, body, (*headers, *_PRIVATE), kind)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes, Headers]:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]  # the server drops the body
        if scope["path"] == DOCUMENT_PATH:
            if method != "GET":
                raise _NotAllowed(["GET"])
            return 200, self._document, ()
        methods, path = self._find(scope["path"])
        route = methods.get(method)
        if route is None:
            raise _NotAllowed(methods)
        address = client_address(scope, self._gateway.trusted_proxies)
        call = Call(
            gateway=self._gateway,
            account=self._login(scope, address),
            address=address,
            scope=scope,
            receive=receive,
            path=path,
            threads=self._threads,
        )
        if route.query is None:
            call.query(values.NoQuery)
        reply: Reply = await route.handler(call)
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        return route.status, body, reply.headers

    def _find(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]]:
        for pattern, methods in self._paths:
            match = pattern.fullmatch(path)
            if match is not None:
                return methods, match.groupdict()
        raise Refusal("not_found", f"there is nothing here, see {DOCUMENT_PATH}")

    def _login(self, scope: Scope, address: str) -> Account:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, key = value.decode("latin-1").strip().partition(" ")
                if scheme.lower() == "bearer" and key.strip():  # RFC 9110 §11.1
                    return self._gateway.logins.account_of_key(key.strip(), address)
        raise Refusal("unauthorised", "send the API key as Authorization: Bearer")

    def _problem(self, error: Exception) -> tuple[int, bytes, Headers]:
        if isinstance(error, TooSoon):
            status, body, _ = problem(error.kind, error.text)
            return status, body, ((b"retry-after", b"%d" % error.wait_s),)  # RFC 9110 §10.2.3
        if isinstance(error, Refusal):
            return problem(error.kind, error.text)
        if isinstance(error, Failure):
            return problem(error.kind, error.detail)
        if isinstance(error, _NotAllowed):
            status, body, headers = problem("no_such_method", f"use {error.allow}")
            return status, body, (*headers, (b"allow", error.allow.encode("ascii")))  # RFC 9110 §15.5.6
        if isinstance(error, StoreUnavailable):
            return problem("unavailable", "the store cannot be reached, try again")
        if isinstance(error, BodyTooLong):
            limit = self._gateway.max_body_bytes
            return problem("body_too_long", f"the body is longer than {limit} octets")
        log.error("rest_failed", exc_info=error)
        return problem("internal", "this is a fault of the gateway, and it is in its log")


class _NotAllowed(Exception):
    """The path is right, the method is not."""

    def __init__(self, methods: Any) -> None:
        self.allow = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
        super().__init__(self.allow)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path).replace(r"\{id\}", "(?P<id>[^/]+)"))
