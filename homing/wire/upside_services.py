"""The Upside services as data: operations, parameters, types and results, in the order of the schema.

What the documents name is spelled as they spell it (upside.md §2 to §7), ``FISTNAME`` and ``errorMsg``
included; what they leave open is ours, and stands in ``docs/reference/upside.md``. Codec, WSDL, help pages
and the faces are all made from this table.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Primitive = Literal["string", "boolean", "int", "double"]


class Field(NamedTuple):
    """A parameter, or an element of a result."""

    name: str
    type: str
    """A primitive, or the name of an enum or type of the service."""
    optional: bool = False


class Operation(NamedTuple):
    name: str
    parameters: tuple[Field, ...]
    result: str
    """A primitive, a type of the service, or ``ArrayOf`` a type."""
    what: str


class Service(NamedTuple):
    name: str
    namespace: str
    what: str
    operations: Mapping[str, Operation]
    types: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, tuple[str, ...]]

    def __hash__(self) -> int:
        """A service is known by its namespace, so that what is made of it can be kept."""
        return hash(self.namespace)


PRIMITIVES: Final = ("string", "boolean", "int", "double")


def _fields(text: str) -> tuple[Field, ...]:
    """``name:type``, separated by blanks; strings may be left out, all else must be there."""
    pairs = (pair.partition(":") for pair in text.split())
    return tuple(Field(name, type_ or "string", type_ in ("", "string")) for name, _, type_ in pairs)


def _operations(*rows: tuple[str, str, str, str]) -> dict[str, Operation]:
    return {
        name: Operation(name, _fields(parameters), result, what) for name, parameters, result, what in rows
    }


_AUTHORISED: Final = "token signature "
_SENT: Final = "SMSSendResult"
_TEXT: Final = f"{_AUTHORISED}recipient message encoding:SmsEncoding"
_FROM: Final = "carrierCode dedicatedNumber tariff:double"
_ONE: Final = "NewSMSMessage"

AUTHENTICATION: Final = Service(
    "Authentication",
    "http://upsidewireless.com/webservice/authentication",
    "Gives the token and signature that every other call takes in place of user name and password.",
    _operations(
        (
            "GetParameters", "username password", "AuthenticationParameters",
            "Token and signature of an account; the signature changes with its password.",
        ),
    ),
    {"AuthenticationParameters": _fields("Token Signature")},
    {},
)  # fmt: skip

SMS: Final = Service(
    "SMS",
    "http://upsidewireless.com/webservice/sms",
    "Sends messages, and brings received messages and delivery confirmations out of the mailbox.",
    _operations(
        ("Send_Test", _TEXT, _SENT,
         "Checks a message as Send_Plain would, and sends nothing."),
        ("Send_Plain", _TEXT, _SENT,
         "Sends a text. Seven and Eight choose the alphabet by the text, Sixteen is always Unicode."),
        ("Send_Plain_Dedicated",
         f"{_TEXT} {_FROM}", _SENT,
         "Sends a text from one of your numbers; carrierCode is that of the message you answer."),
        ("Send_Plain_Deferred",
         f"{_TEXT} DelayHours:int DelayMinutes:int label", _SENT,
         "Sends a text later: so many hours and minutes from now."),
        ("Send_Plain_Multiple", f"{_AUTHORISED}recipients message encoding:SmsEncoding",
         "SMSSendMultipleResult",
         "Sends a text to up to 25 recipients, separated by commas."),
        ("Send_Plain_Group", f"{_AUTHORISED}groupName message encoding:SmsEncoding", "SMSSendGroupResult",
         "Sends a text to all members of one of your groups, or to none."),
        ("Send_Flash", f"{_AUTHORISED}recipient message", _SENT,
         "Sends a text that a phone shows at once and does not keep."),
        ("Send_WAPPush", f"{_AUTHORISED}recipient title url", _SENT, "Sends a link that a phone opens."),
        ("Send_Port", f"{_AUTHORISED}recipient port:int encodedMessage", _SENT,
         "Sends data, written in hex, to a port of the phone."),
        ("Send_Port_Dedicated",
         f"{_AUTHORISED}recipient port:int encodedMessage {_FROM}", _SENT,
         "The same from one of your numbers."),
        ("GetNewInboxCount", _AUTHORISED, "int", "How many mails are unread; it is no poll."),
        ("GetNewInboxMessages", _AUTHORISED, "ArrayOfNewSMSMessage",
         "The oldest unread mails, at most 300; they are read then."),
        ("GetTopMessage", _AUTHORISED, _ONE, "The latest unread mail; it is read then."),
        ("GetBottomMessage", _AUTHORISED, _ONE, "The earliest unread mail; it is read then."),
        ("GetTopMessageNoReset", _AUTHORISED, _ONE, "The latest unread mail; it stays unread."),
        ("GetBottomMessageNoReset", _AUTHORISED, _ONE, "The earliest unread mail; it stays unread."),
        ("SetMessageReadFlag", f"{_AUTHORISED}messageId flag:boolean", "SetMessageReadFlagResult",
         "Marks a mail as read or unread."),
        ("DeleteMessage", f"{_AUTHORISED}messageId", "DeleteMessageResult",
         "Takes a mail out of the mailbox."),
        ("GetDLR", f"{_AUTHORISED}trackingId", "string", "The status of a message sent, in one word."),
    ),
    {
        "SMSSendResult": _fields(
            "isOk:boolean trackingId number convertedNumber deferUntilOccursInThePast:boolean"
            " messageIsEmpty:boolean tooManyMessages:boolean invalidCountryCode:boolean isBlocked:boolean"
            " BlockedReason balanceIsZero:boolean invalidCarrierCode:boolean"
        ),
        "SMSSendMultipleResult": _fields(
            "isOk:boolean successCount:int failedCount:int errorMessages errorNumbers"
        ),
        "SMSSendGroupResult": _fields("isOk:boolean errorMessages"),
        "NewSMSMessage": _fields(
            "isValid:boolean sender data name inboundnumber carriercode trackingid messageid utcTime"
        ),
        "SetMessageReadFlagResult": _fields("isOk:boolean errorMessage"),
        "DeleteMessageResult": _fields("isOk:boolean errorMsg"),
    },
    {"SmsEncoding": ("Seven", "Eight", "Sixteen")},
)  # fmt: skip

_USER: Final = "userName passWord firstName lastName emailAddress smsIN webText comment"

ACCOUNT: Final = Service(
    "Account",
    "http://upsidewireless.com/webservice/account",
    "Balance and profile of an account, and the users that it makes.",
    _operations(
        ("Balance_Get", _AUTHORISED, "double", "Credits left; 999999 for an account without a limit."),
        ("Info_Get", _AUTHORISED, "AccountInfo", "Who the account is."),
        ("AddUser", f"{_AUTHORISED}{_USER}", "AccountResult", "Makes a user of this account."),
        ("AddUser_Extended", f"{_AUTHORISED}{_USER} externalId companyName", "AccountResult",
         "The same, with two more fields."),
        ("RegisterDeviceForSubUser",
         f"{_AUTHORISED}userName device type:DeviceType createForwardRule:boolean", "AccountResult",
         "Registers a device of a user; createForwardRule sends messages and confirmations there."),
        ("TransferCreditsToSubUser", f"{_AUTHORISED}userName credits:double description", "AccountResult",
         "Moves credits to a user of this account."),
    ),
    {
        "AccountInfo": _fields(
            "userName firstName lastName emailAddress companyName externalId balance:double"
            " isUnlimited:boolean numbers createdUtc"
        ),
        "AccountResult": _fields("isOk:boolean errorCode:ErrorCode message"),
    },
    {
        "DeviceType": ("SMS", "Email", "URL"),
        "ErrorCode": (
            "GENERAL_ERROR", "UNAUTHORIZED_ACCESS", "USERNAME_IN_USE", "EMAIL_ADDRESS_IN_USE",
            "DEVICE_IN_USE",
            "SMSIN_IN_USE", "WEBTEXT_IN_USE", "INVALID_USERNAME", "INVALID_PASSWORD", "INVALID_FISTNAME",
            "INVALID_LASTNAME", "INVALID_EMAIL_ADDRESS", "INVALID_SMSIN", "INVALID_WEBTEXT",
            "INVALID_PARAMETER",
            "NO_ERROR",
        ),
    },
)  # fmt: skip

SERVICES: Final[Mapping[str, Service]] = {
    service.name.lower(): service for service in (AUTHENTICATION, SMS, ACCOUNT)
}
"""By name in lower case: paths have no case (upside.md §1)."""


def item_of(result: str) -> str | None:
    """The type of the items when a result is an array."""
    return result.removeprefix("ArrayOf") if result.startswith("ArrayOf") else None
