"""The content store of a node, as its configuration says."""

import os
from collections.abc import Iterator
from pathlib import Path

from homing.config import Settings
from homing.engine.contents import Contents
from homing.store.blobs import LocalBlobs


def open_contents(settings: Settings) -> Contents:
    """Where contents of MMS are kept. Asks no service yet; a directory that cannot be made is trouble."""
    mms = settings.mms
    directory = contents_directory(settings)
    if mms.store == "local":
        return LocalBlobs(directory)
    from homing.store.s3_blobs import S3Blobs  # a large library, that few nodes need

    return S3Blobs(
        mms.store,
        directory,
        endpoint=mms.s3_endpoint,
        region=mms.s3_region,
        access_key_id=mms.s3_access_key_id,
        secret_access_key=mms.s3_secret_access_key,
    )


def contents_directory(settings: Settings) -> Path:
    """The directory of contents, and of those that are on their way."""
    return settings.mms.directory or settings.node.data_dir / "mms"


def doubts(settings: Settings) -> Iterator[str]:
    """Why contents could not be kept, as far as can be seen without making anything."""
    directory = contents_directory(settings)
    there = next(each for each in (directory, *directory.absolute().parents) if os.path.exists(each))
    if not there.is_dir():
        yield f"contents of MMS: {there} is no directory"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"contents of MMS: {there} cannot be written by this user"
