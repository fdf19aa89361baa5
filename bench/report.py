"""The figures of a run as tables, the ratios between the gateways, and the verdict.

``ratios`` and ``verdict`` decide, ``show`` only prints.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

OURS = "homing"
HEALTHY_SHARE = 0.96  # 48 of the fifty customers
MUST_BE_NONE = ("lost", "duplicated", "http_failed")

Document = dict[str, Any]


def ratios(gateways: Document) -> dict[str, float]:
    """Ours over theirs, per work: messages/s, and for CPU theirs over ours, so that more is better."""
    found: dict[str, float] = {}
    ours = gateways.get(OURS, {})
    for name, works in gateways.items():
        for work in works if name != OURS else ():
            if work not in ours:
                continue
            if work != "steady":
                found[f"{work}: messages/s over {name}"] = divided(ours[work]["per_s"], works[work]["per_s"])
            theirs = works[work]["cpu_us_per_message"]
            found[f"{work}: CPU of {name} over ours"] = divided(theirs, ours[work]["cpu_us_per_message"])
    if "fifty" in ours and "fifty-two-bad" in ours:
        before = ours["fifty"]["per_s"] * HEALTHY_SHARE
        found["the 48 well customers over their figure"] = divided(ours["fifty-two-bad"]["per_s"], before)
    return found


def divided(upper: float, lower: float) -> float:
    return round(upper / lower, 3) if lower else 0.0


def verdict(document: Document, say: Console) -> int:
    """0 when everything was measured and nothing was lost; a duplicate or refusal is said, not punished."""
    for name, why in document["failed"].items():
        say.print(f"{name}: {why}", style="red", markup=False)
    lost = 0
    for name, works in document["gateways"].items():
        for work, figures in works.items():
            said = {key: figures[key] for key in MUST_BE_NONE if figures[key]}
            if said:
                say.print(f"{name}, {work}: {said} {figures['first_failure']}", style="yellow", markup=False)
            if name == OURS:
                lost += figures["lost"] + figures["http_failed"] + (figures["pushed"] < figures["due"])
    return 1 if lost or document["failed"] else 0


def show(document: Document, titles: dict[str, str], console: Console) -> None:
    for word, far in document["far_side"].items():
        console.print(
            f"Far sides alone, {word}: {far['per_s']:,.0f}/s, {far['far_us_per_message']:.1f} µs CPU each"
        )
    if document["gateways"]:
        show_works(document, titles, console)
    if document.get("targets"):
        show_targets(document["targets"], console)


def show_works(document: Document, titles: dict[str, str], console: Console) -> None:
    runs, cpus = document["runs"], document["machine"]["cpus"]
    table = Table(title=f"Median of {runs} run{'s' * (runs > 1)}, {cpus} CPUs shared with the far sides")
    table.add_column("work and gateway", no_wrap=True)
    for name in ("messages/s", "min .. max", "p50 ms", "p99 ms", "CPU ms/1,000", "peak MiB", "lost", "dupl."):
        table.add_column(name, justify="right", no_wrap=True)
    for work, title in titles.items():
        measured = {name: works[work] for name, works in document["gateways"].items() if work in works}
        if measured:
            table.add_row(f"[bold]{title}[/]")
        for name, figures in measured.items():
            table.add_row(f"  {name}", *row(figures))
        table.add_section()
    console.print(table)
    if document["ratios"]:
        compared = Table(title="Ratios (more is better)", show_header=False)
        for name, ratio in document["ratios"].items():
            compared.add_row(name, f"{ratio:.2f}")
        console.print(compared)


def show_targets(targets: list[Document], console: Console) -> None:
    table = Table(title="Targets")
    for name in ("target", "measured", "wanted", ""):
        table.add_column(name, justify="left" if name == "target" else "right")
    for each in targets:
        value, bound = each["measured"], each["bound"]
        word = "at most" if each["is_most"] else "at least"
        short = (
            f"short: {value / bound:.2f} of it" if not each["is_most"] else f"over: {value / bound:.2f} of it"
        )
        table.add_row(
            each["what"],
            f"{value:,g} {each['unit']}",
            f"{word} {bound:,g} {each['unit']}",
            "[green]reached[/]" if each["reached"] else f"[red]{short}[/]",
        )
    console.print(table)


def row(figures: Document) -> list[str]:
    low, high = figures["per_s_range"]
    return [
        f"{figures['per_s']:,.0f}",
        f"{low:,.0f} .. {high:,.0f}",
        f"{figures['p50_ms']:,.2f}",
        f"{figures['p99_ms']:,.2f}",
        f"{figures['cpu_us_per_message']:,.1f}",
        f"{figures['peak_mib']:,.0f}",
        f"{figures['lost']:,.0f}",
        f"{figures['duplicated']:,.0f}",
    ]
