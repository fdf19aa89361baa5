"""Every route and every metric has its paragraph."""

from homing.api import rest, routes
from homing.node.metrics import ALARM_METRIC, LINK_METRICS, METRICS
from tests.docs.pages import ROOT, bare, page, tables


def test_every_route_is_documented() -> None:
    pages = ("http-smssend.md", "http-sendmms.md", "http-retrievemms.md", "upside.md")
    text = "".join(map(page, pages))
    text += (ROOT / "docs" / "how-to" / "connect-an-mmsc.md").read_text("utf-8")
    text += page("metrics.md").replace("`GET /", "`/")
    assert [route.path for route in routes.ROUTES if f"`{route.path}`" not in text] == []


def test_every_rest_route_is_documented() -> None:
    rows = [row for rows in tables(page("rest.md")).values() for row in rows if len(row) > 1]
    shown = {(row[0], bare(row[1])) for row in rows}
    assert {(route.method, route.path) for route in rest.ROUTES} - shown == set()


def test_every_metric_is_documented_under_the_name_that_is_shown() -> None:
    found = tables(page("metrics.md"))["metric|kind|"]
    gauges = {name: each.is_gauge for name, each in METRICS.items()}
    gauges |= {name: is_gauge for name, (_, _, is_gauge) in LINK_METRICS.items()}
    assert {bare(row[0]): row[1] for row in found} == {
        name if is_gauge else f"{name}_total": "gauge" if is_gauge else "counter"
        for name, is_gauge in gauges.items()
    }
    assert f"`{ALARM_METRIC}`" in page("metrics.md")
