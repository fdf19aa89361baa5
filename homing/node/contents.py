"""The content store of a node, as its configuration says."""

from pathlib import Path

from homing.config import Settings
from homing.engine.contents import Contents
from homing.store.blobs import LocalBlobs


def open_contents(settings: Settings) -> Contents:
    """Where contents of MMS are kept."""
    return LocalBlobs(contents_directory(settings))


def contents_directory(settings: Settings) -> Path:
    """The directory of contents, and of those that are on their way."""
    return settings.mms.directory or settings.node.data_dir / "mms"
