"""How far unfinished imports have come."""

from pathlib import Path

import pytest

from issmedia.depot.depot import Depot
from issmedia.depot.pending import Begun
from issmedia.ops import setup
from issmedia.ops.arriving import pending
from tests.makers.bundles import Bundle, content_of
from tests.makers.documents import NOW, tree_with
from tests.makers.volumes import media_of, random_content, set_of

CONTENT = random_content(12, 60_000)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of three volumes."""
    return set_of(tmp_path, media_of("500000"), zoo=CONTENT)


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """The depot of another site."""
    return setup.init(tmp_path / "lab", name="lab", site_id="f" * 32, now=NOW)


def begin(depot: Depot, bundle: Bundle, *numbers: int, listings: bool = True, payload: bool = True) -> None:
    """Let volumes have been imported, of which listings and payload entered the store or did not."""
    wanted = [file.sha256 for number in numbers for file in bundle.plan.volumes[number - 1].files if payload]
    with depot.store.writing() as writing:
        for digest in wanted:
            if bundle.store.holds(digest):
                writing.add_bytes(Path(bundle.store.path(digest)).read_bytes())
        if listings:
            writing.add_bytes(tree_with(CONTENT).encode())
    sums = {number: bundle.plan.volumes[number - 1].sums for number in numbers}
    depot.pending.keep(Begun(bundle.plan.id, bundle.plan.manifest_bytes, b"", sums))


def states(depot: Depot) -> list[tuple[str, bool]]:
    """Give state and need of each volume of the one bundle."""
    (found,) = pending(depot)
    return [(one.state, one.needed) for one in found.arrivals]


def test_where_nothing_is_unfinished_there_is_nothing(depot: Depot) -> None:
    assert pending(depot) == []


def test_a_volume_whose_payload_is_here_is_done_and_the_others_are_waited_for(depot: Depot, bundle: Bundle) -> None:
    begin(depot, bundle, 2)

    (found,) = pending(depot)

    assert (found.bundle, found.chain) == (bundle.plan.id, "hq #1")
    assert states(depot) == [("missing", True), ("done", False), ("missing", True)]
    assert [one.volume.number for one in found.waiting] == [1, 3]


def test_a_volume_whose_payload_was_bad_is_bad_and_names_it(depot: Depot, bundle: Bundle) -> None:
    begin(depot, bundle, 1, 2, 3)
    lost = next(file for file in bundle.plan.volumes[0].files if file.path.endswith(".rpm"))
    depot.store.remove(lost.sha256)

    (found,) = pending(depot)

    assert [one.state for one in found.arrivals] == ["bad", "done", "done"]
    assert [one.lacking for one in found.waiting] == [(lost.path,)]


def test_a_listing_that_is_gone_is_asked_for_of_the_volumes_that_have_it(depot: Depot, bundle: Bundle) -> None:
    begin(depot, bundle, 2, listings=False)

    (found,) = pending(depot)

    (tree,) = bundle.plan.manifest.trees
    assert found.arrivals[1].lacking == (f"trees/{tree.digest}.jsonl.zst",)


def test_sums_that_rotted_were_not_seen_and_a_rotten_manifest_is_none(depot: Depot, bundle: Bundle) -> None:
    begin(depot, bundle, 2)
    place = depot.root / "pending" / bundle.plan.id

    (place / "2.sums").write_bytes(b"rotten")
    without_sums = states(depot)
    (place / "manifest.json").write_bytes(b"rotten")

    assert without_sums == [("missing", True)] * 3
    assert pending(depot) == []


def test_asking_changes_nothing(depot: Depot, bundle: Bundle) -> None:
    begin(depot, bundle, 2)
    before = content_of(depot.root)

    pending(depot)

    assert content_of(depot.root) == before
