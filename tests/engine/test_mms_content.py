"""Contents on their way in: bounded, in UTF-8, under safe names, with a presentation that still fits."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homing.engine.mms_content import LONGEST_TEXT, ContentProblem, Described, Kept, Limits, MmsContent
from homing.store.blobs import LocalBlobs

SMIL = b'<smil><body><par><img src="cid:one"/><text src="words"/></par></body></smil>'


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "mms")


@pytest.fixture
def content(blobs: LocalBlobs) -> Iterator[MmsContent]:
    made = MmsContent(blobs, Limits(part=10_000, message=25_000))
    yield made
    made.close()


def put(content: MmsContent, octets: bytes, content_type: str, **described: object) -> None:
    content.begin(Described(content_type=content_type, **described))  # type: ignore[arg-type]
    for at in range(0, len(octets), 7):
        content.write(octets[at : at + 7])
    content.end()


def files(blobs: LocalBlobs, kept: Kept) -> dict[str, bytes]:
    reader = blobs.open(kept.content.sha256)
    octets = reader.read(0, kept.content.size)
    reader.close()
    with zipfile.ZipFile(io.BytesIO(octets)) as made:
        return {name: made.read(name) for name in made.namelist() if name != "manifest"}


def everything(_part: Described) -> bool:
    return True


def test_parts_get_names_and_the_presentation_names_them(blobs: LocalBlobs, content: MmsContent) -> None:
    put(content, SMIL, "application/smil", content_id="start")
    put(content, b"\xff\xd8pic", "image/jpeg", content_id="one")
    put(content, "Grüße".encode("latin-1"), "text/plain", charset="iso-8859-1", name="words")
    kept = content.keep(everything)
    assert files(blobs, kept) == {
        "start.smil": SMIL.replace(b"cid:one", b"one.jpg").replace(b'"words"', b'"words.txt"'),
        "one.jpg": b"\xff\xd8pic",
        "words.txt": "Grüße".encode(),
    }
    assert kept.text == "Grüße"
    assert [part.content_type for part in kept.content.parts] == [
        "application/smil", "image/jpeg", "text/plain",
    ]  # fmt: skip


def test_only_what_belongs_to_it_is_kept(blobs: LocalBlobs, content: MmsContent) -> None:
    put(content, b"a", "image/gif", name="a.gif", within=("mms",))
    put(content, b"b", "image/gif", name="b.gif")
    assert files(blobs, content.keep(lambda part: "mms" in part.within)) == {"a.gif": b"a"}


def test_a_message_without_parts_has_an_empty_content(blobs: LocalBlobs, content: MmsContent) -> None:
    kept = content.keep(everything)
    assert (kept.text, kept.content.parts, files(blobs, kept)) == ("", (), {})


def test_the_texts_of_a_message_are_bounded(content: MmsContent) -> None:
    put(content, b"one", "text/plain")
    put(content, "é".encode() * LONGEST_TEXT, "text/plain")
    kept = content.keep(everything)
    first, second = kept.text.split("\n")
    assert (first, set(second), len(second)) == ("one", {"é"}, (LONGEST_TEXT - 3) // 2)


def test_a_media_type_that_is_none_is_not_told_on(content: MmsContent) -> None:
    for content_type in ("image/gif\ufffd", "image/", "a b/c", "text/plain\r\nX: y"):
        put(content, b"a", content_type)
    kept = content.keep(everything)
    assert {part.content_type for part in kept.content.parts} == {"application/octet-stream"}


@pytest.mark.parametrize(("sizes", "why"), [([10_001], "a part has more than 10000"), ([9_000] * 3, "25000")])
def test_limits(content: MmsContent, sizes: list[int], why: str) -> None:
    def put_all() -> None:
        for size in sizes:
            put(content, b"x" * size, "image/gif")

    with pytest.raises(ContentProblem, match=why):
        put_all()


def test_a_text_that_grows_as_utf_8_counts_as_it_is_kept(content: MmsContent) -> None:
    with pytest.raises(ContentProblem, match="a part has more than"):
        put(content, b"\xe9" * 6_000, "text/plain", charset="latin-1")


def test_nothing_is_left_of_one_that_is_thrown_away(blobs: LocalBlobs, tmp_path: Path) -> None:
    content = MmsContent(blobs, Limits(part=10, message=10))
    put(content, b"abc", "image/gif")
    content.close()
    assert [each for each in (tmp_path / "mms").rglob("*") if each.is_file()] == []
