"""Snapshots of many packages in a site's catalog and store, without one RPM: for measurements of what reads only those.

`python -m tests.makers.catalogs DEPOT --packages 60000` gives a depot's repository `p/zoo` two: `p/zoo@1`, `p/zoo@2`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from issmedia.base.digest import digest_of
from issmedia.depot.depot import Depot
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.package import Advisory, Inventory, Package
from issmedia.model.tree import Entry, tree_of
from tests.makers.documents import NOW

REPOSITORY = "p/zoo"


def many_packages(count: int, *, newer: int = 0, advisories: int = 0) -> Inventory:
    """Name `count` packages, the last `newer` at version 2.0 rather than 1.0."""
    packages = [_package(number, "2.0" if number >= count - newer else "1.0") for number in range(count)]
    found = [
        Advisory(
            f"TEST-{number:06}", "security", "Important", f"Fix {number}", "2026-01-01", (f"CVE-2026-{number:06}",)
        )
        for number in range(advisories)
    ]
    return Inventory(tuple((digest_of(one.href.encode()), one) for one in packages), tuple(found))


def hold(depot: Depot, inventory: Inventory) -> None:
    """Make an inventory the current snapshot of `p/zoo`, with the tree of its packages."""
    tree = tree_of(Entry(one.href, blob, one.size) for blob, one in inventory.packages)
    count = len(inventory.packages)
    with depot.owned("hold", now=NOW) as owned, owned.store.writing() as writing, owned.catalog.changing() as db:
        writing.add_bytes(tree.encode())
        if db.names.repository(REPOSITORY) is None:
            db.names.add_product(Product("p", "p"))
            db.names.add_repository(Repository("p", "zoo", "zoo"))
        db.names.add_snapshot(Snapshot(REPOSITORY, tree.digest, NOW, count, count, tree.size, False))
        db.search.index(tree.digest, inventory)


def _package(number: int, version: str) -> Package:
    name = f"package{number:06}"
    href = f"Packages/p/{name}-{version}-1.x86_64.rpm"
    return Package(name, "0", version, "1", "x86_64", href, "sha256", "", 1000 + number, f"The package {number}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Give a depot two snapshots of many packages, a tenth of them newer in the second."""
    parser = argparse.ArgumentParser(prog="python -m tests.makers.catalogs", description=main.__doc__)
    parser.add_argument("depot", type=Path)
    parser.add_argument("--packages", type=int, default=60_000, help="how many")
    options = parser.parse_args(arguments)
    count, tenth = options.packages, options.packages // 10
    for newer in (0, tenth):
        hold(Depot(options.depot), many_packages(count, newer=newer, advisories=tenth // 2 + newer // 10))


if __name__ == "__main__":
    main()
