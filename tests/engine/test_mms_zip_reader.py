"""Content zips of every temper, unpacked from a real spool into a real content store."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homing.engine.contents import Chosen, Piece
from homing.engine.mms_content import Limits
from homing.engine.mms_zip_reader import MANIFEST_OCTETS, PARTS, unpack
from homing.model.errors import Refusal, StoreUnavailable
from homing.store.blobs import DiskSpool, LocalBlobs
from homing.wire.mms_manifest import Entry, write_manifest

LIMITS = Limits(part=100_000, message=250_000)
SMIL = b"<smil><body><par><img src='pic.gif'/></par></body></smil>"
MANIFEST = b"# ours\nshow.smil=application/smil\npic.gif=image/gif\nwords.txt=text/plain\n"
FILES = {
    "words.txt": "Grüße €".encode(),
    "manifest": MANIFEST,
    "pic.gif": b"GIF89a" + bytes(range(256)) * 100,
    "show.smil": SMIL,
}


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "content")


def packed(
    files: Mapping[str, bytes] | Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as zip_:
        for name, octets in files.items() if isinstance(files, Mapping) else files:
            zip_.writestr(name, octets)
    return made.getvalue()


def with_manifest(manifest: bytes | str, **parts: bytes) -> bytes:
    """A zip; ``a_txt=b"…"`` is the file ``a.txt``."""
    octets = manifest.encode() if isinstance(manifest, str) else manifest
    return packed({"manifest": octets} | {name.replace("_", "."): part for name, part in parts.items()})


def spooled(blobs: LocalBlobs, octets: bytes) -> tuple[DiskSpool, Piece]:
    spool = blobs.spool()
    spool.write(octets)
    return spool, spool.end_part()


def unpacked(blobs: LocalBlobs, octets: bytes, limits: Limits = LIMITS) -> list[tuple[str, str, bytes]]:
    spool, piece = spooled(blobs, octets)
    try:
        return [(c.name, c.content_type, spool.read(c.piece)) for c in unpack(spool, piece, limits)]
    finally:
        spool.close()


def refused(blobs: LocalBlobs, octets: bytes, limits: Limits = LIMITS) -> str:
    """What is wrong with a zip."""
    with pytest.raises(Refusal) as told:
        unpacked(blobs, octets, limits)
    assert told.value.text.isprintable()
    assert told.value.kind in ("invalid", "too_long")
    return f"{told.value.kind}: {told.value.text}"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_parts_come_in_the_order_of_the_manifest(blobs: LocalBlobs, method: int) -> None:
    assert unpacked(blobs, packed(FILES, method)) == [
        ("show.smil", "application/smil", SMIL),
        ("pic.gif", "image/gif", FILES["pic.gif"]),
        ("words.txt", "text/plain", FILES["words.txt"]),
    ]


def test_what_is_kept_is_a_content(blobs: LocalBlobs) -> None:
    spool, piece = spooled(blobs, packed(FILES))
    content = blobs.keep(spool, unpack(spool, piece, LIMITS))
    spool.close()
    reader = blobs.open(content.sha256)
    for part in content.parts:
        assert reader.read(part.offset, part.size) == FILES[part.name]
    reader.close()


def test_what_was_made_in_pieces_or_behind_other_octets_is_read(blobs: LocalBlobs) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as zip_:  # sizes behind the octets: 4.4.4, bit 3
        for name, octets in FILES.items():
            zip_.writestr(name, octets)
    assert len(unpacked(blobs, pipe.getvalue())) == 3
    assert len(unpacked(blobs, b"#!/bin/sh\nexit\n" + packed(FILES))) == 3


def test_empty_parts_are_parts(blobs: LocalBlobs) -> None:
    assert unpacked(blobs, with_manifest("a.txt=text/plain", a_txt=b"")) == [("a.txt", "text/plain", b"")]


def test_what_systems_leave_beside_files_is_passed_over(blobs: LocalBlobs) -> None:
    leftovers = {
        "__MACOSX/._pic.gif": b"x",
        "__MACOSX/": b"",
        ".DS_Store": b"x",
        "dir/": b"",
        "Thumbs.db": b"x",
    }
    assert len(unpacked(blobs, packed(FILES | leftovers))) == 3


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "invalid: the content is no zip"),
        (b"PK", "invalid: the content is no zip"),
        (b"x" * 70_000, "invalid: the content is no zip"),
        (packed(FILES)[:-30], "invalid: the content is no zip"),
        (packed({}), "invalid: the zip holds no file that is called manifest"),
        (packed({"Manifest": MANIFEST}), "invalid: the zip holds no file that is called manifest"),
        (packed({"x/manifest": MANIFEST}), "invalid: the zip holds no file that is called manifest"),
        (with_manifest(""), "invalid: the manifest names no part"),
        (with_manifest("# nothing\n"), "invalid: the manifest names no part"),
        (with_manifest("a.txt"), "invalid: line 1 of the manifest has no media type: ''"),
        (with_manifest("a.txt=a/b\na.txt=a/b", a_txt=b""), "invalid: the manifest names 'a.txt' twice"),
        (with_manifest("a.txt=text/plain"), "invalid: the manifest names 'a.txt', which is not in the zip"),
        (
            with_manifest("a.txt=text/plain", a_txt=b"", b_txt=b""),
            "invalid: the zip holds 'b.txt', which its",
        ),
        (with_manifest("a.txt=text/plain\nA.txt=text/plain", a_txt=b"", A_txt=b""), "twice, in another case"),
        (
            packed({"manifest": b"a=a/b", "a": b"", "b!": b""}).replace(b"b!", b"b\0"),
            r"the zip holds 'b\x00', w",
        ),
        (with_manifest("x" * (MANIFEST_OCTETS + 1)), "too_long: 'manifest' is longer than 65536 octets"),
        (with_manifest("a.txt=text/plain", a_txt=b"\xff"), "invalid: 'a.txt' is text/plain, but not UTF-8"),
        (with_manifest("a.txt=text/html", a_txt="é".encode()[:1]), "invalid: 'a.txt' is text/html, but not"),
        (
            packed([("manifest", MANIFEST)] + [(f"{n}", b"") for n in range(3000)]),
            "the directory of the zip is",
        ),
        (packed(FILES, zipfile.ZIP_LZMA), "is packed by another method than deflate"),
        (packed(FILES, zipfile.ZIP_BZIP2), "is packed by another method than deflate"),
    ],
)
def test_what_is_wrong_is_named(blobs: LocalBlobs, octets: bytes, words: str) -> None:
    assert words in refused(blobs, octets)


@pytest.mark.parametrize(
    "name",
    [
        "../a.txt",
        "/etc/passwd",
        "a/b.txt",
        "C:\\a.txt",
        "ä.txt",
        "-a.txt",
        ".a",
        "con.txt",
        "a b.txt",
        "manifest",
    ],
)
def test_a_name_that_would_have_to_be_changed_is_refused(
    blobs: LocalBlobs, name: str, tmp_path: Path
) -> None:
    files = {name: b"x", "manifest": write_manifest([Entry(name, "text/plain")])}
    assert f"invalid: the manifest names {name!r}: a name is of at most 64 letters" in refused(
        blobs, packed(files)
    )
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_there_are_at_most_so_many_parts(blobs: LocalBlobs) -> None:
    def of(count: int) -> bytes:
        names = [f"{n}.bin" for n in range(count)]
        return packed(
            {"manifest": "".join(f"{n}=a/b\n" for n in names).encode()} | dict.fromkeys(names, b"x")
        )

    assert len(unpacked(blobs, of(PARTS))) == PARTS
    assert refused(blobs, of(PARTS + 1)) == "invalid: the manifest names 101 parts, at most 100 are taken"


def test_sizes_are_limits_of_what_comes_out(blobs: LocalBlobs) -> None:
    def of(*sizes: int) -> bytes:
        names = [f"{n}.bin" for n in range(len(sizes))]
        manifest = "".join(f"{n}=a/b\n" for n in names).encode()
        return packed({"manifest": manifest} | {n: bytes(s) for n, s in zip(names, sizes, strict=True)})

    assert len(unpacked(blobs, of(100_000, 100_000, 50_000))) == 3
    assert refused(blobs, of(100_001)) == "too_long: '0.bin' is longer than 100000 octets"
    assert refused(blobs, of(100_000, 100_000, 50_001)) == (
        "too_long: '2.bin' makes the parts longer than 250000 octets together"
    )


def test_text_is_read_over_the_joints_of_pieces(blobs: LocalBlobs) -> None:
    text = ("x" + "€" * 30_000).encode()  # no piece ends at the end of a character
    assert unpacked(blobs, with_manifest("a.txt=text/plain", a_txt=text))[0][2] == text


# --- bombs and lies ---


def lying(deflated: bytes, size: int, *, copies: int = 1, crc: int = 0) -> bytes:
    """A zip whose parts are the same deflated octets, with what is said about them."""
    names = [f"{n}.bin" for n in range(copies)]
    manifest = "".join(f"{n}=a/b\n" for n in names).encode()
    made = io.BytesIO(packed({"manifest": manifest}, zipfile.ZIP_STORED))
    with zipfile.ZipFile(made, "a") as zip_:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.CRC, info.compress_size, info.file_size = crc, len(deflated), size
            info.header_offset = zip_.start_dir
            if name == names[0]:
                zip_.fp.seek(zip_.start_dir)  # type: ignore[union-attr]
                zip_.fp.write(info.FileHeader() + deflated)  # type: ignore[union-attr]
                after = zip_.fp.tell()  # type: ignore[union-attr]
            zip_.filelist.append(info)
            zip_.NameToInfo[name] = info
        zip_.start_dir = after
        zip_._didModify = True  # type: ignore[attr-defined]
    return made.getvalue()


@pytest.mark.parametrize("size", [1000, 99_999_999, 0xFFFF_FFFE])
def test_a_bomb_stays_bounded(blobs: LocalBlobs, size: int, tmp_path: Path) -> None:
    deflated = zlib.compressobj(9, wbits=-15)
    mebibyte = deflated.compress(bytes(1 << 20)) + deflated.flush(zlib.Z_FULL_FLUSH)
    octets = lying(mebibyte * 10_240 + deflated.flush(), size)
    spool, zip_ = spooled(blobs, octets)
    tracemalloc.start()
    with pytest.raises(Refusal, match="damaged" if size == 1000 else "longer than 100000 octets"):
        unpack(spool, zip_, LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert spool.size < len(octets) + 200_000
    spool.close()
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_parts_that_share_octets_are_refused(blobs: LocalBlobs) -> None:
    content = bytes(50_000)
    deflated = zlib.compressobj(9, wbits=-15)
    piece = deflated.compress(content) + deflated.flush()
    assert len(unpacked(blobs, lying(piece, 50_000, crc=zlib.crc32(content)))) == 1
    stored = b"".join(b"\0" + struct.pack("<HH", 0, 0xFFFF) for _ in range(10_000))  # much in, nothing out
    assert "damaged" in refused(blobs, lying(stored, 0, copies=50))


@pytest.mark.parametrize(("size", "crc"), [(49_999, None), (50_001, None), (50_000, 1)])
def test_lies_about_size_and_sum_are_seen(blobs: LocalBlobs, size: int, crc: int | None) -> None:
    content = bytes(50_000)
    deflated = zlib.compressobj(9, wbits=-15)
    piece = deflated.compress(content) + deflated.flush()
    assert "damaged" in refused(blobs, lying(piece, size, crc=zlib.crc32(content) if crc is None else crc))


@pytest.mark.parametrize("bit", [0x1, 0x40, 0x2000])
def test_encrypted_parts_are_named(blobs: LocalBlobs, bit: int) -> None:
    octets = bytearray(with_manifest("a.txt=text/plain", a_txt=b"x"))
    entry = octets.rfind(b"PK\1\2")
    octets[entry + 8 : entry + 10] = struct.pack("<H", bit)
    assert refused(blobs, bytes(octets)) == "invalid: 'a.txt' is encrypted"


def test_trouble_with_the_disk_is_not_the_customers(blobs: LocalBlobs) -> None:
    spool, piece = spooled(blobs, packed(FILES))
    spool.read(piece)  # all is in the file by now
    whole, spool._file = spool._file, open(spool._path, "rb", buffering=0)  # type: ignore[assignment]  # noqa: SIM115
    with pytest.raises(StoreUnavailable, match="the content store"):
        unpack(spool, piece, LIMITS)
    whole.close()
    spool.close()


# --- whatever comes ---

ZIP = packed(FILES)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, len(ZIP) - 1), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 40),
    before=st.binary(max_size=8),
)
def test_octets_that_were_changed_do_no_harm(
    blobs: LocalBlobs, tmp_path: Path, edits: list[tuple[int, int]], cut: int, before: bytes
) -> None:
    octets = bytearray(ZIP)
    for at, value in edits:
        octets[at] = value
    outcome = outcome_of(blobs, before + bytes(octets[: len(octets) - cut]))
    assert isinstance(outcome, Refusal) or sum(len(part) for _, _, part in outcome) <= LIMITS.message
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


DIRECTORY = ZIP.index(b"PK\1\2")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(
        st.tuples(
            st.integers(DIRECTORY, len(ZIP) - 5), st.sampled_from([0, 1, 45, 0x7FFF_FFFF, 0xFFFF_FFFF])
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_directory_of_lies_does_no_harm(
    blobs: LocalBlobs, tmp_path: Path, edits: list[tuple[int, int]]
) -> None:
    octets = bytearray(ZIP)
    for at, value in edits:
        struct.pack_into("<I", octets, at, value)
    outcome_of(blobs, bytes(octets))
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def outcome_of(blobs: LocalBlobs, octets: bytes) -> Refusal | list[tuple[str, str, bytes]]:
    try:
        return unpacked(blobs, octets)
    except Refusal as refusal:
        return refusal


def test_chosen_parts_are_pieces_of_the_spool(blobs: LocalBlobs) -> None:
    spool, piece = spooled(blobs, packed(FILES))
    chosen = unpack(spool, piece, LIMITS)
    assert all(isinstance(each, Chosen) and each.piece.offset >= piece.size for each in chosen)
    spool.close()
