"""Runs that are stopped, in this process, before a change of the disk.

with stopped_at("rename", "a.rpm"):
    bundle.write(stick)             # leaves what a kill would leave there
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from issmedia.base import files


class StopError(Exception):
    """Stands for the kill."""


@contextmanager
def stopped_at(kind: str, name: str) -> Iterator[None]:
    """Stop before a change of this kind to a path whose last part is `name`; the block must come to it."""

    def stop(step: str, path: str) -> None:
        if (step, path) == (kind, name):
            raise StopError

    with files.observing(stop), pytest.raises(StopError):
        yield
