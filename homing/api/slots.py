"""How many requests do something costly at once: in all, and for one account.

What goes wrong is a ``Refusal``: nobody waits here, as who waits holds what others need.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from homing.model.errors import Refusal


class Slots:
    """For the loop's thread."""

    def __init__(self, what: str, *, most: int, most_per_account: int) -> None:
        """``what`` names the requests in the plural."""
        self._what = what
        self._most = most
        self._most_per_account = most_per_account
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, account: str) -> Iterator[None]:
        """Hold one; those who have not logged in are one account, the empty one."""
        if self._taken.total() >= self._most:
            raise Refusal("unavailable", f"too many {self._what} at once, try again")
        if self._taken[account] >= self._most_per_account:
            whose = "of your account" if account else "before login: send user and pass before the file"
            raise Refusal("too_fast", f"more than {self._most_per_account} {self._what} at once {whose}")
        self._taken[account] += 1
        try:
            yield
        finally:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]
