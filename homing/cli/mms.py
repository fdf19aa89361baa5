"""``homing simulate mms``: an MMSC that brings a running node a message of a phone, over a real socket."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console

from homing.cli.opening import read_settings
from homing.cli.options import Config, Json
from homing.cli.output import plain, show
from homing.config import LinkSettings, Settings
from homing.model.errors import Refusal

if TYPE_CHECKING:
    from homing.links.mm7_post import Posted
    from homing.links.mms_phone import DeliverRequest

_LARGEST_FILE = 1 << 30


def simulate_mms(
    from_: Annotated[str, typer.Option("--from", metavar="NUMBER", help="The phone.")],
    to: Annotated[
        list[str], typer.Option(metavar="NUMBER", help="One of your numbers; can be given several times.")
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="What the phone sends; samples by default."),
    ] = None,
    subject: Annotated[str, typer.Option(metavar="T", help="The subject.")] = "",
    text: Annotated[str | None, typer.Option(metavar="T", help="A text beside the files.")] = None,
    link: Annotated[
        str | None, typer.Option(metavar="NAME", help="The MM7 link that it comes by; the first by default.")
    ] = None,
    fault: Annotated[str | None, typer.Option(metavar="NAME", help="What is wrong, or odd, with it.")] = None,
    single: Annotated[
        bool, typer.Option("--single", help="One file, without a multipart around it.")
    ] = False,
    no_smil: Annotated[bool, typer.Option("--no-smil", help="No presentation.")] = False,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the node takes it; as configured by default.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send an MMS from a simulated phone to a running node, by MM7, as an MMSC would.

    Fails when the node does not answer 1000, unless a fault was asked for.
    """
    from homing.engine.directory import normalise_number
    from homing.links.mms_phone import FAULTS, PhoneMms, files_of, write_request

    if fault is not None and fault not in FAULTS:
        raise typer.BadParameter(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
    settings = read_settings(config)
    chosen = _link(settings, link)
    mms = PhoneMms(
        sender=normalise_number(from_), to=tuple(map(normalise_number, to)), subject=subject,
        files=files_of([(path.name, _octets(path)) for path in files or ()], text), has_smil=not no_smil,
        is_single=single,
    )  # fmt: skip
    transaction = f"sim-{uuid4().hex}"
    request = write_request(
        mms, transaction=transaction, timestamp=datetime.now(UTC).isoformat(timespec="seconds"), fault=fault,
        limit_bytes=settings.mms.max_message_bytes,
    )  # fmt: skip
    at = url or _url(settings, chosen)
    said = _post(at, request, chosen)
    again = _post(at, request, chosen) if fault == "repeated" else None
    document = {**_document(said), "transaction": transaction, "repeated": again and _document(again)}

    def people(out: Console) -> None:
        out.print(plain(_line(said)))
        if again is not None:
            out.print(plain(f"repeated: {_line(again)}"))

    show(as_json, document, people)
    if fault is None and said.status != 1000:
        raise typer.Exit(1)


def _link(settings: Settings, name: str | None) -> LinkSettings:
    links = [link for link in settings.link if link.kind == "mm7" and name in (None, link.name)]
    if not links:
        which = "no link of this configuration" if name is None else f"no link {name!r} of this configuration"
        raise Refusal("invalid", f"{which} is of the kind mm7")
    return links[0]


def _url(settings: Settings, link: LinkSettings) -> str:
    """Where the running node takes what this link's relay brings."""
    from homing.config import host_and_port
    from homing.node.own_url import relay_url

    if not settings.http.listen:
        raise Refusal("invalid", "[http] listen is not set; say where the node listens with --url")
    return relay_url(settings, link.name, host_and_port(settings.http.listen)[1])


def _octets(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise Refusal("too_long", f"{path} is larger than {_LARGEST_FILE} octets")
        return path.read_bytes()
    except OSError as error:
        raise Refusal("invalid", f"{path} cannot be read: {error.strerror or error}") from None


def _post(url: str, request: "DeliverRequest", link: LinkSettings) -> "Posted":
    from homing.links.mm7_post import post

    try:
        return post(url, request.content_type, request.body, user=link.user, password=link.password)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise Refusal("unavailable", f"no node answers at {url}: {error.strerror or error}") from None


def _document(said: "Posted") -> dict[str, Any]:
    return {"status": said.status, "text": said.text, "details": said.details}


def _line(said: "Posted") -> str:
    if said.status < 1000:  # a status of HTTP, which its text names
        return ": ".join(filter(None, (said.text, said.details)))
    return ": ".join(filter(None, (f"{said.status} {said.text}".strip(), said.details)))
