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
