"""Reading the configuration: file, environment and secret files into ``Settings``, with all problems at once.

The file is TOML; ``HOMING_SECTION__KEY`` and ``HOMING_LINK__NAME__KEY`` override it; ``KEY_file`` reads a
secret from a file. Relative paths are relative to the file, without one to the current directory. What is
wrong is collected with file and line: a value that cannot be read is replaced by its default for the rest
of the checks, so one problem neither hides nor causes another.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import FieldInfo

from homing.config.link import LinkSettings
from homing.config.positions import KeyPath, key_lines
from homing.config.problems import ConfigError, Problem, nearest
from homing.config.rules import across, findings
from homing.config.section import Section, is_secret, meta
from homing.config.settings import SECTIONS, Settings
from homing.config.values import expected, read_value, shown

ENVIRONMENT = "environment"
_PREFIX = "HOMING_"
_DEFAULT_LINKS = [
    {"name": "sim", "kind": "simulator"},
    {"name": "mms", "kind": "mm7", "submit_url": "simulator", "addresses": ["127.0.0.1", "::1"]},
]
"""As a file would say ``DEFAULT_LINKS``."""
_FIELDS = {
    name: {field.encode_name: field for field in msgspec.structs.fields(cls)}
    for name, cls in SECTIONS.items()
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)([^/:?][^?]*)(.*)", re.DOTALL)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of this file (None = the defaults) and environment; ``ConfigError`` with all problems."""
    settings, problems = _read(path, environ)
    if problems:
        raise ConfigError(problems)
    return settings


def check(path: Path | None, environ: Mapping[str, str]) -> list[Problem]:
    """Everything that is wrong with this file and environment, in file order; empty = it can be used."""
    return _read(path, environ)[1]


