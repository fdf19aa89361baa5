"""Matching: which segment the id of a receipt means, when ids are spelled in more than one way.

An id is looked up as it stands and in both bases. As it stands it counts; in another base it may name
some other message by chance, and then the number it is about decides, and whether it says anything new.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from homing.engine.rows import parked_receipt_of
from homing.model.report import Receipt, Status, is_final, may_follow
from homing.wire.message_id import Spelling, candidates, canonical

if TYPE_CHECKING:
    from homing.engine.correlate import Answered, ArrivedReceipt

_NUMBER_END = 7
"""Digits by which a receipt's number is compared: SMSCs write it with and without the country."""
_REREAD_LIMIT = 10_000
"""Receipts in another base that are remembered, to tell those that come again."""


class Matching:
    """Chooses segments; remembers which receipts were read in another base, to tell those that come again."""

    def __init__(self) -> None:
        self._reread: dict[tuple[str, int, int], None] = {}

    def remember(self, receipt: Receipt, submission: int, number: int) -> None:
        """A receipt was applied that had to be read in another base."""
        self._reread[receipt.message_ids[0], submission, number] = None
        if len(self._reread) > _REREAD_LIMIT:
            del self._reread[next(iter(self._reread))]

    def choose(
        self,
        item: "ArrivedReceipt",
        keys: Sequence[tuple[str, Spelling]],
        known: dict[tuple[str, str], list[Any]],
    ) -> tuple[Any, Spelling] | None:
        """The likeliest segment. An id may name two in different bases: the number it is about decides."""
        possible = [
            (row, spelling)
            for key, spelling in keys
            for row in known.get((item.scope, key), ())
            if self._is_meant(item.receipt, row, spelling)
        ]
        if len(possible) > 1:
            possible = [p for p in possible if _is_about(item.receipt, p[0])] or possible
            # A link that counts its ids from the start again uses them twice: the younger is meant.
            best = possible[0][1]
            return max((p for p in possible if p[1] is best), key=lambda p: p[0].submission)
        return possible[0] if possible else None

    def choose_as_it_stands(
        self, item: "ArrivedReceipt", known: dict[tuple[str, str], list[Any]]
    ) -> tuple[Any, Spelling] | None:
        """The segment that ``choose`` would take too, whatever the id means in another base; None = ask it.

        It has the receipt's only id as it stands, and its number.
        """
        rows = known.get((item.scope, key_of(item.receipt)), ())
        meant = [row for row in rows if _is_about(item.receipt, row)]
        if not meant:
            return None
        row = meant[0] if len(meant) == 1 else max(meant, key=lambda row: row.submission)
        return row, Spelling.same

    def _is_meant(self, receipt: Receipt, row: Any, spelling: Spelling) -> bool:
        """Whether a receipt whose id fits is about this segment.

        Of an SMSC that counts its ids, a receipt that outran its answer fits some older message by chance:
        in another base, or since counting began anew. That one has another number, or has come to its end.
        """
        is_about = _is_about(receipt, row)
        known = Status(row.segment_status)
        is_open = not is_final(known) or may_follow(receipt.status, known)
        if spelling is Spelling.same:
            return is_about or is_open
        return is_about and (is_open or (receipt.message_ids[0], row.submission, row.number) in self._reread)


def key_of(receipt: Receipt) -> str:
    """The only id of a receipt as it stands; empty when it has none or more."""
    ids = receipt.message_ids
    return canonical(ids[0]) if len(ids) == 1 else ""


def keys_of(receipt: Receipt) -> list[tuple[str, Spelling]]:
    return [candidate for id_ in receipt.message_ids for candidate in candidates(id_)]


def _is_about(receipt: Receipt, row: Any) -> bool:
    """Whether the number of a receipt, if any, is that of the submission or (turned round) its sender."""
    about = receipt.recipient
    if not about or len(about) < _NUMBER_END:
        return True
    end = about[-_NUMBER_END:]
    return bool(row.recipient.endswith(end) or row.sender.endswith(end))


def of_answer(a: "Answered", row: Any, early: dict[tuple[str, str], list[Any]]) -> list[Any]:
    """Take the parked receipts that are about an answered segment out of ``early``.

    One that fits in another base only, and has another number, is left to the sweep: its own answer may
    be on its way.
    """
    taken: list[Any] = []
    for key, spelling in candidates(a.link_message_id):
        parked = early.pop((a.scope, key), None)
        if parked is None:
            continue
        is_meant = [spelling is Spelling.same or _is_about(parked_receipt_of(p), row) for p in parked]
        taken += [p for p, meant in zip(parked, is_meant, strict=True) if meant]
        if left := [p for p, meant in zip(parked, is_meant, strict=True) if not meant]:
            early[a.scope, key] = left
    return sorted(taken, key=lambda p: p.id)  # as they came, whatever their spelling


def spelling_of(item: "ArrivedReceipt", answered: "Answered") -> Spelling:
    key = canonical(answered.link_message_id)
    for id_ in item.receipt.message_ids:
        for candidate, spelling in candidates(id_):
            if candidate == key:
                return spelling
    return Spelling.same
