"""What clients see: trees of hard links, switched by one rename."""

import errno
import os
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DamagedBlobError
from issmedia.depot.publish import Generation, Publications
from issmedia.depot.store import Store
from issmedia.model.tree import Entry, Tree, tree_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of a depot."""
    return Store(tmp_path / "store")


@pytest.fixture
def publications(tmp_path: Path, store: Store) -> Publications:
    """Publications of a depot, nothing published."""
    files.make_directory(tmp_path / "publications")
    return Publications(tmp_path, store)


def tree_with(store: Store, **content: bytes) -> Tree:
    """Store some files: `a_rpm` lies at `d/a.rpm`."""
    paths = {f"d/{name.replace('_', '.')}": data for name, data in content.items()}
    with store.writing() as writing:
        return tree_of(Entry(path, writing.add_bytes(data), len(data)) for path, data in paths.items())


def generation(*trees: Tree) -> Generation:
    """Make a generation with these trees as p/r0, p/r1, …"""
    return Generation({f"p/r{number}": tree.digest for number, tree in enumerate(trees)}, {})


def show(publications: Publications, *trees: Tree) -> bool:
    """Publish these trees."""
    for tree in trees:
        if not publications.has_tree(tree.digest):
            publications.add_tree(tree.digest, tree)
    return publications.switch(generation(*trees))


def test_nothing_is_published_at_first(publications: Publications) -> None:
    assert (publications.current(), publications.current_trees()) == (None, {})


def test_clients_see_the_files_of_each_tree(publications: Publications, store: Store) -> None:
    one, two = tree_with(store, a_rpm=b"a"), tree_with(store, b_rpm=b"b")

    changed = show(publications, one, two)

    seen = {
        path.relative_to(publications.link).as_posix(): path.read_bytes()
        for repo in ("p/r0", "p/r1")
        for path in (publications.link / repo / "d").iterdir()
    }
    assert changed
    assert seen == {"p/r0/d/a.rpm": b"a", "p/r1/d/b.rpm": b"b"}
    assert publications.current_trees() == {"p/r0": one.digest, "p/r1": two.digest}


def test_published_files_are_the_stores_own(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"a")

    show(publications, tree)

    found = (publications.link / "p/r0/d/a.rpm").stat()
    assert found.st_ino == Path(store.path(digest_of(b"a"))).stat().st_ino
    assert found.st_mode & 0o777 == 0o444


def test_small_files_lie_beside_the_products(publications: Publications) -> None:
    publications.switch(Generation({}, {"issmedia.repo": b"client file", "_keys/x.asc": b"key"}))

    assert (publications.link / "issmedia.repo").read_bytes() == b"client file"
    assert (publications.link / "_keys/x.asc").read_bytes() == b"key"


def test_the_switch_is_one_rename(publications: Publications, store: Store) -> None:
    show(publications, tree_with(store, a_rpm=b"a"))
    new = tree_with(store, a_rpm=b"b")
    publications.add_tree(new.digest, new)
    seen: list[tuple[str, bytes]] = []

    def look(kind: str, name: str) -> None:
        seen.append((f"{kind} {name}", (publications.link / "p/r0/d/a.rpm").read_bytes()))

    with files.observing(look):
        publications.switch(generation(new))

    contents = [content for _, content in seen]
    renames = [step for step, _ in seen if step == "rename published"]
    first_new = contents.index(b"b")
    assert len(renames) == 1
    assert seen[first_new - 1][0] == "rename published"
    assert contents == [b"a"] * first_new + [b"b"] * (len(contents) - first_new)


def test_the_same_generation_again_touches_nothing(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"a")
    show(publications, tree)
    steps: list[str] = []

    with files.observing(lambda kind, name: steps.append(kind)):
        changed = show(publications, tree)

    assert (changed, steps) == (False, [])


def test_an_unchanged_repository_costs_one_symbolic_link(publications: Publications, store: Store) -> None:
    kept = tree_with(store, **{f"f{number}": b"%d" % number for number in range(50)})
    old, new = tree_with(store, a_rpm=b"a"), tree_with(store, a_rpm=b"b")
    show(publications, kept, old)
    before = os.stat(publications.link / "p/r0")
    links: list[str] = []

    with files.observing(lambda kind, name: links.append(name) if kind == "link" else None):
        show(publications, kept, new)

    after = os.stat(publications.link / "p/r0")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(links) == len(["a.rpm", "r0", "r1", "published"])
    assert Path(store.path(digest_of(b"0"))).stat().st_nlink == 2


def test_the_generation_before_stays_and_the_one_before_that_goes(publications: Publications, store: Store) -> None:
    trees = [tree_with(store, a_rpm=b"%d" % number) for number in range(3)]

    for tree in trees:
        show(publications, tree)

    assert {path.name for path in publications.root.iterdir()} == {
        "trees",
        generation(trees[1]).name,
        generation(trees[2]).name,
    }
    assert {path.name for path in (publications.root / "trees").iterdir()} == {trees[1].digest, trees[2].digest}


def test_a_repository_that_is_published_no_more_is_gone(publications: Publications, store: Store) -> None:
    one, two = tree_with(store, a_rpm=b"a"), tree_with(store, b_rpm=b"b")
    show(publications, one, two)

    show(publications, one)

    assert list(publications.current_trees()) == ["p/r0"]


def test_what_a_killed_publish_left_is_swept(publications: Publications, store: Store) -> None:
    files.make_directory(publications.root / "trees")
    for directory in (publications.root, publications.root / "trees"):
        files.temporary_name(directory).mkdir()

    show(publications, tree_with(store, a_rpm=b"a"))

    assert not list(publications.root.rglob(".tmp-*"))


def test_a_blob_with_as_many_links_as_there_may_be_is_copied(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"a", b_rpm=b"b")

    def full(kind: str, name: str) -> None:
        if (kind, name) == ("link", "a.rpm"):
            raise OSError(errno.EMLINK, "Too many links")

    with files.observing(full):
        show(publications, tree)

    copied, linked = (publications.link / "p/r0/d/a.rpm"), (publications.link / "p/r0/d/b.rpm")
    assert (copied.read_bytes(), copied.stat().st_nlink, copied.stat().st_mode & 0o777) == (b"a", 1, 0o444)
    assert linked.stat().st_nlink == 2


def test_a_copy_of_a_blob_that_rotted_is_not_shown(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"a")
    blob = Path(store.path(digest_of(b"a")))
    blob.chmod(0o644)
    blob.write_bytes(b"b")

    def full(kind: str, name: str) -> None:
        if (kind, name) == ("link", "a.rpm"):
            raise OSError(errno.EMLINK, "Too many links")

    with files.observing(full), pytest.raises(DamagedBlobError, match="expected sha256"):
        show(publications, tree)

    assert publications.current() is None


def test_a_blob_that_is_gone_is_named_and_clients_see_what_they_saw(publications: Publications, store: Store) -> None:
    old, new = tree_with(store, a_rpm=b"a"), tree_with(store, a_rpm=b"b")
    show(publications, old)
    store.remove(digest_of(b"b"))

    with pytest.raises(DamagedBlobError) as caught:
        show(publications, new)

    assert caught.value.where == f"d/a.rpm ({digest_of(b'b')})"
    assert publications.current_trees() == {"p/r0": old.digest}
    assert not publications.has_tree(new.digest)


def test_a_withdrawn_blob_is_gone_from_every_published_name(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"same", b_rpm=b"same", c_rpm=b"c")
    show(publications, tree)

    number = publications.withdraw([digest_of(b"same")])

    assert number == 2
    assert [path.name for path in (publications.link / "p/r0/d").iterdir()] == ["c.rpm"]


def test_a_withdrawn_blob_comes_back_when_the_store_has_it_again(publications: Publications, store: Store) -> None:
    tree = tree_with(store, a_rpm=b"a", b_rpm=b"b")
    show(publications, tree)
    publications.withdraw([digest_of(b"a"), digest_of(b"b")])
    for data in (b"a", b"b"):
        store.remove(digest_of(data))

    states = []
    for again in ({}, {"a_rpm": b"a"}, {"b_rpm": b"b"}):
        tree_with(store, **again)
        show(publications, tree)
        found = sorted(path.name for path in (publications.link / "p/r0/d").iterdir())
        states.append((found, publications.has_tree(tree.digest)))

    assert states == [([], False), (["a.rpm"], False), (["a.rpm", "b.rpm"], True)]
    assert [path.name for path in (publications.root / "trees").iterdir()] == [tree.digest]


def test_the_mark_of_a_gap_goes_with_its_tree(publications: Publications, store: Store) -> None:
    trees = [tree_with(store, a_rpm=b"%d" % number) for number in range(3)]
    show(publications, trees[0])
    publications.withdraw([digest_of(b"0")])

    for tree in trees[1:]:
        show(publications, tree)

    assert {path.name for path in (publications.root / "trees").iterdir()} == {trees[1].digest, trees[2].digest}


def test_a_generation_is_named_by_what_it_says() -> None:
    one, other = Digest("a" * 64), Digest("b" * 64)

    names = {
        Generation({"p/r": one}, {}).name,
        Generation({"p/r": other}, {}).name,
        Generation({"p/s": one}, {}).name,
        Generation({"p/r": one}, {"x": b""}).name,
        Generation({"p/r": one}, {"x": b"y"}).name,
    }

    assert len(names) == 5
    assert Generation({"a/a": one, "b/b": other}, {}).name == Generation({"b/b": other, "a/a": one}, {}).name
