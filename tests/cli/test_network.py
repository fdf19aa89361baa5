"""``homing links`` and ``homing simulate``: what nodes said of their links, and phones that write."""

from typing import Any

import msgspec
from sqlalchemy import insert, select

from homing.model.clock import now_ms
from homing.store import tables as t
from tests.cli.conftest import Homing, config_text, items
from tests.cli.shapes import example

SMSC = '[[link]]\nname = "smsc"\nkind = "smpp"\nhost = "127.0.0.1"\nport = 1\nsystem_id = "me"\n'


def say(homing: Homing, link: str, **state: Any) -> None:
    """What a node writes about a link."""
    database = homing.open()
    with database.writing() as connection:
        connection.execute(
            insert(t.link_states).values(link=link, node=3, at_ms=now_ms(), state=msgspec.json.encode(state))
        )
    database.close()


def test_links_without_a_node_are_down(homing: Homing) -> None:
    assert items(homing.json("links"), "name", "kind", "state", "node", "why") == [
        ("sim", "simulator", "down", None, "no node is running"),
        ("mms", "mm7", "down", None, "no node is running"),
    ]
    homing.config.write_text(config_text() + SMSC)
    assert items(homing.json("links"), "name", "state") == [("smsc", "down")]
    assert "no node is running" in homing("links")
    homing.config.write_text("link = []\n")
    assert "There is no link" in homing("links")


def test_what_a_node_says_of_a_link_is_shown(homing: Homing) -> None:
    said = example("links")["items"][0]
    state = {name: said[name] for name in said if name not in ("name", "node", "at")}
    say(homing, "sim", **state | {"last_error": "ESME_RINVPASWD [/x]"})
    (shown,) = (each for each in homing.json("links")["items"] if each["name"] == "sim")
    assert shown == state | {
        "name": "sim", "node": 3, "at": shown["at"], "last_error": "ESME_RINVPASWD [/x]",
    }  # fmt: skip
    printed = homing("links")
    assert all(word in printed for word in ("bound", "1/1", "same", "ESME_RINVPASWD [/x]"))


def test_a_phone_writes_through_the_simulator(homing: Homing) -> None:
    write = ("simulate", "message", "Hello", "--from", "+447700900123", "--to", "60999")
    made = homing.json(*write)
    assert list(made) == list(example("simulate message"))
    assert "within a second" in homing(*write)
    database = homing.open()
    with database.reading() as connection:
        asked = connection.execute(select(t.simulated_messages)).all()
    database.close()
    assert {(row.sender, row.recipient, row.text) for row in asked} == {("447700900123", "60999", "Hello")}
    assert made["id"] in {str(row.id) for row in asked}


def test_a_configuration_without_a_simulator_has_no_phones(homing: Homing) -> None:
    homing.config.write_text(config_text() + SMSC)
    said = homing.error("simulate", "message", "Hello", "--from", "1", "--to", "2")
    assert said == "no link of this configuration is a simulator"


def test_wrong_faults_and_addresses_are_wrong_use(homing: Homing) -> None:
    assert "there is no fault 'gremlins'" in homing.misuse("simulator", "--fault", "gremlins")
    assert "a share is a number from 0 to 1" in homing.misuse("simulator", "--fault", "lost=2")
    assert "Invalid value" in homing.misuse("simulator", "--listen", "nowhere")
    assert "Invalid value" in homing.misuse("simulator", "--latency-ms", "-1")


def test_an_address_that_is_not_here_fails(homing: Homing) -> None:
    assert "cannot listen at 192.0.2.1:2775" in homing.error("simulator", "--listen", "192.0.2.1:2775")
