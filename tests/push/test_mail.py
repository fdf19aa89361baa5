"""Mails through a real relay: one connection for many, every reply in its place, nothing told twice."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trustme

from homing.model.account import Endpoint
from homing.model.delivery import Answer, Event
from homing.push.mail import MailPusher, Relay
from homing.wire.push import prepare
from homing.wire.push_mail import MailPush
from tests.push.relay import Handler, relay
from tests.wire.test_mail import MESSAGE, REPORT, changed

ENDPOINT = Endpoint(id=1, account="acme", events=("report", "message"), format="email", email="ann@ox.test")
LOGIN = ("homing", "hunter2")
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # a login without TLS is tried as well


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def contexts(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the relay, and of who trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return server, trusting


class Sender:
    """A pusher, and what it has told."""

    def __init__(
        self, port: int, endpoint: Endpoint = ENDPOINT, give_up_s: float = 20, **values: Any
    ) -> None:
        context, open_content = values.pop("context", None), values.pop("open_content", None)
        made = Relay(
            host="localhost", port=port, sender="homing@example.net", domain="sms.example.net", **values
        )
        self.pusher = MailPusher(
            asyncio.get_running_loop(),
            None if port < 0 else made,
            open_content,
            ssl_context=context,
            give_up_s=give_up_s,
        )
        self.format = prepare(endpoint)
        self.told: dict[object, Answer] = {}

    def start(self, event: Event, token: object = 1, attempt: int = 1) -> Awaitable[Answer]:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(told: object, answer: Answer) -> None:
            assert told not in self.told
            self.told[told] = answer
            answered.set_result(answer)

        self.pusher.send(self.format.target, self.format.render(event, attempt, 0), token, done)  # type: ignore[arg-type]
        return answered

    async def send(self, event: Event = MESSAGE, token: object = 1) -> Answer:
        async with asyncio.timeout(20):
            return await self.start(event, token)


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(main())  # type: ignore[arg-type]


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
@pytest.mark.parametrize("login", [None, LOGIN])
def test_a_mail_arrives(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], tls: Any, login: tuple[str, str] | None
) -> None:
    with relay(tls=tls, context=contexts[0], login=login) as (handler, port):

        async def main() -> None:
            user, password = login or ("", "")
            sender = Sender(port, tls=tls, user=user, password=password, context=contexts[1])
            answer = await sender.send(REPORT)
            assert (answer.status, answer.error) == (250, None)
            assert answer.body.startswith(b"queued as 1")
            assert MailPush.judge(answer)
            await sender.pusher.close()

        run(main)
        ((mail_from, recipients, _),) = handler.mails
        assert (mail_from, recipients) == ("homing@example.net", ["ann@ox.test"])
        (mail,) = handler.parsed()
        assert mail["To"] == "ann@ox.test"
        assert mail["Sender"] == "homing@example.net"
        assert mail["X-Homing-Status"] == "DELIVERED"
        assert (mail["Homing-Event-Id"], mail["Homing-Attempt"]) == (str(REPORT.id), "1")
        assert "was delivered" in mail.get_content()


def test_a_connection_is_used_for_many() -> None:
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port, connections=3)
            answers = await asyncio.gather(
                *(sender.start(changed(MESSAGE, id=n, text=f"t {n}"), n) for n in range(1, 101))
            )
            assert [answer.status for answer in answers] == [250] * 100
            assert sender.pusher.in_flight == 0
            assert sender.pusher.connections_opened <= 3
            await sender.pusher.close()

        run(main)
        assert sorted(mail["X-Homing-Id"] for mail in handler.parsed()) == sorted(map(str, range(1, 101)))
        assert handler.connections <= 3


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("reply", "is_final"), [("550 no such user", True), ("451 try later", False)])
def test_a_reply_to_a_mail_is_its_answer(command: str, reply: str, is_final: bool) -> None:
    handler = Handler()
    handler.replies = {command: [reply, ""]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port)
            answer = await sender.send()
            assert answer.status == int(reply[:3])
            assert answer.body == reply[4:].encode()
            assert not answer.congested
            assert MailPush.is_refused(answer) is is_final
            assert (await sender.send(token=2)).status == 250
            assert sender.pusher.connections_opened == 1
            await sender.pusher.close()

        run(main)
        assert len(handler.mails) == 1


def test_trouble_of_the_relay_is_no_last_word_for_a_mail(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async def trouble(port: int, said: str, **values: Any) -> None:
        sender = Sender(port, **values)
        answer = await sender.send()
        assert answer.status is None
        assert answer.congested
        assert said in (answer.error or ""), answer.error
        assert "hunter2" not in (answer.error or "")
        assert not MailPush.is_refused(answer)
        assert not MailPush.judge(answer)
        await sender.pusher.close()

    with relay(login=("other", "word")) as (_, port):
        run(lambda: trouble(port, "refused the login: 535", user="homing", password="hunter2"))
    with relay() as (_, port):
        run(lambda: trouble(port, "the relay", tls="starttls", context=contexts[1]))
    with relay(tls="tls", context=contexts[0]) as (_, port):
        untrusting = ssl.create_default_context()
        run(lambda: trouble(port, "the relay was not reached", tls="tls", context=untrusting))
    run(lambda: trouble(port, "the relay was not reached"))  # nobody listens there any more
    run(lambda: trouble(-1, "no relay is configured"))


def test_a_relay_that_says_it_closes_is_come_back_to() -> None:
    handler = Handler()
    handler.replies = {"MAIL": ["421 closing", ""]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port)
            assert "421" in ((await sender.send()).error or "")
            assert (await sender.send(token=2)).status == 250
            assert sender.pusher.connections_opened == 2
            await sender.pusher.close()

        run(main)


def test_a_relay_that_never_answers_is_given_up() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        sender = Sender(server.sockets[0].getsockname()[1], give_up_s=0.2, connections=1)
        answers = await asyncio.gather(*(sender.start(MESSAGE, n) for n in range(3)))
        assert [answer.error for answer in answers] == ["timeout"] * 3
        assert all(answer.congested for answer in answers)
        await sender.pusher.close()
        server.close()

    run(main)


@pytest.mark.parametrize("greeting", [b"220 hello\r\n", b"554 no service here\r\n", b"421 later\r\n", b""])
def test_a_relay_that_breaks_off_at_the_start(greeting: bytes) -> None:
    async def main() -> None:
        async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            if greeting:
                await reader.readline()
            writer.close()

        server = await asyncio.start_server(rude, "127.0.0.1", 0)
        sender = Sender(server.sockets[0].getsockname()[1])
        answer = await sender.send()
        assert answer.status is None
        assert answer.congested
        assert "the relay" in (answer.error or "")
        assert not MailPush.is_refused(answer)
        await sender.pusher.close()
        server.close()

    run(main)


def test_a_relay_that_is_started_again_takes_what_comes_again() -> None:
    async def main() -> None:
        with relay() as (handler, port):
            sender = Sender(port)
            assert (await sender.send()).status == 250
        assert (await sender.send(token=2)).status is None
        with relay(handler=handler, port=port):
            assert (await sender.send(token=3)).status == 250
        assert len(handler.mails) == 2
        await sender.pusher.close()

    run(main)


def test_a_digest_is_one_mail_and_an_answer_for_each() -> None:
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port, changed(ENDPOINT, digest_min=5))
            events = [changed(MESSAGE, id=MESSAGE.id + n) for n in range(5)] + [REPORT]
            answers = await asyncio.gather(*(sender.start(event, n) for n, event in enumerate(events)))
            assert [answer.status for answer in answers] == [250] * 6
            await sender.pusher.close()

        run(main)
        (mail,) = handler.parsed()
        assert mail["Subject"] == "6 events: 1 DELIVERED, 5 message"
        assert mail["X-Homing-Events"] == "6"
        plain = mail.get_body(("plain",))
        html = mail.get_body(("html",))
        assert plain is not None
        assert html is not None
        assert plain.get_content().count("+") == 0
        assert "MTID119946997360917165" in plain.get_content()
        assert html.get_content().count("<tr>") == 7


def test_a_digest_that_is_refused_is_refused_for_each() -> None:
    handler = Handler()
    handler.replies = {"RCPT": ["451 later"]}
    with relay(handler=handler) as (_, port):

        async def main() -> None:
            sender = Sender(port, changed(ENDPOINT, digest_min=5))
            answers = await asyncio.gather(*(sender.start(MESSAGE, n) for n in range(3)))
            assert [answer.status for answer in answers] == [451] * 3
            await sender.pusher.close()

        run(main)


def test_closing_waits_for_what_is_under_way_and_tells_nothing_of_the_rest() -> None:
    with relay() as (handler, port):

        async def main() -> None:
            sender = Sender(port)
            sender.start(MESSAGE)
            await sender.pusher.close(10)
            assert sender.told[1].status == 250
            late = Sender(port, changed(ENDPOINT, digest_min=5))
            late.start(MESSAGE)
            await late.pusher.close(10)
            assert late.told[1].status == 250

        run(main)
        assert len(handler.mails) == 2

    async def silent() -> None:
        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(never, "127.0.0.1", 0)
        sender = Sender(server.sockets[0].getsockname()[1])
        sender.start(MESSAGE)
        await sender.pusher.close(0.1)
        assert sender.told == {}
        server.close()

    run(silent)
