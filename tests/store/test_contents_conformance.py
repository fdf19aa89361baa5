"""What every content store promises: whole or not there, written once, and gone only when nobody wants it."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.engine.contents import ORPHAN_S, Contents
from homing.model.errors import StoreUnavailable
from tests.store.shelves import PARTS, Shelf, kept, read, spooled

LATER = 2 * ORPHAN_S


def test_what_is_kept_is_the_zip_of_the_parts(shelf: Shelf) -> None:
    content = kept(shelf.contents)
    octets = read(shelf.contents, content.sha256)
    assert (hashlib.sha256(octets).hexdigest(), len(octets)) == (content.sha256, content.size)
    with zipfile.ZipFile(io.BytesIO(octets)) as made:
        assert made.testzip() is None
        assert made.namelist() == ["manifest", "pic.jpg", "words.txt", "e.txt"]
        assert [made.read(name) for name, _type, _octets in PARTS] == [octets for _n, _t, octets in PARTS]
    for part, (name, content_type, wanted) in zip(content.parts, PARTS, strict=True):
        assert (part.name, part.content_type, part.size) == (name, content_type, len(wanted))
        assert octets[part.offset : part.offset + part.size] == wanted
        assert part.sha256 == hashlib.sha256(wanted).hexdigest()


def test_a_content_without_parts_is_one(shelf: Shelf) -> None:
    content = kept(shelf.contents, ())
    with zipfile.ZipFile(io.BytesIO(read(shelf.contents, content.sha256))) as made:
        assert made.namelist() == ["manifest"]


def test_a_content_larger_than_one_upload_is_kept(shelf: Shelf) -> None:
    large = bytes(range(256)) * (11_000_000 // 256)
    content = kept(shelf.contents, (("film.mp4", "video/mp4", large),))
    reader = shelf.contents.open(content.sha256)
    (part,) = content.parts
    for at in (0, 5_242_870, len(large) - 20):
        assert reader.read(part.offset + at, 20) == large[at : at + 20]
    reader.close()
    assert hashlib.sha256(read(shelf.contents, content.sha256, 900_000)).hexdigest() == content.sha256


def test_any_range_is_that_of_the_content(shelf: Shelf) -> None:
    content = kept(shelf.contents, (("a.bin", "application/x-a", bytes(range(251)) * 10_000),))
    whole = read(shelf.contents, content.sha256, content.size)
    assert len(whole) == content.size
    some = st.integers(0, content.size + 100)

    @settings(max_examples=50, deadline=None)
    @given(asked=st.lists(st.tuples(some, some), max_size=6))
    def is_right(asked: list[tuple[int, int]]) -> None:
        reader = shelf.contents.open(content.sha256)
        for offset, size in asked:
            assert reader.read(offset, size) == whole[offset : offset + size]
        reader.close()

    is_right()


def test_only_the_chosen_parts_are_kept(shelf: Shelf) -> None:
    spool, chosen = spooled(shelf.contents)
    assert spool.read(chosen[1].piece) == b"Hi"
    assert b"".join(spool.copy(chosen[0].piece)) == PARTS[0][2]
    assert spool.size == sum(len(octets) for _name, _type, octets in PARTS)
    assert [part.name for part in shelf.contents.keep(spool, chosen[1:2]).parts] == ["words.txt"]
    spool.close()


def test_the_same_content_is_one_and_nothing_else_is_left(shelf: Shelf) -> None:
    first, second = kept(shelf.contents), kept(shelf.another())
    assert first == second
    assert shelf.names() == [first.sha256]
    assert shelf.on_their_way() == 0
    other = kept(shelf.contents, PARTS[1:])
    assert shelf.names() == sorted((first.sha256, other.sha256))


def test_the_same_content_at_the_same_moment_is_whole(shelf: Shelf) -> None:
    kept_by = together(*(lambda node=node: kept(node) for node in (shelf.contents, shelf.another()) * 3))
    assert len(set(kept_by)) == 1
    assert shelf.names() == [kept_by[0].sha256]
    assert hashlib.sha256(read(shelf.contents, kept_by[0].sha256)).hexdigest() == kept_by[0].sha256
    assert shelf.contents.remove(kept_by[0].sha256, time.time() + LATER)
    assert shelf.names() == []


def test_what_is_not_kept_leaves_nothing(shelf: Shelf) -> None:
    spool, _chosen = spooled(shelf.contents)
    assert shelf.on_their_way() == 1
    spool.close()
    spool.close()
    assert (shelf.on_their_way(), shelf.names()) == (0, [])


def test_what_was_on_its_way_when_a_node_died_goes_later(shelf: Shelf) -> None:
    spooled(shelf.contents)
    assert shelf.contents.clear_leftovers(time.time()) == 0
    assert shelf.contents.clear_leftovers(time.time() + LATER) == 1
    assert shelf.on_their_way() == 0


def test_a_content_goes_when_it_is_old_and_not_before(shelf: Shelf) -> None:
    contents, content = shelf.contents, kept(shelf.contents)
    assert not contents.remove(content.sha256, time.time())
    assert list(contents.old_names(time.time())) == []
    assert shelf.names() == [content.sha256]
    assert list(contents.old_names(time.time() + LATER)) == [content.sha256]
    assert contents.remove(content.sha256, time.time() + LATER)
    assert not contents.remove(content.sha256, time.time() + LATER)
    assert shelf.names() == []
    with pytest.raises(FileNotFoundError):
        contents.open(content.sha256)


def test_one_that_is_kept_again_counts_as_new(shelf: Shelf) -> None:
    content = kept(shelf.contents)
    shelf.age(content.sha256, time.time() - LATER)
    assert list(shelf.contents.old_names(time.time())) == [content.sha256]
    kept(shelf.another())
    assert not shelf.contents.remove(content.sha256, time.time())
    assert read(shelf.contents, content.sha256)
    assert shelf.names() == [content.sha256]


def test_old_names_come_in_order_and_once(shelf: Shelf) -> None:
    made = [kept(shelf.contents, ((f"{n}.txt", "text/plain", b"x"),)).sha256 for n in range(12)]
    young = made.pop()
    for name in made:
        shelf.age(name, time.time() - LATER)
    assert list(shelf.contents.old_names(time.time())) == sorted(made)
    assert young not in made


def test_one_that_is_open_can_be_read_while_it_is_kept_again(shelf: Shelf) -> None:
    content = kept(shelf.contents)
    whole = read(shelf.contents, content.sha256)
    shelf.age(content.sha256, time.time() - LATER)
    reader = shelf.contents.open(content.sha256)
    kept(shelf.another())
    assert reader.read(0, content.size) == whole
    reader.close()


@pytest.mark.parametrize("_turn", range(10))
def test_one_that_is_kept_while_it_is_taken_away_is_there(shelf: Shelf, _turn: int) -> None:
    """Whoever is first: a node keeps it, two find it old and unspoken of, and one clears up."""
    content = kept(shelf.contents)
    shelf.age(content.sha256, time.time() - LATER)
    nodes = [shelf.another() for _ in range(4)]
    now_s = time.time()
    together(
        lambda: kept(nodes[0]),
        lambda: nodes[1].remove(content.sha256, now_s),
        lambda: nodes[2].remove(content.sha256, now_s),
        lambda: nodes[3].clear_leftovers(now_s),
    )
    assert hashlib.sha256(read(shelf.contents, content.sha256)).hexdigest() == content.sha256
    assert shelf.names() == [content.sha256]


@pytest.mark.parametrize("name", ["", "x" * 64, "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a/" * 32])
def test_a_name_is_a_hash(shelf: Shelf, name: str) -> None:
    for do in (shelf.contents.open, lambda each: shelf.contents.remove(each, time.time())):
        with pytest.raises(ValueError, match="name of a content"):
            do(name)


def test_what_is_not_there_is_gone(shelf: Shelf) -> None:
    with pytest.raises(FileNotFoundError):
        shelf.contents.open("a" * 64)
    assert not shelf.contents.remove("a" * 64, time.time() + LATER)
    assert list(shelf.contents.old_names(time.time() + LATER)) == []


def test_trouble_is_said(shelf: Shelf) -> None:
    broken = shelf.broken()
    spool, chosen = spooled(broken)
    for do in doings(broken):
        with pytest.raises(StoreUnavailable, match=r"^the content store: .{5,90}$"):
            do()
    with pytest.raises(StoreUnavailable, match="the content store"):
        broken.keep(spool, chosen)
    spool.close()
    assert shelf.on_their_way() == 0


def doings(contents: Contents) -> list[Callable[[], object]]:
    return [
        lambda: contents.open("a" * 64),
        lambda: contents.remove("a" * 64, time.time()),
        lambda: list(contents.old_names(time.time())),
    ]


def together(*doings: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same moment, in threads; what each gave, and what was raised is raised."""
    start = threading.Barrier(len(doings))
    results: dict[int, Any] = {}
    raised: list[BaseException] = []

    def run(number: int, do: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = do()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(doings)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return [results[number] for number in sorted(results)]
