"""What becomes of a message in the simulator: by the last three digits of its number, and by fault switches.

``FATES`` is the whole table; the documentation is checked against it. Numbers that are not in it are
delivered. A fault switch, one for every fate, gives that fate to some, or all, of the other messages.
Goes wrong: a switch that is not known, or whose share is none, is a ``ValueError`` that says so.
"""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Final, Literal

import msgspec

from homing.model.report import Status
from homing.wire.smpp_codes import CommandStatus

Form = Literal[
    "spec",
    "text_key",
    "short",
    "hex_err",
    "prefixed",
    "minimal",
    "no_text",
    "tlv_only",
    "bare",
    "payload",
    "ucs2",
    "seconds",
    "surrounded",
    "zero_date",
    "long_err",
    "mixed_dates",
    "odd_octets",
]
"""How a receipt is written; ``simulator_receipts.py`` has one writer for each."""
Spelling = Literal["decimal", "hex", "lower_hex", "padded", "uuid"]
"""How a message id is written: ``1234``, ``4D2``, ``4d2``, ``00000000000000001234``, or as a UUID."""
Reply = Literal["short", "long_shuffled", "long_repeated"]


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one message in the network."""

    about: str
    expected: Status | None
    """The status that the customer's last report must have; None = there is none."""
    words: tuple[str, ...] = ("DELIVRD",)
    """One receipt for each, in this order."""
    form: Form = "spec"
    put_off: tuple[int, ...] = ()
    """Temporary answers before the message is taken."""
    refused: int | None = None
    answer_spelling: Spelling = "decimal"
    receipt_spelling: Spelling = "decimal"
    is_early: bool = False
    """The receipt comes before the answer."""
    on_other_bind: bool = False
    is_slow: bool = False
    reply: Reply | None = None
    drop: Literal["before_answer", "after_answer"] | None = None
    """The line breaks; a message that was not answered is taken as usual when it is sent again."""


DELIVERED: Final = Fate(about="Delivered.", expected=Status.DELIVERED)


def _said(word: str, expected: Status) -> Fate:
    return Fate(about=f"The receipt says {word}.", expected=expected, words=(word,))


def _written(
    about: str,
    form: Form,
    *,
    word: str = "DELIVRD",
    expected: Status = Status.DELIVERED,
    answer: Spelling = "decimal",
    receipt: Spelling = "decimal",
) -> Fate:
    return Fate(
        about=about,
        expected=expected,
        words=(word,),
        form=form,
        answer_spelling=answer,
        receipt_spelling=receipt,
    )