def find_file(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Which file to read: the ``--config`` option, else HOMING_CONFIG, else ./homing.toml if it exists."""
    if option is not None:
        return option
    if environ.get("HOMING_CONFIG"):
        return Path(environ["HOMING_CONFIG"])
    usual = Path("homing.toml")
    return usual if usual.exists() else None


class _Given(NamedTuple):
    """A value that somebody wrote, and where."""

    value: object
    file: str
    line: int | None
    key: str
    is_text: bool = False


class _Table(NamedTuple):
    """One section as written: its values by key, and the place of its header."""

    section: str
    name: str
    line: int | None
    given: dict[str, _Given]


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, list[Problem]]:
    reading = _Reading(path)
    document, lines = reading.document()
    if reading.problems:
        return Settings(), reading.problems
    tables = reading.tables(document, lines)
    reading.override(tables, environ)
    settings = reading.settings(tables)
    reading.problems.sort(key=lambda problem: (problem.file == ENVIRONMENT, problem.line or 0))
    return settings, reading.problems


class _Reading:
    """One reading of one file; collects problems on the way."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = "" if path is None else str(path)
        self._base = Path(os.path.abspath(path.parent if path else "."))
        self.problems: list[Problem] = []

    def document(self) -> tuple[dict[str, Any], dict[KeyPath, int]]:
        if self._path is None:
            return {}, {}
        try:
            octets = self._path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name"
            self._add(None, "", f"cannot be read: {reason}", "homing init writes a new one")
            return {}, {}
        try:
            text = octets.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            self._add(
                octets.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 here", "save the file as UTF-8"
            )
            return {}, {}
        try:
            return tomllib.loads(text), key_lines(text)
        except RecursionError:
            self._add(None, "", "is nested too deeply")
        except ValueError as error:
            self._add(*_syntax(str(error), text))
        return {}, {}

    def tables(self, document: dict[str, Any], lines: Mapping[KeyPath, int]) -> list[_Table]:
        """What the file says, section by section; unknown names are reported."""
        for name in document:
            if name not in SECTIONS:
                self._add(lines.get((name,)), name, *_unknown_section(name))
        tables: list[_Table] = []
        for section in SECTIONS:
            written = document.get(section, {})
            if section == "link":
                tables += self._links(document, lines)
            elif isinstance(written, dict):
                tables.append(self._table((section,), section, written, lines))
            else:
                self._add(
                    lines.get((section,)),
                    section,
                    "is a section, not a value",
                    f"write [{section}] above its keys",
                )
        return tables

    def _links(self, document: dict[str, Any], lines: Mapping[KeyPath, int]) -> Iterator[_Table]:
        written = document.get("link", _DEFAULT_LINKS)
        if not isinstance(written, list) or not all(isinstance(link, dict) for link in written):
            self._add(
                lines.get(("link",)), "link", "is a list of sections", "write [[link]] with two brackets"
            )
            return
        for index, link in enumerate(written):
            yield self._table(("link", index), "link", link, lines)

    def _table(
        self, path: KeyPath, section: str, written: dict[str, object], lines: Mapping[KeyPath, int]
    ) -> _Table:
        name = str(written.get("name", "")) if section == "link" else ""
        table = _Table(section, name if _NAME.fullmatch(name) else "", lines.get(path), {})
        for key, value in written.items():
            given = _Given(value, self._file, lines.get((*path, key)), _full_key(table, key))
            self._take(table, key, given)
        return table

    def _take(self, table: _Table, key: str, given: _Given) -> None:
        fields = _FIELDS[table.section]
        if key in fields or (key.endswith("_file") and _is_secret(table.section, key[:-5])):
            table.given[key] = given
        else:
            self._report(given, "is not a key of " + _header(table.section), _known_key(table.section, key))

    def override(self, tables: list[_Table], environ: Mapping[str, str]) -> None:
        """Lays ``HOMING_SECTION__KEY`` and ``HOMING_LINK__NAME__KEY`` over what the file says."""
        for variable in sorted(environ):
            if not variable.startswith(_PREFIX) or "__" not in variable:
                continue
            where, _, key = variable.removeprefix(_PREFIX).rpartition("__")
            section, _, name = where.partition("__")
            given = _Given(environ[variable], ENVIRONMENT, None, variable, is_text=True)
            table = self._overridden(section.lower(), name, tables, given)
            if table is None:
                continue
            key = key.lower()
            secret = key.removesuffix("_file")
            for other in (secret, f"{secret}_file") if _is_secret(section.lower(), secret) else ():
                if other in table.given and table.given[other].file != ENVIRONMENT:
                    del table.given[other]  # the environment wins over either way of writing it
            self._take(table, key, given)

    def _overridden(self, section: str, name: str, tables: list[_Table], given: _Given) -> _Table | None:
        if section not in SECTIONS:
            self._report(given, *_unknown_section(section))
            return None
        if section != "link" and name:
            self._report(given, "names no key", f"HOMING_{section.upper()}__KEY has one double underscore")
            return None
        named = [table for table in tables if table.section == section]
        if section == "link":
            names = [table.name for table in named if table.name]
            named = [table for table in named if table.name and _variable_name(table.name) == name]
            if not named:
                known = ", ".join(f"HOMING_LINK__{_variable_name(known)}__…" for known in names)
                self._report(given, "names no link of the configuration", f"known: {known}" if known else "")
        return named[0] if named else None

    def settings(self, tables: list[_Table]) -> Settings:
        sections: dict[str, Section] = {}
        links: list[LinkSettings] = []
        taken: dict[str, _Table] = {}
        for table in tables:
            built = self._section(table)
            if table.section != "link":
                sections[table.section] = built
                continue
            links.append(cast(LinkSettings, built))
            first = taken.setdefault(_variable_name(table.name), table)
            if table.name and first is not table:
                where = (
                    f"the first one is on line {first.line}" if first.line else "names of links are unique"
                )
                text = f'is the name of two links: "{first.name}"'
                self._report(table.given["name"], text, f"{where}; case, - and _ make no difference")
        made = Settings(link=tuple(links), **cast(dict[str, Any], sections))
        written = {table.section: table for table in tables}
        for section, finding in across(made) if not self.problems else ():
            table = written.get(section) or _Table(section, "", None, {})
            self._report(self._blame(table, finding.keys[0]), finding.text, finding.hint)
        return made

    def _section(self, table: _Table) -> Section:
        """The section with every value that can be read, after reporting what cannot."""
        bad: set[str] = set()
        values: dict[str, object] = {}
        self._read_secrets(table, bad)
        for key, given in table.given.items():
            field = _FIELDS[table.section].get(key)
            if field is None:
                continue
            try:
                values[field.name] = read_value(given.value, field.type, is_text=given.is_text)
            except (ValueError, RecursionError):
                bad.add(key)
                self._report(given, *_misfit(field, given.value))
        if table.section == "link" and "name" not in values:
            if "name" not in bad:
                self._add(table.line, "link.name", "is missing", "every link has a name of its own")
            values["name"] = ""
        section = self._resolved(SECTIONS[table.section](**values), table, bad)
        for finding in findings(section):
            if bad.isdisjoint(finding.keys):
                self._report(self._blame(table, finding.keys[0]), finding.text, finding.hint)
        return section

    def _read_secrets(self, table: _Table, bad: set[str]) -> None:
        """Replaces every ``KEY_file`` by ``KEY`` with the content of the file."""
        for key, field in _FIELDS[table.section].items():
            given = table.given.pop(f"{key}_file", None) if is_secret(field) else None
            if given is None:
                continue
            if key in table.given:
                bad.add(key)
                self._report(given, f"stands beside {key}", "keep one of the two")
                continue
            try:
                if not isinstance(given.value, str) or not given.value:
                    raise ValueError("expected a path")
                content = self._base.joinpath(given.value).read_text("utf-8").rstrip("\r\n")
                if not content:
                    raise ValueError("the file is empty")
            except (OSError, ValueError) as error:
                bad.add(key)
                # the text of a UnicodeDecodeError could show what stands in the file
                reason = "the file is not UTF-8" if isinstance(error, UnicodeError) else _reason(error)
                self._report(given, f"cannot be read: {reason}", f"a file that holds nothing but the {key}")
            else:
                table.given[key] = given._replace(value=content, is_text=True)

    def _resolved(self, section: Section, table: _Table, bad: set[str]) -> Section:
        """The section with absolute paths; files that must exist are tried."""
        changes: dict[str, object] = {}
        for key, field in _FIELDS[table.section].items():
            value = getattr(section, field.name)
            if isinstance(value, Path):
                changes[field.name] = path = self._base / value
                if (meta(field).extra or {})["must_exist"] and (reason := _unreadable(path)):
                    bad.add(key)
                    self._report(self._blame(table, key), f"{str(path)!r} cannot be read: {reason}")
            elif key == "store" and (match := _SQLITE_FILE.fullmatch(value)):
                changes[key] = f"{match[1]}{self._base / match[2]}{match[3]}"
        return msgspec.structs.replace(section, **changes) if changes else section

    def _blame(self, table: _Table, key: str) -> _Given:
        """Where a problem of this key is shown: where it was written, else at the header of its section."""
        return table.given.get(key) or _Given(None, self._file, table.line, _full_key(table, key))

    def _report(self, given: _Given, text: str, hint: str = "") -> None:
        self.problems.append(Problem(given.file, given.line, given.key, text, hint))

    def _add(self, line: int | None, key: str, text: str, hint: str = "") -> None:
        self.problems.append(Problem(self._file, line, key, text, hint))


def _syntax(said: str, text: str) -> tuple[int | None, str, str, str]:
    """Line, key, text and hint of what ``tomllib`` said."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", said)
    if place is None:  # not a matter of TOML, for example a number of thousands of digits
        return None, "", f"is not readable: {said}", ""
    line = int(place[1]) if place[1] else text.count("\n") + (not text.endswith("\n"))
    column = f" at column {place[2]}" if place[2] else ""
    hint = "texts stand in quotes, truth is written true or false" if said.startswith("Invalid value") else ""
    return line, "", f"is not TOML: {said[: place.start()]}{column}", hint


def _misfit(field: FieldInfo, value: object) -> tuple[str, str]:
    wanted = expected(field.type)
    if is_secret(field):
        return "is not of the right form", f"expected {wanted}" + (
            ", printable ASCII" if field.name == "password" else ""
        )
    hint = meta(field).description or ""
    if isinstance(value, str):
        if meant := nearest(value, re.findall('"([^"]+)"', wanted)):
            hint = f'did you mean "{meant}"?'
        elif meta(field).pattern:
            wanted += " of another form"
    return f"expected {wanted}, got {shown(value)}", hint


def _is_secret(section: str, key: str) -> bool:
    field = _FIELDS[section].get(key)
    return field is not None and is_secret(field)


def _unknown_section(name: str) -> tuple[str, str]:
    meant = nearest(name, SECTIONS)
    if meant:
        return "is not a section", f"did you mean {_header(meant)}?"
    homes = [section for section, fields in _FIELDS.items() if name in fields]
    if homes:
        return "stands outside its section", f"write it under {' or '.join(map(_header, homes))}"
    return "is not a section", "sections are " + ", ".join(map(_header, SECTIONS))


def _known_key(section: str, key: str) -> str:
    secrets = [f"{name}_file" for name, field in _FIELDS[section].items() if is_secret(field)]
    if meant := nearest(key, [*_FIELDS[section], *secrets]):
        return f"did you mean {meant}?"
    homes = [other for other, fields in _FIELDS.items() if key in fields]
    return (
        f"it belongs under {' or '.join(map(_header, homes))}"
        if homes
        else "see docs/reference/configuration.md"
    )


def _header(section: str) -> str:
    return "[[link]]" if section == "link" else f"[{section}]"


def _full_key(table: _Table, key: str) -> str:
    return f"{table.section}.{table.name}.{key}" if table.name else f"{table.section}.{key}"


def _variable_name(link: str) -> str:
    return link.upper().replace("-", "_")


def _unreadable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    return error.strerror or "unknown error" if isinstance(error, OSError) else str(error)
