"""audit: the ledger's chain, the trees, every blob."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError
from issmedia.base.events import ignore
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.ops.audit import Audited, audit, require_clean
from tests.makers.documents import NOW
from tests.makers.openpgp import openpgp_key
from tests.makers.programs import run
from tests.makers.repos import sample_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The depot of a site that synced and published a repository; nobody changes it."""
    root = tmp_path_factory.mktemp("published")
    site = connected_site(root / "hq", zoo=sample_repo(root / "zoo").path)
    site.do("publish")
    return site.root


@pytest.fixture
def hq(published: Path, tmp_path: Path) -> Site:
    """A copy of it; hard links stay hard links."""
    run("cp", "-a", published, tmp_path)
    return Site(tmp_path / "hq")


def audited(site: Site) -> Audited:
    """Audit a site."""
    with site.depot.owned("audit", now=NOW) as depot:
        return audit(depot, now=NOW, workers=2, report=ignore)


def entries(site: Site) -> list[LedgerEntry]:
    """Read the ledger."""
    with site.depot.catalog.reading() as db:
        return list(db.ledger.entries())


def tamper(site: Site, sql: str) -> None:
    """Change the catalog behind our back."""
    with contextlib.closing(sqlite3.connect(site.root / "catalog.sqlite")) as db:
        db.executescript(sql)


def blob_of(site: Site, name: str) -> Path:
    """Find the blob of a published package."""
    published = next((site.root / "published/p/zoo/Packages").rglob(f"{name}-*.rpm"))
    inode = published.stat().st_ino
    return next(path for path in (site.root / "store").rglob("*") if path.stat().st_ino == inode)


def test_a_whole_site_has_no_problems_and_stays_as_it_is(hq: Site) -> None:
    before = hq.state()

    found = audited(hq)

    assert before == hq.state()

    blobs = [path for path in (hq.root / "store").rglob("*") if path.is_file()]
    assert (found.problems, found.quarantined, found.trees) == ((), (), 1)
    assert (found.blobs, found.size) == (len(blobs), sum(path.stat().st_size for path in blobs))
    require_clean(found)


@pytest.mark.parametrize("content", [b"", b"rotten"])
def test_a_rotten_blob_is_set_aside_and_withdrawn_from_clients(hq: Site, content: bytes) -> None:
    blob = blob_of(hq, "app")
    blob.chmod(0o644)
    blob.write_bytes(content)

    found = audited(hq)

    assert found.quarantined == (blob.name,)
    assert not blob.exists()
    assert (hq.root / "quarantine" / blob.name).read_bytes() == content
    assert not list((hq.root / "published/p/zoo").rglob("app-*.rpm"))
    assert found.problems[0].where == f"store/{blob.name[:2]}/{blob.name}"
    assert (entries(hq)[-1].event, entries(hq)[-1].facts) == ("audit", {"quarantined": [blob.name]})


def test_what_is_set_aside_stands_in_the_ledger_before_it_is(hq: Site) -> None:
    blob = blob_of(hq, "app")
    blob.chmod(0o644)
    blob.write_bytes(b"rotten")
    seen: list[tuple[str, bool]] = []

    def look(kind: str, name: str) -> None:
        if kind == "rename" and name == blob.name:
            seen.append((entries(hq)[-1].event, blob.exists()))

    with files.observing(look):
        audited(hq)

    assert seen == [("audit", True)]


def test_published_trees_are_walked_once_for_all_that_rotted(hq: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("app", "base"):
        blob = blob_of(hq, name)
        blob.chmod(0o644)
        blob.write_bytes(b"rotten")
    walked: list[Path] = []
    walk = os.walk

    def counted(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        walked.append(top)
        return walk(str(top))

    monkeypatch.setattr(os, "walk", counted)

    found = audited(hq)

    assert (len(found.quarantined), walked) == (2, [hq.root / "publications/trees"])


def test_a_pinned_key_that_is_gone_is_named(hq: Site, tmp_path: Path) -> None:
    key = openpgp_key("vendor").public
    (tmp_path / "key").write_bytes(key)
    hq.do("repo", "set", "p/zoo", "--gpg-key", tmp_path / "key")
    Path(hq.depot.store.path(digest_of(key))).unlink()

    found = audited(hq)

    assert [one.where for one in found.problems] == ["a pinned key of p/zoo"]


def test_the_manifest_of_an_import_that_is_gone_is_named(hq: Site, tmp_path: Path) -> None:
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")
    clean = audited(lab)
    (bundle,) = lab.do("status", "--json").document["bundles"]
    Path(lab.depot.store.path(bundle["id"])).unlink()

    found = audited(lab)

    assert clean.problems == ()
    assert [one.where for one in found.problems] == [f"the manifest of bundle {bundle['id']}"]


def test_a_ledger_that_was_cut_off_does_not_tell_what_the_catalog_says(hq: Site, tmp_path: Path) -> None:
    hq.do("export", "--to", tmp_path / "stick")
    bundle = hq.do("status", "--json").document["bundles"][0]["id"]
    found = []

    for number in (entries(hq)[-1].number, 1):
        tamper(hq, f"DELETE FROM ledger WHERE number >= {number}")
        found.append({one.where for one in audited(hq).problems})

    assert found == [{f"bundle {bundle}"}, {f"bundle {bundle}", "p/zoo"}]


def test_a_ledger_whose_facts_are_of_another_shape_is_a_problem_and_no_failure(hq: Site) -> None:
    with hq.depot.catalog.changing() as db:
        for facts in ({"moved": 1}, {"moved": [1, {"repository": 2, "new": []}], "bundle": []}, {}):
            for event in ("import", "sync", "export"):
                db.ledger.append(event, facts, now=NOW)

    assert audited(hq).problems == ()


def test_every_problem_is_named_at_once(hq: Site) -> None:
    blob_of(hq, "app").unlink()
    blob_of(hq, "base").unlink()
    tamper(hq, "UPDATE ledger SET entry = x'00' WHERE number = 2")

    with pytest.raises(DepotError, match=r"found \d problem") as caught:
        require_clean(audited(hq))

    text = " ".join(f"{one.where}: {one.message}" for one in caught.value.problems)
    assert text.count("is not in the store") == 2
    assert "ledger entry 2" in text


def test_a_listing_that_is_gone_is_named(hq: Site) -> None:
    tree = hq.trees()["p/zoo"]
    (hq.root / "store" / tree[:2] / tree).unlink()

    found = audited(hq)

    assert [one.where for one in found.problems] == [f"tree {tree}"]


def test_a_blob_that_no_tree_names_is_checked_too(hq: Site) -> None:
    stray = hq.root / "store/ff" / ("f" * 64)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")

    assert audited(hq).quarantined == ("f" * 64,)
