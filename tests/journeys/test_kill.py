"""kill -9 at random instants, fifty times: nothing that was acknowledged is lost, nothing is stuck."""

import asyncio
from pathlib import Path

import pytest

from tests.journeys.kill import SETTLE_S, run

KILLS = 50


@pytest.mark.timeout(900)
def test_kill_at_any_instant_loses_nothing(tmp_path: Path) -> None:
    tally = asyncio.run(run(KILLS, 7, tmp_path))
    print(tally)
    assert tally.kills == KILLS
    assert tally.missing == []
    assert tally.wrong == []
    assert min(tally.received, tally.submitted) > KILLS  # traffic did flow, both ways
    assert max(tally.settle_s) <= SETTLE_S
