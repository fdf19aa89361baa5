"""The table of the Upside services says what upside.md says, letter by letter."""

import pytest

from homing.wire.upside_services import PRIMITIVES, SERVICES, Field, item_of

STRING, BOOLEAN, INT, DOUBLE = PRIMITIVES

SIGNATURES = """
authentication GetParameters(username password) AuthenticationParameters
sms Send_Test(token signature recipient message encoding) SMSSendResult
sms Send_Plain(token signature recipient message encoding) SMSSendResult
sms Send_Plain_Dedicated(token signature recipient message encoding carrierCode dedicatedNumber tariff) SMSSendResult
sms Send_Plain_Deferred(token signature recipient message encoding DelayHours DelayMinutes label) SMSSendResult
sms Send_Plain_Multiple(token signature recipients message encoding) SMSSendMultipleResult
sms Send_Plain_Group(token signature groupName message encoding) SMSSendGroupResult
sms Send_Flash(token signature recipient message) SMSSendResult
sms Send_WAPPush(token signature recipient title url) SMSSendResult
sms Send_Port(token signature recipient port encodedMessage) SMSSendResult
sms Send_Port_Dedicated(token signature recipient port encodedMessage carrierCode dedicatedNumber tariff) SMSSendResult
sms GetNewInboxCount(token signature) int
sms GetNewInboxMessages(token signature) ArrayOfNewSMSMessage
sms GetTopMessage(token signature) NewSMSMessage
sms GetBottomMessage(token signature) NewSMSMessage
sms GetTopMessageNoReset(token signature) NewSMSMessage
sms GetBottomMessageNoReset(token signature) NewSMSMessage
sms SetMessageReadFlag(token signature messageId flag) SetMessageReadFlagResult
sms DeleteMessage(token signature messageId) DeleteMessageResult
sms GetDLR(token signature trackingId) string
account Balance_Get(token signature) double
account Info_Get(token signature) AccountInfo
account AddUser(token signature userName passWord firstName lastName emailAddress smsIN webText comment) AccountResult
account AddUser_Extended(token signature userName passWord firstName lastName emailAddress smsIN webText comment externalId companyName) AccountResult
account RegisterDeviceForSubUser(token signature userName device type createForwardRule) AccountResult
account TransferCreditsToSubUser(token signature userName credits description) AccountResult
"""  # noqa: E501

TYPES_OF_PARAMETERS = {
    "encoding": "SmsEncoding", "tariff": DOUBLE, "DelayHours": INT, "DelayMinutes": INT, "port": INT,
    "flag": BOOLEAN, "type": "DeviceType", "createForwardRule": BOOLEAN, "credits": DOUBLE,
}  # fmt: skip
"""All others are strings."""

FIELDS = {
    "AuthenticationParameters": "Token Signature",
    "SMSSendResult": "isOk! trackingId number convertedNumber deferUntilOccursInThePast! messageIsEmpty!"
    " tooManyMessages! invalidCountryCode! isBlocked! BlockedReason balanceIsZero! invalidCarrierCode!",
    "SMSSendMultipleResult": "isOk! successCount! failedCount! errorMessages errorNumbers",
    "SMSSendGroupResult": "isOk! errorMessages",
    "NewSMSMessage": "isValid! sender data name inboundnumber carriercode trackingid messageid utcTime",
    "SetMessageReadFlagResult": "isOk! errorMessage",
    "DeleteMessageResult": "isOk! errorMsg",
    "AccountInfo": "userName firstName lastName emailAddress companyName externalId balance! isUnlimited!"
    " numbers createdUtc",
    "AccountResult": "isOk! errorCode! message",
}
"""Fields of every type in order; with ``!`` what is always there."""

ENUMS = {
    "SmsEncoding": "Seven Eight Sixteen",
    "DeviceType": "SMS Email URL",
    "ErrorCode": "GENERAL_ERROR UNAUTHORIZED_ACCESS USERNAME_IN_USE EMAIL_ADDRESS_IN_USE DEVICE_IN_USE"
    " SMSIN_IN_USE WEBTEXT_IN_USE INVALID_USERNAME INVALID_PASSWORD INVALID_FISTNAME INVALID_LASTNAME"
    " INVALID_EMAIL_ADDRESS INVALID_SMSIN INVALID_WEBTEXT INVALID_PARAMETER NO_ERROR",
}


def test_operations_with_parameters_in_order() -> None:
    lines = [
        f"{path} {name}({' '.join(field.name for field in operation.parameters)}) {operation.result}"
        for path, service in SERVICES.items()
        for name, operation in service.operations.items()
        if name == operation.name
    ]
    assert lines == SIGNATURES.strip().splitlines()


@pytest.mark.parametrize("path", SERVICES)
def test_types_of_parameters(path: str) -> None:
    for operation in SERVICES[path].operations.values():
        for field in operation.parameters:
            type_ = TYPES_OF_PARAMETERS.get(field.name, STRING)
            # A string may be left out, all else must be there. upside.md §1
            assert field == Field(field.name, type_, type_ == STRING), operation.name


def test_fields_of_types_in_order() -> None:
    types = {name: fields for service in SERVICES.values() for name, fields in service.types.items()}
    said = {
        name: " ".join(field.name + ("" if field.optional else "!") for field in fields)
        for name, fields in types.items()
    }
    assert said == FIELDS
    assert all(field.optional == (field.type == STRING) for fields in types.values() for field in fields)


def test_words_of_enums() -> None:
    enums = {name: " ".join(words) for service in SERVICES.values() for name, words in service.enums.items()}
    assert enums == ENUMS


@pytest.mark.parametrize(
    ("path", "name"), [("authentication", "Authentication"), ("sms", "SMS"), ("account", "Account")]
)
def test_names_and_namespaces(path: str, name: str) -> None:
    service = SERVICES[path]
    assert (service.name, service.namespace) == (name, f"http://upsidewireless.com/webservice/{path}")


@pytest.mark.parametrize("path", SERVICES)
def test_every_type_that_is_named_exists(path: str) -> None:
    service = SERVICES[path]
    known = {*PRIMITIVES, *service.types, *service.enums}
    fields = [field for fields in service.types.values() for field in fields]
    for operation in service.operations.values():
        assert (item_of(operation.result) or operation.result) in known
        assert operation.what.endswith(".")
        fields.extend(operation.parameters)
    assert {field.type for field in fields} <= known


def test_a_service_can_be_a_key() -> None:
    assert {service: path for path, service in SERVICES.items()}[SERVICES["sms"]] == "sms"


def test_items_of_an_array() -> None:
    assert item_of("ArrayOfNewSMSMessage") == "NewSMSMessage"
    assert item_of("NewSMSMessage") is None
