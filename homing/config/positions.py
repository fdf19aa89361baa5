"""Where in a TOML text each key stands, which ``tomllib`` does not say.

``key_lines`` is for a text that ``tomllib`` has accepted: it then names every key and array element with
its line. It judges nothing; on any other text it returns what it could follow and never raises.
"""

import re
import tomllib
from contextlib import suppress

KeyPath = tuple[str | int, ...]
"""``("link", 0, "port")``: names, and indices into arrays."""

_SPACE = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\[\s\S])*?"""(?:"{0,2})'''  # up to two quotes may stand before the closing three
    r"""|'''[\s\S]*?'''(?:'{0,2})"""
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
)
_BARE = re.compile(r"[^,\]}#\n]+")


class _Lost(Exception):
    """The text is not TOML, or not as this scanner knows it."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """Every key path of a TOML text with the number of its line, from 1."""
    scanner = _Scanner(text)
    with suppress(_Lost, RecursionError):
        scanner.scan()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._tables: dict[KeyPath, int] = {}
        """Array of tables -> how many of them there were so far."""

    def scan(self) -> None:
        table: KeyPath = ()
        self._skip(_FILLER)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_FILLER)

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        *parents, last = self._key()
        for part in parents:
            path = self._note((*path, part))
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        path = self._note((*path, last))
        if is_array:
            count = self._tables.get(path, 0)
            self._tables[path] = count + 1
            path = self._note((*path, count))
        self._expect("]]" if is_array else "]")
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for part in self._key():
            path = self._note((*path, part))
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._take(_STRING if opening in ('"', "'") else _BARE)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while not self._closes("]"):
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while not self._closes("}"):
            self._pair(path)

    def _closes(self, bracket: str) -> bool:
        """Goes on to the next element or over the closing bracket."""
        self._skip(_FILLER)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_FILLER)
        if not self._text.startswith(bracket, self._at):
            return False
        self._at += 1
        return True

    def _key(self) -> list[str]:
        """A dotted key, read."""
        parts = []
        while True:
            self._skip(_SPACE)
            raw = self._take(_KEY)
            parts.append(_unquote(raw))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _note(self, path: KeyPath) -> KeyPath:
        if path not in self.lines:
            self._line += self._text.count("\n", self._counted_to, self._at)
            self._counted_to = self._at
            self.lines[path] = self._line
        return path

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise _Lost
        self._at += len(mark)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if not match or not match[0]:
            raise _Lost
        self._at = match.end()
        return match[0]


def _unquote(raw: str) -> str:
    if raw[0] == "'":
        return raw[1:-1]
    if raw[0] != '"' or "\\" not in raw:
        return raw.strip('"')
    try:
        return str(tomllib.loads(f"key = {raw}")["key"])
    except ValueError:
        raise _Lost from None
