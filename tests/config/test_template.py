"""The structs, the file of ``homing init`` and the reference page say the same."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing.config import Settings, check, load, template
from homing.config.section import Section, is_secret, meta
from homing.config.settings import SECTIONS
from homing.config.template import renewed
from homing.config.values import expected

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
UNITS = ("_s", "_ms", "_h", "_d", "_bytes", "_per_min", "_share")
KEYS = [(name, field) for name, cls in SECTIONS.items() for field in msgspec.structs.fields(cls)]


def uncommented() -> str:
    return re.sub(r"^#(?=[\[\w])", "", template(), flags=re.MULTILINE)


def test_the_template_as_it_is_means_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(template())
    assert check(file, {}) == []
    file.with_name("empty.toml").write_text("")
    assert load(file, {}) == load(file.with_name("empty.toml"), {})


def test_the_template_with_every_setting_in_use_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "homing.toml"
    file.write_text(uncommented())
    for name in re.findall(r'= "(tls/[^"]+)"', uncommented()):
        file.with_name("tls").mkdir(exist_ok=True)
        (tmp_path / name).write_text("PEM")
    assert check(file, {}) == []
    assert load(file, {}).link[0].name == "smsc"


def test_the_template_has_every_key_of_the_structs_and_no_other() -> None:
    document: dict[str, Any] = tomllib.loads(uncommented())
    (link,) = document.pop("link")
    assert {name: list(table) for name, table in (document | {"link": link}).items()} == {
        name: list(cls.__struct_encode_fields__) for name, cls in SECTIONS.items()
    }


def test_a_sample_stands_where_the_default_says_nothing_and_the_default_elsewhere() -> None:
    document = tomllib.loads(uncommented())
    for name, field in KEYS:
        table = document["link"][0] if name == "link" else document[name]
        extra = meta(field).extra or {}
        if extra["sample"] is not None:
            assert table[field.encode_name] == extra["sample"]
        elif isinstance(field.default, str | int | float):
            assert table[field.encode_name] == field.default


def test_the_lines_of_the_template_fit_a_terminal() -> None:
    assert max(len(line) for line in template().splitlines() if line.startswith("# ")) <= 110


@pytest.mark.parametrize(("name", "field"), KEYS, ids=[f"{name}.{field.encode_name}" for name, field in KEYS])
def test_every_key_is_documented(name: str, field: msgspec.structs.FieldInfo) -> None:
    header = "[[link]]" if name == "link" else f"[{name}]"
    section = PAGE.read_text().split(f"## `{header}`\n")[1].split("\n## ")[0]
    (row,) = (line for line in section.splitlines() if line.startswith(f"| `{field.encode_name}` |"))
    assert str(meta(field).description) in row
    assert expected(field.type) in row
    assert (f"`{field.encode_name}_file`" in row) == is_secret(field)


def test_the_tables_of_the_reference_are_those_of_the_structs() -> None:
    page = PAGE.read_text()
    assert page == renewed(page), (
        "python -c \"from homing.config.template import renew; renew('docs/reference/configuration.md')\""
    )


def test_the_errors_in_the_reference_are_what_is_really_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("homing.toml").write_text("\n\n[http]\nlistne = 1\n\n[push]\ngive_up_s = 90\n\nlease_s = 75\n")
    said = "\n".join(map(str, check(Path("homing.toml"), {"HOMING_NODE__ID": "1024"})))
    assert f"```\n{said}\n```" in PAGE.read_text()


def test_every_section_of_the_settings_is_a_section_of_the_file() -> None:
    assert list(SECTIONS) == list(Settings.__struct_fields__)
    assert all(issubclass(cls, Section) for cls in SECTIONS.values())


def test_what_is_measured_in_something_says_it_in_its_name() -> None:
    for _, field in KEYS:
        if re.search(r"\b(seconds|milliseconds|hours|days|octets)\b", meta(field).description or ""):
            assert field.encode_name.endswith(UNITS)
