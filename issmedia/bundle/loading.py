"""Which blob goes on which volume.

A *piece* is what lies whole on one volume: a blob, or a numbered part of one that no file of its medium can hold.
Pieces are packed by their cost on the medium's file system; a small repository stays together, so that upstream's own
repodata serve it there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import Problem, UsageError
from issmedia.base.units import bytes_text
from issmedia.bundle import layout
from issmedia.bundle.carried import Carried
from issmedia.bundle.volume import Part
from issmedia.model.manifest import SplitEntry, Stored
from issmedia.model.medium import Medium
from issmedia.model.packing import Item, lower_bound, pack, split_sizes

Cut = Callable[[Stored, Sequence[int]], tuple[Digest, ...]]
"""Gives the digests of a blob's parts of these sizes in bytes; reads it."""

_TOGETHER = 16
"""A repository stays together where it takes at most so small a share (one in …) of a medium."""


_SPARE = 64 << 10
"""Bytes left for the name and the listings of a file that fills a volume."""

_MARGIN, _PATIENCE = 4096, 2


class Piece(msgspec.Struct, frozen=True):
    """What lies on one volume: `places` are (PRODUCT/REPO, path in its tree); a `part` has those of its blob."""

    sha256: Digest
    size: int
    places: tuple[tuple[str, str], ...]
    part: Part | None = None

    @property
    def path(self) -> str:
        """Say where its first place would be on a volume."""
        repository, path = self.places[0]
        return layout.part_path(self.part.blob, self.part.number) if self.part else layout.repo_path(repository, path)


class Media(msgspec.Struct, frozen=True):
    """What is written on: media in order, the last for all further volumes; none for one directory without limit.

    `urgent` blobs go on the first volume as far as they fit. Unless files may be `split`, one too large is refused.
    """

    media: tuple[Medium, ...] = ()
    urgent: frozenset[Digest] = frozenset()
    split: bool = True

    def medium(self, number: int) -> Medium | None:
        """Give the medium of a volume, counted from 1."""
        return self.media[min(number, len(self.media)) - 1] if self.media else None

    def room(self, number: int) -> int:
        """Give the bytes that a volume may take, counted from 1."""
        medium = self.medium(number)
        assert medium is not None
        return room_of(medium)


@dataclass(slots=True)
class Overhead:
    """Bytes that each volume needs beside its payload: `least` of each medium, in order; more where that was found.

    `spare` is left beside a file that fills a volume, for its name and repodata.
    """

    least: Sequence[int]
    spare: int
    found: dict[int, int] = field(default_factory=dict)
    _times: Counter[int] = field(default_factory=Counter)

    def of(self, number: int) -> int:
        """Say what is kept for volume `number`, counted from 1."""
        return self.found.get(number, self.least[min(number, len(self.least)) - 1])

    def grow(self, number: int, needed: int) -> None:
        """Learn that volume `number` took `needed` bytes beside the costs of its payload, and keep a little more.

        Each further time that is more, since what is left out for it may take less than it cost.
        """
        more = (needed - self.of(number)) // _PATIENCE * self._times[number]
        self.found[number] = needed + more + _MARGIN
        self._times[number] += 1

    def grow_spare(self, missing: int) -> None:
        """Learn that so many bytes were missing on a volume that holds one file: then it has to be cut."""
        self.spare += missing + _MARGIN


class Costs:
    """What a piece takes on the media: the most that any of them asks, and its share of the repodata made there."""

    def __init__(self, parts: Iterable[Carried], media: Media) -> None:
        self.media = media
        self._filesystems = tuple(dict.fromkeys(medium.filesystem for medium in media.media))
        self._links = any(one.links for one in self._filesystems)
        self._described = {
            part.path: part.repodata_bytes() // part.target.packages if part.target.packages else 0 for part in parts
        }
        self._known: dict[tuple[Digest, Part | None], int] = {}

    def of(self, piece: Piece) -> int:
        """Give bytes."""
        key = (piece.sha256, piece.part)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._cost(piece)
        return found

    def of_all(self, pieces: Iterable[Piece]) -> int:
        """Give bytes of all of them."""
        return sum(map(self.of, pieces))

    def spare(self) -> int:
        """Give what is to be left beside a file that fills a volume."""
        return _SPARE + max(self._described.values(), default=0)

    def rank(self, group: Sequence[Piece]) -> int:
        """Let what is urgent be packed first."""
        return 0 if any(piece.sha256 in self.media.urgent for piece in group) else 1

    def _cost(self, piece: Piece) -> int:
        packages = () if piece.part else (place for place in piece.places if not layout.is_metadata(place[1]))
        described = sum(self._described[repository] for repository, _ in packages)
        paths = [layout.repo_path(*place) for place in piece.places] if self._links else [piece.path]
        first = max(one.cost(paths[0], piece.size) for one in self._filesystems)
        names = sum(max(one.cost(path, 0) for one in self._filesystems) for path in paths[1:])
        return first + names + described + sum(layout.LINE + len(path) for path in paths)


def room_of(medium: Medium) -> int:
    """Give the bytes that a volume on this medium may take; it has a size."""
    assert medium.room is not None
    return medium.room


