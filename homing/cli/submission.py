"""``homing send`` and ``homing trace``: a message on its way out, and everything that became of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from homing.cli.opening import opened
from homing.cli.options import Config, Json
from homing.cli.output import plain, printable, show, state, table
from homing.model.errors import Refusal


def send(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it says.")],
    account: Annotated[str, typer.Option(help="Who sends it.")],
    to: Annotated[str, typer.Option(metavar="NUMBER", help="Recipient, in international form.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="Originator; else the link's own.")
    ] = "",
    report: Annotated[
        int, typer.Option(min=0, max=7, help="Reports wanted: 1 buffered, 2 delivered, 4 failed; added up.")
    ] = 7,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send a message for an account. It waits in the store until a node with a bound link takes it."""
    with opened(config) as (settings, database):
        document = _submit(database, settings, account, from_, to, text, report)
    count = document["segments"]

    def people(out: Console) -> None:
        out.print(f"{document['id']} in {count} segment{'s' if count != 1 else ''}")
        out.print(f"[dim]what becomes of it: homing trace {document['id']}[/]")

    show(as_json, document, people)


def _submit(
    database: Any, settings: Any, account_name: str, sender: str, recipient: str, text: str, report: int
) -> dict[str, Any]:
    from homing.engine.prices import Prices
    from homing.engine.submit import UNCLAIMED, Accepted, Batch, Wish, compose, record_submissions
    from homing.model.clock import id_beside, now_ms
    from homing.store import customers
    from homing.store.sql import Transaction
    from homing.store.statements import Statements
    from homing.wire.segmentation import segment_any

    with database.reading() as connection:
        account = customers.account_named(connection, account_name)
    if account.disabled:
        raise Refusal("forbidden", f"account {account_name} is disabled")
    id_ = id_beside(settings.node.id, now_ms())
    wish = Wish(
        recipient=recipient, segments=segment_any(text, reference=id_), sender=sender, report_bits=report
    )
    submission = compose(id_, account_name, wish)
    batch = Batch(account=account, metered=account.metered, submissions=(submission,))
    with database.connection() as connection, Transaction(connection, Statements(database)) as transaction:
        prices = Prices(settings.credits.price, settings.credits.prices)
        (outcome,) = record_submissions(transaction, [(batch, UNCLAIMED)], prices)
    if not isinstance(outcome, Accepted):
        raise outcome
    return {"id": str(submission.id), "segments": len(submission.segments)}


def trace(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a submission, a report or a received message.")
    ],
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the parts of the MMS into this directory; it is made."),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the whole life of a submission, a report or a received message."""
    from homing.store.reading import parse_delivery_id
    from homing.store.trace import trace as trace_of

    event, _endpoint = parse_delivery_id(id_)
    with opened(config) as (settings, database):
        with database.reading() as connection:
            document = trace_of(connection, event)
        if document is None:
            raise Refusal("not_found", f"nothing has the id {id_}")
        saved = None if save is None else _save(settings, database, event, save)

    def people(to: Console) -> None:
        to.print(_tree(document))
        for path in saved or ():
            to.print(plain(f"saved {path}"), soft_wrap=True)

    show(as_json, document if saved is None else {**document, "saved": saved}, people)


def _save(settings: Any, database: Any, event: int, directory: Path) -> list[str]:
    from homing.cli.content import save_parts

    return save_parts(settings, database, event, directory)


def _tree(document: dict[str, Any]) -> Tree:
    """The life of one thing, from the top down."""
    for kind in ("submission", "report", "message"):
        if kind in document:
            tree = Tree(_headline(kind, document[kind]))
            _add_content(tree, document[kind].get("mms"))
            break
    for part in document.get("parts", ()):
        tree.add(_line("part", part["at"], f"{part['id']}  {part['text']!r}"))
    for segment in document.get("segments", ()):
        _add_segment(tree, segment)
    deliveries = document["deliveries"]
    for report in document.get("reports", ()):
        line = _line("report", report["at"], report["id"]).append("  ").append_text(state(report["status"]))
        branch = tree.add(line.append(f"  {report['reason']}", "dim"))
        for delivery in deliveries:
            if delivery["event_id"] == report["id"]:
                _add_delivery(branch, delivery)
    shown = {report["id"] for report in document.get("reports", ())}
    for delivery in deliveries:
        if delivery["event_id"] not in shown:
            _add_delivery(tree, delivery)
    return tree


def _headline(kind: str, thing: dict[str, Any]) -> Text:
    line = Text.assemble((f"{kind} ", "bold"), (thing["id"], "bold cyan"), ("  " + thing["at"], "dim"))
    if "from" in thing:
        line.append(f"  {thing['from'] or '(link default)'} → {thing['to']}")
    if thing.get("status"):
        line.append("  ").append_text(state(thing["status"]))
    if kind == "message":
        line.append(f"  {thing['text']!r}  {thing['account'] or 'unrouted'}")
    return line


def _add_content(tree: Tree, mms: dict[str, Any] | None) -> None:
    """What an MMS carries."""
    if mms is None:
        return
    line = _line("content until", mms["expires_at"], f"{mms['subject']!r}  {mms['size']} octets")
    rows = [(part["name"], part["type"], part["size"]) for part in mms["parts"]]
    tree.add(line).add(table("parts", ("name", "type", "size"), rows, "it has no parts"))


def _add_segment(tree: Tree, segment: dict[str, Any]) -> None:
    line = _line(f"segment {segment['number']}", segment["at"], repr(segment["text"]))
    line.append("  ").append_text(state(segment["status"]))
    if segment["link"]:
        line.append(f"  {segment['link']} {segment['link_message_id']}", "dim")
    branch = tree.add(line)
    for receipt in segment["receipts"]:
        said = _line("receipt", receipt["at"], "").append_text(state(receipt["status"]))
        branch.add(said.append(f"  {printable(receipt['raw'] or '')}", "dim"))


def _add_delivery(tree: Tree, delivery: dict[str, Any]) -> None:
    line = Text.assemble(("delivery ", "bold"), f"{delivery['id']}  endpoint {delivery['endpoint']}  ")
    line.append_text(state(delivery["state"]))
    if delivery["next_attempt_at"]:
        line.append(f"  next attempt {delivery['next_attempt_at']}", "dim")
    branch = tree.add(line)
    for attempt in delivery["attempts"]:
        outcome = attempt["error"] if attempt["status"] is None else str(attempt["status"])
        said = _line(f"attempt {attempt['number']}", attempt["at"], f"{outcome}  {attempt['took_ms']} ms")
        if attempt["answer"]:
            said.append(f"  {printable(attempt['answer'])}", "dim")
        branch.add(said)


def _line(word: str, at: str | None, text: str) -> Text:
    return Text.assemble((f"{word} ", "bold"), (f"{at or 'waiting'}  ", "dim"), text)
