"""Far sides that are programs of the machine: mail programs, PHP."""

import os
import shutil


def is_to_be_tried(program: str) -> bool:
    """Whether it is here; continuous integration must have all, so that there none is left out unnoticed."""
    return shutil.which(program) is not None or os.environ.get("CI") == "true"
