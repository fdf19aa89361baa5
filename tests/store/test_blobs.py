"""Contents on a real disk: durable before it is told; the rest is in ``test_contents_conformance.py``."""

import os
import time
from pathlib import Path

import pytest

from homing.engine.contents import ORPHAN_S
from homing.model.errors import StoreUnavailable
from homing.store import blobs as module
from homing.store.blobs import LocalBlobs
from tests.store.shelves import kept, read, spooled

LATER = 2 * ORPHAN_S


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "content")


def files(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_content_is_one_file_and_nothing_else_is_left(blobs: LocalBlobs, tmp_path: Path) -> None:
    content = kept(blobs)
    assert files(tmp_path) == [f"content/{content.sha256[:2]}/{content.sha256}.zip"]
    assert blobs.remove(content.sha256, time.time() + LATER)
    assert files(tmp_path) == []


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
    assert read(blobs, content.sha256)


def test_one_that_is_young_never_leaves_its_name(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    content = kept(blobs)
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("it was moved away"))
    assert not blobs.remove(content.sha256, time.time())


def test_one_that_was_about_to_go_when_a_node_died_is_put_back(blobs: LocalBlobs, tmp_path: Path) -> None:
    content = kept(blobs)
    path = blobs._path(content.sha256)
    path.rename(path.with_suffix(".going"))
    assert blobs.clear_leftovers(time.time()) == 0
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]
    os.link(path, path.with_suffix(".going"))  # and it was written again meanwhile
    blobs.clear_leftovers(time.time())
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]


def test_one_that_another_node_puts_back_while_it_goes_stays(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = kept(blobs)
    replace = Path.replace

    def put_back_after(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        monkeypatch.undo()
        LocalBlobs(blobs._directory).clear_leftovers(time.time())
        return moved

    monkeypatch.setattr(Path, "replace", put_back_after)
    assert not blobs.remove(content.sha256, time.time() + LATER)
    assert read(blobs, content.sha256)


def test_trouble_with_the_disk_is_said(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "content")
    spool, chosen = spooled(blobs)
    (tmp_path / "content" / "incoming").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match="the content store"):
        blobs.keep(spool, chosen)
    with pytest.raises(StoreUnavailable, match="the content store"):
        blobs.spool()
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="the content store: Not a directory"):
        LocalBlobs(tmp_path / "file" / "content")
