"""The pages that are printed from the settings: the file of ``homing init`` and the tables of the reference.

In the file a sentence begins with ``# `` and a setting with ``#`` alone, so the setting is put to use by
taking that one character away. ``renew`` prints the tables of a page anew.
"""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo

from homing.config.section import is_secret, meta
from homing.config.settings import SECTIONS
from homing.config.values import expected

BEGIN, END = "<!-- settings: printed by homing.config.template -->", "<!-- end of settings -->"

_INTRODUCTION = """\
# Configuration of Homing. Everything here has a default that is right to begin with: a node runs without
# this file. Lines that begin with "# " explain; a line that begins with "#" alone is a setting: take the
# "#" away to use it. `homing check` says what is wrong, with line and key.
#
# An environment variable overrides a key: HOMING_SECTION__KEY, for a link HOMING_LINK__NAME__KEY.
# Relative paths are relative to this file.
"""

_UNITS = (
    ("_per_min", "per minute"),
    ("_per_s", "per second"),
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_h", "hours"),
    ("_d", "days"),
    ("_bytes", "octets"),
    ("_share", "share, 0 to 1"),
)


def template() -> str:
    """The commented ``homing.toml``: every key with what it is for, its unit, its default and an example."""
    return "\n".join([_INTRODUCTION, *(_section(name) for name in SECTIONS)])


def reference() -> str:
    """The sections of docs/reference/configuration.md: every key in a table."""
    return "\n".join(_reference_section(name) for name in SECTIONS)


def renewed(page: str) -> str:
    """This page with the tables between its two marks printed anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def renew(path: str) -> None:
    """Prints the tables of the page in this file anew."""
    page = Path(path).read_text("utf-8")
    Path(path).write_text(renewed(page), "utf-8")


def _section(name: str) -> str:
    cls = SECTIONS[name]
    lines = ["", f"# {_sentence(cls)}"]
    if name == "link":
        lines += [
            '# Without any there are two: "sim" of kind "simulator" (SMS) and "mms" of kind "mm7" (MMS),',
            '# whose submit_url is "simulator".',
            "",
            "#[[link]]",
        ]
    else:
        lines.append(f"[{name}]")
    for field in msgspec.structs.fields(cls):
        lines += ["", *_explained(field)]
        sample = _extra(field)["sample"]
        lines.append(f"#{field.encode_name} = {_toml(_initial(field) if sample is None else sample)}")
    return "\n".join(lines) + "\n"


def _explained(field: FieldInfo) -> list[str]:
    facts = [part for part in (_unit(field.name), f"default: {_default(field)}") if part]
    said = [meta(field).description or "", _capital("; ".join(facts)) + "."]
    allowed = expected(field.type)
    if '"' in allowed:
        said.append(f"Allowed: {allowed}.")
    if is_secret(field):
        said.append(f"{field.name}_file reads it from a file instead.")
    return textwrap.wrap(
        " ".join(said), 108, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _reference_section(name: str) -> str:
    cls = SECTIONS[name]
    header = "[[link]]" if name == "link" else f"[{name}]"
    lines = [
        f"## `{header}`",
        "",
        _sentence(cls),
        "",
        "| key | value | unit | default | |",
        "|---|---|---|---|---|",
    ]
    for field in msgspec.structs.fields(cls):
        text = meta(field).description or ""
        if is_secret(field):
            text += f" `{field.name}_file` reads it from a file."
        default = _default(field)
        if not _extra(field)["unset"] and default != "none, must be set":
            default = f"`{default}`"
        cells = [f"`{field.encode_name}`", expected(field.type), _unit(field.name), default, text]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return meta(field).extra or {}


def _initial(field: FieldInfo) -> object:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


def _default(field: FieldInfo) -> str:
    if field.required:
        return "none, must be set"
    return _extra(field)["unset"] or _toml(_initial(field))


def _unit(key: str) -> str:
    return next((unit for suffix, unit in _UNITS if key.endswith(suffix)), "")


def _sentence(cls: type) -> str:
    return (cls.__doc__ or "").strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case dict():
            pairs = (f"{_toml(key)} = {_toml(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
