"""Mails in pieces: their size before they are encoded, and what is sent of them."""

import os
from base64 import b64decode, encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.mail_pieces import (
    LINE_OCTETS,
    MailPieces,
    encoded,
    encoded_size,
    lines_of,
    stuffed,
    top_of,
)
from homing.wire.pop3 import top
from homing.wire.streamed import Slice

CONTENT = os.urandom(700)
LINES = st.lists(st.binary(max_size=30).map(lambda line: line.translate(None, b"\r\n")), max_size=6).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)
SLICES = st.builds(Slice, st.integers(0, 300), st.integers(0, 400))


def written(mail: MailPieces) -> bytes:
    """The octets that are sent."""
    return b"".join(
        piece if isinstance(piece, bytes) else encoded(CONTENT[piece.offset : piece.offset + piece.size])
        for piece in mail.pieces
    )


@pytest.mark.parametrize("size", range(201))
def test_the_size_is_known_before(size: int) -> None:
    octets = os.urandom(size)
    made = encoded(octets)
    assert len(made) == encoded_size(size)
    assert made.count(b"\r\n") == lines_of(size)
    assert made == encodebytes(octets).replace(b"\n", b"\r\n")
    assert b64decode(made) == octets


@given(octets=st.binary(max_size=1000), lines=st.integers(1, 5))
def test_chunks_of_whole_lines_are_the_whole(octets: bytes, lines: int) -> None:
    step = lines * LINE_OCTETS
    view = memoryview(octets)
    assert b"".join(encoded(view[at : at + step]) for at in range(0, len(view), step)) == encoded(octets)


@given(
    head=LINES,
    body=LINES,
    rest=st.lists(LINES | SLICES, max_size=5),
    lines=st.integers(0, 30) | st.just(999_999_999),
)
def test_the_top_is_that_of_the_whole_mail(
    head: bytes, body: bytes, rest: list[bytes | Slice], lines: int
) -> None:
    head = b"Subject: x\r\n" + head.replace(b"\r\n\r\n", b"\r\n")
    mail = MailPieces(sha256="ab", pieces=(head + b"\r\n" + body, *rest))
    assert len(mail) == len(written(mail))
    assert written(top_of(mail, lines)) == top(written(mail), lines)


@given(mail=st.binary().map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_stuffing_is_undone_by_the_receiver(mail: bytes) -> None:
    sent = stuffed(mail)
    assert b"\r\n.\r\n" not in b"\r\n" + sent
    lines = [line[1:] if line.startswith(b".") else line for line in sent.split(b"\r\n")]
    assert b"\r\n".join(lines) in (mail, mail + b"\r\n")
