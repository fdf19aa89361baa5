"""Deliveries over REST: what is due where, every attempt that was made, and replay.

A replay gives deliveries that ended a new round of attempts. It is answered when all of them are due again;
one that was interrupted can be asked for once more, also under its idempotency key.
"""

from homing.api.rest_call import Call, Failure, Reply, milliseconds, read_json, shown
from homing.api.rest_messages import idempotency
from homing.api.rest_values import Attempts, Deliveries, Delivery, DeliveryPage, Replay, Replayed
from homing.model.clock import now_ms
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal


async def list_deliveries(call: Call) -> Reply:
    """``GET /v1/deliveries``."""
    page = call.query(DeliveryPage)
    state = None if page.state is None else DeliveryState[page.state.upper()]
    records = call.gateway.records
    found = await call.ask(records.deliveries, call.account.name, state, limit=page.limit, after=page.after)
    return Reply(body=shown(found, Deliveries))


async def _delivery(call: Call) -> Delivery:
    id_ = call.path["id"]
    try:
        found = await call.ask(call.gateway.records.delivery, call.account.name, id_)
    except Refusal as refusal:
        raise _unknown(refusal) from None
    return shown(found, Delivery)


def _unknown(refusal: Refusal) -> Refusal:
    """A path that names no delivery leads nowhere, however it is written."""
    return Refusal("not_found", "there is no delivery with this id") if refusal.kind == "invalid" else refusal


async def show_delivery(call: Call) -> Reply:
    """``GET /v1/deliveries/{id}``."""
    return Reply(body=await _delivery(call))


async def list_attempts(call: Call) -> Reply:
    """``GET /v1/deliveries/{id}/attempts``."""
    found = await _delivery(call)
    return Reply(body=Attempts(items=found.attempts, next=None))


async def replay_delivery(call: Call) -> Reply:
    """``POST /v1/deliveries/{id}/replay``."""
    replay = call.gateway.records.replay_delivery
    try:
        count = await call.ask(replay, call.account.name, call.path["id"], now_ms())
    except Refusal as refusal:
        raise _unknown(refusal) from None
    return Reply(body=Replayed(count=count))


async def replay_many(call: Call) -> Reply:
    """``POST /v1/replay``."""
    octets = await call.body_octets()
    once = idempotency(call.scope, "rest/replay", octets)
    asked = read_json(octets, Replay)
    at_ms = now_ms()
    since_ms = milliseconds(asked.since)
    until_ms = milliseconds(asked.until) if asked.until is not None else at_ms
    if until_ms <= since_ms:
        raise Refusal("invalid", "until is not later than since")
    state = DeliveryState[asked.state.upper()]
    try:
        count = await call.replay(
            call.gateway.records.replay, call.account.name, state, since_ms, until_ms, at_ms, once
        )
    except Refusal as refusal:
        if once is not None and refusal.kind == "conflict":
            raise Failure("key_reused", refusal.text) from None
        raise
    return Reply(body=Replayed(count=count))
