"""What could not be pushed is collected: by SOAP, by POP3, by REST; read in one, it is read in all, once.

PHP is not tried on a machine that does not have it, but continuous integration must.
"""

import asyncio
import json
import poplib
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import zeep
from sqlalchemy import Table, func, select

from homing.store import tables as t
from homing.store.create import open_store
from tests.journeys.far import PASSWORD, NodeProcess, free_port, sqlite_url
from tests.links.smsc import until
from tests.programs import is_to_be_tried

Make = Callable[..., Any]
SOAP_PROGRAM = Path(__file__).with_name("soap_program.php")
FOUND = ["zeep", *filter(is_to_be_tried, ["php"])]


async def program(*command: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return said.decode().splitlines()


def by_zeep(url: str, *operations: str) -> list[Any]:
    authentication = zeep.Client(f"{url}/soap/Authentication.asmx?WSDL").service
    credentials = authentication.GetParameters(username="acme", password=PASSWORD)
    sms = zeep.Client(f"{url}/soap/SMS.asmx?WSDL").service
    login = {"token": credentials.Token, "signature": credentials.Signature}
    return [zeep.helpers.serialize_object(sms[each](**login), dict) for each in operations]


async def ask(name: str, node: NodeProcess, *operations: str) -> list[Any]:
    """What the operations answered, as numbers, and as messages of fields."""
    url = f"http://127.0.0.1:{node.http_port}"
    if name == "zeep":
        answers = await asyncio.to_thread(by_zeep, url, *operations)
    else:
        lines = await program("php", str(SOAP_PROGRAM), url, "acme", PASSWORD, *operations)
        answers = [json.loads(line) for line in lines]
    return [
        _messages(answer) if operation.endswith("Messages") else answer
        for operation, answer in zip(operations, answers, strict=True)
    ]


def _messages(answer: Any) -> list[dict[str, Any]]:
    """zeep gives the list itself, an empty one as nothing at all; PHP a list of one as the one."""
    found = answer.get("NewSMSMessage", []) if isinstance(answer, dict) else answer or []
    return found if isinstance(found, list) else [found]


def by_poplib(port: int) -> list[EmailMessage]:
    session = poplib.POP3("127.0.0.1", port, timeout=30)
    session.user("acme")
    session.pass_(PASSWORD)
    octets = [b"\r\n".join(session.retr(n + 1)[1]) for n in range(session.stat()[0])]
    session.quit()
    return [message_from_bytes(each, policy=policy.default) for each in octets]  # type: ignore[misc]


def marks(node: NodeProcess) -> list[tuple[int, bool, bool]]:
    database = open_store(sqlite_url(node))
    with database.reading() as connection:
        found = connection.execute(select(t.mailbox_marks)).all()
    database.close()
    return [(row.event, row.is_read, row.is_deleted) for row in found]


async def reports_that_cannot_be_pushed(journey: Any, count: int = 1) -> None:
    """Messages are sent, their reports come back, and nobody takes them."""
    for _ in range(count):
        assert (await journey.node.send("447700900001", "Hello"))[0] == 200
    await until(lambda: rows(journey.node, t.reports) == count and rows(journey.node, t.attempts), 20)


def rows(node: NodeProcess, table: Table) -> int:
    database = open_store(sqlite_url(node))
    with database.reading() as connection:
        found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    database.close()
    return found


def dead(journey: Make, pop3_port: int) -> Any:
    more = f'[pop3]\nlisten = "127.0.0.1:{pop3_port}"\n[mailbox]\npoll_interval_s = 0\n'
    return journey(more=more, url=f"http://127.0.0.1:{free_port()}/in", events=("report",))


@pytest.mark.parametrize("name", FOUND)
def test_a_report_for_a_dead_url_is_read_by_soap_and_then_seen_by_pop3(journey: Make, name: str) -> None:
    async def run() -> None:
        pop3_port = free_port()
        async with dead(journey, pop3_port) as j:
            await reports_that_cannot_be_pushed(j)
            count, messages, again, after = await ask(
                name,
                j.node,
                "GetNewInboxCount",
                "GetNewInboxMessages",
                "GetNewInboxMessages",
                "GetNewInboxCount",
            )
            assert (count, len(messages), again, after) == (1, 1, [], 0)
            (message,) = messages
            assert message["data"].startswith(f"DELIVRD {message['trackingid']} +447700900001 ")
            (mail,) = await asyncio.to_thread(by_poplib, pop3_port)
            assert mail["X-Homing-Tracking-Id"] == message["trackingid"]
            assert mail["Message-ID"] == f"<{message['messageid']}@homing.invalid>"
            assert marks(j.node) == [(int(mail["X-Homing-Id"]), True, False)]

    asyncio.run(run())


@pytest.mark.parametrize("name", FOUND)
def test_a_report_for_a_dead_url_is_read_by_pop3_and_then_not_new_to_soap(journey: Make, name: str) -> None:
    async def run() -> None:
        pop3_port = free_port()
        async with dead(journey, pop3_port) as j:
            await reports_that_cannot_be_pushed(j)
            (mail,) = await asyncio.to_thread(by_poplib, pop3_port)
            assert mail["X-Homing-Status"] == "DELIVERED"
            assert marks(j.node) == [(int(mail["X-Homing-Id"]), True, False)]
            await j.node.kill()
            await j.node.start()  # what was read stays read
            assert await ask(name, j.node, "GetNewInboxCount", "GetNewInboxMessages") == [0, []]

    asyncio.run(run())


def test_programs_that_ask_at_the_same_time_leave_each_report_read_once(journey: Make) -> None:
    async def run() -> None:
        async with dead(journey, free_port()) as j:
            await reports_that_cannot_be_pushed(j, 30)
            answers = await asyncio.gather(*(ask("zeep", j.node, "GetNewInboxMessages") for _ in range(10)))
            names = [message["messageid"] for (messages,) in answers for message in messages]
            assert len(set(names)) == 30
            assert len(marks(j.node)) == 30

    asyncio.run(run())
