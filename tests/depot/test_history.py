"""Bundles by chain and sequence."""

from pathlib import Path

import msgspec
import pytest

from issmedia.base.digest import Digest
from issmedia.depot.catalog import Catalog
from issmedia.depot.catalog_history import Direction, History
from issmedia.model.trust import ChainMark
from tests.makers.documents import NOW, SITE, sample_manifest

A, B, C = (Digest(letter * 64) for letter in "abc")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    return made


def record(
    history: History,
    bundle: Digest,
    sequence: int,
    direction: Direction = "import",
    *,
    destination: str | None = None,
    created: str = NOW,
) -> None:
    """Record a bundle of the sample chain."""
    manifest = msgspec.structs.replace(
        sample_manifest(), sequence=sequence, destination=destination, created=created, site=SITE
    )
    history.record(bundle, manifest, direction, ("SHA256:x", "SHA256:y"), now=NOW)


def test_a_record_is_found_by_bundle_and_direction(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 7, destination="lab")

        found = db.history.find(A, "import")

        assert found is not None
        assert (found.site, found.destination, found.sequence) == (SITE.id, "lab", 7)
        assert found.signers == ("SHA256:x", "SHA256:y")
        assert (db.history.find(A, "export"), db.history.find(B, "import")) == (None, None)


def test_a_bundle_is_recorded_once(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 1)
        record(db.history, A, 1)

        assert len(db.history.all()) == 1


def test_a_bundle_recorded_again_keeps_its_record_and_gets_todays_signers(catalog: Catalog) -> None:
    later = "2027-01-01T00:00:00Z"

    with catalog.changing() as db:
        record(db.history, A, 1)
        db.history.record(A, sample_manifest(), "import", ("SHA256:z",), now=later)

        found = db.history.find(A, "import")

    assert found is not None
    assert (found.recorded, found.signers) == (NOW, ("SHA256:z",))


def test_a_site_may_import_what_it_exported(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 1, "export")
        record(db.history, A, 1, "import")

        assert [one.direction for one in db.history.all()] == ["export", "import"]


def test_the_newest_export_is_looked_for_by_destination(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 1, "export")
        record(db.history, B, 2, "export")
        record(db.history, C, 9, "import")

        newest = db.history.newest_export(SITE.id, "")

        assert newest is not None
        assert newest.id == B
        assert db.history.newest_export(SITE.id, "lab") is None


def test_a_destination_is_the_same_whatever_its_case(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 1, "export", destination="Lab")
        record(db.history, B, 2, "import", destination="Lab")

        newest = db.history.newest_export(SITE.id, "lAB")

        assert newest is not None
        assert newest.id == A
        assert list(db.history.imports().marks) == [(SITE.id, "lab")]


def test_marks_give_the_highest_sequence_of_each_chain_whatever_the_order(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, B, 2)
        record(db.history, A, 1)
        record(db.history, C, 5, destination="lab")

        assert db.history.imports().marks == {
            (SITE.id, ""): ChainMark(2, B, NOW),
            (SITE.id, "lab"): ChainMark(5, C, NOW),
        }
        assert db.history.imports().ids == {(SITE.id, "", 1): A, (SITE.id, "", 2): B, (SITE.id, "lab", 5): C}


def test_the_floor_of_the_clock_is_the_newest_import(catalog: Catalog) -> None:
    with catalog.changing() as db:
        before = db.history.imports().newest_created
        record(db.history, A, 1, created="2027-01-01T00:00:00Z")
        record(db.history, B, 2, created="2026-01-01T00:00:00Z")
        record(db.history, C, 3, "export", created="2030-01-01T00:00:00Z")

        assert (before, db.history.imports().newest_created) == ("", "2027-01-01T00:00:00Z")


def test_the_newest_import_of_each_chain_is_given_as_it_was_recorded(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, B, 2, created="2026-01-01T00:00:00Z")
        record(db.history, A, 1)
        record(db.history, C, 5, destination="lab")
        record(db.history, A, 9, "export")

        found = db.history.newest("import")

        assert [(one.chain, one.id) for one in found] == [("hq #2", B), ("hq → lab #5", C)]
        assert found[0].created == "2026-01-01T00:00:00Z"


def test_the_trees_of_all_bundles_are_known(catalog: Catalog) -> None:
    with catalog.changing() as db:
        record(db.history, A, 1)
        record(db.history, B, 1, "export")

        assert db.history.known_trees() == {repo.tree for repo in sample_manifest().repositories}
