"""Correlation: any order of answers and receipts ends in the fold of the last words, told once."""

import asyncio
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.engine.correlate import Answered, ArrivedReceipt
from homing.engine.prices import Prices
from homing.engine.submit import UNCLAIMED, Batch, record_submissions
from homing.model.clock import now_ms
from homing.model.errors import Refusal
from homing.model.report import FINAL, Status, fold, may_follow, read_word
from homing.store import tables as t
from homing.wire.message_id import Spelling
from tests.engine.far import World, a_receipt, a_store, a_submission, an_endpoint

WORDS = ("ENROUTE", "ACCEPTD", "DELIVRD", "UNDELIV", "REJECTD", "EXPIRED", "UNKNOWN", "what")


def arrived(word: str, *ids: str, scope: str = "s", recipient: str = "447700900001") -> ArrivedReceipt:
    receipt = a_receipt(word, *ids, recipient=recipient)
    return ArrivedReceipt(scope=scope, link="sim", at_ms=now_ms(), receipt=receipt)


def answered(
    submission: int, number: int = 1, of: int = 1, id_: str = "", status: Status = Status.SENT
) -> Answered:
    return Answered(
        submission=submission, segment=number, scope="s", link="sim", at_ms=now_ms(), status=status,
        reason="sent" if status is Status.SENT else "esme_rinvdstadr", link_message_id=id_, segment_count=of,
    )  # fmt: skip


