"""Every fate is what the table says, over real sockets; every fault switch gives its fate."""

import re
from datetime import UTC
from random import Random

import pytest
import uvloop

from homing.links import simulator, simulator_line
from homing.links.simulator_fates import DELIVERED, FATES, FAULTS, Fate, Faults, fate_of
from homing.model.report import Receipt, Status, may_follow
from homing.wire.gsm import decode_user_data, parse_user_data_header, split_user_data
from homing.wire.message_id import candidates, canonical
from homing.wire.receipt import is_receipt, read_receipt
from homing.wire.smpp_codes import DATA_SM, TEMPORARY_STATUSES
from homing.wire.smpp_events import MessageAnswered
from homing.wire.smpp_values import ShortMessage
from tests.docs.pages import ROOT, bare, page, tables
from tests.links.esme import Clients, Esme, clients, submission
from tests.links.smsc import until

SENTINEL = "447700900555"
ALL: dict[str, Fate] = {"123": DELIVERED} | dict(FATES)


def read(message: ShortMessage) -> Receipt:
    return read_receipt(
        octets=message.octets,
        data_coding=message.data_coding,
        alphabet="gsm",
        tlvs=message.tlvs,
        source_addr=message.source_addr,
        status_overrides={},
        zone=UTC,
    )


def text_of(messages: list[ShortMessage]) -> str:
    """The text of one message, of its parts in whatever order and number."""
    parts: dict[int, str] = {}
    for message in messages:
        udh, octets = split_user_data(message.octets, message.has_udh)
        _, text, _ = decode_user_data(data_coding=message.data_coding, octets=octets, udh=udh, alphabet="gsm")
        joined = parse_user_data_header(udh).concatenation
        parts[joined.number if joined else 1] = text
        assert joined is None or joined.total == len({m.short_message for m in messages})
    return "".join(parts[number] for number in sorted(parts))


class Life:
    """What a client with two binds sees of one message to a number, until a later one has its receipt."""

    def __init__(self, network: Clients) -> None:
        self.network = network
        self.statuses: list[int] = []
        self.id = ""
        self.breaks = 0

    @property
    def first(self) -> Esme:
        return self.network.all[0]

    @property
    def came(self) -> list[tuple[Esme, ShortMessage]]:
        return [(esme, message) for esme in self.network.all for message in esme.deliveries]

    async def live(self, number: str, fate: Fate) -> None:
        submitter = await self.network.bind()
        await self.network.bind()
        while await self._submit(submitter, number) in (None, *TEMPORARY_STATUSES):
            if submitter.is_gone:
                self.breaks += 1
                submitter = await self.network.bind()
        if fate.drop == "after_answer":
            await until(lambda: submitter.is_gone)
            self.breaks += 1
            submitter = await self.network.bind()
        replies = {None: 0, "short": 1, "long_shuffled": 3, "long_repeated": 4}[fate.reply]
        receipts = 0 if fate.refused is not None else len(fate.words)
        await until(lambda: len(self.came) >= receipts + replies)
        # What comes too often would have come before the receipt of a message that was sent later.
        submitter.submit(submission(SENTINEL))
        await until(lambda: any(message.source_addr == SENTINEL for _, message in self.came))
        assert len(self.came) == receipts + replies + 1

    async def _submit(self, esme: Esme, number: str) -> int | None:
        """The status of the answer; None when the line broke before."""
        before = len(esme.answers)
        esme.submit(submission(number))
        await until(lambda: len(esme.answers) > before or esme.is_gone)
        if len(esme.answers) == before:
            return None
        answer = esme.answers[-1]
        self.statuses.append(answer.status)
        self.id = answer.message_id
        return answer.status

    def of(self, number: str) -> list[ShortMessage]:
        return [message for _, message in self.came if message.source_addr == number]


@pytest.mark.parametrize("digits", ALL)
def test_the_fate_is_what_the_table_says(digits: str) -> None:
    fate, number = ALL[digits], f"447700900{digits}"

    async def main() -> None:
        async with clients() as network:
            life = Life(network)
            await life.live(number, fate)
            assert life.statuses == [*fate.put_off, fate.refused or 0]
            assert life.breaks == (fate.drop is not None)
            receipts = [m for m in life.of(number) if is_receipt(m.esm_class, m.tlvs, m.octets)]
            replies = [m for m in life.of(number) if m not in receipts]
            status = Status.SENT if fate.refused is None else Status.REJECTED
            for message in receipts:
                said = read(message)
                keys = {key for id_ in said.message_ids for key, _ in candidates(id_)}
                assert canonical(life.id) in keys, (life.id, said)
                assert (said.recipient, message.dest_addr) == (number, "60999")
                status = said.status if may_follow(said.status, status) else status
            assert status == (fate.expected or Status.SENT)
            if fate.refused is None:
                assert len(receipts) == len(fate.words)
            assert (text_of(replies) if replies else "") == {
                None: "", "short": "Thank you",
            }.get(fate.reply, "A long reply from a phone. " * 12 + "End")  # fmt: skip
            assert network.simulator.taken == 1 + (fate.refused is None)

    uvloop.run(main())


