"""Where the program obeys which clause of which specification: ``docs/reference/clauses.md``.

A comment or docstring names a clause in one form, ``SMPP 3.4 §5.2.28``; more clauses of the same
document may follow in the same comment. ``make clauses`` (``python -m tests.clauses``) writes the list;
a test fails when it is stale or when a § stands behind no document that ``DOCUMENTS`` knows.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "clauses.md"

DOCUMENTS: dict[str, str] = {
    r"SMPP 3\.4": "Short Message Peer to Peer Protocol Specification, version 3.4, issue 1.2",
    r"TS \d\d\.\d{3}": "3GPP technical specification",
    r"RFC \d+": "Internet request for comments",
    r"SOAP 1\.1": "Simple Object Access Protocol, W3C note of 8 May 2000",
    r"SOAP 1\.2": "SOAP version 1.2 part 1, W3C recommendation, second edition",
    r"XML 1\.0": "Extensible Markup Language, W3C recommendation, fifth edition",
    r"XML Schema part 2": "XML Schema, datatypes, W3C recommendation, second edition",
    r"WAP-167": "WAP Service Indication, version 31-Jul-2001",
    r"WAP-230": "Wireless Session Protocol, version 5-Jul-2001",
    r"upside\.md": "The Upside interface, as [its services](upside.md) and pushes keep it",
    r"Standard Webhooks": "Standard Webhooks specification",
    r"mx": "The MX interface, as [SMSSend](http-smssend.md) and [the MX push](push-mx.md) keep it",
}
"""Documents that a clause may be of: a pattern of the name, and what it is."""

_MARK = re.compile(
    rf"\b(?P<document>{'|'.join(DOCUMENTS)})(?=,? §)|§(?P<clause>[0-9A-Z]+(?:\.[0-9A-Za-z]+)*)?"
)


class Clause(NamedTuple):
    document: str
    clause: str
    module: str


class Malformed(NamedTuple):
    module: str
    line: int
    text: str


def remarks(source: str) -> Iterator[tuple[int, str]]:
    """Every comment and docstring of a module with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def read_clauses(source: str, module: str) -> Iterator[Clause | Malformed]:
    """The clauses that a module names, and each § that names none."""
    for line, text in remarks(source):
        document = None
        for mark in _MARK.finditer(" ".join(text.split())):
            if mark["document"]:
                document = mark["document"]
            elif document and mark["clause"]:
                yield Clause(document, mark["clause"], module)
            else:
                yield Malformed(module, line, text.strip())


def find_clauses(root: Path) -> tuple[set[Clause], list[Malformed]]:
    """All clauses that the package under ``root`` names, and all that cannot be read."""
    clauses: set[Clause] = set()
    malformed: list[Malformed] = []
    for path in sorted((root / "homing").rglob("*.py")):
        for found in read_clauses(path.read_text(), path.relative_to(root).as_posix()):
            if isinstance(found, Clause):
                clauses.add(found)
            else:
                malformed.append(found)
    return clauses, malformed


def _in_order(clause: str) -> list[tuple[int, int, str]]:
    """Sorts 5.2.9 before 5.2.28, and annexes behind numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in clause.split(".")]


def _described(document: str) -> str:
    return next(text for pattern, text in DOCUMENTS.items() if re.fullmatch(pattern, document))


def page(clauses: set[Clause]) -> str:
    """The list as Markdown: one table a document, one row a clause, without lines, which move."""
    lines = ["# Clauses", "", "Which clause of which specification is obeyed in which module.",
             "Made from the comments of the source by `make clauses`.", ""]  # fmt: skip
    by_document: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for found in clauses:
        by_document[found.document][found.clause].add(found.module)
    for document, rows in sorted(by_document.items()):
        lines += [f"## {document}", "", f"{_described(document)}.", "", "| clause | modules |", "|---|---|"]
        for clause in sorted(rows, key=_in_order):
            lines.append(f"| §{clause} | {', '.join(f'`{module}`' for module in sorted(rows[clause]))} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    clauses, malformed = find_clauses(ROOT)
    for module, line, text in malformed:
        print(f"{module}:{line}: names no clause of a known document: {text}")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(clauses))
    print(f"{len(clauses)} clauses in {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
