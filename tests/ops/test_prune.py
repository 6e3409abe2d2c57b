"""prune: what nothing needs goes, what anybody may need stays."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DamagedBlobError
from issmedia.base.events import ignore
from issmedia.depot.catalog_ledger import GENESIS
from issmedia.model.documents import Destination, ReceiptRecord
from issmedia.ops.audit import audit
from issmedia.ops.prune import Keeping, Pruned, preview, prune
from tests.makers.documents import NOW, header
from tests.makers.history import Lab, lab_at
from tests.makers.volumes import media_of, random_content, set_of

LAST = Keeping(newest=1)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A site that imported five bundles; each changed p/zoo, p/still is as it was."""
    made = lab_at(tmp_path)
    for number in range(1, 6):
        made.bring(zoo=str(number), still="s")
    return made


def pruned(lab: Lab, keeping: Keeping = LAST) -> Pruned:
    """Prune."""
    with lab.depot.owned("prune", now=NOW) as owned:
        return prune(owned, keeping, now=NOW, report=ignore)


def here(lab: Lab) -> str:
    """Say of which of the five contents of p/zoo the blobs are in the store."""
    return "".join(number for number in "12345" if lab.depot.store.holds(digest_of(number.encode())))


def kept(lab: Lab) -> str:
    """Say of which of the five contents of p/zoo a snapshot is kept."""
    with lab.depot.catalog.reading() as db:
        trees = [lab.depot.store.tree(one.tree) for one in db.names.snapshots("p/zoo")]
    blobs = [tree.entries[0].sha256 for tree in trees]
    return "".join(number for number in "12345" if digest_of(number.encode()) in blobs)


def tree(lab: Lab, number: int) -> Digest:
    """Give the tree of p/zoo's n-th snapshot."""
    with lab.depot.catalog.reading() as db:
        return db.names.snapshots("p/zoo")[number - 1].tree


def facts(lab: Lab) -> tuple[object, ...]:
    """Everything that a prune may change."""
    with lab.depot.catalog.reading() as db:
        snapshots = [db.names.snapshots(repo.path) for repo in db.names.repositories()]
    return list(lab.depot.store.walk()), snapshots, lab.entries(), lab.seen()


def is_whole(lab: Lab) -> bool:
    """Say whether an audit finds no fault: every tree that a snapshot names is here with all its blobs."""
    with lab.depot.owned("audit", now=NOW) as owned:
        return audit(owned, now=NOW, workers=1, report=ignore).problems == ()


def receipt(lab: Lab, site: str | None, number: int, *, created: str = NOW) -> None:
    """Record a receipt that names p/zoo's n-th tree, and one that is not here."""
    trees = {"p/zoo": tree(lab, number), "q/other": digest_of(b"elsewhere")}
    made = ReceiptRecord(digest_of(created.encode()), site, created, (0, GENESIS), NOW, b"{}", trees)
    with lab.depot.catalog.changing() as db:
        if site and db.sites.find(site) is None:
            db.sites.add(Destination(site, (), NOW))
        db.sites.add_receipt(made)


def test_what_is_older_goes_with_its_blobs_and_its_listing(lab: Lab) -> None:
    old = tree(lab, 1)

    done = pruned(lab)

    assert (here(lab), kept(lab)) == ("45", "45")
    assert not lab.depot.store.holds(old)
    assert done.snapshots[0].tree == old
    assert (len(done.snapshots), done.blobs) == (3, 6)
    assert is_whole(lab)


def test_what_clients_saw_until_the_newest_switch_stays_and_is_told(lab: Lab) -> None:
    done = pruned(lab)

    assert [(one.repository, one.tree) for one in done.spared] == [("p/zoo", tree(lab, 1))]
    assert "clients see it" in done.spared[0].why


@pytest.mark.parametrize(
    ("keeping", "expected"),
    [
        (Keeping(newest=3), "345"),
        (Keeping(newest=9), "12345"),
        (Keeping(since="2026-06-02T12:00:00Z"), "2345"),
        (Keeping(newest=1, since="2026-06-03T00:00:00Z"), "345"),
        (Keeping(newest=3, since="2026-06-05T00:00:00Z"), "345"),
    ],
)
def test_the_newest_and_the_youngest_stay(lab: Lab, keeping: Keeping, expected: str) -> None:
    pruned(lab, keeping)

    assert (here(lab), kept(lab)) == (expected, expected)


