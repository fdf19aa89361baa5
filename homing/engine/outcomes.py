"""How attempts came out, as rows: gathered over one turn of the loop, recorded in one transaction."""

from typing import Any

from homing.engine.destination import Destination
from homing.engine.ports import Transaction
from homing.model.delivery import ANSWER_CAP, Answer, Delivery, DeliveryState

DELIVERED, DEAD = int(DeliveryState.DELIVERED), int(DeliveryState.DEAD)


class Outcomes:
    """Rows of one turn of the loop."""

    __slots__ = ("attempts", "finished", "gone", "held", "released", "retried", "settling")

    def __init__(self) -> None:
        self.finished: list[tuple[Any, ...]] = []
        self.attempts: list[tuple[Any, ...]] = []
        self.retried: list[tuple[Any, ...]] = []
        self.released: list[tuple[Any, ...]] = []
        self.gone: list[int] = []
        self.settling: list[Destination] = []
        """Ordered destinations that wait for this record."""
        self.held = 0
        """How many attempts are recorded here."""


def record_outcomes(transaction: Transaction, items: list[Outcomes]) -> None:
    """In the journal: every row is guarded by its attempt number, so a late record changes nothing."""
    transaction.insert_attempts([row for outcomes in items for row in outcomes.attempts])
    transaction.finish_deliveries([row for outcomes in items for row in outcomes.finished])
    transaction.retry_deliveries([row for outcomes in items for row in outcomes.retried])
    transaction.move_claims([row for outcomes in items for row in outcomes.released])
    for endpoint in {id_ for outcomes in items for id_ in outcomes.gone}:
        transaction.pause_endpoint(endpoint, "the endpoint answered 410 Gone")


def finished_row(state: int, delivery: Delivery, answer: Answer, now: int) -> tuple[Any, ...]:
    return (
        state, answer.status, answer.error, answer.body[:ANSWER_CAP], answer.took_ms, now,
        delivery.event.id, delivery.endpoint, delivery.attempt,
    )  # fmt: skip


def attempt_row(delivery: Delivery, answer: Answer, now: int) -> tuple[Any, ...]:
    return (
        delivery.event.id, delivery.endpoint, delivery.attempt, now - answer.took_ms, answer.status,
        answer.error, answer.body[:ANSWER_CAP], answer.took_ms,
    )  # fmt: skip
