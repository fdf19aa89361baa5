"""The records of customers, read and changed in the database: the adapter of ``engine.records.Records``.

Every question is asked within one account, and what belongs to another is not found. A change of an endpoint
is read and written in one transaction. A replay works in small transactions beside a running node; its
idempotency key is remembered when all of it is done, so one that was interrupted can be asked for again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from homing.engine.records import Document, FoundContent, Traced
from homing.engine.submit import IDEMPOTENCY_MS, Idempotency
from homing.model.account import Endpoint, Number
from homing.model.delivery import DeliveryState
from homing.model.errors import Refusal
from homing.store import customers, groups, replay
from homing.store import tables as t
from homing.store.contents import find_content
from homing.store.database import Database
from homing.store.documents import message_document, report_document, submission_document
from homing.store.reading import deliveries_page, parse_delivery_id
from homing.store.sql import Transaction
from homing.store.statements import Statements
from homing.store.trace import deliveries_of, trace
from homing.store.upkeep import rest_a_moment

MOST_ENDPOINTS = 100
"""Endpoints of one account: every event is due at each."""


class StoreRecords:
    """``Records`` of one store, for any thread."""

    def __init__(self, database: Database, *, rest: Callable[[], object] = rest_a_moment) -> None:
        self._database = database
        self._statements = Statements(database)
        self._rest = rest

    # --- what happened ---

    def submissions(self, account: str, *, limit: int, after: str | None) -> Document:
        return self._page(t.submissions, submission_document, account, limit, after)

    def reports(self, account: str, *, limit: int, after: str | None) -> Document:
        return self._page(t.reports, report_document, account, limit, after)

    def messages(self, account: str, *, limit: int, after: str | None) -> Document:
        return self._page(t.messages, message_document, account, limit, after, t.messages.c.part_of.is_(None))

    def trace(self, account: str, kind: Traced, id_: int) -> Document:
        with self._database.reading() as connection:
            found = trace(connection, id_)
        if found is None or kind not in found or found[kind]["account"] != account:
            raise Refusal("not_found", f"there is no {kind} {id_}")
        return {**found, "deliveries": _of_account(found["deliveries"], account)}

    def content(self, event: int) -> FoundContent:
        with self._database.reading() as connection:
            found = find_content(connection, event)
        if found is None:
            raise Refusal("not_found", f"there is no MMS {event}")
        return found

    def deliveries(
        self, account: str, state: DeliveryState | None, *, limit: int, after: str | None
    ) -> Document:
        with self._database.reading() as connection:
            page = deliveries_page(connection, state=state, account=account, limit=limit, after=after)
        return {**page, "items": _of_account(page["items"], account)}

    def delivery(self, account: str, id_: str) -> Document:
        with self._database.reading() as connection:
            return _delivery(connection, account, id_)

    def _page(
        self,
        table: Table,
        document: Callable[[Any], Document],
        account: str,
        limit: int,
        after: str | None,
        *conditions: Any,
    ) -> Document:
        id_ = table.c.id
        question = select(table).where(table.c.account == account, *conditions)
        if after is not None:
            question = question.where(id_ < parse_delivery_id(after)[0])
        with self._database.reading() as connection:
            rows = connection.execute(question.order_by(id_.desc()).limit(limit))
            items = [document(row) for row in rows]
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    # --- replay ---

    def replay_delivery(self, account: str, id_: str, now_ms: int) -> int:
        with self._database.reading() as connection:
            found = _delivery(connection, account, id_)
        event, endpoint = parse_delivery_id(id_)
        with self._database.writing() as connection:
            for keys in replay.chunks(connection, replay.ended_of_event(event, endpoint, replay.ENDED)):
                if replay.replay(connection, keys, now_ms):
                    return 1
        if found["state"] == "pending":
            raise Refusal("conflict", f"delivery {id_} is pending, it is attempted anyway")
        raise Refusal("conflict", f"delivery {id_} cannot be replayed, its endpoint was removed")

    def replay(
        self,
        account: str,
        state: DeliveryState,
        since_ms: int,
        until_ms: int,
        now_ms: int,
        once: Idempotency | None = None,
    ) -> int:
        if once is not None:
            known = self._recall(account, once, now_ms)
            if known is not None:
                return known
        what = replay.ended_of_account(account, (state,), since_ms, until_ms)
        replayed = 0
        with self._database.reading() as connection:
            for keys in replay.chunks(connection, what):
                with self._database.writing() as changing:
                    replayed += replay.replay(changing, keys, now_ms)
                self._rest()
        if once is not None:
            self._remember(account, once, now_ms, replayed)
        return replayed

    def _recall(self, account: str, once: Idempotency, now_ms: int) -> int | None:
        """How many the same request replayed before, if it is the same."""
        with self._database.connection() as connection, Transaction(connection, self._statements) as asking:
            row = asking.recall(account, once.face, once.key, now_ms)
        if row is None:
            return None
        if row.fingerprint != once.fingerprint:
            raise Refusal("conflict", "this idempotency key was used for another request within 24 h")
        return int(bytes(row.answer))

    def _remember(self, account: str, once: Idempotency, now_ms: int, replayed: int) -> None:
        answer, until_ms = b"%d" % replayed, now_ms + IDEMPOTENCY_MS
        with self._database.connection() as connection, Transaction(connection, self._statements) as writing:
            writing.remember(account, once.face, once.key, once.fingerprint, answer, until_ms)

    # --- endpoints ---

    def endpoints(self, account: str) -> Sequence[Endpoint]:
        with self._database.reading() as connection:
            return customers.endpoints(connection, account)

    def endpoint(self, account: str, id_: int) -> Endpoint:
        with self._database.reading() as connection:
            return _endpoint(connection, account, id_)

    def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        with self._database.writing() as connection:
            if len(customers.endpoints(connection, endpoint.account)) >= MOST_ENDPOINTS:
                raise Refusal("conflict", f"an account has at most {MOST_ENDPOINTS} endpoints")
            id_ = customers.add_endpoint(connection, endpoint)
            return customers.endpoint_with_id(connection, id_)

    def change_endpoint(self, account: str, id_: int, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        with self._database.writing() as connection:
            connection.execute(select(t.endpoints.c.id).where(t.endpoints.c.id == id_).with_for_update())
            found = _endpoint(connection, account, id_)
            changed = msgspec.structs.replace(change(found), id=id_, account=account)
            customers.change_endpoint(connection, changed)
        return changed

    def remove_endpoint(self, account: str, id_: int) -> None:
        with self._database.writing() as connection:
            _endpoint(connection, account, id_)
            customers.remove_endpoint(connection, id_)

    # --- groups ---

    def groups(self, account: str) -> Sequence[tuple[str, int]]:
        with self._database.reading() as connection:
            return [(name, count) for _, name, count in groups.counts(connection, account)]

    def group(self, account: str, name: str) -> tuple[str, Sequence[str]]:
        with self._database.reading() as connection:
            kept = groups.group_named(connection, account, name)
            return kept, groups.group_members(connection, account, kept)

    def group_members(self, account: str, name: str) -> Sequence[str]:
        return self.group(account, name)[1]

    def add_group(self, account: str, name: str, members: Sequence[str]) -> str:
        with self._database.writing() as connection:
            return groups.add_group(connection, account, name, members)

    def change_group(self, account: str, name: str, add: Sequence[str], remove: Sequence[str]) -> None:
        with self._database.writing() as connection:
            groups.remove_members(connection, account, name, remove)
            groups.add_members(connection, account, name, add)

    def remove_group(self, account: str, name: str) -> None:
        with self._database.writing() as connection:
            groups.remove_group(connection, account, name)

    # --- the account ---

    def balance(self, account: str) -> float | None:
        with self._database.reading() as connection:
            return customers.balance(connection, account)

    def numbers(self, account: str) -> Sequence[Number]:
        with self._database.reading() as connection:
            return customers.numbers(connection, account)


def _endpoint(connection: Connection, account: str, id_: int) -> Endpoint:
    endpoint = customers.endpoint_with_id(connection, id_)
    if endpoint.account != account:
        raise Refusal("not_found", f"there is no endpoint {id_}")
    return endpoint


def _delivery(connection: Connection, account: str, id_: str) -> Document:
    event, endpoint = parse_delivery_id(id_)
    for found in deliveries_of(connection, [event]):
        if found["endpoint"] == endpoint and found["account"] == account:
            return _with_text_ids(found)
    raise Refusal("not_found", f"there is no delivery {id_}")


def _of_account(deliveries: Sequence[Document], account: str) -> list[Document]:
    return [_with_text_ids(delivery) for delivery in deliveries if delivery["account"] == account]


def _with_text_ids(delivery: Document) -> Document:
    """Towards customers every id is a string, that of an endpoint as well."""
    return {**delivery, "endpoint": str(delivery["endpoint"])}
