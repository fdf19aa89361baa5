"""The OpenAPI document says what the face does: every route, every answer as promised, sound schemas."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from homing import __version__
from homing.api.openapi import DIALECT
from homing.api.problem import PROBLEMS
from homing.api.rest import ROUTES
from homing.model.clock import id_at, now_ms
from homing.model.mms import Content, Mms, Part
from homing.wire.mail_id import mail_id
from tests.api.rest_customer import Customer
from tests.api.running import RunningGateway
from tests.docs.pages import bare, page, tables
from tests.store import rows

FIRST = id_at(1_700_000_000_000)
FRESH = id_at(now_ms() - 86_400_000)
PART = Part(name="a.gif", content_type="image/gif", size=7, offset=60, sha256="ab" * 32)
AN_MMS = Mms(content=Content(sha256="cd" * 32, size=300, parts=(PART,)), expires_at_ms=now_ms())


@pytest.fixture
def customer(gateway: RunningGateway) -> Customer:
    return Customer(gateway)


def test_every_route_answers_as_the_document_says(gateway: RunningGateway, customer: Customer) -> None:
    endpoint = {"events": ["report", "message"], "format": "json", "url": "https://a.test/"}
    path = f"/v1/endpoints/{customer.ask('POST', '/v1/endpoints', 201, json=endpoint)['id']}"
    customer.ask("PATCH", path, json={"concurrency": 1})
    for verb in ("pause", "resume", "test", "rotate-secret"):
        customer.ask("POST", f"{path}/{verb}")
    sent = customer.ask("POST", "/v1/messages", 202, json={"to": "447700900123", "text": "a"})["id"]
    with gateway.database.writing() as connection:
        rows.add_segment(connection, int(sent))
        rows.add_receipt(connection, FIRST, int(sent))
        rows.add_report(connection, FIRST + 1, int(sent))
        rows.add_message(connection, FIRST + 2)
        rows.add_message(connection, FRESH)
        rows.add_message(connection, FRESH + 1, mms=msgspec.msgpack.encode(AN_MMS))
        for event, kind in ((FIRST + 1, "report"), (FIRST + 2, "message")):
            done = {"finished_at_ms": 1_700_000_000_005, "state": 2}
            rows.add_delivery(connection, event, 1, kind=kind, **done)
            rows.add_attempt(connection, event, 1, 1)
    friends = {"name": "friends", "members": ["447700900001"]}
    customer.ask("GET", "/v1/networks")
    customer.ask("POST", "/v1/groups", 201, json=friends)
    customer.ask("PATCH", "/v1/groups/friends", json={"add": ["447700900002"]})
    mail = mail_id(FRESH)
    customer.ask("PATCH", f"/v1/mailbox/{mail}", json={"read": True})
    customer.ask("POST", "/v1/mailbox/marks", json={"unread": [mail]})
    for one in (
        "groups", "groups/Friends", "mailbox", "mailbox/unread-count", f"mailbox/{mail}",
        "account", "endpoints", "endpoints/1", "messages", f"messages/{sent}", "reports",
        f"reports/{FIRST + 1}", "received", f"received/{FIRST + 2}", "deliveries",
        f"deliveries/{FIRST + 1}-1", f"deliveries/{FIRST + 1}-1/attempts",
    ):  # fmt: skip
        found = customer.ask("GET", f"/v1/{one}")
        assert found.get("items") != []  # an empty list shows nothing
    customer.ask("POST", f"/v1/deliveries/{FIRST + 1}-1/replay", 202)
    customer.ask("POST", "/v1/replay", 202, json={"since": "2020-01-01T00:00:00Z"})
    customer.response("DELETE", path, 204)
    customer.response("DELETE", f"/v1/mailbox/{mail}", 204)
    customer.response("DELETE", "/v1/groups/friends", 204)
    assert customer.asked == {(route.method, route.path) for route in ROUTES}


def test_the_document_is_made_of_the_table(customer: Customer) -> None:
    document = customer.document
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {(route.method, route.path) for route in ROUTES}
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names)) == len(ROUTES)
    for route in ROUTES:
        operation = operations[route.method, route.path]
        promised = {str(PROBLEMS[kind].status) for kind in route.all_problems()}
        assert set(operation["responses"]) == {str(route.status)} | promised
        in_path = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", route.path)
        assert ("requestBody" in operation) == (route.takes is not None)
    page_parameters = operations["GET", "/v1/deliveries"]["parameters"]
    assert [p["name"] for p in page_parameters] == ["limit", "after", "state"]
    headers = [key for key, o in operations.items() if "Idempotency-Key" in str(o.get("parameters"))]
    assert headers == [("POST", "/v1/messages"), ("POST", "/v1/replay")]


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "schema" in value and isinstance(value["schema"], dict):
            yield value["schema"]
        for inner in value.values():
            yield from _schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _schemas(inner)


def test_every_schema_is_sound_and_every_reference_leads_somewhere(customer: Customer) -> None:
    document = customer.document
    assert document["jsonSchemaDialect"] == DIALECT == Draft202012Validator.META_SCHEMA["$id"]
    components = document["components"]["schemas"]
    for schema in (*components.values(), *_schemas(document["paths"])):
        Draft202012Validator.check_schema(schema)
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', str(document).replace("'", '"')))
    parameters_of = {route.query.__name__ for route in ROUTES if route.query is not None}
    assert references | parameters_of == set(components)


def test_the_schemas_of_requests_refuse_what_the_face_refuses(customer: Customer) -> None:
    schema = {"$ref": "#/components/schemas/NewMessage"}
    wish = {"to": "447700900123", "text": "a"}
    customer.validate(schema, wish)
    for wrong in ({"sms": 1}, {"report": 8}, {"to": 1}, {"data": "0"}, {"validity_s": 0}):
        customer.problem("POST", "/v1/messages", 400, json=wish | wrong)
        with pytest.raises(ValidationError):
            customer.validate(schema, wish | wrong)


# --- the page ---


def test_every_route_is_documented() -> None:
    found = tables(page("rest.md"))["method|path|answers|what it does"]
    assert [(row[0], bare(row[1]), row[2]) for row in found] == [
        (route.method, route.path, str(route.status)) for route in ROUTES
    ]


def test_every_problem_is_documented() -> None:
    found = tables(page("rest.md"))["status|type|when"]
    assert [(int(row[0]), bare(row[1])) for row in found] == [
        (meaning.status, f"urn:homing:problem:{kind}") for kind, meaning in PROBLEMS.items()
    ]


@pytest.mark.parametrize(
    ("header", "schema"),
    [
        ("field of a message|default|value", "NewMessage"),
        ("field of an endpoint|default|value", "NewEndpoint"),
        ("field of a replay|default|value", "Replay"),
    ],
)
def test_every_field_that_is_taken_is_documented(customer: Customer, header: str, schema: str) -> None:
    found = tables(page("rest.md"))[header]
    properties = customer.document["components"]["schemas"][schema]["properties"]
    assert [bare(row[0]) for row in found] == list(properties)
