"""The directory: accounts, endpoints and numbers as they stand, in memory, replaced whole when they change.

A snapshot is never mutated, so the loop and the journal's thread read it without a lock. A command that
changes a customer raises the store's directory version; a node notices within a second and swaps.
"""

from collections.abc import Iterable, Sequence
from types import MappingProxyType

from homing.model.account import Account, Endpoint, EventKind, Number


class Directory:
    """One immutable snapshot."""

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        endpoints: Iterable[Endpoint] = (),
        numbers: Iterable[Number] = (),
        version: int = 0,
    ) -> None:
        self.version = version
        self.accounts = MappingProxyType({account.name: account for account in accounts})
        self.by_api_key = MappingProxyType({a.api_key_hash: a for a in self.accounts.values()})
        self.by_token = MappingProxyType({a.token: a for a in self.accounts.values()})
        self.endpoints = MappingProxyType({endpoint.id: endpoint for endpoint in endpoints})
        self._wanting: dict[tuple[str, EventKind], tuple[Endpoint, ...]] = {}
        for endpoint in self.endpoints.values():
            for kind in endpoint.events:
                key = (endpoint.account, kind)
                self._wanting[key] = (*self._wanting.get(key, ()), endpoint)
        self._owners: dict[str, Number] = {}
        self._keywords: dict[str, dict[str, Number]] = {}
        for number in numbers:
            if number.keyword is None:
                self._owners[number.number] = number
            else:
                self._keywords.setdefault(number.number, {})[number.keyword] = number

    def owner(self, number: str, text: str) -> Number | None:
        """Whose message this is: the keyword (first word, any case) wins, else the default owner."""
        keywords = self._keywords.get(number)
        if keywords is not None:
            words = text.split(None, 1)
            if words and (found := keywords.get(words[0].casefold())) is not None:
                return found
        return self._owners.get(number)

    def has_keywords(self, number: str) -> bool:
        """Whether the owner of a message to this number depends on its text."""
        return number in self._keywords

    def endpoints_of(self, account: str, kind: EventKind) -> Sequence[Endpoint]:
        """Endpoints of an account that want events of a kind; paused ones too: what is theirs is parked."""
        return self._wanting.get((account, kind), ())


def normalise_number(number: str) -> str:
    """E.164 digits of a number as people write it: a leading ``+`` or ``00`` and separators go.

    What is not made of digits (an alphanumeric originator) comes back as it is.
    """
    bare = number.strip()
    digits = bare.translate(_SEPARATORS)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    return digits if digits.isascii() and digits.isdigit() else bare


_SEPARATORS = {ord(c): None for c in " -./()"}
