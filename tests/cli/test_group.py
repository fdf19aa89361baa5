"""``homing group``: made, listed, changed, removed."""

from tests.cli.conftest import Homing
from tests.cli.shapes import as_documented

ONE, TWO = "447700900001", "447700900002"


def test_a_group_lives(acme: Homing) -> None:
    made = acme.json("group", "add", "friends", "--account", "acme", "--member", f"+{ONE}")
    assert as_documented("group add", made)
    assert made == {"account": "acme", "name": "friends", "members": [ONE]}
    changed = acme.json(
        "group", "add-members", "FRIENDS", "--account", "acme", "--member", TWO, "--member", ONE
    )
    assert changed["members"] == [ONE, TWO]
    listed = acme.json("group", "list", "--account", "acme")
    assert as_documented("group list", listed)
    assert listed["items"][0]["members"] == 2
    assert "friends" in acme("group", "list")
    left = acme.json("group", "remove-members", "friends", "--account", "acme", "--member", ONE)
    assert left["members"] == [TWO]
    shown = acme.json("group", "show", "friends", "--account", "acme")
    assert as_documented("group show", shown)
    assert TWO in acme("group", "show", "friends", "--account", "acme")
    assert acme.json("group", "remove", "friends", "--account", "acme") == shown
    assert "no group friends" in acme.error("group", "show", "friends", "--account", "acme")


def test_what_is_wrong_is_said(acme: Homing) -> None:
    assert "no account nobody" in acme.error("group", "add", "x", "--account", "nobody")
    assert "not a number" in acme.error("group", "add", "x", "--account", "acme", "--member", "y")
    assert "no group yet" in acme("group", "list")
    assert "no account nobody" in acme.error("group", "list", "--account", "nobody")
