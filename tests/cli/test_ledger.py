"""``homing ledger export``: every entry of a month, as CSV or JSON."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented, example

MONTH = f"{datetime.now(UTC):%Y-%m}"
EXPORT = ("ledger", "export", "--account", "acme", "--month", MONTH)


@pytest.fixture
def billed(homing: Homing) -> Homing:
    homing("account", "add", "acme", "--credits", "5")
    homing("account", "credit", "acme", "1", "--note", "=cmd()")
    homing("send", "Hello", "--account", "acme", "--from", "60999", "--to", "447700900123")
    return homing


def test_json_has_every_entry_in_order(billed: Homing) -> None:
    document = billed.json(*EXPORT)
    assert as_documented("ledger export", document)
    assert items(document, "kind", "credits", "note", "to") == [
        ("credit", 5.0, "first credits", ""),
        ("credit", 1.0, "=cmd()", ""),
        ("submission", -1.0, None, "447700900123"),
    ]


def test_csv_has_the_same_and_no_formula(billed: Homing, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(billed(*EXPORT))))
    assert list(rows[0]) == list(example("ledger export")["items"][0])
    assert [(row["kind"], row["credits"], row["note"]) for row in rows] == [
        ("credit", "5.0", "first credits"),
        ("credit", "1.0", "'=cmd()"),
        ("submission", "-1.0", ""),
    ]
    file = tmp_path / "out.csv"
    assert billed.json(*EXPORT, "--csv", file) == {"entries": 3, "file": str(file)}
    assert list(csv.DictReader(io.StringIO(file.read_text()))) == rows
    assert "3 entries in" in billed(*EXPORT, "--csv", file)


def test_another_month_is_empty(billed: Homing) -> None:
    assert billed.json("ledger", "export", "--account", "acme", "--month", "2020-12") == {"items": []}


def test_refusals(billed: Homing, tmp_path: Path) -> None:
    assert "cannot be written: No such file" in billed.error(*EXPORT, "--csv", tmp_path / "no" / "x")
    assert "cannot be written: No space left" in billed.error(*EXPORT, "--csv", "/dev/full")
    assert "no account nobody" in billed.error(*EXPORT, "--account", "nobody")
    for month in ("2026-13", "march", "2026-3-1", "9999-12"):
        assert "not a month" in billed.misuse("ledger", "export", "--account", "acme", "--month", month)
