"""The MMS of ``homing demo``: a phone's picture on its way in, what the customer is told, its retrieval."""

import io
import urllib.request
import zipfile
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from homing.links.mm7_post import post
from homing.links.mms_phone import PhoneMms, files_of, write_request
from homing.wire.mms_manifest import MANIFEST, read_manifest

PATH = "/mms"
"""Where the demo's receiver takes pushes in the mx-mms format."""
INBOUND_PASSWORD = "demo-inbound"  # noqa: S105  (of an account that lives for a minute on loopback)
SUBJECT = "Look at this"
PHONE = "447700900950"
_LINK = "mms"


class MmsPush(NamedTuple):
    """A push in the mx-mms format: an MMS, or an SMS to the same number."""

    id: str
    sender: str
    recipient: str
    says: str
    """The subject of an MMS, the text of an SMS."""
    is_mms: bool


class FilePart(NamedTuple):
    """A part of a content that was retrieved."""

    name: str
    content_type: str
    size: int


def read_push(target: str) -> MmsPush:
    """A push from its request target; ``ValueError`` when it is none."""
    fields = parse_qs(urlsplit(target).query, keep_blank_values=True, encoding="utf-8")
    try:
        is_mms = fields["type"][0] == "2"
        says = fields.get("subject", [""])[0] if is_mms else fields["message"][0]
        return MmsPush(fields["id"][0], fields["from"][0], fields["to"][0], says, is_mms)
    except KeyError as missing:
        raise ValueError(f"{missing.args[0]} is missing") from None


def bring(url: str, recipient: str) -> bool:
    """Let the network bring an MMS to a node, by MM7; whether it was taken."""
    mms = PhoneMms(sender=PHONE, to=(recipient,), subject=SUBJECT, files=files_of((), None))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    request = write_request(mms, transaction=f"demo-{uuid4().hex}", timestamp=at)
    return post(f"{url}/mm7/{_LINK}", request.content_type, request.body).is_taken


def retrieve(url: str, account: str, id_: str) -> list[FilePart]:
    """Fetch a content and unpack it: its parts in the order of the manifest."""
    query = urlencode({"user": account, "pass": INBOUND_PASSWORD, "id": id_})
    with urllib.request.urlopen(f"{url}/RetrieveMMS?{query}", timeout=10) as answer:  # noqa: S310
        octets = answer.read()
    with zipfile.ZipFile(io.BytesIO(octets)) as content:
        return [
            FilePart(entry.name, entry.content_type, len(content.read(entry.name)))
            for entry in read_manifest(content.read(MANIFEST))
        ]
