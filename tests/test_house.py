"""The plan of the house holds: imports go one way, nothing grows without bound, nothing is left half done.

``docs/explanation/house.md`` explains the boxes; ``MAY_IMPORT`` below is the whole rule.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

_CORE = {"model", "wire", "engine", "observe"}
_FOURTH = {"store", "links", "push", "api"}
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "receiver": set(),
    "observe": {"model"},
    "config": {"model"},
    "wire": {"model"},
    "engine": {"model", "wire", "observe"},
    **dict.fromkeys(_FOURTH, _CORE),
    "node": _CORE | _FOURTH | {"config"},
    "cli": _CORE | _FOURTH | {"config", "node", "receiver"},
    "__main__": {"cli"},
}
"""For every box of the package, the boxes it may import beside itself."""

NOT_IN_WIRE = {
    "asyncio", "logging", "os", "random", "secrets", "socket", "sqlalchemy", "sqlite3", "ssl", "structlog",
    "threading", "time", "uvloop",
}  # fmt: skip
"""Codecs turn bytes into values: what reaches for the world, or for the clock, is none of theirs."""

LONGEST_MODULE = 450
LONGEST_FUNCTION = 60
NAMES_OF_NOTHING = {"utils", "helpers", "common", "manager", "base", "misc"}

# Put together from pieces, so that this file may be searched as well.
UNFINISHED = re.compile("|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", "NotImplemented" + "Error")))
UNFINISHED_TEST = re.compile(
    "|".join((r"pytest\.sk" + "ip", r"mark\.sk" + "ip", "xf" + "ail", r"\btime\.sl" + "eep"))
)


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Every import in a module, wherever it stands in it: its line, and the dotted name that it asks for."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += [node.module] if node.module else []
            for name in node.names:
                yield node.lineno, ".".join([*base, name.name])


def box_of(dotted: str, root: Path) -> str | None:
    """The box of our package that a dotted name lies in; None for what is not ours or ``homing`` itself."""
    parts = dotted.split(".")
    if parts[0] != "homing" or len(parts) < 2:
        return None
    inside = root / "homing" / parts[1]
    return parts[1] if inside.is_dir() or inside.with_suffix(".py").is_file() else None


def steps_back(root: Path) -> list[str]:
    """Imports that go the wrong way, and boxes that have no place in the plan."""
    found = []
    for path in sorted((root / "homing").rglob("*.py")):
        where = path.relative_to(root)
        box = where.with_suffix("").parts[1]
        if box == "__init__":
            allowed: set[str] = set()
        elif box in MAY_IMPORT:
            allowed = MAY_IMPORT[box]
        else:
            found.append(f"{where}: the house has no box {box}")
            continue
        for line, dotted in imports(path, root):
            target = box_of(dotted, root)
            if target is not None and target != box and target not in allowed:
                found.append(f"{where}:{line}: {box} must not import {target}")
            if box == "wire" and dotted.split(".")[0] in NOT_IN_WIRE:
                found.append(f"{where}:{line}: wire must not import {dotted}")
    return found


def too_long(path: Path, root: Path) -> list[str]:
    """What of a module is longer than one can take in."""
    where = path.relative_to(root)
    source = path.read_text()
    length = source.count("\n")
    found = [f"{where}: {length} lines, at most {LONGEST_MODULE}"] if length > LONGEST_MODULE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(
                    f"{where}:{node.lineno}: {node.name} has {length} lines, at most {LONGEST_FUNCTION}"
                )
    return found


def left_undone(root: Path) -> list[str]:
    """Words in the tree that say that something is not finished, or that a test does not test."""
    found = []
    for folder in ("homing", "tests", "bench", "docs"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in {".py", ".md", ".toml", ".html", ".css", ".js"}:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if UNFINISHED.search(line) or (folder == "tests" and UNFINISHED_TEST.search(line)):
                    found.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return found


def program_files(root: Path) -> list[Path]:
    """Our modules, without the migrations: a migration is a record of what was done, not code to live in."""
    paths = sorted([*(root / "homing").rglob("*.py"), *(root / "bench").rglob("*.py")])
    return [path for path in paths if "versions" not in path.parts]


def test_imports_go_one_way() -> None:
    assert steps_back(ROOT) == []


def test_modules_and_functions_stay_short() -> None:
    assert [line for path in program_files(ROOT) for line in too_long(path, ROOT)] == []


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in program_files(ROOT) if ast.get_docstring(ast.parse(path.read_text())) is None]
    assert [str(path.relative_to(ROOT)) for path in silent if path.read_text().strip()] == []


def test_modules_are_named_for_what_they_hold() -> None:
    assert [str(path) for path in program_files(ROOT) if path.stem in NAMES_OF_NOTHING] == []


def test_nothing_is_left_undone() -> None:
    assert left_undone(ROOT) == []


def _tree(root: Path, **files: str) -> Path:
    """A fake house: ``engine__submit="…"`` writes ``homing/engine/submit.py``."""
    for box in MAY_IMPORT:
        (root / "homing" / box).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / "homing" / name.replace("__", "/")).with_suffix(".py").write_text(text)
    return root


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("engine__submit", "from homing.store.sql import insert\n"),
        ("engine__submit", "def f():\n    import homing.store.sql\n"),
        ("engine__submit", "from homing import store\n"),
        ("engine__submit", "from ..store import sql\n"),
        ("push__http", "from homing.links.smpp import Link\n"),
        ("api__form", "from homing.config import Settings\n"),
        ("model__report", "from homing.wire import gsm\n"),
        ("wire__gsm", "import time\n"),
        ("wire__gsm", "from homing.observe import counter\n"),
        ("receiver__parse", "from homing.model.report import Status\n"),
        ("node__serve", "from homing.cli import main\n"),
        ("helper", "import json\n"),
    ],
)
def test_a_step_back_is_seen(tmp_path: Path, name: str, text: str) -> None:
    assert len(steps_back(_tree(tmp_path, **{name: text}))) == 1


def test_a_step_forward_is_let_be(tmp_path: Path) -> None:
    root = _tree(
        tmp_path,
        node__serve="from homing import __version__\nfrom homing.api import routes\nimport homing.config\n",
        api__form="from homing.engine import submit\nimport homing.observe\nfrom . import routes\n",
        wire__gsm="from homing.model.message import Coding\nfrom homing.wire.gsm_tables import DEFAULT\n",
    )
    assert steps_back(root) == []


def test_what_is_too_long_or_undone_is_seen(tmp_path: Path) -> None:
    long = "def f():\n" + "    pass\n" * LONGEST_FUNCTION + "x = 1\n" * LONGEST_MODULE
    root = _tree(tmp_path, engine__submit=long, engine__intake="# TO" + "DO: the rest\n")
    assert len(too_long(root / "homing" / "engine" / "submit.py", root)) == 2
    assert len(left_undone(root)) == 1


# --- what the program stands on ---

DECLARED = {
    re.match(r"[A-Za-z0-9_.-]+", line)[0].lower()  # type: ignore[index]
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
}
LOCKED = set(re.findall(r"^([a-z0-9_.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def stood_on(root: Path) -> set[str]:
    """The distributions that modules of the package import, by their names in lower case."""
    owners = packages_distributions()
    modules = (root / "homing").rglob("*.py")
    names = {dotted.split(".")[0] for path in modules for _, dotted in imports(path, root)} - {"homing"}
    return {owner.lower().replace("_", "-") for name in names for owner in owners.get(name, ())}


def test_the_program_stands_on_what_it_declares_and_no_tool_of_the_tests() -> None:
    used = stood_on(ROOT)
    assert "sqlalchemy" in used
    assert used - DECLARED == set()
    assert set() == DECLARED - LOCKED
