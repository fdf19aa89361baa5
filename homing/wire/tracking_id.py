"""Tracking ids: how the Upside faces name a submission, ``MTID`` and its id in at least 18 digits."""

import re

from homing.model.clock import LARGEST_ID

_TRACKING_ID = re.compile(r"(?:MTID)?([0-9]{1,19})", re.IGNORECASE)


def tracking_id(submission: int) -> str:
    """The name of a submission, such as ``MTID119946997360917165``."""
    return f"MTID{submission:018d}"


def submission_of(text: str) -> int | None:
    """The submission that a name stands for, written with or without ``MTID``; None when it is none."""
    match = _TRACKING_ID.fullmatch(text.strip())
    if match is None or not match[1].isascii():
        return None
    submission = int(match[1])
    return submission if 0 < submission <= LARGEST_ID else None
