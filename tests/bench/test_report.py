"""The figures that the bench decides from: medians, sums, ratios and the verdict."""

from typing import Any

import pytest
from rich.console import Console

from bench import report
from bench.run import median


def figures(per_s: float = 100.0, **others: Any) -> dict[str, Any]:
    nothing_wrong = {
        "lost": 0,
        "duplicated": 0,
        "http_failed": 0,
        "first_failure": "",
        "pushed": 10,
        "due": 10,
    }
    return {"per_s": per_s, "cpu_us_per_message": 10.0} | nothing_wrong | others


def test_a_figure_is_its_median_and_a_loss_is_never_averaged_away() -> None:
    runs = [figures(100.0), figures(300.0, lost=1, first_failure="HTTP/1.1 503"), figures(200.0)]
    found = median(runs)
    assert (found["per_s"], found["per_s_range"], found["lost"]) == (200.0, [100.0, 300.0], 1)
    assert found["first_failure"] == "HTTP/1.1 503"


def test_ratios_are_ours_over_theirs_and_more_is_better() -> None:
    ours = {"received": figures(60.0, cpu_us_per_message=20.0), "steady": figures(10.0)}
    theirs = {"received": figures(100.0), "steady": figures(10.0), "loop": figures()}
    assert report.ratios({"homing": ours, "bare relay": theirs}) == {
        "received: messages/s over bare relay": 0.6,
        "received: CPU of bare relay over ours": 0.5,
        "steady: CPU of bare relay over ours": 1.0,
    }


def test_the_well_customers_are_compared_with_their_own_share() -> None:
    ours = {"fifty": figures(100.0), "fifty-two-bad": figures(91.2)}
    assert report.ratios({"homing": ours}) == {"the 48 well customers over their figure": 0.95}


@pytest.mark.parametrize(
    ("gateway", "wrong", "status"),
    [
        ("homing", {}, 0),
        ("homing", {"lost": 1}, 1),
        ("homing", {"pushed": 9}, 1),
        ("homing", {"duplicated": 1}, 0),
        ("kannel", {"lost": 1}, 0),
    ],
)
def test_only_our_own_losses_fail_the_run(gateway: str, wrong: dict[str, int], status: int) -> None:
    document = {"failed": {}, "gateways": {gateway: {"received": figures(**wrong)}}}
    assert report.verdict(document, Console(quiet=True)) == status


def test_a_gateway_that_could_not_be_measured_fails_the_run() -> None:
    document = {"failed": {"homing": "nobody bound within 20 s"}, "gateways": {}}
    assert report.verdict(document, Console(quiet=True)) == 1
