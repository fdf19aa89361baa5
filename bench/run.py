"""``make bench``: gives a node, the bare relay and Kannel (where installed) the same work, in one run.

Prints messages/s, latency from PDU sent to push received, CPU, peak memory, lost and duplicated, each the
median of the runs, then the ratios. Everything runs on the loopback address of this machine, on a directory
that is removed at the end, and stops by itself. What goes wrong: a gateway that cannot be started, or that
loses messages; the exit status is then 1.

    make bench                                     5 runs of every work, in under 10 minutes
    make bench ARGS="--full"                       also 10,000,000 stored events and 2,000,000 messages
    make bench ARGS="--quick"                      small numbers, to see that everything works
    make bench ARGS="--gateways limit --json"
    make bench ARGS="--publish"                    write the figures and the chart of docs/figures anew
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

from bench import chart, mms, process, pull, report, stages
from bench.customers import WELL
from bench.farside import BenchError, FarSide, Mirror, Result
from bench.gateways import WINDOW, Gateway, Kannel, KannelSpool, Node, Relay
from bench.targets import judge

PORTS = 50
OVERALL_S = 2_400
RESULTS = Path(__file__).parent / "results"
FIGURES = Path(__file__).parent.parent / "docs" / "figures"
STAGES = ("growth", "backlog", "pull", "mms", "long")
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


def accounts(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW, accounts=200)


def fifty(gateway: Gateway, n: int) -> Result:
    return gateway.far.received(n=n, window=WINDOW, accounts=50)


def fifty_two_bad(gateway: Gateway, n: int) -> Result:
    """The last 48 of the well customers, the slow one and the dead one."""
    return gateway.far.received(
        n=n, window=WINDOW, accounts=50, first=WELL - 48, slow=48, dead=49, slow_ms=5000
    )


WORKS = [
    Work(
        name="received",
        title=f"received SMS, window {WINDOW}",
        n={"homing": 100_000, "bare relay": 150_000, "kannel": 15_000, "kannel spool": 10_000},
        give=saturated,
    ),
    Work(
        name="steady",
        title="received SMS at 1,000/s",
        n={"homing": 4_000, "bare relay": 3_000, "kannel": 3_000, "kannel spool": 3_000},
        give=steady,
    ),
    Work(
        name="loop",
        title="SMSSend to report push, receipt at once",
        n={"homing": 20_000, "kannel": 10_000, "kannel spool": 5_000},
        give=loop,
    ),
    Work(name="accounts", title="received SMS, 200 accounts", n={"homing": 80_000}, give=accounts),
    Work(name="fifty", title="received SMS, 50 accounts", n={"homing": 80_000}, give=fifty),
    Work(
        name="fifty-two-bad",
        title="the same, one dead, one slow (5 s)",
        n={"homing": 80_000},
        give=fifty_two_bad,
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


def run_stages(options: argparse.Namespace, say: Console) -> Result:
    """What needs a node of its own, by name."""
    done: Result = {}
    few, many = (200, 2_000) if options.quick else (10_000, 1_000_000)
    sizes = [few, many, *([10_000_000] if options.full else [])]
    for size in sizes if "growth" in options.works else ():
        say.print(f"[dim]homing: with {size:,} stored events[/]")
        of_received, of_loop = (2_000, 500) if options.quick else (60_000, 12_000)
        done[f"grown {size}"] = stages.grown(size, min(3, options.runs), of_received, of_loop)
    if "backlog" in options.works:
        say.print(f"[dim]homing: with {many:,} waiting events[/]")
        done["backlog"] = stages.backlog(many)
    if "pull" in options.works:
        say.print("[dim]homing: mailboxes emptied by POP3, and the inbox of SOAP[/]")
        done["pop3"] = pull.pop3(100 if options.quick else 1_000, min(3, options.runs))
        done["soap"] = pull.soap(2 if options.quick else pull.PAGES)
    if "mms" in options.works:
        say.print("[dim]homing: MMS of 100 kB[/]")
        done["mms"] = mms.mms(64 if options.quick else 800, min(3, options.runs))
    if options.full and "long" in options.works:
        say.print("[dim]homing: 2,000,000 messages in a row[/]")
        done["long"] = stages.long()
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
    names = [*(work.name for work in WORKS), *STAGES]
    parser.add_argument("--works", default=",".join(names), help="which works")
    parser.add_argument("--full", action="store_true", help="also the works that take many minutes")
    parser.add_argument("--publish", action="store_true", help="write docs/figures from this run")
    options = parser.parse_args(arguments)
    options.runs = max(1, options.runs or (1 if options.quick else 5))
    options.gateways, options.works = options.gateways.split(","), options.works.split(",")
    for given, known in ((options.gateways, list(GATEWAYS)), (options.works, names)):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def run(options: argparse.Namespace, say: Console) -> dict[str, Any]:
    document: dict[str, Any] = {
        "machine": {"cpus": len(process.usable_cpus()), "python": platform.python_version()},
        "runs": options.runs,
        "far_side": self_check(20_000 if options.quick else 300_000),
        "gateways": {},
        "stages": {},
        "failed": {},
    }
    if options.self_check:
        return document
    works = [work for work in WORKS if work.name in options.works]
    for word in options.gateways:
        for kind in GATEWAYS[word] if works else ():
            if issubclass(kind, Kannel) and not kind.is_installed():
                say.print("[dim]kannel is not installed: left out[/]")
                break
            try:
                document["gateways"][kind.name] = run_gateway(kind, works, options, say)
            except BenchError as error:
                document["failed"][kind.name] = str(error)
    if "homing" in options.gateways:
        try:
            document["stages"] = run_stages(options, say)
        except BenchError as error:
            document["failed"]["homing, stages"] = str(error)
    document["ratios"] = report.ratios(document["gateways"])
    document["targets"] = judge(document)
    return document


def wide_enough() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140)


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise BenchError(f"the bench took longer than {OVERALL_S} s")


def main() -> int:
    options = parse(sys.argv[1:])
    say = Console(stderr=True)
    began_s = time.monotonic()
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.alarm(OVERALL_S)
    try:
        document = run(options, say)
    except BenchError as error:
        say.print(f"[red]{error}[/]")
        return 1
    document["took_s"] = round(time.monotonic() - began_s)
    text = json.dumps(document, indent=1)
    named = options.output or RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime())}.json"
    written = [named, *([FIGURES / "speed.json"] if options.publish else [])]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    if options.publish:
        (FIGURES / "speed.svg").write_text(chart.draw(document))
    say.print(f"[dim]{document['took_s']} s; {', '.join(map(str, written))}[/]")
    if options.json:
        print(text)
    else:
        report.show(document, {work.name: work.title for work in WORKS}, wide_enough())
    return report.verdict(document, say)


if __name__ == "__main__":
    sys.exit(main())
