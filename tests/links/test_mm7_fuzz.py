"""MM7 requests that are changed at random: none brings a crash, a hang, a row without its content, or a file
where none belongs. ``HOMING_FUZZ`` says how many; some thousand by default.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog

from homing.engine.rows import message_of
from homing.store import tables as t
from tests.engine.far import World, a_store, an_endpoint
from tests.links.relay import RELATED
from tests.links.test_mm7_server import REFUSED, SHAPES, Site

REQUESTS = int(os.environ.get("HOMING_FUZZ", "3000"))
LIMIT_S = 10.0
CODES = {1000, 2002, 2004, 2007, 4003}
"""No fault of ours among them, whatever comes."""
TOKENS = (
    b"\r\n", b"\n", b"\0", b"--outer", b"--outer--", b"--inner", b"\r\n\r\n", b"Content-Type: ", b"%00",
    b"multipart/mixed", b"; boundary=outer", b"Content-ID: <mms>", b"<", b">", b"&", b"&#x0;", b"]]>", b"CON",
    b"<![CDATA[", b"\xff\xfe", b"Content-Transfer-Encoding: base64\r\n", b"=\r\n", b"text/plain",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"name*=utf-16''%FF", b"../../../../etc/passwd",
    b"\xe2\x80\xae", b"charset=utf-16", b"application/smil", b"xmlns:m='", b"<m:To/>", b"displayOnly='true'",
    b"A" * 5000, b"0" * 400, b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"cid:", b"/TYPE=PLMN", b"\x85", b"\xc2",
)  # fmt: skip
BODIES = [body for body, _ in SHAPES.values()] + [
    body for body, content_type, _, _ in REFUSED.values() if content_type == RELATED and len(body) < 20_000
]
TYPES = (
    RELATED, RELATED, RELATED, RELATED, "multipart/mixed; boundary=outer", "text/xml", "image/gif", "",
    "multipart/x; boundary=",
    'multipart/related; boundary="outer"; start="<mms>"', 'multipart/related; boundary="outer\r\nX: y"',
)  # fmt: skip


def mutated(body: bytes, chance: random.Random) -> bytes:
    octets = bytearray(body)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(octets) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            octets[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del octets[at : at + chance.choice((1, 2, 10, 200))]
        elif kind == 2:
            octets[at:at] = chance.choice(TOKENS)
        elif kind == 3:
            octets[at:at] = octets[chance.randrange(len(octets) + 1) :][: chance.choice((5, 100, 2000))]
        elif kind == 4:
            other = chance.choice(BODIES)
            octets[at:] = other[chance.randrange(len(other)) :]
        elif chance.random() < 0.3:
            del octets[at:]
    # A transaction of its own, or else most of them would be repetitions.
    return bytes(octets).replace(b">T-1<", b">T-%d<" % chance.randrange(1 << 40), 1)


def read_all(site: Site) -> None:
    """Every message has its content, and every part of it is where the row says."""
    for row in site.world.rows(t.messages):
        message = message_of(row)
        assert message.mms is not None
        content = message.mms.content
        reader = site.blobs.open(content.sha256)
        octets = reader.read(0, content.size + 1)
        reader.close()
        assert len(octets) == content.size
        assert all(part.offset + part.size <= content.size for part in content.parts)
        assert all("/" not in part.name and not part.name.startswith(".") for part in content.parts)


@pytest.mark.timeout(3600)
def test_requests_that_are_changed_at_random(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chance = random.Random(20261130)
    codes: Counter[int] = Counter()

    async def go() -> None:
        database = a_store(tmp_path, an_endpoint(events=("report",)))
        site = Site(World(database), tmp_path)
        try:
            for _ in range(REQUESTS):
                body = mutated(chance.choice(BODIES), chance)
                async with asyncio.timeout(LIMIT_S):
                    code, details, _name = await site.status(
                        body, chance.choice(TYPES), step=chance.choice((1 + len(body) // 50, 700, 100_000))
                    )
                codes[code] += 1
                assert code in CODES, (code, details)
            assert site.leftovers() == []
            check(site)
        finally:
            site.threads.shutdown()
            site.world.stop()
            database.close()

    def check(site: Site) -> None:
        rows: Any = site.world.rows(t.messages)
        assert len(rows) + site.world.mms_intake.repeated == codes[1000]
        assert len(site.world.rows(t.contents)) == len(rows)
        read_all(site)

    try:
        asyncio.run(go())
    finally:
        structlog.reset_defaults()
    print(dict(codes))
    assert codes[1000] > REQUESTS // 20
    assert codes[2007] > REQUESTS // 20
    beside = {each.name for each in tmp_path.iterdir()} - {
        "homing.db",
        "homing.db-wal",
        "homing.db-shm",
        "mms",
    }
    assert beside == set()
