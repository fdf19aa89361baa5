"""The polling rule: one clock for each name, which a full page does not start."""

import pytest

import homing.engine.polling as polling
from homing.engine.polling import PollingRule


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_second_poll_waits_for_the_rest_of_the_interval() -> None:
    clock = Clock()
    rule = PollingRule(120, clock)
    assert rule.poll("a") == 0
    assert rule.poll("a") == 120
    assert rule.poll("b") == 0
    clock.now_s += 119.5
    assert rule.poll("a") == 0.5
    clock.now_s += 0.5
    assert rule.poll("a") == 0
    assert rule.poll("a") == 120


def test_a_refused_poll_does_not_start_the_clock_anew() -> None:
    clock = Clock()
    rule = PollingRule(120, clock)
    for wait_s in (0, 90, 60, 30, 0):
        assert rule.poll("a") == wait_s
        clock.now_s += 30


def test_what_is_forgiven_was_no_poll() -> None:
    rule = PollingRule(120, Clock())
    assert rule.poll("a") == 0
    rule.forgive("a")
    rule.forgive("b")
    assert rule.poll("a") == 0
    assert rule.poll("a") == 120


def test_an_interval_of_0_switches_it_off() -> None:
    rule = PollingRule(0, Clock())
    assert [rule.poll("a") for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "_MOST_KEPT", 3)
    rule = PollingRule(120, Clock())
    assert [rule.poll(name) for name in "abcd"] == [0] * 4
    assert [rule.poll(name) for name in "bcd"] == [120] * 3
    assert rule.poll("a") == 0
