"""Deltas of any trees: what a site had and what travelled make the tree that was exported, in the right order only."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issmedia.base.errors import BaseMissingError
from tests.makers.crash import quick_directory
from tests.makers.deltas import Content, Receiver, Sender, Sent, receiver
from tests.makers.documents import tree_with

PATHS = st.sampled_from(("a.rpm", "b.rpm", "d/c.rpm", "repodata/repomd.xml", "repodata/primary.xml"))
TREES = st.dictionaries(PATHS, st.binary(max_size=3), max_size=5)
FEW = settings(max_examples=25)


@contextmanager
def sites(*names: str) -> Iterator[tuple[Sender, list[Receiver]]]:
    """Make a sender and sites that imported nothing."""
    with quick_directory() as root:
        yield Sender(root), [receiver(root, name) for name in names]


def assert_holds(site: Receiver, content: Content) -> None:
    """See that a site is at a tree, and that clients see its bytes."""
    assert site.tree() == tree_with(content).digest
    assert site.seen() == dict(content)


def chain(sender: Sender, *contents: Content) -> list[Sent]:
    """Export a full bundle, and a delta from each to the next."""
    first = sender.export(contents[0])
    for content in contents[1:]:
        sender.export(content, sender.sent[-1])
    return [first, *sender.sent[1:]]


@FEW
@given(TREES, TREES)
def test_a_site_that_holds_the_base_becomes_what_was_exported(a: Content, b: Content) -> None:
    with sites("lab") as (sender, (lab,)):
        first, delta = chain(sender, a, b)
        lab.take(first)

        done = lab.take(delta)

        assert_holds(lab, b)
        assert done.added == len(set(b.values()) - set(a.values()))


@FEW
@given(TREES, TREES, TREES)
def test_a_delta_for_many_bases_serves_a_site_that_holds_any_of_them(a: Content, b: Content, c: Content) -> None:
    with sites("one", "other") as (sender, (one, other)):
        bases = sender.export(a), sender.export(b)
        delta = sender.export(c, *bases)
        one.take(bases[0])
        other.take(bases[1])

        one.take(delta)
        other.take(delta)

        assert_holds(one, c)
        assert_holds(other, c)


@FEW
@given(st.lists(TREES, min_size=5, max_size=5, unique_by=str), st.permutations(range(1, 5)))
def test_of_any_order_of_a_chain_but_the_right_one_something_is_refused_and_changes_nothing(
    contents: list[Content], order: list[int]
) -> None:
    with sites("lab") as (sender, (lab,)):
        sent = chain(sender, *contents)
        lab.take(sent[0])

        refused = [number for number in order if lab.refuses(sent[number])]

        assert (refused == []) == (order == sorted(order))


@FEW
@given(TREES, TREES, TREES)
def test_a_chain_makes_of_a_site_what_the_full_bundle_makes(a: Content, b: Content, c: Content) -> None:
    with sites("chained", "fresh") as (sender, (chained, fresh)):
        for sent in chain(sender, a, b, c):
            chained.take(sent)
        full = sender.export(c)

        fresh.take(full)

        assert (chained.tree(), chained.seen()) == (fresh.tree(), fresh.seen())


def test_a_gap_is_refused_until_what_lies_between_was_imported() -> None:
    contents = [{"a.rpm": b"%d" % number} for number in range(4)]
    with sites("lab") as (sender, (lab,)):
        sent = chain(sender, *contents)
        lab.take(sent[0])
        with pytest.raises(BaseMissingError) as caught:
            lab.take(sent[3])

        for one in sent[1:]:
            lab.take(one)

        assert caught.value.message == "this delta starts at hq #3 (2026-06-01); this site is at #1"
        assert str(caught.value.hint).startswith("import #2 and #3 first; or: ")
        assert_holds(lab, contents[3])


def test_each_delta_of_a_chain_travels_only_what_is_new() -> None:
    contents = [{"a.rpm": b"a", f"{number}.rpm": b"%d" % number} for number in range(4)]
    with sites("lab") as (sender, (lab,)):
        added = [lab.take(sent).added for sent in chain(sender, *contents)]

        again = [lab.refuses(one) for one in sender.sent]

    assert added == [2, 1, 1, 1]
    assert again == [True, True, True, False]


def test_what_went_and_came_back_needs_not_travel_twice() -> None:
    a, b = {"a.rpm": b"a"}, {"b.rpm": b"b"}
    with sites("lab") as (sender, (lab,)):
        added = [lab.take(sent).added for sent in chain(sender, a, b, a)]

        assert_holds(lab, a)
        assert added == [1, 1, 0]