def test_what_a_repository_stands_at_stays_however_old(lab: Lab) -> None:
    lab.back("p/zoo", to=1, shows=False)

    pruned(lab, Keeping(since="2026-07-01T00:00:00Z"))

    assert (here(lab), kept(lab)) == ("145", "145")


@pytest.mark.parametrize("site", ["far", None])
def test_what_the_newest_receipt_names_stays(lab: Lab, site: str | None) -> None:
    receipt(lab, site, 1, created="2026-05-01T00:00:00Z")
    receipt(lab, site, 2, created="2026-05-02T00:00:00Z")

    done = pruned(lab)

    assert (here(lab), kept(lab)) == ("245", "245")
    assert any("receipt" in one.why for one in done.spared)
    assert is_whole(lab)


def test_of_an_older_receipt_no_half_is_remembered(lab: Lab) -> None:
    receipt(lab, "far", 1, created="2026-05-01T00:00:00Z")
    receipt(lab, "far", 2, created="2026-05-02T00:00:00Z")

    pruned(lab)

    with lab.depot.catalog.reading() as db:
        older, newest = db.sites.receipts("far")
    assert (older.trees, len(newest.trees)) == ({}, 2)


@pytest.mark.parametrize("destination", [None, "far"])
def test_what_was_exported_last_stays(lab: Lab, destination: str | None) -> None:
    for number in (1, 2):
        manifest = lab.bundle(zoo=str(number)).plan.manifest
        bundle = digest_of(b"export %d" % number)
        with lab.depot.catalog.changing() as db:
            db.history.record(bundle, manifest, "export", (), now=NOW)

    pruned(lab)

    assert (here(lab), kept(lab)) == ("245", "245")


def test_what_was_imported_last_stays_though_nobody_sees_it(lab: Lab) -> None:
    lab.back("p/zoo", to=1)
    lab.back("p/zoo", to=2)

    done = pruned(lab, Keeping(since="2026-07-01T00:00:00Z"))

    assert (here(lab), kept(lab)) == ("125", "125")
    assert "hq #5 is the newest import of its chain" in [one.why for one in done.spared]


def test_of_an_older_bundle_no_half_is_remembered(lab: Lab) -> None:
    pruned(lab)

    with lab.depot.catalog.reading() as db:
        found = [len(db.history.trees(one.id)) for one in db.history.all()]
    assert found == [0, 0, 0, 2, 2]


def test_keys_manifests_and_signatures_stay(lab: Lab) -> None:
    with lab.depot.store.writing() as writing:
        key = writing.add_bytes(b"an OpenPGP key")
    with lab.depot.catalog.changing() as db:
        db.names.set_keys("p/zoo", (key,))
        bundles = [one.id for one in db.history.all()]
    signatures = [digest_of(path.read_bytes()) for path in lab.root.glob("stick-*/manifest.json.sig")]

    pruned(lab)

    assert len(signatures) == len(bundles) == 5
    assert all(lab.depot.store.holds(one) for one in (key, *bundles, *signatures))


def test_what_interrupted_runs_left_goes(lab: Lab) -> None:
    pruned(lab)
    with lab.depot.store.writing() as writing:
        stray = writing.add_bytes(b"of an import that died")
    (lab.depot.store.root / "incoming" / ".tmp-0").write_bytes(b"half")
    (lab.depot.store.root / "incoming" / f".part-{'0' * 64}-{'1' * 32}").write_bytes(b"half")

    done = pruned(lab)

    assert (done.snapshots, done.blobs, done.size) == ((), 1, 22)
    assert not lab.depot.store.holds(stray)
    assert list((lab.depot.store.root / "incoming").iterdir()) == []


def test_a_preview_says_the_same_and_changes_nothing(lab: Lab) -> None:
    before = facts(lab)

    said = preview(lab.depot, LAST)

    assert before == facts(lab)
    assert said == pruned(lab)


def test_pruning_again_finds_nothing_and_changes_nothing(lab: Lab) -> None:
    pruned(lab)
    before = facts(lab)

    done = pruned(lab)

    assert (done.nothing, facts(lab)) == (True, before)


def test_clients_see_what_they_saw(lab: Lab) -> None:
    before = lab.seen()

    pruned(lab)

    assert before == lab.seen()


def test_the_ledger_has_the_counts(lab: Lab) -> None:
    done = pruned(lab)

    *_, entry = lab.entries()
    assert (entry.event, entry.facts) == ("prune", {"snapshots": 3, "blobs": 6, "size": done.size})


