"""A real S3 service for tests: moto behind a socket of its own, in this process, which ends with the test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.request import Request, urlopen

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer


@contextmanager
def running_s3() -> Iterator[str]:
    """The address of a service."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(endpoint: str, name: str) -> None:
    with urlopen(Request(f"{endpoint}/{name}", method="PUT")) as answer:
        assert answer.status == 200


def set_time(bucket: str, prefix: str, written_at: datetime) -> None:
    """Make the objects of a bucket with this beginning of their keys look as if they were written then."""
    for key, written in _objects(bucket).items():
        if key.startswith(prefix):
            written.last_modified = written_at


def keys(bucket: str) -> list[str]:
    return sorted(_objects(bucket))


def etags(bucket: str) -> list[str]:
    """One that was uploaded in parts has their number at the end."""
    return [each.etag.strip('"') for each in _objects(bucket).values()]


def _objects(bucket: str) -> dict[str, Any]:
    objects: dict[str, Any] = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
    return objects
