"""Files on volumes that no `SHA256SUMS` declares: never opened, warned of or refused."""

from itertools import islice

from issmedia.base.errors import Problem
from issmedia.base.events import Report, Warned
from issmedia.bundle import layout
from issmedia.model.manifest import VerifiedBundle

MAX_STRAYS = 1000
"""Undeclared files that are named for each volume where they are refused; the others are counted."""

MAX_WARNINGS = 100
"""Undeclared files that are warned of for each volume; the others are counted."""

_UNDECLARED = f"is not declared by {layout.SUMS}"


def strays(bundle: VerifiedBundle, *, strict: bool, report: Report) -> list[Problem]:
    """Find them: problems when `strict`, else warnings; so many of each volume, and the number of the others."""
    most = MAX_STRAYS if strict else MAX_WARNINGS
    problems = []
    for volume in (*bundle.volumes, *bundle.copies):
        paths = volume.source.stray(frozenset(volume.index) | layout.APART | layout.BESIDE)
        problems += [Problem(f"{volume.where}: {path}", _UNDECLARED) for path in islice(paths, most)]
        if more := sum(1 for _ in paths):
            problems.append(Problem(volume.where, f"{more:,} more files are not declared by {layout.SUMS}"))
    if strict:
        return problems
    for one in problems:
        report(Warned(f"{one.message}; it was not opened" if one.message == _UNDECLARED else one.message, one.where))
    return []
