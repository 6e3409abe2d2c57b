"""Sizes and durations for people."""

import re
from datetime import datetime

_UNITS = ("kB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))? ?(?:([kmgtp])(i?)b?|b)?", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int | None:
    """Read a size as people write it: `16G` and `16GB` as on labels, decimal; `16GiB` binary; `4.7G`; plain bytes.

    Parts of a byte are dropped; None where the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    whole, part, prefix, binary = (str(group or "") for group in match.groups())
    unit: int = (1024 if binary else 1000) ** ("kmgtp".index(prefix.lower()) + 1 if prefix else 0)
    return int(whole) * unit + (int(part) * unit // 10 ** len(part) if part else 0)


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
