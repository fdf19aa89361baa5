"""``homing send`` and ``homing trace``, on SQLite and on PostgreSQL."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Homing, config_text
from tests.cli.shapes import as_documented
from tests.store import rows


@pytest.fixture(params=["sqlite", "postgresql"])
def either(homing: Homing, request: pytest.FixtureRequest) -> Homing:
    """The account ``acme`` with 5 credits, in a store of each kind."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database").replace("postgresql+psycopg:", "postgresql:")
        homing.config.write_text(config_text(url))
    homing("account", "add", "acme", "--credits", "5")
    homing("endpoint", "add", "acme", "--url", "http://127.0.0.1:9/in")
    return homing


def send(homing: Homing, text: str, **options: Any) -> Any:
    given = {"account": "acme", "from": "60999", "to": "+447700900123"} | options
    return homing.json(
        "send", text, *(word for name, value in given.items() for word in (f"--{name}", value))
    )


def test_a_message_is_stored_charged_and_traced(either: Homing) -> None:
    sent = send(either, "Hello", report=2)
    assert as_documented("send", sent)
    assert sent["segments"] == 1
    traced = either.json("trace", sent["id"])
    submission = traced["submission"]
    assert (submission["from"], submission["to"], submission["status"], submission["report_bits"]) == (
        "60999", "447700900123", "ACCEPTED", 2,
    )  # fmt: skip
    assert [segment["text"] for segment in traced["segments"]] == ["Hello"]
    assert either.json("account", "show", "acme")["credits"] == 4
    assert send(either, "Ы" * 71)["segments"] == 2
    assert send(either, "a" * 160 + "[")["segments"] == 2
    assert either.error("send", "x", "--account", "acme", "--to", "447700900123") == "not enough credit"
    assert either.json("account", "show", "acme")["credits"] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--to", "phone"), "recipient is not a number"),
        (("--from", "x" * 12), "alphanumeric originator has more than 11"),
        (("--account", "nobody"), "there is no account nobody"),
    ],
)
def test_what_cannot_be_sent_is_refused(acme: Homing, arguments: tuple[str, ...], error: str) -> None:
    usual = ("send", "Hello", "--account", "acme", "--to", "447700900123")
    assert acme.error(*usual, *arguments).startswith(error)


def test_a_long_text_an_odd_report_and_a_disabled_account_are_refused(acme: Homing) -> None:
    usual = ("--account", "acme", "--to", "447700900123")
    assert "the text has 1531 septets" in acme.error("send", "a" * 1531, *usual)
    assert "--report" in acme.misuse("send", "a", *usual, "--report", "8")
    acme("account", "disable", "acme")
    assert acme.error("send", "a", *usual) == "account acme is disabled"


def life(homing: Homing) -> None:
    """A submission 100 with a receipt, its report 200 pushed at the second attempt, and a message 300."""
    database = homing.open()
    with database.writing() as connection:
        rows.add_submission(connection, 100, status="DELIVERED", link="sim", sent_at_ms=1)
        rows.add_segment(connection, 100, status="DELIVERED")
        rows.add_receipt(connection, 150, 100, raw=b"id:0A stat:DELIVRD [/x]\x1b[31m\xff")
        rows.add_report(connection, 200, 100)
        rows.add_delivery(
            connection, 200, 1, kind="report", state=1, attempt=2, status=200, answer=b"[red]OK\x07",
            took_ms=9, finished_at_ms=1_700_000_009_000,
        )  # fmt: skip
        rows.add_attempt(connection, 200, 1, 1, status=None, error="connect refused", answer=None)
        rows.add_message(connection, 300, account=None, text="[/b] hi\nthere\x1b[2J")
    database.close()


def test_a_whole_life_is_shown(either: Homing) -> None:
    life(either)
    traced = either.json("trace", 100)
    assert as_documented("trace", traced)
    (delivery,) = traced["deliveries"]
    assert [(each["number"], each["status"], each["error"]) for each in delivery["attempts"]] == [
        (1, None, "connect refused"), (2, 200, None),
    ]  # fmt: skip
    assert list(either.json("trace", 200)) == ["report", "segments", "reports", "deliveries"]
    assert either.json("trace", 300)["message"]["account"] is None


def test_the_tree_has_everything_and_no_control_character(acme: Homing) -> None:
    life(acme)
    printed = acme("trace", 100)
    for word in (
        "submission 100", "60999 → 447700900001", "segment 1", "sim 0A1B", r"stat:DELIVRD [/x]\x1b[31m\xff",
        "report", "200-1", "connect refused", "attempt 2", r"[red]OK\x07", "9 ms",
    ):  # fmt: skip
        assert word in printed, word
    assert "\x1b" not in printed
    assert "unrouted" in acme("trace", 300)
    assert printed.index("attempt 1") < printed.index("attempt 2")


@pytest.mark.parametrize("id_", ["x", "-", "9223372036854775808", "१२"])
def test_what_is_no_id_is_refused(acme: Homing, id_: str) -> None:
    assert acme.error("trace", id_) == f"not an id: {id_}"


def test_an_id_that_nothing_has_is_refused(acme: Homing) -> None:
    assert acme.error("trace", "77") == "nothing has the id 77"


def test_a_store_is_created_by_the_first_command(homing: Homing, tmp_path: Path) -> None:
    assert homing.json("account", "list") == {"items": []}
    assert (tmp_path / "homing-data").is_dir()
