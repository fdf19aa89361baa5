"""The documentation as the tests read it: pages with their headings, links, tables and blocks of code."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench" / "README.md"])

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")


class Block(NamedTuple):
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def page(name: str) -> str:
    """The text of a page of ``docs/reference``."""
    return (ROOT / "docs" / "reference" / name).read_text("utf-8")


def blocks(language: str) -> list[Block]:
    """Every fenced block of this language, in all pages."""
    found = []
    for path in PAGES:
        text = path.read_text("utf-8")
        for match in _FENCE.finditer(text):
            if match[2] == language:
                found.append(Block(path, text.count("\n", 0, match.start()) + 1, language, match[3]))
    return found


def links(text: str) -> list[str]:
    """Where a page links to; what stands in code is no link."""
    return _LINK.findall(_CODE.sub("``", _FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """The anchors that the headings of a page make, in the way of the usual forges."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


def tables(text: str) -> dict[str, list[list[str]]]:
    """The tables of a page by their first row of cells, joined by ``|``: their rows as cells."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            rows = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if rows is None:
            rows = found.setdefault("|".join(cells), [])
        elif set(line) - set("|- :"):
            rows.append(cells)
    return found


def bare(cell: str) -> str:
    """A cell without its marks of code."""
    return cell.strip("`")
