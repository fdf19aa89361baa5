"""Times as SMPP 3.4 writes them: ``YYMMDDhhmmsstnnp``. SMPP 3.4 §7.1.1

Promises: ``absolute_time`` is UTC; ``relative_validity`` never says longer than it was given,
leap days apart. ``read_time`` returns None for an empty text and for one that is no time.
"""

from datetime import UTC, datetime, timedelta, timezone

_DAY_S = 86_400
_LONGEST_S = 99 * 365 * _DAY_S


def relative_validity(seconds: int) -> str:
    """A duration in the relative form, whole seconds. SMPP 3.4 §7.1.1.2

    Up to 30 days it is exact. Beyond, years count as 365 days and months as 31, the longest that
    an SMSC can take them for, so that the days that remain are never more than was asked for.
    """
    days, rest = divmod(min(max(seconds, 0), _LONGEST_S), _DAY_S)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    years, days = divmod(days, 365)
    months, days = divmod(days, 31)
    return f"{years:02}{months:02}{days:02}{hours:02}{minutes:02}{rest:02}000R"


def absolute_time(at_ms: int) -> str:
    """A moment in UTC, to the tenth of a second. SMPP 3.4 §7.1.1.1"""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%y%m%d%H%M%S}{at_ms % 1000 // 100}00+"


def read_time(text: str, now_ms: int) -> int | None:
    """What a schedule_delivery_time or validity_period means, as a moment."""
    if len(text) != 16 or not (text[:15].isascii() and text[:15].isdigit()) or text[15] not in "+-R":
        return None
    years, months, days, hours, minutes, seconds = (int(text[at : at + 2]) for at in range(0, 12, 2))
    if text[15] == "R":
        days += years * 365 + months * 31
        ahead = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return now_ms + ahead // timedelta(milliseconds=1)
    quarters = int(text[13:15]) if text[15] == "+" else -int(text[13:15])
    try:
        zone = timezone(timedelta(minutes=15 * quarters))
        moment = datetime(2000 + years, months, days, hours, minutes, seconds, tzinfo=zone)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000 + int(text[12]) * 100
