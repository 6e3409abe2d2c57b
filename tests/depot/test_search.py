"""Packages and advisories of current snapshots."""

from pathlib import Path

import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import Problem
from issmedia.depot.catalog import Catalog, Session
from issmedia.depot.catalog_search import Details
from issmedia.model.builds import PackageBuild
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.package import Advisory, Group, Inventory, ModuleStream, Package
from tests.makers.documents import NOW

OLD, NEW = Digest("a" * 64), Digest("b" * 64)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with two repositories, nothing synced."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        db.names.add_product(Product("p", "P"))
        for label in ("farm", "zoo"):
            db.names.add_repository(Repository("p", label, label))
    return made


def package(name: str, version: str = "1.0", epoch: str = "0", summary: str = "") -> tuple[Digest, Package]:
    """Make a package and the blob it is."""
    one = Package(name, epoch, version, "1", "noarch", f"{name}.rpm", "sha256", "", 10, summary)
    return digest_of(f"{name} {version}".encode()), one


def advisory(id: str, *cves: str, title: str = "A fix", issued: str = "2023-01-01") -> Advisory:
    """Make an advisory."""
    return Advisory(id, "security", "Important", title, issued, cves)


def hold(
    db: Session,
    tree: Digest,
    *packages: tuple[Digest, Package],
    path: str = "p/zoo",
    advisories: tuple[Advisory, ...] = (),
) -> None:
    """Make a tree a repository's current snapshot."""
    db.names.add_snapshot(Snapshot(path, tree, NOW, 1, 1, 1, False))
    db.search.index(tree, Inventory(packages, advisories))


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("app", ["app-1:1.0-1.noarch", "app-2.0-1.noarch"]),
        ("APP", ["app-1:1.0-1.noarch", "app-2.0-1.noarch"]),
        ("small", ["tool_x-1.0-1.noarch"]),
        ("tool_", ["tool_x-1.0-1.noarch"]),
        ("%", []),
        ("\\", []),
        ("100%", []),
        ("' OR 1=1 --", []),
    ],
)
def test_packages_are_found_by_name_or_summary(catalog: Catalog, term: str, found: list[str]) -> None:
    with catalog.changing() as db:
        hold(
            db,
            OLD,
            package("tool_x", summary="A small tool"),
            package("toolbox"),
            package("app", "2.0"),
            package("app", epoch="1"),
        )

        assert found == [one.nevra for one in db.search.packages(term)]


def test_only_current_snapshots_are_searched(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, package("app"), advisories=(advisory("OLD-1", "CVE-1"),))
        hold(db, NEW, package("other"), advisories=(advisory("NEW-1", "CVE-2"),))

        assert (db.search.packages("app"), db.search.advisories("CVE-1")) == ([], [])
        assert [one.nevra for one in db.search.packages("o")] == ["other-1.0-1.noarch"]


def test_what_one_repository_says_of_a_blob_renames_it_in_no_other(catalog: Catalog) -> None:
    blob, app = package("app")

    with catalog.changing() as db:
        hold(db, OLD, (blob, package("evil", summary="not an app")[1]), path="p/farm")
        hold(db, NEW, (blob, app), path="p/zoo")

        assert [(one.repository, one.nevra) for one in db.search.packages("")] == [
            ("p/zoo", "app-1.0-1.noarch"),
            ("p/farm", "evil-1.0-1.noarch"),
        ]


def test_one_tree_in_two_repositories_is_found_in_both(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, package("app"), path="p/zoo")
        hold(db, OLD, package("app"), path="p/farm")

        assert [one.repository for one in db.search.packages("app")] == ["p/farm", "p/zoo"]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("CVE-2024-6387", ["A-2", "A-1"]),
        ("cve-2024-6387", ["A-2", "A-1"]),
        ("CVE-2023", ["A-1"]),
        ("A-3", ["A-3"]),
        ("regreSSHion", ["A-3"]),
        ("CVE", ["A-2", "A-1"]),
        ("nothing", []),
    ],
)
def test_advisories_are_found_by_id_title_or_cve_newest_first(catalog: Catalog, term: str, found: list[str]) -> None:
    advisories = (
        advisory("A-1", "CVE-2024-6387", "CVE-2023-1", issued="2024-01-01"),
        advisory("A-2", "CVE-2024-6387", issued="2024-02-01"),
        advisory("A-3", title="About regreSSHion"),
    )
    with catalog.changing() as db:
        hold(db, OLD, advisories=advisories)

        assert found == [one.id for one in db.search.advisories(term)]


def test_a_tree_is_indexed_once(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, package("app"))
        db.search.index(OLD, Inventory((package("other"),), ()))

        assert db.search.has(OLD)
        assert not db.search.has(NEW)
        assert db.search.packages("other") == []


def test_a_package_and_an_advisory_that_stand_twice_are_found_once(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, package("app"), package("app"), advisories=(advisory("A-1", "C", "C"), advisory("A-1", "C", "C")))

        assert (len(db.search.packages("app")), len(db.search.advisories("A-1"))) == (1, 1)


def test_more_than_one_batch_of_rows_is_indexed(catalog: Catalog) -> None:
    many = tuple(package(f"package{number}") for number in range(5001))

    with catalog.changing() as db:
        hold(db, OLD, *many)

        assert len(db.search.packages("package")) == 5001


def test_a_tree_lists_its_builds_whatever_is_current(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, package("app"), package("app", "2.0", epoch=""))
        hold(db, NEW, package("other"))

        assert sorted(db.search.builds(OLD), key=lambda one: one.version) == [
            PackageBuild("app", "0", "1.0", "1", "noarch", digest_of(b"app 1.0")),
            PackageBuild("app", "0", "2.0", "1", "noarch", digest_of(b"app 2.0")),
        ]


def test_a_tree_lists_its_advisories_by_id_with_sorted_cves(catalog: Catalog) -> None:
    with catalog.changing() as db:
        hold(db, OLD, advisories=(advisory("B-1", "CVE-2", "CVE-1"), advisory("A-1")))
        hold(db, NEW, advisories=(advisory("B-1", "CVE-3"),))

        assert db.search.advisories_of(OLD) == [advisory("A-1"), advisory("B-1", "CVE-1", "CVE-2")]


def test_a_tree_that_is_not_indexed_has_nothing_and_unknown_details(catalog: Catalog) -> None:
    with catalog.changing() as db:
        assert (db.search.builds(OLD), db.search.advisories_of(OLD), db.search.details(OLD)) == ([], [], None)


def test_groups_and_module_streams_are_kept(catalog: Catalog) -> None:
    group = Group("tools", "Tools", OLD)
    stream = ModuleStream("app", "1.10", (1 << 64) - 1, "", "x86_64", NEW)

    with catalog.changing() as db:
        db.search.index(OLD, Inventory((), (), (group,), (stream,)))

        assert db.search.details(OLD) == Details((group,), (stream,))


def test_groups_and_streams_are_unknown_where_one_could_not_be_read(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.search.index(OLD, Inventory((), (), (Group("tools", "Tools", OLD),), (), (Problem("modules", "no YAML"),)))

        assert db.search.details(OLD) is None
