"""ISO 9660 with Rock Ridge and Joliet: the size of the image that xorriso makes of files, to the block.

Layout, in sectors of 2,048 bytes: 16 of the system, three descriptors, the ISO tree, its two path tables, the Joliet
tree, its two path tables, a sector that empty files point at (at 32 or later), the bytes of files. A directory is its
records in the order of their names, none of which crosses a sector; behind it lie the parts of Rock Ridge names that
did not fit, those of over 120 bytes. So the names that stand in an image are worked out as xorriso chooses them (ISO
names: 31 capitals, digits where two become one). Where many names are that long, the answer is a few sectors above.
Sources: ECMA-119, SUSP 1.12, RRIP 1.10, Joliet 1; xorrisofs(1). Tests compare with xorriso.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from issmedia.base.errors import Problem
from issmedia.model.filesystem import Placed, names_by_folder, rounded, sizes_once

SECTOR = 2048
_FIRST_TREE, _FIRST_DATA = 19, 33
_SECTION = (4 << 30) - SECTOR
"""Bytes of a file that one record can speak of: a larger file has several."""

_RECORD, _SELF = 33, 34
_LONGEST_RECORD = 254
_ATTRIBUTES = 36 + 26
"""Rock Ridge's fields of mode and times, in every record."""

_NAME, _CONTINUED, _ANNOUNCED = 5, 28, 7
_ROOT_CONTINUED = 237
"""What the root says of Rock Ridge, in its continuation."""

_MISCOUNTED = 640
_FIRST_CONTINUED = SECTOR - 254
"""What a sector of continuations may lose in xorriso's count, and how much surely needs but one."""

_ISO_NAME, _JOLIET_NAME = 31, 104
_CAPITALS = bytes(ord(chr(byte).upper()) if chr(byte).isalnum() and byte < 128 else ord("_") for byte in range(256))
_JOLIET_REFUSED = str.maketrans(dict.fromkeys("*/:;?\\", "_"))


