"""Mail programs as people have them: how each is told to empty a mailbox into a directory of files."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Security = Literal["plain", "stls", "tls"]


class Account(NamedTuple):
    """Where and as whom to collect."""

    port: int
    security: Security
    ca_file: Path
    user: str
    password: str


class Program(NamedTuple):
    """One program: ``prepare`` writes its settings into its home and gives its command line."""

    prepare: Callable[[Account, Path], Sequence[str]]
    secured: Security
    """What it can do beside plain connections."""


def inbox(home: Path) -> Path:
    """Where the mails come to, a file each."""
    return home / "mails" / "new"


def _private(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path


def _poplib(account: Account, home: Path) -> Sequence[str]:
    arguments = (account.port, account.security, account.ca_file, account.user, account.password, inbox(home))
    return [sys.executable, "-m", "tests.journeys.poplib_program", *map(str, arguments)]


def _store(home: Path) -> Path:
    """A script that puts the mail of its standard input into a file, whole or not at all."""
    return _private(
        home / "store",
        f"file={shlex.quote(str(home / 'mails' / 'tmp'))}/$$\n"
        f'cat > "$file" && exec mv "$file" {shlex.quote(str(inbox(home)))}\n',
    )


def _fetchmail(account: Account, home: Path) -> Sequence[str]:
    tls = {"plain": "sslproto ''", "stls": f"sslproto 'auto' sslcertck sslcertfile '{account.ca_file}'"}
    settings = _private(
        home / "fetchmailrc",
        f'poll localhost protocol pop3 port {account.port} uidl user "{account.user}" '
        f'password "{account.password}" {tls[account.security]} fetchall nokeep mda "sh {_store(home)}"\n',
    )
    return ["fetchmail", "-f", str(settings), "--idfile", str(home / "ids"), "--pidfile", str(home / "pid")]


def _mpop(account: Account, home: Path) -> Sequence[str]:
    tls = {"plain": "tls off", "stls": f"tls on\ntls_starttls on\ntls_trust_file {account.ca_file}"}
    settings = _private(
        home / "mpoprc",
        f"account a\nhost localhost\nport {account.port}\nuser {account.user}\npassword {account.password}\n"
        f"auth user\n{tls[account.security]}\nkeep off\nreceived_header off\nuidls_file {home / 'uidls'}\n"
        f"delivery maildir {home / 'mails'}\n",
    )
    return ["mpop", "--file", str(settings), "a"]


def _getmail(account: Account, home: Path) -> Sequence[str]:
    kind, tls = "SimplePOP3Retriever", ""
    if account.security == "tls":
        kind, tls = "SimplePOP3SSLRetriever", f"ca_certs = {account.ca_file}\n"
    _private(
        home / "getmailrc",
        f"[retriever]\ntype = {kind}\nserver = localhost\nport = {account.port}\n"
        f"username = {account.user}\npassword = {account.password}\n{tls}"
        f'[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("{_store(home)}",)\n'
        "allow_root_commands = true\n"
        "[options]\ndelete = true\ndelivered_to = false\nreceived = false\n",
    )
    return ["getmail", "--getmaildir", str(home), "--rcfile", "getmailrc"]


PROGRAMS: Mapping[str, Program] = {
    "poplib": Program(_poplib, "stls"),
    "fetchmail": Program(_fetchmail, "stls"),
    "mpop": Program(_mpop, "stls"),
    "getmail": Program(_getmail, "tls"),  # it has no STLS
}
