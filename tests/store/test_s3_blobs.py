"""Contents where S3 is spoken: what is asked of the service, and what is made of its answers."""

import itertools
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from homing.engine.contents import ORPHAN_S
from homing.model.errors import StoreUnavailable
from homing.store import s3_blobs as module
from homing.store.s3_blobs import FRESH_S, READ_AHEAD, UPLOAD_PART, S3Blobs
from tests import s3
from tests.store.shelves import KEY, KEY_ID, S3Shelf, kept, read, spooled

LATER = 2 * ORPHAN_S


_buckets = itertools.count(1)


@pytest.fixture
def shelf(s3_endpoint: str, tmp_path: Path) -> S3Shelf:
    return S3Shelf(s3_endpoint, f"s3-{next(_buckets)}", tmp_path)


def count(shelf: S3Shelf) -> int:
    return len(s3.keys(shelf.bucket))


# --- objects ---


def test_a_content_is_an_object_under_its_hash(shelf: S3Shelf) -> None:
    content = kept(shelf.contents)
    (key,) = s3.keys(shelf.bucket)
    assert key.startswith(f"mms/here/{content.sha256}/")
    assert key.endswith(".zip")


def test_a_large_content_is_uploaded_in_parts(shelf: S3Shelf) -> None:
    kept(shelf.contents, (("a.bin", "application/x-a", b"a" * (2 * UPLOAD_PART)),))
    (etag,) = s3.etags(shelf.bucket)
    assert etag.endswith("-3")  # two parts and the rest of the zip


def test_a_young_content_is_not_uploaded_again(shelf: S3Shelf) -> None:
    content = kept(shelf.contents)
    (former,) = s3.keys(shelf.bucket)
    shelf.age(content.sha256, time.time() - FRESH_S + 60)
    kept(shelf.another())
    assert s3.keys(shelf.bucket) == [former]
    shelf.age(content.sha256, time.time() - FRESH_S)
    kept(shelf.another())
    (present,) = s3.keys(shelf.bucket)
    assert present != former