class Iso(msgspec.Struct, frozen=True):
    """An ISO image; what it needs does not depend on the medium."""

    name: ClassVar[str] = "iso"
    largest_file: ClassVar[int | None] = None
    links: ClassVar[bool] = True

    def used(self, files: Iterable[Placed]) -> int:
        """Count the bytes of the image."""
        listed = list(files)
        tree = _FIRST_TREE + _iso_tree(listed) + _joliet_tree(listed)
        data = sum(-(-size // SECTOR) for size in sizes_once(listed))
        return SECTOR * (max(tree + 1, _FIRST_DATA) + data)

    def cost(self, path: str, size: int) -> int:
        """Count the sectors of its bytes, and its records in both trees with what sectors lose between records."""
        name = path.rpartition("/")[2]
        record, continued = _rock_ridge(_RECORD + _ISO_NAME + 2, name)
        both = _spread(record + _joliet_record(name[:_JOLIET_NAME])) + _spread(continued, _MISCOUNTED)
        return rounded(size, SECTOR) + _sections(size) * both

    def folder_cost(self, path: str) -> int:
        """Count a sector in both trees and for continuations, its records, and its places in four path tables."""
        tables = 4 * SECTOR if not path else 0
        places = 2 * (8 + _ISO_NAME + 1) + 2 * (8 + 2 * _JOLIET_NAME)
        return 3 * SECTOR + tables + places + _spread(4 * (_SELF + _ATTRIBUTES)) + self.cost(path, 0)

    def faults(self, _files: Iterable[Placed]) -> Iterator[Problem]:
        """Find nothing: a file of any size has as many records as it needs."""
        yield from ()


@dataclass(slots=True)
class _Named:
    """A file or directory in one tree of the image: its name there, and its name in the tree of files."""

    name: str
    own: str
    folder: bool
    size: int = 0


def _iso_tree(files: list[Placed]) -> int:
    """Count the sectors of the ISO tree and its path tables."""
    sectors, table = 0, 0
    for folder, members in _folders(files, iso_name):
        _make_unique(members, _ISO_NAME)
        ends = [_iso_record(member) for member in sorted(members, key=lambda member: member.name)]
        start, continued = _iso_start(root=not folder)
        sectors += _in_sectors(start + [size for size, _, count in ends for _ in range(count)])
        more = continued + [size for _, size, count in ends if size for _ in range(count)]
        sectors += _continued_sectors(more)
        table += sum(rounded(8 + len(member.name), 2) for member in members if member.folder)
    return sectors + 2 * -(-(table + 10) // SECTOR)


def _joliet_tree(files: list[Placed]) -> int:
    """Count the sectors of the Joliet tree and its path tables."""
    sectors, table = 0, 0
    for _, members in _folders(files, joliet_name):
        _make_unique(members, _JOLIET_NAME)
        members.sort(key=lambda member: member.name.encode("utf-16-be"))
        records = [_joliet_record(member.name) for member in members for _ in range(_sections(member.size))]
        sectors += _in_sectors([_SELF, _SELF, *records])
        table += sum(8 + len(member.name.encode("utf-16-be")) for member in members if member.folder)
    return sectors + 2 * -(-(table + 10) // SECTOR)


def iso_name(name: str, folder: bool) -> str:
    """Give the name in the ISO tree: at most 31 of A-Z 0-9 _, in a file with one dot, before at least 3 of its end."""
    stem, dot, end = name.rpartition(".")
    if folder:
        return _capitals(name[:_ISO_NAME])
    if not dot:
        stem, end = name, ""
    if len(name) > _ISO_NAME:
        end = end[: max(_ISO_NAME - 1 - len(stem), 3)]
        stem = stem[: _ISO_NAME - 1 - len(end)]
    return f"{_capitals(stem[: _ISO_NAME - 1])}.{_capitals(end)}"


def joliet_name(name: str, folder: bool) -> str:
    """Give the name in the Joliet tree: at most 104 characters, or 103 without a dot."""
    name = name.translate(_JOLIET_REFUSED)
    stem, dot, end = name.rpartition(".")
    if folder or not dot:
        return name[: _JOLIET_NAME - 1]
    if len(name) <= _JOLIET_NAME:
        return name
    end = end[: max(_JOLIET_NAME - 1 - len(stem), 3)]
    return f"{stem[: _JOLIET_NAME - 1 - len(end)]}.{end}"


def _folders(files: list[Placed], rename: Callable[[str, bool], str]) -> Iterator[tuple[str, list[_Named]]]:
    """Give the directories with what lies in them, under its names in one tree, in the order of its own names."""
    sizes = {file.path: file.size for file in files}
    folders = names_by_folder(sizes)
    for folder, names in folders.items():
        inside = ((f"{folder}/{name}" if folder else name, name) for name in sorted(names))
        yield (
            folder,
            [_Named(rename(name, path in folders), name, path in folders, sizes.get(path, 0)) for path, name in inside],
        )


def _make_unique(members: list[_Named], longest: int) -> None:
    """Give other names to those in a directory that have one name: their number replaces its last characters."""
    alike: dict[str, list[_Named]] = defaultdict(list)
    for member in members:
        alike[member.name].append(member)
    numbers = _Numbers(set(alike))
    for name in sorted(alike):
        if len(alike[name]) > 1:
            _number(alike[name], numbers, longest)


def _number(members: list[_Named], numbers: "_Numbers", longest: int) -> None:
    """Number members in turn, with one digit or as many as it takes; who got one too few begins with that name."""
    for digits in range(1, 8):
        stem, dot, end = members[0].name.rpartition(".")
        if not dot or members[0].folder:
            stem, dot, end = members[0].name, "", ""
        stem = stem[: longest - len(dot) - len(end) - digits]
        start = numbers.next(stem, dot + end, digits)
        if all(numbers.give(member, stem, dot + end, digits) for member in members):
            return
        # what was given is given back, as each gets a longer number
        numbers.go_back(stem, dot + end, digits, start)


class _Numbers:
    """The names taken in a directory, and for each way to number names the numbers that surely are."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._next: dict[tuple[str, str, int], int] = {}

    def give(self, member: _Named, stem: str, end: str, digits: int) -> bool:
        """Name a member by the first free number; False where there is none of so many digits."""
        for number in range(self.next(stem, end, digits), 10**digits):
            name = f"{stem}{number:0{digits}}{end}"
            if name not in self._taken:
                self._next[stem, end, digits] = number + 1
                self._taken.discard(member.name)
                self._taken.add(name)
                member.name = name
                return True
        self._next[stem, end, digits] = 10**digits
        return False

    def next(self, stem: str, end: str, digits: int) -> int:
        """Give the number to be tried next."""
        return self._next.get((stem, end, digits), 0)

    def go_back(self, stem: str, end: str, digits: int, number: int) -> None:
        """Try a number next that was tried before."""
        self._next[stem, end, digits] = number


def _iso_record(member: _Named) -> tuple[int, int, int]:
    """Give the bytes of a record, of its continuation, and how many of these there are."""
    length = rounded(_RECORD + len(member.name) + (0 if member.folder else 2), 2)
    return *_rock_ridge(length, member.own), _sections(member.size)


def _rock_ridge(length: int, own: str) -> tuple[int, int]:
    """Give the bytes of a record with its Rock Ridge fields, and of its continuation where the name does not fit."""
    size, name = rounded(length, 2) + _ATTRIBUTES, _NAME + len(own.encode())
    if size + name <= _LONGEST_RECORD:
        return rounded(size + name, 2), 0
    fitting = _LONGEST_RECORD - size - _CONTINUED
    return _LONGEST_RECORD, max(name - fitting + _NAME, _NAME)


def _iso_start(*, root: bool) -> tuple[list[int], list[int]]:
    """Give the records of a directory itself and its parent, and the bytes of their continuations."""
    size = _SELF + _ATTRIBUTES
    return ([size + _ANNOUNCED + 1 + _CONTINUED, size], [_ROOT_CONTINUED]) if root else ([size, size], [])


def _joliet_record(name: str) -> int:
    return _SELF + len(name.encode("utf-16-be"))


def _sections(size: int) -> int:
    return max(-(-size // _SECTION), 1)


def _in_sectors(records: Iterable[int]) -> int:
    """Count the sectors of records, none of which crosses from one into the next."""
    sectors, free = 0, 0
    for size in records:
        if size > free:
            sectors, free = sectors + 1, SECTOR
        free -= size
    return sectors


def _continued_sectors(sizes: Iterable[int]) -> int:
    """Count the sectors of continuations, as many as xorriso 1.5.4 may count: more than it writes."""
    total = sum(sizes)
    return min(total, 1) if total <= _FIRST_CONTINUED else 1 + -(-total // (SECTOR - _MISCOUNTED))


def _spread(size: int, lost: int = 0) -> int:
    """Count what records take of sectors when each sector may lose nearly a record."""
    return -(-size * SECTOR // (SECTOR - _LONGEST_RECORD - lost))


def _capitals(name: str) -> str:
    return name.encode("ascii", "replace").translate(_CAPITALS).decode()
