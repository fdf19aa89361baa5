"""``make bench``: gives a node, the bare relay and Kannel (where installed) the same work, in one run.

Prints messages/s, latency from PDU sent to push received, CPU, peak memory, lost and duplicated, each the
median of the runs, then the ratios. Everything runs on the loopback address of this machine, on a directory
that is removed at the end, and stops by itself. What goes wrong: a gateway that cannot be started, or that
loses messages; the exit status is then 1.

    make bench                                     5 runs of every work
    make bench ARGS="--quick"                      small numbers, to see that everything works
    make bench ARGS="--gateways limit --json"
    make bench ARGS="--self-check"                 what the far sides themselves can carry
"""

import argparse
import json
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from bench import process, report
from bench.farside import BenchError, FarSide, Mirror, Result
from bench.gateways import WINDOW, Gateway, Kannel, KannelSpool, Node, Relay

PORTS = 10
OVERALL_S = 1500
WARM_UP = 300  # messages: connections are open and everything is loaded when the clock starts
GATEWAYS: dict[str, list[type[Gateway]]] = {
    "limit": [Relay],
    "homing": [Node],
    "kannel": [Kannel, KannelSpool],
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kind of work; ``n`` by gateway, for some are much slower than others."""

    name: str
    title: str
    n: dict[str, int]
    give: Callable[[Gateway, int], Result]


def saturated(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW)


def steady(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW, rate=1000)


def loop(gateway: Gateway, n: int) -> Result:
    return gateway.far.loop(gateway.http_port, gateway.target, n=n, window=WINDOW, conns=16)


def ten(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW, accounts=10)


def ten_two_bad(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW, accounts=10, first=2, slow=8, dead=9, slow_ms=5000)


WORKS = [
    Work(
        name="received",
        title=f"received SMS, window {WINDOW}",
        n={"homing": 100_000, "bare relay": 200_000, "kannel": 20_000, "kannel spool": 15_000},
        give=saturated,
    ),
    Work(
        name="steady",
        title="received SMS at 1,000/s",
        n={"homing": 5_000, "bare relay": 5_000, "kannel": 5_000, "kannel spool": 5_000},
        give=steady,
    ),
    Work(
        name="loop",
        title="SMSSend to report push, receipt at once",
        n={"homing": 40_000, "kannel": 15_000, "kannel spool": 8_000},
        give=loop,
    ),
    Work(name="ten", title="received SMS, ten customers", n={"homing": 50_000}, give=ten),
    Work(
        name="ten-two-bad", title="the same, one dead, one slow (5 s)", n={"homing": 50_000}, give=ten_two_bad
    ),
]


def measure(gateway: Gateway, work: Work, n: int) -> Result:
    before = process.cpu_s(gateway.pids)
    result = work.give(gateway, n)
    time.sleep(0.2)  # the last outcomes are being recorded
    result["cpu_us_per_message"] = (process.cpu_s(gateway.pids) - before) * 1e6 / n
    result["peak_mib"] = process.peak_mib(gateway.pids)
    return result


def median(results: list[Result]) -> Result:
    """Of every figure its own median; what must not happen at all is added up instead."""
    added = {"lost", "duplicated", "refused", "resent", "http_failed"}
    figures: Result = {}
    for key, value in results[0].items():
        values = [each[key] for each in results]
        if isinstance(value, str):
            figures[key] = next((text for text in values if text), "")
        else:
            figures[key] = sum(values) if key in added else statistics.median(values)
    figures["per_s_range"] = [min(each["per_s"] for each in results), max(each["per_s"] for each in results)]
    return figures


def run_gateway(kind: type[Gateway], works: list[Work], options: argparse.Namespace, say: Console) -> Result:
    """All works of one gateway, each ``runs`` times in a row, on one start of it."""
    done: Result = {}
    with tempfile.TemporaryDirectory(prefix="homing-bench-") as directory:
        say.print(f"[dim]{kind.name}: starting[/]")
        with FarSide(PORTS) as far, kind(far, Path(directory)) as gateway:
            for work in works:
                if kind.name not in work.n or (work.give is loop and not gateway.target):
                    continue
                work.give(gateway, WARM_UP)
                n = max(work.n[kind.name] // (50 if options.quick else 1), 500)
                results = [measure(gateway, work, n) for _ in range(options.runs)]
                done[work.name] = median(results) | {"runs": results}
                say.print(f"[dim]{kind.name}: {work.title}: {done[work.name]['per_s']:,.0f}/s[/]")
    return done


def self_check(n: int) -> Result:
    """The far sides against a gateway that costs next to nothing: they must not be the bottleneck."""
    with FarSide() as far, Mirror(far) as mirror:
        far.wait_for_bind()
        target = "/SMSSend?smsto=@T&smsmsg=B@M"
        return {
            "received": far.received(n=n, window=WINDOW),
            "loop": far.loop(mirror.port, target, n=n // 3, window=WINDOW, conns=16),
        }


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure a node on this machine.")
    parser.add_argument("--runs", type=int, default=None, help="runs of each work (default 5; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="small numbers: that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--output", type=Path, help="write the JSON document into this file too")
    parser.add_argument("--self-check", action="store_true", help="measure the far sides alone")
    parser.add_argument("--gateways", default="limit,homing,kannel", help="which of limit,homing,kannel")
    parser.add_argument("--works", default=",".join(work.name for work in WORKS), help="which works")
    options = parser.parse_args(arguments)
    options.runs = max(1, options.runs or (1 if options.quick else 5))
    for given, known in ((options.gateways, list(GATEWAYS)), (options.works, [work.name for work in WORKS])):
        if unknown := set(given.split(",")) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def run(options: argparse.Namespace, say: Console) -> dict[str, Any]:
    document: dict[str, Any] = {
        "machine": {"cpus": len(process.usable_cpus()), "python": platform.python_version()},
        "runs": options.runs,
        "far_side": self_check(20_000 if options.quick else 300_000),
        "gateways": {},
        "failed": {},
    }
    if options.self_check:
        return document
    works = [work for work in WORKS if work.name in options.works.split(",")]
    for word in options.gateways.split(","):
        for kind in GATEWAYS[word]:
            if issubclass(kind, Kannel) and not kind.is_installed():
                say.print("[dim]kannel is not installed: left out[/]")
                break
            try:
                document["gateways"][kind.name] = run_gateway(kind, works, options, say)
            except BenchError as error:
                document["failed"][kind.name] = str(error)
    document["ratios"] = report.ratios(document["gateways"])
    return document


def wide_enough() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140)


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise BenchError(f"the bench took longer than {OVERALL_S} s")


def main() -> int:
    options = parse(sys.argv[1:])
    say = Console(stderr=True)
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.alarm(OVERALL_S)
    try:
        document = run(options, say)
    except BenchError as error:
        say.print(f"[red]{error}[/]")
        return 1
    text = json.dumps(document, indent=1)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")
    if options.json:
        print(text)
    else:
        report.show(document, {work.name: work.title for work in WORKS}, wide_enough())
    return report.verdict(document, say)


if __name__ == "__main__":
    sys.exit(main())
