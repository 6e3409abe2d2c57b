"""A directory on this machine as an upstream: listed and read beneath its descriptor, no link followed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.errors import AbsentError, UpstreamError
from issmedia.model.names import path_fault, shown

_MEANINGS = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is not there: a part of its path is no directory, or is a symbolic link",
    errno.ELOOP: "is a symbolic link",
    errno.EXDEV: "lies on another mount",
    errno.EINVAL: "is not a regular file",
    errno.ENXIO: "is not a regular file",
}


class LocalStream:
    """A file of this machine, being read from its beginning."""

    start = 0

    def __init__(self, file: BeneathFile, where: str) -> None:
        self._file = file
        self._where = where

    @property
    def fileno(self) -> int | None:
        """Give the file's descriptor."""
        return self._file.fd

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""
        try:
            return self._file.readinto(buffer)
        except OSError as cause:
            raise _refusal(cause, self._where) from cause


class DirectoryUpstream:
    """A directory that holds a repository; `listed` says whether `listing` may be asked for (not for `file://`)."""

    connections = 2
    tries = 1

    def __init__(self, path: Path, *, url: str, listed: bool) -> None:
        self.url = url
        self._listed = listed
        try:
            self._root = Root(path.resolve())
        except OSError as cause:
            raise UpstreamError(
                f"the directory cannot be opened: {cause.strerror}",
                where=shown(str(path)),
                hint="give the directory that holds repodata/",
            ) from cause

    @contextmanager
    def open(self, path: str, *, start: int = 0) -> Iterator[LocalStream]:  # noqa: ARG002 - nothing breaks off here
        """Open the regular file at a path of the repository, at its beginning. Threads may call this at once."""
        where = shown(f"{self._root.path}/{path}")
        if fault := path_fault(path):
            raise UpstreamError(f"the name {fault}", where=where)
        try:
            file = self._root.open(path)
        except OSError as cause:
            raise _refusal(cause, where) from cause
        with file:
            yield LocalStream(file, where)

    def begin(self) -> None:
        """Wait for nobody."""

    def listing(self) -> dict[str, int] | None:
        """List all paths with sizes in bytes, links and odd files with -1; None for `file://`."""
        if not self._listed:
            return None
        try:
            return {path: _size(facts) for path, facts in self._root.walk()}
        except OSError as cause:
            raise UpstreamError(
                f"the directory cannot be listed: {cause.strerror}",
                where=shown(str(self._root.path)),
                hint="every directory below it must be readable",
            ) from cause

    def interrupt(self) -> None:
        """Do nothing: a directory keeps nobody waiting."""

    def close(self) -> None:
        """Close every descriptor."""
        self._root.close()

    def __enter__(self) -> "DirectoryUpstream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _size(facts: os.stat_result) -> int:
    return facts.st_size if stat.S_ISREG(facts.st_mode) else -1


def _refusal(cause: OSError, where: str) -> UpstreamError:
    absent = cause.errno in (errno.ENOENT, errno.ENOTDIR)
    meaning = _MEANINGS.get(cause.errno or 0) or f"cannot be read: {cause.strerror}"
    return (AbsentError if absent else UpstreamError)(meaning, where=where)
