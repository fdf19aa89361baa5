"""Links between pages lead somewhere, every page can be reached, and no page names a machine of ours."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name_of


def _inner(page: Path) -> list[tuple[str, Path, str]]:
    """The links of a page to files: as written, the file, the anchor."""
    found = []
    for link in links(page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            found.append((link, (page.parent / path).resolve() if path else page, anchor))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    lost = [link for link, file, _ in _inner(page) if not (file.exists() and file.is_relative_to(ROOT))]
    assert lost == []
    pages = [each for each in _inner(page) if each[1].suffix == ".md"]
    assert [link for link, file, a in pages if a and a not in anchors(file.read_text("utf-8"))] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    to_read = [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            to_read += [file for _, file, _ in _inner(page)]
    assert set(map(name_of, PAGES)) - set(map(name_of, reached)) == set()


# Put together from pieces, so that this file may be searched as well.
_OURS = re.compile(
    "|".join((r"(?<![\w.])/wor" + "k/", "/ro" + "ot/", r"/home/\w", "py" + "pi", r"[\w.-]+\.inter" + "nal"))
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_machine_is_named(page: Path) -> None:
    assert _OURS.findall(page.read_text("utf-8")) == []


def test_what_is_lost_is_seen(tmp_path: Path) -> None:
    text = (
        "# A page: `here`\n\n[a](gone.md) and [b](#a-page-here), `[no](link.md)`\n\n```\n[no](link.md)\n```\n"
    )
    assert links(text) == ["gone.md", "#a-page-here"]
    assert anchors(text) == {"a-page-here"}


_MODULE = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.py)?)`")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_modules_that_are_named_exist(page: Path) -> None:
    named = _MODULE.findall(page.read_text("utf-8"))
    roots = (ROOT, ROOT / "homing", page.parent)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