def test_one_that_is_kept_while_the_old_one_is_taken_away_stays(
    shelf: S3Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = kept(shelf.contents)
    shelf.age(content.sha256, time.time() - LATER)
    delete = module.obstore.delete

    def kept_before(store: object, path: str) -> None:
        monkeypatch.undo()
        kept(shelf.another())
        delete(store, path)  # type: ignore[arg-type]

    monkeypatch.setattr(module.obstore, "delete", kept_before)
    shelf.contents.remove(content.sha256, time.time())
    assert count(shelf) == 1
    assert read(shelf.contents, content.sha256)


def test_an_old_copy_goes_and_a_young_one_stays(shelf: S3Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    content = kept(shelf.contents)
    shelf.age(content.sha256, time.time() - LATER)
    monkeypatch.setattr(module.obstore, "delete", _refuses)  # who keeps it cannot take the old one away
    kept(shelf.another())
    assert count(shelf) == 2
    monkeypatch.undo()
    assert list(shelf.contents.old_names(time.time())) == [content.sha256]
    assert not shelf.contents.remove(content.sha256, time.time())
    assert count(shelf) == 1


def test_other_objects_of_the_bucket_are_let_be(shelf: S3Shelf) -> None:
    content = kept(shelf.contents)
    for path in ("readme.txt", f"{content.sha256}/readme.txt", f"{content.sha256}", "a/b.zip"):
        module.obstore.put(shelf.made()._store, path, b"not ours")
    assert list(shelf.contents.old_names(time.time() + LATER)) == [content.sha256]
    assert shelf.contents.remove(content.sha256, time.time() + LATER)
    assert count(shelf) == 4
    with pytest.raises(FileNotFoundError):
        shelf.contents.open(content.sha256)


# --- reading ---


def test_a_stream_takes_few_requests(shelf: S3Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    content = kept(shelf.contents, (("a.bin", "application/x-a", b"a" * (3 * READ_AHEAD)),))
    asked: list[tuple[int, int]] = []
    get_range = module.obstore.get_range

    def noted(store: object, path: str, *, start: int, end: int) -> object:
        asked.append((start, end))
        return get_range(store, path, start=start, end=end)  # type: ignore[arg-type]

    monkeypatch.setattr(module.obstore, "get_range", noted)
    assert len(read(shelf.contents, content.sha256, READ_AHEAD // 4)) == content.size
    assert [start for start, _end in asked] == [n * READ_AHEAD for n in range(4)]
    assert asked[-1][1] == content.size


def test_who_reads_goes_on_when_another_object_has_the_same(shelf: S3Shelf) -> None:
    content = kept(shelf.contents)
    whole = read(shelf.contents, content.sha256)
    shelf.age(content.sha256, time.time() - LATER)
    reader = shelf.contents.open(content.sha256)
    kept(shelf.another())  # and the object that is open is gone
    assert reader.read(0, content.size) == whole
    reader.close()


def test_a_content_that_goes_while_it_is_read_is_trouble(shelf: S3Shelf) -> None:
    content = kept(shelf.contents)
    reader = shelf.contents.open(content.sha256)
    assert shelf.contents.remove(content.sha256, time.time() + LATER)
    with pytest.raises(StoreUnavailable, match="went while it was read"):
        reader.read(0, 10)


# --- trouble ---


def test_a_bucket_that_is_not_there_is_trouble_and_not_a_content_that_is_gone(shelf: S3Shelf) -> None:
    blobs = S3Blobs(
        "s3://no-such-bucket", shelf._path, endpoint=shelf._endpoint, access_key_id="a", secret_access_key="b"
    )
    spool, chosen = spooled(blobs)
    for do in (
        lambda: blobs.keep(spool, chosen),
        lambda: blobs.open("a" * 64),
        lambda: blobs.remove("a" * 64, time.time()),
        lambda: list(blobs.old_names(time.time())),
    ):
        with pytest.raises(StoreUnavailable, match=r"the S3 service answers 404 Not Found, NoSuchBucket$"):
            do()
    spool.close()


def test_an_upload_that_took_too_long_is_trouble(shelf: S3Shelf) -> None:
    clock = iter((time.time(), time.time() + FRESH_S))
    slow = shelf.made(clock=lambda: next(clock))
    spool, chosen = spooled(slow)
    with pytest.raises(StoreUnavailable, match="the upload took too long"):
        slow.keep(spool, chosen)
    spool.close()


def test_a_service_that_does_not_answer_is_given_up(shelf: S3Shelf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blobs = shelf.made(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match="the S3 service does not answer, or there is no"):
            blobs.open("a" * 64)
        assert time.monotonic() - begun < 5


def test_what_is_said_of_trouble_shows_no_key_and_no_address(shelf: S3Shelf) -> None:
    body = f"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId>{KEY}</Error>"
    with answering(403, body) as (endpoint, _asked):
        blobs = shelf.made(endpoint=endpoint)
        with pytest.raises(StoreUnavailable) as raised:
            blobs.open("a" * 64)
    assert str(raised.value) == (
        "the content store: the S3 service answers 403 Forbidden, SignatureDoesNotMatch"
    )
    said = "".join(traceback.format_exception(raised.value)) + repr(blobs._store) + repr(blobs._store.config)
    assert KEY_ID not in said
    assert KEY not in said


def test_the_keys_of_the_configuration_are_not_mixed_with_those_of_the_environment(
    shelf: S3Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-session")
    with answering(403, "") as (endpoint, asked):
        for blobs in (
            shelf.made(endpoint=endpoint),
            shelf.made(endpoint=endpoint, access_key_id="", secret_access_key=""),
        ):
            with pytest.raises(StoreUnavailable, match=r"403 Forbidden$"):
                blobs.open("a" * 64)
    ours, theirs = asked
    assert f"Credential={KEY_ID}/" in ours["Authorization"]
    assert "/us-east-1/s3/" in ours["Authorization"]
    assert "X-Amz-Security-Token" not in ours
    assert "Credential=of-the-environment/" in theirs["Authorization"]
    assert theirs["X-Amz-Security-Token"] == "of-a-session"


def test_certificates_are_verified(shelf: S3Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with answering(403, "", authority.issue_cert("127.0.0.1")) as (endpoint, asked):
        with pytest.raises(StoreUnavailable, match="the S3 service does not answer"):
            shelf.made(endpoint=endpoint).open("a" * 64)
        assert asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with pytest.raises(StoreUnavailable, match="the S3 service answers 403 Forbidden"):
            shelf.made(endpoint=endpoint).open("a" * 64)
        assert len(asked) == 1


def test_a_secure_service_is_not_spoken_to_in_the_clear(shelf: S3Shelf) -> None:
    with answering(403, "") as (endpoint, asked):
        blobs = shelf.made(endpoint=endpoint.replace("http:", "https:"))
        with pytest.raises(StoreUnavailable, match="does not answer"):
            blobs.open("a" * 64)
    assert asked == []


def _refuses(*_: object) -> None:
    raise OSError("no")


@contextmanager
def answering(
    status: int, body: str, certificate: trustme.LeafCert | None = None
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A service that always answers so: its address, and the headers of what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({name.title(): value for name, value in self.headers.items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
