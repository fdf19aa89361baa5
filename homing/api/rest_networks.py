"""The table of network codes over REST."""

from typing import Annotated

from msgspec import Meta

from homing.api.rest_call import Call, Reply
from homing.api.rest_values import Answer
from homing.model.networks import NETWORKS


class NetworkItem(Answer):
    code: Annotated[str, Meta(description="What `network` says in events.")]
    country: Annotated[str, Meta(description="ISO 3166-1, two letters.")]
    name: str
    carrier_codes: Annotated[list[str], Meta(description="MCC and MNC in one word.")]


class Networks(Answer):
    items: list[NetworkItem]
    next: None


async def list_networks(call: Call) -> Reply:
    """``GET /v1/networks``."""
    del call
    items = [
        NetworkItem(
            code=each.code, country=each.country, name=each.name, carrier_codes=list(each.carrier_codes)
        )
        for each in NETWORKS
    ]
    return Reply(body=Networks(items=items, next=None))
