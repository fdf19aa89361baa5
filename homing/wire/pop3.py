"""POP3, the server's side of a session, without a socket: octets in, events out, answers as octets.

RFC 1939 whole but APOP, which would need passwords that can be read again (ours are kept as hashes); with
CAPA and response codes (RFC 2449, RFC 3206), STLS (RFC 2595), AUTH PLAIN (RFC 5034) and UTF8 (RFC 6856). What
needs the world is an event that stops the session until it is answered: ``Login``, ``StartTls``, ``Fetch``,
``Update``. Commands that come meanwhile wait, as pipelining wants it, within a bound that the caller sees.

What goes wrong is ``-ERR`` and the session goes on; after too many wrong commands it ends.
"""

import re
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

import msgspec

from homing.wire.mail_pieces import stuffed

LINE_LIMIT: Final = 512
"""Octets of a command with its CRLF. RFC 2449 §4 asks for 255."""
SASL_LIMIT: Final = 12_288  # RFC 5034 §4
WRONG_LIMIT: Final = 10
"""Commands that made no sense, until the session is ended."""
FULL: Final = 65_536
"""Octets that wait for their turn; beyond, the caller stops reading."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class State(Enum):
    """RFC 1939 §3."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"
    UPDATE = "update"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody says who he is. Answered by ``welcome`` or ``refuse``."""

    name: str
    password: str


class StartTls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS begins when the answer has left; then ``tls_started``."""


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """A mail is asked for, by its place (1, 2, …); ``lines`` of its body, or all.

    Answered by ``give``, or piece by piece: ``begin``, ``add`` as often as it takes, ``end``.
    """

    number: int
    lines: int | None


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """The session ends: these places are to be deleted, those were retrieved. Answered by ``updated``."""

    deleted: tuple[int, ...]
    retrieved: tuple[int, ...]


Event = Login | StartTls | Fetch | Update

