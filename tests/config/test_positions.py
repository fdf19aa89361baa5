"""The scanner names the same keys as ``tomllib``, each on its line, and survives any text."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.config.positions import KeyPath, key_lines

DOCUMENT = '''# x = 0
a = 1
"b\\u0041".c = """x
# not = here
"""""
[node]
id = 3 # c = 4
retry = [1, # x ]
  2, {z = "}"} ]
[[link]]
name = 'a#b'
[link.over]
"0" = 1979-05-27 07:32:00
[[link]]
name = 'b'
t = {a.b = 1, c = [[], {}]}
'''


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and every index of a document."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def test_every_key_stands_on_its_line() -> None:
    lines = key_lines(DOCUMENT)
    assert set(lines) == set(paths(tomllib.loads(DOCUMENT)))
    assert {
        ("a",): 2,
        ("bA", "c"): 3,
        ("node",): 6,
        ("node", "id"): 7,
        ("node", "retry", 2, "z"): 9,
        ("link",): 10,
        ("link", 0, "over", "0"): 13,
        ("link", 1): 14,
        ("link", 1, "t", "a", "b"): 16,
    }.items() <= lines.items()


@pytest.mark.parametrize(
    "text",
    [
        "a = [1, 2,\n 3,\n]",
        "a = '''x''''\nb = 2",
        'a = """\\"""x"""\nb = """"a"""""',
        "a = ''\nb = \"\"\nc.'d e'.\"f\" = {}",
        "[a.b]\nx=1\n[a]\ny=2\n[a.c]\n[[a.d]]\n[[a.d]]\n[a.d.e]\n[[a.d.f]]\nz=1",
        "a = 1979-05-27T07:32:00Z # c\nb = +inf\nc = 0xf",
        "\r\n[a]\r\nb = 1\r\n",
        '"" = 1\n"\\"" = 2',
        "",
    ],
)
def test_the_corners_of_toml(text: str) -> None:
    assert set(key_lines(text)) == set(paths(tomllib.loads(text)))


def written(value: Any) -> str:
    """A value as TOML, on several lines where TOML allows it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)} = {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[ # ] }\n" + "".join(f"{written(item)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


keys = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=5)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | keys
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
tables = st.dictionaries(keys, values, max_size=3)


@settings(max_examples=150)
@given(st.dictionaries(keys, tables | st.lists(tables, min_size=1, max_size=3), max_size=3))
def test_it_agrees_with_tomllib_on_any_document(document: dict[str, Any]) -> None:
    text, expected = "", {}
    for name, section in document.items():
        for index, table in enumerate(section if isinstance(section, list) else [section]):
            is_array = isinstance(section, list)
            text += f"# = [\n[[{written(name)}]]\n" if is_array else f"[{written(name)}]\n"
            for key, value in table.items():
                where: KeyPath = (name, index, key) if is_array else (name, key)
                expected[where] = text.count("\n") + 1
                text += f"  {written(key)} = {written(value)} # [[no]]\n"
    lines = key_lines(text)
    assert set(lines) == set(paths(tomllib.loads(text)))
    assert expected.items() <= lines.items()


@settings(max_examples=200)
@given(st.text("ab.=[]{}\"'\\\n,# 1", max_size=40) | st.text(max_size=40))
def test_any_text_is_survived_and_read_as_tomllib_reads_it(text: str) -> None:
    lines = key_lines(text)
    try:
        document = tomllib.loads(text)
    except ValueError:
        return
    assert set(lines) == set(paths(document))


def test_deep_nesting_is_survived() -> None:
    assert ("a",) in key_lines("a = " + "[" * 100_000)
