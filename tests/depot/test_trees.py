"""What the catalog forgets with a tree, and what it keeps."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError
from issmedia.depot.catalog import Catalog
from issmedia.model.documents import Product, Repository
from tests.depot.test_search import NEW, OLD, advisory, hold, package

TABLES = ("snapshots", "indexed_trees", "packages", "tree_packages", "advisories", "tree_advisories", "advisory_cves")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with two trees of p/zoo: each has what the other lacks, and one package and one advisory they share."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        db.names.add_product(Product("p", "P"))
        db.names.add_repository(Repository("p", "zoo", "zoo"))
        for tree, name in ((OLD, "old"), (NEW, "new")):
            advisories = (advisory("BOTH", "CVE-1"), advisory(name.upper(), "CVE-1", "CVE-2"))
            hold(db, tree, package("both"), package(name), advisories=advisories)
    return made


def counts(catalog: Catalog) -> list[int]:
    """Count the rows of the tables."""
    with contextlib.closing(sqlite3.connect(catalog.path)) as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]


def test_what_only_a_forgotten_tree_had_is_forgotten_with_it(catalog: Catalog) -> None:
    before = counts(catalog)

    with catalog.changing() as db:
        db.trees.keep({NEW})

    assert (before, counts(catalog)) == ([2, 2, 3, 4, 3, 4, 5], [1, 1, 2, 2, 2, 2, 3])
    with catalog.reading() as db:
        found = [one.nevra for one in db.search.packages("both")], [one.id for one in db.search.advisories("CVE-1")]
    assert found == (["both-1.0-1.noarch"], ["BOTH", "NEW"])


def test_where_all_is_kept_nothing_changes(catalog: Catalog) -> None:
    before = counts(catalog)

    with catalog.changing() as db:
        db.trees.keep({OLD, NEW})

    assert before == counts(catalog)


def test_a_repository_stands_at_the_newest_snapshot_of_a_tree_or_at_none(catalog: Catalog) -> None:
    found = []

    for tree in (OLD, None, NEW):
        with catalog.changing() as db:
            db.names.set_current("p/zoo", tree)
            current = db.names.current("p/zoo")
            found.append(current and current.tree)

    assert found == [OLD, None, NEW]


def test_a_repository_cannot_stand_at_a_tree_it_never_had(catalog: Catalog) -> None:
    with pytest.raises(DepotError, match="no snapshot of tree"), catalog.changing() as db:
        db.names.set_current("p/zoo", Digest("c" * 64))

    with catalog.reading() as db:
        current = db.names.current("p/zoo")
    assert current is not None
    assert current.tree == NEW