class Case:
    """A world whose submissions are in the store, and whose events come one transaction at a time."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def submit(self, *submissions: Any) -> None:
        account = self.world.directory.accounts["acme"]
        batch = Batch(account=account, metered=False, submissions=submissions)

        def write(transaction: Any) -> None:
            (outcome,) = record_submissions(transaction, [(batch, UNCLAIMED)], Prices())
            assert not isinstance(outcome, Refusal)

        await self.world.write(write)

    async def answer(self, *items: Answered) -> Sequence[Any]:
        found: Sequence[Any] = await self.world.write(
            lambda transaction: self.world.correlator.record_answers(transaction, list(items))
        )
        return found

    async def receive(self, *items: ArrivedReceipt) -> Sequence[Any]:
        found: Sequence[Any] = await self.world.write(
            lambda transaction: self.world.correlator.record_receipts(transaction, list(items))
        )
        return found

    async def sweep(self) -> Sequence[Any]:
        def do(transaction: Any) -> Sequence[Any]:
            rows = transaction.all_parked_receipts(0, 100)
            return self.world.correlator.sweep_parked(transaction, rows, are_all=len(rows) < 100)

        found: Sequence[Any] = await self.world.write(do)
        return found

    def statuses(self) -> list[str]:
        return [row.status for row in self.world.rows(t.submissions)]

    def reports(self) -> list[tuple[int, str, int]]:
        return [(row.submission, row.status, row.sequence) for row in self.world.rows(t.reports)]

    def parked(self) -> int:
        return len(self.world.rows(t.parked_receipts))


def run(path: Path, scenario: Any) -> None:
    async def go() -> None:
        database = a_store(path, an_endpoint())
        world = World(database)
        try:
            await scenario(Case(world))
        finally:
            world.stop()
            database.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("of_answer", "of_receipt", "spelling"),
    [
        ("0A1B", "0a1b", Spelling.same),
        ("0A1B", "A1B", Spelling.same),
        ("00123", "123", Spelling.same),
        ("812FC7470000001B", "9308878062554710043", Spelling.decimal_to_hex),
        ("436949", "6aad5", Spelling.hex_to_decimal),
        ("a4c1f0d2-0001", "A4C1F0D2-0001", Spelling.same),
    ],
)
def test_any_spelling_matches_before_and_after_the_answer(
    tmp_path: Path, of_answer: str, of_receipt: str, spelling: Spelling
) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1), a_submission(2))
        await case.answer(answered(1, id_=of_answer))
        (matched,) = await case.receive(arrived("DELIVRD", of_receipt))
        assert (matched.spelling, matched.parked, len(matched.held)) == (spelling, False, 1)
        (again,) = await case.receive(arrived("DELIVRD", of_receipt))
        assert (again.spelling, again.parked, again.held) == (spelling, False, ())
        assert case.reports() == [(1, "DELIVERED", 1)]
        assert len(case.world.rows(t.receipts)) == 2, "every receipt is kept raw"

    run(tmp_path / "after", scenario)

    async def outran(case: Case) -> None:
        await case.submit(a_submission(1))
        (matched,) = await case.receive(arrived("DELIVRD", of_receipt))
        assert matched.parked
        (matched,) = await case.answer(answered(1, id_=of_answer))
        assert (matched.spelling, len(matched.held)) == (spelling, 1)
        assert (case.parked(), case.reports()) == (0, [(1, "DELIVERED", 1)])

    run(tmp_path / "before", outran)


def test_ids_are_unique_only_within_their_scope(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1))
        await case.answer(answered(1, id_="7f"))
        (matched,) = await case.receive(arrived("DELIVRD", "7f", scope="another"))
        assert matched.parked

    run(tmp_path, scenario)


def test_a_receipt_that_outran_its_answer_does_not_hit_an_older_message_by_chance(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1), a_submission(2), a_submission(3, recipient="447700900003"))
        await case.answer(answered(1, id_="255"))
        await case.receive(arrived("DELIVRD", "255"))
        # 597 is 255 in hexadecimal: the same number, but of that one all is said.
        (matched,) = await case.receive(arrived("DELIVRD", "597"))
        assert matched.parked
        (matched,) = await case.answer(answered(2, id_="597"))
        assert len(matched.held) == 1
        # The other way round: the answer with 255 does not take what 597 waits for.
        await case.receive(arrived("UNDELIV", "1431", recipient="447700900003"))
        await case.answer(answered(1, id_="0597"))
        assert case.parked() == 1
        await case.answer(answered(3, id_="1431"))
        assert case.reports() == [(1, "DELIVERED", 1), (2, "DELIVERED", 1), (3, "FAILED", 1)]

    run(tmp_path, scenario)


def test_ids_that_are_used_again_mean_the_younger_message(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1), a_submission(2), a_submission(3, recipient="447700900003"))
        await case.answer(answered(1, id_="5"), answered(2, id_="5"), answered(3, id_="5"))
        await case.receive(arrived("DELIVRD", "5"))
        await case.receive(arrived("UNDELIV", "5", recipient="447700900003"))
        assert case.reports() == [(2, "DELIVERED", 1), (3, "FAILED", 1)]

    run(tmp_path, scenario)


def test_a_receipt_whose_answer_another_node_recorded_is_found_by_the_sweep(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1))
        await case.receive(arrived("DELIVRD", "x1"))
        assert [matched.held for matched in await case.sweep()] == [()]

        def another_node(transaction: Any) -> None:
            transaction.insert_segments([(1, 1, "sim", "s", "X1", "x1", "SENT", "sent", 1)])
            transaction.mark_sent([("SENT", "sent", "sim", 1, 1)])

        await case.world.write(another_node)
        (matched,) = await case.sweep()
        assert len(matched.held) == 1
        assert (case.parked(), case.reports()) == (0, [(1, "DELIVERED", 1)])
        assert case.world.correlator.unmatched() == (1, 0)

    run(tmp_path, scenario)


def test_after_a_sweep_that_found_nothing_early_receipts_are_found_all_the_same(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        assert await case.sweep() == []
        await case.submit(a_submission(1), a_submission(2))
        await case.answer(answered(1, id_="a1"))
        assert await case.sweep() == []
        await case.receive(arrived("DELIVRD", "b2"))
        (matched,) = await case.answer(answered(2, id_="B2"))
        assert len(matched.held) == 1
        assert (case.parked(), case.reports()) == (0, [(2, "DELIVERED", 1)])

    run(tmp_path, scenario)


def test_an_answer_that_is_recorded_twice_spoils_nothing(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1), a_submission(2, 2))
        await case.answer(answered(1, id_="a"), answered(2, 1, 2, "b1"))
        await case.receive(arrived("UNDELIV", "c2"))
        await case.answer(answered(1, id_="a"), answered(2, 1, 2, "b2"), answered(2, 2, 2, "c2"))
        await case.answer(answered(2, 2, 2, "d", Status.REJECTED))
        assert case.statuses() == ["SENT", "FAILED"]
        assert case.reports() == [(2, "FAILED", 1)]

    run(tmp_path, scenario)


def test_what_is_partly_sent_waits_to_be_sent_whatever_its_first_receipts_say(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1, 2))
        await case.answer(answered(1, 1, 2, "a"))
        await case.receive(arrived("DELIVRD", "a"))
        assert (case.statuses(), case.reports()) == (["ACCEPTED"], [])
        await case.answer(answered(1, 2, 2, "b"))
        assert (case.statuses(), case.reports()) == (["BUFFERED"], [(1, "BUFFERED", 1)])
        row = case.world.rows(t.submissions)[0]
        assert (row.link, row.sent_at_ms is None) == ("sim", False), "or it would be waited for for ever"
        await case.receive(arrived("DELIVRD", "b"))
        assert case.reports() == [(1, "BUFFERED", 1), (1, "DELIVERED", 2)]

    run(tmp_path, scenario)


def test_one_refused_segment_fails_the_whole_at_once(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1, 2), a_submission(2))
        await case.answer(answered(1, 2, 2, status=Status.REJECTED), answered(2, status=Status.REJECTED))
        await case.answer(answered(1, 1, 2, "a"))
        await case.receive(arrived("DELIVRD", "a"))
        assert case.reports() == [(1, "REJECTED", 1), (2, "REJECTED", 1)]
        assert {row.reason for row in case.world.rows(t.reports)} == {"esme_rinvdstadr"}
        assert [row.kind for row in case.world.rows(t.ledger)].count("report") == 2

    run(tmp_path, scenario)


def test_what_is_given_up_may_still_hear_a_final_word(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1), a_submission(2))
        await case.answer(answered(1, id_="a"), answered(2, id_="b"))

        def give_up(transaction: Any) -> Any:
            rows = transaction.overdue_submissions("sim", now_ms() + 1000, 10)
            return case.world.correlator.give_up(transaction, rows, now_ms())

        assert len(await case.world.write(give_up)) == 2
        assert await case.world.write(give_up) == []
        await case.receive(arrived("ENROUTE", "a"), arrived("what", "a"))
        await case.receive(arrived("DELIVRD", "a"), arrived("UNDELIV", "a"))
        assert case.reports() == [(1, "UNKNOWN", 1), (2, "UNKNOWN", 1), (1, "DELIVERED", 2)]
        assert {row.reason for row in case.world.rows(t.reports)} == {"no_receipt", "delivered"}

    run(tmp_path, scenario)


def test_a_receipt_without_an_id_is_kept_and_matches_nothing(tmp_path: Path) -> None:
    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1))
        (matched,) = await case.receive(arrived("DELIVRD"))
        await case.answer(answered(1, id_=""))
        assert (matched.parked, case.parked(), case.reports()) == (True, 1, [])

    run(tmp_path, scenario)


# --- any order ---

IDS = ("812FC74700{n:02X}", "0a{n:02X}f", "{n}7001234")


def spelled(id_: str, how: int) -> str:
    """An id as a receipt may write it."""
    if how == 1:
        return "00" + id_.lower()
    if how == 2 and not id_.isdecimal():
        return str(int(id_, 16))
    if how == 3 and id_.isdecimal():
        return f"{int(id_):x}"
    return id_


@st.composite
def stories(draw: st.DrawFn) -> tuple[int, str, list[list[tuple[Any, ...]]]]:
    """Segments, the form of ids, and answers and receipts in any order, in transactions of some each."""
    count = draw(st.integers(1, 4))
    form = draw(st.sampled_from(IDS))
    events: list[tuple[Any, ...]] = [("answer", n) for n in range(1, count + 1)]
    receipt = st.tuples(st.just("receipt"), st.integers(1, count), st.sampled_from(WORDS), st.integers(0, 3))
    events += draw(st.lists(receipt, max_size=10))
    events += draw(st.lists(st.sampled_from(events), max_size=4))
    events = draw(st.permutations(events))
    groups = []
    while events:
        size = draw(st.integers(1, 4))
        groups.append(events[:size])
        events = events[size:]
    return count, form, groups


@settings(max_examples=60, deadline=None)
@given(stories())
def test_any_order_ends_in_the_fold_of_the_last_words(
    story: tuple[int, str, list[list[tuple[Any, ...]]]],
) -> None:
    count, form, groups = story

    async def scenario(case: Case) -> None:
        await case.submit(a_submission(1, count))
        told: dict[int, list[Status]] = {n: [] for n in range(1, count + 1)}
        answered_ones: set[int] = set()
        early: dict[int, list[Status]] = {n: [] for n in range(1, count + 1)}
        for group in groups:
            answers = [answered(1, e[1], count, form.format(n=e[1])) for e in group if e[0] == "answer"]
            receipts = [arrived(e[2], spelled(form.format(n=e[1]), e[3])) for e in group if e[0] == "receipt"]
            if receipts:
                await case.receive(*receipts)
            for event in group:
                if event[0] == "receipt":
                    (told if event[1] in answered_ones else early)[event[1]].append(read_word(event[2])[0])
            if answers:
                await case.answer(*answers)
            for answer in answers:
                answered_ones.add(answer.segment)
                told[answer.segment] += early[answer.segment]
                early[answer.segment] = []
        await case.sweep()
        last = {}
        for number, words in told.items():
            last[number] = Status.SENT
            for word in words:
                if may_follow(word, last[number]):
                    last[number] = word
        segments = {row.number: row.status for row in case.world.rows(t.segments)}
        assert segments == {n: status.value for n, status in last.items()}
        (row,) = case.world.rows(t.submissions)
        told_statuses = [Status(status) for _s, status, _n in case.reports()]
        if Status(row.status) not in (Status.FAILED, Status.REJECTED):
            assert row.status == fold(last.values())
        else:  # the first failure stands
            assert {Status.FAILED, Status.REJECTED} & set(last.values())
        assert [sequence for _s, _status, sequence in case.reports()] == [*range(1, len(told_statuses) + 1)]
        assert (told_statuses or [Status(row.status)])[-1] == row.status
        for before, after in pairwise(told_statuses):
            assert before not in FINAL or before is Status.UNKNOWN
            assert may_follow(after, before)
        # What came again in another base after the end may have been about another message: it waits.
        assert case.parked() == 0 or {Status(status) for status in segments.values()} & FINAL

    with tempfile.TemporaryDirectory() as name:
        run(Path(name), scenario)