def test_an_early_receipt_comes_before_the_answer() -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            esme.submit(submission("447700900913"))
            await until(lambda: esme.answers and esme.deliveries)
            assert [type(event) for event in esme.log[1:]] == [ShortMessage, MessageAnswered]
            esme.submit(submission("447700900123"))
            await until(lambda: len(esme.deliveries) == 2)
            assert [type(event) for event in esme.log[3:]] == [MessageAnswered, ShortMessage]

    uvloop.run(main())


def test_a_receipt_on_another_bind_is_of_the_same_client() -> None:
    async def main() -> None:
        async with clients() as network:
            binds = [await network.bind(system_id=name) for name in ("acme", "other", "acme")]
            for count in range(1, 4):
                binds[0].submit(submission("447700900914", b"%d" % count))
                await until(lambda count=count: len(binds[2].deliveries) == count)
            assert [len(bind.deliveries) for bind in binds] == [0, 0, 3]
            binds[2].transport.abort()
            await until(lambda: binds[2].is_gone and len(network.simulator.lines) == 2)
            binds[0].submit(submission("447700900914"))
            await until(lambda: binds[0].deliveries)
            assert not binds[1].deliveries

    uvloop.run(main())


def test_the_receipt_after_a_broken_line_comes_over_the_next() -> None:
    async def main() -> None:
        async with clients() as network:
            first = await network.bind()
            first.submit(submission("447700900953"))
            await until(lambda: first.is_gone)
            assert (len(first.answers), first.unanswered, first.deliveries) == (1, [], [])
            second = await network.bind()
            await until(lambda: second.deliveries)
            assert read(second.deliveries[0]).message_ids == (first.answers[0].message_id,)

    uvloop.run(main())


def test_a_slow_receipt_is_passed_by_others() -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            esme.submit(submission("447700900912"), submission("447700900123"))
            await until(lambda: len(esme.deliveries) == 2)
            assert [m.source_addr[-3:] for m in esme.deliveries] == ["123", "912"]

    uvloop.run(main())


# By its digits, each form as it is written: the ids of these are given, and all dates are one.
ID = r"(?P<id>[0-9]{15,16})"
D10, D12, D14 = r"[0-9]{10}", r"[0-9]{12}", r"[0-9]{14}"
SPEC = rf"id:{ID} sub:001 dlvrd:001 submit date:{D10} done date:{D10} stat:DELIVRD err:000 "
FORMS = {
    "123": SPEC + "text:",
    "920": SPEC + "Text:Hello",
    "921": rf"id:{ID} submit date:{D14} done date:{D14} stat:DELIVRD err:0",
    "922": SPEC.replace("err:000", "err:21b") + "text:",
    "923": r"447700900000Alert\^" + SPEC + "text:",
    "924": rf"id:{ID} stat:DELIVRD text:",
    "925": rf"id:{ID} submit date:{D10} done date:{D10} stat:DELIVRD",
    "926": "",
    "927": rf"{ID} 2",
    "928": SPEC.replace(ID, "(?P<id>00[0-9]{18})") + "text:\0",
    "929": SPEC + "text:",
    "930": SPEC.replace(ID, "(?P<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})").replace(D10, D12) + "text:",
    "931": r"44770090000060999\?" + SPEC + "Text:abc'!(?P=id)",
    "932": rf"id:{ID} sub:001 dlvrd:000 submit date:{D10} done date:0000000000 stat:FAILED err:002 Text:",
    "933": rf"id:{ID} sub:001 dlvrd:000 submit date:{D10} done date:{D10} stat:EXPIRED err:0032 text:",
    "934": rf"id:{ID} sub:001 dlvrd:000 submit date:{D10} done date:{D12} stat:REJECTD err:00B text:",
    "935": SPEC.replace(ID, "(?P<id>[0-9A-F]{13,14})") + "text:",
    "936": SPEC + "text:\xff\x80\x1b\xfe",
}


def test_each_form_is_written_as_networks_write_it() -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            esme.submit(*(submission(f"447700900{digits}") for digits in FORMS))
            await until(lambda: len(esme.deliveries) == len(FORMS))
            for message in esme.deliveries:
                digits = message.source_addr[-3:]
                text = message.octets.decode("utf-16-be" if message.data_coding == 8 else "latin-1")
                assert re.fullmatch(FORMS[digits], text), (digits, text)
                assert (message.command_id == DATA_SM) == (digits == "926")
                assert bool(message.tlvs) == (digits in ("926", "927", "928"))
                assert bool(message.short_message) == (digits not in ("926", "928"))

    uvloop.run(main())


