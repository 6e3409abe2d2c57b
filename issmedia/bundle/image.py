"""A volume that is an ISO image: a file, or a disc in a drive, read without a mount and without root.

Opening reads a few sectors; a directory is read when a file in it is first asked for, a file's bytes when they are.
One session, ISO 9660 with Rock Ridge: what `bundle/iso.py` writes. Nothing here is believed: what the bounds of
`iso9660` and `rockridge` refuse, and what the medium cannot give, is a `NotIntactError` for the files it concerns.
"""

import errno
import struct
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import TracebackType

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.faults import fault
from issmedia.bundle.iso9660 import Extent, read_descriptor
from issmedia.bundle.rockridge import Directories, Entry, Kind
from issmedia.bundle.sectors import Sectors
from issmedia.model.names import parents, shown

MAX_DEPTH = 64
"""The most components of a path on an image."""

_NOT_A_FILE = {Kind.DIRECTORY: errno.EISDIR, Kind.LINK: errno.ELOOP, Kind.OTHER: errno.EINVAL}


class ImageFile:
    """A file on an image, open for reading once; `extents` say where its bytes lie, `identity` is made of them.

    So two names are one file exactly if the same bytes of the same image are meant.
    """

    def __init__(self, sectors: Sectors, extents: tuple[Extent, ...]) -> None:
        self.extents = extents
        self.size = sum(extent.size for extent in extents)
        self.identity = (sectors.marker, _number(extents))
        self._sectors = sectors
        self._begins = [0, *accumulate(extent.size for extent in extents)]
        self._position = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer, as far as one extent goes; 0 at the end."""
        if self._position == self.size:
            return 0
        number = bisect_right(self._begins, self._position) - 1
        begin, beyond = self._begins[number : number + 2]
        part = buffer[: beyond - self._position]
        self._sectors.readinto(self.extents[number].offset + self._position - begin, part)
        self._position += len(part)
        return len(part)

    def pread(self, offset: int, size: int, /) -> bytes:
        """Read `size` bytes at `offset`, fewer only at the end; where `readinto` goes on is not changed."""
        parts: list[bytes] = []
        end = min(offset + size, self.size)
        while offset < end:
            number = bisect_right(self._begins, offset) - 1
            begin, beyond = self._begins[number : number + 2]
            parts.append(self._sectors.read(self.extents[number].offset + offset - begin, min(end, beyond) - offset))
            offset = min(end, beyond)
        return b"".join(parts)

    def __enter__(self) -> "ImageFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hold nothing: the image stays open."""


class ImageVolume:
    """A volume that is an ISO image or a block device with one. Read-only, always. Threads may share it.

    `label` is the volume id, for people. Files are found in as many steps as their path has components.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._sectors = Sectors(path)
        except OSError as cause:
            raise _no_volume(path, fault(cause)) from cause
        try:
            descriptor = read_descriptor(self._sectors.read)
            self._directories = Directories(self._sectors.read, descriptor.root)
        except (OSError, FormatError) as cause:
            self._sectors.close()
            raise _no_volume(path, fault(cause) if isinstance(cause, OSError) else cause.message) from cause
        self.label = descriptor.label

    @property
    def device(self) -> int:
        """Give the number of the drive it is in, or of the disk it lies on."""
        return self._sectors.device

    def open(self, path: str) -> ImageFile:
        """Open a file of the image, or raise `NotIntactError` naming it."""
        try:
            return self._opened(path)
        except OSError as cause:
            raise NotIntactError(fault(cause), where=shown(path)) from cause

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """Find what lies here and is not known: never opened, and a directory of such files not even read."""
        for path, entry in self._walk([self._directories.root], "", parents(known)):
            if path not in known or (path in layout.BESIDE and entry.kind is not Kind.FILE):
                yield shown(path)

    def close(self) -> None:
        """Let go of the image, so that the disc can be ejected."""
        self._sectors.close()

    def __enter__(self) -> "ImageVolume":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, path: str) -> ImageFile:
        entry = self._find(path)
        if entry.kind in _NOT_A_FILE:
            raise OSError(_NOT_A_FILE[entry.kind], "not a regular file", path)
        if any(sum(extent) > self._sectors.size for extent in entry.extents):
            raise NotIntactError("lies beyond the end of the image", where=shown(path))
        return ImageFile(self._sectors, entry.extents)

    def _find(self, path: str) -> Entry:
        """Go down to a path; `OSError` as a directory on disk would give it."""
        above, done = [self._directories.root], ""
        for name in path.split("/"):
            if above[-1].kind is not Kind.DIRECTORY:
                raise OSError(errno.ENOTDIR, "not a directory", done)
            try:
                entry = self._entries(above, done).get(name.encode("utf-8", "surrogatepass"))
            except NotIntactError as bad:
                raise NotIntactError(f"lies in {bad.where}, which {bad.message}", where=shown(path)) from bad
            if entry is None:
                raise OSError(errno.ENOENT, "no such name", path)
            above.append(entry)
            done = f"{done}/{name}" if done else name
        return above[-1]

    def _walk(self, above: list[Entry], prefix: str, enter: set[str]) -> Iterator[tuple[str, Entry]]:
        """Yield what lies below the last of `above`, sorted in its directory; only directories in `enter` are read."""
        for name, entry in sorted(self._entries(above, prefix.rstrip("/")).items()):
            path = prefix + name.decode("utf-8", "surrogateescape")
            if entry.kind is Kind.DIRECTORY and path in enter:
                yield from self._walk([*above, entry], path + "/", enter)
            else:
                yield path, entry

    def _entries(self, above: list[Entry], path: str) -> dict[bytes, Entry]:
        """Read the directory at `path`, the last of `above`; `NotIntactError` says what is wrong with it."""
        where = shown(path) or shown(str(self.path))
        if len(above) > MAX_DEPTH:
            raise NotIntactError(f"lies deeper than {MAX_DEPTH} directories", where=where)
        if any(one.sector == above[-1].sector for one in above[:-1]):
            raise NotIntactError("lies in itself", where=where)
        try:
            return self._directories.entries(above[-1])
        except FormatError as cause:
            raise NotIntactError(cause.message, where=where) from cause
        except OSError as cause:
            raise NotIntactError(fault(cause), where=where) from cause


def _no_volume(path: Path, reason: str) -> FormatError:
    return FormatError(
        f"cannot be opened as a volume: {reason}",
        where=shown(str(path)),
        hint="name the image or the drive itself, not a link to it; an image must have Rock Ridge names",
    )


def _number(extents: tuple[Extent, ...]) -> int:
    """Make one number of extents, another for other extents."""
    return int.from_bytes(b"\1" + b"".join(struct.pack(">QQ", *extent) for extent in extents))
