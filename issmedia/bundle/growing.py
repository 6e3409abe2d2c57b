"""An image that is being written, and read meanwhile: reading waits for bytes that are not there yet.

So an image is compared with its plan while xorriso makes the rest of it, not afterwards.
"""

import contextlib
import errno
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from issmedia.base import files
from issmedia.base.digest import CHUNK
from issmedia.base.errors import FormatError, IssmediaError, NotIntactError
from issmedia.base.events import ignore
from issmedia.base.workers import Workers
from issmedia.bundle import xorriso
from issmedia.bundle.comparison import Difference, differences
from issmedia.bundle.faults import fault
from issmedia.bundle.image import ImageFile
from issmedia.bundle.iso9660 import read_descriptor
from issmedia.bundle.rockridge import Directories
from issmedia.bundle.sectors import Sectors
from issmedia.bundle.volume import PlannedFile
from issmedia.model.names import shown

AGAIN = "run the same command again; if it happens again, report it"

_LOOK_S = 0.01
"""Seconds after which an image under way is looked at again."""


class GrowingSectors(Sectors):
    """The bytes of an image that will have `size`; `grow` says how many are there, `end` that no more follow.

    Readers are woken only when what one of them waits for is there: to wake them at each write costs more than hashing.
    """

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path)
        self.size = size
        self._there = 0
        self._awaited: list[int] = []
        self._ended = False
        self._changed = threading.Condition()

    def grow(self, there: int) -> None:
        """Let readers have the first `there` bytes."""
        with self._changed:
            self._there = there
            if any(end <= self._there for end in self._awaited):
                self._changed.notify_all()

    def end(self) -> None:
        """Let nobody wait any longer; of an image that is not whole nothing more is read."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer as soon as its bytes are there; `OSError` where they never come."""
        self.require(offset + len(buffer))
        super().readinto(offset, buffer)

    def require(self, end: int) -> None:
        """Wait until all bytes before `end` are there; `OSError` where they never come."""
        end = min(end, self.size)
        if end > self._there:
            with self._changed:
                self._awaited.append(end)
                self._changed.wait_for(lambda: end <= self._there or self._ended)
                self._awaited.remove(end)
        if self._ended and self._there < self.size:
            raise OSError(errno.EIO, "the image was cut short")


class GrowingImage:
    """The files of an image over `GrowingSectors`, read when one is first asked for. Threads may share it."""

    def __init__(self, sectors: GrowingSectors) -> None:
        self._sectors = sectors
        self._guard = threading.Lock()
        self._directories: Directories | None = None

    def open(self, path: str) -> ImageFile:
        """Open a file as soon as it is there, or raise `NotIntactError` naming it."""
        try:
            directories = self._begun()
            entry = directories.root
            for name in path.split("/"):
                entry = directories.entries(entry)[name.encode()]
            self._sectors.require(max((sum(extent) for extent in entry.extents), default=0))
        except (OSError, FormatError) as cause:
            message = fault(cause) if isinstance(cause, OSError) else cause.message
            raise NotIntactError(message, where=shown(path)) from cause
        except KeyError as cause:
            raise NotIntactError("is missing", where=shown(path)) from cause
        return ImageFile(self._sectors, entry.extents)

    def _begun(self) -> Directories:
        with self._guard:
            if self._directories is None:
                self._directories = Directories(self._sectors.read, read_descriptor(self._sectors.read).root)
            return self._directories


class Comparing:
    """An image under way, and what in it differs from the plan."""

    def __init__(self, path: Path, size: int) -> None:
        self.sectors = GrowingSectors(path, size)
        self.grow = self.sectors.grow
        self.found: list[Difference] = []

    def run(self, planned: Sequence[PlannedFile], workers: int) -> None:
        """Read every file as it comes; one thread less than may work, since xorriso does."""
        image = GrowingImage(self.sectors)
        self.found = differences(image, planned, workers=max(1, workers - 1), report=ignore, phase="")


@contextlib.contextmanager
def compared(path: Path, size: int, planned: Sequence[PlannedFile], workers: int) -> Iterator["Comparing"]:
    """Compare an image with its plan while the block writes it; left early, the comparison is given up."""
    comparing = Comparing(path, size)
    thread = Workers(1, name="comparing an image")
    done = thread.submit(comparing.run, planned, workers)
    try:
        yield comparing
    finally:
        comparing.sectors.end()
        thread.finish()
        comparing.sectors.close()
    done.result()


def growth(out: files.Staged, child: xorriso.Running, size: int) -> Iterator[int]:
    """Yield how many bytes are there each time there are more, up to `size`; `IssmediaError` where it is cut short."""
    there, ended = 0, False
    while there < size and not ended:
        ended = child.has_ended_within(_LOOK_S)
        grown = min(size, out.grown())  # looked at after its end was, so that its last bytes count
        if grown > there:
            there = grown
            yield there
    if there < size:
        child.wait()
        raise missized(there, size)


def pieces(child: xorriso.Running, size: int) -> Iterator[bytes]:
    """Yield an image of `size` bytes as it is made; `IssmediaError` where it is cut short."""
    left = size
    while left and (data := child.read(min(CHUNK, left))):
        left -= len(data)
        yield data
    if left:
        child.wait()
        raise missized(size - left, size)


def missized(found: int, size: int) -> IssmediaError:
    """Say that xorriso did not make what it had predicted."""
    return IssmediaError(f"expected an image of {size:,} bytes, xorriso made {found:,}", hint=AGAIN)
