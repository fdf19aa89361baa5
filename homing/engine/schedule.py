"""When a push is tried again: decides how one attempt came out. Pure; time and chance come in as arguments.

The retry list of a format is data; the configuration may give another. Jitter is only added, so no attempt
comes earlier than the list promises.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from homing.model.account import Format
from homing.model.delivery import Answer, Delivered, Outcome, Refused, Retry
from homing.wire.push import FORMATS

RETRY_S: Mapping[Format, tuple[int, ...]] = {name: format_.retry_s for name, format_ in FORMATS.items()}
"""The waits between attempts: n waits make n + 1 attempts."""

JITTER = 0.1
"""The largest part of a wait that is added by chance."""

_HINTING = frozenset({429, 503})  # RFC 6585 §4, RFC 9110 §15.6.4
_GONE = 410  # RFC 9110 §15.5.11


def decide(
    format_: Format,
    attempt: int,
    answer: Answer,
    now_ms: int,
    waits_s: Sequence[float],
    random: Callable[[], float],
) -> Outcome:
    """How attempt number ``attempt`` (from 1, in its round) came out, and when the next one is due.

    ``random`` gives numbers in [0, 1).
    """
    rule = FORMATS[format_]
    if rule.judge(answer):
        return Delivered()
    why = describe(answer)
    if rule.heeds_hints and answer.status == _GONE:
        return Refused(why=why, endpoint_gone=True)
    if rule.is_refused(answer):
        return Refused(why=why)
    if attempt > len(waits_s):
        return Refused(why=f"{why}; attempt {attempt} was the last")
    wait_s = waits_s[attempt - 1]
    if rule.heeds_hints and answer.retry_after is not None and answer.status in _HINTING:
        hint_s = read_retry_after(answer.retry_after, now_ms)
        if hint_s is not None:
            wait_s = max(wait_s, min(hint_s, max(waits_s)))
    return Retry(at_ms=now_ms + int(wait_s * 1000 * (1 + JITTER * random())), why=why)


def describe(answer: Answer) -> str:
    """What was wrong with an answer, in a few words for the trace."""
    if answer.status is None:
        return answer.error or "no answer"
    return f"status {answer.status}" if answer.length else f"status {answer.status} without a body"


def read_retry_after(text: str, now_ms: int) -> float | None:
    """The seconds that a Retry-After header asks to wait, from now; None when it is unreadable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(int(text[:12]))  # RFC 9110 §10.2.3
    try:
        at = parsedate_to_datetime(text)
        at_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return max(0.0, at_s - now_ms / 1000)
