"""Reassembly: parts of long received messages, in any order, over any bind, with duplicates dropped.

Every part is a message of its own for endpoints that want parts, and belongs to a group; when the group
is whole (or its time is up: then partial) the joined message is made for endpoints that want that. On
a number with keywords only the first part can say whose message it is: earlier arrivals wait for it.
A part that says the same as one already there is a repetition; one that says something else in the same
place means that the phone has used the reference again, and begins a new group.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from homing.engine.directory import Directory
from homing.engine.fanout import FanOut
from homing.engine.ports import Transaction
from homing.engine.rows import Row, ledger_of_message, message_of, message_row
from homing.model.account import Number
from homing.model.clock import Ids
from homing.model.delivery import Delivery
from homing.model.message import Coding, PartsMode, ReceivedMessage

if TYPE_CHECKING:
    from homing.engine.intake import Arrival


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One arrived part of a long message."""

    at_ms: int
    link: str
    arrival: "Arrival"


class Group(msgspec.Struct, kw_only=True):
    """The parts of one long message as known inside one transaction."""

    id: int
    key: str
    total: int
    link: str
    done: bool = False
    parts: dict[int, ReceivedMessage] = {}


class _Written(msgspec.Struct):
    """What one call has to write, gathered so that each table gets one statement."""

    groups: list[Row] = []
    parts: list[Row] = []
    messages: list[Row] = []
    deliveries: list[Row] = []
    ledger: list[Row] = []
    held: list[Delivery] = []
    finished: list[int] = []


class Reassembly:
    """Runs inside the journal's transactions; keeps no state of its own but counters."""

    def __init__(
        self, *, ids: Ids, directory: Callable[[], Directory], fan_out: FanOut, reassembly_ms: int
    ) -> None:
        self._ids = ids
        self._directory = directory
        self._fan_out = fan_out
        self._reassembly_ms = reassembly_ms
        self.repeated = 0
        self.joined = 0
        self.partial = 0

    def join(self, transaction: Transaction, parts: Iterable[Part]) -> list[Delivery]:
        """Take parts in; returns the deliveries held in memory."""
        parts = list(parts)
        groups = self._open_groups(transaction, parts)
        written = _Written()
        for part in parts:
            self._take(transaction, part, groups, written)
        transaction.insert_part_groups(written.groups)
        transaction.insert_parts(written.parts)
        _write_events(transaction, written)
        return written.held

    def hand_over_due(self, transaction: Transaction, now_ms: int, limit: int = 200) -> list[Delivery]:
        """Hand over as partial what has waited long enough, and forget groups that are done."""
        due = transaction.due_part_groups(now_ms, limit)
        written = _Written()
        for row in due:
            if not row.done:
                group = _group_of(transaction, row)
                self._resolve(transaction, group, now_ms, written, give_up=True)
                self._make_joined(group, now_ms, written)
        _write_events(transaction, written)
        transaction.forget_part_groups([row.id for row in due])
        return written.held

    def _open_groups(self, transaction: Transaction, parts: list[Part]) -> dict[str, Group]:
        groups: dict[str, Group] = {}
        for row in sorted(transaction.part_groups({_key(part) for part in parts}), key=lambda row: row.id):
            groups[row.key] = _group_of(transaction, row)  # of several with one key, the youngest
        return groups

    def _take(
        self, transaction: Transaction, part: Part, groups: dict[str, Group], written: _Written
    ) -> None:
        arrival = part.arrival
        assert arrival.concatenation is not None
        total, number = arrival.concatenation.total, arrival.concatenation.number
        key = _key(part)
        group = groups.get(key)
        if group is not None and (known := group.parts.get(number)) is not None:
            if (known.text, known.data) == (arrival.text, arrival.data):
                self.repeated += 1
                return
            group = None
        if group is None or group.done:
            group = groups[key] = Group(id=self._ids.next(), key=key, total=total, link=part.link, parts={})
            written.groups.append((group.id, key, total, part.link, part.at_ms + self._reassembly_ms, False))
        owner = self._owner(group, number, arrival.recipient, arrival.text)
        message = _message(self._ids.next(), part, owner)
        group.parts[number] = message
        written.parts.append((group.id, number, message.id))
        written.messages.append(message_row(message, part_of=group.id))
        if owner is not None:
            self._bear(message, "separate", written)
        if number == 1 and self._directory().has_keywords(arrival.recipient):
            self._flush_messages(transaction, written)
            self._resolve(transaction, group, part.at_ms, written)
        if len(group.parts) == total:
            group.done = True
            written.finished.append(group.id)
            self._make_joined(group, part.at_ms, written)

    def _owner(self, group: Group, number: int, recipient: str, text: str) -> Number | None:
        """Whose part this is; None when nobody's, or when only the first part can say."""
        directory = self._directory()
        if number == 1 or not directory.has_keywords(recipient):
            return directory.owner(recipient, text)
        first = group.parts.get(1)
        return None if first is None else directory.owner(recipient, first.text)

    def _resolve(
        self, transaction: Transaction, group: Group, now_ms: int, written: _Written, give_up: bool = False
    ) -> None:
        """Give the parts that waited for the first one to its owner (or, giving up, to the default one)."""
        first = group.parts.get(1)
        if first is None and not give_up:
            return
        sample = first or next(iter(group.parts.values()))
        owner = self._directory().owner(sample.recipient, "" if first is None else first.text)
        waiting = {n: message for n, message in group.parts.items() if message.account is None}
        if owner is None or not waiting:
            return
        transaction.assign_messages(owner.account, [message.id for message in waiting.values()])
        for number, message in waiting.items():
            owned = msgspec.structs.replace(
                message,
                account=owner.account,
                network=owner.network or message.network,
                carrier_code=owner.carrier_code or message.carrier_code,
            )
            group.parts[number] = owned
            self._bear(owned, "separate", written)

    def _make_joined(self, group: Group, now_ms: int, written: _Written) -> None:
        message = join_parts(group, now_ms)
        if message.expected_parts == message.parts:
            self.joined += 1
        else:
            self.partial += 1
        written.messages.append(message_row(message))
        if message.account is not None:
            endpoints = self._directory().message_endpoints(message.account, "joined")
            self._fan_out.bear(
                message, "message", message.account, endpoints, written.deliveries, written.held
            )

    def _bear(self, message: ReceivedMessage, shape: PartsMode, written: _Written) -> None:
        assert message.account is not None
        endpoints = self._directory().message_endpoints(message.account, shape)
        written.ledger.append(ledger_of_message(message, message.account))
        self._fan_out.bear(message, "message", message.account, endpoints, written.deliveries, written.held)

    @staticmethod
    def _flush_messages(transaction: Transaction, written: _Written) -> None:
        """Parts of this very batch must stand in the store before they can be given to an owner."""
        transaction.insert_messages(written.messages)
        written.messages.clear()


