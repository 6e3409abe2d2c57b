"""What a hostile reader of the code found: each a way round a rule that stood."""

import json
import os
from pathlib import Path

import pytest

from issmedia.cli import clock
from tests.makers.repos import BuiltRepo, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site


def begun_by(site: Site, directory: Path, **changes: object) -> None:
    """Lay a forged marker of an unfinished export of this site into an empty directory."""
    plan = site.do("export", "--dry-run", "--json").document
    directory.mkdir()
    text = json.dumps(plan | changes, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (directory / "manifest.json.partial").write_text(text)


def test_018_a_forged_marker_does_not_date_what_is_signed(tmp_path: Path, repo: BuiltRepo) -> None:
    """Whoever had the stick before lays a marker of an unfinished export on it, dated 9999."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    begun_by(hq, tmp_path / "stick", created="9999-12-31T23:59:59Z")

    hq.do("export", "--to", tmp_path / "stick")

    assert "9999" not in json.loads((tmp_path / "stick/manifest.json").read_text())["created"]


def test_024_a_bundle_from_the_far_future_is_refused_until_it_is_named(
    tmp_path: Path, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender's clock was wrong, or the key was stolen: believed, the moment would be the clock's floor for ever."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "253000000000")
    bundle = hq.do("export", "--to", tmp_path / "stick", "--json").document["bundle"]
    before = lab.state()

    refused = lab.call("import", tmp_path / "stick")

    assert refused.code == 6
    assert "one of two clocks is wrong" in refused.err
    assert before == lab.state()
    lab.do("import", tmp_path / "stick", "--allow-rollback", bundle)


def test_018_an_older_state_does_not_come_back_by_another_chain(
    tmp_path: Path, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker withheld a bundle for any site, and plays it after a newer one for this site."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "old")
    build_repo(repo.path, ["newer"])
    _sync_later(hq, monkeypatch)
    hq.do("site", "add", "lab")
    hq.do("export", "--to", tmp_path / "new", "--to-site", "LAB")
    lab.do("import", tmp_path / "new")
    before = lab.state()

    refused = lab.call("import", tmp_path / "old")

    assert refused.code == 6
    assert "already imported is" in refused.err
    assert before == lab.state()


def test_006_a_second_person_signs_a_finished_bundle_further(tmp_path: Path, repo: BuiltRepo) -> None:
    """Two persons must sign, each with a key of their own: the second signature does not replace the first."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    hq.do("keys", "generate", "second")
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("keys", "trust", "second", hq.do("keys", "show", "second", "--public").out.strip())
    lab.do("keys", "threshold", "2")
    hq.do("export", "--to", tmp_path / "stick", "--key", "release")

    hq.do("export", "--to", tmp_path / "stick", "--key", "second")

    lab.do("import", tmp_path / "stick")
    assert len(hq.do("status", "--json").document["bundles"]) == 1


def test_037_a_link_on_the_stick_leads_no_export_out_of_it(tmp_path: Path, repo: BuiltRepo) -> None:
    """Whoever had the stick before made its folders links to directories of the exporting machine."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    outside = tmp_path / "outside"
    outside.mkdir()
    begun_by(hq, tmp_path / "stick")
    (tmp_path / "stick/repos").symlink_to(outside)
    (tmp_path / "stick/README.txt").symlink_to(outside / "victim")
    os.mkfifo(tmp_path / "stick/manifest.json")

    outcome = hq.call("export", "--to", tmp_path / "stick")

    assert list(outside.iterdir()) == []
    assert outcome.code == 0
    assert not (tmp_path / "stick/README.txt").is_symlink()


def test_a_newer_bundle_counts_again_after_a_rollback(
    tmp_path: Path, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attack: the operator went back on purpose, and now imports the newest again."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    first = hq.do("export", "--to", tmp_path / "1", "--json").document["bundle"]
    lab.do("import", tmp_path / "1")
    build_repo(repo.path, ["newer"])
    _sync_later(hq, monkeypatch)
    hq.do("export", "--to", tmp_path / "2")
    lab.do("import", tmp_path / "2")
    lab.do("import", tmp_path / "1", "--allow-rollback", first)

    lab.do("import", tmp_path / "2")

    assert hq.trees() == lab.trees()


def test_a_repository_that_was_removed_comes_back_with_the_bundle(tmp_path: Path, repo: BuiltRepo) -> None:
    """No attack: the operator removed a repository and imports the same stick again."""
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")
    lab.do("repo", "remove", "p/zoo", "--yes")

    lab.do("import", tmp_path / "stick")

    assert hq.trees() == lab.trees()


def _sync_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync a day after everything before: the snapshot's moment is later, without waiting."""
    later = clock.moment("1d", start=clock.now())
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later)
        site.do("sync")
