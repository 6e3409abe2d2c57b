"""What changed between two states of repositories."""

import pytest

from issmedia.base.digest import Digest
from issmedia.model.builds import Change, PackageBuild
from issmedia.model.diff import Changed, Diff, RepositoryDiff, RepositoryState, Totals, carried, diff_repository
from issmedia.model.manifest import Count
from issmedia.model.package import Advisory, Group, ModuleStream
from issmedia.model.tree import Entry, Tree, tree_of

A, B = Digest("a" * 64), Digest("b" * 64)
ONE = PackageBuild("app", "0", "1", "1", "noarch", A)
TWO = PackageBuild("app", "0", "2", "1", "noarch", B)


def advisory(id: str, *cves: str) -> Advisory:
    return Advisory(id, "security", "Important", "A title", "", cves)


def stream(stream: str, version: int = 1, digest: Digest = A) -> ModuleStream:
    return ModuleStream("perl", stream, version, "c0ffee", "x86_64", digest)


def listing(**blobs: Digest) -> Tree:
    return tree_of(Entry(path, blob, 10) for path, blob in blobs.items())


def test_the_packages_of_a_repository_are_compared() -> None:
    found = diff_repository("p/r", RepositoryState(A, [ONE]), RepositoryState(B, [TWO]), carry=Count(1, 10))

    assert found == RepositoryDiff("p/r", A, B, upgraded=(Change(ONE, TWO),), carry=Count(1, 10))


@pytest.mark.parametrize("state", [None, RepositoryState(A, [ONE], [advisory("X")], [Group("g", "G", A)])])
def test_a_repository_does_not_differ_from_itself(state: RepositoryState | None) -> None:
    found = diff_repository("p/r", state, state)

    assert found == RepositoryDiff("p/r", found.old, found.new)


def test_all_of_a_repository_that_is_new_is_added_and_of_one_that_is_gone_removed() -> None:
    state = RepositoryState(A, [ONE], [advisory("X")], [Group("g", "G", A)], [stream("5.30")])

    there, back = diff_repository("p/r", None, state), diff_repository("p/r", state, None)

    assert (there.old, there.new, there.added, there.groups.added) == (None, A, (ONE,), ("g",))
    assert (there.modules, there.advisories) == (Changed(added=("perl:5.30",)), (advisory("X"),))
    assert (back.old, back.new, back.removed, back.groups.removed) == (A, None, (ONE,), ("g",))
    assert (back.modules, back.advisories) == (Changed(removed=("perl:5.30",)), ())


def test_advisories_are_added_when_they_or_their_cves_are_new() -> None:
    old = RepositoryState(A, (), [advisory("same", "CVE-2023-1"), advisory("more"), advisory("gone", "CVE-2023-9")])
    new = RepositoryState(B, (), [advisory("same", "CVE-2023-1"), advisory("more", "CVE-2023-2"), advisory("new")])

    assert diff_repository("p/r", old, new).advisories == (advisory("more", "CVE-2023-2"), advisory("new"))


def test_groups_change_with_their_content() -> None:
    old = RepositoryState(A, (), groups=[Group("gone", "G", A), Group("same", "S", A), Group("other", "O", A)])
    new = RepositoryState(B, (), groups=[Group("other", "O", B), Group("same", "S", A), Group("new", "N", A)])

    assert diff_repository("p/r", old, new).groups == Changed(("new",), ("gone",), ("other",))


def test_a_stream_changes_when_one_of_its_builds_does() -> None:
    old = RepositoryState(A, (), modules=[stream("1", 1), stream("2", 1), stream("3", 1)])
    new = RepositoryState(B, (), modules=[stream("1", 1), stream("1", 2), stream("3", 1), stream("1.10", 1)])

    assert diff_repository("p/r", old, new).modules == Changed(("perl:1.10",), ("perl:2",), ("perl:1",))


def test_what_is_carried_is_each_blob_that_the_old_tree_lacks_once() -> None:
    old, new = listing(a=A), listing(a=A, b=B, c=B)

    assert (carried(old, new), carried(None, new), carried(new, None), carried(new, old)) == (
        Count(1, 10), Count(2, 20), Count(0, 0), Count(0, 0),
    )  # fmt: skip


def test_a_diff_adds_up_its_repositories() -> None:
    first = RepositoryDiff("p/a", A, B, (ONE, TWO), (ONE,), (Change(ONE, TWO),), carry=Count(2, 30))
    second = RepositoryDiff("p/b", A, B, (), (ONE,), (), (Change(TWO, ONE),), (), (advisory("X"),), carry=Count(1, 5))

    assert Diff("old", "new", (first, second)).totals == Totals(2, 2, 1, 1, 0, 1, Count(3, 35))


def test_a_diff_lists_each_cve_once_by_year_and_number() -> None:
    first = RepositoryDiff("p/a", A, B, advisories=(advisory("X", "CVE-2023-10000", "CVE-2023-9999"),))
    second = RepositoryDiff("p/b", A, B, advisories=(advisory("Y", "CVE-2009-0001", "CVE-2023-9999"),))

    assert Diff("old", "new", (first, second)).cves == ("CVE-2009-0001", "CVE-2023-9999", "CVE-2023-10000")