def pieces_of(parts: Iterable[Carried]) -> list[Piece]:
    """List every blob that travels, each once, in the order first met."""
    places: dict[Digest, list[tuple[str, str]]] = {}
    sizes: dict[Digest, int] = {}
    for part in parts:
        for entry in part.travelling():
            places.setdefault(entry.sha256, []).append((part.path, entry.path))
            sizes[entry.sha256] = entry.size
    return [Piece(digest, sizes[digest], tuple(where)) for digest, where in places.items()]


def split_large(
    pieces: Sequence[Piece], media: Media, overhead: Overhead, cut: Cut
) -> tuple[list[Piece], tuple[SplitEntry, ...]]:
    """Cut what no file of the smallest medium holds into parts; or refuse all of it by name."""
    if not media.media:
        return list(pieces), ()
    largest = min(
        _largest(medium, least + overhead.spare) for medium, least in zip(media.media, overhead.least, strict=True)
    )
    if largest <= 0:
        raise too_small()
    large = [piece for piece in pieces if piece.size > largest]
    if large and not media.split:
        raise UsageError(
            f"files larger than the medium holds in one piece, which is {bytes_text(largest)}",
            hint="leave out --no-split, or choose a larger medium or file system",
            problems=[Problem(piece.path, f"has {piece.size:,} bytes") for piece in large],
        )
    entries = {piece.sha256: _entry(piece, largest, cut) for piece in large}
    whole = [piece for piece in pieces if piece.sha256 not in entries]
    parts = [part for piece in large for part in _parts(piece, entries[piece.sha256])]
    return whole + parts, tuple(entries[digest] for digest in sorted(entries))


def load(pieces: Sequence[Piece], parts: Sequence[Carried], costs: Costs, overhead: Overhead) -> list[list[Piece]]:
    """Say what goes on each volume. Without media all goes on one."""
    if not costs.media.media:
        return [list(pieces)]
    rooms = _rooms(costs.media, overhead)
    if max(rooms) <= 0:
        raise too_small()
    together = _together(pieces, parts, costs, min(rooms))
    loads = _packed(together, costs, rooms)
    if len(together) == len(pieces) or len(loads) <= lower_bound(map(costs.of, pieces), rooms):
        return loads
    return min(loads, _packed([[piece] for piece in pieces], costs, rooms), key=len)


def too_small() -> UsageError:
    """Say that there is no room for payload."""
    return UsageError("the medium is too small for what every volume holds", hint="choose a larger --medium")


def _largest(medium: Medium, overhead: int) -> int:
    """Say how long a file of this medium may be: as its file system allows, and as fits on an empty volume."""
    limits = [] if medium.filesystem.largest_file is None else [medium.filesystem.largest_file]
    limits.append(room_of(medium) - overhead)
    return max(0, min(limits))


def _entry(piece: Piece, largest: int, cut: Cut) -> SplitEntry:
    sizes = split_sizes(piece.size, largest)
    digests = cut(Stored(piece.sha256, piece.size), sizes)
    return SplitEntry(piece.sha256, piece.size, tuple(map(Stored, digests, sizes)))


def _parts(piece: Piece, entry: SplitEntry) -> list[Piece]:
    offsets = accumulate((part.size for part in entry.parts), initial=0)
    return [
        Piece(part.sha256, part.size, piece.places, Part(piece.sha256, number, offset))
        for number, (part, offset) in enumerate(zip(entry.parts, offsets, strict=False), 1)
    ]


def _rooms(media: Media, overhead: Overhead) -> list[int]:
    """List the bytes for payload of each volume, as far as they differ; the last stands for all further ones."""
    last = max([len(media.media), *(number + 1 for number in overhead.found)])
    return [media.room(number) - overhead.of(number) for number in range(1, last + 1)]


def _together(pieces: Sequence[Piece], parts: Sequence[Carried], costs: Costs, room: int) -> list[list[Piece]]:
    """Group the pieces of each repository that is small and travels whole; all others are alone."""
    small: dict[str, list[Piece]] = {part.path: [] for part in parts if not part.target.bases}
    for piece in pieces:
        if piece.places[0][0] in small:
            small[piece.places[0][0]].append(piece)
    small = {path: own for path, own in small.items() if costs.of_all(own) <= room // _TOGETHER}
    alone = [[piece] for piece in pieces if piece.places[0][0] not in small]
    return [own for own in small.values() if own] + alone


def _packed(groups: Sequence[Sequence[Piece]], costs: Costs, rooms: Sequence[int]) -> list[list[Piece]]:
    """Pack groups; a volume on which nothing lies, for want of room, stays in its place."""
    items = [Item(group[0].path, costs.of_all(group), costs.rank(group)) for group in groups]
    by_key: Mapping[str, Sequence[Piece]] = {item.key: group for item, group in zip(items, groups, strict=True)}
    bins = {one.number: one.items for one in pack(items, rooms)}
    count = max(bins, default=0) + 1
    return [[piece for item in bins.get(number, ()) for piece in by_key[item.key]] for number in range(count)]