CODES: Final = ("AUTH", "IN-USE", "LOGIN-DELAY", "SYS/PERM", "SYS/TEMP")
"""Response codes. RFC 2449 §8, RFC 3206 §4"""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a session offers."""

    can_start_tls: bool = False
    require_tls: bool = False
    """No password before TLS."""
    login_delay_s: int = 0
    expire_d: int = 30
    implementation: str = "Homing"


class Pop3Session:
    """One session. ``receive_data`` what came, take ``data_to_send`` and ``event``, answer, and so on."""

    def __init__(self, policy: Policy, *, is_tls: bool = False) -> None:
        self._policy = policy
        self._is_tls = is_tls
        self.state = State.AUTHORIZATION
        self.event: Event | None = None
        """What the session waits for; nothing else happens meanwhile."""
        self.is_closed = False
        self._buffer = bytearray()
        self._is_overlong = False
        """The rest of a line that was too long is thrown away."""
        self._out: deque[bytes] = deque()
        self._name: str | None = None
        self._is_sasl = False
        """The next line is an answer to AUTH."""
        self._is_utf8 = False
        self._is_giving = False
        """In the middle of a mail."""
        self._wrong = 0
        self._drop: Sequence[tuple[str, int]] = ()
        self._deleted: set[int] = set()
        self._retrieved: set[int] = set()
        self._ok(f"{policy.implementation} is ready")

    # --- octets ---

    def receive_data(self, octets: bytes) -> None:
        """Take what came; does as much as can be done."""
        if not self.is_closed:
            self._buffer += octets
            self._go_on()

    def data_to_send(self) -> bytes:
        """All answers since the last time, joined."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing more should be read."""
        return len(self._buffer) > FULL

    # --- answers to events ---

    def welcome(self, drop: Sequence[tuple[str, int]]) -> None:
        """The login was right; ``drop`` are the mails: unique id and size in octets."""
        self._answered(Login)
        self.state = State.TRANSACTION
        self._drop = drop
        self._ok(f"{len(drop)} messages ({sum(size for _, size in drop)} octets)")
        self._go_on()

    def refuse(self, code: str, text: str) -> None:
        """The login was wrong, or cannot be now."""
        self._answered(Login)
        self._name = None
        self._error(text, code)
        self._go_on()

    def tls_started(self) -> None:
        """The handshake is done: the session begins anew, and forgets what came before it."""  # RFC 2595 §4
        self._answered(StartTls)
        self._is_tls = True
        self._name = None
        self._buffer.clear()

    def give(self, mail: bytes | None) -> None:
        """The mail that was asked for, with CRLF line ends; None = it cannot be had now."""
        event = self._answered(Fetch)
        assert isinstance(event, Fetch)
        if mail is None:
            self._error("the message cannot be read now", "SYS/TEMP")
        elif event.lines is None:
            self._retrieved.add(event.number)
            self._out += (b"+OK %d octets\r\n" % len(mail), stuffed(mail), b".\r\n")
        else:
            self._out += (b"+OK\r\n", stuffed(top(mail, event.lines)), b".\r\n")
        self._go_on()

    def begin(self, size: int) -> None:
        """The mail that was asked for comes in pieces; ``size`` is that of the whole mail."""
        assert isinstance(self.event, Fetch)
        self._is_giving = True
        self._out.append(b"+OK %d octets\r\n" % size if self.event.lines is None else b"+OK\r\n")

    def add(self, octets: bytes) -> None:
        """Some whole lines of what was asked for."""
        assert self._is_giving
        self._out.append(stuffed(octets))

    def end(self) -> None:
        """That was all of it."""
        assert self._is_giving
        event = self._answered(Fetch)
        assert isinstance(event, Fetch)
        self._is_giving = False
        if event.lines is None:
            self._retrieved.add(event.number)
        self._out.append(b".\r\n")
        self._go_on()

    def updated(self, is_done: bool) -> None:
        """Deleted for good, or not at all."""
        self._answered(Update)
        if is_done:
            self._ok("good bye")
        else:
            self._error("nothing was deleted, try again", "SYS/TEMP")
        self.is_closed = True

    def fail(self, text: str, code: str = "SYS/TEMP") -> None:
        """End the session with an error; in the middle of a mail without a word, which would be one of it."""
        if not self._is_giving:
            self._error(text, code)
        self.is_closed = True

    def _answered(self, kind: type) -> Event | None:
        event, self.event = self.event, None
        if not isinstance(event, kind):
            raise TypeError(f"the session waits for {event!r}, not for the answer to {kind.__name__}")
        return event

    # --- commands ---

    def _go_on(self) -> None:
        """Handle whole lines, one after the other, until one has to wait."""
        while self.event is None and not self.is_closed:
            end = self._buffer.find(b"\n")
            limit = SASL_LIMIT if self._is_sasl else LINE_LIMIT
            if end < 0:
                if len(self._buffer) > limit:
                    self._is_overlong = True
                    self._buffer.clear()
                return
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            if self._is_overlong or len(line) > limit:
                self._is_overlong = self._is_sasl = False
                self._is_wrong(f"a line has at most {limit} octets")
            elif self._is_sasl:
                self._sasl(line.strip())
            else:
                self._command(line)

    def _command(self, line: bytes) -> None:
        word, _, rest = line.rstrip(b"\r\n").partition(b" ")
        name = word.decode("ascii", "replace").upper()
        handler = TABLE.get((self.state, name))
        if handler is None:
            known = any(command == name for _, command in TABLE)
            self._is_wrong("not in this state" if known else "unknown command")
            return
        try:
            text = rest.decode("utf-8")
        except UnicodeDecodeError:
            self._is_wrong("an argument is not UTF-8")
            return
        if "\0" in text:
            self._is_wrong("an argument holds a NUL")
            return
        handler(self, text)

    def _ok(self, text: str = "") -> None:
        self._out.append(f"+OK {text}\r\n".encode() if text else b"+OK\r\n")

    def _error(self, text: str, code: str = "") -> None:
        said = f"[{code}] {text}" if code else text
        self._out.append(f"-ERR {said}\r\n".encode())

    def _is_wrong(self, text: str) -> None:
        self._error(text)
        self._wrong += 1
        if self._wrong >= WRONG_LIMIT:
            self.fail("too many wrong commands", "SYS/PERM")

    def _lines(self, text: str, lines: Sequence[str]) -> None:
        self._ok(text)
        self._out.append("".join(f"{line}\r\n" for line in [*lines, "."]).encode())

    # --- AUTHORIZATION ---

    def _user(self, name: str) -> None:
        if self._may_log_in():
            self._name = name
            self._ok()  # for every name: nobody learns which there are

    def _pass(self, password: str) -> None:
        if self._name is None:
            self._is_wrong("USER comes first")
        elif self._may_log_in():  # a password may have blanks. RFC 1939 §7
            self.event = Login(name=self._name, password=password)

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if not argument:
            self._lines("", ["PLAIN"])  # RFC 1734 is silent; clients that ask so expect a list
        elif mechanism.upper() != "PLAIN":
            self._is_wrong("PLAIN is the only mechanism")
        elif self._may_log_in():
            if initial:
                self._sasl(initial.encode())
            else:
                self._is_sasl = True
                self._out.append(b"+ \r\n")  # RFC 5034 §4

    def _sasl(self, line: bytes) -> None:
        """What a client answers to AUTH PLAIN: ``authzid NUL authcid NUL password``."""  # RFC 4616 §2
        self._is_sasl = False
        if line == b"*":
            self._error("cancelled")
            return
        try:
            parts = b64decode(b"" if line == b"=" else line, validate=True).decode("utf-8").split("\0")
        except ValueError:
            self._is_wrong("not base64 of UTF-8")
            return
        if len(parts) != 3 or parts[0] not in ("", parts[1]):
            self._is_wrong("expected: NUL, user, NUL, password")
            return
        self.event = Login(name=parts[1], password=parts[2])

    def _may_log_in(self) -> bool:
        if self._policy.require_tls and not self._is_tls:
            self._is_wrong("begin TLS first: STLS")
            return False
        return True

    def _stls(self, _argument: str) -> None:
        if not self._policy.can_start_tls or self._is_tls:
            self._is_wrong("TLS is active already" if self._is_tls else "TLS is not offered here")
            return
        self._buffer.clear()  # what was sent along was not protected
        self._ok("begin TLS")
        self.event = StartTls()

    def _capa(self, _argument: str) -> None:
        policy = self._policy
        lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", f"EXPIRE {policy.expire_d}"]
        if not policy.require_tls or self._is_tls:
            lines += ["USER", "SASL PLAIN"]
        if policy.login_delay_s:
            lines.append(f"LOGIN-DELAY {policy.login_delay_s}")
        if policy.can_start_tls and not self._is_tls:
            lines.append("STLS")
        lines += ["UTF8", f"IMPLEMENTATION {policy.implementation}"]
        self._lines("", lines)

    def _utf8(self, _argument: str) -> None:
        """Mails here are 7-bit whether it is asked for or not."""  # RFC 6856 §2.1
        self._is_utf8 = True
        self._ok()

    def _leave(self, _argument: str) -> None:
        self._ok("good bye")
        self.is_closed = True

    # --- TRANSACTION ---

    def _stat(self, _argument: str) -> None:
        there = self._there()
        self._ok(f"{len(there)} {sum(self._drop[number - 1][1] for number in there)}")

    def _list(self, argument: str) -> None:
        self._listed(argument, lambda number: str(self._drop[number - 1][1]))

    def _uidl(self, argument: str) -> None:
        self._listed(argument, lambda number: self._drop[number - 1][0])

    def _listed(self, argument: str, said: Callable[[int], str]) -> None:
        if argument.strip():
            number = self._number(argument)
            if number is not None:
                self._ok(f"{number} {said(number)}")
            return
        self._lines("", [f"{number} {said(number)}" for number in self._there()])

    def _retr(self, argument: str) -> None:
        number = self._number(argument)
        if number is not None:
            self.event = Fetch(number=number, lines=None)

    def _top(self, argument: str) -> None:
        first, _, second = argument.strip().partition(" ")
        if not _NUMBER.fullmatch(second.strip()):
            self._is_wrong("TOP takes a message and a number of lines")
            return
        number = self._number(first)
        if number is not None:
            self.event = Fetch(number=number, lines=int(second))

    def _dele(self, argument: str) -> None:
        number = self._number(argument)
        if number is not None:
            self._deleted.add(number)
            self._ok(f"message {number} deleted")

    def _noop(self, _argument: str) -> None:
        self._ok()

    def _rset(self, _argument: str) -> None:
        self._deleted.clear()
        self._stat("")

    def _quit(self, _argument: str) -> None:
        self.state = State.UPDATE
        kept = self._retrieved - self._deleted
        self.event = Update(deleted=tuple(sorted(self._deleted)), retrieved=tuple(sorted(kept)))

    def _there(self) -> Sequence[int]:
        everything = range(1, len(self._drop) + 1)
        return [n for n in everything if n not in self._deleted] if self._deleted else everything

    def _number(self, argument: str) -> int | None:
        """A message that is there; else the error has been said."""
        text = argument.strip()
        if not _NUMBER.fullmatch(text):
            self._is_wrong("the number of a message is expected")
            return None
        number = int(text)
        if not 0 < number <= len(self._drop) or number in self._deleted:
            self._error(f"there is no message {number}")
            return None
        return number


