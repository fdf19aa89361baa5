"""The table of network codes: whole, unambiguous, and the one in the reference."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.model.networks import CODES, NETWORKS, is_network_code, network_of, read_carrier_code
from tests.docs.pages import page


def test_every_code_stands_once_and_in_form() -> None:
    codes = [network.code for network in NETWORKS]
    assert len(set(codes)) == len(codes) == 78
    assert all(is_network_code(code) for code in codes)
    endings = {"GB": "UK"}
    assert all(
        n.code.endswith(endings.get(n.country, n.country)) for n in NETWORKS if n.code != "NUCLANATURITAUS"
    )
    assert all(n.name and n.name == n.name.strip() for n in NETWORKS)
    order = [(n.country, n.code) for n in NETWORKS]
    assert order == sorted(order)


def test_mcc_and_mnc_belong_to_one_network_of_that_country() -> None:
    numbers = [number for network in NETWORKS for number in network.carrier_codes]
    assert len(set(numbers)) == len(numbers)
    countries = {"AU": "505", "CA": "302", "GB": "234|235", "IE": "272", "US": "31[0-6]"}
    for network in NETWORKS:
        for number in network.carrier_codes:
            assert re.fullmatch(rf"({countries[network.country]})\d{{2,3}}", number), network
            assert network_of(number) == network.code
    assert network_of(None) is network_of("00101") is None


def test_codes_of_the_interface_are_there() -> None:
    """mx.md §9."""
    assert {"TELSTRAAU", "O2IE", "THREEIE", "BTCELLNETUK", "THREEUK", "TMOBILEUK", "CINGULARUS"} <= CODES


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("23410", "23410"), ("310410", "310410"), ("234-10", "23410"), ("310:410", "310410"),
        (" 23410\0", "23410"),
        ("234", None), ("", None), ("2341", None), ("31041012", None), ("O2", None), ("٢٣٤١٠", None),
    ],
)  # fmt: skip
def test_networks_write_mcc_and_mnc_in_several_ways(text: str, read: str | None) -> None:
    assert read_carrier_code(text) == read


@given(text=st.text())
def test_any_text_is_read(text: str) -> None:
    read = read_carrier_code(text)
    assert read is None or re.fullmatch("[0-9]{5,6}", read)


@pytest.mark.parametrize("text", ["", "O2-UK", "o2uk", "A" * 41, "O2UK\n", "Ö2UK"])
def test_what_has_not_the_form(text: str) -> None:
    assert not is_network_code(text)


def test_the_reference_shows_the_table() -> None:
    shown = re.findall(
        r"^\| `([A-Z0-9]+)` \| (..) \| (.*?) \| ([0-9 ]*) \|$", page("networks.md"), re.MULTILINE
    )
    assert [(code, country, name, tuple(numbers.split())) for code, country, name, numbers in shown] == list(
        NETWORKS
    )
