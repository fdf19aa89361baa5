"""``homing number``: numbers in one form, owners by keyword."""

from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented


def test_a_number_is_normalised_and_shared_by_keyword(acme: Homing) -> None:
    acme("account", "add", "bolt")
    made = acme.json("number", "add", "+60999", "--account", "bolt", "--keyword", "STOP")
    assert as_documented("number add", made)
    made = acme.json(
        "number", "add", "00447700900999", "--account", "bolt", "--network", "NET", "--carrier-code", "23410"
    )
    assert made["number"] == "447700900999"
    listed = acme.json("number", "list")
    assert as_documented("number list", listed)
    assert items(listed, "number", "keyword", "account", "network", "carrier_code") == [
        ("447700900999", None, "bolt", "NET", "23410"),
        ("60999", None, "acme", None, None),
        ("60999", "stop", "bolt", None, None),
    ]
    assert items(acme.json("number", "list", "--account", "acme"), "number") == [("60999",)]
    assert "stop" in acme("number", "list")


def test_a_number_is_removed_with_or_without_its_keyword(acme: Homing) -> None:
    acme("number", "add", "60999", "--account", "acme", "--keyword", "[red]")
    assert "[red]" in acme("number", "list")
    removed = acme.json("number", "remove", "60999", "--keyword", "[RED]")
    assert as_documented("number add", removed)
    assert "60999 belongs to nobody" in acme("number", "remove", "60999")
    assert "no number yet" in acme("number", "list")


def test_refusals(acme: Homing) -> None:
    add = ("number", "add")
    assert "belongs to account acme already" in acme.error(*add, "60999", "--account", "acme")
    assert "there is no account nobody" in acme.error(*add, "1", "--account", "nobody")
    assert "not a number: tel" in acme.error(*add, "tel", "--account", "acme")
    assert "not a number: ١٢٣" in acme.error(*add, "١٢٣", "--account", "acme")
    assert "a keyword is one word" in acme.error(*add, "61", "--account", "acme", "--keyword", "a b")
    assert "belongs to nobody" in acme.error("number", "remove", "61")
    assert "there is no account nobody" in acme.error("number", "list", "--account", "nobody")
    assert "--account" in acme.misuse(*add, "61")
