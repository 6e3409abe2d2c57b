"""diff: what changed between two states, from the catalog and from bundles that were never imported."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import BaseMissingError, FormatError, NotIntactError
from issmedia.bundle.reader import read
from issmedia.depot.depot import Depot
from issmedia.model.builds import Change, PackageBuild
from issmedia.model.diff import Changed, RepositoryDiff
from issmedia.model.manifest import BaseEntry, Count
from issmedia.model.package import Inventory
from issmedia.model.state import State
from issmedia.ops import diff as module
from issmedia.ops.diff import Compared, Side, diff, opened
from issmedia.ops.states import find_state
from tests.makers.catalogs import hold, many_packages
from tests.makers.changes import Changes, changes
from tests.makers.documents import NOW
from tests.makers.forge import copied, edit_manifest
from tests.makers.sites import Site, disconnected_site


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Changes:
    """Sites and bundles; nobody changes them."""
    return changes(tmp_path_factory.mktemp("changes"))


def compared(site: Site, old: str, new: str) -> Compared:
    """Compare two states that a site recorded."""
    return diff(site.depot, *(Side(find_state(site.depot, text)) for text in (old, new)))


def opened_pair(site: Site, old: Path, new: Path) -> Compared:
    """Compare two bundles that a site never imported."""
    with read([old]) as one, read([new]) as other:
        before = opened(one, (), site.depot.store)
        after = opened(other, ("SHA256:somebody",), site.depot.store, before.listed)
    return diff(site.depot, before, after)


def only(found: Compared) -> RepositoryDiff:
    """Give the one repository that changed."""
    (one,) = [one for one in found.diff.repositories if one.old != one.new]
    return one


def names(builds: tuple[PackageBuild, ...]) -> list[str]:
    """Name packages."""
    return [one.nevra for one in builds]


def moves(found: tuple[Change, ...]) -> list[tuple[str, str]]:
    """Name packages with what became of them."""
    return [(one.old.nevra, one.new.nevra) for one in found]


def test_two_snapshots_differ_in_packages_advisories_groups_and_streams(world: Changes) -> None:
    one = only(found := compared(world.hq, "p/zoo@1", "p/zoo@2"))

    assert moves(one.downgraded) == [("lowered-3.0-1.noarch", "lowered-2.0-1.noarch")]
    assert moves(one.upgraded) == [
        ("kept-1.0-1.noarch", "kept-1.1-1.noarch"),
        ("library-1:1.0-1.noarch", "library-1:2.0-1.noarch"),
    ]
    assert (names(one.added), names(one.removed)) == (["fresh-1.0-1.noarch"], ["gone-1.0-1.noarch"])
    assert [change.new.nevra for change in one.replaced] == ["rebuilt-1.0-1.noarch"]
    assert [advisory.id for advisory in one.advisories] == ["T-2", "T-3"]
    assert found.diff.cves == ("CVE-2024-2222", "CVE-2024-10000")
    assert Changed(("desktop",), ("games",), ("tools",)) == one.groups
    assert Changed(("streamed:6",), ("streamed:5",)) == one.modules
    assert found.unknown == {}


def test_what_is_to_carry_is_what_a_delta_carries(world: Changes) -> None:
    one = only(compared(world.hq, "p/zoo@1", "p/zoo@2"))

    content = world.hq.do("inspect", world.delta, "--json").document["manifest"]["content"]
    assert Count(content["blobs"], content["bytes"]) == one.carry


def test_the_current_state_and_a_bundle_by_id_are_compared_repository_by_repository(world: Changes) -> None:
    first = world.hq.do("inspect", world.first, "--json").document["id"]

    found = compared(world.hq, first[:12], "current")

    assert [one.repository for one in found.diff.repositories] == ["p/farm", "p/zoo"]
    assert only(found).repository == "p/zoo"
    assert (found.diff.old, found.diff.new) == ("hq #1", "current")


def test_a_snapshot_is_compared_with_its_repository_only(world: Changes) -> None:
    for old, new in (("p/zoo@1", "current"), ("current", "p/zoo@1")):
        assert [one.repository for one in compared(world.hq, old, new).diff.repositories] == ["p/zoo"]


def test_snapshots_of_two_repositories_are_compared_with_each_other(world: Changes) -> None:
    one = only(compared(world.hq, "p/farm", "p/zoo@1"))

    assert (one.repository, names(one.removed)) == ("p/zoo", ["cow-1.0-1.noarch"])


def test_of_a_repository_that_the_new_side_does_not_name_nothing_is_said_to_be_removed(world: Changes) -> None:
    current = find_state(world.hq.depot, "current")
    part = State(current.entry, {"p/zoo": current.trees["p/zoo"]})

    found = diff(world.hq.depot, Side(current), Side(part))

    assert (RepositoryDiff("p/farm", current.trees["p/farm"], None),) == found.diff.repositories[:1]
    assert found.diff.totals.removed == 0


def test_a_repository_that_only_the_new_side_names_is_added_whole(world: Changes) -> None:
    current = find_state(world.hq.depot, "current")
    part = State(current.entry, {"p/zoo": current.trees["p/zoo"]})

    one = only(diff(world.hq.depot, Side(part), Side(current)))

    assert (one.old, names(one.added)) == (None, ["cow-1.0-1.noarch"])
    assert one.carry.blobs > 1


def test_two_bundles_that_were_never_imported_are_compared_by_file_names(world: Changes) -> None:
    found = opened_pair(world.stranger, world.first, world.delta)

    one = only(found)
    assert moves(one.downgraded) == [("lowered-3.0-1.noarch", "lowered-2.0-1.noarch")]
    assert moves(one.upgraded) == [
        ("kept-1.0-1.noarch", "kept-1.1-1.noarch"),
        ("library-1.0-1.noarch", "library-2.0-1.noarch"),
    ]
    assert found.unknown == {"p/zoo": ("epochs", "advisories", "groups", "modules")}
    assert (found.old.verified, found.new.verified) == (False, True)
    assert only(compared(world.hq, "p/zoo@1", "p/zoo@2")).carry == one.carry


def test_of_an_opened_bundle_trees_that_are_here_come_from_the_catalog(world: Changes) -> None:
    found = opened_pair(world.hq, world.first, world.delta)

    assert (found.old.listed, found.new.listed) == ({}, {})
    assert found.unknown == {}
    assert [advisory.id for advisory in only(found).advisories] == ["T-2", "T-3"]


def test_a_delta_whose_base_is_not_here_says_which_tree_it_needs(world: Changes) -> None:
    base = world.hq.do("inspect", world.first, "--json").document["manifest"]["repositories"][1]["tree"]

    with read([world.delta]) as bundle, pytest.raises(BaseMissingError, match=base):
        opened(bundle, (), world.stranger.depot.store)


def test_a_damaged_listing_is_refused(world: Changes, tmp_path: Path) -> None:
    volume = copied(world.first, tmp_path / "volume")
    listing = next((volume / "trees").iterdir())
    listing.write_bytes(bytes(listing.stat().st_size))

    with read([volume]) as bundle, pytest.raises(NotIntactError, match="expected sha256"):
        opened(bundle, (), world.stranger.depot.store)


def test_sums_of_another_bundle_are_refused(world: Changes, tmp_path: Path) -> None:
    volume = copied(world.first, tmp_path / "volume")
    (volume / "SHA256SUMS").write_bytes((world.delta / "SHA256SUMS").read_bytes())

    with read([volume]) as bundle, pytest.raises(NotIntactError, match="not one of this manifest's"):
        opened(bundle, (), world.stranger.depot.store)


def test_of_a_bundle_nobody_vouches_for_only_so_much_is_read(world: Changes, tmp_path: Path) -> None:
    volume = copied(world.first, tmp_path / "volume")
    edit_manifest(volume, lambda document: document["trees"][0].update(size=module.MAX_UNVERIFIED + 1))

    with read([volume]) as bundle, pytest.raises(FormatError, match="a bundle that is not verified"):
        opened(bundle, (), world.stranger.depot.store)


def test_a_tree_that_this_site_never_held_has_unknown_packages_and_bytes(world: Changes) -> None:
    current = find_state(world.hq.depot, "current")
    strange = State(current.entry, {**current.trees, "p/zoo": Digest("7" * 64)})

    found = diff(world.hq.depot, Side(strange), Side(current))

    assert found.unknown == {"p/zoo": ("packages", "advisories", "groups", "modules", "carry")}
    assert ((), Count(0, 0)) == (only(found).added, only(found).carry)


def test_groups_of_a_tree_that_an_older_issmedia_indexed_are_unknown_and_not_removed(tmp_path: Path) -> None:
    site = disconnected_site(tmp_path / "site")
    hold(site.depot, many_packages(3))
    hold(site.depot, many_packages(3, newer=1))
    _forget_details(site.depot)

    found = compared(site, "p/zoo@1", "p/zoo@2")

    assert found.unknown == {"p/zoo": ("groups", "modules")}
    assert moves(only(found).upgraded) == [("package000002-1.0-1.x86_64", "package000002-2.0-1.x86_64")]


def test_an_empty_repository_is_compared(tmp_path: Path) -> None:
    site = disconnected_site(tmp_path / "site")
    hold(site.depot, Inventory((), ()))
    hold(site.depot, many_packages(2))

    assert len(only(compared(site, "p/zoo@1", "p/zoo@2")).added) == 2


def test_nothing_differs_between_a_state_and_itself(world: Changes) -> None:
    found = compared(world.hq, "current", "current")

    assert [one for one in found.diff.repositories if one.old != one.new or one.carry.blobs] == []


def test_a_side_that_this_site_recorded_is_verified() -> None:
    state = State(BaseEntry("snapshot", "current", NOW, None, None, None, None), {})

    assert (Side(state).verified, Side(state).signers) == (True, ())


def _forget_details(depot: Depot) -> None:
    with contextlib.closing(sqlite3.connect(depot.catalog.path)) as db, db:
        db.execute("DELETE FROM tree_details")
