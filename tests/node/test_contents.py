"""Where contents of a node are, and how links to them begin."""

from pathlib import Path

import pytest

from homing.config import HttpSettings, NodeSettings, Settings
from homing.config.settings import MmsSettings
from homing.node.contents import content_links, contents_directory
from homing.wire.content_link import link_key
from tests.store.test_customers import an_account


@pytest.mark.parametrize(
    ("settings", "base_url"),
    [
        (Settings(), "http://127.0.0.1:8080"),
        (Settings(http=HttpSettings(listen="", listen_tls="[::1]:8443")), "https://[::1]:8443"),
        (Settings(mms=MmsSettings(public_url="https://gateway.example.net")), "https://gateway.example.net"),
        (Settings(mms=MmsSettings(public_url="https://example.net/sms/")), "https://example.net/sms"),
    ],
)
def test_links_begin_where_customers_reach_the_gateway(settings: Settings, base_url: str) -> None:
    account = an_account("acme")
    links = content_links(settings, account)
    assert (links.base_url, links.life_s) == (base_url, settings.mms.link_s)
    assert links.key == link_key(account.api_key_hash)
    assert links.link(7, 1, 0).startswith(f"{base_url}/mms/v1/content/7/1?until=")


def test_contents_are_beside_the_store_or_where_the_configuration_says() -> None:
    node = NodeSettings(data_dir=Path("data"))
    assert contents_directory(Settings(node=node)) == Path("data/mms")
    assert contents_directory(Settings(node=node, mms=MmsSettings(directory=Path("x")))) == Path("x")