SPELT = {
    "123": (10, 10), "915": (16, 10), "916": (10, 16), "917": (10, 10), "935": (16, 16),
}  # fmt: skip


def test_each_spelling_of_an_id() -> None:
    async def main() -> None:
        async with clients() as network:
            esme = await network.bind()
            for count, (digits, (answer_base, receipt_base)) in enumerate(SPELT.items(), 1):
                esme.submit(submission(f"447700900{digits}"))
                await until(lambda count=count: len(esme.answers) == len(esme.deliveries) == count)
                answered = esme.answers[-1].message_id
                (said,) = read(esme.deliveries[-1]).message_ids
                assert int(answered, answer_base) == int(said, receipt_base)
                assert (answered == said) == (digits == "123")
                assert said.startswith("0") == (digits == "917")

    uvloop.run(main())


# --- fault switches ---


def test_every_fate_has_one_switch_and_every_switch_gives_its_fate() -> None:
    assert sorted(FAULTS.values()) == list(FATES)
    for name, digits in FAULTS.items():
        for word in (name, f"{name}=1"):
            assert fate_of("447700900123", Faults.parse([word]), Random(1)) is FATES[digits]
        assert fate_of("447700900123", Faults.parse([f"{name}=0"]), Random(1)) is DELIVERED


def test_a_number_of_its_own_fate_keeps_it() -> None:
    assert fate_of("447700900900", Faults.parse(["lost"]), Random(1)) is FATES["900"]
    for number in ("", "12", "447700900899", "447700900940", "447700900999"):
        assert fate_of(number, Faults(), Random(1)) is DELIVERED


def test_shares_are_kept_the_first_that_strikes_decides() -> None:
    faults, chance = Faults.parse(["lost=0.5", "early=0.5"]), Random(1)
    fates = [fate_of("447700900123", faults, chance) for _ in range(4000)]
    assert 0.46 < fates.count(FATES["911"]) / 4000 < 0.54
    assert 0.21 < fates.count(FATES["913"]) / 4000 < 0.29
    assert 0.21 < fates.count(DELIVERED) / 4000 < 0.29


@pytest.mark.parametrize(
    "word", ["", "los", "LOST", "lost=x", "lost=", "lost=-0.1", "lost=1.5", "lost=nan", "=1"]
)
def test_a_wrong_switch_is_named(word: str) -> None:
    with pytest.raises(
        ValueError, match=r"there are undelivered, .*drop-early|a number from 0 to 1"
    ) as raised:
        Faults.parse(["slow", word])
    assert word.partition("=")[0] in str(raised.value)


def test_faults_strike_over_the_line() -> None:
    async def main() -> None:
        async with clients(faults=Faults.parse(["twice"])) as network:
            esme = await network.bind()
            esme.submit(submission("447700900123"))
            await until(lambda: len(esme.deliveries) == 2)
            first, second = (read(message) for message in esme.deliveries)
            assert first.message_ids == second.message_ids == (esme.answers[0].message_id,)

    uvloop.run(main())


# --- the page ---


def test_the_page_lists_every_fate_with_its_switch() -> None:
    switches = {digits: name for name, digits in FAULTS.items()}
    rows = tables(page("simulator.md"))["digits|switch|what becomes of the message|last report"]
    assert [(bare(row[0]), bare(row[1]), row[2], row[3]) for row in rows] == [
        (digits, switches[digits], fate.about, fate.expected or "") for digits, fate in FATES.items()
    ]


def test_the_page_shows_the_limits_and_the_how_to_shows_fates() -> None:
    text = page("simulator.md")
    for said in (
        f"up to {simulator.LINES_LIMIT} connections",
        f"{simulator_line.WINDOW} deliveries without an answer",
        f"Above {simulator.UNDER_WAY_LIMIT:,} submissions",
        f"without an answer for {simulator_line.ANSWER_S:.0f} s",
    ):
        assert said in text
    how_to = (ROOT / "docs" / "how-to" / "test-with-the-simulator.md").read_text()
    (shown,) = (rows for head, rows in tables(how_to).items() if head.startswith("send to"))
    for digits, becomes in ((bare(row[0]), row[1]) for row in shown[1:]):
        fate = FATES[digits]
        statuses = {str(status) for status in Status if str(status) in becomes}
        assert statuses <= {str(fate.expected), "BUFFERED" if fate.words[:1] == ("ENROUTE",) else ""}
