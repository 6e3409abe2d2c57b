"""Sizes and durations for people."""

from datetime import datetime

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def bytes_text(size: int) -> str:
    """Write a size in decimal units: `999 B`, `1.5 kB`, `4.7 GB`."""
    if size < 1000:
        return f"{size} B"
    power = 1
    while power < len(_UNITS) and size / 1000**power >= 999.95:
        power += 1
    return f"{size / 1000**power:.1f} {_UNITS[power - 1]}"


def count_text(number: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: `1 package`, `20,000 packages`, `2 repositories`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def seconds_text(seconds: float) -> str:
    """Write a duration: `0.4 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def days_between(earlier: str, later: str) -> int:
    """Count the whole days from one moment (RFC 3339 UTC) to another; 0 where the second is before the first."""
    start, end = (datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ") for moment in (earlier, later))
    return max(0, (end - start).days)
