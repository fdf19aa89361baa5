"""``homing endpoint``: where customers want their events pushed."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from homing.cli.opening import opened
from homing.cli.options import Config, Json, comma_list, read_header
from homing.cli.output import plain, print_pairs, show, state, table

app = typer.Typer(help="Where customers want their events pushed.", no_args_is_help=True)

Id = Annotated[
    int,
    typer.Argument(
        metavar="ID", max=2**31 - 1, help="Id of the endpoint, as `endpoint list` shows it."
    ),  # what a column of the store holds
]
Secret = Annotated[
    str | None, typer.Option(metavar="WHSEC", help="Signing secret (json); made when left out.")
]
Parts = Annotated[
    Literal["joined", "separate"] | None,
    typer.Option(help="Long messages in one push or one for each part; mx: separate, others: joined."),
]
Headers = Annotated[
    list[str] | None, typer.Option(metavar="NAME:VALUE", help="A header for every push; may be repeated.")
]
Url = Annotated[str, typer.Option(help="http or https URL that events are pushed to.")]
Email = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Instead of a URL: the address that mails go to.")
]
Events = Annotated[
    str | None,
    typer.Option(
        metavar="KINDS",
        help="Kinds of event, with commas: report,message by default, message,mms-report with mx-mms.",
    ),
]
FormatName = Annotated[
    Literal["mx", "mx-mms", "json", "upside", "email"] | None,
    typer.Option("--format", help="How events are written: mx by default, email with --email."),
]
DigestMin = Annotated[
    int | None, typer.Option(metavar="N", help="At most one mail in N minutes, a table of events (email).")
]
Concurrency = Annotated[int, typer.Option(help="Pushes under way at once; 1 keeps the order of events.")]
Rate = Annotated[float | None, typer.Option(help="Most pushes in a second; no limit by default.")]
Charset = Annotated[
    str | None, typer.Option(help="Charset of texts: iso-8859-15 by default (mx), utf-8 (mx-mms).")
]
Timezone = Annotated[str | None, typer.Option(help="Zone of dates (mx, mx-mms): Europe/London by default.")]
Method = Annotated[
    Literal["get", "post", "multipart"] | None,
    typer.Option(help="get by default (mx, mx-mms), post (upside); multipart brings an MMS whole (mx-mms)."),
]
Date = Annotated[
    Literal["plain", "zone", "spaced-zone"] | None,
    typer.Option(
        "--date", help="Dates (mx-mms): plain by default, or with +0000 joined on or after a blank."
    ),
]
UnknownAs = Annotated[
    str | None, typer.Option(metavar="WORD", help="Push UNKNOWN reports (mx) under this word.")
]


@app.command(
    epilog="Example: homing endpoint add acme --events report,message --format mx --url https://acme.example/in"
)
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose endpoint it is.")],
    url: Url = "",
    email: Email = None,
    events: Events = None,
    format_: FormatName = None,
    digest_min: DigestMin = None,
    concurrency: Concurrency = 16,
    rate_per_s: Rate = None,
    charset: Charset = None,
    timezone: Timezone = None,
    parts: Parts = None,
    method: Method = None,
    date_form: Date = None,
    secret: Secret = None,
    user: Annotated[str | None, typer.Option(help="User of HTTP basic authentication.")] = None,
    password: Annotated[str | None, typer.Option(help="Password of HTTP basic authentication.")] = None,
    header: Headers = None,
    unknown_as: UnknownAs = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Push an account's events to a URL or a mail address. A running node takes it up within 2 s."""
    from homing.engine.enrol import EndpointWish, default_events, make_endpoint
    from homing.model.errors import Refusal
    from homing.push.addresses import check_url
    from homing.store import customers

    wish = EndpointWish(
        account=account, events=default_events(format_) if events is None else comma_list(events),
        format=format_, url=url, email=email, date_form=date_form,
        digest_min=digest_min, concurrency=concurrency,
        rate_per_s=rate_per_s, charset=charset, timezone=timezone, parts=parts, method=method,
        secret=secret, user=user, password=password, headers=tuple(map(read_header, header or ())),
        unknown_as=unknown_as,
    )  # fmt: skip
    with opened(config) as (settings, database):
        is_open = settings.push.allow_private_networks
        if email is not None and not settings.smtp.host:
            raise Refusal("invalid", "mails need a relay: set host in section [smtp]")
        endpoint = make_endpoint(wish, lambda to: check_url(to, allow_private_networks=is_open))
        with database.writing() as connection:
            id_ = customers.add_endpoint(connection, endpoint)
    document = {"id": id_, "secret": endpoint.secrets[0] if endpoint.secrets else None}

    def people(to: Console) -> None:
        to.print(plain(f"Endpoint {id_} of {account}: {endpoint.format} to {url or email}"), soft_wrap=True)
        if endpoint.secrets:
            to.print(
                f"signing secret: [bold]{endpoint.secrets[0]}[/]  [yellow](not shown again)[/]",
                soft_wrap=True,
            )

    show(as_json, document, people)


