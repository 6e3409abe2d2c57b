"""ISO images: real ones by xorriso, hand-made ones that say what we like, and devices that are watched or fail."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.makers.programs import run

SECTOR = 2048
ROOT = 20
"""The root directory's sector in a hand-made image."""

_SP = b"SP\x07\x01\xbe\xef\x00"


def by_xorriso(folder: Path, image: Path, *options: str, label: str = "ISSM_TEST") -> Path:
    """Write a folder as an image, as an export does: level 3, Rock Ridge, Joliet."""
    plain = ("-iso-level", "3", "-R", "-J", "-joliet-long", "-volid", label)
    run("xorriso", "-as", "mkisofs", "-quiet", *plain, *options, "-o", image, folder)
    return image


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def both(number: int) -> bytes:
    """Write a number in both byte orders."""
    return number.to_bytes(4, "little") + number.to_bytes(4, "big")


def name_field(name: bytes, flags: int = 0) -> bytes:
    """Write a Rock Ridge name; flag 1 says that it goes on."""
    return b"NM" + bytes([5 + len(name), 1, flags]) + name


def mode_field(mode: int) -> bytes:
    """Write a Rock Ridge mode."""
    return b"PX\x24\x01" + both(mode) + both(1) + both(0) + both(0)


def area_field(sector: int, offset: int, length: int) -> bytes:
    """Write where the fields go on."""
    return b"CE\x1c\x01" + both(sector) + both(offset) + both(length)


def child_field(sector: int) -> bytes:
    """Write where a moved directory lies."""
    return b"CL\x0c\x01" + both(sector)


def record(identifier: bytes, sector: int, size: int, *, flags: int = 0, fields: bytes = b"") -> bytes:
    """Write a directory record."""
    padding = b"" if len(identifier) % 2 else b"\0"
    rest = bytes(7) + bytes([flags, 0, 0]) + b"\1\0\0\1" + bytes([len(identifier)]) + identifier + padding + fields
    data = both(sector) + both(size) + rest
    return bytes([len(data) + 2 + len(data) % 2, 0]) + data + bytes(len(data) % 2)


def named(name: bytes, sector: int, size: int, *, flags: int = 0, fields: bytes = b"") -> bytes:
    """Write a directory record with a Rock Ridge name."""
    return record(b"X", sector, size, flags=flags, fields=name_field(name) + fields)


@dataclass
class HandMade:
    """An image of which every sector is as we like; unless told otherwise its root holds `file` in sector 30."""

    sectors: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sectors[16] = self.descriptor(1)
        self.sectors[17] = self.descriptor(255)
        self.directory(ROOT, named(b"file", 30, 5))
        self.sectors[30] = b"hello"

    def descriptor(self, kind: int, *, block: bytes = b"\x00\x08\x08\x00", label: bytes = b"HAND_MADE") -> bytes:
        """Write a volume descriptor."""
        head = (bytes([kind]) + b"CD001\x01").ljust(40, b"\0") + label.ljust(32)
        return head.ljust(128, b"\0") + block + bytes(24) + record(b"\0", ROOT, SECTOR, flags=2)

    def directory(self, sector: int, *records: bytes, size: int = SECTOR, system_use: bytes = _SP) -> None:
        """Put a directory: itself, its parent, and these records, none over the end of a sector."""
        whole = [b""]
        for one in (record(b"\0", sector, size, flags=2, fields=system_use), record(b"\1", ROOT, SECTOR), *records):
            if len(whole[-1]) + len(one) > SECTOR:
                whole[-1] = whole[-1].ljust(SECTOR, b"\0")
                whole.append(b"")
            whole[-1] += one
        self.sectors[sector] = b"".join(whole)

    def write(self, image: Path, *, length: int = 64 * SECTOR) -> Path:
        """Write the image, so many bytes long."""
        with image.open("wb") as file:
            for sector, data in self.sectors.items():
                file.seek(sector * SECTOR)
                file.write(data)
            file.truncate(length)
        return image


class Watched:
    """The kernel's `preadv`, which notes where was read, and fails with EIO where `bad` has a sector of it."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.bad: set[int] = set()
        self._preadv: Callable[[int, list[memoryview], int], int] = os.preadv

    def __call__(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        """Read as the system call does."""
        size = sum(map(len, buffers))
        self.spans.append((offset, size))
        if self.bad & set(range(offset // SECTOR, -(-(offset + size) // SECTOR))):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._preadv(fd, buffers, offset)

    def end(self) -> int:
        """Say how far was read."""
        return max(offset + size for offset, size in self.spans)

    def bytes(self) -> int:
        """Say how many bytes were asked for."""
        return sum(size for _, size in self.spans)
