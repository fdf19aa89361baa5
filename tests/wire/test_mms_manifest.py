"""Manifests as Java's Properties writes and reads them, and names that no file system minds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.mms_manifest import (
    Entry,
    ManifestProblem,
    file_names,
    is_safe_name,
    read_manifest,
    write_manifest,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
TYPES = st.sampled_from(["image/gif", "text/plain", "application/smil", "application/vnd.oma.drm+xml"])


def test_the_manifest_of_the_interface() -> None:
    """mx §11."""
    octets = b"# ours\nshow.sml=application/smil\npic.gif=image/gif\nwords.txt=text/plain\n"
    names = {"show.sml": "application/smil", "pic.gif": "image/gif", "words.txt": "text/plain"}
    entries = [Entry(*each) for each in names.items()]
    assert read_manifest(octets) == entries
    assert write_manifest(entries) == octets.removeprefix(b"# ours\n")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", []),
        ("! c\n#\n \t\n\r\n", []),
        ("a.gif = image/gif", [("a.gif", "image/gif")]),
        ("a.gif:image/gif\ra.txt  text/plain", [("a.gif", "image/gif"), ("a.txt", "text/plain")]),
        ("a.gif=IMAGE/gif; x=y", [("a.gif", "image/gif")]),
        ("a\\ b\\=\\:\\#.gif=image/gif", [("a b=:#.gif", "image/gif")]),
        ("a\\\\b.gif=image/gif", [("a\\b.gif", "image/gif")]),
        ("caf\\u00e9.gif=image/gif", [("café.gif", "image/gif")]),
        ("\\uD83D\\uDE00.gif=image/gif", [("😀.gif", "image/gif")]),
        ("café.gif=image/gif", [("café.gif", "image/gif")]),
        ("a.gif=\\\n   image/\\\n\tgif\nb.gif=image/gif", [("a.gif", "image/gif"), ("b.gif", "image/gif")]),
        ("\ufeffa.gif=image/gif", [("a.gif", "image/gif")]),
        ("a.gif=image/gif\\", [("a.gif", "image/gif")]),
    ],
)
def test_what_properties_files_may_look_like(text: str, entries: list[tuple[str, str]]) -> None:
    assert read_manifest(text.encode()) == entries


def test_a_manifest_in_latin_1() -> None:
    assert read_manifest(b"caf\xe9.gif=image/gif") == [("café.gif", "image/gif")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.gif", "line 1 of the manifest has no media type"),
        ("# c\n\na.gif=gif", "line 3 of the manifest has no media type: 'gif'"),
        ("=image/gif", "line 1 of the manifest has no name"),
        ("a.gif=image/gif\na.gif=image/gif", "names 'a.gif' twice"),
        ("a\\u12.gif=image/gif", "ill .u"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ManifestProblem, match=said):
        read_manifest(text.encode())


@given(entries=st.lists(st.builds(Entry, NAMES, TYPES), max_size=8, unique_by=lambda entry: entry.name))
def test_there_and_back(entries: list[Entry]) -> None:
    written = write_manifest(entries)
    assert written.isascii()
    assert read_manifest(written) == entries


@given(octets=st.binary(max_size=200))
def test_any_octets_are_a_manifest_or_not(octets: bytes) -> None:
    try:
        entries = read_manifest(octets)
    except ManifestProblem:
        return
    assert all(entry.name and "/" in entry.content_type for entry in entries)


# --- names ---


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([("pic.gif", "image/gif"), ("words.txt", "text/plain")], ["pic.gif", "words.txt"]),
        ([("a.gif", "image/gif"), ("A.GIF", "image/gif"), ("a.gif", "x/y")], ["a.gif", "A-2.GIF", "a-3.gif"]),
        ([("", "image/jpeg"), ("", "application/smil")], ["part1.jpg", "part2.smil"]),
        ([("", "x/y")], ["part1.bin"]),
        ([("../../etc/passwd", "text/plain"), ("C:\\a\\b.txt", "text/plain")], ["passwd.txt", "b.txt"]),
        ([(".htaccess", "text/plain"), ("..", "text/plain"), ("-rf.txt", "text/plain")],
         ["htaccess.txt", "part2.txt", "rf.txt"]),
        ([("manifest", "text/plain"), ("MANIFEST.txt", "text/plain")], ["1-manifest.txt", "2-MANIFEST.txt"]),
        ([("con.txt", "text/plain"), ("lpt1", "text/plain")], ["1-con.txt", "2-lpt1.txt"]),
        ([("café menu.png", "image/png"), ("好.png", "image/png")], ["caf_menu.png", "part2.png"]),
        ([("archive.tar.longextension", "x/y")], ["archive.tar.longextension.bin"]),
        ([("x" * 200 + ".gif", "image/gif")] * 2, ["x" * 60 + ".gif", "x" * 58 + "-2.gif"]),
    ],
)  # fmt: skip
def test_names_are_safe_and_unique(wanted: list[tuple[str, str]], names: list[str]) -> None:
    assert file_names(wanted) == names


@given(
    wanted=st.lists(
        st.tuples(NAMES | st.sampled_from(["a.gif", "manifest", "a", "nul.x"]), TYPES), max_size=20
    )
)
def test_any_names_become_safe_and_unique(wanted: list[tuple[str, str]]) -> None:
    names = file_names(wanted)
    assert all(is_safe_name(name) for name in names), names
    assert len({name.lower() for name in names}) == len(names) == len(wanted)
    assert all("." in name for name in names)
    assert file_names([(name, kind) for name, (_, kind) in zip(names, wanted, strict=True)]) == names


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "a/b",
        "a\\b",
        "a b",
        "é",
        "con",
        "NUL.txt",
        "manifest",
        "a.",
        "a\n",
        "a" * 65,
    ],
)
def test_names_that_are_not_safe(name: str) -> None:
    assert not is_safe_name(name)
