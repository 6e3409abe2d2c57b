"""Trees: canonical bytes, and nothing but them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.model.names import collisions, path_fault
from issmedia.model.tree import Entry, Tree, blobs_of, parse_tree, tree_of

A, B = Digest("a" * 64), Digest("b" * 64)

PATHS = st.lists(
    st.text(alphabet="abcdefgh.~é/", min_size=1, max_size=8).filter(lambda path: path_fault(path) is None),
    max_size=8,
    unique=True,
).filter(lambda paths: not list(collisions(paths)))


def line(path: str = "a", sha256: object = A, size: object = 1, **more: object) -> bytes:
    """Write one line as the canonical form does."""
    entry = {"path": path, "sha256": sha256, "size": size, **more}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_the_canonical_bytes_are_sorted_json_lines_without_blanks() -> None:
    tree = tree_of([Entry("b/é", B, 2**53 - 1), Entry("a", A, 0)])

    assert tree.encode() == (
        f'{{"path":"a","sha256":"{A}","size":0}}\n{{"path":"b/é","sha256":"{B}","size":9007199254740991}}\n'.encode()
    )
    assert tree.digest == digest_of(tree.encode())


def test_paths_are_sorted_by_their_bytes() -> None:
    paths = ["a", "B", "a/b", "a-b", "é", "日", "\U00010400", "\uffee"]

    tree = tree_of(Entry(path, A, 1) for path in paths if path != "a")

    assert [one.path for one in tree.entries] == sorted(paths[1:], key=str.encode)


@given(PATHS, st.integers(0, 2**53 - 1))
def test_what_is_written_is_read_back(paths: list[str], size: int) -> None:
    tree = tree_of(Entry(path, digest_of(path.encode()), size) for path in paths)

    assert parse_tree(tree.encode(), where="here") == tree


def test_the_empty_tree_is_no_bytes() -> None:
    assert parse_tree(b"", where="here") == Tree(())


@pytest.mark.parametrize(
    "data",
    [
        line()[:-1],
        line() + b"\n",
        b"\n" + line(),
        b" " + line(),
        line().replace(b":1", b": 1"),
        line().replace(b'"a"', b'"\\u0061"'),
        line("b") + line("a"),
        line() + line(),
        line(size=-1),
        line(size=2**53),
        line(size=1.0),
        line(size=True),
        line(size="1"),
        line(size=None),
        line(sha256="A" * 64),
        line(sha256="a" * 63),
        line(extra=1),
        b'{"sha256":"' + A.encode() + b'","path":"a","size":1}\n',
        b'{"path":"a","path":"a","sha256":"' + A.encode() + b'","size":1}\n',
        b'{"path":"a","size":1}\n',
        b"[]\n",
        b"null\n",
        b"\xff\n",
        b"\xef\xbb\xbf" + line(),
        b"[" * 100_000,
        line("../a"),
        line("/a"),
        line("a\0"),
        line("A") + line("a"),
        line("a") + line("a/b"),
    ],
    ids=str,
)
def test_anything_else_however_slightly_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tree(data, where="trees/x")

    assert caught.value.where


def test_every_collision_is_named() -> None:
    with pytest.raises(FormatError, match="collide") as caught:
        tree_of([Entry("A", A, 1), Entry("a", A, 1), Entry("b", A, 1), Entry("b/c", A, 1)])

    assert [one.where for one in caught.value.problems] == ["a", "b/c"]


def test_a_tree_finds_its_entries_and_counts_the_bytes_of_a_blob_once() -> None:
    tree = tree_of([Entry("a", A, 1), Entry("b", A, 1), Entry("c", B, 5)])

    assert tree.find("c") == Entry("c", B, 5)
    assert tree.find("d") is None
    assert tree.size == 6


def test_blobs_of_trees_are_counted_once() -> None:
    trees = [tree_of([Entry("a", A, 1), Entry("b", A, 1)]), tree_of([Entry("c", A, 1), Entry("d", B, 5)])]

    assert blobs_of(trees) == {A: 1, B: 5}


def test_one_digest_with_two_sizes_is_refused() -> None:
    with pytest.raises(FormatError, match="two sizes"):
        blobs_of([tree_of([Entry("a", A, 1), Entry("b", A, 2)])])
