"""The ``manifest`` of a content zip, and the names of the files beside it. mx §11

The manifest is a Java properties file: ``name=media/type`` per line, in the order of the parts, ``#`` begins
a comment. Names are made so that they are safe on any file system, and different in any case; where the parts
of a message name themselves so already, they keep their names.

What goes wrong when a manifest is read is a ``ManifestProblem`` that names the line.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

MANIFEST: Final = "manifest"
"""The name of the file; no part has it."""
LONGEST_NAME: Final = 64
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}")  # RFC 6838 §4.2
_EXTENSIONS: Final = {
    "application/smil": "smil", "application/smil+xml": "smil", "text/plain": "txt", "image/jpeg": "jpg",
    "image/jpg": "jpg", "image/gif": "gif", "image/png": "png", "image/bmp": "bmp",
    "image/vnd.wap.wbmp": "wbmp", "audio/amr": "amr", "audio/mp4": "m4a", "audio/mpeg": "mp3",
    "audio/midi": "mid", "audio/wav": "wav", "audio/x-wav": "wav", "video/3gpp": "3gp", "video/3gpp2": "3g2",
    "video/mp4": "mp4", "video/mpeg": "mpg", "text/x-vcard": "vcf", "text/vcard": "vcf",
    "text/x-vcalendar": "vcs", "text/calendar": "ics", "text/html": "html",
}  # fmt: skip
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", MANIFEST, *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names that are none on some systems, whatever follows the first dot."""


class ManifestProblem(ValueError):
    """What is wrong with a manifest, in words for who sent it."""


class Entry(NamedTuple):
    """One line."""

    name: str
    content_type: str


# --- names ---


def file_names(wanted: Sequence[tuple[str, str]]) -> list[str]:
    """A safe name for each part, all different; given are the name it would like, and its media type."""
    taken: set[str] = set()
    names = []
    for number, (name, content_type) in enumerate(wanted, 1):
        stem, dot, extension = _safe(name, content_type, number).rpartition(".")
        made, again = f"{stem}{dot}{extension}", 1
        while made.lower() in taken:
            again += 1
            made = f"{stem[: LONGEST_NAME - len(extension) - len(str(again)) - 2]}-{again}{dot}{extension}"
        taken.add(made.lower())
        names.append(made)
    return names


def is_safe_name(name: str) -> bool:
    """Whether a name may be one of a file in a zip that is unpacked anywhere."""
    return (
        0 < len(name) <= LONGEST_NAME
        and _UNSAFE.search(name) is None
        and not name.startswith((".", "-"))
        and not name.endswith(".")
        and name.partition(".")[0].lower() not in _RESERVED
    )


def is_media_type(text: str) -> bool:
    """Whether a word can stand in a manifest as a media type."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def _safe(name: str, content_type: str, number: int) -> str:
    """One name; it always has an extension, by the media type if there was none."""
    last = re.split(r"[/\\:]", name)[-1]
    clean = _UNSAFE.sub("_", last)
    stem, dot, extension = clean.rpartition(".")
    if not dot or not 0 < len(extension) <= 5 or not extension.isalnum():
        stem, extension = clean, _EXTENSIONS.get(content_type, "bin")
    stem = stem.strip("._-")[: LONGEST_NAME - len(extension) - 1].strip("._-") or f"part{number}"
    if stem.partition(".")[0].lower() in _RESERVED:
        stem = f"{number}-{stem}"[: LONGEST_NAME - len(extension) - 1]
    return f"{stem}.{extension}"


# --- the properties file ---


def write_manifest(entries: Sequence[Entry]) -> bytes:
    """The manifest of these parts, in this order."""
    return "".join(f"{_escaped(entry.name)}={entry.content_type}\n" for entry in entries).encode("ascii")


def read_manifest(octets: bytes) -> list[Entry]:
    """The parts that a manifest names, in its order."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")  # what the format says, where nobody writes anything else
    entries: list[Entry] = []
    for number, line in _lines(text.removeprefix("\ufeff")):
        name, content_type = _key_and_value(line, number)
        media_type = content_type.partition(";")[0].strip().lower()
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise ManifestProblem(f"line {number} of the manifest has no media type: {content_type[:60]!r}")
        if not name:
            raise ManifestProblem(f"line {number} of the manifest has no name")
        if any(entry.name == name for entry in entries):
            raise ManifestProblem(f"the manifest names {name[:60]!r} twice")
        entries.append(Entry(name, media_type))
    return entries


def _escaped(name: str) -> str:
    """A key as Java's Properties writes it."""
    return "".join(
        f"\\{letter}" if letter in " :=#!\\" else letter if " " < letter < "\x7f" else _unicode(letter)
        for letter in name
    )


def _unicode(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first one: no comments, continuations joined."""
    joined, began = "", 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        natural = line.lstrip(" \t\f")
        if not joined and (not natural or natural[0] in "#!"):
            continue
        began = began if joined else number
        joined += natural
        backslashes = len(joined) - len(joined.rstrip("\\"))
        if backslashes % 2:
            joined = joined[:-1] or " "
            continue
        yield began, joined
        joined = ""
    if joined:
        yield began, joined


_TOKEN: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.?)|[^\\]", re.DOTALL)
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _key_and_value(line: str, number: int) -> tuple[str, str]:
    key, at = "", len(line)
    for match in _TOKEN.finditer(line):
        if match[0] in "=: \t\f":
            at = match.start()
            break
        key += _unescaped(match, number)
    rest = line[at:].lstrip(" \t\f")
    rest = rest[1:].lstrip(" \t\f") if rest[:1] in ("=", ":") else rest
    value = "".join(_unescaped(match, number) for match in _TOKEN.finditer(rest))
    return _joined(key), _joined(value)


def _unescaped(match: re.Match[str], number: int) -> str:
    escaped = match[1]
    if escaped is None:
        return match[0]
    if escaped.startswith("u"):
        if len(escaped) != 5:
            raise ManifestProblem(f"line {number} of the manifest has an ill \\u")
        return chr(int(escaped[1:], 16))
    return _ESCAPES.get(escaped, escaped)


def _joined(text: str) -> str:
    """Pairs of surrogates become one character; halves become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
