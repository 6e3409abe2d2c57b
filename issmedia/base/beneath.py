"""Opening files beneath a root that somebody else filled: a medium, a mirror, a fake.

Each component is opened relative to its parent's descriptor with O_NOFOLLOW, so no name, link or race leads out.
A component on another mount is refused (by the kernel's mount id, so bind mounts too), as is anything but a
regular file, which is seen before it is opened (opening a device may act on it) and again after; O_NONBLOCK keeps a
fifo that came in between from blocking us. However deep and wide the tree, at most 64 directories are held open.
Failures are plain `OSError`s; callers say what they mean.
"""

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Enter = Callable[[str], bool]
"""Says of a directory's path whether to walk what is in it."""

_DEEPEST = 1024
"""Directories in each other that are walked: more than the longest path on a volume can name."""

_KEPT = 64
"""Directory descriptors kept open at a time."""


class BeneathFile:
    """A regular file beneath a root, open for reading once; `size` is what `fstat` said."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        facts = os.fstat(fd)
        self.size = facts.st_size
        self.identity = (facts.st_dev, facts.st_ino)

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""
        return os.readv(self.fd, [buffer])

    def pread(self, offset: int, size: int, /) -> bytes:
        """Read up to `size` bytes from `offset` on, wherever `readinto` is; empty past the end."""
        return os.pread(self.fd, size, offset)

    def __enter__(self) -> "BeneathFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)


class Root:
    """A directory beneath which files are opened; holds its descriptor until closed. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, _DIRECTORY)
        self._mount = _mount_of(self._fd)
        self.device = os.fstat(self._fd).st_dev
        self._directories: OrderedDict[str, int] = OrderedDict()
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close every descriptor."""
        for fd in (*self._directories.values(), self._fd):
            os.close(fd)
        self._directories.clear()

    def __enter__(self) -> "Root":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, path: str) -> BeneathFile:
        """Open the regular file at a relative path; `OSError` for a link, another mount, or another kind of file."""
        if path.startswith("/"):
            raise OSError(errno.EINVAL, "not a relative path", path)
        parent, _, name = path.rpartition("/")
        with self._guard:
            directory = self._directory(parent)
            facts = os.stat(_component(name), dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISLNK(facts.st_mode):  # what a link is, O_NOFOLLOW says
                _require_regular(facts, path)
            fd = os.open(name, _FILE, dir_fd=directory)
        try:
            _require_regular(os.fstat(fd), path)
            self._require_same_mount(fd, path)
            return BeneathFile(fd)
        except BaseException:
            os.close(fd)
            raise

    def walk(self, *, enter: Enter = lambda _path: True) -> Iterator[tuple[str, os.stat_result]]:
        """Yield each path that is not a directory, with its `lstat`; sorted in its directory, links not followed.

        A directory that `enter` declines, that we may not read (a stick's `lost+found`), that is another mount or
        lies deeper than 1024 others is yielded itself. Names of one directory at a time are held, and of those above.
        """
        left = [("", iter(self._entries("")))]
        while left:
            prefix, entries = left[-1]
            for name, is_directory in entries:
                path = prefix + name
                below = self._entered(path) if is_directory and len(left) <= _DEEPEST and enter(path) else None
                if below is not None:
                    left.append((path + "/", iter(below)))
                    break
                yield path, self._facts(path)
            else:
                left.pop()

    def _entered(self, path: str) -> list[tuple[str, bool]] | None:
        """List a directory, or give None where it cannot be entered."""
        try:
            return self._entries(path)
        except OSError as cause:
            if cause.errno not in (errno.EACCES, errno.EPERM, errno.EXDEV):
                raise
            return None

    def _entries(self, path: str) -> list[tuple[str, bool]]:
        """List what is in a directory, sorted, with whether each is a directory."""
        with self._guard, os.scandir(self._directory(path)) as listing:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing)

    def _facts(self, path: str) -> os.stat_result:
        parent, _, name = path.rpartition("/")
        with self._guard:
            return os.stat(name, dir_fd=self._directory(parent), follow_symlinks=False)

    def _directory(self, path: str) -> int:
        """Open a directory from the nearest above it that is open; the one used longest ago is closed for it."""
        missing: list[str] = []
        while path and path not in self._directories:
            missing.append(path)
            path = path.rpartition("/")[0]
        if path:
            self._directories.move_to_end(path)
        fd = self._directories[path] if path else self._fd
        for below in reversed(missing):
            fd = self._open_directory(fd, below)
        return fd

    def _open_directory(self, parent: int, path: str) -> int:
        fd = os.open(_component(path.rpartition("/")[2]), _DIRECTORY, dir_fd=parent)
        try:
            self._require_same_mount(fd, path)
        except OSError:
            os.close(fd)
            raise
        self._directories[path] = fd
        while len(self._directories) > _KEPT:
            os.close(self._directories.popitem(last=False)[1])
        return fd

    def _require_same_mount(self, fd: int, path: str) -> None:
        if _mount_of(fd) != self._mount:
            raise OSError(errno.EXDEV, "lies on another mount", path)


def _require_regular(facts: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)


def _component(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, "not a name", name)
    return name


def _mount_of(fd: int) -> str:
    """Read the mount id the kernel gives for a descriptor (proc(5), fdinfo)."""
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, 512)
    finally:
        os.close(info)
    start = text.index(b"mnt_id:") + 7
    return text[start : text.index(b"\n", start)].strip().decode()
