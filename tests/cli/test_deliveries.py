"""``homing deliveries``, ``messages`` and ``replay``: lists by pages, counts before acting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from homing.cli.options import read_moment
from homing.model.clock import id_at, now_ms
from tests.cli.conftest import Homing, items
from tests.cli.shapes import as_documented
from tests.store import rows

HOUR_MS = 3_600_000


def id_ago(hours: float) -> int:
    return id_at(now_ms() - int(hours * HOUR_MS))


@pytest.fixture
def full(acme: Homing) -> dict[str, Any]:
    """Events 1 and 3 hours old: the younger dead, the older one delivered; one pending; one unrouted."""
    dead, old, pending, unrouted = (id_ago(hours) for hours in (1, 3, 2, 4))
    database = acme.open()
    with database.writing() as connection:
        for id_ in (dead, old, pending):
            rows.add_message(connection, id_, text="[/b]\x1b[2J")
        rows.add_message(connection, unrouted, account=None, text="lost")
        rows.add_delivery(connection, dead, 1, state=2, attempt=10, status=500, finished_at_ms=1)
        rows.add_delivery(connection, old, 1, state=1, status=200, took_ms=3, finished_at_ms=1)
        rows.add_delivery(connection, pending, 1, attempt=2)
        rows.add_attempt(connection, pending, 1, 1, status=None, error="timeout")
    database.close()
    return {"homing": acme, "dead": f"{dead}-1", "old": f"{old}-1", "pending": f"{pending}-1"} | {
        "unrouted": str(unrouted)
    }


def states(homing: Homing) -> dict[str, str]:
    return dict(items(homing.json("deliveries", "list"), "id", "state"))


def test_deliveries_are_listed_newest_first_and_by_state(full: dict[str, Any]) -> None:
    homing: Homing = full["homing"]
    listed = homing.json("deliveries", "list")
    assert as_documented("deliveries list", listed)
    assert items(listed, "id", "state", "attempts", "status", "error") == [
        (full["dead"], "dead", 10, 500, None),
        (full["pending"], "pending", 1, None, "timeout"),
        (full["old"], "delivered", 1, 200, None),
    ]
    for state in ("dead", "pending"):
        page = homing.json("deliveries", "list", "--state", state, "--account", "acme")
        assert items(page, "id") == [(full[state],)]
    printed = homing("deliveries", "list")
    assert all(full[name] in printed for name in ("dead", "pending", "old"))


def test_a_list_goes_on_after_its_last_item(full: dict[str, Any]) -> None:
    homing: Homing = full["homing"]
    seen: list[Any] = []
    after: tuple[str, ...] = ()
    while True:
        page = homing.json("deliveries", "list", "--limit", 1, *after)
        seen += items(page, "id")
        if page["next"] is None:
            break
        after = ("--after", page["next"])
    assert seen == [(full["dead"],), (full["pending"],), (full["old"],)]
    assert f"--after {full['dead']}" in homing("deliveries", "list", "--limit", 1)


def test_messages_are_listed_and_those_of_nobody_too(full: dict[str, Any]) -> None:
    homing: Homing = full["homing"]
    assert as_documented("messages list", homing.json("messages", "list"))
    assert items(homing.json("messages", "list", "--unrouted"), "id", "account") == [(full["unrouted"], None)]
    assert len(homing.json("messages", "list", "--account", "acme")["items"]) == 3
    printed = homing("messages", "list")
    assert r"[/b]\x1b[2J" in printed
    assert "\x1b" not in printed
    assert "unrouted" in printed
    assert "--unrouted" in homing.misuse("messages", "list", "--unrouted", "--account", "acme")


@pytest.mark.parametrize(
    "command", [("deliveries", "list"), ("messages", "list"), ("replay", "--since", "1d")]
)
def test_an_unknown_account_is_refused(acme: Homing, command: tuple[str, ...]) -> None:
    assert acme.error(*command, "--account", "nobody") == "there is no account nobody"


@pytest.mark.parametrize("arguments", [("--state", "lost"), ("--limit", "0"), ("--limit", "1001")])
def test_wrong_values_are_wrong_use(acme: Homing, arguments: tuple[str, ...]) -> None:
    assert "Invalid value" in acme.misuse("deliveries", "list", *arguments)


# --- replay ---


def test_a_replay_counts_and_asks(full: dict[str, Any]) -> None:
    homing: Homing = full["homing"]
    command = ("replay", "--account", "acme", "--since", "90m")
    before = states(homing)
    declined = homing.run(*command, stdin="n\n")
    assert declined.status == 1
    assert "1 delivery will be pushed again" in declined.out
    assert states(homing) == before
    assert homing.run(*command, stdin="").status == 1  # nobody there to answer
    assert states(homing) == before
    ran = homing.run(*command, stdin="y\n")
    assert ran.status == 0
    assert "1 of 1 delivery due again" in ran.out
    assert states(homing) == before | {full["dead"]: "pending"}


@pytest.mark.parametrize(
    ("arguments", "replayed"),
    [
        (("--account", "acme", "--since", "1d"), {"dead"}),
        (("--account", "acme", "--since", "1d", "--state", "delivered"), {"old"}),
        (("--account", "acme", "--since", "1d", "--state", "all"), {"dead", "old"}),
        (("--account", "acme", "--since", "90m", "--state", "all"), {"dead"}),
        (("--account", "acme", "--since", "1d", "--until", "150m", "--state", "all"), {"old"}),
        (("--account", "acme", "--since", "30m"), set()),
    ],
)
def test_a_replay_takes_what_is_meant(
    full: dict[str, Any], arguments: tuple[str, ...], replayed: set[str]
) -> None:
    homing: Homing = full["homing"]
    document = homing.json("replay", *arguments)
    assert as_documented("replay", document)
    assert document == {"found": len(replayed), "replayed": len(replayed)}
    pending = {id_ for id_, state in states(homing).items() if state == "pending"}
    assert pending == {full[name] for name in replayed | {"pending"}}
    assert homing.json("replay", *arguments)["found"] == 0
    assert "nothing to replay" in homing("replay", *arguments)


def test_one_delivery_or_event_is_replayed_by_its_id(full: dict[str, Any]) -> None:
    homing: Homing = full["homing"]
    assert homing.json("replay", "--id", full["old"])["replayed"] == 1
    assert homing.json("replay", "--id", full["dead"].partition("-")[0])["replayed"] == 1
    assert homing.json("replay", "--id", full["pending"])["found"] == 0
    assert homing.error("replay", "--id", "x") == "not an id: x"
    printed = homing("replay", "--id", "77", "--yes")
    assert "nothing to replay" in printed


def test_many_are_replayed_in_chunks(acme: Homing) -> None:
    first = id_ago(1)
    database = acme.open()
    with database.writing() as connection:
        for event in range(first, first + 2_500):
            rows.add_message(connection, event)
            rows.add_delivery(connection, event, 1, state=2, finished_at_ms=1)
    database.close()
    ran = acme.run("replay", "--account", "acme", "--since", "2h", "--yes")
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "2500 deliveries will be pushed again.",
        "2500 of 2500 deliveries due again.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--account", "acme"),
        ("--since", "2h"),
        ("--id", "1", "--account", "acme"),
        ("--account", "acme", "--since", "yesterday"),
        ("--account", "acme", "--since", "1h", "--until", "2h"),
        ("--account", "acme", "--since", "1h", "--state", "pending"),
    ],
)
def test_a_replay_of_nothing_definite_is_wrong_use(acme: Homing, arguments: tuple[str, ...]) -> None:
    acme.misuse("replay", *arguments)


# --- times ---


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-04", "2026-03-04T00:00:00+00:00"),
        ("2026-03-04T05:06:07Z", "2026-03-04T05:06:07+00:00"),
        ("2026-03-04T05:06:07.289+05:30", "2026-03-03T23:36:07.289+00:00"),
        (" 2026-03-04 05:06 ", "2026-03-04T05:06:00+00:00"),
    ],
)
def test_moments_are_read(text: str, moment: str) -> None:
    assert datetime.fromtimestamp(read_moment(text) / 1000, UTC) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(("text", "span"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("3d", 259_200)])
def test_spans_are_ago(text: str, span: int) -> None:
    before, read, after = now_ms(), read_moment(text), now_ms()
    ago_ms = timedelta(seconds=span) // timedelta(milliseconds=1)
    assert before - ago_ms <= read <= after - ago_ms


@pytest.mark.parametrize("text", ["", "h", "-2h", "2w", "2h30m", "2026-13-01", "now", "1234567h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_moment(text)
