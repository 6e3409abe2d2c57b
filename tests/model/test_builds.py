"""What changed among the builds of two states."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import Digest
from issmedia.model.builds import (
    Change,
    PackageBuild,
    PackageChanges,
    builds_of_inventory,
    builds_of_listing,
    compare_builds,
)
from issmedia.model.package import Inventory, Package
from issmedia.model.tree import Entry, tree_of


def build(version: str, blob: str = "0", *, name: str = "app", arch: str = "noarch", epoch: str = "0") -> PackageBuild:
    return PackageBuild(name, epoch, version, "1", arch, Digest(blob * 64))


ONE, TWO, THREE = build("1"), build("2"), build("3")

builds = st.builds(
    build,
    st.sampled_from(["1", "1.0", "01", "2", "2~rc1", "10"]),
    st.sampled_from("ab"),
    name=st.sampled_from(["app", "library"]),
    arch=st.sampled_from(["noarch", "x86_64"]),
    epoch=st.sampled_from("01"),
)
states = st.lists(builds, max_size=12)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([], [ONE], PackageChanges(added=(ONE,))),
        ([ONE], [], PackageChanges(removed=(ONE,))),
        ([ONE], [TWO], PackageChanges(upgraded=(Change(ONE, TWO),))),
        ([TWO], [ONE], PackageChanges(downgraded=(Change(TWO, ONE),))),
        ([ONE], [build("1", "b")], PackageChanges(replaced=(Change(ONE, build("1", "b")),))),
        ([ONE], [build("01")], PackageChanges(added=(build("01"),), removed=(ONE,))),
        ([TWO], [build("1", epoch="1")], PackageChanges(upgraded=(Change(TWO, build("1", epoch="1")),))),
        ([ONE], [ONE, TWO], PackageChanges(upgraded=(Change(ONE, TWO, beside=True),))),
        ([ONE, TWO], [ONE], PackageChanges(downgraded=(Change(TWO, ONE, beside=True),))),
        ([ONE, THREE], [TWO, THREE], PackageChanges(added=(TWO,), removed=(ONE,))),
        ([ONE, TWO], [TWO, THREE], PackageChanges(removed=(ONE,), upgraded=(Change(TWO, THREE, beside=True),))),
        ([ONE], [build("1", "b"), TWO], PackageChanges(
            upgraded=(Change(ONE, TWO, beside=True),), replaced=(Change(ONE, build("1", "b")),)
        )),
        ([ONE], [ONE, build("1", "b")], PackageChanges(added=(build("1", "b"),))),
        ([ONE], [build("2", arch="x86_64")], PackageChanges(added=(build("2", arch="x86_64"),), removed=(ONE,))),
    ],
)  # fmt: skip
def test_each_change_has_its_name(old: list[PackageBuild], new: list[PackageBuild], expected: PackageChanges) -> None:
    assert compare_builds(old, new) == expected


def test_the_order_of_what_is_given_plays_no_part_and_the_answer_is_sorted() -> None:
    old = [build("1", name=name) for name in ("c", "a", "b")]
    new = [build("2", name=name) for name in ("b", "c", "a")]

    found = compare_builds(old, new)

    assert found == compare_builds(reversed(old), reversed(new))
    assert [change.new.name for change in found.upgraded] == ["a", "b", "c"]


@given(states)
def test_nothing_differs_from_itself(state: list[PackageBuild]) -> None:
    assert compare_builds(state, reversed(state)) == PackageChanges()


@given(states, states)
def test_the_changes_lead_from_the_old_state_to_the_new_one(old: list[PackageBuild], new: list[PackageBuild]) -> None:
    assert applied(compare_builds(old, new), old) == set(new)


@given(states, states)
def test_the_way_back_mirrors_the_way_there(old: list[PackageBuild], new: list[PackageBuild]) -> None:
    there, back = compare_builds(old, new), compare_builds(new, old)

    assert (set(there.added), set(there.removed)) == (set(back.removed), set(back.added))
    assert (mirrored(there.upgraded), mirrored(there.downgraded)) == (set(back.downgraded), set(back.upgraded))
    assert mirrored(there.replaced) == set(back.replaced)


@given(states, states)
def test_no_build_is_both_added_and_in_the_place_of_another(old: list[PackageBuild], new: list[PackageBuild]) -> None:
    found = compare_builds(old, new)

    came = [*found.added, *(change.new for change in found.replaced), *(change.new for change in found.upgraded)]
    assert len(came) == len(set(came))
    assert set(came) <= set(new) - set(old)


def test_an_inventory_gives_its_packages_as_builds() -> None:
    package = Package("app", "", "1", "2", "noarch", "app.rpm", "sha256", "0" * 64, 1, "An app")

    found = builds_of_inventory(Inventory(((Digest("a" * 64), package),), ()))

    assert found == (PackageBuild("app", "0", "1", "2", "noarch", Digest("a" * 64)),)


def test_a_listing_gives_the_builds_that_its_file_names_tell() -> None:
    paths = ("Packages/a/app-1-2.noarch.rpm", "repodata/repomd.xml", "README", "odd.rpm")

    found = builds_of_listing(tree_of(Entry(path, Digest("a" * 64), 1) for path in paths))

    assert found == (PackageBuild("app", "0", "1", "2", "noarch", Digest("a" * 64)),)
    assert [one.nevra for one in found] == ["app-1-2.noarch"]


def applied(changes: PackageChanges, state: Iterable[PackageBuild]) -> set[PackageBuild]:
    """Make of a state what the changes say."""
    gone = {change.old for change in (*changes.downgraded, *changes.replaced)}
    gone |= {change.old for change in changes.upgraded if not change.beside}
    come = {change.new for change in (*changes.upgraded, *changes.downgraded, *changes.replaced)}
    return set(state) - gone - set(changes.removed) | come | set(changes.added)


def mirrored(changes: Iterable[Change]) -> set[Change]:
    """Swap old and new."""
    return {Change(change.new, change.old, change.beside) for change in changes}
