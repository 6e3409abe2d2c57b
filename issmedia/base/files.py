"""Files written so that a crash leaves the old or the new, never a half.

Every change of a disk that issmedia makes passes through this module, and announces itself first to the observer
that `observing` sets: the crash tests kill the process there, at each step in turn. Modes are set explicitly, so the
umask does not matter. Reading from media is in `base.beneath`.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from issmedia.base import direct
from issmedia.base.digest import CHUNK
from issmedia.base.errors import DepotError, NoSpaceError

StrPath = str | os.PathLike[str]
"""A path on disk. Where thousands are handled it is a `str`: building `Path`s then costs as much as the files."""

Step = Callable[[str, str], None]
"""Called as `step(kind, name)` before a change; kinds: create write fsync syncfs link rename unlink mkdir commit."""

_CLUSTER = 4096
_TEMPORARY = ".tmp-"
_OWN = re.compile(re.escape(_TEMPORARY) + "[0-9a-f]{32}")
_FICLONE = 0x40049409
_SYNC_FILE_RANGE_WRITE = 2
_WRITEBACK = 256 << 10
_PIECE = 8 << 20
"""Bytes of a file that another process writes which are written out, and announced, at a time."""

_observers: list[Step] = []
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def observing(step: Step) -> Iterator[None]:
    """Let `step` see, and by raising or exiting stop, each change of the disk (for crash tests)."""
    _observers.append(step)
    try:
        yield
    finally:
        _observers.remove(step)


def announce(kind: str, path: StrPath) -> None:
    """Tell the observers of a change that is about to be made (also those made by the database)."""
    for step in _observers:
        step(kind, os.path.basename(path))  # noqa: PTH119


class Staged:
    """A file under a temporary name, made with O_EXCL and mode 0600, in the file system it shall live in.

    It is a `base.digest.Sink`, and `write` appends what is in memory; what was appended is in the file when `close` has
    set the final mode. It has no final name until `link` or `rename` gives it one.
    Where the `size` in bytes to be expected is worth it, they go past the page cache, if the file system can.
    Instead of `write`, another process may be lent `fd`; then `grown` says how far it is.
    A `prefix` begins its temporary name; `sweep` knows only files without one.
    In a `with` block it is discarded when the block raises.
    """

    def __init__(self, directory: StrPath, *, size: int = 0, prefix: str = _TEMPORARY) -> None:
        self.path = f"{os.fspath(directory)}/{prefix}{os.urandom(16).hex()}"
        announce("create", self.path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(self.path, flags, 0o600)
        self._large = size >= direct.WORTH
        self._begun: direct.Pieces | None = None
        self._announced = 0
        self._left = False

    def __enter__(self) -> "Staged":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()

    def write(self, data: bytes) -> None:
        """Append all of `data`."""
        view = memoryview(data)
        while view:
            room = self.room()
            part = view[: len(room)]
            room[: len(part)] = part
            self.took(len(part))
            view = view[len(part) :]

    def room(self) -> memoryview:
        """Say where the next bytes go that `took` is to append."""
        return self._pieces.room()

    def took(self, count: int) -> None:
        """Append the first `count` bytes of the room."""
        self._pieces.took(count)

    def grown(self) -> int:
        """Say how many bytes another process, which writes to `fd` from its beginning, has written by now.

        The kernel begins to write them out, so that the flush which makes them durable finds less to do.
        """
        size = os.fstat(self.fd).st_size
        while self._announced < size:
            announce("write", self.path)
            _write_out(self.fd, self._announced - _PIECE, self._announced)
            self._announced += _PIECE
        return size

    def close(self, mode: int, *, durable: bool) -> None:
        """Set the mode and close; `durable` flushes first. An error from the flush discards the file.

        A file system without modes (FAT) may refuse ours: the file then keeps what that one gives.
        """
        try:
            self._finish()
            with contextlib.suppress(PermissionError):
                os.fchmod(self.fd, mode)
            if durable:
                fsync(self.fd, self.path)
            elif not self._large:
                _begin_writeback(self.fd)
        except OSError:
            self.discard()
            raise
        os.close(self.fd)
        self.fd = -1

    def leave(self) -> None:
        """Keep what was written by now under its temporary name, whatever comes: not flushed, to be read as hostile."""
        self._finish()
        self._left = os.fstat(self.fd).st_size > 0

    def discard(self) -> None:
        """Close and remove, unless it was left; safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._left:
            return
        with contextlib.suppress(OSError):
            os.unlink(self.path)  # noqa: PTH108

    @property
    def _pieces(self) -> direct.Pieces:
        """Begin to write, not sooner than there is something: a clone is read, by any buffer."""
        if self._begun is None:
            self._large = self._large and direct.begin(self.fd)
            self._begun = direct.Pieces(self._append, direct.PIECE if self._large else CHUNK)
        return self._begun

    def _finish(self) -> None:
        if self._begun is not None:
            self._begun.finish(self.fd, direct=self._large)
            self._begun = None

    def _append(self, view: memoryview) -> None:
        try:
            while view:
                view = view[self._write_some(view) :]
        except OSError as error:
            _name(error, self.path)
            raise

    def _write_some(self, view: memoryview) -> int:
        """Write like `os.write`, or write nothing and let the next call go through the page cache."""
        announce("write", self.path)
        try:
            return os.write(self.fd, view)
        except OSError as cause:
            if cause.errno != errno.EINVAL or not self._large:
                raise
        direct.end(self.fd)
        self._large = False
        return 0


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path` in one step: temporary file, fsync, rename, fsync of the directory."""
    with Staged(path.parent) as file:
        file.write(data)
        file.close(mode, durable=True)
        rename(file.path, path)
    fsync_directory(path.parent)


def make_file(path: Path, mode: int) -> None:
    """Make an empty file for another writer, the database; one that is there keeps its bytes, and gets `mode`."""
    announce("create", path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Make a directory and its missing parents, each with `mode` whatever the umask; one that is there is left."""
    if path.is_dir():
        return
    make_directory(path.parent, mode)
    announce("mkdir", path)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode)
        path.chmod(mode)


def fsync(fd: int, path: StrPath) -> None:
    """Flush one file. After an error the file must be discarded: a second fsync would lie."""
    announce("fsync", path)
    try:
        os.fsync(fd)
    except OSError as error:
        _name(error, path)
        raise


def fsync_directory(path: Path) -> None:
    """Flush a directory, so that names given in it survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(fd, path)
    finally:
        os.close(fd)


def sync_filesystem(path: Path) -> None:
    """Flush the whole file system below `path` in one call: thousands of small files for the price of one."""
    announce("syncfs", path)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(fd)


def _begin_writeback(fd: int) -> None:
    """Let the kernel start to write a large file out, so that the flush which makes it durable finds less to do."""
    if (size := os.fstat(fd).st_size) >= _WRITEBACK:
        _write_out(fd, 0, size)


def _write_out(fd: int, begin: int, end: int) -> None:
    """Ask for bytes that are in memory to be written out, and do not wait; what is before the file is left out."""
    if end > 0:
        _libc.sync_file_range(fd, ctypes.c_int64(begin), ctypes.c_int64(end - begin), _SYNC_FILE_RANGE_WRITE)


def rename(source: StrPath, target: StrPath) -> None:
    """Rename within one file system, replacing `target`."""
    announce("rename", target)
    os.rename(source, target)


def link(source: StrPath, target: StrPath) -> None:
    """Give a file a second name; `FileExistsError` where `target` is."""
    announce("link", target)
    os.link(source, target, follow_symlinks=False)


def symlink(text: str, path: Path) -> None:
    """Make a symbolic link holding `text`."""
    announce("link", path)
    os.symlink(text, path)


def unlink(path: StrPath) -> None:
    """Remove a file; one that is gone already is fine."""
    announce("unlink", path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def remove_directory(path: Path) -> None:
    """Remove a directory and all below it, without following links."""
    for entry in os.scandir(path) if path.is_dir() and not path.is_symlink() else ():
        if entry.is_dir(follow_symlinks=False):
            remove_directory(Path(entry.path))
        else:
            unlink(Path(entry.path))
    announce("unlink", path)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Say whether a name is one that a run gives a file while it is made."""
    return _OWN.fullmatch(name) is not None


def sweep(directory: Path, *, shared: bool = False) -> int:
    """Remove temporary files that a killed run left; give their number. Only under the depot's lock.

    In a directory that is `shared` with others only names that can hardly be theirs.
    """
    entries = [entry for entry in os.scandir(directory) if entry.name.startswith(_TEMPORARY)]
    found = [Path(entry.path) for entry in entries if not shared or _OWN.fullmatch(entry.name)]
    for path in found:
        remove_directory(path)
    return len(found)


def temporary_name(directory: Path) -> Path:
    """Give an unpredictable name that `sweep` recognises."""
    return directory / f"{_TEMPORARY}{os.urandom(16).hex()}"


def reflink(source_fd: int, target_fd: int) -> bool:
    """Share the source's extents with the target where the file system can; False where it cannot."""
    try:
        fcntl.ioctl(target_fd, _FICLONE, source_fd)
    except OSError:
        return False
    return True


def space_for(sizes: Iterable[int]) -> int:
    """Say how many bytes files of these sizes take on a disk, each rounded up to a cluster of 4,096."""
    return sum(-(-size // _CLUSTER) * _CLUSTER for size in sizes)


def require_space(path: Path, needed: int) -> None:
    """Raise `NoSpaceError` unless `needed` bytes and a reserve of 1 % or 64 MB are free below `path`."""
    facts = os.statvfs(path)
    _require(path, needed, reserve=min(64 << 20, facts.f_blocks * facts.f_frsize // 100))


def require_free(path: Path, needed: int) -> None:
    """Raise `NoSpaceError` unless `needed` bytes are free below `path`: of a medium nothing is held back."""
    _require(path, needed, reserve=0)


def _require(path: Path, needed: int, *, reserve: int) -> None:
    facts = os.statvfs(path)
    free = facts.f_bavail * facts.f_frsize
    if needed and free < needed + reserve:
        raise NoSpaceError(
            f"{needed:,} bytes are needed, {max(0, free - reserve):,} are free",
            where=str(path),
            hint="make room, or use another file system; nothing was changed",
        )


_NEXT = {
    errno.EACCES: "run it as the user who owns this, or choose another place",
    errno.EPERM: "run it as the user who owns this, or choose another place",
    errno.EROFS: "mount it writable, or choose another place",
    errno.EIO: "the disk may be failing: dmesg tells; then run the same command again",
}
"""What to do about errors of our own disk."""


def system_error(cause: OSError, where: str) -> DepotError:
    """Turn an error of our own disk into one that says where and what to do."""
    if cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError("the disk is full", where=where, hint="make room and run the same command again")
    return DepotError(cause.strerror or str(cause), where=where, hint=_NEXT.get(cause.errno or 0))


def _name(error: OSError, path: StrPath) -> None:
    """Name the directory in an error of a call that knows only a descriptor: whose disk is full?"""
    error.filename = error.filename or str(Path(path).parent)
