"""Prices: what a segment costs in credits, by the beginning of its recipient's number, and an MMS."""

from collections.abc import Mapping

DECIMALS = 4
"""Of every amount: sums of such numbers are kept exactly enough to be compared."""


class Prices:
    """The longest prefix that fits wins."""

    def __init__(
        self, default: float = 1.0, by_prefix: Mapping[str, float] | None = None, mms: float = 1.0
    ) -> None:
        self._default = default
        self.mms = mms
        """Of an MMS to anybody."""
        self._by_prefix = dict(by_prefix or {})
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def of(self, recipient: str) -> float:
        """Credits for one segment to this number."""
        for length in self._lengths:
            price = self._by_prefix.get(recipient[:length])
            if price is not None:
                return price
        return self._default
