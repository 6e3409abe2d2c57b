"""FAT32: what files need on it, whether Linux or Windows made it.

Layout: reserved sectors, two tables of 4 bytes a cluster, clusters. A directory is a file of 32-byte entries: one with
the short name, and one for each 13 UTF-16 units of the long one. Both makers' cluster sizes and places of the first
cluster are tried, and the worse counts. Sources: Microsoft's FAT specification 1.03; mkfs.fat(8) of dosfstools 4.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

import msgspec

from issmedia.base.errors import Problem
from issmedia.model.filesystem import WORK, WORK_BYTES, Placed, names_by_folder, rounded, too_large
from issmedia.model.names import shown

_SECTOR, _ENTRY = 512, 32
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_MAX_ENTRIES = 65_536
_LINUX = ((260 * _MIB, _SECTOR), (8 * _GIB, 4 * _KIB), (16 * _GIB, 8 * _KIB), (32 * _GIB, 16 * _KIB))
_WINDOWS = (
    (64 * _MIB, _SECTOR),
    (128 * _MIB, _KIB),
    (256 * _MIB, 2 * _KIB),
    (8 * _GIB, 4 * _KIB),
    (16 * _GIB, 8 * _KIB),
    (32 * _GIB, 16 * _KIB),
)
_LARGEST_CLUSTER = 32 * _KIB
_ALIGNED = 4 * _MIB
"""Where Windows and the makers of sticks let the first cluster begin: at a whole multiple of this."""


class FatLayout(msgspec.Struct, frozen=True):
    """A way to divide a capacity: `cluster` bytes each, `clusters` of them."""

    capacity: int
    cluster: int
    clusters: int

    def used(self, clusters: int) -> int:
        """Count the bytes of so many clusters and of all that is no cluster."""
        return self.capacity - (self.clusters - clusters) * self.cluster


class Fat32(msgspec.Struct, frozen=True):
    """FAT32 of a capacity in bytes, the file system alone: what a partition table takes is to be reserved."""

    capacity: int

    name: ClassVar[str] = "fat32"
    largest_file: ClassVar[int | None] = (4 << 30) - 1
    links: ClassVar[bool] = False

    def used(self, files: Iterable[Placed]) -> int:
        """Count by the layout that needs most."""
        sizes, folders = _measured(files)
        return max(one.used(clusters(sizes, folders, one.cluster)) for one in layouts(self.capacity))

    def cost(self, path: str, size: int) -> int:
        """Count whole clusters of the larger size, and the name's entries."""
        return rounded(size, self._cluster) + _ENTRY * entries(path.rpartition("/")[2])

    def folder_cost(self, path: str) -> int:
        """Count a cluster, and the name's entries."""
        return self._cluster + _ENTRY * (entries(path.rpartition("/")[2]) + 2)

    def faults(self, files: Iterable[Placed]) -> Iterator[Problem]:
        """Find files of 4 GiB, and directories of more than 65,536 entries."""
        listed = list(files)
        yield from too_large(listed, (4 << 30) - 1, "FAT32")
        for folder, names in sorted(names_by_folder(file.path for file in listed).items()):
            if 2 + sum(map(entries, names)) > _MAX_ENTRIES:
                message = f"has {len(names):,} names; FAT32 has 65,536 entries for them, several for a long name"
                yield Problem(shown(folder) or "/", message)

    @property
    def _cluster(self) -> int:
        return max(one.cluster for one in layouts(self.capacity))


@lru_cache(maxsize=16)
def layouts(capacity: int) -> tuple[FatLayout, FatLayout]:
    """Divide a capacity as `mkfs.vfat` does, and as Windows and the makers of sticks do."""
    linux, windows = _cluster_size(capacity, _LINUX), _cluster_size(capacity, _WINDOWS)
    track = _SECTOR * (32 if capacity <= 256 * _MIB else 63)  # mkfs.vfat leaves out what fills none
    return (
        _layout(capacity, capacity // track * track, linux, 1),
        _layout(capacity, capacity, windows, _ALIGNED if capacity >= 64 * _MIB else 1),
    )


def clusters(sizes: Iterable[int], folders: Iterable[int], cluster: int) -> int:
    """Count the clusters of files and of directories, both in bytes; an empty file has none, a directory one."""
    return sum(-(-size // cluster) for size in sizes) + sum(-(-size // cluster) or 1 for size in folders)


def entries(name: str) -> int:
    """Count the entries of a name: short names are written as long ones too, since that depends on who writes."""
    return 1 + -(-units(name) // 13)


def units(name: str) -> int:
    """Count the UTF-16 units of a name."""
    return len(name.encode("utf-16-le")) // 2


def _measured(files: Iterable[Placed]) -> tuple[list[int], list[int]]:
    """Give the sizes of files, and of directories: `.` and `..`, or in the root the label, and the names.

    Among them is the directory in which files lie until they are whole.
    """
    listed = list(files)
    folders = names_by_folder([*(file.path for file in listed), WORK])
    sizes = [_ENTRY * (2 + sum(map(entries, names))) for names in folders.values()]
    return [file.size for file in listed], [*sizes, WORK_BYTES]


def _cluster_size(capacity: int, table: Iterable[tuple[int, int]]) -> int:
    return next((size for limit, size in table if capacity <= limit), _LARGEST_CLUSTER)


def _layout(capacity: int, usable: int, cluster: int, alignment: int) -> FatLayout:
    """Find the clusters that are left beside the tables that describe them; tables and clusters begin aligned."""
    reserved = rounded(32 * _SECTOR, cluster)
    count = (usable - reserved + 8) // (cluster + 8)
    table = rounded(rounded((count + 2) * 4, _SECTOR), cluster)
    start = rounded(reserved + 2 * table, alignment)
    return FatLayout(capacity, cluster, (usable - start) // cluster)
