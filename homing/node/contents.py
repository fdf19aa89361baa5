"""The content store of a node, and the links that lead to what is in it, as its configuration says."""

from pathlib import Path

from homing.config import Settings
from homing.engine.contents import Contents
from homing.model.account import Account
from homing.store.blobs import LocalBlobs
from homing.wire.content_link import ContentLinks, link_key


def open_contents(settings: Settings) -> Contents:
    """Where contents of MMS are kept."""
    return LocalBlobs(contents_directory(settings))


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
