"""The directory: accounts, endpoints and numbers as they stand, in memory, replaced whole when they change.

Every endpoint's format is prepared here once, with what makes the links to the contents of its account.
A snapshot is never mutated, so the loop and the journal's thread read it without a lock. A command that
changes a customer raises the store's directory version; a node notices within a second and swaps.
"""

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

import structlog

from homing.model.account import Account, Endpoint, EventKind, Number
from homing.model.delivery import Event
from homing.model.message import PartsMode, ReceivedMessage
from homing.model.report import Report
from homing.wire.content_link import ContentLinks
from homing.wire.push import PushFormat, prepare

log = structlog.get_logger(__name__)

MakeLinks = Callable[[Account], ContentLinks]
"""What makes the links to the contents of an account."""


class Directory:
    """One immutable snapshot."""

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        endpoints: Iterable[Endpoint] = (),
        numbers: Iterable[Number] = (),
        version: int = 0,
        former: "Directory | None" = None,
        links: MakeLinks | None = None,
    ) -> None:
        """``former`` lends what has not changed, and ``links`` where none is given."""
        self.version = version
        self._make_links: MakeLinks | None = links or (None if former is None else former._make_links)
        self.accounts = MappingProxyType({account.name: account for account in accounts})
        self.by_api_key = MappingProxyType({a.api_key_hash: a for a in self.accounts.values()})
        self.by_token = MappingProxyType({a.token: a for a in self.accounts.values()})
        self.endpoints = MappingProxyType({endpoint.id: endpoint for endpoint in endpoints})
        self._wanting: dict[tuple[str, EventKind], tuple[Endpoint, ...]] = {}
        for endpoint in self.endpoints.values():
            for kind in endpoint.events:
                key = (endpoint.account, kind)
                self._wanting[key] = (*self._wanting.get(key, ()), endpoint)
        self._links = {name: self._links_of(account) for name, account in self.accounts.items()}
        self.formats = self._prepare(former)
        self._owners: dict[str, Number] = {}
        self._keywords: dict[str, dict[str, Number]] = {}
        self._numbers: dict[str, tuple[str, ...]] = {}
        for number in numbers:
            if number.keyword is None:
                self._owners[number.number] = number
                known = self._numbers.get(number.account, ())
                self._numbers[number.account] = (*known, number.number)
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

    def numbers_of(self, account: str) -> Sequence[str]:
        """The numbers whose default owner an account is, in their order."""
        return self._numbers.get(account, ())

    def has_keywords(self, number: str) -> bool:
        """Whether the owner of a message to this number depends on its text."""
        return number in self._keywords

    def is_parked(self, endpoint: Endpoint) -> bool:
        """Whether what is due at an endpoint waits: it is paused, or its account is disabled."""
        account = self.accounts.get(endpoint.account)
        return endpoint.paused or account is None or account.disabled or endpoint.id not in self.formats

    def message_endpoints(self, account: str, shape: PartsMode | None) -> Sequence[Endpoint]:
        """Endpoints for a received SMS; of a long one for its parts, or for the joined text."""
        endpoints = self._wanting.get((account, "message"), ())
        if shape is None:
            return endpoints
        return [endpoint for endpoint in endpoints if endpoint.parts == shape]

    def mms_endpoints(self, account: str, message: ReceivedMessage) -> Sequence[Endpoint]:
        """Endpoints for a received MMS: those whose format can say one."""
        return self._that_want(message, account, "message")

    def report_endpoints(self, report: Report) -> Sequence[Endpoint]:
        """Endpoints for a report: where the submission asked for it and the format has a word for it."""
        return self._that_want(report, report.account, "mms-report" if report.is_mms else "report")

    def _that_want(self, event: Event, account: str, kind: EventKind) -> Sequence[Endpoint]:
        return [
            endpoint
            for endpoint in self._wanting.get((account, kind), ())
            if (format_ := self.formats.get(endpoint.id)) is not None and format_.wants(event)
        ]

    def _links_of(self, account: Account) -> ContentLinks | None:
        return None if self._make_links is None else self._make_links(account)

    def _prepare(self, former: "Directory | None") -> dict[int, PushFormat]:
        """Every endpoint's format, taken over from the former snapshot where nothing changed."""
        formats: dict[int, PushFormat] = {}
        for endpoint in self.endpoints.values():
            links = self._links.get(endpoint.account)
            if (
                former is not None
                and former.endpoints.get(endpoint.id) == endpoint
                and former._links.get(endpoint.account) == links  # made from the API key
            ):
                known = former.formats.get(endpoint.id)
                if known is not None:
                    formats[endpoint.id] = known
                    continue
            try:
                formats[endpoint.id] = prepare(endpoint, links)
            except ValueError as error:
                log.error("endpoint_unusable", endpoint=endpoint.id, error=str(error))
        return formats


def normalise_number(number: str) -> str:
    """E.164 digits of a number as people write it: a leading ``+`` or ``00`` and separators go.

    What is not made of digits (an alphanumeric originator) comes back as it is.
    """
    if number.isascii() and number.isdigit() and not number.startswith("00"):
        return number  # as most programs write it
    bare = number.strip()
    digits = bare.translate(_SEPARATORS)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    return digits if digits.isascii() and digits.isdigit() else bare


_SEPARATORS = {ord(c): None for c in " -./()"}