@app.command("list", epilog="Example: homing endpoint list acme")
def list_(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account's.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List endpoints."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.reading() as connection:
        if account is not None:
            customers.account_named(connection, account)
        items = [_document(endpoint) for endpoint in customers.endpoints(connection, account)]

    def people(to: Console) -> None:
        rows = [
            (
                each["id"],
                each["account"],
                ",".join(each["events"]),
                each["format"],
                each["url"] or each["email"],
                _standing(each),
            )
            for each in items
        ]
        columns = ("id", "account", "events", "format", "to", "state")
        empty = "There is no endpoint yet: homing endpoint add ACCOUNT --url URL"
        to.print(table("Endpoints", columns, rows, empty, folds=["to"]))

    show(as_json, {"items": items}, people)


@app.command("show", epilog="Example: homing endpoint show 1")
def show_(id_: Id, config: Config = None, as_json: Json = False) -> None:
    """Show an endpoint with its settings; its secrets stay hidden."""
    from homing.store import customers

    with opened(config) as (_settings, database), database.reading() as connection:
        document = _document(customers.endpoint_with_id(connection, id_))
    show(as_json, document, lambda to: print_pairs(to, f"Endpoint {id_}", document))


@app.command(epilog="Example: homing endpoint remove 1")
def remove(id_: Id, config: Config = None, as_json: Json = False) -> None:
    """Remove an endpoint. What is pending there becomes dead letters."""
    from homing.store import customers

    ended = 0
    with opened(config) as (_settings, database):
        with database.writing() as connection:
            customers.remove_endpoint(connection, id_)
        while True:
            with database.writing() as connection:
                some = customers.end_deliveries(connection, id_)
            ended += some
            if some < customers.END_LIMIT:
                break
    document = {"id": id_, "ended": ended}
    show(
        as_json, document, lambda to: to.print(f"Endpoint {id_} is gone; deliveries ended with it: {ended}.")
    )


@app.command(epilog="Example: homing endpoint pause 1")
def pause(id_: Id, config: Config = None, as_json: Json = False) -> None:
    """Park what is due at an endpoint; it spends no attempt."""
    _change(id_, config, as_json, paused=True)


@app.command(epilog="Example: homing endpoint resume 1")
def resume(id_: Id, config: Config = None, as_json: Json = False) -> None:
    """Push again to an endpoint that was paused, by you or by a 410 Gone."""
    _change(id_, config, as_json, paused=False, disabled_reason=None)


@app.command("rotate-secret", epilog="Example: homing endpoint rotate-secret 1")
def rotate_secret(id_: Id, secret: Secret = None, config: Config = None, as_json: Json = False) -> None:
    """Sign with a new secret; the former one stays valid for 24 h."""
    from homing.engine import enrol
    from homing.model.clock import now_ms
    from homing.store import customers
    from homing.store.documents import time_text

    with opened(config) as (_settings, database), database.writing() as connection:
        endpoint, made = enrol.rotate_secret(customers.endpoint_with_id(connection, id_), now_ms(), secret)
        customers.change_endpoint(connection, endpoint)
    document = {"id": id_, "secret": made, "old_until": time_text(endpoint.old_secrets_until_ms or None)}
    show(as_json, document, lambda to: print_pairs(to, f"Endpoint {id_}", document))


@app.command("test", epilog="Example: homing endpoint test 1")
def push_sample(id_: Id, config: Config = None, as_json: Json = False) -> None:
    """Push a marked sample event once, and show what was answered. Exit 1 when it was no success."""
    from homing.store import customers

    with opened(config) as (settings, database), database.reading() as connection:
        endpoint = customers.endpoint_with_id(connection, id_)
    document = asyncio.run(_push_sample(endpoint, settings))

    def people(to: Console) -> None:
        verdict = Text("delivered", "green") if document["delivered"] else Text("not delivered", "red")
        print_pairs(
            to,
            f"Test of endpoint {id_}",
            {"to": endpoint.url or endpoint.email, **document, "delivered": verdict},
        )

    show(as_json, document, people)
    raise typer.Exit(0 if document["delivered"] else 1)


async def _push_sample(endpoint: Any, settings: Any) -> dict[str, Any]:
    from homing.model.clock import id_beside, now_ms
    from homing.node.pushers import Pushers
    from homing.store.documents import octets_text
    from homing.wire.sample_event import prepare_sample, sample_event

    transport = Pushers(settings, asyncio.get_running_loop())
    format_ = prepare_sample(endpoint)
    at_ms = now_ms()
    event = sample_event(endpoint, id_beside(settings.node.id, at_ms), at_ms)
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    transport.send(
        format_.target,
        format_.render(event, 1, at_ms),
        None,
        lambda _token, answer: answered.set_result(answer),
    )
    answer = await answered
    await transport.close()
    return {
        "id": endpoint.id,
        "event_id": str(event.id),
        "delivered": format_.judge(answer),
        "status": answer.status,
        "error": answer.error,
        "answer": octets_text(answer.body),
        "took_ms": answer.took_ms,
    }


def _change(id_: int, config: Path | None, as_json: bool, **changes: Any) -> None:
    from homing.store import customers

    with opened(config) as (_settings, database), database.writing() as connection:
        changed = msgspec.structs.replace(customers.endpoint_with_id(connection, id_), **changes)
        customers.change_endpoint(connection, changed)
    document = _document(changed)
    show(as_json, document, lambda to: print_pairs(to, f"Endpoint {id_}", document))


def _standing(document: dict[str, Any]) -> Text:
    return state("paused") if document["paused"] else Text("on", "green")


def _document(endpoint: Any) -> dict[str, Any]:
    from homing.store.documents import time_text

    return {
        "id": endpoint.id,
        "account": endpoint.account,
        "events": list(endpoint.events),
        "format": endpoint.format,
        "url": endpoint.url,
        "email": endpoint.email,
        "digest_min": endpoint.digest_min,
        "concurrency": endpoint.concurrency,
        "rate_per_s": endpoint.rate_per_s,
        "charset": endpoint.charset,
        "timezone": endpoint.timezone,
        "parts": endpoint.parts,
        "method": endpoint.method,
        "date_form": endpoint.date_form,
        "user": endpoint.user,
        "headers": [name for name, _value in endpoint.headers],
        "unknown_as": endpoint.unknown_as,
        "paused": endpoint.paused,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": time_text(endpoint.created_at_ms),
    }
