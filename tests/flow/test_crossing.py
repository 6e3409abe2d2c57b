"""The whole way: sync, export, verify, import, publish."""

from pathlib import Path

from tests.makers.repos import BuiltRepo
from tests.makers.sites import connected_site, disconnected_site


def test_a_repository_crosses_the_gap_with_its_tree_digest(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)

    hq.do("export", "--to", tmp_path / "stick")
    lab.do("verify", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")

    assert hq.trees() == lab.trees()


def test_the_published_repository_is_upstreams_byte_for_byte(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)

    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")

    published = lab.root / "published" / "p" / "zoo"
    upstream = {path.relative_to(repo.path): path.read_bytes() for path in repo.path.rglob("*") if path.is_file()}
    assert upstream == {
        path.relative_to(published): path.read_bytes() for path in published.rglob("*") if path.is_file()
    }


def test_importing_twice_changes_nothing_and_says_so(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")
    before = lab.state()

    again = lab.do("import", tmp_path / "stick")

    assert "imported before" in again.err
    assert before == lab.state()


def test_the_same_state_key_and_date_give_the_same_volume(tmp_path: Path, repo: BuiltRepo, monkeypatch: object) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    plans = [hq.do("export", "--dry-run", "--json").document for _ in range(2)]

    for plan in plans:
        plan["created"] = ""

    assert plans[0]["repositories"] == plans[1]["repositories"]


def test_an_import_publishes_what_it_brought_and_nothing_else(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("repo", "add", "own/draft", repo.path)
    lab.do("sync")
    hq.do("export", "--to", tmp_path / "stick")

    imported = lab.do("import", tmp_path / "stick", "--json").document

    assert imported["published"]["repositories"] == ["p/zoo"]
