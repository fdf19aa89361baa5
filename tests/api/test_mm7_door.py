"""The door of MM7 links: who is let in, and that nobody else's request is read."""

from base64 import b64encode
from typing import Any

import pytest

from homing.api.mm7_door import Relay
from homing.api.plain import Receive, Scope, Send, answer, read_body
from tests.api.running import FAILURES_PER_MIN, RunningGateway


class FarLink:
    """Answers with what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await read_body(scope, receive, 1000))
        await answer(send, 200, b"in")


@pytest.fixture
def link() -> FarLink:
    return FarLink()


@pytest.fixture
def gateway_settings(link: FarLink) -> dict[str, Any]:
    near = {"addresses": ("127.0.0.0/8",)}
    return {
        "relays": {
            "open": Relay(app=link, **near),
            "login": Relay(app=link, user="relay", password="pässword"),
            "both": Relay(app=link, user="relay", password="pässword", **near),
            "far": Relay(app=link, addresses=("192.0.2.0/24",)),
        }
    }


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


RIGHT = basic("relay", "pässword")


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        ("open", {}, 200), ("login", RIGHT, 200), ("both", RIGHT, 200), ("far", {}, 403), ("nobody", {}, 404),
        ("", {}, 404), ("login/x", RIGHT, 404), ("login", {}, 401), ("both", {}, 401),
        ("login", basic("relay", "wrong"), 401), ("login", basic("other", "pässword"), 401),
        ("login", {"authorization": "Bearer x"}, 401), ("login", {"authorization": "Basic !"}, 401),
        ("login", {"authorization": "Basic cmVsYXk="}, 401), ("login", {"authorization": "Basic /w=="}, 401),
    ],
)  # fmt: skip
def test_who_is_let_in(
    gateway: RunningGateway, link: FarLink, name: str, headers: dict[str, str], status: int
) -> None:
    answered = gateway.client.post(f"/mm7/{name}", content=b"hello", headers=headers)
    assert answered.status_code == status
    assert link.bodies == ([b"hello"] if status == 200 else [])
    assert ("www-authenticate" in answered.headers) is (status == 401)


def test_guesses_are_slowed_and_the_right_login_is_not(gateway: RunningGateway) -> None:
    statuses = [
        gateway.client.post("/mm7/login", headers=basic("relay", f"guess {n}")).status_code
        for n in range(FAILURES_PER_MIN + 2)
    ]
    assert statuses == [401] * FAILURES_PER_MIN + [429] * 2
    assert gateway.client.post("/mm7/login", headers=RIGHT).status_code == 200
    gateway.time_s += 60
    assert gateway.client.post("/mm7/login", headers=basic("relay", "x")).status_code == 401
