"""Media as they are asked for: a name, an exact capacity in bytes, a file system."""

from collections.abc import Mapping

import msgspec

from issmedia.base.errors import UsageError
from issmedia.base.units import parse_size
from issmedia.model.exfat import ExFat
from issmedia.model.ext4 import Ext4
from issmedia.model.fat import Fat32
from issmedia.model.filesystem import FileSystem, Plain
from issmedia.model.iso import Iso
from issmedia.model.names import shown

DISCS: Mapping[str, int] = {
    "cd": 736_100_352,
    "dvd": 4_700_372_992,
    "dvd-dl": 8_497_135_616,
    "bd25": 24_220_008_448,
    "bd50": 48_440_016_896,
    "bd100": 96_882_130_944,
    "bd128": 123_706_802_176,
}
"""Discs and their bytes: where formats of a disc differ, those of the smallest."""

DIRECTORY = "directory"
"""The medium of a bundle that is not made for one: a directory, as large as it comes."""

FILE_SYSTEMS = ("fat32", "exfat", "ext4", "iso")

_STICK = "usb:"
NAMES = f"{', '.join(DISCS)}, usb:SIZE, SIZE"
"""How media are asked for."""

_HINT = f"media are {NAMES}; a SIZE is like 16G, 16GiB or 15931539456"


class Medium(msgspec.Struct, frozen=True):
    """A medium: its name as it was asked for, its bytes (None: as many as come), bytes to be left free."""

    name: str
    capacity: int | None
    filesystem: FileSystem
    reserve: int = 0

    @property
    def room(self) -> int | None:
        """Give the bytes that a volume may take: `filesystem.used(files)` is not to be more."""
        return None if self.capacity is None else self.capacity - self.reserve


def parse_medium(text: str, *, fs: str | None = None, reserve: int = 0) -> Medium:
    """Read a medium; `fs` names its file system where it is not the usual one.

    Discs are ISO images, sticks FAT32, a bare SIZE a directory whose files and directories, in blocks, stay within it.
    On a stick and with `fs`, SIZE is that of the file system: what partitions take is to be reserved. `UsageError`
    names the media there are.
    """
    capacity, usual = _capacity(text)
    if fs is not None and fs not in FILE_SYSTEMS:
        raise UsageError(f"{shown(fs)!r} is no file system of media", hint=f"there are {', '.join(FILE_SYSTEMS)}")
    if capacity is not None and not 0 <= reserve < capacity:
        raise UsageError(
            f"{reserve:,} bytes cannot be reserved on a medium of {capacity:,}", hint="use a smaller --reserve"
        )
    return Medium(text, capacity, _file_system(fs or usual, capacity), reserve)


def _capacity(text: str) -> tuple[int | None, str]:
    """Give a medium's bytes and its usual file system."""
    if text == DIRECTORY:
        return None, "plain"
    if text in DISCS:
        return DISCS[text], "iso"
    size = parse_size(text.removeprefix(_STICK))
    if not size:
        raise UsageError(f"{shown(text)!r} is no medium", hint=_HINT)
    return size, "fat32" if text.startswith(_STICK) else "plain"


def _file_system(name: str, capacity: int | None) -> FileSystem:
    if name == "plain":
        return Plain()
    if name == "iso":
        return Iso()
    if capacity is None:
        raise UsageError("a file system needs a size", hint=f"say which medium: {NAMES}")
    if name == "fat32":
        return Fat32(capacity)
    return ExFat(capacity) if name == "exfat" else Ext4(capacity)