FATES: Final[Mapping[str, Fate]] = {
    "900": _said("UNDELIV", Status.FAILED),
    "901": _said("EXPIRED", Status.FAILED),
    "902": _said("DELETED", Status.FAILED),
    "903": _said("REJECTD", Status.REJECTED),
    "904": Fate(
        about="ENROUTE first, then DELIVRD.", expected=Status.DELIVERED, words=("ENROUTE", "DELIVRD")
    ),
    "905": _said("ACCEPTD", Status.BUFFERED),
    "906": _said("UNKNOWN", Status.UNKNOWN),
    "907": Fate(
        about="The receipt says a word that nobody knows.", expected=Status.UNKNOWN, words=("MISLAID",)
    ),
    "908": Fate(
        about="Refused in the answer: invalid destination.",
        expected=Status.REJECTED,
        refused=CommandStatus.ESME_RINVDSTADR,
    ),
    "909": Fate(
        about="Throttled twice (0x58), then taken.",
        expected=Status.DELIVERED,
        put_off=(CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RTHROTTLED),
    ),
    "910": Fate(
        about="Queue full once (0x14), then taken.",
        expected=Status.DELIVERED,
        put_off=(CommandStatus.ESME_RMSGQFUL,),
    ),
    "911": Fate(about="No receipt ever comes.", expected=None, words=()),
    "912": Fate(about="The receipt takes ten times as long.", expected=Status.DELIVERED, is_slow=True),
    "913": Fate(
        about="The receipt comes before the answer to the submission.",
        expected=Status.DELIVERED,
        is_early=True,
    ),
    "914": Fate(
        about="The receipt comes over another bind, when there is one.",
        expected=Status.DELIVERED,
        on_other_bind=True,
    ),
    "915": Fate(
        about="The id is hexadecimal in the answer, decimal in the receipt.",
        expected=Status.DELIVERED,
        answer_spelling="hex",
    ),
    "916": Fate(
        about="The id is decimal in the answer, hexadecimal in the receipt.",
        expected=Status.DELIVERED,
        receipt_spelling="hex",
    ),
    "917": Fate(
        about="The id has leading zeros in the receipt only.",
        expected=Status.DELIVERED,
        receipt_spelling="padded",
    ),
    "918": Fate(about="The receipt comes twice.", expected=Status.DELIVERED, words=("DELIVRD", "DELIVRD")),
    "919": Fate(
        about="The receipts go back: DELIVRD, then ENROUTE.",
        expected=Status.DELIVERED,
        words=("DELIVRD", "ENROUTE"),
    ),
    "920": _written("The text has the key `Text:` with a capital.", "text_key"),
    "921": _written("The text has 14-digit dates and no `sub` or `dlvrd`.", "short"),
    "922": _written("The text has a hexadecimal `err`.", "hex_err"),
    "923": _written("Something stands before `id:`.", "prefixed"),
    "924": _written("The text has `id`, `stat` and an empty `text` only.", "minimal"),
    "925": _written("The text ends after `stat`.", "no_text"),
    "926": _written("No text: everything is in the TLVs of a data_sm.", "tlv_only"),
    "927": _written("An id and a number for text, the rest in TLVs.", "bare"),
    "928": _written(
        "The text is in message_payload with a NUL behind it; its id has leading zeros, that in the TLV is "
        "hexadecimal.",
        "payload",
        receipt="padded",
    ),
    "929": _written("The text is in UCS-2.", "ucs2"),
    "930": _written(
        "The id is a UUID, and the dates have seconds.",
        "seconds",
        answer="uuid",
        receipt="uuid",
    ),
    "931": _written("Numbers stand before `id:`, and the id once more behind the text.", "surrounded"),
    "932": _written(
        "The receipt says FAILED and has zeros for a date.",
        "zero_date",
        word="FAILED",
        expected=Status.FAILED,
    ),
    "933": _written(
        "The receipt says EXPIRED with four digits of `err`.",
        "long_err",
        word="EXPIRED",
        expected=Status.FAILED,
    ),
    "934": _written(
        "The receipt says REJECTD, and one of its dates has seconds.",
        "mixed_dates",
        word="REJECTD",
        expected=Status.REJECTED,
    ),
    "935": _written(
        "The id is hexadecimal in small letters in the answer, in capitals in the receipt.",
        "spec",
        answer="lower_hex",
        receipt="hex",
    ),
    "936": _written("The text ends in octets that belong to no alphabet.", "odd_octets"),
    "950": Fate(about="Delivered, and the phone replies.", expected=Status.DELIVERED, reply="short"),
    "951": Fate(
        about="Delivered, and the phone replies in three parts that come out of order.",
        expected=Status.DELIVERED,
        reply="long_shuffled",
    ),
    "952": Fate(
        about="Delivered, and the phone replies in three parts, one of them twice.",
        expected=Status.DELIVERED,
        reply="long_repeated",
    ),
    "953": Fate(
        about="The line breaks after the answer; the receipt comes over the next bind.",
        expected=Status.DELIVERED,
        drop="after_answer",
    ),
    "954": Fate(
        about="The line breaks once, before the answer; sent again, the message is taken.",
        expected=Status.DELIVERED,
        drop="before_answer",
    ),
}
"""By the last three digits of the number a message is sent to."""

FAULTS: Final[Mapping[str, str]] = {
    "undelivered": "900",
    "expired": "901",
    "deleted": "902",
    "rejected": "903",
    "enroute": "904",
    "accepted": "905",
    "unknown": "906",
    "unreadable": "907",
    "refused": "908",
    "throttled": "909",
    "queue-full": "910",
    "lost": "911",
    "slow": "912",
    "early": "913",
    "other-bind": "914",
    "hex-answer": "915",
    "hex-receipt": "916",
    "padded": "917",
    "twice": "918",
    "back": "919",
    "text-key": "920",
    "short": "921",
    "hex-err": "922",
    "prefixed": "923",
    "minimal": "924",
    "no-text": "925",
    "tlv-only": "926",
    "bare": "927",
    "payload": "928",
    "ucs2": "929",
    "uuid": "930",
    "surrounded": "931",
    "zero-date": "932",
    "long-err": "933",
    "mixed-dates": "934",
    "letter-case": "935",
    "odd-octets": "936",
    "reply": "950",
    "reply-shuffled": "951",
    "reply-repeated": "952",
    "drop": "953",
    "drop-early": "954",
}
"""Fault switches: the fate that a message gets when the fault strikes."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Which faults strike how often: name -> share of the messages, 0 to 1.

    Each is asked in its turn, and the first that strikes decides: the share of a later one is of the rest.
    """

    shares: Mapping[str, float] = msgspec.field(default_factory=dict)

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Faults":
        """From ``NAME`` (always) or ``NAME=SHARE``. ValueError says what is wrong."""
        shares: dict[str, float] = {}
        for word in words:
            name, given, share = word.partition("=")
            if name not in FAULTS:
                raise ValueError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
            try:
                shares[name] = float(share) if given else 1.0
            except ValueError:
                shares[name] = -1.0
            if not 0 <= shares[name] <= 1:
                raise ValueError(f"{word}: a share is a number from 0 to 1")
        return cls(shares=shares)


def fate_of(number: str, faults: Faults, chance: Random) -> Fate:
    """The fate of a message to this number: its own, else that of a fault that strikes, else delivered."""
    own = FATES.get(number[-3:])
    if own is not None:
        return own
    for name, share in faults.shares.items():
        if chance.random() < share:
            return FATES[FAULTS[name]]
    return DELIVERED
