"""What the project wants to reach, as data, and what a run says about it."""

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

Document = dict[str, Any]


class Target(NamedTuple):
    """One line: a figure of a run, and the bound that it is to keep."""

    what: str
    unit: str
    measured: Callable[[Document], float | None]
    """None = not measured in this run."""
    bound: float
    is_most: bool = False
    """The bound is the most that is wanted; else the least."""

    def is_reached(self, value: float) -> bool:
        return value <= self.bound if self.is_most else value >= self.bound


def figure(document: Document, gateway: str, work: str, key: str) -> float | None:
    works = document["gateways"].get(gateway, {})
    return float(works[work][key]) if work in works else None


def over(upper: float | None, lower: float | None, share: float = 1.0) -> float | None:
    return round(upper / (lower * share), 3) if upper is not None and lower else None


def of(work: str, key: str, gateway: str = "homing") -> Callable[[Document], float | None]:
    return lambda document: figure(document, gateway, work, key)


def ratio(
    work: str, other: str, *, than: str = "homing", share: float = 1.0
) -> Callable[[Document], float | None]:
    """Our messages/s in a work, over those of ``than`` in another; ``share`` of its customers count."""
    return lambda document: over(
        figure(document, "homing", work, "per_s"), figure(document, than, other, "per_s"), share
    )


def loops_where_the_relay_does_55000(document: Document) -> float | None:
    loops = figure(document, "homing", "loop", "per_s")
    relay = figure(document, "bare relay", "received", "per_s")
    return None if loops is None or not relay else round(loops * 55_000 / relay)


def most_memory(document: Document) -> float | None:
    peaks = [work["peak_mib"] for work in document["gateways"].get("homing", {}).values()]
    return max(peaks) if peaks else None


def of_stage(stage: str, key: str) -> Callable[[Document], float | None]:
    return lambda document: float(document["stages"][stage][key]) if stage in document["stages"] else None


def growth_of(work: str) -> Callable[[Document], float | None]:
    """By how many per cent the figure with the most stored events differs from that with the fewest."""

    def measured(document: Document) -> float | None:
        grown = [stage for name, stage in sorted(document["stages"].items()) if name.startswith("grown")]
        if len(grown) < 2:
            return None
        by_size = sorted(grown, key=lambda stage: int(stage["stored"]))
        few, many = (median([run["per_s"] for run in stage[work]]) for stage in (by_size[0], by_size[-1]))
        return round(abs(1 - float(many) / float(few)) * 100, 1)

    return measured


def of_memory(way: str) -> Callable[[Document], float | None]:
    """By how many MiB the node grew for each transfer of 10 MB."""

    def measured(document: Document) -> float | None:
        stage = document["stages"].get("mms")
        return None if stage is None else float(stage["memory"][f"{way}_mib_each"])

    return measured


def growth_of_memory(document: Document) -> float | None:
    stage = document["stages"].get("long")
    return None if stage is None else round(float(stage["mib_at_the_end"] - stage["mib_after_a_tenth"]), 1)


TARGETS = (
    Target("received, over the bare relay", "x", ratio("received", "received", than="bare relay"), 0.6),
    Target("received, over Kannel", "x", ratio("received", "received", than="kannel"), 6),
    Target("200 accounts, over one", "x", ratio("accounts", "received"), 0.9),
    Target("report loop, over Kannel", "x", ratio("loop", "loop", than="kannel"), 3),
    Target("report loops where the relay does 55,000", "/s", loops_where_the_relay_does_55000, 10_000),
    Target("latency at 1,000/s, p50", "ms", of("steady", "p50_ms"), 1.0, True),
    Target("latency at 1,000/s, p99", "ms", of("steady", "p99_ms"), 3.0, True),
    Target("CPU of a received message", "µs", of("received", "cpu_us_per_message"), 35, True),
    Target("memory at full load", "MiB", most_memory, 120, True),
    Target("memory growth over 2,000,000 messages", "MiB", growth_of_memory, 5, True),
    Target(
        "48 well customers beside a dead and a slow one, over their figure", "x",
        ratio("fifty-two-bad", "fifty", share=48 / 50), 0.9,
    ),
    Target(
        "1,000,000 waiting: first push after the start", "s",
        of_stage("backlog", "first_push_after_start_s"), 2, True,
    ),
    Target("1,000,000 waiting: most memory", "MiB", of_stage("backlog", "most_mib"), 120, True),
    Target("POP3, 200 sessions at once: retrieved", "/s", of_stage("pop3", "one_by_one_per_s"), 20_000),
    Target("SOAP inbox of 300 messages", "ms", of_stage("soap", "median_ms"), 50, True),
    Target("memory of a 10 MB MMS on its way in", "MiB", of_memory("in"), 4, True),
    Target("memory of a 10 MB MMS pushed by multipart", "MiB", of_memory("multipart"), 4, True),
    Target("memory of a 10 MB MMS retrieved, 200 at once", "MiB", of_memory("retrieved"), 4, True),
    Target("growth of the store: received differs", "%", growth_of("received"), 15, True),
    Target("growth of the store: loop differs", "%", growth_of("loop"), 15, True),
)  # fmt: skip


def judge(document: Document) -> list[dict[str, Any]]:
    """Every target that this run has measured, as plain values."""
    lines = []
    for target in TARGETS:
        value = target.measured(document)
        if value is not None:
            lines.append(
                {
                    "what": target.what,
                    "unit": target.unit,
                    "bound": target.bound,
                    "is_most": target.is_most,
                    "measured": value,
                    "reached": target.is_reached(value),
                }
            )
    return lines
