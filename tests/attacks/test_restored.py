"""A site that was put back to an older state: row 61 of the threats."""

from pathlib import Path

import pytest

from tests.makers.attacked import World
from tests.makers.forge import copied
from tests.makers.programs import run
from tests.makers.sites import Site


@pytest.fixture
def hq(world: World, tmp_path: Path) -> Site:
    """Copy the sending site."""
    return Site(copied(world.hq.root, tmp_path / "hq"))


@pytest.fixture
def restored(hq: Site, lab: Site, volume: Path, tmp_path: Path) -> Site:
    """A site that took a backup, imported the second bundle, told of it by a receipt, and lost all since the backup."""
    lab.do("keys", "generate", "release")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    backup = tmp_path / "backup"
    run("cp", "-a", lab.root, backup)
    lab.do("import", volume)
    lab.do("receipt", "--to", tmp_path / "receipt")
    hq.do("receipt", "accept", tmp_path / "receipt")
    lab.root.rename(tmp_path / "lost")
    backup.rename(lab.root)
    return lab


def test_061_the_next_receipt_shows_that_a_site_was_restored(restored: Site, hq: Site, tmp_path: Path) -> None:
    """A backup of before the last import is put back, so that old packages with known holes are served again."""
    restored.do("receipt", "--to", tmp_path / "next")

    accepted = hq.do("receipt", "accept", tmp_path / "next", "--json")

    ledger, chain = accepted.document["restored"]
    assert ledger.startswith("its ledger has ")
    assert chain.startswith("of the chain of hq it has #1, at ")
    assert "restored from an older backup" in accepted.err


def test_061_the_next_bundle_shows_that_a_site_was_restored(restored: Site, hq: Site, tmp_path: Path) -> None:
    """The same; nobody asks for a receipt, and the next delta starts from what the site had before it was put back."""
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "delta")
    before = restored.state()

    outcome = restored.call("import", tmp_path / "delta")

    assert (outcome.code, restored.state()) == (6, before)
    assert "this site was restored from an older backup" in outcome.err
    assert "issmedia receipt tells the sender what this site holds" in outcome.err


def test_061_the_way_back_is_a_receipt_and_a_bundle_from_it(restored: Site, hq: Site, tmp_path: Path) -> None:
    """No attack: the hints, followed, bring the restored site to where it was."""
    restored.do("receipt", "--to", tmp_path / "next")
    hq.do("receipt", "accept", tmp_path / "next")
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "delta")

    restored.do("import", tmp_path / "delta")

    assert restored.trees() == hq.trees()


def test_061_a_catalog_older_than_what_clients_see_is_warned_of(lab: Site, volume: Path, tmp_path: Path) -> None:
    """Only the catalog is put back: what clients see is newer than all it knows."""
    before = (lab.root / "catalog.sqlite").read_bytes()
    quiet = lab.do("status")
    lab.do("import", volume)
    (lab.root / "catalog.sqlite").write_bytes(before)

    outcome = lab.do("status", "--json")

    assert "older backup" not in quiet.err
    assert outcome.document["unknown"] == ["p/zoo"]
    assert "restored from an older backup? Carry `issmedia receipt` to the sender" in outcome.err


def test_061_a_sender_that_was_restored_learns_it_from_a_receipt(hq: Site, lab: Site, tmp_path: Path) -> None:
    """The sending site is put back: a receipt names a bundle that it does not remember."""
    lab.do("keys", "generate", "release")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    backup = tmp_path / "backup"
    run("cp", "-a", hq.root, backup)
    hq.do("export", "--full", "--to", tmp_path / "forgotten")
    lab.do("import", tmp_path / "forgotten")
    lab.do("receipt", "--to", tmp_path / "receipt")

    accepted = Site(backup).do("receipt", "accept", tmp_path / "receipt").err

    assert "it imported #3 of this site (" in accepted
    assert "which knows no such export" in accepted
