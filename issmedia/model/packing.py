"""Which item goes on which volume: first-fit-decreasing, deterministic, by costs that the file system knows.

Items are taken rank by rank, in each the most costly first, ties by key; each goes on the first volume with room. So
volume 1 holds as much of rank 0 as it can. In theory first-fit-decreasing needs up to 11/9 of the fewest volumes, and
6/9 (Dósa 2007), and where media or ranks are mixed more. But that needs items of a good part of a volume each: the
small ones of a repository fill what the large ones leave, and the volumes come out at the lower bound or one above.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from issmedia.base.errors import Problem, UsageError
from issmedia.base.units import count_text
from issmedia.model.names import shown

MIB = 1 << 20


class Item(msgspec.Struct, frozen=True):
    """What stays together on one volume: a file, or a group whose cost is the sum; rank 0 is placed before rank 1."""

    key: str
    cost: int
    rank: int = 0


@dataclass(slots=True)
class Bin:
    """What goes on one volume: its place in the row of media from 0, its room, the items, their costs in all."""

    number: int
    room: int
    items: list[Item] = field(default_factory=list)
    cost: int = 0


def pack(items: Iterable[Item], rooms: Sequence[int]) -> tuple[Bin, ...]:
    """Place items on volumes; `rooms` in bytes are the volumes' in order, and the last one's repeats.

    Volumes on which nothing lies are left out; the others keep their numbers. `UsageError` names the items that fit
    none.
    """
    row = _Row(rooms)
    homeless = [item for item in _in_order(items) if not row.place(item)]
    if homeless:
        problems = [Problem(shown(item.key), f"needs {item.cost:,} bytes") for item in homeless]
        found = f"{count_text(len(homeless), 'item')} fit no medium; the largest has room for {max(rooms):,} bytes"
        raise UsageError(found, hint="use a larger medium, or let large files be split", problems=problems)
    return tuple(one for one in row.bins if one.items)


def lower_bound(costs: Iterable[int], rooms: Sequence[int]) -> int:
    """Say how many volumes are needed at least, whatever the packing.

    By bytes, the largest rooms first; and by the items that cannot share a volume (Martello and Toth's bound L2, as if
    every room were the largest).
    """
    listed = sorted((cost for cost in costs if cost > 0), reverse=True)
    return max(_by_bytes(sum(listed), rooms), _by_pairs(listed, max(rooms)))


def split_sizes(size: int, largest: int) -> list[int]:
    """Cut a size into parts of at most `largest` bytes: whole MiB each, but the last; `largest` is 1 MiB or more."""
    if largest < MIB:
        raise UsageError(
            f"parts of files need room for {MIB:,} bytes, there is {largest:,}", hint="use a larger medium"
        )
    part = largest // MIB * MIB
    if size <= largest:
        return [size]
    whole, rest = divmod(size, part)
    return [part] * whole + ([rest] if rest else [])


class _Row:
    """Volumes in their order, and a tree over them of the largest room left, to find the first fitting one fast.

    `_left[_leaves + n]` is what volume n has left, -1 where there is none yet; a node above is the larger of its two.
    """

    def __init__(self, rooms: Sequence[int]) -> None:
        if not rooms:
            raise ValueError("no medium")
        self._rooms = rooms
        self._leaves = 1
        self._left = [-1, -1]
        self.bins: list[Bin] = []

    def place(self, item: Item) -> bool:
        """Put an item on the first volume with room, on a new one where none has; say whether it could be."""
        left, cost = self._left, item.cost
        while left[1] < cost:
            if not self._may_help(item):
                return False
            self._add()
            left = self._left
        node, leaves = 1, self._leaves
        while node < leaves:
            node += node
            node += left[node] < cost
        found = self.bins[node - leaves]
        found.items.append(item)
        found.cost += cost
        self._set(node, left[node] - cost)
        return True

    def _may_help(self, item: Item) -> bool:
        """Say whether a volume that is still to come has room for it."""
        return max(self._rooms[len(self.bins) :], default=self._rooms[-1]) >= item.cost

    def _add(self) -> None:
        number = len(self.bins)
        if number == self._leaves:
            self._grow()
        room = self._rooms[min(number, len(self._rooms) - 1)]
        self.bins.append(Bin(number, room))
        self._set(self._leaves + number, room)

    def _grow(self) -> None:
        """Double the leaves, and build the nodes above them anew."""
        rooms = self._left[self._leaves :]
        self._leaves *= 2
        self._left = [-1] * self._leaves + rooms + [-1] * len(rooms)
        for node in range(self._leaves - 1, 0, -1):
            self._left[node] = max(self._left[2 * node], self._left[2 * node + 1])

    def _set(self, node: int, value: int) -> None:
        """Say what a volume has left; nodes above that do not change end the way up."""
        left = self._left
        while node and left[node] != value:
            left[node] = value
            other = left[node ^ 1]
            value = value if value > other else other
            node //= 2


def _in_order(items: Iterable[Item]) -> list[Item]:
    """Sort by rank, then the most costly first, then by key."""
    found = sorted(items, key=attrgetter("key"))
    found.sort(key=attrgetter("cost"), reverse=True)
    found.sort(key=attrgetter("rank"))
    return found


def _by_bytes(total: int, rooms: Sequence[int]) -> int:
    """Count the largest rooms that hold so many bytes; the last room comes as often as it is needed."""
    count = 0
    for room in sorted(rooms[:-1], reverse=True):
        if total <= 0 or room <= rooms[-1]:
            break
        count, total = count + 1, total - room
    return count + max(-(-total // rooms[-1]), 0)


def _by_pairs(costs: Sequence[int], room: int) -> int:
    """For each size up to half a room: items that leave less than it stand alone, smaller ones cost nothing.

    Costs come from the largest down.
    """
    halves = next((place for place, cost in enumerate(costs) if 2 * cost <= room), len(costs))
    best, alone, filled, small = halves, halves, 0, 0
    for cost in costs[halves:]:
        small += cost
        while alone and costs[alone - 1] <= room - cost:
            alone -= 1
            filled += costs[alone]
        spare = (halves - alone) * room - filled
        best = max(best, halves + max(-(-(small - spare) // room), 0))
    return best
