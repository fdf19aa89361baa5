"""Logs show where something went wrong, and nothing of what was known there."""

import subprocess
import sys

import pytest

FAULT = """
import sys
import structlog
from homing.observe import configure_logging

configure_logging("info", sys.argv[1])

def login(password):
    raise ValueError("no good")

try:
    login("hunter" + str(2))
except ValueError as error:
    structlog.get_logger().error("failed", exc_info=error)
"""


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_traceback_shows_no_local_variables(format_: str) -> None:
    done = subprocess.run([sys.executable, "-c", FAULT, format_], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "no good" in done.stderr
    assert "login" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_log_that_cannot_be_written_stops_nothing(format_: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", f"{FAULT}\nprint('went on')", format_],
            stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert done.stdout == "went on\n"
