"""The OpenAPI 3.1 document of the REST face, made from its table of routes and the structs named in it.

A route says what it takes, answers and refuses; nothing is described a second time by hand. Schemas are those
of JSON Schema 2020-12, which is what OpenAPI 3.1 speaks.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from homing import __version__
from homing.api.problem import PROBLEMS, Problem, ProblemKind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/components/schemas/{name}"
_ALWAYS: Final[tuple[ProblemKind, ...]] = (
    "invalid", "unauthorised", "forbidden", "too_fast", "internal", "unavailable",
)  # fmt: skip
_DESCRIPTION: Final = (
    "Send messages, see what became of them, and manage where events are pushed. Every id is a string, every "
    "time RFC 3339. Lists come a page at a time: ask with `after` for what follows, until `next` is null."
)


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    summary: str
    status: int
    answers: Any
    """The struct of its answer, a tuple of those that it may be, or None for an empty one."""
    query: Any = None
    takes: Any = None
    is_idempotent: bool = False
    """Whether it heeds ``Idempotency-Key``."""
    problems: tuple[ProblemKind, ...] = ()
    """What it refuses beside what every route does."""

    def all_problems(self) -> list[ProblemKind]:
        """Every kind of problem that it may answer with."""
        found: list[ProblemKind] = [*_ALWAYS, *self.problems]
        if "{id}" in self.path:
            found.append("not_found")
        if self.takes is not None:
            found += ["body_too_long", "unreadable_body"]
        if self.is_idempotent:
            found.append("key_reused")
        return found


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document."""
    kinds = [kind for route in routes for kind in (*_answers(route), route.takes, route.query) if kind]
    _, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {"title": "Homing", "version": __version__, "description": _DESCRIPTION},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "The API key of the account."}
            },
            "schemas": components,
        },
    }


def _answers(route: Route) -> tuple[Any, ...]:
    if route.answers is None:
        return ()
    return route.answers if isinstance(route.answers, tuple) else (route.answers,)


def _schema(*kinds: Any) -> dict[str, Any]:
    found = [{"$ref": _REF.format(name=kind.__name__)} for kind in kinds]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": route.summary}
    if route.answers is not None:
        success["content"] = {"application/json": {"schema": _schema(*_answers(route))}}
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "responses": {str(route.status): success, **_problems(route)},
    }
    parameters = _parameters(route, components)
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        content = {"application/json": {"schema": _schema(route.takes)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "{id}" in route.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if route.query is not None:
        properties = components[route.query.__name__]["properties"]
        found += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    if route.is_idempotent:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Under one key a request counts once within 24 h.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    return found


def _problems(route: Route) -> dict[str, Any]:
    """One response per status; two kinds may share it."""
    titles: dict[int, list[str]] = {}
    for kind in route.all_problems():
        status, title, _ = PROBLEMS[kind]
        titles.setdefault(status, []).append(title)
    return {
        str(status): {
            "description": "; ".join(titles[status]),
            "content": {"application/problem+json": {"schema": _schema(Problem)}},
        }
        for status in sorted(titles)
    }
