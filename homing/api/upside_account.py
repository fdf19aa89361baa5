"""The Account service: balance and profile, users of one's own, their devices and credits (upside.md §7)."""

from datetime import UTC, datetime
from typing import Any, Final

from homing.api.upside_call import Answer, UpsideCall
from homing.engine.directory import normalise_number
from homing.engine.enrol import EndpointWish, make_account, make_endpoint
from homing.engine.sub_accounts import (
    AccountProblem,
    DeviceKind,
    check_credits,
    check_profile,
    is_mail_address,
)
from homing.model.account import Account, Endpoint, Profile
from homing.model.errors import Refusal

UNLIMITED: Final = 999_999.0
"""What an account without a credit line is told: clients compare it with what they need."""


async def balance(call: UpsideCall) -> Answer:
    """``Balance_Get``."""
    return Answer(result=await _balance(call))


async def info(call: UpsideCall) -> Answer:
    """``Info_Get``."""
    account = call.account
    profile = await call.ask(call.gateway.sub_accounts.profile, account.name) or Profile()
    made = datetime.fromtimestamp(account.created_at_ms / 1000, UTC)
    return Answer(
        result={
            "userName": account.name,
            "firstName": profile.first_name or None,
            "lastName": profile.last_name or None,
            "emailAddress": profile.email or None,
            "companyName": profile.company_name or None,
            "externalId": profile.external_id or None,
            "balance": await _balance(call),
            "isUnlimited": not account.metered,
            "numbers": ",".join(call.gateway.directory().numbers_of(account.name)) or None,
            "createdUtc": f"{made:%Y-%m-%d %H:%M:%S}",
        }
    )


async def add_user(call: UpsideCall) -> Answer:
    """``AddUser`` and ``AddUser_Extended``."""
    return await _answered(_add_user(call))


async def register_device(call: UpsideCall) -> Answer:
    """``RegisterDeviceForSubUser``."""
    return await _answered(_register_device(call))


async def transfer_credits(call: UpsideCall) -> Answer:
    """``TransferCreditsToSubUser``."""
    return await _answered(_transfer(call))


async def _answered(doing: Any) -> Answer:
    """Done, or the code that says why not."""
    try:
        await doing
    except AccountProblem as problem:
        return Answer(result={"isOk": False, "errorCode": problem.code, "message": problem.text})
    return Answer(result={"isOk": True, "errorCode": "NO_ERROR", "message": None})


async def _balance(call: UpsideCall) -> float:
    if not call.account.metered:
        return UNLIMITED
    credits: float | None = await call.ask(call.gateway.records.balance, call.account.name)
    return round(credits or 0.0, 4)


async def _add_user(call: UpsideCall) -> None:
    values = call.values
    profile = Profile(
        first_name=call.text("firstName").strip(),
        last_name=call.text("lastName").strip(),
        email=call.text("emailAddress").strip(),
        sms_in=call.text("smsIN").strip().removeprefix("+"),
        web_text=call.text("webText").strip(),
        comment=call.text("comment"),
        external_id=values.get("externalId") or "",
        company_name=values.get("companyName") or "",
    )
    name, password = call.text("userName").strip(), call.text("passWord")
    check_profile(name, password, profile)

    def add() -> None:
        account: Account = make_account(name, password=password, metered=True)[0]
        call.gateway.sub_accounts.add(call.account.name, account, profile)

    await call.ask(add)


async def _register_device(call: UpsideCall) -> None:
    kind: DeviceKind = call.values["type"]
    name, device = call.text("userName").strip(), call.text("device").strip()
    if kind == "SMS":
        device = normalise_number(device)
        if not (device.isascii() and device.isdigit()):
            raise AccountProblem("INVALID_PARAMETER", "the device is not a number")
    if kind == "Email" and not is_mail_address(device):
        raise AccountProblem("INVALID_EMAIL_ADDRESS", "the device is not a mail address")
    endpoint = _endpoint(call, name, kind, device)
    if not call.values["createForwardRule"]:
        endpoint = None
    elif kind == "SMS":
        raise AccountProblem("INVALID_PARAMETER", "nothing is forwarded to phones, only to URL and Email")
    register = call.gateway.sub_accounts.register_device
    await call.ask(register, call.account.name, name, device, kind, endpoint)


def _endpoint(call: UpsideCall, name: str, kind: DeviceKind, device: str) -> Endpoint | None:
    """Where a device has events forwarded; it is checked whether it forwards or not."""
    if kind == "SMS":
        return None
    if kind == "Email" and not call.gateway.has_relay:
        raise AccountProblem("INVALID_PARAMETER", "this gateway has no relay for mails")
    events = ("report", "message")
    if kind == "URL":
        wish = EndpointWish(account=name, events=events, format="upside", url=device)
    else:
        wish = EndpointWish(account=name, events=events, format="email", email=device)
    try:
        return make_endpoint(wish, call.gateway.check_url)
    except Refusal as refusal:
        raise AccountProblem("INVALID_PARAMETER", refusal.text) from None


async def _transfer(call: UpsideCall) -> None:
    credits: float = round(call.values["credits"], 4)
    check_credits(credits)
    name, note = call.text("userName").strip(), call.text("description")
    await call.ask(call.gateway.sub_accounts.transfer, call.account.name, name, credits, note)
