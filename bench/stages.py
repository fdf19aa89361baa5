"""Works that need a node of their own: one with a past, one with a backlog, one that runs for long."""

import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import process
from bench.farside import FarSide, Result
from bench.gateways import WINDOW, Gateway, Node

PORTS = 10
WARM_UP = 1_000
BACKLOG = 1_000_000
LONG = 2_000_000
DRAIN_S = 15.0
SAMPLE_S = 0.25
DELIVERED = re.compile(rb"^homing_deliveries_delivered_total ([0-9.e+]+)$", re.MULTILINE)


@contextmanager
def running(kind: type[Node]) -> Iterator[Node]:
    with (
        tempfile.TemporaryDirectory(prefix="homing-bench-") as directory,
        FarSide(PORTS) as far,
        kind(far, Path(directory)) as node,
    ):
        yield node


def grown(stored: int, runs: int, received: int, loops: int) -> Result:
    """Received messages and report loops of a node that has so many events in its store."""

    class Grown(Node):
        pass

    Grown.stored = stored
    with running(Grown) as node:
        give_loops(node, WARM_UP)
        node.far.received(n=WARM_UP, window=WINDOW)
        return {
            "stored": stored,
            "received": [node.far.received(n=received, window=WINDOW) for _ in range(runs)],
            "loop": [give_loops(node, loops) for _ in range(runs)],
        }


def give_loops(gateway: Gateway, n: int) -> Result:
    return gateway.far.loop(gateway.http_port, gateway.target, n=n, window=WINDOW, conns=16)


def backlog(count: int = BACKLOG) -> Result:
    """A node that starts with so many undelivered events of one well customer."""

    class Behind(Node):
        undelivered = count

    with running(Behind) as node:
        ready_s = time.monotonic()
        (pid,) = node.pids
        while not delivered(node):
            time.sleep(0.01)
        first_s = time.monotonic()
        at_first_mib, most_mib = process.rss_mib(pid), 0.0
        while time.monotonic() < first_s + DRAIN_S and (done := delivered(node)) < count:
            most_mib = max(most_mib, process.rss_mib(pid))
            time.sleep(SAMPLE_S)
        took_s = time.monotonic() - first_s
        return {
            "undelivered": count,
            "first_push_after_ready_s": round(first_s - ready_s, 3),
            "first_push_after_start_s": round(first_s - node.started_at_s, 3),
            "drained_per_s": round(done / took_s),
            "mib_at_first_push": round(at_first_mib, 1),
            "most_mib": round(most_mib, 1),
        }


def delivered(node: Node) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.http_port}/metrics", timeout=10) as answer:
        found = DELIVERED.search(answer.read())
    return int(float(found[1])) if found else 0


def long(count: int = LONG) -> Result:
    """So many received messages in one go: what the node takes of memory along the way."""
    with running(Node) as node:
        node.far.received(n=WARM_UP, window=WINDOW)
        samples: list[float] = []
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(1.0):
                samples.append(process.rss_mib(node.pids[0]))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            result = node.far.received(n=count, window=WINDOW, limit_ms=600_000)
        finally:
            ended.set()
            thread.join()
        return result | {
            "mib_after_a_tenth": round(samples[len(samples) // 10], 1),
            "mib_at_the_end": round(samples[-1], 1),
            "most_mib": round(max(samples), 1),
        }
