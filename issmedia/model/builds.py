"""Builds of packages, and how those of two states differ.

They are compared for each name and architecture:

1. A build that both states have with other bytes (same EVR, another blob) is *replaced*.
2. Where both states have builds, and the newest of the new state is newer by RPM's order than the newest of the old
   one, it is *upgraded*; where it is older, *downgraded*.
3. What is left is *added* or *removed*.
"""

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from itertools import zip_longest
from operator import attrgetter
from typing import NamedTuple

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.evr import EVR, compare_evr, evr_key
from issmedia.model.package import Inventory, Nevra, nevra_of_path
from issmedia.model.tree import Tree

_NameAndArch = tuple[str, str]
_ByEvr = dict[EVR, list["PackageBuild"]]

_ORDER = attrgetter("name", "arch", "epoch", "version", "release", "blob")
_NO_BUILDS = frozenset["PackageBuild"]()


class PackageBuild(msgspec.Struct, frozen=True, gc=False):
    """One package and the blob it is."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str
    blob: Digest

    @property
    def evr(self) -> EVR:
        """Give what RPM orders builds by."""
        return self.epoch, self.version, self.release

    @property
    def nevra(self) -> str:
        """Write `name-[epoch:]version-release.arch`; an epoch of 0 is left out."""
        return str(Nevra(self.name, self.epoch, self.version, self.release, self.arch))


class Change(msgspec.Struct, frozen=True, gc=False):
    """One build in the place of another.

    `beside` says that the older one of them stands in both states: upstreams often keep old builds beside new ones.
    """

    old: PackageBuild
    new: PackageBuild
    beside: bool = False


class PackageChanges(NamedTuple):
    """What changed among packages, each list sorted by name and architecture."""

    added: tuple[PackageBuild, ...] = ()
    removed: tuple[PackageBuild, ...] = ()
    upgraded: tuple[Change, ...] = ()
    downgraded: tuple[Change, ...] = ()
    replaced: tuple[Change, ...] = ()


def builds_of_inventory(inventory: Inventory) -> tuple[PackageBuild, ...]:
    """Give the builds of a repository whose metadata were read."""
    return tuple(
        PackageBuild(one.name, one.epoch or "0", one.version, one.release, one.arch, blob)
        for blob, one in inventory.packages
    )


def builds_of_listing(tree: Tree) -> tuple[PackageBuild, ...]:
    """Give the builds that file names tell of, every epoch taken as 0: compare them with a listing's only."""
    found = ((nevra_of_path(entry.path), entry.sha256) for entry in tree.entries)
    return tuple(PackageBuild(*nevra, blob) for nevra, blob in found if nevra)


def compare_builds(old: Iterable[PackageBuild], new: Iterable[PackageBuild]) -> PackageChanges:
    """Compare two states by the rules above. Names that have one build in each, as most, take a short way."""
    before, after = tuple(old), tuple(new)
    ours, theirs = _by_name(before), _by_name(after)
    several = _several(before, ours) | _several(after, theirs)
    found = _Found()
    for key, one in ours.items():
        if (other := theirs.get(key)) != one and key not in several:
            found.compare_one(one, other)
    found.added += [one for key, one in theirs.items() if key not in ours and key not in several]
    our_builds, their_builds = _grouped(before, several), _grouped(after, several)
    for key in several:
        found.compare(our_builds.get(key, _NO_BUILDS), their_builds.get(key, _NO_BUILDS))
    return found.changes()


def _by_name(builds: Iterable[PackageBuild]) -> dict[_NameAndArch, PackageBuild]:
    return {(one.name, one.arch): one for one in builds}


def _several(builds: Sequence[PackageBuild], by_name: Mapping[_NameAndArch, PackageBuild]) -> set[_NameAndArch]:
    """Give what has more than one build."""
    if len(builds) == len(by_name):
        return set()
    return {key for one in builds if by_name[key := (one.name, one.arch)] is not one}


def _grouped(
    builds: Iterable[PackageBuild], wanted: Container[_NameAndArch]
) -> Mapping[_NameAndArch, Set[PackageBuild]]:
    groups: dict[_NameAndArch, set[PackageBuild]] = {}
    for one in builds if wanted else ():
        if (key := (one.name, one.arch)) in wanted:
            groups.setdefault(key, set()).add(one)
    return groups


def _by_evr(builds: Iterable[PackageBuild]) -> _ByEvr:
    groups: _ByEvr = {}
    for one in sorted(builds, key=attrgetter("blob")):
        groups.setdefault(one.evr, []).append(one)
    return groups


def _newest(builds: _ByEvr) -> EVR:
    return max(builds, key=evr_key)


class _Found:
    """Changes as they are found, one name and architecture after another."""

    def __init__(self) -> None:
        self.added: list[PackageBuild] = []
        self.removed: list[PackageBuild] = []
        self.upgraded: list[Change] = []
        self.downgraded: list[Change] = []
        self.replaced: list[Change] = []

    def changes(self) -> PackageChanges:
        """Give all that was found."""
        return PackageChanges(
            _sorted(self.added),
            _sorted(self.removed),
            _sorted_changes(self.upgraded),
            _sorted_changes(self.downgraded),
            _sorted_changes(self.replaced),
        )

    def compare_one(self, old: PackageBuild, new: PackageBuild | None) -> None:
        """Compare the only builds of one name and architecture, which differ."""
        if new is None:
            self.removed.append(old)
        elif (order := compare_evr(old.evr, new.evr)) < 0:
            self.upgraded.append(Change(old, new))
        elif order > 0:
            self.downgraded.append(Change(old, new))
        elif old.evr == new.evr:
            self.replaced.append(Change(old, new))
        else:
            self.removed.append(old)
            self.added.append(new)

    def compare(self, ours: Set[PackageBuild], theirs: Set[PackageBuild]) -> None:
        """Compare all builds of one name and architecture."""
        if ours == theirs:
            return
        old, new = _by_evr(ours), _by_evr(theirs)
        for evr in old.keys() & new.keys():
            self.replace(old[evr], new[evr])
        moved = self.move(old, new) if old and new else ()
        for evr in old.keys() - new.keys():
            self.removed += old[evr][1:] if evr in moved else old[evr]
        for evr in new.keys() - old.keys():
            self.added += new[evr][1:] if evr in moved else new[evr]

    def replace(self, old: list[PackageBuild], new: list[PackageBuild]) -> None:
        """Pair what one EVR lost with what it got."""
        both = set(old) & set(new)
        lost, got = ([one for one in builds if one not in both] for builds in (old, new))
        for before, after in zip_longest(lost, got):
            if before and after:
                self.replaced.append(Change(before, after))
            else:
                self.removed += [before] if before else []
                self.added += [after] if after else []

    def move(self, old: _ByEvr, new: _ByEvr) -> tuple[EVR, ...]:
        """Note an upgrade or a downgrade of the newest build; give the EVRs that it takes out of the other lists."""
        before, after = _newest(old), _newest(new)
        order = compare_evr(before, after)
        if order < 0:
            self.upgraded.append(Change(old[before][0], new[after][0], before in new))
        elif order > 0:
            self.downgraded.append(Change(old[before][0], new[after][0], after in old))
        return (before, after) if order else ()


def _sorted(builds: Iterable[PackageBuild]) -> tuple[PackageBuild, ...]:
    return tuple(sorted(builds, key=_ORDER))


def _sorted_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda one: _ORDER(one.old)))
