"""``homing deliveries``, ``homing messages`` and ``homing replay``: what is due, what came, and once more."""

from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from homing.cli.opening import opened
from homing.cli.options import After, Config, Json, Limit, read_moment
from homing.cli.output import ago, show, state, table

deliveries = typer.Typer(help="Events that are due, or were, at endpoints.", no_args_is_help=True)
messages = typer.Typer(help="Messages that phones have sent.", no_args_is_help=True)

OneAccount = Annotated[str | None, typer.Option("--account", help="Only this account's.")]


@deliveries.command("list", epilog="Example: homing deliveries list --state dead --account acme")
def list_deliveries(
    state_: Annotated[
        Literal["pending", "delivered", "dead"] | None,
        typer.Option("--state", help="Only those in this state."),
    ] = None,
    account: OneAccount = None,
    limit: Limit = 50,
    after: After = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List deliveries, the newest event first."""
    from homing.model.delivery import DeliveryState
    from homing.store.reading import deliveries_page

    wanted = None if state_ is None else DeliveryState[state_.upper()]
    with opened(config) as (_settings, database), database.reading() as connection:
        _must_exist(connection, account)
        page = deliveries_page(connection, state=wanted, account=account, limit=limit, after=after)

    def people(to: Console) -> None:
        rows = [
            (
                each["id"], each["account"], each["kind"], state(each["state"]), each["attempts"],
                each["status"] if each["status"] is not None else each["error"], ago(each["next_attempt_at"]),
            )
            for each in page["items"]
        ]  # fmt: skip
        columns = ("id", "account", "kind", "state", "tries", "answer", "next")
        to.print(table("Deliveries", columns, rows, "There is none.", folds=["answer"]))
        _show_next(to, page)

    show(as_json, page, people)


@messages.command("list", epilog="Example: homing messages list --unrouted")
def list_messages(
    account: OneAccount = None,
    unrouted: Annotated[bool, typer.Option("--unrouted", help="Only those that belong to nobody.")] = False,
    limit: Limit = 50,
    after: After = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List received messages, the newest first."""
    from homing.store.reading import messages_page

    if unrouted and account is not None:
        raise typer.BadParameter("--unrouted are the messages of no account")
    with opened(config) as (_settings, database), database.reading() as connection:
        _must_exist(connection, account)
        page = messages_page(connection, account=account, unrouted=unrouted, limit=limit, after=after)

    def people(to: Console) -> None:
        rows = [
            (
                each["id"],
                ago(each["at"]),
                each["account"] or "unrouted",
                each["from"],
                each["to"],
                each["text"],
            )
            for each in page["items"]
        ]
        columns = ("id", "when", "account", "from", "to", "text")
        to.print(table("Messages", columns, rows, "There is none.", folds=["text"]))
        _show_next(to, page)

    show(as_json, page, people)


def replay(
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="One event, or one delivery EVENT-ENDPOINT.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Deliveries of this account.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From events of this time: 2026-03-04, RFC 3339, or 2h ago."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to events of this time; now.")] = None,
    state_: Annotated[
        Literal["dead", "delivered", "all"],
        typer.Option("--state", help="Dead letters, delivered ones, or both."),
    ] = "dead",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give deliveries that have ended a new round of attempts: of one event, or of an account."""
    from homing.store import replay as store

    what = _what(id_, account, since, until, state_)
    with opened(config) as (_settings, database):
        with database.reading() as connection:
            _must_exist(connection, account)
            count = store.count(connection, what)
        if count and not as_json:
            if yes:
                typer.echo(f"{_deliveries(count)} will be pushed again.")
            else:
                typer.confirm(f"{_deliveries(count)} will be pushed again. Go on?", abort=True)
        replayed = _replay(database, what, count, quiet=as_json)
    said = f"{replayed} of {_deliveries(count)} due again." if count else "There is nothing to replay."
    show(as_json, {"found": count, "replayed": replayed}, lambda to: to.print(said))


def _deliveries(count: int) -> str:
    return f"{count} {'delivery' if count == 1 else 'deliveries'}"


def _what(id_: str | None, account: str | None, since: str | None, until: str | None, state_: str) -> Any:
    from homing.model.clock import now_ms
    from homing.model.delivery import DeliveryState
    from homing.store import replay as store
    from homing.store.reading import parse_delivery_id

    states = {"dead": store.DEAD, "delivered": (DeliveryState.DELIVERED,), "all": store.ENDED}[state_]
    if id_ is not None:
        if account or since or until:
            raise typer.BadParameter("--id stands alone")
        event, endpoint = parse_delivery_id(id_)
        # A single delivery that is named is meant, whichever way it ended.
        return store.ended_of_event(event, endpoint, store.ENDED)
    if account is None or since is None:
        raise typer.BadParameter("give --id, or --account with --since")
    until_ms = now_ms() + 1 if until is None else read_moment(until)
    if (since_ms := read_moment(since)) >= until_ms:
        raise typer.BadParameter("--since is not before --until")
    return store.ended_of_account(account, states, since_ms, until_ms)


def _replay(database: Any, what: Any, count: int, *, quiet: bool) -> int:
    from rich.progress import Progress

    from homing.model.clock import now_ms
    from homing.store import replay as store

    replayed = 0
    with (
        Progress(console=Console(stderr=True), disable=quiet or not count, transient=True) as progress,
        database.reading() as connection,
    ):
        task = progress.add_task("replaying", total=count)
        for keys in store.chunks(connection, what):
            with database.writing() as changing:
                replayed += store.replay(changing, keys, now_ms())
            progress.advance(task, len(keys))
    return replayed


def _must_exist(connection: Any, account: str | None) -> None:
    from homing.store import customers

    if account is not None:
        customers.account_named(connection, account)


def _show_next(to: Console, page: dict[str, Any]) -> None:
    if page["next"]:
        to.print(f"[dim]more: --after {page['next']}[/]")
