"""The clock and the environment, read at the face and handed down."""

import os
import re
from datetime import UTC, datetime, timedelta

from issmedia.base.errors import UsageError

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_DAYS = re.compile(r"([0-9]{1,5})d\Z")


def now() -> str:
    """Tell the time, RFC 3339 UTC to the second."""
    return datetime.now(UTC).strftime(_FORM)


def source_date() -> str | None:
    """Read SOURCE_DATE_EPOCH (seconds), or None where it is not set."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC).strftime(_FORM)
    except (ValueError, OverflowError, OSError) as cause:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text[:40]!r}, not a number of seconds", hint="unset it, or set it as date +%s says"
        ) from cause


def proxies() -> dict[str, str]:
    """Read what the environment says of proxies."""
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


def moment(text: str | None, *, start: str) -> str | None:
    """Read `2027-01-31`, `2027-01-31T12:00:00Z` or `90d` (days from `start`)."""
    if text is None:
        return None
    try:
        if days := _DAYS.match(text):
            return (datetime.strptime(start, _FORM) + timedelta(days=int(days[1]))).strftime(_FORM)
        form = _FORM if "T" in text else "%Y-%m-%d"
        return datetime.strptime(text, form).strftime(_FORM)
    except (ValueError, OverflowError) as cause:
        raise UsageError(
            f"{text[:40]!r} is not a moment", hint="for example 90d, 2027-01-31 or 2027-01-31T12:00:00Z"
        ) from cause


def days(text: str) -> int:
    """Read a number of days: `90` or `90d`."""
    if found := _DAYS.match(text.removesuffix("d") + "d"):
        return int(found[1])
    raise UsageError(f"{text[:40]!r} is not a number of days", hint="for example 90 or 90d")


def days_before(days: int, *, start: str) -> str:
    """Tell the moment so many days before another."""
    return (datetime.strptime(start, _FORM) - timedelta(days=days)).strftime(_FORM)
