"""The list of clauses is whole and fresh."""

import pytest

from tests.clauses import PAGE, ROOT, Clause, Malformed, find_clauses, page, read_clauses


def test_every_clause_is_of_a_known_document() -> None:
    assert find_clauses(ROOT)[1] == []


def test_the_committed_list_is_fresh() -> None:
    assert PAGE.read_text() == page(find_clauses(ROOT)[0]), "run make clauses"


def test_clauses_are_read_from_comments_and_docstrings() -> None:
    source = (
        '"""A codec (SMPP 3.4 §4.4.1, §4.6.1), and RFC 9110 §10.2.3."""\n'
        'SIGN = "§"  # TS 23.038 §A.3.1: why\n'
        "X = 1  # mx §5\n"
    )
    assert list(read_clauses(source, "m")) == [
        Clause("TS 23.038", "A.3.1", "m"),
        Clause("mx", "5", "m"),
        Clause("SMPP 3.4", "4.4.1", "m"),
        Clause("SMPP 3.4", "4.6.1", "m"),
        Clause("RFC 9110", "10.2.3", "m"),
    ]


@pytest.mark.parametrize(
    "comment", ["# SMPP34 §5.2.28", "# §5.2.28", "# SMPP 3.4 § 5.2.28", "# SMPP 5.2.28, §4"]
)
def test_another_form_is_refused(comment: str) -> None:
    assert [type(found) for found in read_clauses(comment + "\n", "m")] == [Malformed]


def test_the_page_is_in_order_and_names_each_module_once() -> None:
    clauses = {
        Clause("RFC 1", "10", "b"),
        Clause("RFC 1", "9", "a"),
        Clause("RFC 1", "9", "b"),
        Clause("mx", "5", "a"),
    }
    rows = [line for line in page(clauses).splitlines() if line.startswith("| §")]
    assert rows == ["| §9 | `a`, `b` |", "| §10 | `b` |", "| §5 | `a` |"]
