"""Beginnings of files whose transfer broke off, kept among what is on its way in, to go on from.

    incoming/.part-KEY-RANDOM     KEY is a sha256 over what the whole file is expected to be

Such a file is hostile again when it is found: nothing is written to it, for it may be a blob's second name. Its bytes
are read like those of an upstream, into a new file, hashed on the way; what they make is a blob only under its digest.
"""

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from issmedia.base import files

_NAME = re.compile(r"\.part-([0-9a-f]{64})-[0-9a-f]{32}")


class Partial:
    """What is kept of one file: `size` bytes, 0 where there is nothing. New bytes go to files that begin `prefix`."""

    def __init__(self, prefix: str, path: Path | None, fd: int, size: int) -> None:
        self.prefix = prefix
        self.size = size
        self._path = path
        self._fd = fd

    def readinto(self, buffer: memoryview) -> int:
        """Read on into a buffer; 0 at the end, where the old file has done its part and is removed."""
        count = os.readv(self._fd, [buffer]) if self._fd >= 0 else 0
        if not count:
            self.drop()
        return count

    def drop(self) -> None:
        """Remove the old file: there is nothing to go on from."""
        self.close()
        self.size = 0
        if self._path is not None:
            files.unlink(self._path)
            self._path = None

    def close(self) -> None:
        """Close the old file and leave it where it is."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Partials:
    """The beginnings in one directory; of threads that want the same file, one has it at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._taken: set[str] = set()
        self._found: dict[str, list[Path]] | None = None
        """Key → files, looked up once: the directory is not walked for each of thousands that are on their way in."""

    @contextlib.contextmanager
    def taken(self, wanted: str, *, limit: int) -> Iterator[Partial | None]:
        """Take what is kept of the file that `wanted` describes; None while another thread has it, or had it whole.

        One longer than `limit` bytes, and what is no regular file, is removed. A block that raises gives it back.
        """
        key = hashlib.sha256(wanted.encode()).hexdigest()
        with self._guard:
            free = key not in self._taken
            self._taken.add(key)
        if not free:
            yield None
            return
        partial = self._open(key, limit)
        try:
            yield partial
        except BaseException:
            self._give_back(key)
            raise
        finally:
            partial.close()

    def _open(self, key: str, limit: int) -> Partial:
        """Open the longest beginning and remove the others."""
        found = sorted(self._take(key), key=_size)
        best = found.pop() if found else None
        for path in found:
            files.remove_directory(path)
        fd = -1 if best is None else _opened(best, limit)
        if best is not None and fd < 0:
            files.remove_directory(best)
        return Partial(f".part-{key}-", best, fd, os.fstat(fd).st_size if fd >= 0 else 0)

    def _take(self, key: str) -> list[Path]:
        with self._guard:
            if self._found is None:
                self._found = {}
                for path in _partials_in(self._directory):
                    self._found.setdefault(_key(path), []).append(path)
            return self._found.pop(key, [])

    def _give_back(self, key: str) -> None:
        found = [path for path in _partials_in(self._directory) if _key(path) == key]
        with self._guard:
            self._taken.discard(key)
            if self._found is not None:
                self._found[key] = found


def drop_partials(incoming: Path) -> int:
    """Remove all beginnings, and give their number. Only under the depot's lock."""
    found = _partials_in(incoming)
    for path in found:
        files.remove_directory(path)
    return len(found)


def _partials_in(directory: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(directory) if _NAME.fullmatch(entry.name)]


def _key(path: Path) -> str:
    return path.name.split("-")[1]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return -1


def _opened(path: Path, limit: int) -> int:
    """Open a regular file of this length or less, through no link and without waiting; -1 for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
    facts = os.fstat(fd)
    if stat.S_ISREG(facts.st_mode) and 0 < facts.st_size <= limit:
        return fd
    os.close(fd)
    return -1
