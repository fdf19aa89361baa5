"""``homing number``: numbers in one form, owners by keyword."""

from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented


def test_a_number_is_normalised_and_shared_by_keyword(acme: Homing) -> None:
    acme("account", "add", "bolt")
    made = acme.json("number", "add", "+60999", "--account", "bolt", "--keyword", "STOP")
    assert as_documented("number add", made)
    ran = acme.run(
        "number", "add", "00447700900999", "--account", "bolt", "--network", "O2UK", "--carrier-code", "23410"
    )
    assert ran.status == 0
    assert "447700900999" in ran.out
    assert ran.err == "warning: O2UK is not in the table of networks; it is used as it stands\n"
    listed = acme.json("number", "list")
    assert as_documented("number list", listed)
    assert items(listed, "number", "keyword", "account", "network", "carrier_code") == [
        ("447700900999", None, "bolt", "O2UK", "23410"),
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


def test_codes_of_networks(acme: Homing) -> None:
    add = ("number", "add")
    to_acme = ("--account", "acme")
    assert acme.json(*add, "60901", *to_acme, "--network", "THREEUK")["network"] == "THREEUK"
    assert acme.json(*add, "60902", *to_acme, "--carrier-code", "23430")["network"] == "TMOBILEUK"
    assert acme.json(*add, "60903", *to_acme, "--carrier-code", "00101")["network"] is None
    assert "upper-case letters and digits" in acme.error(*add, "60904", *to_acme, "--network", "O2-UK")
    assert "5 or 6 digits" in acme.error(*add, "60904", *to_acme, "--carrier-code", "234-10")


def test_the_table_of_networks(acme: Homing) -> None:
    document = acme.json("networks", "--country", "gb")
    assert as_documented("networks", document)
    assert items(document, "code") == [("BTCELLNETUK",), ("THREEUK",), ("TMOBILEUK",)]
    assert len(acme.json("networks")["items"]) > 70
    assert "23420" in acme("networks")
    assert "no network of XX" in acme("networks", "--country", "XX")


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
