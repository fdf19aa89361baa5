"""What operators and their machines ask."""

import pytest
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

from homing.api.gateway import Health
from tests.api.running import RunningGateway

LINKS = [{"name": "sim", "state": "down"}]


def health(**changes: object) -> Health:
    values = {"store_trouble": None, "listening": True, "draining": False, "links": LINKS}
    return Health(**values | changes)  # type: ignore[arg-type]


def test_a_process_that_lives_says_so(gateway: RunningGateway) -> None:
    gateway.health = health(store_trouble="disk full", listening=False, draining=True)
    response = gateway.client.get("/healthz")
    assert (response.status_code, response.text) == (200, "ok")
    head = gateway.client.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("now", "status", "said"),
    [
        (health(), 200, {"ready": True, "store": "ok", "listeners": True, "draining": False}),
        (health(links=[]), 200, {"ready": True, "links": []}),
        (health(store_trouble="disk full"), 503, {"ready": False, "store": "disk full"}),
        (health(listening=False), 503, {"ready": False, "listeners": False}),
        (health(draining=True), 503, {"ready": False, "draining": True}),
    ],
)
def test_readiness(gateway: RunningGateway, now: Health, status: int, said: dict[str, object]) -> None:
    gateway.health = now
    response = gateway.client.get("/readyz")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"ready", "store", "listeners", "links", "draining"}
    assert {name: body[name] for name in said} == said
    assert body["links"] == list(now.links)


def test_metrics(gateway: RunningGateway) -> None:
    response = gateway.client.get("/metrics")
    assert (response.status_code, response.headers["content-type"]) == (200, CONTENT_TYPE_LATEST)
    (family,) = text_string_to_metric_families(response.text)
    assert family.samples[0].value == 1
