"""Older software under a newer bundle: row 56 of the threats. It is signed, so it is allowed; nobody overlooks it."""

from pathlib import Path

import pytest

from issmedia.depot.keys import FileKey
from tests.makers.attacked import World
from tests.makers.forge import copied, edit_manifest, replace_tree
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Site

ALARM = "DOWNGRADE: 1 package would become OLDER, in p/zoo"


@pytest.fixture
def third(world: World, tmp_path: Path) -> Path:
    """Give a third bundle, newer than all, with an alpha older than the second one's."""
    hq = Site(copied(world.hq.root, tmp_path / "hq"))
    upstream = build_repo(tmp_path / "old", [PackageSpec("alpha", "0.1"), "beta", "gamma"], layout=FLAT).path
    hq.do("repo", "set", "p/zoo", "--source", upstream)
    hq.do("sync")
    hq.do("export", "--to", tmp_path / "third")
    return tmp_path / "third"


def test_056_an_older_package_in_a_newer_bundle_is_said_first_and_loudly(lab: Site, volume: Path, third: Path) -> None:
    """Upstream, or who signs for us, takes back a package to a version with a known hole."""
    lab.do("import", volume)

    before_import = lab.do("diff", "current", third)
    lab.do("import", third)
    after_import = lab.do("diff", "p/zoo@2", "p/zoo@3")

    for outcome in (before_import, after_import):
        assert outcome.out.splitlines()[2] == ALARM
        assert "alpha.noarch  1.0-1 → 0.1-1" in outcome.out


def test_056_a_program_and_a_page_tell_of_it_too(lab: Site, volume: Path, third: Path, tmp_path: Path) -> None:
    """The same, seen by monitoring and by the person who approves the import."""
    found = lab.do("diff", volume, third, "--json", "--html", tmp_path / "page.html").document

    assert found["totals"]["downgraded"] == 1
    assert f'<p class="alarm">{ALARM}</p>' in (tmp_path / "page.html").read_text()


def test_042_a_bundle_is_compared_without_being_trusted_and_changes_nothing(
    lab: Site, volume: Path, release: FileKey
) -> None:
    """A stranger's bundle lies about its site's name, and names a listing that is none."""
    replace_tree(volume, b'{"path":"../../etc/passwd","sha256":"' + b"0" * 64 + b'","size":1}\n', release)
    edit_manifest(volume, lambda document: document["site"].update(name="\x1b[2J hq"))
    before = lab.state()

    outcome = lab.call("diff", "current", volume)

    assert (outcome.code, outcome.out) == (5, "")
    assert "not verified" in outcome.err
    assert "\x1b" not in outcome.err
    assert lab.state() == before
