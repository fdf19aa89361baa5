"""Contents on a real disk: whole or not there, written once, and gone only when nobody wants them."""

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from homing.engine.contents import ORPHAN_S, Chosen
from homing.model.errors import StoreUnavailable
from homing.model.mms import Content
from homing.store import blobs as module
from homing.store.blobs import LocalBlobs
from homing.store.spool import DiskSpool

PARTS = (
    ("pic.jpg", "image/jpeg", os.urandom(600_000)),
    ("words.txt", "text/plain", b"Hi"),
    ("e.txt", "text/plain", b""),
)
LATER = 2 * ORPHAN_S


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "content")


def spooled(blobs: LocalBlobs, parts: Sequence[tuple[str, str, bytes]]) -> tuple[DiskSpool, list[Chosen]]:
    spool = blobs.spool()
    chosen = []
    for name, content_type, octets in parts:
        for at in range(0, len(octets), 1000):
            spool.write(octets[at : at + 1000])
        chosen.append(Chosen(name=name, content_type=content_type, piece=spool.end_part()))
    return spool, chosen


def kept(blobs: LocalBlobs, parts: Sequence[tuple[str, str, bytes]] = PARTS) -> Content:
    spool, chosen = spooled(blobs, parts)
    content = blobs.keep(spool, chosen)
    spool.close()
    return content


def read(blobs: LocalBlobs, sha256: str) -> bytes:
    reader = blobs.open(sha256)
    try:
        octets = b""
        while piece := reader.read(len(octets), 1000):
            octets += piece
        return octets
    finally:
        reader.close()


def files(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_what_is_kept_is_the_zip_of_the_parts(blobs: LocalBlobs) -> None:
    content = kept(blobs)
    octets = read(blobs, content.sha256)
    assert (hashlib.sha256(octets).hexdigest(), len(octets)) == (content.sha256, content.size)
    with zipfile.ZipFile(io.BytesIO(octets)) as made:
        assert made.namelist() == ["manifest", "pic.jpg", "words.txt", "e.txt"]
    for part, (name, content_type, wanted) in zip(content.parts, PARTS, strict=True):
        assert (part.name, part.content_type, part.size) == (name, content_type, len(wanted))
        assert octets[part.offset : part.offset + part.size] == wanted
        assert part.sha256 == hashlib.sha256(wanted).hexdigest()


def test_the_same_content_is_one_file_and_nothing_else_is_left(blobs: LocalBlobs, tmp_path: Path) -> None:
    first, second = kept(blobs), kept(blobs)
    assert first == second
    assert files(tmp_path) == [f"content/{first.sha256[:2]}/{first.sha256}.zip"]
    assert kept(blobs, PARTS[1:]).sha256 != first.sha256


def test_only_the_chosen_parts_are_kept(blobs: LocalBlobs) -> None:
    spool, chosen = spooled(blobs, PARTS)
    assert spool.read(chosen[1].piece) == b"Hi"
    assert [part.name for part in blobs.keep(spool, chosen[1:2]).parts] == ["words.txt"]
    spool.close()


def test_it_is_on_the_disk_before_it_is_told(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append("file" if os.fstat(descriptor).st_size > 4096 else "directory")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(module.os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    kept(blobs)
    assert done == ["file", "directory", "name", "directory"]
    done.clear()
    kept(blobs)
    assert done == ["file", "name", "directory"]
    done.clear()
    kept(LocalBlobs(blobs._directory))  # the life before may have died between making and syncing
    assert done == ["directory", "file", "directory", "name", "directory"]


def test_what_is_not_kept_leaves_nothing(blobs: LocalBlobs, tmp_path: Path) -> None:
    spool, _chosen = spooled(blobs, PARTS)
    assert len(files(tmp_path)) == 1
    spool.close()
    spool.close()
    assert files(tmp_path) == []


def test_what_was_on_its_way_when_a_node_died_goes_later(blobs: LocalBlobs, tmp_path: Path) -> None:
    spooled(blobs, PARTS)
    assert blobs.clear_leftovers(time.time()) == 0
    assert blobs.clear_leftovers(time.time() + LATER) == 1
    assert files(tmp_path) == []


def test_a_content_goes_when_it_is_old_and_not_before(blobs: LocalBlobs, tmp_path: Path) -> None:
    content = kept(blobs)
    assert not blobs.remove(content.sha256, time.time())
    assert list(blobs.old_names(time.time())) == []
    assert blobs._path(content.sha256).exists()
    assert list(blobs.old_names(time.time() + LATER)) == [content.sha256]
    assert blobs.remove(content.sha256, time.time() + LATER)
    assert not blobs.remove(content.sha256, time.time() + LATER)
    assert files(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        blobs.open(content.sha256)


def test_one_that_is_written_again_while_it_goes_stays(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = kept(blobs)
    replace = Path.replace

    def written_before(self: Path, target: Path) -> Path:
        if target.suffix == ".going":
            monkeypatch.undo()
            kept(blobs)
        return replace(self, target)

    path = blobs._path(content.sha256)
    os.utime(path, (0, 0))
    monkeypatch.setattr(Path, "replace", written_before)
    assert not blobs.remove(content.sha256, time.time())
    assert blobs._path(content.sha256).exists()


def test_one_that_was_about_to_go_when_a_node_died_is_put_back(blobs: LocalBlobs, tmp_path: Path) -> None:
    content = kept(blobs)
    path = blobs._path(content.sha256)
    path.rename(path.with_suffix(".going"))
    assert blobs.clear_leftovers(time.time()) == 0
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]
    os.link(path, path.with_suffix(".going"))  # and it was written again meanwhile
    blobs.clear_leftovers(time.time())
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]


def test_trouble_with_the_disk_is_said(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "content")
    spool, chosen = spooled(blobs, PARTS)
    (tmp_path / "content" / "incoming").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match="the content store"):
        blobs.keep(spool, chosen)
    with pytest.raises(StoreUnavailable, match="the content store"):
        blobs.spool()


@pytest.mark.parametrize("name", ["", "x" * 64, "../../etc/passwd", "A" * 64, "a" * 63])
def test_a_name_is_a_hash(blobs: LocalBlobs, name: str) -> None:
    with pytest.raises(ValueError, match="name of a content"):
        blobs.open(name)
