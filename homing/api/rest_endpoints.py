"""Endpoints over REST, and the account itself.

A customer makes, changes and removes where his events go, under the same checks as an operator. Secrets are
shown once, when they are made; a node heeds a change within two seconds.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from homing.api import rest_values as values
from homing.api.rest_call import Call, Reply
from homing.engine.enrol import EndpointWish, check_endpoint, make_endpoint, rotate_secret
from homing.model.account import Endpoint
from homing.model.clock import now_ms
from homing.model.errors import Refusal


async def list_endpoints(call: Call) -> Reply:
    """``GET /v1/endpoints``."""
    found = await call.ask(call.gateway.records.endpoints, call.account.name)
    return Reply(body=values.Endpoints(items=[_document(endpoint) for endpoint in found], next=None))


async def add_endpoint(call: Call) -> Reply:
    """``POST /v1/endpoints``."""
    asked = await call.body(values.NewEndpoint)
    wish = EndpointWish(
        account=call.account.name,
        **{**_fields(asked), "events": tuple(asked.events), "headers": tuple(asked.headers.items())},
    )
    if asked.email is not None and not call.gateway.has_relay:
        raise Refusal("invalid", "email: this gateway has no relay for mails")
    endpoint = make_endpoint(wish, call.gateway.check_url)
    made = await call.ask(call.gateway.records.add_endpoint, endpoint)
    secret = made.secrets[0] if made.secrets else None
    document = values.MadeEndpoint(**_fields(_document(made)), secret=secret)
    return Reply(body=document, headers=((b"location", f"/v1/endpoints/{made.id}".encode("ascii")),))


async def show_endpoint(call: Call) -> Reply:
    """``GET /v1/endpoints/{id}``."""
    found = await call.ask(call.gateway.records.endpoint, call.account.name, call.endpoint)
    return Reply(body=_document(found))


async def change_endpoint(call: Call) -> Reply:
    """``PATCH /v1/endpoints/{id}``."""
    asked = await call.body(values.EndpointChange)
    changes = {name: value for name, value in _fields(asked).items() if value is not msgspec.UNSET}
    if "events" in changes:
        changes["events"] = tuple(dict.fromkeys(changes["events"]))
    if "headers" in changes:
        changes["headers"] = tuple(changes["headers"].items())

    def change(endpoint: Endpoint) -> Endpoint:
        changed = msgspec.structs.replace(endpoint, **changes)
        check_endpoint(changed, call.gateway.check_url)
        return changed

    return await _changed(call, change)


async def pause_endpoint(call: Call) -> Reply:
    """``POST /v1/endpoints/{id}/pause``."""
    return await _changed(call, lambda endpoint: msgspec.structs.replace(endpoint, paused=True))


async def resume_endpoint(call: Call) -> Reply:
    """``POST /v1/endpoints/{id}/resume``: also what Homing paused by itself."""
    return await _changed(
        call, lambda endpoint: msgspec.structs.replace(endpoint, paused=False, disabled_reason=None)
    )


async def _changed(call: Call, change: Callable[[Endpoint], Endpoint]) -> Reply:
    records = call.gateway.records
    return Reply(
        body=_document(await call.ask(records.change_endpoint, call.account.name, call.endpoint, change))
    )


async def remove_endpoint(call: Call) -> Reply:
    """``DELETE /v1/endpoints/{id}``."""
    await call.ask(call.gateway.records.remove_endpoint, call.account.name, call.endpoint)
    return Reply()


async def rotate_endpoint_secret(call: Call) -> Reply:
    """``POST /v1/endpoints/{id}/rotate-secret``."""
    changed = await call.ask(
        call.gateway.records.change_endpoint,
        call.account.name,
        call.endpoint,
        lambda endpoint: rotate_secret(endpoint, now_ms())[0],
    )
    until = changed.old_secrets_until_ms
    return Reply(
        body=values.NewSecret(secret=changed.secrets[0], old_secret_until=_time(until) if until else None)
    )


async def try_endpoint(call: Call) -> Reply:
    """``POST /v1/endpoints/{id}/test``."""
    endpoint = await call.ask(call.gateway.records.endpoint, call.account.name, call.endpoint)
    answer = await call.gateway.test_endpoint(endpoint)
    return Reply(
        body=values.Tested(
            status=answer.status,
            error=answer.error,
            answer=answer.body.decode("utf-8", "backslashreplace"),
            took_ms=answer.took_ms,
        )
    )


async def show_account(call: Call) -> Reply:
    """``GET /v1/account``."""
    account, records = call.account, call.gateway.records
    balance = await call.ask(records.balance, account.name)
    numbers = await call.ask(records.numbers, account.name)
    return Reply(
        body=values.Account(
            name=account.name,
            token=account.token,
            metered=account.metered,
            balance=balance,
            numbers=[
                values.Number(
                    number=number.number,
                    keyword=number.keyword,
                    network=number.network,
                    carrier_code=number.carrier_code,
                )
                for number in numbers
            ],
            created_at=_time(account.created_at_ms),
        )
    )


def _document(endpoint: Endpoint) -> values.Endpoint:
    until = endpoint.old_secrets_until_ms
    return values.Endpoint(
        id=str(endpoint.id),
        events=list(endpoint.events),
        format=endpoint.format,
        url=endpoint.url,
        email=endpoint.email,
        digest_min=endpoint.digest_min,
        concurrency=endpoint.concurrency,
        rate_per_s=endpoint.rate_per_s,
        charset=endpoint.charset,
        timezone=endpoint.timezone,
        parts=endpoint.parts,
        method=endpoint.method,
        date_form=endpoint.date_form,
        user=endpoint.user,
        header_names=[name for name, _ in endpoint.headers],
        unknown_as=endpoint.unknown_as,
        paused=endpoint.paused,
        disabled_reason=endpoint.disabled_reason,
        old_secret_until=_time(until) if until else None,
        created_at=_time(endpoint.created_at_ms),
    )


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _time(at_ms: int) -> str:
    """RFC 3339 §5.6, UTC with milliseconds."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
