"""Syncing again: the same upstream gives the same answer."""

from pathlib import Path

from tests.makers.repos import build_repo
from tests.makers.sites import Site


def test_a_file_that_is_not_there_stays_left_out_though_its_bytes_are_known(tmp_path: Path) -> None:
    repo = build_repo(
        tmp_path / "upstream", ["app"], treeinfo={"images/boot.img": b"image", "images/again.img": b"image"}
    )
    (repo.path / "images/again.img").unlink()
    hq = Site(tmp_path / "hq")
    hq.do("init", "--name", "hq")
    hq.do("repo", "add", "p/tree", repo.path)
    hq.call("sync")
    before = hq.trees()

    again = hq.call("sync", "--json")

    assert again.code == 7
    assert [one["path"] for one in again.document["repositories"][0]["incomplete"]] == ["images/again.img"]
    assert before == hq.trees()
