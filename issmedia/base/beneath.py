"""Opening files beneath a root that somebody else filled: a medium, a mirror, a fake.

Each component is opened relative to its parent's descriptor with O_NOFOLLOW, so no name, link or race leads out.
A component on another mount is refused (by the kernel's mount id, so bind mounts too), as is anything but a
regular file; O_NONBLOCK keeps a fifo from blocking us. Failures are plain `OSError`s; callers say what they mean.
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

_DEEPEST = 512
_KEPT = 64
"""Directory descriptors kept open at a time."""


class BeneathFile:
    """A regular file beneath a root, open for reading once; `size` is what `fstat` said."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        facts = os.fstat(fd)
        self.size = facts.st_size
        self.identity = (facts.st_dev, facts.st_ino)

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; empty at the end."""
        return os.read(self.fd, size)

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
            fd = os.open(_component(name), _FILE, dir_fd=self._directory(parent))
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            self._require_same_mount(fd, path)
            return BeneathFile(fd)
        except BaseException:
            os.close(fd)
            raise

    def walk(self, *, enter: Enter = lambda _path: True) -> Iterator[tuple[str, os.stat_result]]:
        """Yield each path that is not a directory, with its `lstat`; sorted in its directory, links not followed.

        A directory that `enter` declines, that we may not read (a stick's `lost+found`) or that lies deeper than 512
        others is yielded itself.
        """
        yield from _walk(self._fd, "", enter)

    def _directory(self, path: str) -> int:
        if path == "":
            return self._fd
        if path in self._directories:
            self._directories.move_to_end(path)
            return self._directories[path]
        parent, _, name = path.rpartition("/")
        fd = os.open(_component(name), _DIRECTORY, dir_fd=self._directory(parent))
        self._directories[path] = fd
        self._require_same_mount(fd, path)
        while len(self._directories) > _KEPT:
            os.close(self._directories.popitem(last=False)[1])
        return fd

    def _require_same_mount(self, fd: int, path: str) -> None:
        if _mount_of(fd) != self._mount:
            raise OSError(errno.EXDEV, "lies on another mount", path)


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


def _walk(fd: int, prefix: str, enter: Enter) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(fd) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path, entry.stat(follow_symlinks=False)
            continue
        below = _enter(fd, entry.name) if path.count("/") < _DEEPEST and enter(path) else None
        if below is None:
            yield path, entry.stat(follow_symlinks=False)
            continue
        try:
            yield from _walk(below, path + "/", enter)
        finally:
            os.close(below)


def _enter(fd: int, name: str) -> int | None:
    try:
        return os.open(name, _DIRECTORY, dir_fd=fd)
    except PermissionError:
        return None
