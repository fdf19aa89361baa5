"""The least mail program, of the standard library: collects each mail into a file of its unique id.

python -m tests.journeys.poplib_program PORT plain|stls|tls CA-FILE USER PASSWORD DIRECTORY
"""

import poplib
import ssl
import sys
from pathlib import Path


def main(port: str, security: str, ca_file: str, user: str, password: str, directory: str) -> None:
    """Empty the mailbox: what is in a file is deleted there, and nothing else."""
    session = poplib.POP3("localhost", int(port), timeout=30)
    if security == "stls":
        session.stls(ssl.create_default_context(cafile=ca_file))
    session.user(user)
    session.pass_(password)
    for line in session.uidl()[1]:
        number, name = line.decode().split()
        lines = session.retr(int(number))[1]
        Path(directory, name).write_bytes(b"\r\n".join(lines) + b"\r\n")
        session.dele(int(number))
    session.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
