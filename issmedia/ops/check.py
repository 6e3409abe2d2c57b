"""check: would what a site holds install: is everything required provided by something that is there."""

from collections.abc import Sequence

import msgspec

from issmedia.content.base import ContentType, Unmet
from issmedia.depot.depot import Depot


class Broken(msgspec.Struct, frozen=True):
    """A package that would not install: its repository, and its requirements that nothing there can meet."""

    repository: str
    package: str
    requires: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """What was checked, all together, and what would not install, in the order of repositories and packages."""

    repositories: tuple[str, ...]
    packages: int
    broken: tuple[Broken, ...]


def check(depot: Depot, content: ContentType, what: Sequence[str]) -> Checked:
    """Check the current snapshots of these products and repositories, taken together; nothing named means all."""
    with depot.catalog.reading() as db:
        found = [db.names.current(one.path) for one in db.names.select(what)]
    snapshots = [one for one in found if one is not None]
    trees = [depot.store.tree(one.tree) for one in snapshots]
    unmet = content.check(trees, depot.store.open, [one.repository for one in snapshots])
    broken = [
        _broken(one.repository, package) for one, packages in zip(snapshots, unmet, strict=True) for package in packages
    ]
    return Checked(tuple(one.repository for one in snapshots), sum(one.packages for one in snapshots), tuple(broken))


def _broken(repository: str, unmet: Unmet) -> Broken:
    return Broken(repository, unmet.package, unmet.requires)
