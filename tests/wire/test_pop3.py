"""A POP3 session, octet by octet: the commands of the RFCs, their errors, and whatever else may come."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.wire.pop3 import (
    FULL,
    LINE_LIMIT,
    TABLE,
    WRONG_LIMIT,
    Event,
    Fetch,
    Login,
    Policy,
    Pop3Session,
    StartTls,
    State,
    Update,
    top,
)

MAILS = [
    b"Subject: a\r\n\r\none\r\n.two\r\nthree\r\n",
    b"Subject: b\r\n\r\n.\r\n",
    b"Subject: c\r\n\r\nx\r\n",
]
DROP = [(f"Mail{number}", len(mail)) for number, mail in enumerate(MAILS, 1)]
OPEN = Policy(can_start_tls=True, login_delay_s=120, implementation="Test")


class Far:
    """A session, and a server that answers its events at once."""

    def __init__(self, policy: Policy = OPEN, *, is_tls: bool = False) -> None:
        self.session = Pop3Session(policy, is_tls=is_tls)
        self.events: list[Event] = []
        self.said = self.session.data_to_send()
        self.can_store = True

    def send(self, octets: bytes) -> bytes:
        """What is answered to these octets."""
        self.session.receive_data(octets)
        while (event := self.session.event) is not None:
            self.events.append(event)
            self.answer(event)
        said = self.session.data_to_send()
        self.said += said
        return said

    def answer(self, event: Event) -> None:
        if isinstance(event, Login):
            if event.password == "right":
                self.session.welcome(DROP)
            else:
                self.session.refuse("AUTH", "wrong user or password")
        elif isinstance(event, Fetch):
            self.session.give(MAILS[event.number - 1])
        elif isinstance(event, Update):
            self.session.updated(self.can_store)
        else:
            self.session.tls_started()


def plain(text: str) -> bytes:
    return b64encode(text.encode())


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def inside() -> Far:
    """After the login."""
    made = Far()
    assert made.send(b"USER acme\r\nPASS right\r\n") == b"+OK\r\n+OK 3 messages (66 octets)\r\n"
    return made


WALK = [
    (b"STAT\r\n", b"+OK 3 66\r\n"),
    (b"LIST\r\n", b"+OK\r\n1 32\r\n2 17\r\n3 17\r\n.\r\n"),
    (b"list 2\r\n", b"+OK 2 17\r\n"),
    (b"UIDL\r\n", b"+OK\r\n1 Mail1\r\n2 Mail2\r\n3 Mail3\r\n.\r\n"),
    (b"UIDL 3\r\n", b"+OK 3 Mail3\r\n"),
    (b"RETR 1\r\n", b"+OK 32 octets\r\nSubject: a\r\n\r\none\r\n..two\r\nthree\r\n.\r\n"),
    (b"RETR 2\r\n", b"+OK 17 octets\r\nSubject: b\r\n\r\n..\r\n.\r\n"),
    (b"TOP 1 2\r\n", b"+OK\r\nSubject: a\r\n\r\none\r\n..two\r\n.\r\n"),
    (b"TOP 1 0\r\n", b"+OK\r\nSubject: a\r\n\r\n.\r\n"),
    (b"TOP 1 99\r\n", b"+OK\r\nSubject: a\r\n\r\none\r\n..two\r\nthree\r\n.\r\n"),
    (b"DELE 1\r\n", b"+OK message 1 deleted\r\n"),
    (b"DELE 1\r\n", b"-ERR there is no message 1\r\n"),
    (b"RETR 1\r\n", b"-ERR there is no message 1\r\n"),
    (b"LIST\r\n", b"+OK\r\n2 17\r\n3 17\r\n.\r\n"),
    (b"STAT\n", b"+OK 2 34\r\n"),
    (b"RSET\r\n", b"+OK 3 66\r\n"),
    (b"DELE 3\r\n", b"+OK message 3 deleted\r\n"),
    (b"NOOP\r\n", b"+OK\r\n"),
    (b"RETR 9\r\n", b"-ERR there is no message 9\r\n"),
    (b"QUIT\r\n", b"+OK good bye\r\n"),
]


def test_a_walk_through_a_session(inside: Far) -> None:
    for command, answer in WALK:
        assert inside.send(command) == answer, command
    assert inside.events[-1] == Update(deleted=(3,), retrieved=(1, 2))
    assert inside.session.is_closed


def test_all_at_once_and_octet_by_octet_say_the_same(inside: Far) -> None:
    commands = b"USER acme\r\nPASS right\r\n" + b"".join(command for command, _ in WALK)
    far = Far()
    assert far.send(commands).endswith(b"".join(answer for _, answer in WALK))
    slowly = Far()
    for octet in commands:
        slowly.send(bytes((octet,)))
    assert slowly.said == far.said
    assert slowly.events == far.events


def test_deletions_that_cannot_be_stored_are_none(inside: Far) -> None:
    inside.can_store = False
    assert inside.send(b"DELE 1\r\nQUIT\r\n").endswith(b"-ERR [SYS/TEMP] nothing was deleted, try again\r\n")
    assert inside.session.is_closed


def test_top_retrieves_nothing(inside: Far) -> None:
    inside.send(b"TOP 1 99\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n")
    assert inside.events[-1] == Update(deleted=(2,), retrieved=())


def test_a_mail_that_cannot_be_read(inside: Far) -> None:
    inside.session.receive_data(b"RETR 1\r\n")
    inside.session.give(None)
    assert inside.session.data_to_send() == b"-ERR [SYS/TEMP] the message cannot be read now\r\n"
    assert inside.send(b"QUIT\r\n") == b"+OK good bye\r\n"
    assert inside.events[-1] == Update(deleted=(), retrieved=())


def test_a_mail_that_comes_in_pieces(inside: Far) -> None:
    session = inside.session
    session.receive_data(b"RETR 1\r\nDELE 1\r\nTOP 2 7\r\nSTAT\r\n")
    session.begin(32)
    session.add(b"Subject: a\r\n\r\n")
    assert session.data_to_send() == b"+OK 32 octets\r\nSubject: a\r\n\r\n"
    session.add(b".two\r\n")
    assert session.data_to_send() == b"..two\r\n"
    session.end()
    assert session.data_to_send() == b".\r\n+OK message 1 deleted\r\n"
    session.begin(17)
    session.add(b"Subject: b\r\n\r\n")
    session.end()
    assert session.data_to_send() == b"+OK\r\nSubject: b\r\n\r\n.\r\n+OK 2 34\r\n"
    inside.send(b"RSET\r\nQUIT\r\n")
    assert inside.events[-1] == Update(deleted=(), retrieved=(1,))


def test_a_mail_that_breaks_off_has_no_end_and_no_error_in_it(inside: Far) -> None:
    session = inside.session
    session.receive_data(b"RETR 1\r\nQUIT\r\n")
    session.begin(32)
    session.add(b"Subject: a\r\n\r\n")
    session.fail("the message cannot be read now")
    assert session.data_to_send() == b"+OK 32 octets\r\nSubject: a\r\n\r\n"
    assert session.is_closed
    session.receive_data(b"QUIT\r\n")
    assert session.data_to_send() == b""


def test_what_comes_while_an_answer_is_awaited_waits_in_its_order(far: Far) -> None:
    session = far.session
    session.receive_data(b"USER acme\r\nPASS right\r\nSTAT\r\nRETR 1\r\nNOOP\r\n")
    assert session.data_to_send() == b"+OK\r\n"
    session.welcome(DROP)
    assert session.data_to_send() == b"+OK 3 messages (66 octets)\r\n+OK 3 66\r\n"
    assert session.event == Fetch(number=1, lines=None)
    session.give(b"x\r\n")
    assert session.data_to_send() == b"+OK 3 octets\r\nx\r\n.\r\n+OK\r\n"
    with pytest.raises(TypeError, match="not for the answer to Fetch"):
        session.give(b"x\r\n")


# --- logging in ---


@pytest.mark.parametrize(
    "commands",
    [
        b"USER acme\r\nPASS right\r\n",
        b"user acme\r\npass right\r\n",
        b"AUTH PLAIN " + plain("\0acme\0right") + b"\r\n",
        b"AUTH PLAIN " + plain("acme\0acme\0right") + b"\r\n",
        b"auth plain\r\n" + plain("\0acme\0right") + b"\r\n",
    ],
)
def test_ways_to_log_in(far: Far, commands: bytes) -> None:
    assert far.send(commands).endswith(b"+OK 3 messages (66 octets)\r\n")
    assert far.events == [Login(name="acme", password="right")]


def test_a_wrong_password_can_be_tried_again(far: Far) -> None:
    wrong = b"-ERR [AUTH] wrong user or password\r\n"
    assert far.send(b"USER acme\r\nPASS wrong\r\n") == b"+OK\r\n" + wrong
    assert far.send(b"PASS right\r\n") == b"-ERR USER comes first\r\n"
    assert far.send(b"USER acme\r\nPASS two words \xc3\xbc\r\n").endswith(wrong)
    assert far.events[-1] == Login(name="acme", password="two words ü")
    assert far.send(b"USER acme\r\nPASS right\r\n").endswith(b"octets)\r\n")


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        (b"AUTH PLAIN\r\n*\r\n", b"+ \r\n-ERR cancelled\r\n"),
        (b"AUTH PLAIN ***\r\n", b"-ERR not base64 of UTF-8\r\n"),
        (b"AUTH PLAIN =\r\n", b"-ERR expected: NUL, user, NUL, password\r\n"),
        (
            b"AUTH PLAIN " + plain("other\0acme\0right") + b"\r\n",
            b"-ERR expected: NUL, user, NUL, password\r\n",
        ),
        (b"AUTH PLAIN " + b64encode(b"\0\xff\0x") + b"\r\n", b"-ERR not base64 of UTF-8\r\n"),
        (b"AUTH CRAM-MD5\r\n", b"-ERR PLAIN is the only mechanism\r\n"),
        (b"AUTH\r\n", b"+OK\r\nPLAIN\r\n.\r\n"),
        (b"APOP acme x\r\n", b"-ERR unknown command\r\n"),
        (b"STAT\r\n", b"-ERR not in this state\r\n"),
        (b"PASS x\r\n", b"-ERR USER comes first\r\n"),
        (b"USER a\0b\r\n", b"-ERR an argument holds a NUL\r\n"),
        (b"USER \xff\r\n", b"-ERR an argument is not UTF-8\r\n"),
        (b"\r\n", b"-ERR unknown command\r\n"),
        (b"\xff\r\n", b"-ERR unknown command\r\n"),
        (b"UTF8\r\n", b"+OK\r\n"),
        (b"QUIT\r\n", b"+OK good bye\r\n"),
    ],
)
def test_what_is_said_before_a_login(far: Far, commands: bytes, answer: bytes) -> None:
    assert far.send(commands) == answer
    assert far.events == []


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"RETR\r\n", b"-ERR the number of a message is expected\r\n"),
        (b"RETR x\r\n", b"-ERR the number of a message is expected\r\n"),
        (b"RETR 0\r\n", b"-ERR there is no message 0\r\n"),
        (b"DELE -1\r\n", b"-ERR the number of a message is expected\r\n"),
        (b"LIST 4\r\n", b"-ERR there is no message 4\r\n"),
        (b"TOP 1\r\n", b"-ERR TOP takes a message and a number of lines\r\n"),
        (b"TOP 1 x\r\n", b"-ERR TOP takes a message and a number of lines\r\n"),
        (b"UIDL 99999999999\r\n", b"-ERR the number of a message is expected\r\n"),
        (b"USER x\r\n", b"-ERR not in this state\r\n"),
        (b"STLS\r\n", b"-ERR not in this state\r\n"),
    ],
)
def test_what_is_wrong_after_it(inside: Far, command: bytes, answer: bytes) -> None:
    assert inside.send(command) == answer
    assert inside.send(b"NOOP\r\n") == b"+OK\r\n"


# --- TLS and capabilities ---


def capabilities(far: Far) -> list[bytes]:
    first, *lines, dot, end = far.send(b"CAPA\r\n").split(b"\r\n")
    assert (first, dot, end) == (b"+OK", b".", b"")
    return lines


def test_capabilities() -> None:
    always = [b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE 30"]
    login, last = [b"USER", b"SASL PLAIN"], [b"UTF8", b"IMPLEMENTATION Test"]
    assert capabilities(Far()) == [*always, *login, b"LOGIN-DELAY 120", b"STLS", *last]
    assert capabilities(Far(is_tls=True)) == [*always, *login, b"LOGIN-DELAY 120", *last]
    strict = Policy(can_start_tls=True, require_tls=True, implementation="Test")
    assert capabilities(Far(strict)) == [*always, b"STLS", *last]
    assert capabilities(Far(strict, is_tls=True)) == [*always, *login, *last]


def test_what_was_sent_along_with_stls_is_forgotten(far: Far) -> None:
    assert far.send(b"USER x\r\nSTLS\r\nUSER acme\r\nPASS right\r\n") == b"+OK\r\n+OK begin TLS\r\n"
    assert far.events == [StartTls()]
    assert far.send(b"PASS right\r\n") == b"-ERR USER comes first\r\n"
    assert far.send(b"STLS\r\n") == b"-ERR TLS is active already\r\n"


def test_tls_that_is_not_offered() -> None:
    assert Far(Policy()).send(b"STLS\r\n") == b"-ERR TLS is not offered here\r\n"


@pytest.mark.parametrize("command", [b"USER acme\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN AA==\r\n"])
def test_no_password_before_tls_where_it_is_required(command: bytes) -> None:
    far = Far(Policy(can_start_tls=True, require_tls=True))
    assert far.send(command) == b"-ERR begin TLS first: STLS\r\n"
    far.send(b"STLS\r\n")
    assert far.send(b"USER acme\r\nPASS right\r\n").endswith(b"octets)\r\n")


# --- bounds ---


def test_a_line_that_is_too_long_is_passed_over(far: Far) -> None:
    for length in (LINE_LIMIT - 6, 100_000):
        far.send(b"USER " + b"x" * length)
        assert len(far.session._buffer) <= LINE_LIMIT
        assert far.send(b"\r\n") == b"-ERR a line has at most 512 octets\r\n"
    assert far.send(b"USER " + b"x" * (LINE_LIMIT - 7) + b"\r\n") == b"+OK\r\n"
    far.send(b"AUTH PLAIN\r\n")
    assert far.send(b"A" * 12_000 + b"\r\n").startswith(b"-ERR expected")
    far.send(b"AUTH PLAIN\r\n")
    assert far.send(b"A" * 13_000 + b"\r\n") == b"-ERR a line has at most 12288 octets\r\n"


def test_too_many_wrong_commands_end_the_session(far: Far) -> None:
    said = far.send(b"X\r\n" * (WRONG_LIMIT + 5))
    assert said.count(b"-ERR unknown command") == WRONG_LIMIT
    assert said.endswith(b"-ERR [SYS/PERM] too many wrong commands\r\n")
    assert far.session.is_closed
    assert far.send(b"CAPA\r\n") == b""


def test_what_waits_is_bounded_by_the_caller(far: Far) -> None:
    far.session.receive_data(b"USER a\r\nPASS b\r\n" + b"NOOP\r\n" * 20_000)
    assert far.session.is_full
    far.session.welcome(DROP)
    assert not far.session.is_full
    assert far.session.data_to_send().count(b"+OK\r\n") == 20_001
    assert FULL < 6 * 20_000


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.binary(max_size=60)
        | st.sampled_from(
            [f"{name} ".encode() for _, name in TABLE]
            + [b"\r\n", b"1", b"1 1", b"acme", b"right", b"\r\nNOOP\r\n"]
        ),
        max_size=30,
    )
)
def test_whatever_comes_each_line_has_its_answer_and_nothing_is_kept(pieces: list[bytes]) -> None:
    far = Far()
    for piece in pieces:
        far.send(piece)
        assert len(far.session._buffer) <= 12_288
    assert far.said.endswith(b"\r\n")
    for line in far.said.split(b"\r\n"):
        assert b"\n" not in line
    if not far.session.is_closed and far.session.state is State.TRANSACTION:
        assert far.send(b"\r\nNOOP\r\n").endswith((b"+OK\r\n", b"+OK good bye\r\n", b"commands\r\n", b""))


def test_top_of_a_mail_without_a_body() -> None:
    assert top(b"Subject: x\r\n", 5) == b"Subject: x\r\n"
