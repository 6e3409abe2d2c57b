"""ext4 as `mkfs.ext4` makes it by default: what files need on it for a user who is not root.

Layout, in blocks: groups of 8 times as many blocks as a block has bytes, each with two bitmaps and a table of inodes;
in groups 0, 1 and the powers of 3, 5 and 7 a superblock, the group descriptors and room for them to grow; a journal. Of
all blocks, 5 % are root's and some the kernel keeps for itself: neither is counted as usable. Sources: mke2fs(8),
mke2fs.conf(5) and the kernel's description of ext4 (its "High Level Design" and "Global Structures").
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

import msgspec

from issmedia.base.errors import Problem
from issmedia.model.filesystem import (
    FOLDER_BLOCKS,
    Placed,
    folder_bytes,
    name_cost,
    names_by_folder,
    rounded,
    sizes_once,
)

_INODE, _DESCRIPTOR = 256, 64
_SMALL = 512 << 20
_FIRST_INODE = 11
_GROWTH = 1024
"""Descriptors are reserved for a file system that grows this many times."""

_JOURNALS = (
    (2 << 10, 0),
    (32 << 10, 1024),
    (256 << 10, 4096),
    (512 << 10, 8192),
    (4 << 20, 16_384),
    (8 << 20, 32_768),
    (16 << 20, 65_536),
    (32 << 20, 131_072),
)
"""Blocks of a file system, exclusive, and of its journal."""

_LARGEST_JOURNAL = 262_144
_KEPT = 4096
"""Blocks that the kernel keeps for itself, or a fiftieth of all."""

_ORPHANS = 512
"""Blocks of the file of orphans that newer versions make."""

_OWN_BLOCKS = 32
"""Root, `lost+found`, the inode of reserved descriptors, the journal's extents."""

_EXTENT = 32_768
"""Blocks of a whole extent; an inode has four extents, and a block of them holds 340."""


class Ext4(msgspec.Struct, frozen=True):
    """ext4 of a capacity in bytes, the file system alone: what a partition table takes is to be reserved."""

    capacity: int

    name: ClassVar[str] = "ext4"
    largest_file: ClassVar[int | None] = (16 << 40) - 4096
    links: ClassVar[bool] = True

    def used(self, files: Iterable[Placed]) -> int:
        """Count blocks; where inodes are the scarcer, their part of the capacity."""
        listed = list(files)
        block = self._layout.block
        folders = names_by_folder(file.path for file in listed)
        sizes = list(sizes_once(listed))
        needed = sum(folder_bytes(names, block) for names in folders.values())
        needed += sum(_stored(size, block) for size in sizes)
        inodes = len(sizes) + len(folders) + _FIRST_INODE
        return max(self._layout.overhead + needed, -(-inodes * self.capacity // max(self._layout.inodes, 1)))

    def cost(self, path: str, size: int) -> int:
        """Count the blocks of its bytes, its name, and at least its inode's part of the capacity."""
        inode = self._layout.ratio if size else 0
        return max(_stored(size, self._layout.block), inode) + name_cost(path)

    def folder_cost(self, path: str) -> int:
        """Count its first blocks, its inode's part and its name."""
        return FOLDER_BLOCKS * self._layout.block + self._layout.ratio + name_cost(path)

    def faults(self, _files: Iterable[Placed]) -> Iterator[Problem]:
        """Find nothing: no file of 16 TiB lies on a medium."""
        yield from ()

    @property
    def _layout(self) -> "Ext4Layout":
        return layout(self.capacity)


class Ext4Layout(msgspec.Struct, frozen=True):
    """How a capacity is divided: bytes of a block, `overhead` bytes that no file can have, inodes, bytes for each."""

    block: int
    overhead: int
    inodes: int
    ratio: int


@lru_cache(maxsize=16)
def layout(capacity: int) -> Ext4Layout:
    """Divide a capacity in bytes."""
    block, ratio = (1024, 4096) if capacity < _SMALL else (4096, 16_384)
    per_group = 8 * block
    blocks, first = capacity // block, int(block == 1024)
    groups = max(-(-(blocks - first) // per_group), 1)
    inodes = rounded(-(-(blocks * block // ratio) // groups), block // _INODE) // 8 * 8
    table = -(-inodes * _INODE // block)
    descriptors = _descriptor_blocks(blocks, block)
    own = groups * (2 + table) + len(_with_superblock(groups)) * (1 + descriptors) + first
    journal = next((size for limit, size in _JOURNALS if blocks < limit), _LARGEST_JOURNAL)
    kept = blocks // 20 + min(blocks // 50, _KEPT) + _ORPHANS + _OWN_BLOCKS
    lost = capacity % block + block * _dropped(blocks - first, per_group, table)
    return Ext4Layout(block, block * (own + journal + kept) + lost, groups * inodes, capacity // (groups * inodes) + 1)


def _descriptor_blocks(blocks: int, block: int) -> int:
    """Count the blocks of group descriptors and those they may grow into."""
    groups, most = (-(-count // (8 * block)) for count in (blocks, blocks * _GROWTH))
    used, grown = (-(-count * _DESCRIPTOR // block) for count in (groups, most))
    return used + min(max(grown - used, 0), block // 4)


def _with_superblock(groups: int) -> set[int]:
    powers = {base**power for base in (3, 5, 7) for power in range(1, 64) if base**power < groups}
    return {group for group in (0, 1) if group < groups} | powers


def _dropped(blocks: int, per_group: int, table: int) -> int:
    """Count the blocks of a last group too small for its own structures; mkfs leaves them out."""
    rest = blocks % per_group
    return rest if rest < table + 2 + 50 else 0


def _stored(size: int, block: int) -> int:
    """Count the bytes of a file's blocks, and of blocks for its extents once they may be more than its inode holds."""
    blocks = -(-size // block)
    extents = 2 * (blocks // _EXTENT) + 2
    return block * (blocks + (1 + extents // 340 if extents > 4 else 0))
