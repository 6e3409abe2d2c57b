"""Depots filled without upstreams: `python -m scripts.synthetic DEPOT …`, for measurements of what only trees decide.

trees DEPOT FILES CHANGED       repository synthetic/r with two snapshots of FILES files, CHANGED of them differing
repositories DEPOT COUNT FILES  COUNT repositories, synthetic/r000 on, that share FILES small blobs
touch DEPOT COUNT               a new snapshot of the first COUNT of these
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from issmedia.base.digest import Digest, digest_of
from issmedia.depot.depot import Depot, OwnedDepot, create_depot, open_depot
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.manifest import SiteName
from issmedia.model.tree import Entry, Tree, tree_of

_NOW = "2026-01-01T00:00:00Z"
_PRODUCT = "synthetic"


def two_trees(depot: OwnedDepot, files: int, changed: int) -> None:
    """Add one repository with two snapshots."""
    _add_repository(depot, "r")
    for state in range(2):
        entries = (_entry(number, state if number < changed else 0) for number in range(files))
        _add_snapshot(depot, "r", tree_of(entries))


def many_repositories(depot: OwnedDepot, count: int, files: int) -> None:
    """Add repositories whose blobs are in the store."""
    with depot.store.writing() as writing:
        shared = [
            Entry(f"Packages/{number % 26:02}/package-{number:05}-1.0-1.noarch.rpm", writing.add_bytes(data), len(data))
            for number, data in ((number, f"package {number}\n".encode()) for number in range(files))
        ]
    for number in range(count):
        _add_repository(depot, f"r{number:03}")
        _add_state(depot, f"r{number:03}", shared, 0)


def touch(depot: OwnedDepot, count: int) -> None:
    """Give the first repositories a new snapshot that differs in one file."""
    with depot.catalog.reading() as db:
        labels = [repo.label for repo in db.names.repositories(_PRODUCT)][:count]
        current = {label: db.names.current(f"{_PRODUCT}/{label}") for label in labels}
        states = {label: len(db.names.snapshots(f"{_PRODUCT}/{label}")) for label in labels}
    for label, snapshot in current.items():
        assert snapshot is not None
        entries = [one for one in depot.store.tree(snapshot.tree).entries if one.path != "state"]
        _add_state(depot, label, entries, states[label])


def main() -> None:
    """Fill a depot; one that is not there is made."""
    parser = argparse.ArgumentParser(prog="python -m scripts.synthetic", description=main.__doc__)
    parser.add_argument("what", choices=("trees", "repositories", "touch"))
    parser.add_argument("depot", type=Path)
    parser.add_argument("numbers", type=int, nargs="+")
    options = parser.parse_args()
    with _depot(options.depot).owned("synthetic", now=_NOW) as owned:
        match options.what, options.numbers:
            case "trees", [files, changed]:
                two_trees(owned, files, changed)
            case "repositories", [count, files]:
                many_repositories(owned, count, files)
            case "touch", [count]:
                touch(owned, count)
            case _:
                parser.error("wrong numbers")


def _depot(root: Path) -> Depot:
    if root.exists():
        return open_depot(root)
    return create_depot(root, SiteName("0" * 32, "synthetic"), now=_NOW)


def _entry(number: int, state: int) -> Entry:
    name = f"package-{number:05}-1.{state}-1.el9.x86_64.rpm"
    return Entry(f"Packages/{chr(97 + number % 26)}/{name}", digest_of(name.encode()), 100_000 + number)


def _add_repository(depot: OwnedDepot, label: str) -> None:
    with depot.catalog.changing() as db:
        db.names.add_product(Product(_PRODUCT, _PRODUCT))
        db.names.add_repository(Repository(_PRODUCT, label, label))


def _add_state(depot: OwnedDepot, label: str, shared: Iterable[Entry], state: int) -> None:
    text = f"{label} {state}\n".encode()
    with depot.store.writing() as writing:
        own = Entry("state", writing.add_bytes(text), len(text))
    _add_snapshot(depot, label, tree_of([*shared, own]))


def _add_snapshot(depot: OwnedDepot, label: str, tree: Tree) -> None:
    with depot.store.writing() as writing:
        digest: Digest = writing.add_bytes(tree.encode())
    snapshot = Snapshot(
        repository=f"{_PRODUCT}/{label}",
        tree=digest,
        taken=_NOW,
        files=len(tree.entries),
        packages=len(tree.entries),
        size=tree.size,
        signed_metadata=False,
    )
    with depot.catalog.changing() as db:
        db.names.add_snapshot(snapshot)


if __name__ == "__main__":
    main()
