"""Signatures: the vector that every library shares, and the reference library itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.wire.standard_webhooks import read_secret, sign, spell_secret


def test_the_published_vector() -> None:
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign((key,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64))
def test_a_key_and_its_secret_are_the_same(key: bytes) -> None:
    assert read_secret(spell_secret(key)) == key
    assert read_secret(spell_secret(key).removeprefix("whsec_")) == key


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_QUJD", "whsec_" + "é" * 40, "whsk_" + "QUJD" * 10])
def test_other_things_are_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        read_secret(secret)
