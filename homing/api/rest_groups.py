"""Groups over REST: named lists of recipients, for ``Send_Plain_Group``."""

from typing import Annotated
from urllib.parse import unquote

from msgspec import Meta

from homing.api.rest_call import Call, Reply
from homing.api.rest_values import Answer, Request

Members = Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=10_000)]


class NewGroup(Request):
    name: Annotated[str, Meta(description="1 to 64 characters; case makes no difference.")]
    members: Members = ()


class GroupChange(Request):
    """Members to add, and to take away."""

    add: Members = ()
    remove: Members = ()


class Group(Answer):
    name: str
    members: list[str]


class GroupItem(Answer):
    name: str
    members: Annotated[int, Meta(description="How many.")]


class Groups(Answer):
    items: list[GroupItem]
    next: None


async def list_groups(call: Call) -> Reply:
    """``GET /v1/groups``."""
    found = await call.ask(call.gateway.records.groups, call.account.name)
    return Reply(body=Groups(items=[GroupItem(name=name, members=count) for name, count in found], next=None))


async def add_group(call: Call) -> Reply:
    """``POST /v1/groups``."""
    asked = await call.body(NewGroup)
    name = await call.ask(call.gateway.records.add_group, call.account.name, asked.name, asked.members)
    return Reply(body=await _group(call, name))


async def show_group(call: Call) -> Reply:
    """``GET /v1/groups/{id}``."""
    return Reply(body=await _group(call, _name(call)))


async def change_group(call: Call) -> Reply:
    """``PATCH /v1/groups/{id}``."""
    asked = await call.body(GroupChange)
    name = _name(call)
    await call.ask(call.gateway.records.change_group, call.account.name, name, asked.add, asked.remove)
    return Reply(body=await _group(call, name))


async def remove_group(call: Call) -> Reply:
    """``DELETE /v1/groups/{id}``."""
    await call.ask(call.gateway.records.remove_group, call.account.name, _name(call))
    return Reply()


def _name(call: Call) -> str:
    """The name in the path."""
    return unquote(call.path["id"], errors="replace")


async def _group(call: Call, name: str) -> Group:
    kept, members = await call.ask(call.gateway.records.group, call.account.name, name)
    return Group(name=kept, members=list(members))
