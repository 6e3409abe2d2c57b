"""RPM's order of versions: `rpmvercmp`, and epoch, version and release by it.

A version is a row of segments: runs of digits, runs of ASCII letters, `~` and `^`; all else only separates them. The
first segments that differ decide: `~` is below the end, the end below `^`, that below letters, those below a number.
Numbers compare by value, letters by their codes. Source: rpmio/rpmvercmp.c of RPM 4.15 and later.
"""

import re
from functools import cmp_to_key
from itertools import zip_longest

EVR = tuple[str, str, str]
"""Epoch, version, release. An epoch is a number; where a package has none it is 0."""

_segments = re.compile(r"[0-9]+|[A-Za-z]+|[~^]").findall


def compare_versions(one: str, other: str) -> int:
    """Give -1, 0 or 1 as `one` is older than, as old as or newer than `other`."""
    if one == other:
        return 0
    for a, b in zip_longest(_segments(one), _segments(other), fillvalue=""):
        if a != b and (weights := (_weight(a), _weight(b)))[0] != weights[1]:
            return -1 if weights[0] < weights[1] else 1
    return 0


def compare_evr(one: EVR, other: EVR) -> int:
    """Give -1, 0 or 1: by epoch, then version, then release."""
    for a, b in zip(one, other, strict=True):
        if a != b and (order := compare_versions(a, b)):
            return order
    return 0


evr_key = cmp_to_key(compare_evr)
"""The key that sorts EVRs from old to new."""


def _weight(segment: str) -> tuple[int, int, str]:
    if segment.isdigit():
        number = segment.lstrip("0")
        return 4, len(number), number
    return ("~", "", "^").index(segment) if segment in ("~", "", "^") else 3, 0, segment
