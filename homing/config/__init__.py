"""The configuration of a node: what can be set, how it is read, and the pages that are printed from it.

``load`` gives frozen ``Settings`` or raises one ``ConfigError`` that names everything that is wrong, each
with file, line and a hint. Secrets show in no ``repr`` and in no error.
"""

from homing.config.link import LinkSettings
from homing.config.problems import ConfigError, Problem
from homing.config.reader import check, find_file, load
from homing.config.rules import advice, host_and_port
from homing.config.settings import (
    HttpSettings,
    IntakeSettings,
    LogSettings,
    NodeSettings,
    PushSettings,
    Settings,
    SimulatorSettings,
    SubmitSettings,
)
from homing.config.template import template

__all__ = [
    "ConfigError",
    "HttpSettings",
    "IntakeSettings",
    "LinkSettings",
    "LogSettings",
    "NodeSettings",
    "Problem",
    "PushSettings",
    "Settings",
    "SimulatorSettings",
    "SubmitSettings",
    "advice",
    "check",
    "find_file",
    "host_and_port",
    "load",
    "template",
]
