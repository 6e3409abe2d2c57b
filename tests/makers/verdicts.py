"""Asking for verdicts in a test: files to judge, and keys as they are pinned."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from issmedia.base.errors import FormatError
from issmedia.content.yum.judge import Judge, PackageFile
from issmedia.model.pinning import VendorKey

LATER = 1_900_000_000
"""A moment after all that tests make: seconds since 1970."""


def opened(path: Path) -> Callable[[], BinaryIO]:
    """Give what opens a file."""
    return partial(_open, path)


def written(directory: Path, packages: Iterable[bytes]) -> list[PackageFile]:
    """Write packages into a directory, each under its number."""
    found = []
    for number, data in enumerate(packages):
        path = directory / f"{number}.rpm"
        path.write_bytes(data)
        found.append(PackageFile(path.name, len(data), opened(path)))
    return found


def pinned(judge: Judge, keys: Iterable[bytes]) -> tuple[VendorKey, ...]:
    """Read keys; one that nobody should trust is not pinned."""
    found: list[VendorKey] = []
    for data in keys:
        try:
            found += judge.read_keys(data, where="key")
        except FormatError:
            continue
    return tuple(found)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")
