"""The content store that a configuration names, what can be said of it before, and how links to it begin."""

from pathlib import Path

import pytest

from homing.config import HttpSettings, Settings, load
from homing.config.settings import MmsSettings
from homing.model.errors import StoreUnavailable
from homing.node.contents import content_links, contents_directory, doubts, open_contents
from homing.store.blobs import LocalBlobs
from homing.store.s3_blobs import S3Blobs
from homing.wire.content_link import link_key
from tests.s3 import keys, make_bucket, running_s3
from tests.store.shelves import kept, read
from tests.store.test_customers import an_account


def settings(tmp_path: Path, text: str = "") -> Settings:
    (tmp_path / "homing.toml").write_text(f'[node]\ndata_dir = "data"\n[mms]\n{text}\n')
    return load(tmp_path / "homing.toml", {})


def test_contents_are_in_the_data_directory_unless_it_says_otherwise(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert contents_directory(made) == tmp_path / "data" / "mms"
    contents = open_contents(made)
    assert isinstance(contents, LocalBlobs)
    content = kept(contents)
    assert (tmp_path / "data" / "mms" / content.sha256[:2] / f"{content.sha256}.zip").exists()
    elsewhere = settings(tmp_path, 'directory = "shared/mms"')
    open_contents(elsewhere)
    assert (tmp_path / "shared" / "mms" / "incoming").is_dir()


def test_contents_are_where_s3_is_spoken(tmp_path: Path) -> None:
    with running_s3() as endpoint:
        make_bucket(endpoint, "mms-bucket")
        contents = open_contents(
            settings(
                tmp_path,
                f'store = "s3://mms-bucket/a/b/"\ns3_endpoint = "{endpoint}/"\ns3_region = "eu-west-2"\n'
                's3_access_key_id = "key"\ns3_secret_access_key = "secret"',
            )
        )
        assert isinstance(contents, S3Blobs)
        content = kept(contents)
        assert read(contents, content.sha256)
        (key,) = keys("mms-bucket")
    assert key.startswith(f"a/b/{content.sha256}/")
    assert list((tmp_path / "data" / "mms").rglob("*")) == [tmp_path / "data" / "mms" / "incoming"]


def test_a_service_is_not_asked_before_it_is_needed(tmp_path: Path) -> None:
    for text in ('store = "s3://bucket"', 'store = "s3://bucket/"\ns3_endpoint = "http://127.0.0.1:9"'):
        assert isinstance(open_contents(settings(tmp_path, text)), S3Blobs)


def test_a_directory_that_cannot_be_made_is_said_before_and_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir()
    assert list(doubts(settings(tmp_path))) == []
    assert not (tmp_path / "data").exists()  # nothing is made by looking
    wrong = settings(tmp_path, 'directory = "file/mms"')
    assert list(doubts(wrong)) == [f"contents of MMS: {tmp_path / 'file'} is no directory"]
    for text in ("", 'store = "s3://bucket"\n'):
        with pytest.raises(StoreUnavailable, match="the content store: "):
            open_contents(settings(tmp_path, text + 'directory = "file/mms"'))


def test_a_directory_of_somebody_else_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def access(path: Path, mode: int) -> bool:  # who runs the tests may write anywhere
        asked.append(path)
        return False

    monkeypatch.setattr("os.access", access)
    assert list(doubts(settings(tmp_path))) == [f"contents of MMS: {tmp_path} cannot be written by this user"]
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("made", "base_url"),
    [
        (Settings(), "http://127.0.0.1:8080"),
        (Settings(http=HttpSettings(listen="", listen_tls="[::1]:8443")), "https://[::1]:8443"),
        (Settings(mms=MmsSettings(public_url="https://gateway.example.net")), "https://gateway.example.net"),
        (Settings(mms=MmsSettings(public_url="https://example.net/sms/")), "https://example.net/sms"),
    ],
)
def test_links_begin_where_customers_reach_the_gateway(made: Settings, base_url: str) -> None:
    account = an_account("acme")
    links = content_links(made, account)
    assert (links.base_url, links.life_s) == (base_url, made.mms.link_s)
    assert links.key == link_key(account.api_key_hash)
    assert links.link(7, 1, 0).startswith(f"{base_url}/mms/v1/content/7/1?until=")
