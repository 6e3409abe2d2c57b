"""What a volume gives, compared with what was planned for it: every byte, and each extent once."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from issmedia.base.digest import Digest
from issmedia.base.errors import NotIntactError
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.work import each_sized
from issmedia.bundle.taking import hash_only, take_file
from issmedia.bundle.volume import PlannedFile
from issmedia.model.manifest import OpenedFile


class Opens(Protocol):
    """What a file can be opened on: a volume, or an image that is not whole yet."""

    def open(self, path: str) -> AbstractContextManager[OpenedFile]:
        """Open a file for reading, or raise `NotIntactError` naming it."""


Difference = tuple[PlannedFile, str]
"""A file that is not what was planned, and what it is instead."""


def differences(
    source: Opens, planned: Sequence[PlannedFile], *, workers: int, report: Report, phase: str
) -> list[Difference]:
    """Read every planned file; give those that are otherwise, sorted by path. Shared bytes are read once."""
    groups: dict[Digest, list[PlannedFile]] = {}
    for file in planned:
        groups.setdefault(file.sha256, []).append(file)
    report(Started(phase, len(planned), sum(file.size for file in planned)))
    comparison = _Comparison(source, report)
    each_sized(comparison.take, groups.values(), lambda group: group[0].size, workers=workers)
    report(Finished(phase))
    return sorted(comparison.found, key=lambda difference: difference[0].path)


class _Comparison:
    """One pass; threads share it."""

    def __init__(self, source: Opens, report: Report) -> None:
        self._source = source
        self._report = report
        self._guard = threading.Lock()
        self.found: list[Difference] = []

    def take(self, group: Sequence[PlannedFile]) -> None:
        """Read one blob at each of its paths."""
        read: set[tuple[int, int]] = set()
        for file in group:
            try:
                with self._source.open(file.path) as opened:
                    if opened.identity not in read:
                        take_file(opened, file.sha256, hash_only, size=file.size, most=file.size)
                    read.add(opened.identity)
            except NotIntactError as bad:
                with self._guard:
                    self.found.append((file, bad.message))
            self._report(Advanced(1, file.size))
