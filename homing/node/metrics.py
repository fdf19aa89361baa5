"""The counters of a node in the Prometheus text format. Every name here is documented; a test sees to it.

The engine counts in plain integers; they are read when somebody asks, so a message pays nothing for it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from homing.node.node import Node


class Measure(NamedTuple):
    """One metric: what it counts, and where the number stands."""

    about: str
    value: "Callable[[Node], float]"
    is_gauge: bool = False


METRICS: Mapping[str, Measure] = {
    "homing_messages_received": Measure("Received messages made durable.", lambda n: n.core.intake.received),
    "homing_messages_unrouted": Measure(
        "Received messages that belong to nobody.", lambda n: n.core.intake.unrouted
    ),
    "homing_mms_received": Measure("Received MMS made durable.", lambda n: n.core.mms_intake.received),
    "homing_mms_repeated": Measure(
        "MMS that a relay sent again, known already.", lambda n: n.core.mms_intake.repeated
    ),
    "homing_mms_unrouted": Measure(
        "Received MMS that belong to nobody.", lambda n: n.core.mms_intake.unrouted
    ),
    "homing_mms_refused": Measure(
        "Requests of MMS relays that were not answered 1000.",
        lambda n: sum(each.counters.refused for each in n.receivers.values()),
    ),
    "homing_messages_joined": Measure("Long messages that came whole.", lambda n: n.core.reassembly.joined),
    "homing_messages_partial": Measure(
        "Long messages handed over without all their parts.", lambda n: n.core.reassembly.partial
    ),
    "homing_parts_repeated": Measure(
        "Parts of long messages that had come before.", lambda n: n.core.reassembly.repeated
    ),
    "homing_receipts_matched": Measure(
        "Receipts whose submission was found.", lambda n: n.core.correlator.matched
    ),
    "homing_receipts_repeated": Measure(
        "Receipts that said nothing new.", lambda n: n.core.correlator.repeated
    ),
    "homing_receipts_parked": Measure(
        "Receipts that came before their submission was known.", lambda n: n.core.correlator.parked
    ),
    "homing_receipts_expired": Measure(
        "Parked receipts dropped after their time.", lambda n: n.core.sweeps.expired
    ),
    "homing_submissions_accepted": Measure("Submissions made durable.", lambda n: n.core.submit.accepted),
    "homing_submissions_refused": Measure(
        "Submissions refused after they could be read: no credit, conflict, not stored.",
        lambda n: n.core.submit.refused,
    ),
    "homing_submissions_in_memory": Measure(
        "Submissions held for sending.", lambda n: n.core.outbox.waiting, is_gauge=True
    ),
    "homing_segments_throttled": Measure(
        "Segments that the network put off.", lambda n: n.core.outbox.throttled
    ),
    "homing_segments_resent": Measure(
        "Segments sent again because no answer came.", lambda n: n.core.outbox.resent
    ),
    "homing_deliveries_delivered": Measure("Deliveries that arrived.", lambda n: n.core.dispatch.delivered),
    "homing_deliveries_retried": Measure(
        "Attempts after which another one is due.", lambda n: n.core.dispatch.retried
    ),
    "homing_deliveries_dead": Measure("Deliveries that became dead letters.", lambda n: n.core.dispatch.dead),
    "homing_deliveries_in_memory": Measure(
        "Deliveries held for pushing.", lambda n: n.core.dispatch.in_memory, is_gauge=True
    ),
    "homing_pushes_in_flight": Measure(
        "Pushes without an answer yet.", lambda n: n.core.dispatch.in_flight, is_gauge=True
    ),
    "homing_pushes_slow": Measure(
        "Answers that took longer than expect_s.", lambda n: n.core.pusher.http.counters.slow
    ),
    "homing_push_connections_opened": Measure(
        "Connections opened towards customers.", lambda n: n.core.pusher.http.counters.opened
    ),
    "homing_push_connections_open": Measure(
        "Connections open towards customers.", lambda n: n.core.pusher.http.open_connections, is_gauge=True
    ),
    "homing_mails_in_flight": Measure(
        "Mails without a reply of the relay yet.", lambda n: n.core.pusher.mail.in_flight, is_gauge=True
    ),
    "homing_mail_connections_opened": Measure(
        "Connections opened to the relay.", lambda n: n.core.pusher.mail.connections_opened
    ),
    "homing_pop3_sessions_open": Measure(
        "POP3 connections open.", lambda n: len(n.pop3.server.sessions), is_gauge=True
    ),
    "homing_pop3_sessions": Measure("POP3 connections taken.", lambda n: n.pop3.server.accepted),
    "homing_pop3_retrieved": Measure("Mails retrieved by POP3.", lambda n: n.pop3.server.retrieved),
    "homing_store_commits": Measure("Transactions of the journal.", lambda n: n.core.journal.commits),
    "homing_store_ok": Measure(
        "1 when the last transaction was committed, else 0.",
        lambda n: float(n.core.journal.trouble is None),
        is_gauge=True,
    ),
}
"""Everything that is one number. Counters end in ``_total`` when they are shown."""

LINK_METRICS: Mapping[str, tuple[str, Callable[[dict[str, Any]], float], bool]] = {
    "homing_link_bound": ("1 when the link is bound, else 0.", lambda s: float(s["state"] == "bound"), True),
    "homing_link_in_flight": ("Segments without an answer yet.", lambda s: s["in_flight"], True),
    "homing_link_sent": ("Segments sent.", lambda s: s["sent"], False),
    "homing_link_received": ("Messages received.", lambda s: s["received"], False),
    "homing_link_receipts": ("Receipts received.", lambda s: s["receipts"], False),
    "homing_link_reconnects": ("Times the link was connected again.", lambda s: s["reconnects"], False),
}
"""Name -> what it is, where it stands in the status of a link, whether it is a gauge. Labelled ``link``."""

ALARM_METRIC = "homing_alarm"


class _NodeCollector(Collector):
    def __init__(self, node: "Node") -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        for name, measure in METRICS.items():
            family = GaugeMetricFamily if measure.is_gauge else CounterMetricFamily
            yield family(name, measure.about, value=measure.value(self._node))
        states = self._node.link_states()
        for name, (about, value, is_gauge) in LINK_METRICS.items():
            family = GaugeMetricFamily if is_gauge else CounterMetricFamily
            metric = family(name, about, labels=["link"])
            for state in states:
                metric.add_metric([state["name"]], value(state))
            yield metric
        alarms = GaugeMetricFamily(ALARM_METRIC, "1 for every alarm that stands.", labels=["alarm"])
        for name in self._node.alarms.standing:
            alarms.add_metric([name], 1.0)
        yield alarms


def exposition(node: "Node") -> bytes:
    """Everything there is to scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_NodeCollector(node))
    return generate_latest(registry)
