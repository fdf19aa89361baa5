"""What an MMS carries, for the command line: its parts written into a directory.

Nothing is written over, and what could not be written whole is taken away again. Names of parts are safe by
the way they were made; one that is not is refused all the same, since it becomes a path here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from homing.config import Settings
from homing.engine.contents import CHUNK, ContentReader
from homing.model.errors import Refusal, StoreUnavailable
from homing.model.mms import Part
from homing.wire.mms_manifest import is_safe_name

if TYPE_CHECKING:
    from homing.store.database import Database


def save_parts(settings: Settings, database: "Database", event: int, directory: Path) -> list[str]:
    """Write the parts of an MMS into a directory, which is made; their paths."""
    from homing.node.contents import open_contents
    from homing.store.contents import find_content

    with database.reading() as connection:
        found = find_content(connection, event)
    if found is None:
        raise Refusal("not_found", f"{event} is not an MMS, there is nothing to save")
    if not found.is_kept:
        raise Refusal("gone", f"the content of {event} is gone, its time is over")
    content = found.mms.content
    try:
        reader = open_contents(settings).open(content.sha256)
    except FileNotFoundError:
        raise Refusal("gone", f"the content of {event} is missing in the content store") from None
    try:
        return _write(reader, [(directory / _safe(part), part) for part in content.parts], directory)
    except OSError as error:
        raise Refusal(
            "invalid", f"{error.filename or directory} cannot be written: {error.strerror}"
        ) from None
    finally:
        reader.close()


def _safe(part: Part) -> str:
    if not is_safe_name(part.name):
        raise Refusal("invalid", f"the name of a part is not safe: {part.name!r}")
    return part.name


def _write(reader: ContentReader, wanted: list[tuple[Path, Part]], directory: Path) -> list[str]:
    directory.mkdir(parents=True, exist_ok=True)
    for path, _ in wanted:
        if path.is_symlink() or path.exists():
            raise Refusal("conflict", f"{path} exists already, nothing was saved")
    written: list[Path] = []
    try:
        for path, part in wanted:
            with path.open("xb") as file:
                written.append(path)
                at, end = part.offset, part.offset + part.size
                while at < end:
                    octets = reader.read(at, min(CHUNK, end - at))
                    if not octets:
                        raise StoreUnavailable("the content store: a content is shorter than it was")
                    file.write(octets)
                    at += len(octets)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return [str(path) for path in written]
