"""``homing trace`` of an MMS: its parts are shown, and ``--save`` writes them."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from homing.config import load
from homing.engine.contents import Contents
from homing.model.mms import Content, Part
from homing.node.contents import open_contents
from homing.store import tables as t
from tests.cli.conftest import Homing
from tests.store import mms_rows, rows

MESSAGE, SENT, SMS, REPORT = 300, 100, 301, 200


@pytest.fixture
def contents(acme: Homing) -> Contents:
    """The content store that the configuration names."""
    return open_contents(load(acme.config, {}))


@pytest.fixture
def content(acme: Homing, contents: Contents) -> Content:
    """That of a received and of a sent MMS."""
    kept = mms_rows.keep(contents)
    database = acme.open()
    with database.writing() as connection:
        mms_rows.add_mms(connection, MESSAGE, kept)
        mms_rows.add_sent_mms(connection, SENT, kept)
        rows.add_report(connection, REPORT, SENT)
        rows.add_message(connection, SMS)
    database.close()
    return kept


def change(homing: Homing, *statements: Any) -> None:
    database = homing.open()
    with database.writing() as connection:
        for statement in statements:
            connection.execute(statement)
    database.close()


def test_the_parts_are_shown(acme: Homing, content: Content) -> None:
    printed = acme("trace", MESSAGE)
    for word in (
        "'Holiday'",
        f"{content.size} octets",
        "pic.jpg",
        "image/jpeg",
        "300000",
        "words.txt",
        "text/plain",
    ):
        assert word in printed, word
    assert "pic.jpg" in acme("trace", SENT)
    assert "pic.jpg" not in acme("trace", SMS)
    mms = acme.json("trace", MESSAGE)["message"]["mms"]
    assert mms == acme.json("trace", SENT)["submission"]["mms"]
    assert (mms["subject"], mms["to"], mms["cc"]) == ("Holiday", ["60999", "447700900002"], ["a@b.test"])
    assert (mms["size"], mms["sha256"]) == (content.size, content.sha256)
    assert [(part["name"], part["type"], part["size"]) for part in mms["parts"]] == [
        (name, content_type, len(octets)) for name, content_type, octets in mms_rows.PARTS
    ]
    assert acme.json("trace", SMS)["message"]["mms"] is None
    (listed, of_mms) = acme.json("messages", "list")["items"]
    assert (listed["mms"], of_mms["mms"]) == (None, mms)


@pytest.mark.parametrize("id_", [MESSAGE, SENT])
@pytest.mark.usefixtures("content")
def test_the_parts_are_saved(acme: Homing, tmp_path: Path, id_: int) -> None:
    document = acme.json("trace", id_, "--save", "new/parts")
    assert document["saved"] == [f"new/parts/{name}" for name, _, _ in mms_rows.PARTS]
    for name, _, octets in mms_rows.PARTS:
        assert (tmp_path / "new" / "parts" / name).read_bytes() == octets
    printed = acme("trace", id_, "--save", tmp_path / "again")
    assert f"saved {tmp_path}/again/words.txt\n" in printed
    assert "saved" not in acme.json("trace", id_)


@pytest.mark.usefixtures("content")
def test_nothing_is_written_over(acme: Homing, tmp_path: Path) -> None:
    for make in (Path.touch, Path.mkdir, lambda path: path.symlink_to(tmp_path / "nowhere")):
        directory = tmp_path / f"there{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        make(directory / "words.txt")
        said = acme.error("trace", MESSAGE, "--save", directory)
        assert said == f"{directory}/words.txt exists already, nothing was saved"
        assert [path.name for path in directory.iterdir()] == ["words.txt"]
    (tmp_path / "file").touch()
    assert acme.error("trace", MESSAGE, "--save", tmp_path / "file").endswith(
        "cannot be written: File exists"
    )


def test_what_cannot_be_had_is_said(acme: Homing, content: Content, tmp_path: Path) -> None:
    assert acme.error("trace", SMS, "--save", "d") == f"{SMS} is not an MMS, there is nothing to save"
    assert acme.error("trace", REPORT, "--save", "d") == f"{REPORT} is not an MMS, there is nothing to save"
    assert acme.error("trace", "77", "--save", "d") == "nothing has the id 77"
    (path,) = tmp_path.glob(f"**/{content.sha256}.zip")
    os.truncate(path, 200_000)
    assert "shorter than it was" in acme.error("trace", MESSAGE, "--save", "d")
    assert list((tmp_path / "d").iterdir()) == []
    path.unlink()
    said = acme.error("trace", MESSAGE, "--save", "d")
    assert said == f"the content of {MESSAGE} is missing in the content store"
    change(acme, t.contents.delete().where(t.contents.c.event == MESSAGE))
    assert (
        acme.error("trace", MESSAGE, "--save", "d") == f"the content of {MESSAGE} is gone, its time is over"
    )
    assert acme.json("trace", MESSAGE)["message"]["mms"]["size"] == content.size


@pytest.mark.parametrize("name", ["../up.txt", "/tmp/abs.txt", ".hidden", "nul.txt", ""])
def test_a_name_never_leads_out_of_the_directory(
    acme: Homing, content: Content, tmp_path: Path, name: str
) -> None:
    part = Part(name=name, content_type="text/plain", size=1, offset=0, sha256="0" * 64)
    odd = msgspec.structs.replace(content, parts=(part,))
    octets = msgspec.msgpack.encode(mms_rows.an_mms(odd))
    change(acme, update(t.messages).where(t.messages.c.id == MESSAGE).values(mms=octets))
    assert acme.error("trace", MESSAGE, "--save", "d") == f"the name of a part is not safe: {name!r}"
    assert not (tmp_path / "d").exists()
