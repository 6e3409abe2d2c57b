"""exFAT: what files need on it, as Linux's tools, Windows or the makers of cards made it.

Layout: boot sectors, a table of 4 bytes a cluster, clusters; both begin at a boundary, of 1 MiB or on cards up to 64.
In clusters: a bitmap of one bit each, the table of capitals, directories, files. A name has an entry set of 32 bytes
each: two, and one for each 15 UTF-16 units. Sources: Microsoft's exFAT specification; the SD specification's boundary
units; mkfs.exfat(8).
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

from issmedia.base.errors import Problem
from issmedia.model.fat import clusters, units
from issmedia.model.filesystem import WORK, WORK_BYTES, Placed, names_by_folder, rounded
from issmedia.model.names import shown

_ENTRY, _ROOT_ENTRIES = 32, 4
_UPCASE = 128 << 10
"""The table of capitals as Windows once wrote it; compressed as it is written today it has 5,836 bytes."""

_MIB, _GIB = 1 << 20, 1 << 30
_CLUSTERS = ((256 * _MIB, 4 << 10), (32 * _GIB, 32 << 10))
_LARGEST_CLUSTER = 128 << 10
_BOUNDARIES = ((8 * _GIB, _MIB), (32 * _GIB, 4 * _MIB), (128 * _GIB, 16 * _MIB), (512 * _GIB, 32 * _MIB))
_LARGEST_BOUNDARY = 64 * _MIB
_MAX_FOLDER = 256 * _MIB


class ExFat(msgspec.Struct, frozen=True):
    """exFAT of a capacity in bytes, the file system alone: what a partition table takes is to be reserved."""

    capacity: int

    name: ClassVar[str] = "exfat"
    largest_file: ClassVar[int | None] = None
    links: ClassVar[bool] = False

    @property
    def cluster(self) -> int:
        """Give the bytes of a cluster: the tools agree on them."""
        return next((size for limit, size in _CLUSTERS if self.capacity <= limit), _LARGEST_CLUSTER)

    def used(self, files: Iterable[Placed]) -> int:
        """Count what lies before the clusters, and the clusters."""
        listed = list(files)
        folders = [*_folder_sizes(listed).values(), WORK_BYTES]
        count = max(self.capacity // self.cluster, 1)
        boundary = next((unit for limit, unit in _BOUNDARIES if self.capacity <= limit), _LARGEST_BOUNDARY)
        heap = boundary + rounded(4 * (count + 2), boundary)
        own = clusters([-(-count // 8), _UPCASE], [], self.cluster)
        # what is left behind the last whole cluster is lost
        lost = (self.capacity - heap) % self.cluster
        return heap + lost + self.cluster * (own + clusters((file.size for file in listed), folders, self.cluster))

    def cost(self, path: str, size: int) -> int:
        """Count whole clusters, and the name's entries."""
        return rounded(size, self.cluster) + _ENTRY * entries(path.rpartition("/")[2])

    def folder_cost(self, path: str) -> int:
        """Count a cluster, and the name's entries."""
        return self.cluster + _ENTRY * entries(path.rpartition("/")[2])

    def faults(self, files: Iterable[Placed]) -> Iterator[Problem]:
        """Find directories of more than 256 MiB."""
        for folder, size in sorted(_folder_sizes(list(files)).items()):
            if size > _MAX_FOLDER:
                yield Problem(shown(folder) or "/", f"needs {size:,} bytes for its names; exFAT has {_MAX_FOLDER:,}")


def entries(name: str) -> int:
    """Count the entries of a name."""
    return 2 + -(-units(name) // 15)


def _folder_sizes(files: list[Placed]) -> dict[str, int]:
    """Give the bytes of every directory; the root begins with label, bitmap, capitals and id."""
    folders = names_by_folder([*(file.path for file in files), WORK])
    own = {folder: _ENTRY * sum(map(entries, names)) for folder, names in folders.items()}
    return {**own, "": own[""] + _ENTRY * _ROOT_ENTRIES}