def join_parts(group: Group, at_ms: int) -> ReceivedMessage:
    """The whole message of a group, or what there is of it, in the order of its parts."""
    parts = [group.parts[number] for number in sorted(group.parts)]
    first = parts[0]
    codings = {part.coding for part in parts}
    if codings == {Coding.DATA}:
        coding, text, data = Coding.DATA, "", b"".join(part.data for part in parts)
    elif codings == {Coding.TEXT}:
        coding, text, data = Coding.TEXT, "".join(part.text for part in parts), b""
    else:
        # Joined before it is decoded: phones cut between the two halves of a character.
        coding, data = Coding.UNICODE, b"".join(map(_utf_16, parts))
        text = data.decode("utf-16-be", "replace")
    return msgspec.structs.replace(
        first, id=group.id, at_ms=at_ms, coding=coding, text=text, data=data, udh=b"",
        parts=len(parts), expected_parts=group.total,
    )  # fmt: skip


def _utf_16(part: ReceivedMessage) -> bytes:
    return part.data if part.coding is Coding.UNICODE else part.text.encode("utf-16-be", "surrogatepass")


def _group_of(transaction: Transaction, row: Any) -> Group:
    parts = {part.part_number: message_of(part) for part in transaction.messages_of_group(row.id)}
    return Group(id=row.id, key=row.key, total=row.total, link=row.link, done=row.done, parts=parts)


def _message(id_: int, part: Part, owner: Number | None) -> ReceivedMessage:
    a = part.arrival
    return ReceivedMessage(
        id=id_, at_ms=part.at_ms, link=part.link, sender=a.sender, recipient=a.recipient,
        account=None if owner is None else owner.account, coding=a.coding, text=a.text, data=a.data,
        udh=a.udh, network=a.network if owner is None else owner.network or a.network,
        carrier_code=a.carrier_code if owner is None else owner.carrier_code or a.carrier_code,
    )  # fmt: skip


def _key(part: Part) -> str:
    a = part.arrival
    assert a.concatenation is not None
    c = a.concatenation
    return f"{a.sender} {a.recipient} {c.reference}/{c.total} {c.width}"


def _write_events(transaction: Transaction, written: _Written) -> None:
    transaction.insert_messages(written.messages)
    transaction.insert_deliveries(written.deliveries)
    transaction.insert_ledger(written.ledger)
    if written.finished:
        transaction.finish_part_groups(written.finished)