def test_what_only_forgotten_trees_had_cannot_be_searched_any_more(lab: Lab) -> None:
    def listed() -> list[int]:
        tables = ("packages", "tree_packages", "indexed_trees", "tree_details")
        return [rows(lab, table) for table in tables]

    before = listed()

    pruned(lab)

    assert (before, listed()) == ([6] * 4, [3] * 4)


def rows(lab: Lab, table: str) -> int:
    """Count the rows of a table."""
    with contextlib.closing(sqlite3.connect(lab.depot.catalog.path)) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert isinstance(count, int)
    return count


def test_a_listing_that_is_lost_stops_the_prune_before_anything_goes(lab: Lab) -> None:
    """Without it nobody knows which blobs are its own."""
    files.unlink(lab.depot.store.path(tree(lab, 5)))
    before = facts(lab)

    with pytest.raises(DamagedBlobError):
        pruned(lab)

    assert before == facts(lab)


def test_a_listing_that_is_lost_stops_nothing_where_its_snapshot_goes(lab: Lab) -> None:
    files.unlink(lab.depot.store.path(tree(lab, 1)))

    pruned(lab)

    assert (here(lab), is_whole(lab)) == ("45", True)


def test_blobs_go_after_the_catalog_forgot_them(lab: Lab) -> None:
    seen: list[str] = []

    with files.observing(lambda kind, _name: seen.append(kind)):
        pruned(lab)

    assert seen == ["commit", "commit", *["unlink"] * 6]


@pytest.mark.parametrize("go_back", [lambda lab: lab.back("p/zoo", to=1), lambda lab: lab.back("p/zoo")])
def test_what_is_kept_can_be_gone_back_to(lab: Lab, go_back: Callable[[Lab], object]) -> None:
    pruned(lab)

    go_back(lab)

    assert (lab.seen()["p/zoo/a.rpm"], is_whole(lab)) == (b"4", True)


def test_what_an_unfinished_import_brought_stays_until_it_is_forgotten(lab: Lab, tmp_path: Path) -> None:
    coming = set_of(tmp_path / "hq", media_of("500000"), facts=header(sequence=9), zoo=random_content(12, 60_000))
    volumes = sorted(coming.write(tmp_path / "set").iterdir())
    lab.take(volumes[0])
    brought = [file for file in coming.plan.volumes[0].files if file.path.endswith(".rpm")]
    trees = [entry.digest for entry in coming.plan.manifest.trees]
    pruned(lab)

    waited = [lab.depot.store.holds(one) for one in (*trees, *(file.sha256 for file in brought))]
    lab.depot.pending.forget(coming.plan.id)
    pruned(lab)

    assert waited == [True] * (len(trees) + len(brought))
    assert not any(lab.depot.store.holds(file.sha256) for file in brought)
    assert is_whole(lab)


def test_what_parity_rebuilt_of_a_volume_that_was_never_seen_stays(lab: Lab, tmp_path: Path) -> None:
    """The third volume is short: beyond its end the first and parity give back what lies on the second."""
    content = random_content(10, 60_000)
    coming = set_of(tmp_path / "hq", media_of("500000"), parity=1, facts=header(sequence=9), zoo=content)
    one, two, _, parity = sorted(coming.write(tmp_path / "set").iterdir())
    lab.take(one)
    lab.take(parity)
    rebuilt = [digest for digest in map(digest_of, package_bytes(two)) if lab.depot.store.holds(digest)]

    pruned(lab)

    assert len(rebuilt) > 0
    assert all(lab.depot.store.holds(digest) for digest in rebuilt)
    lab.take(two)
    assert all(lab.depot.store.holds(digest_of(data)) for data in content.values())


def package_bytes(volume: Path) -> list[bytes]:
    """Read the packages of a volume."""
    return [path.read_bytes() for path in volume.rglob("*.rpm")]


def test_after_a_prune_the_last_volume_finishes_the_import(lab: Lab, tmp_path: Path) -> None:
    content = random_content(12, 60_000)
    coming = set_of(tmp_path / "hq", media_of("500000"), facts=header(sequence=9), zoo=content)
    volumes = sorted(coming.write(tmp_path / "set").iterdir())

    for volume in volumes:
        lab.take(volume)
        pruned(lab)

    assert all(lab.depot.store.holds(digest_of(data)) for data in content.values())
    assert is_whole(lab)
