"""What changed between two states of repositories: packages, advisories, groups, module streams, bytes to carry."""

from collections.abc import Collection, Iterable

import msgspec

from issmedia.base.digest import Digest
from issmedia.model import plan
from issmedia.model.builds import Change, PackageBuild, compare_builds
from issmedia.model.manifest import Count
from issmedia.model.package import Advisory, Group, ModuleStream
from issmedia.model.tree import Tree

_NONE = Count(0, 0)


class Changed(msgspec.Struct, frozen=True):
    """Which groups (by id) or module streams (by `name:stream`) changed, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class RepositoryState(msgspec.Struct, frozen=True):
    """A repository at one moment, as far as it is compared; in any order."""

    tree: Digest
    packages: Collection[PackageBuild]
    advisories: Collection[Advisory] = ()
    groups: Collection[Group] = ()
    modules: Collection[ModuleStream] = ()


class RepositoryDiff(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed in one repository; `old` and `new` are its trees, None where it is not there.

    A document says only what did change: a report of a week in which nothing changed stays small.

    `advisories` are those that are new, or name CVEs that they did not name before. `carry` is what the new tree has
    and the old one lacks.
    """

    repository: str
    old: Digest | None
    new: Digest | None
    added: tuple[PackageBuild, ...] = ()
    removed: tuple[PackageBuild, ...] = ()
    upgraded: tuple[Change, ...] = ()
    downgraded: tuple[Change, ...] = ()
    replaced: tuple[Change, ...] = ()
    advisories: tuple[Advisory, ...] = ()
    groups: Changed = Changed()
    modules: Changed = Changed()
    carry: Count = _NONE


class Totals(msgspec.Struct, frozen=True):
    """Counts over repositories; `carry` counts a blob once for each repository that lacks it."""

    added: int
    removed: int
    upgraded: int
    downgraded: int
    replaced: int
    advisories: int
    carry: Count


class Diff(msgspec.Struct, frozen=True):
    """What changed between two states; `old` and `new` name them for people."""

    old: str
    new: str
    repositories: tuple[RepositoryDiff, ...]

    @property
    def totals(self) -> Totals:
        """Add up the repositories."""
        found = self.repositories
        return Totals(
            added=sum(len(one.added) for one in found),
            removed=sum(len(one.removed) for one in found),
            upgraded=sum(len(one.upgraded) for one in found),
            downgraded=sum(len(one.downgraded) for one in found),
            replaced=sum(len(one.replaced) for one in found),
            advisories=sum(len(one.advisories) for one in found),
            carry=Count(sum(one.carry.blobs for one in found), sum(one.carry.bytes for one in found)),
        )

    @property
    def cves(self) -> tuple[str, ...]:
        """List the CVEs that the advisories name, each once, by year and number."""
        found = {cve for one in self.repositories for advisory in one.advisories for cve in advisory.cves}
        return tuple(sorted(found, key=lambda cve: (cve[:9], len(cve), cve)))


def diff_repository(
    repository: str, old: RepositoryState | None, new: RepositoryState | None, *, carry: Count = _NONE
) -> RepositoryDiff:
    """Compare two states of a repository, None where it is not there; `carry` is what `carried` counts."""
    trees = (old.tree if old else None, new.tree if new else None)
    if trees[0] == trees[1]:
        return RepositoryDiff(repository, *trees, carry=carry)
    before, after = old or _empty(), new or _empty()
    packages = compare_builds(before.packages, after.packages)
    return RepositoryDiff(
        repository,
        *trees,
        added=packages.added,
        removed=packages.removed,
        upgraded=packages.upgraded,
        downgraded=packages.downgraded,
        replaced=packages.replaced,
        advisories=_added(before.advisories, after.advisories),
        groups=_changed({(one.id, one) for one in before.groups}, {(one.id, one) for one in after.groups}),
        modules=_changed({(one.key, one) for one in before.modules}, {(one.key, one) for one in after.modules}),
        carry=carry,
    )


def carried(old: Tree | None, new: Tree | None) -> Count:
    """Count the blobs that the new tree has and the old one lacks, and their bytes."""
    if new is None:
        return _NONE
    return plan.count(plan.needed(new, [old] if old else []))


def _empty() -> RepositoryState:
    return RepositoryState(Digest(""), ())


def _added(old: Iterable[Advisory], new: Iterable[Advisory]) -> tuple[Advisory, ...]:
    known = {one.id: frozenset(one.cves) for one in old}
    return tuple(one for one in new if one.id not in known or not known[one.id].issuperset(one.cves))


def _changed(old: Collection[tuple[str, object]], new: Collection[tuple[str, object]]) -> Changed:
    """Compare what stands under each key: a key may stand for several things."""
    before, after = {key for key, _ in old}, {key for key, _ in new}
    differing = {key for key, _ in set(old) ^ set(new)}
    return Changed(
        added=tuple(sorted(after - before)),
        removed=tuple(sorted(before - after)),
        changed=tuple(sorted(differing & before & after)),
    )
