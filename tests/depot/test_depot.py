"""The depot: made once, opened without a change."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from issmedia.base.errors import BusyError, DepotError, NotADepotError
from issmedia.depot import catalog_schema
from issmedia.depot.catalog import Catalog
from issmedia.depot.depot import Depot, create_depot, open_depot
from issmedia.model.manifest import SiteName
from tests.makers.documents import NOW, SITE
from tests.makers.sites import Site

DONE = len(catalog_schema.STEPS)


def bytes_below(root: Path) -> dict[Path, bytes]:
    """Read every file of a directory."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def emptied(root: Path) -> Path:
    """Make a depot with a key in its ring, whose catalog was then emptied."""
    create_depot(root, SITE, now=NOW)
    (root / "keyring/allowed_signers").write_text("# whom we trust\n")
    (root / "catalog.sqlite").write_bytes(b"")
    return root


@pytest.mark.parametrize("command", [("status",), ("search", "x"), ("log",), ("product", "list"), ("audit",)])
def test_an_emptied_catalog_is_refused_and_not_filled_again(tmp_path: Path, command: tuple[str, ...]) -> None:
    root = emptied(tmp_path / "depot")
    before = bytes_below(root)

    outcome = Site(root).call(*command)

    assert (outcome.code, bytes_below(root)) == (4, before)
    assert "the catalog was lost" in outcome.err


def test_init_makes_no_new_site_over_one_that_lost_its_catalog(tmp_path: Path) -> None:
    root = emptied(tmp_path / "depot")
    before = bytes_below(root)

    with pytest.raises(DepotError, match="not empty"):
        create_depot(root, SITE, now=NOW)

    assert before == bytes_below(root)


def test_a_depot_without_a_site_id_is_half_made(tmp_path: Path) -> None:
    Catalog(tmp_path / "catalog.sqlite").prepare()

    with pytest.raises(NotADepotError, match="half made"):
        open_depot(tmp_path)


def test_an_older_catalog_is_changed_only_by_who_owns_the_depot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = create_depot(tmp_path / "depot", SITE, now=NOW)
    monkeypatch.setattr(catalog_schema, "STEPS", (*catalog_schema.STEPS, ""))
    before = depot.catalog.path.read_bytes()

    with pytest.raises(DepotError, match=f"schema {DONE}, expected {DONE + 1}"):
        open_depot(depot.root).site()

    assert before == depot.catalog.path.read_bytes()
    with open_depot(depot.root).owned("test", now=NOW) as owned:
        assert owned.site() == SITE


def test_a_depot_of_a_newer_issmedia_is_refused_on_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depot = create_depot(tmp_path / "depot", SITE, now=NOW)
    monkeypatch.setattr(catalog_schema, "STEPS", ())

    with pytest.raises(DepotError, match=f"schema {DONE}, this issmedia knows 0"):
        open_depot(depot.root)


def test_of_several_inits_at_once_one_makes_the_depot(tmp_path: Path) -> None:
    root, start = tmp_path / "depot", Barrier(4)

    def init(number: int) -> str | None:
        start.wait()
        try:
            return create_depot(root, SiteName(f"{number}" * 32, "hq"), now=NOW).site().id
        except (BusyError, DepotError):
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [found for found in pool.map(init, range(4)) if found]

    assert made == [open_depot(root).site().id]
    with open_depot(root).catalog.reading() as db:
        assert [entry.event for entry in db.ledger.entries()] == ["init"]


def test_an_init_waits_for_no_other(tmp_path: Path) -> None:
    root = tmp_path / "depot"
    root.mkdir()

    with Depot(root).owned("init", now=NOW), pytest.raises(BusyError, match="init"):
        create_depot(root, SITE, now=NOW)

    assert not (root / "store").exists()


def test_the_modes_of_a_depot_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        depot = create_depot(tmp_path / "depot", SITE, now=NOW)
    finally:
        os.umask(before)

    names = ("", "catalog.sqlite", "store", "keyring", "publications", "keys")
    modes = [(depot.root / name).stat().st_mode & 0o7777 for name in names]
    assert modes == [0o755, 0o644, 0o755, 0o755, 0o755, 0o700]
