"""The content store of a node, and the links that lead to what is in it, as its configuration says."""

import os
from collections.abc import Iterator
from pathlib import Path

from homing.config import Settings
from homing.engine.contents import Contents
from homing.model.account import Account
from homing.store.blobs import LocalBlobs
from homing.wire.content_link import ContentLinks, link_key


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


def content_links(settings: Settings, account: Account) -> ContentLinks:
    """What makes links to the contents of an account."""
    return ContentLinks(
        base_url=public_url(settings), key=link_key(account.api_key_hash), life_s=settings.mms.link_s
    )


def public_url(settings: Settings) -> str:
    """How customers reach this gateway, without a slash at the end."""
    http = settings.http
    listening = f"http://{http.listen}" if http.listen else f"https://{http.listen_tls}"
    return (settings.mms.public_url or listening).rstrip("/")


def doubts(settings: Settings) -> Iterator[str]:
    """Why contents could not be kept, as far as can be seen without making anything."""
    directory = contents_directory(settings)
    there = next(each for each in (directory, *directory.absolute().parents) if os.path.exists(each))
    if not there.is_dir():
        yield f"contents of MMS: {there} is no directory"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"contents of MMS: {there} cannot be written by this user"