_A, _T = State.AUTHORIZATION, State.TRANSACTION
TABLE: Final[Mapping[tuple[State, str], Callable[[Pop3Session, str], None]]] = {
    (_A, "USER"): Pop3Session._user,  # RFC 1939 §7
    (_A, "PASS"): Pop3Session._pass,  # RFC 1939 §7
    (_A, "AUTH"): Pop3Session._auth,  # RFC 5034 §4
    (_A, "STLS"): Pop3Session._stls,  # RFC 2595 §4
    (_A, "CAPA"): Pop3Session._capa,  # RFC 2449 §5
    (_A, "UTF8"): Pop3Session._utf8,  # RFC 6856 §2
    (_A, "QUIT"): Pop3Session._leave,  # RFC 1939 §4
    (_T, "STAT"): Pop3Session._stat,  # RFC 1939 §5
    (_T, "LIST"): Pop3Session._list,  # RFC 1939 §5
    (_T, "RETR"): Pop3Session._retr,  # RFC 1939 §5
    (_T, "DELE"): Pop3Session._dele,  # RFC 1939 §5
    (_T, "NOOP"): Pop3Session._noop,  # RFC 1939 §5
    (_T, "RSET"): Pop3Session._rset,  # RFC 1939 §5
    (_T, "TOP"): Pop3Session._top,  # RFC 1939 §7
    (_T, "UIDL"): Pop3Session._uidl,  # RFC 1939 §7
    (_T, "CAPA"): Pop3Session._capa,  # RFC 2449 §5
    (_T, "QUIT"): Pop3Session._quit,  # RFC 1939 §6
}
"""What each command does in each state; what is missing is an error."""


def top(mail: bytes, lines: int) -> bytes:
    """Headers, the blank line, and so many lines of the body."""  # RFC 1939 §7
    head, blank, body = mail.partition(b"\r\n\r\n")
    return head + blank + b"".join(body.splitlines(keepends=True)[:lines])
