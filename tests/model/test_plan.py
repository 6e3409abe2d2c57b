"""Which blobs must travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import Digest
from issmedia.model.manifest import Count
from issmedia.model.plan import count, gone, joined, needed
from issmedia.model.tree import Entry, Tree, tree_of

A, B, C = (Digest(letter * 64) for letter in "abc")


def tree(*blobs: Digest) -> Tree:
    """Make a tree that holds these blobs, of one size each."""
    return tree_of(Entry(f"f{number}", blob, int(blob[0], 16)) for number, blob in enumerate(blobs))


def test_a_full_bundle_needs_every_blob_once() -> None:
    assert needed(tree(A, A, B)) == {A: 10, B: 11}


def test_what_the_base_holds_is_left_out() -> None:
    assert needed(tree(A, B, C), [tree(A, C)]) == {B: 11}


def test_with_several_bases_what_any_of_them_lacks_travels() -> None:
    assert needed(tree(A, B, C), [tree(A, B), tree(A)]) == {B: 11, C: 12}


def test_an_empty_base_changes_nothing() -> None:
    assert needed(tree(A), [tree()]) == {A: 10}


def test_what_a_base_has_and_the_tree_has_not_is_gone() -> None:
    assert gone(tree(A), [tree(A, B), tree(C)]) == {B: 11, C: 12}


def test_blobs_of_several_repositories_are_joined() -> None:
    assert joined([{A: 10, B: 11}, {B: 11, C: 12}]) == {A: 10, B: 11, C: 12}


BLOBS = st.sets(st.sampled_from((A, B, C)))


@given(BLOBS, st.lists(BLOBS, min_size=1, max_size=3))
def test_each_base_and_what_travels_make_the_whole(target: set[Digest], bases: list[set[Digest]]) -> None:
    travelling = needed(tree(*sorted(target)), [tree(*sorted(base)) for base in bases])

    for base in bases:
        assert set(travelling) | (target & base) == target
    assert all(any(digest not in base for base in bases) for digest in travelling)


@pytest.mark.parametrize(("blobs", "counted"), [({}, Count(0, 0)), ({A: 10, B: 11}, Count(2, 21))])
def test_blobs_are_counted(blobs: dict[Digest, int], counted: Count) -> None:
    assert count(blobs) == counted
