"""import: blobs first, names last, all or none."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, FormatError, NoSpaceError, NotIntactError
from issmedia.base.events import Event, Warned, ignore
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot
from issmedia.model.documents import Product, Repository
from issmedia.model.package import Inventory
from issmedia.model.tree import Tree
from issmedia.ops import setup
from issmedia.ops.arriving import pending
from issmedia.ops.imports import Imported, import_bundle, preview
from tests.makers.bundles import Bundle, bundle_of, verified
from tests.makers.documents import NOW

NOTHING = Inventory((), ())


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of two repositories."""
    return bundle_of(tmp_path, keys=(b"key",), zoo={"a.rpm": b"a" * 5000, "b.rpm": b"same"}, farm={"c.rpm": b"same"})


@pytest.fixture
def stick(bundle: Bundle, tmp_path: Path) -> Path:
    """Its volume."""
    return bundle.write(tmp_path / "stick")


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """The depot of a site that trusts its signer."""
    return setup.init(tmp_path / "lab", name="lab", site_id="f" * 32, now=NOW)


def nothing(tree: Tree, open_blob: Callable[[Digest], BinaryIO]) -> Inventory:
    """Read no inventory: these repositories have no repodata."""
    return NOTHING


def imported(depot: Depot, root: Path, stick: Path, events: list[Event] | None = None) -> Imported:
    """Import a volume."""
    report = ignore if events is None else events.append
    with depot.owned("import", now=NOW) as owned, verified(root, stick) as found:
        return import_bundle(found, owned, inventory=nothing, judge=recheck, now=NOW, workers=2, report=report)


def names(depot: Depot) -> dict[str, Digest]:
    """Map PRODUCT/REPO → tree."""
    with depot.catalog.reading() as db:
        found = {repo.path: db.names.current(repo.path) for repo in db.names.repositories()}
    return {path: snapshot.tree for path, snapshot in found.items() if snapshot}


def test_names_point_at_the_trees_of_the_manifest(bundle: Bundle, depot: Depot, tmp_path: Path, stick: Path) -> None:
    done = imported(depot, tmp_path, stick)

    expected = {repo.path: repo.tree for repo in bundle.plan.manifest.repositories}
    assert names(depot) == expected
    assert {one.repository: (one.old, one.new) for one in done.moved} == {
        path: (None, tree) for path, tree in expected.items()
    }
    assert (done.bundle, done.again, done.added, done.added_bytes) == (bundle.plan.id, False, 2, 5004)


def test_the_keys_and_files_beside_the_repositories_do_not_enter_the_store(
    bundle: Bundle, depot: Depot, tmp_path: Path, stick: Path
) -> None:
    imported(depot, tmp_path, stick)

    trees = {repo.tree for repo in bundle.plan.manifest.repositories}
    content = {entry.sha256 for tree in trees for entry in depot.store.tree(tree).entries}
    assert len([digest for digest, _ in depot.store.walk()]) == len(content | trees) + len(["manifest", "signatures"])


def test_a_preview_says_the_same_and_changes_nothing(depot: Depot, tmp_path: Path, stick: Path) -> None:
    with verified(tmp_path, stick) as found:
        said = preview(found, depot)
    before = (names(depot), list(depot.store.walk()))

    assert before == ({}, [])
    assert said == imported(depot, tmp_path, stick)


@pytest.mark.parametrize("damage", [b"", b"A" * 5000])
def test_nothing_is_named_when_a_byte_is_wrong_and_good_blobs_are_kept_for_the_next_run(
    depot: Depot, tmp_path: Path, stick: Path, damage: bytes
) -> None:
    package = stick / "repos/p/zoo/a.rpm"
    package.write_bytes(damage)
    with pytest.raises(NotIntactError) as caught:
        imported(depot, tmp_path, stick)
    before, (waiting,) = names(depot), pending(depot)
    package.write_bytes(b"a" * 5000)

    done = imported(depot, tmp_path, stick)

    assert [one.where for one in caught.value.problems] == [f"{stick}: repos/p/zoo/a.rpm"]
    assert [one.lacking for one in waiting.waiting] == [("repos/p/zoo/a.rpm",)]
    assert (before, done.added, pending(depot)) == ({}, 1, [])


def test_names_move_together_or_not_at_all(depot: Depot, tmp_path: Path, stick: Path) -> None:
    def stop(kind: str, name: str) -> None:
        if (kind, name) == ("commit", "catalog.sqlite"):
            raise RuntimeError("stopped")

    with files.observing(stop), pytest.raises(RuntimeError, match="stopped"):
        imported(depot, tmp_path, stick)
    before = names(depot)

    imported(depot, tmp_path, stick)

    assert before == {}
    assert len(names(depot)) == 2


def test_the_same_bundle_again_is_no_work(depot: Depot, tmp_path: Path, stick: Path) -> None:
    imported(depot, tmp_path, stick)
    steps: list[str] = []

    with files.observing(lambda kind, name: steps.append(kind)):
        again = imported(depot, tmp_path, stick)

    assert (again.again, again.moved, again.added, steps) == (True, (), 0, [])


def test_the_same_bundle_again_brings_back_what_is_gone(
    bundle: Bundle, depot: Depot, tmp_path: Path, stick: Path
) -> None:
    imported(depot, tmp_path, stick)
    digest = next(one.sha256 for one in bundle.plan.volumes[0].files if one.path == "repos/p/zoo/a.rpm")
    depot.store.remove(digest)

    again = imported(depot, tmp_path, stick)

    assert (again.again, again.added, depot.store.has(digest, 5000)) == (True, 1, True)


def test_metadata_that_cannot_be_read_cost_the_search_and_not_the_import(
    depot: Depot, tmp_path: Path, stick: Path
) -> None:
    def broken(tree: Tree, open_blob: Callable[[Digest], BinaryIO]) -> Inventory:
        raise FormatError("no XML", where="repodata/primary.xml")

    events: list[Event] = []
    with depot.owned("import", now=NOW) as owned, verified(tmp_path, stick) as found:
        import_bundle(found, owned, inventory=broken, judge=recheck, now=NOW, workers=1, report=events.append)

    warnings = [event for event in events if isinstance(event, Warned)]
    assert len(names(depot)) == 2
    assert warnings == [Warned("its packages cannot be searched: no XML", "repodata/primary.xml")] * 2


def test_too_little_room_is_told_before_anything_is_copied(
    depot: Depot, tmp_path: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, needed: int) -> None:
        raise NoSpaceError(f"{needed} bytes are needed")

    monkeypatch.setattr(files, "require_space", full)

    with pytest.raises(NoSpaceError, match=f"{8192 + 4096} bytes are needed"):
        imported(depot, tmp_path, stick)

    assert list(depot.store.walk()) == []


@pytest.mark.parametrize("there", ["P/x", "p/Zoo"])
def test_a_name_that_is_here_in_another_case_is_told_before_anything_is_copied(
    depot: Depot, tmp_path: Path, stick: Path, there: str
) -> None:
    product, _, label = there.partition("/")
    with depot.owned("repo add", now=NOW) as owned, owned.catalog.changing() as db:
        db.names.add_product(Product(product, product))
        db.names.add_repository(Repository(product, label, label))
    message = "p.* differs only in case from "

    with pytest.raises(DepotError, match=message), verified(tmp_path, stick) as found:
        preview(found, depot)
    with pytest.raises(DepotError, match=message):
        imported(depot, tmp_path, stick)

    assert (names(depot), list(depot.store.walk())) == ({}, [])
