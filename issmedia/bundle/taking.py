"""Taking one file off a medium: its size first, then its bytes hashed as they go where `Keep` puts them."""

from collections.abc import Callable, Container

from issmedia.base.digest import Digest, Read, Sink, copy_and_hash, hash_all, take_all
from issmedia.base.errors import NotIntactError
from issmedia.bundle.faults import fault
from issmedia.depot.store import Writing
from issmedia.model.manifest import OpenedFile, VolumeSource

Keep = Callable[[Digest, int, Read], tuple[Digest, int]]
"""Takes expected digest, bytes and a reader; copies to the end of the reader and returns digest and bytes found."""


def writing_to(sink: Sink) -> Keep:
    """Make a `Keep` that has `sink` take what it hashes."""

    def keep(_expected: Digest, limit: int, read: Read) -> tuple[Digest, int]:
        found, size, _ = copy_and_hash(read, sink, limit=limit)
        return found, size

    return keep


def hash_only(_expected: Digest, limit: int, read: Read) -> tuple[Digest, int]:
    """Keep nothing: the `Keep` of a verification."""
    found, size, _ = hash_all(read, limit=limit)
    return found, size


def storing(writing: Writing, wanted: Container[Digest]) -> Keep:
    """Make a `Keep` that stores what is wanted, under its digest only, and hashes all else."""

    def keep(expected: Digest, size: int, read: Read) -> tuple[Digest, int]:
        if expected not in wanted:
            return hash_only(expected, size, read)

        def check(found: Digest, count: int, _others: dict[str, str]) -> None:
            if found != expected or count != size:
                raise NotIntactError(f"expected sha256 {expected}, read {found}")

        return writing.add(read, limit=size, check=check)

    return keep


class _MediumError(Exception):
    """An `OSError` of the medium, told from one of our own disk."""


def take_file(file: OpenedFile, expected: Digest, keep: Keep, *, size: int | None, most: int) -> None:
    """Hand a file to `keep`; `NotIntactError` unless it has this digest and `size`; of unknown size, at most `most`.

    Errors of our own disk are raised as they are.
    """

    def read(buffer: memoryview) -> int:
        try:
            return file.readinto(buffer)
        except OSError as cause:
            raise _MediumError from cause

    limit = most if size is None else size
    if size is not None and file.size != size:
        raise NotIntactError(f"expected {size} bytes, found {file.size}")
    try:
        found, count = keep(expected, limit, read)
    except _MediumError as error:
        assert isinstance(error.__cause__, OSError)
        raise NotIntactError(fault(error.__cause__)) from error
    if count > limit:
        raise NotIntactError(f"expected {limit} bytes, found more")
    if found != expected:
        raise NotIntactError(f"expected sha256 {expected}, read {found}")


def take_bytes(source: VolumeSource, path: str, expected: Digest, *, size: int | None, most: int) -> bytes:
    """Take a file into memory, as `take_file` does."""
    found = b""

    def keep(_expected: Digest, limit: int, read: Read) -> tuple[Digest, int]:
        nonlocal found
        found, digest = take_all(read, limit=limit)
        return digest, len(found)

    with source.open(path) as file:
        take_file(file, expected, keep, size=size, most=most)
    return found
