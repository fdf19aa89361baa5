"""The operations of the Upside services: which function is behind which name, who may call it, and faults.

``HANDLERS`` is total over the table of services; a test says so.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from anyio import CapacityLimiter

from homing.api import upside_account as account
from homing.api import upside_inbox as inbox
from homing.api import upside_sending as sending
from homing.api.gateway import Gateway
from homing.api.upside_call import Answer, Handler, UpsideCall
from homing.engine.credentials import signature
from homing.model.errors import Kind
from homing.wire.soap import FaultCode
from homing.wire.upside_services import Operation, Service

READERS: Final = 4
"""Calls that use the store at once."""

HANDLERS: Final[Mapping[str, Handler]] = {
    "Send_Test": sending.test,
    "Send_Plain": sending.plain,
    "Send_Plain_Dedicated": sending.dedicated,
    "Send_Plain_Deferred": sending.deferred,
    "Send_Plain_Multiple": sending.multiple,
    "Send_Plain_Group": sending.group,
    "Send_Flash": sending.flash,
    "Send_WAPPush": sending.wap_push,
    "Send_Port": sending.port,
    "Send_Port_Dedicated": sending.port_dedicated,
    "GetNewInboxCount": inbox.count,
    "GetNewInboxMessages": inbox.new_messages,
    "GetTopMessage": inbox.top,
    "GetBottomMessage": inbox.bottom,
    "GetTopMessageNoReset": inbox.look_at_top,
    "GetBottomMessageNoReset": inbox.look_at_bottom,
    "SetMessageReadFlag": inbox.set_read_flag,
    "DeleteMessage": inbox.delete,
    "GetDLR": inbox.status,
    "Balance_Get": account.balance,
    "Info_Get": account.info,
    "AddUser": account.add_user,
    "AddUser_Extended": account.add_user,
    "RegisterDeviceForSubUser": account.register_device,
    "TransferCreditsToSubUser": account.transfer_credits,
}
"""By the names of the operations, which are unique over the services; but for ``GetParameters``."""


class Fault(NamedTuple):
    code: FaultCode
    detail: str | None = None
    """The text of its detail, which clients compare letter by letter (upside.md §2)."""


FAULTS: Final[Mapping[Kind, Fault]] = {
    "invalid": Fault("client"),
    "unauthorised": Fault("client", "InvalidPasswordException"),
    "forbidden": Fault("client", "UnauthorizedAccessException"),
    "no_credit": Fault("client", "UnauthorizedAccessException"),
    "not_found": Fault("client"),
    "gone": Fault("client"),
    "conflict": Fault("client"),
    "too_long": Fault("client"),
    "too_fast": Fault("server", "TooManyLoginsException"),
    "too_soon": Fault("client", "PollingTooOftenException"),
    "unavailable": Fault("server", "ServiceUnavailableException"),
}


class Operations:
    """Runs operations for whoever may."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._threads = CapacityLimiter(READERS)

    async def run(
        self, service: Service, operation: Operation, values: Mapping[str, Any], address: str
    ) -> Answer:
        """The answer of one operation; what speaks against it is a ``Refusal``."""
        logins = self._gateway.logins
        if operation.name == "GetParameters":
            name, password = values["username"] or "", values["password"] or ""
            found = await logins.account(name, password, address)
            pair = {"Token": found.token, "Signature": signature(name, found.token, found.password_hash)}
            return Answer(result=pair)
        who = logins.account_of_token(values["token"] or "", values["signature"] or "", address)
        call = UpsideCall(
            gateway=self._gateway, account=who, address=address, values=values, threads=self._threads
        )
        return await HANDLERS[operation.name](call)
