"""What is wrong with a configuration: problems with their place, and the error that carries all of them.

No text here ever holds the value of a secret.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    file: str
    """The file, ``environment``, or empty when nothing was read at all."""
    line: int | None
    key: str
    """``push.lease_s``, ``link.NAME.binds``, the name of an environment variable, or empty."""
    text: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        said = ": ".join(part for part in (place, self.key, self.text) if part)
        return f"{said} ({self.hint})" if self.hint else said


class ConfigError(Exception):
    """The configuration cannot be used. ``problems`` holds all that is wrong with it, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that somebody who wrote ``word`` may have meant, or an empty string."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else ""
