"""A customer of the REST face, who holds every answer against the document that the gateway serves."""

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from tests.api.running import RunningGateway


class Customer:
    """Asks with the key of an account. ``asked`` are the operations that were answered as promised."""

    def __init__(self, gateway: RunningGateway, account: str = "acme") -> None:
        self.gateway = gateway
        self.key = f"key-of-{account}"
        self.document: dict[str, Any] = gateway.client.get("/v1/openapi.json").json()
        self.asked: set[tuple[str, str]] = set()

    def ask(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """The JSON of the answer, after it was held against the document."""
        return self.response(method, path, status, **request).json()

    def response(self, method: str, path: str, status: int = 200, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", **request.pop("headers", {})}
        response = self.gateway.client.request(method, path, headers=headers, **request)
        assert response.status_code == status, response.text
        template, operation = self._operation(method, path)
        promised = operation["responses"][str(status)]
        assert response.headers["cache-control"] == "no-store"
        if "content" in promised:
            ((media, content),) = promised["content"].items()
            assert response.headers["content-type"] == media
            self.validate(content["schema"], response.json())
        else:
            assert response.content == b""
        if status < 300:
            self.asked.add((method, template))
        return response

    def problem(self, method: str, path: str, status: int, **request: Any) -> dict[str, Any]:
        """The problem of an answer that must be one."""
        found: dict[str, Any] = self.ask(method, path, status, **request)
        assert found["status"] == status >= 400
        return found

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        for template, operations in self.document["paths"].items():
            pattern = re.escape(template).replace(r"\{id\}", "[^/]+")
            if re.fullmatch(pattern, path.partition("?")[0]):
                return template, operations[method.lower()]
        raise AssertionError(f"{path} is not in the document")
