"""The form face: ``SMSSend`` for one recipient and ``bulksend`` for many, over raw ASGI.

The hot path makes no task, no lock and no log line of its own: parameters are read on their octets, a
remembered login is one hash, and the answer waits for the commit that the submission shares with others.
Nothing is answered 200 before it is durable.

What goes wrong is said in one line of plain text, with a status by ``plain.STATUS``. Credentials stand in the
query here by contract, so nothing of a request is logged.
"""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from homing.api.client_address import address_behind
from homing.api.direct import Reply
from homing.api.form_content import read_content
from homing.api.form_parameters import (
    CHARSET,
    Parameters,
    credential,
    flag,
    line,
    number,
    read_parameters,
    text,
)
from homing.api.form_request import (
    NOT_STORED,
    answered,
    check_address,
    log_in,
    refused,
    request_parameters,
    stored,
)
from homing.api.gateway import Gateway
from homing.api.plain import Receive, Scope, Send, not_allowed
from homing.engine.submit import ALL_REPORTS, Accepted, Batch, Idempotency, Wish, compose
from homing.model.account import Account
from homing.model.errors import Refusal
from homing.model.message import Submission

LONGEST_VALIDITY_S: Final = 63 * 7 * 86_400
"""The longest that a network can be told; what is longer is cut to it. TS 23.040 §9.2.3.12.1"""

_LONGEST_SUBMITID: Final = 128
_BREATH: Final = 500
"""Recipients of a broadcast that are composed before others get the loop."""


class FormFace:
    """The two routes of the form face; each is an ASGI application."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        # Differs from the last one sent to the same phone, after a restart too as far as chance can.
        self._references = itertools.count(secrets.randbelow(256))

    async def send_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET|POST /SMSSend``: the id of the submission, as bare digits."""
        if scope["method"] not in ("GET", "POST"):
            await not_allowed(send, ("GET", "POST"))
            return
        await self._answered(self._send_one, scope, receive, send)

    def send_directly(
        self,
        query: bytes,
        client: tuple[str, int] | None,
        headers: Iterable[tuple[bytes, bytes]],
        reply: Reply,
    ) -> bool:
        """``GET /SMSSend`` without a task: an ``api.direct.DirectFace``. Only verified logins are taken."""
        gateway = self._gateway
        if gateway.is_draining():
            return False
        try:
            parameters = read_parameters(query)
            address = address_behind(client, headers, gateway.trusted_proxies)
            name, password = credential(parameters, "user"), credential(parameters, "pass")
            account = gateway.logins.known(name, password, address)
            if account is None:
                return False
            check_address(account, address)
            batch = self._batch_of_one(account, parameters)
        except Refusal as refusal:
            reply(*refused(refusal))
        else:
            gateway.submit.accept(batch, partial(_reply_outcome, reply))
        return True

    async def send_many(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /sms/v1/bulksend``: one line per recipient, its id or ``0`` and the reason."""
        if scope["method"] != "POST":
            await not_allowed(send, ("POST",))
            return
        await self._answered(self._send_many, scope, receive, send)

    async def _answered(
        self,
        take: Callable[[Account, Parameters], Awaitable[bytes]],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Log in, take the request, and answer with its result or with what is wrong."""

        async def whole() -> bytes:
            parameters = await request_parameters(scope, receive, self._gateway.max_body_bytes)
            account = await log_in(self._gateway, scope, parameters)
            return await take(account, parameters)

        await answered(self._gateway, send, whole)

    async def _send_one(self, account: Account, parameters: Parameters) -> bytes:
        return await stored(self._gateway, self._batch_of_one(account, parameters))

    def _batch_of_one(self, account: Account, parameters: Parameters) -> Batch:
        submission = compose(self._gateway.ids.next(), account.name, self._wish(parameters))
        return Batch(
            account=account,
            metered=account.metered,
            submissions=(submission,),
            answer=b"%d" % submission.id,
        )

    async def _send_many(self, account: Account, parameters: Parameters) -> bytes:
        submitid = line(parameters, "submitid")
        if len(submitid) > _LONGEST_SUBMITID:
            raise Refusal("invalid", f"submitid is longer than {_LONGEST_SUBMITID} characters")
        wrong: Refusal | None = None
        submissions: list[Submission] = []
        lines: list[bytes] = []
        try:
            await self._compose_all(account, parameters, submissions, lines)
        except Refusal as refusal:
            if not submitid:
                raise
            wrong = refusal  # a repetition gets its first answer, even if all else differs (mx §3)
        once = Idempotency(face="bulksend", key=submitid, fingerprint="", renews=True) if submitid else None
        return await stored(
            self._gateway,
            Batch(
                account=account,
                metered=account.metered,
                submissions=tuple(submissions),
                answer=b"\n".join(lines),
                idempotency=once,
                otherwise=wrong,
            ),
        )

    async def _compose_all(
        self, account: Account, parameters: Parameters, submissions: list[Submission], lines: list[bytes]
    ) -> None:
        """Make the submissions of a broadcast, and the line of the answer for each recipient."""
        recipients = self._recipients(parameters)
        wish = self._wish(parameters)
        for count, recipient in enumerate(recipients, 1):
            one = msgspec.structs.replace(wish, recipient=recipient)
            try:
                submission = compose(self._gateway.ids.next(), account.name, one)
            except Refusal as refusal:
                lines.append(f"0 {refusal.text}".encode("ascii", "backslashreplace"))
            else:
                submissions.append(submission)
                lines.append(b"%d" % submission.id)
            if count % _BREATH == 0:
                await asyncio.sleep(0)

    def _recipients(self, parameters: Parameters) -> list[str]:
        """One per line; the n-th line of the answer is about the n-th line here."""
        written = parameters.get("smsto", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        recipients = written.rstrip(b"\n ").decode(CHARSET).split("\n")
        most = self._gateway.max_bulk
        if len(recipients) > most:
            raise Refusal("invalid", f"smsto has {len(recipients)} recipients, at most {most} are taken")
        if recipients == [""]:
            raise Refusal("invalid", "smsto is missing")
        return recipients

    def _wish(self, parameters: Parameters) -> Wish:
        recipient = text(parameters, "smsto")
        if not recipient:
            raise Refusal("invalid", "smsto is missing")
        validity_s = number(parameters, "vp")
        return Wish(
            recipient=recipient,
            segments=read_content(parameters, next(self._references) & 0xFF),
            sender=text(parameters, "smsfrom"),
            report_bits=_report_bits(parameters),
            validity_s=min(validity_s, LONGEST_VALIDITY_S) if validity_s else None,
            flash=flag(parameters, "flash"),
            note=line(parameters, "note"),
            subaccount=line(parameters, "subaccount"),
            single_shot=flag(parameters, "billingsingleshot") or flag(parameters, "mxbillingsingleshot"),
        )


def _reply_outcome(reply: Reply, outcome: Accepted | Exception) -> None:
    if isinstance(outcome, Accepted):
        reply(200, outcome.answer, ())
    else:
        reply(*refused(outcome if isinstance(outcome, Refusal) else NOT_STORED))


def _report_bits(parameters: Parameters) -> int:
    """The reports that are wanted. What cannot be read asks for all: a report too many harms nobody."""
    try:
        return (number(parameters, "report") or 0) & ALL_REPORTS
    except Refusal:
        return ALL_REPORTS
