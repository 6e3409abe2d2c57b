"""Reading a tree's repodata at the importing side."""

from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.content.base import Synced
from issmedia.content.yum.content import YUM
from issmedia.content.yum.inventory import is_signed
from issmedia.model.tree import Entry, Tree, tree_of
from tests.makers.repos import BuiltRepo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def synced(repo: BuiltRepo, sink: MemorySink) -> Synced:
    return sync(repo.path, sink)


def changed(tree: Tree, change: Callable[[Entry], Entry | None]) -> Tree:
    return tree_of(found for entry in tree.entries if (found := change(entry)))


def test_a_package_that_was_left_out_is_not_in_the_inventory(synced: Synced, sink: MemorySink) -> None:
    tree = changed(synced.tree, lambda entry: None if "/app-" in entry.path else entry)

    inventory = YUM.inventory(tree, sink.open)

    assert [package.name for _, package in inventory.packages] == ["library", "library", "base", "streamed"]


def test_a_tree_without_advisories_has_none(synced: Synced, sink: MemorySink) -> None:
    tree = changed(synced.tree, lambda entry: None if "updateinfo" in entry.path else entry)

    assert YUM.inventory(tree, sink.open).advisories == ()


@pytest.mark.parametrize("missing", ["repomd.xml", "primary"])
def test_a_tree_without_repodata_is_no_yum_repository(synced: Synced, sink: MemorySink, missing: str) -> None:
    tree = changed(synced.tree, lambda entry: None if missing in entry.path else entry)

    with pytest.raises(FormatError, match="is not in the tree"):
        YUM.inventory(tree, sink.open)


def test_a_blob_that_is_not_what_primary_says_is_refused(synced: Synced, sink: MemorySink) -> None:
    other = Digest("0" * 64)
    tree = changed(synced.tree, lambda entry: Entry(entry.path, other, entry.size) if "/app-" in entry.path else entry)

    with pytest.raises(FormatError, match=f"the tree has sha256 {other}") as caught:
        YUM.inventory(tree, sink.open)

    assert caught.value.where == "Packages/a/app-1.0-1.noarch.rpm"


def test_a_signature_shows(tmp_path: Path, signed_repo: BuiltRepo, synced: Synced) -> None:
    assert is_signed(sync(signed_repo.path).tree)
    assert not is_signed(synced.tree)
